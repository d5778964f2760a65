# SPDX-License-Identifier: BSD-2-Clause
"""Small messages leave at once: Nagle's algorithm, which holds a segment back while another one is not acknowledged, and
a receiver that takes 40 ms to acknowledge, never meet. Which way octets take must make no difference."""

import random
import socket
import statistics
import time

import pytest

import servers
import x80
from test_relay import PATHS, check_path, opened, path_config, pump

SESSIONS = 9
TRIPS = 100
# A kernel that delays acknowledgements waits at least 40 ms. What is not delayed takes a fraction of one.
DELAYED = 0.03


@pytest.fixture(name='messages', params=PATHS)
def make_messages(request, gateway):
    """(gateway, way)"""
    gw = gateway(path_config(request.param))
    if request.param == 'filter':
        gw.kind = x80.Encapsulated
    return gw, request.param


def in_a_row(sender, receiver, messages=4):
    """How long each of some messages is under way; the receiver says nothing, and is in no hurry to acknowledge."""
    times = []
    for number in range(messages):
        octets = b'message %d' % number
        receiver.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
        began = time.monotonic()
        sender.send(octets)
        receiver.expect(octets)
        times.append(time.monotonic() - began)
    return times


def check_none_delayed(rows, what):
    """By place in the row: what is held back is held back in each session."""
    for place, times in enumerate(zip(*rows), 1):
        median = statistics.median(times)
        print(f'{what}: message {place}: {median * 1e6:.0f} us, at most {max(times) * 1e6:.0f} us')
        assert median < DELAYED, f'{what}: message {place} takes {median * 1e3:.1f} ms'


@pytest.mark.alone
def test_what_these_tests_look_for(target):
    """Without a gateway: a sender without TCP_NODELAY has its second message held back, and this is how it is seen."""
    rows = []
    for _ in range(SESSIONS):
        with socket.create_connection(target.where) as sock, target.accept() as receiver:
            sender = servers.Peer(sock, target.where)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
            rows.append(in_a_row(sender, receiver))
    if statistics.median(row[1] for row in rows) < DELAYED:
        pytest.skip('this kernel acknowledges at once')


@pytest.mark.alone
@pytest.mark.parametrize('way', ['up', 'down'])
def test_first_messages(messages, target, way):
    """One way, from the first message on, without an answer between."""
    gw, path = messages
    rows = []
    for _ in range(SESSIONS):
        client, peer = opened(gw, target)
        with client, peer:
            rows.append(in_a_row(*((client, peer) if way == 'up' else (peer, client))))
    check_none_delayed(rows, f'{path} {way}')
    # Too few octets to be a stream: what is left to the gateway was copied.
    if len(PATHS[path]) == 1:
        check_path(gw, path)


@pytest.mark.alone
@pytest.mark.parametrize('way', ['up', 'down'])
def test_messages_behind_a_stream(messages, target, way):
    """The same when a stream went before them, whose last segment is full or not."""
    gw, path = messages
    rows = []
    for number in range(SESSIONS):
        client, peer = opened(gw, target)
        sender, receiver = (client, peer) if way == 'up' else (peer, client)
        with client, peer:
            octets = bytes(3_000_000 + number)
            sending = pump(sender, octets, random.Random(number), end=False)
            receiver.expect(octets)
            sending.join()
            rows.append(in_a_row(sender, receiver))
    check_none_delayed(rows, f'{path} {way}, behind a stream')
    check_path(gw, path)


@pytest.mark.alone
def test_target_that_answers_two_messages(messages, target):
    """Write, write, read, both ways: the second message must not wait for what is acknowledged with the answer only."""
    gw, path = messages
    firsts, trips = [], []
    for _ in range(SESSIONS):
        client, peer = opened(gw, target)
        with client, peer:
            own = [sum(in_a_row(client, peer, 2) + in_a_row(peer, client, 2)) for _ in range(TRIPS)]
        firsts.append(own[0])
        trips += own
    trips.sort()
    p50, p99 = (trips[len(trips) * share // 100] for share in (50, 99))
    print(f'{path}: p50 {p50 * 1e6:.0f} us, p99 {p99 * 1e6:.0f} us, at most {trips[-1] * 1e6:.0f} us')
    assert statistics.median(firsts) < DELAYED and p99 < DELAYED
