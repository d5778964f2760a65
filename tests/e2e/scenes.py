# SPDX-License-Identifier: BSD-2-Clause
"""A session of each kind, for tests in which something goes wrong in one of them.

    end = outcome(scene, connect)     # SERVED, ENDED, or what the reply says
"""

import contextlib
import itertools

import dns
import servers
import sockgate
import udp
from socks import BIND, UDP_ASSOCIATE, greeting, request
from x80 import X80

# As much as no kernel holds for one connection.
FLOOD = 16 << 20
SERVED, ENDED = 'served', 'ended'


class Scene(contextlib.ExitStack):
    """A gateway with one worker and one helper, and all that sessions of every kind need."""

    def __init__(self, folder, env=None):
        super().__init__()
        self.names = self.enter_context(dns.Server())
        self.echo = self.enter_context(servers.Echo())
        self.target = self.enter_context(servers.Target())
        self.place = self.enter_context(udp.Place())
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
        self.gw = sockgate.Gateway(sockgate.config(
            listeners=[sockgate.listener(protocols=['socks5', 'socks4'])], modules=modules, hooks=table,
            core=dns.core(self.names, failure_ttl='0s'),  # c-ares tells of some shortages that no server answers
            rules=[{'deny': {'dst': [f'@{self.set}']}, 'label': 'set'}, {'allow': {}, 'label': 'all',
                    'special': ['loopback', 'self', 'unspecified']}],
            timeouts={'linger': '100ms'}), env=env, turns=False)
        self.callback(self._end)

    def _end(self):
        self.gw.stop()
        self.gw.discard()

    def write_set(self):
        """Another one each time."""
        new = self.set.with_suffix('.new')
        new.write_text(f'192.0.2.{next(self.numbers) % 250}\n{"x" * (next(self.numbers) % 50)}.test\n')
        new.rename(self.set)


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
