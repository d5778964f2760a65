# SPDX-License-Identifier: BSD-2-Clause
"""What is finite: memory, descriptors, sessions, and the patience of whoever reads the log."""

import contextlib
import os
import pathlib
import re
import resource
import selectors
import signal
import socket
import time

import pytest

import network
import servers
import sockgate
import socks
from conftest import needs_root
from socks import greeting, request

KIB = 1024


def memory(gw):
    """(RSS, PSS) of all workers together."""
    rss = pss = 0
    for pid in gw.workers().values():
        rollup = pathlib.Path(f'/proc/{pid}/smaps_rollup').read_text(encoding='ascii')
        rss += int(re.search(r'^Rss: +(\d+) kB', rollup, re.M)[1]) * KIB
        pss += int(re.search(r'^Pss: +(\d+) kB', rollup, re.M)[1]) * KIB
    return rss, pss


def cpu(gw):
    return sum(sockgate.cpu_seconds(pid) for pid in gw.workers().values())


def push_until_full(senders, quiet=0.5):
    """Sends on all of them until none has taken anything for a while; octets sent."""
    sent = 0
    block = b'\x5a' * 65536
    with selectors.DefaultSelector() as selector:
        for sock in senders:
            sock.setblocking(False)
            selector.register(sock, selectors.EVENT_WRITE)
        while ready := selector.select(quiet):
            for key, _ in ready:
                with contextlib.suppress(BlockingIOError):
                    sent += key.fileobj.send(block)
    return sent


@needs_root
@pytest.mark.parametrize('direction', ['down', 'up', 'both'])
def test_stalled_sessions(gateway, direction):
    """T32, V38: 100 sessions whose readers take nothing, pushed until nothing more is taken: each costs the workers at
    most 144 KiB, and other sessions do not notice."""
    number = 100
    gw = gateway(sockgate.config())
    with servers.Target(rcvbuf=4096) as target:
        pairs = []
        for _ in range(number):
            client = gw.connect(rcvbuf=4096)
            client.open(*target.where)
            pairs.append((client, target.accept()))
        before = memory(gw)
        senders = [peer.sock for _, peer in pairs] if direction in ('down', 'both') else []
        senders += [client.sock for client, _ in pairs] if direction in ('up', 'both') else []
        sent = push_until_full(senders)
        assert sent > len(senders) * 100 * KIB
        after = memory(gw)
        grown = [(b - a) / number / KIB for a, b in zip(before, after)]
        print(f'{direction}: a stalled session costs {grown[0]:.1f} KiB of RSS, {grown[1]:.1f} KiB of PSS')
        assert max(grown) <= 144 if not sockgate.SANITIZED else max(grown) <= 1024
        with gw.connect() as client, servers.Echo() as echo:
            client.open(*echo.where)
            client.send(b'me too')
            client.expect(b'me too')
        for client, peer in pairs:
            client.reset()
            peer.reset()
            client.served = True


def test_many_sessions(gateway):
    """V25: 1,500 live sessions, so that descriptors are far beyond 1,024; each still relays."""
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 8000:
        pytest.skip('RLIMIT_NOFILE is too low')
    number = 1500
    gw = gateway(sockgate.config(core={'workers': 1}))
    with servers.Echo() as echo:
        clients = []
        for _ in range(number):
            client = gw.connect()
            client.send(greeting(), request(*echo.where))
            clients.append(client)
        for client in clients:
            client.expect(b'\x05\x00')
            assert client.reply().rep == 0
        (pid, ) = gw.workers().values()
        if sockgate.ROOT:
            assert max(int(fd) for fd in os.listdir(f'/proc/{pid}/fd')) > 2 * number
        for number, client in enumerate(clients):
            client.send(b'%d' % number)
        for number, client in enumerate(clients):
            client.expect(b'%d' % number)
        gw.stop()


def test_sessions_limit(gateway, target):
    """limits.sessions: who comes too many waits in the backlog, and is served when there is room."""
    gw = gateway(sockgate.config(core={'workers': 1}, limits={'sessions': 3}))
    clients = []
    for _ in range(3):
        client = gw.connect()
        client.open(*target.where)
        clients.append(client)
    waiting = gw.connect()
    waiting.send(greeting())
    gw.wait_log('not accepting for the moment: limits.sessions')
    assert waiting.peek() is None
    clients[0].send(b'live sessions go on')
    peer = target.accept()
    peer.expect(b'live sessions go on')
    peer.close()
    clients[0].expect_end()
    clients[0].close()
    waiting.expect(b'\x05\x00')
    waiting.close()


@pytest.mark.alone
@pytest.mark.parametrize('workers', [1, 2])
def test_descriptors_exhausted(gateway, workers):
    """T10, V32: full to the last descriptor, with more clients waiting: next to no CPU, at most one line a second from
    each worker, live sessions go on, and service is back as soon as descriptors are."""
    gw = gateway(sockgate.config(core={'workers': workers}), nofile=(64, 64))
    with servers.Echo() as echo:
        live = gw.connect()
        live.open(*echo.where)
        idle = [gw.connect() for _ in range(200)]
        gw.wait_log('not accepting for the moment: Too many open files')
        lines, used, began = len(gw.lines()), cpu(gw), time.monotonic()
        while time.monotonic() - began < 2:
            live.send(b'tick')
            live.expect(b'tick')
            assert not servers.readable(live.sock, 0.1)
        share = (cpu(gw) - used) / (time.monotonic() - began)
        written = [line for line in gw.lines()[lines:] if not line.startswith('{')]
        print(f'{workers} workers: {share:.1%} of a core while descriptors are exhausted, {len(written)} lines in 2 s')
        assert share < 0.05 * (3 if sockgate.SANITIZED else 1)
        # Two seconds touch three of the clock; each worker speaks for itself.
        assert len(written) <= 3 * workers, written
        for client in idle:
            client.close()
        began = time.monotonic()
        with gw.connect() as client:
            client.open(*echo.where)
            back = time.monotonic() - began
        print(f'{workers} workers: back {back * 1000:.0f} ms after descriptors were free')
        assert back < 10


def test_no_descriptor_for_the_target(gateway):
    """S5-R04: a client is in, but no descriptor is left to dial with: 01, and the worker lives."""
    gw = gateway(sockgate.config(core={'workers': 1}), nofile=(64, 64))
    with servers.Echo() as echo:
        clients = [gw.connect() for _ in range(60)]
        gw.wait_log('not accepting for the moment')
        for client in clients:
            client.send(greeting(), request(*echo.where))
        reps = []
        for client in clients:
            client.expect(b'\x05\x00')
            reps.append(client.reply().rep)
            client.close()
        assert reps[0] == 1 and set(reps) <= {0, 1}, reps
        with gw.connect() as client:
            client.open(*echo.where)


# ---- the log

@pytest.mark.parametrize('kind', ['pipe', 'fifo', 'socket'])
def test_stalled_log(gateway, tmp_path, kind):
    """T27: standard error is full and nobody reads it: no worker waits, and what is lost is counted."""
    reader, writer = log_ends(kind, tmp_path)
    gw = gateway(sockgate.config(core={'workers': 1}), stderr=writer, ready=False)
    os.close(writer)
    port = ready_port(reader)
    with servers.Echo() as echo:
        slowest = 0
        for _ in range(1500):
            began = time.monotonic()
            with socks.Client(('127.0.0.1', port)) as client:
                client.open(*echo.where)
                client.send(b'ping')
                client.expect(b'ping')
            slowest = max(slowest, time.monotonic() - began)
        print(f'{kind}: the slowest of 1,500 sessions took {slowest * 1000:.0f} ms')
        assert slowest < 5
        drain(reader)
        with socks.Client(('127.0.0.1', port)) as client:
            client.open(*echo.where)
        text = wait_for(reader, rb'lines before this one were lost')
        assert int(re.search(rb'(\d+) lines before', text)[1]) > 100
    gw.signal(signal.SIGTERM)
    assert gw.process.wait(sockgate.PATIENCE) == 0
    os.close(reader)


def log_ends(kind, tmp_path):
    """(reading end, writing end) of something that takes little."""
    if kind == 'pipe':
        return os.pipe()
    if kind == 'socket':
        ends = socket.socketpair()
        ends[1].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        return ends[0].detach(), ends[1].detach()
    path = tmp_path / 'fifo'
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(path, os.O_WRONLY)
    os.set_blocking(reader, True)
    return reader, writer


def read_some(fd):
    assert servers.readable(fd, socks.PATIENCE), 'nothing comes out of the log'
    return os.read(fd, 65536)


def wait_for(fd, pattern):
    """Reads until the pattern is there; all that was read."""
    text = b''
    while not re.search(pattern, text):
        text += read_some(fd)
    return text


def ready_port(fd):
    return int(re.search(rb'listening on [^ ]+:(\d+) ', wait_for(fd, rb'ready: generation 1'))[1])


def drain(fd):
    while servers.readable(fd, 0):
        os.read(fd, 65536)


# ---- two things that must not cost more than they should

@pytest.mark.alone
def test_idle_costs_nothing(gateway, target):
    """Live sessions without traffic, and incomplete handshakes, leave the workers asleep."""
    gw = gateway(sockgate.config())
    peers = []
    for _ in range(50):
        gw.connect().open(*target.where)
        peers.append(target.accept())
        gw.connect().send(b'\x05')
    used, began = cpu(gw), time.monotonic()
    sockgate.wait_until(lambda: time.monotonic() - began > 1, what='a second')
    assert (cpu(gw) - used) < 0.05 * (3 if sockgate.SANITIZED else 1)


@pytest.mark.alone
def test_dead_ends_do_not_spin(gateway, target):
    """Both sides have gone while one direction is blocked, or is shut: nothing that the kernel reports again and again
    keeps a worker awake."""
    gw = gateway(sockgate.config())
    client = gw.connect(rcvbuf=4096)
    client.open(*target.where)
    peer = target.accept()
    push_until_full([peer.sock], 0.3)
    peer.shutdown()
    half = gw.connect()
    half.open(*target.where)
    half_peer = target.accept()
    half_peer.shutdown()
    half.expect_end()
    used, began = cpu(gw), time.monotonic()
    sockgate.wait_until(lambda: time.monotonic() - began > 1, what='a second')
    assert (cpu(gw) - used) < 0.05 * (3 if sockgate.SANITIZED else 1)
    assert network.other_end(client.sock) is not None
