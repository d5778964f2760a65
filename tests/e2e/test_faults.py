# SPDX-License-Identifier: BSD-2-Clause
"""T11: system calls of a worker fail, each at its first call, its second, and so on: the session that is hit gets a
failure reply or an end, no other one notices, the worker lives and serves."""

import contextlib
import shutil
import subprocess
import time

import pytest

import scenes
import servers
import sockgate
from conftest import open_folder
from socks import greeting, request

pytestmark = [pytest.mark.skipif(not shutil.which('strace'), reason='strace is missing'),
              pytest.mark.skipif(sockgate.SANITIZED, reason='a sanitizer makes calls of its own')]

CALLS = {'accept4': ['EMFILE', 'ENOMEM', 'ECONNABORTED', 'EINTR'], 'socket': ['EMFILE', 'ENOBUFS'],
         'connect': ['EADDRNOTAVAIL', 'ENOBUFS'], 'epoll_ctl': ['ENOMEM', 'ENOSPC'], 'sendto': ['ENOBUFS', 'EAGAIN', 'EINTR'],
         'recvfrom': ['ENOMEM', 'EAGAIN', 'EINTR'], 'splice': ['ENOMEM', 'EAGAIN', 'EINTR'], 'pipe2': ['EMFILE'],
         'getsockname': ['ENOBUFS'], 'shutdown': ['ENOBUFS']}
TIMES = 8
STREAM = b'\x5a' * 300_000


def injected(gw):
    """A file with the calls that were looked at; one that failed is marked."""
    return gw.dir / 'strace'


@contextlib.contextmanager
def failing(gw, call, error, when):
    """The call of that number of worker 0 fails."""
    strace = subprocess.Popen(['strace', '-qq', '-e', f'trace={call}', '-e', f'inject={call}:error={error}:when={when}',
                               '-o', injected(gw), '-p', str(gw.workers()[0])], stderr=subprocess.PIPE, text=True)
    try:
        traced = f'/proc/{gw.workers()[0]}/status'

        def attached():
            with open(traced, encoding='ascii') as status:
                return 'TracerPid:\t0\n' not in status.read() or strace.poll() is not None
        sockgate.wait_until(attached, what='strace')
        if strace.poll() is not None:
            pytest.skip(f'strace cannot trace here: {strace.stderr.read()}')
        yield
    finally:
        strace.terminate()
        strace.wait()
        strace.stderr.close()


def echoed(client, octets):
    client.send(octets)
    client.expect(octets)


def try_session(gw, echo):
    """What became of it: served, refused with a REP, or ended. Whoever was told that it is connected is."""
    with gw.connect() as client:
        try:
            client.send(greeting(), request(*echo.where))
            if client.recv(2) != b'\x05\x00':
                return 'ended'
            rep = client.reply().rep
            if rep == 0:
                echoed(client, STREAM)
        except (AssertionError, ConnectionError):
            return 'ended'
        return 'served' if rep == 0 else f'REP {rep:02x}'


@pytest.fixture(name='faulty', scope='module')
def make_faulty():
    gw = sockgate.Gateway(sockgate.config(core={'workers': 1}), turns=False, ledger=False)
    with servers.Echo() as echo:
        yield gw, echo
        gw.stop()
    gw.discard()


@pytest.mark.parametrize('call,error', [(call, error) for call, errors in CALLS.items() for error in errors])
def test_failing_call(faulty, request, call, error):
    """T11: one call of the session after the other; a live session and those behind go on."""
    gw, echo = faulty
    request.node.gateways = [gw]
    workers, seen = gw.workers(), {}
    with gw.connect() as live:
        live.open(*echo.where)
        for when in range(1, TIMES + 1):
            with failing(gw, call, error, when):
                for _ in range(2):
                    end = try_session(gw, echo)
                    seen[end] = seen.get(end, 0) + 1
            assert try_session(gw, echo) == 'served'
        if call in ('accept4', 'socket', 'connect', 'splice', 'pipe2'):
            echoed(live, STREAM)
    print(f'{call} {error}: {seen}')
    assert gw.workers() == workers


@pytest.fixture(name='scene', scope='module')
def make_scene(tmp_path_factory):
    with scenes.Scene(open_folder(tmp_path_factory.mktemp('faults'))) as scene:
        yield scene


# What carries messages and datagrams: jobs of a login with their descriptors, and UDP.
MESSAGES = {('sendmsg', scenes.login): ['ENOBUFS', 'ENOMEM', 'ETOOMANYREFS', 'EINTR', 'EAGAIN'],
            ('recvmsg', scenes.login): ['ENOMEM', 'EINTR', 'EAGAIN'], ('socketpair', scenes.login): ['EMFILE', 'ENOMEM'],
            ('recvmmsg', scenes.associate): ['ENOMEM', 'EINTR', 'EAGAIN'],
            ('sendmmsg', scenes.associate): ['ENOBUFS', 'ENOMEM', 'EPERM', 'EINTR', 'EAGAIN']}


@pytest.mark.parametrize('call,session,error', [(call, session, error) for (call, session), errors in MESSAGES.items()
                                                for error in errors])
def test_failing_message(scene, request, call, session, error):  # pylint: disable=redefined-outer-name
    """T11: the same where messages and datagrams are sent. A datagram may be lost, a login refused; each has its record."""
    request.node.gateways = [scene.gw]
    workers, seen, hits = scene.gw.workers(), {}, 0
    for when in range(1, TIMES + 1 if sockgate.DRILL else 4):
        with failing(scene.gw, call, error, when):
            end = scenes.outcome(scene, session)
        hits += '(INJECTED)' in injected(scene.gw).read_text()
        seen[end] = seen.get(end, 0) + 1
        assert scenes.outcome(scene, session) == scenes.SERVED
    print(f'{call} {error}: {seen}')
    assert hits and scene.gw.workers() == workers


@pytest.mark.parametrize('call,error', [('mmap', 'ENOMEM'), ('recvmsg', 'ENOMEM')])
def test_a_set_that_does_not_arrive(gateway, folder, call, error):
    """A worker cannot map a new set, or not receive it at first: it gets it a second later."""
    with servers.Echo() as echo:
        (folder / 'set').write_text('192.0.2.1')
        gw = gateway(sockgate.config(core={'workers': 1}, rules=[{'deny': {'dst': [f'@{folder / "set"}']}}, *sockgate.LOOPBACK_RULES]))
        assert try_session(gw, echo) == 'served'
        with failing(gw, call, error, 1):
            (folder / 'new').write_text('127.0.0.1')
            (folder / 'new').rename(folder / 'set')
            if call == 'mmap':
                gw.wait_log('the old one stays until it can')
                assert try_session(gw, echo) == 'served'
            gw.wait(lambda: try_session(gw, echo) == 'REP 02', 'the new set')


def test_no_success_without_a_connection(gateway):
    """A socket that is being connected cannot be watched: the client is told of no success."""
    gw = gateway(sockgate.config(core={'workers': 1}, timeouts={'connect': '5s'}), turns=False)
    with servers.Silent() as silent, gw.connect() as client, gw.connect() as other:
        assert client.greet() == 0
        other.greet()
        with failing(gw, 'epoll_ctl', 'ENOSPC', 1):
            client.send(request(*silent.where))
            while not servers.readable(client.sock, 0.1):
                gw.connect().greet()  # something else that happens in this worker
            assert client.reply().rep == 1
        assert gw.wait_end(client)['reason'] == 'shortage'


def test_a_listener_is_watched_again(gateway):
    """Accepting was paused, and then there is no room to watch the socket again: it is tried once more."""
    gw = gateway(sockgate.config(core={'workers': 1}, limits={'sessions': 1}), turns=False)
    with servers.Echo() as echo:
        for when in range(1, TIMES + 1):
            with gw.connect() as first, gw.connect() as second:
                first.open(*echo.where)
                second.send(greeting())
                sockgate.wait_until(lambda: gw.log().count('not accepting') >= 1, what='a pause')
                with failing(gw, 'epoll_ctl', 'ENOSPC', when):
                    first.reset()
                    began = time.monotonic()
                    sockgate.wait_until(lambda: time.monotonic() - began > 0.2, what='a moment')
            with gw.connect() as third:  # second may be one that was hit
                third.open(*echo.where)
