# SPDX-License-Identifier: BSD-2-Clause
"""T13: a worker gets no memory, at the first allocation of a session, the second, and so on through all of it. The
session that is hit gets a failure reply or an end, and its one record; the worker lives, loses nothing, and serves the next."""

import collections
import contextlib
import itertools

import pytest

import dns
import servers
import sockgate
import udp
from conftest import open_folder
from shortage import FOR_EVER, Shortage
from socks import BIND, UDP_ASSOCIATE, greeting, request
from x80 import X80

pytestmark = pytest.mark.skipif(sockgate.SANITIZED, reason='a sanitizer has an allocator of its own')

# More than any session needs: the sweep ends where nothing fails any more.
LONGEST = 400
# As much as no kernel holds for one connection.
FLOOD = 16 << 20
SERVED, ENDED = 'served', 'ended'


class Scene:
    """One worker whose allocations fail, and all that its sessions need."""

    def __init__(self, gateway, stack, folder):
        self.shortage = stack.enter_context(Shortage())
        self.names = stack.enter_context(dns.Server())
        self.echo = stack.enter_context(servers.Echo())
        self.target = stack.enter_context(servers.Target())
        self.place = stack.enter_context(udp.Place())
        for kind, address in (('A', '127.0.0.1'), ('AAAA', '::1')):
            self.names['echo.test', kind] = dns.Answer([address], ttl=0)  # asked for anew by each session
        self.names['place.test', 'A'] = dns.Answer(['127.0.0.1'], ttl=0)
        self.set = folder / 'set.txt'
        self.numbers = itertools.count()
        self.write_set()
        modules = [sockgate.test_module('auth_pw', name='pw', settings={'users': ['alice:secret']}, cache='0s',
                                        helper={'processes': 1}),
                   sockgate.test_module('auth_x80', name='x80'), {'name': 'udp', 'file': 'cmd_udp.so'}]
        table = {'auth': ['none', 'pw', 'x80'], 'access': ['rules'],
                 'command': {'connect': 'connect', 'bind': 'bind', 'udp_associate': 'udp'}}
        self.gw = gateway(sockgate.config(
            listeners=[sockgate.listener(protocols=['socks5', 'socks4'])], modules=modules, hooks=table,
            core=dns.core(self.names, failure_ttl='0s'),  # c-ares tells of some shortages that no server answers
            rules=[{'deny': {'dst': [f'@{self.set}']}, 'label': 'set'}, {'allow': {}, 'label': 'all',
                    'special': ['loopback', 'self', 'unspecified']}],
            timeouts={'linger': '100ms'}), env=self.shortage.env, turns=False)

    def write_set(self):
        """Another one each time."""
        new = self.set.with_suffix('.new')
        new.write_text(f'192.0.2.{next(self.numbers) % 250}\n{"x" * (next(self.numbers) % 50)}.test\n')
        new.rename(self.set)


@pytest.fixture(name='scene', scope='module')
def make_scene(tmp_path_factory):
    made = []

    def make(text, **keys):
        made.append(sockgate.Gateway(text, **keys))
        return made[-1]
    with contextlib.ExitStack() as stack:
        scene = Scene(make, stack, open_folder(tmp_path_factory.mktemp('shortage')))
        yield scene
        for gw in made:
            gw.stop()
            gw.discard()


def wants(rep):
    """A reply that reports failure ends the session as far as the client is concerned."""
    if rep != 0:
        raise Refused(f'REP {rep:02x}')


class Refused(Exception):
    """The gateway has said no, in the words of the protocol."""


def echoed(client, octets):
    client.send(octets)
    assert client.recv_exactly(len(octets)) == octets


# ---- sessions: each raises Refused, or an error of a connection that ends

def connect(scene, client):
    client.send(greeting())
    client.expect(b'\x05\x00')
    wants(client.request(b'echo.test', scene.echo.port).rep)
    echoed(client, b'x' * 100_000)


def socks4a(scene, client):
    reply = client.request4(b'echo.test', scene.echo.port)
    wants(reply.cd - 90)
    echoed(client, b'x')


def login(scene, client):
    status = client.login(b'alice', b'secret')
    wants(status)
    wants(client.request(*scene.echo.where).rep)
    echoed(client, b'x')


def encapsulated(scene, client):
    x80 = X80(client)
    wants(x80.login())
    x80.send(request(*scene.echo.where))
    wants(x80.recv_exactly(10)[1])
    x80.send(b'y' * 10_000)
    assert x80.recv_exactly(10_000) == b'y' * 10_000


def bind(scene, client):
    client.send(greeting())
    client.expect(b'\x05\x00')
    first = client.request('127.0.0.1', 21, cmd=BIND)
    wants(first.rep)
    with contextlib.closing(servers.peer(first.host, first.port)) as peer:
        wants(client.reply().rep)
        echoed_by(peer, client)


def echoed_by(peer, client):
    client.send(b'there')
    peer.expect(b'there')
    peer.send(b'back')
    client.expect(b'back')


def associate(scene, client):
    """A datagram may be lost, as datagrams may; the association must not be."""
    client.send(greeting())
    client.expect(b'\x05\x00')
    reply = client.request('0.0.0.0', 0, cmd=UDP_ASSOCIATE)
    wants(reply.rep)
    with udp.Place() as own:
        for _ in range(30):
            if servers.readable(own.sock, 0.05):
                break
            assert client.peek() is None, 'the association has ended'
            own.send(udp.header(b'place.test', scene.place.port) + b'ping', (reply.host, reply.port))
            if servers.readable(scene.place.sock, 0.05):
                scene.place.send(b'pong', scene.place.recv()[1])
        assert servers.readable(own.sock, 0) and udp.parted(own.recv()[0])[5] == b'pong'


def pressed(scene, client):
    """The target does not read until the gateway does not either."""
    client.send(greeting())
    client.expect(b'\x05\x00')
    wants(client.request(*scene.target.where).rep)
    with contextlib.closing(scene.target.accept()) as peer:
        sent = 0
        client.sock.setblocking(False)
        try:
            while sent < FLOOD and servers.writable(client.sock, 0.05):
                sent += client.sock.send(b'z' * 65536)
        finally:
            client.sock.settimeout(sockgate.PATIENCE)
        client.shutdown()
        assert len(peer.rest()) == sent
        peer.send(b'back')
        client.expect(b'back')


SESSIONS = [connect, socks4a, login, encapsulated, bind, associate, pressed]


# ---- the sweep

def ended(gw):
    return [record for record in gw.records() if record['event'] != 'session_start']


def outcome(scene, session):
    """What became of it; it has one end in the records, and nothing else has."""
    before = len(ended(scene.gw))
    try:
        with scene.gw.connect() as client:
            session(scene, client)
        end = SERVED
    except Refused as refused:
        end = str(refused)
    except (AssertionError, ConnectionError):
        end = ENDED
    scene.gw.wait(lambda: len(ended(scene.gw)) > before, 'the end of a session')
    assert len(ended(scene.gw)) == before + 1
    while servers.readable(scene.target.sock, 0):
        scene.target.accept().close()
    return end


def kept(shortage):
    """How many blocks the process holds more than when it was first looked at, once what it did is over."""
    with contextlib.suppress(sockgate.Failed):
        sockgate.wait_until(lambda: shortage.live <= 0, 0.2)
    return shortage.live


def hit(scene, who, act, number, failing=1):
    """That allocation of a process fails: what became of what it had to do, and of itself."""
    pid = who(scene.gw)
    with scene.shortage.at(pid, number, failing):
        end = act(scene)
    assert who(scene.gw) == pid, f'allocation {number}: the process has ended'
    return end


def sweep(scene, who, act, failing=1, start=1):
    """One allocation after the other, until none is left. What the first time stays may be used again; what stays each time
    is lost."""
    shortage, seen = scene.shortage, collections.Counter()
    assert act(scene) == act(scene) == SERVED
    shortage.watch(who(scene.gw))
    for number in range(start, LONGEST):
        end = hit(scene, who, act, number, failing)
        seen[end] += 1
        if not shortage.failed:
            break
        assert act(scene) == SERVED, f'what came after allocation {number}'
        if kept(shortage) > 0:
            shortage.watch(who(scene.gw))
            hit(scene, who, act, number, failing)
            assert kept(shortage) <= 0, f'allocation {number}: {shortage.live} blocks are lost'
    assert end == SERVED and number > start
    print(f'{number - start} allocations failed, {dict(seen)}')


def worker(gw):
    return gw.workers()[0]


@pytest.mark.parametrize('session', SESSIONS)
def test_a_session(scene, session, request):  # pylint: disable=redefined-outer-name
    """T13: each allocation of a session fails once."""
    request.node.gateways = [scene.gw]
    sweep(scene, worker, lambda scene: outcome(scene, session))


@pytest.mark.drill
@pytest.mark.parametrize('session', SESSIONS)
def test_nothing_more(scene, session, request):  # pylint: disable=redefined-outer-name
    """T13: from some allocation of a session on there is no memory at all, until it has ended."""
    request.node.gateways = [scene.gw]
    # Without the first one nobody is accepted, and the client would wait.
    sweep(scene, worker, lambda scene: outcome(scene, session), FOR_EVER, 2)


# ---- whoever is no worker

def reload(scene):
    """Everything is made anew, and the old ends."""
    done = 'reload done' in scene.gw.reload()
    scene.gw.wait(lambda: len(scene.gw.generations()) == 1, 'the end of a generation')
    return SERVED if done else ENDED


def change(scene):
    """A set is read again."""
    seen = len(scene.gw.lines())
    scene.write_set()
    line = scene.gw.wait_log(r'.*(has changed: |stays in force)', after=seen)[0]
    return SERVED if 'has changed' in line else ENDED


def only(pids):
    pid, = pids
    return pid


@pytest.mark.parametrize('who, act', [
    pytest.param(lambda gw: gw.pid, reload, id='master'),
    pytest.param(lambda gw: gw.generation_pid, change, id='generation', marks=pytest.mark.drill),
    pytest.param(lambda gw: only(gw.helpers('pw')), lambda scene: outcome(scene, login), id='helper')])
def test_others(scene, who, act, request):  # pylint: disable=redefined-outer-name
    """T13: the same for a process that serves the workers. It lives, and nothing that was there before is lost."""
    request.node.gateways = [scene.gw]
    sweep(scene, who, act)
