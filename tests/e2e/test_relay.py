# SPDX-License-Identifier: BSD-2-Clause
"""Octets between client and target: all of them, in order, and an end that means what it meant on the other side."""

import contextlib
import random
import socket
import threading

import pytest

import network
import servers
import sockgate
import socks
import x80
from socks import greeting, request


# What forces a way through the relay, and which ways octets must and must not have gone then.
PATHS = {'auto': ('copied', 'spliced'), 'copy': ('copied', ), 'splice': ('spliced', ), 'filter': ('filtered', ),
         'limited': ('copied', 'spliced')}


def path_config(path, **keys):
    if path == 'limited':
        return sockgate.config(rules=[dict(sockgate.LOOPBACK_RULES[0], rate_up='30M', rate_down='30M')], **keys)
    if path == 'filter':
        return sockgate.config(modules=[sockgate.test_module('auth_x80', name='x80')], hooks={'auth': ['x80']}, **keys)
    return sockgate.config(core={'relay_path': path}, **keys)


def check_path(gw, path, some=False):
    """Stops the gateway. The counters of its workers show that the way was really taken, and no other. `some`: of a path
    that has several ways, what went through may not have been enough for each."""
    gw.stop()
    ends = gw.workers_at_end()
    moved = {name: sum(end[i + 1] for end in ends) for i, name in enumerate(('copied', 'spliced', 'filtered'))}
    for name, octets in moved.items():
        if (octets > 0) != (name in PATHS[path]) and (octets > 0 or not some or len(PATHS[path]) == 1):
            raise gw.fail(f'relay_path {path}: {moved}')


@pytest.fixture(name='path_gateway', scope='module', params=PATHS)
def make_path_gateway(request):
    gw = sockgate.Gateway(path_config(request.param))
    if request.param == 'filter':
        gw.kind = x80.Encapsulated
    yield gw
    try:
        check_path(gw, request.param, some=True)
    finally:
        gw.discard()


@pytest.fixture(name='shared')
def make_shared(path_gateway, request):
    """Every test of the relay runs on every way."""
    request.node.gateways = [path_gateway]
    return path_gateway


def opened(gw, target, **keys):
    """(client, peer) of a session that relays."""
    client = gw.connect(**keys)
    client.open(*target.where)
    return client, target.accept()


def chunks(octets, rng):
    at = 0
    while at < len(octets):
        size = rng.choice((1, 100, 1448, 4096, 65536, 200_000))
        yield octets[at:at + size]
        at += size


def pump(client, octets, rng, end=True):
    """Sends from a thread of its own; the thread."""
    def run():
        for chunk in chunks(octets, rng):
            client.send(chunk)
        if end:
            client.shutdown()
    thread = threading.Thread(target=run)
    thread.start()
    return thread


# ---- every octet

def test_both_ways_at_once(shared, target):
    """3 MB each way in pieces of every size: nothing lost, doubled or mixed; session_end counts exactly."""
    rng = random.Random(1)
    up, down = rng.randbytes(3_000_001), rng.randbytes(2_999_999)
    client, peer = opened(shared, target)
    got = {}
    threads = [pump(client, up, random.Random(2)), pump(peer, down, random.Random(3)),
               threading.Thread(target=lambda: got.update(up=peer.rest()))]
    threads[2].start()
    got['down'] = client.rest()
    for thread in threads:
        thread.join()
    assert got['up'] == up and got['down'] == down
    peer.close()
    record = shared.wait_end(client)
    assert (record['event'], record['reason']) == ('session_end', 'closed')
    assert (record['bytes_up'], record['bytes_down']) == (len(up), len(down))


def test_single_octets(shared, target):
    """Small messages are passed on at once, both ways."""
    client, peer = opened(shared, target)
    for number in range(200):
        client.send(bytes([number]))
        peer.expect(bytes([number]))
        peer.send(bytes([number ^ 0xff]))
        client.expect(bytes([number ^ 0xff]))
    client.close()
    peer.expect_end()
    peer.close()
    record = shared.wait_end(client)
    assert (record['bytes_up'], record['bytes_down']) == (200, 200)


@pytest.mark.parametrize('way', ['down', 'up'])
def test_slow_reader(shared, way):
    """T32: what a reader does not take, the sender keeps: the gateway stops reading, and goes on where it stopped."""
    with servers.Target(rcvbuf=4096) as target:
        client, peer = opened(shared, target, rcvbuf=4096)
        sender, reader = (peer, client) if way == 'down' else (client, peer)
        sent = fill(sender)
        assert len(sent) > 100_000
        assert reader.recv_exactly(len(sent)) == sent
        sender.send(b'and more')
        reader.expect(b'and more')


def test_pipes_are_short(gateway):
    """Streams whose readers stall want more pipes than there may be: the others are copied, and nothing is lost. Pipes
    never take the descriptors that sessions need."""
    gw = gateway(sockgate.config(core={'relay_path': 'splice', 'workers': 1}), nofile=(48, 48))
    with servers.Target() as target, contextlib.ExitStack() as stack:
        stalled = []
        for _ in range(9):
            client, peer = opened(gw, target, rcvbuf=4096)
            stack.enter_context(client)
            stack.enter_context(peer)
            stalled.append((client, peer, fill(peer)))
        for client, peer, sent in stalled:
            peer.shutdown()
            assert client.rest() == sent
            client.close()
            peer.close()
            assert gw.wait_end(client)['bytes_down'] == len(sent)
    gw.stop()
    (_, copied, spliced, _), = gw.workers_at_end()
    assert copied > 0 and spliced > 0


def fill(sender):
    """Sends octets that are nowhere the same until nothing more is taken, here or behind; what was sent."""
    taken, block, quiet = [], b'', 0
    encapsulated = getattr(sender, 'codec', None)
    random_octets = random.Random(5).randbytes(4088)
    sender.sock.setblocking(False)
    while quiet < 10:
        try:
            if not block:
                plain = len(taken).to_bytes(8, 'big') + random_octets
                taken.append(plain)
                block = encapsulated.frame(plain) if encapsulated else plain
            block = block[sender.sock.send(block):]
            quiet = 0
        except BlockingIOError:
            # Full for now. Only if it stays full has everybody behind stopped too.
            quiet = 0 if servers.writable(sender.sock, 0.02) else quiet + 1
    sender.sock.settimeout(socks.PATIENCE)
    sent = b''.join(taken)
    if not encapsulated:
        return sent[:len(sent) - len(block)]
    threading.Thread(target=sender.sock.sendall, args=(block,)).start()  # a frame is all or nothing
    return sent


# ---- the end

def test_half_close_client_first(shared, target):
    """V34: the client has said all; the target still answers, as long as it likes."""
    client, peer = opened(shared, target)
    client.send(b'question')
    client.shutdown()
    assert peer.rest() == b'question'
    for _ in range(50):
        peer.send(b'answer' * 1000)
    peer.close()
    assert client.rest() == b'answer' * 50_000
    assert shared.wait_end(client)['reason'] == 'closed'


def test_half_close_target_first(shared, target):
    """V34: the target has said all; the client still sends."""
    client, peer = opened(shared, target)
    peer.send(b'hello and goodbye')
    peer.shutdown()
    assert client.rest() == b'hello and goodbye'
    for _ in range(50):
        client.send(b'data' * 1000)
    client.close()
    assert peer.rest() == b'data' * 50_000
    peer.close()
    assert shared.wait_end(client)['reason'] == 'closed'


def test_half_close_both(shared, target):
    """V34: both at once, with octets on their way in both directions."""
    client, peer = opened(shared, target)
    for side in (client, peer):
        side.send(b'x' * 100_000)
    for side in (client, peer):
        side.shutdown()
    assert client.rest() == peer.rest() == b'x' * 100_000
    record = shared.wait_end(client)
    assert (record['bytes_up'], record['bytes_down']) == (100_000, 100_000)


def test_end_without_octets(shared, target):
    """Not a single octet is sent; the end is passed on all the same."""
    client, peer = opened(shared, target)
    client.shutdown()
    peer.expect_end()
    peer.close()
    client.expect_end()
    record = shared.wait_end(client)
    assert (record['bytes_up'], record['bytes_down'], record['reason']) == (0, 0, 'closed')


def test_end_behind_a_full_buffer(shared, target):
    """V34: the sender has ended while the reader takes nothing; the end comes behind the last octet."""
    client, peer = opened(shared, target, rcvbuf=4096)
    sent = fill(peer)
    peer.close()
    assert client.rest() == sent


def test_reset_by_target(shared, target):
    """V36: RST is RST, not the end of a file."""
    client, peer = opened(shared, target)
    peer.reset()
    client.expect_reset()
    record = shared.wait_end(client)
    assert (record['event'], record['reason']) == ('session_end', 'target_reset')


def test_reset_by_client(shared, target):
    """V36: the other way round."""
    client, peer = opened(shared, target)
    client.reset()
    peer.expect_reset()
    assert shared.wait_end(client)['reason'] == 'client_reset'


@pytest.mark.parametrize('who', ['target', 'client'])
def test_truncated(shared, target, who):
    """V36: a transfer that is cut short does not look complete: the reader sees RST, and no end before it."""
    client, peer = opened(shared, target)
    sender, reader = (peer, client) if who == 'target' else (client, peer)
    sender.send(b'x' * 50_000)
    reader.expect(b'x' * 50_000)
    sender.send(b'y' * 1000)
    network.wait_taken(sender.sock)
    sender.reset()
    with pytest.raises(ConnectionResetError):
        reader.rest()
    client.served = True
    assert shared.wait_end(client)['reason'] == f'{who}_reset'


def test_reset_after_half_close(shared, target):
    """V36: the client has ended its side; a reset of the target still arrives as one."""
    client, peer = opened(shared, target)
    client.shutdown()
    peer.expect_end()
    peer.reset()
    client.expect_reset()
    assert shared.wait_end(client)['reason'] == 'target_reset'


@pytest.mark.parametrize('path', ['auto', 'splice'])
@pytest.mark.parametrize('end', [False, True])
def test_urgent(gateway, path, end):
    """An urgent octet within a stream: what is behind it arrives, and no worker spins in front of it. (SOCKS says nothing
    about urgent data; the octet itself is dropped, as by every reader that does not ask for it.)"""
    gw = gateway(path_config(path))
    with servers.Target(rcvbuf=4096) as target:
        client, peer = opened(gw, target)
        sent = fill(client)

        def urgent():
            client.sock.send(b'!', socket.MSG_OOB)
            client.send(b'behind it')
            if end:
                client.shutdown()
        thread = threading.Thread(target=urgent)
        thread.start()
        assert peer.recv_exactly(len(sent)) == sent
        thread.join()
        peer.expect(b'behind it')
        if not end:
            client.shutdown()
        peer.expect_end()
        peer.close()
        client.expect_end()
        assert gw.wait_end(client)['bytes_up'] == len(sent) + len(b'behind it')


# ---- T31: one side goes away at any point

POINTS = ['before the greeting', 'in the greeting', 'behind the greeting', 'METHOD unread', 'in the request',
          'in the address', 'behind the request', 'while dialling', 'reply unread', 'behind the reply', 'early payload',
          'payload up', 'payload down', 'payload both ways', 'down stalled', 'up stalled', 'half-closed',
          'half-closed by the target', 'failure reply', '05 FF']


def reach(gw, point, target, stack):
    """A client that is at that point of its session, and the target's end, if there is one."""
    other = servers.Target()  # for those that leave too early to know whether they are dialled
    client = gw.connect(rcvbuf=4096)
    stack += [other, client]
    hello, ask = greeting(), request(*other.where)
    before = {'before the greeting': b'', 'in the greeting': hello[:2], 'behind the greeting': hello,
              'METHOD unread': hello, 'in the request': hello + ask[:2], 'in the address': hello + ask[:6],
              'behind the request': hello + ask, 'early payload': hello + ask + b'x' * 3000,
              '05 FF': greeting(b'\x7f')}
    if point in before:
        client.send(before[point])
        return client, None
    if point == 'failure reply':
        client.send(hello, request(target.host, 0))
        return client, None
    if point == 'while dialling':
        silent = servers.Silent()
        stack.append(silent)
        client.send(hello, request(*silent.where))
        network.wait_taken(client.sock)
        return client, None
    client.send(hello, request(*target.where))
    peer = target.accept()
    stack.append(peer)
    if point == 'reply unread':
        return client, peer
    client.recv_exactly(12)
    if point in ('payload up', 'payload both ways'):
        client.send(b'u' * 1000)
    if point in ('payload down', 'payload both ways'):
        peer.send(b'd' * 1000)
    if point == 'down stalled':
        fill(peer)
    if point == 'up stalled':
        fill(client)
    if point == 'half-closed':
        client.shutdown()
        peer.expect_end()
    if point == 'half-closed by the target':
        peer.shutdown()
        client.expect_end()
    return client, peer


@pytest.mark.parametrize('how', ['close', 'reset'])
def test_client_goes_away(gateway, as_user, how):
    """T31, V37: close or RST at each of 20 points; no worker minds, and each session has its end."""
    gw = gateway(sockgate.config(timeouts={'half_closed': '1s', 'connect': '1s'}), as_user=as_user)
    workers = gw.wait(gw.workers, 'workers')
    with servers.Target(rcvbuf=4096) as target:
        for point in POINTS:
            stack = []
            client, _ = reach(gw, point, target, stack)
            getattr(client, how)()
            for thing in stack:
                thing.close()
            client.served = True
            assert gw.wait_end(client)['event'].startswith('session_'), point
    assert gw.workers() == workers


@pytest.mark.parametrize('how', ['close', 'reset'])
def test_target_goes_away(gateway, as_user, how):
    """T31, V37: the same at the target's end, and then the client's."""
    gw = gateway(sockgate.config(timeouts={'half_closed': '1s'}), as_user=as_user)
    workers = gw.wait(gw.workers, 'workers')
    with servers.Target(rcvbuf=4096) as target:
        for point in POINTS:
            stack = []
            client, peer = reach(gw, point, target, stack)
            if peer:
                getattr(peer, how)()
            for thing in reversed(stack):
                thing.close()
            client.served = True
            assert gw.wait_end(client)['event'].startswith('session_'), point
    assert gw.workers() == workers


def test_target_gone_before_accept(shared):
    """The target's kernel has accepted, its program closes without ever reading: RST or end, never a hang."""
    with servers.Target() as target:
        client = shared.connect()
        client.open(*target.where)
        client.send(b'x' * 1000)
        peer = target.accept()
        assert servers.readable(peer.sock, 10)  # there before the close, so that the close is a reset
        peer.sock.shutdown(socket.SHUT_RD)
        peer.close()
        with pytest.raises(ConnectionResetError):
            client.rest()
        client.served = True
        assert shared.wait_end(client)['reason'] == 'target_reset'
