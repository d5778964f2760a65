# SPDX-License-Identifier: BSD-2-Clause
"""Limits on rates: rate_up and rate_down of a rule. That every octet arrives under a limit is in the tests of the relay,
which run under one, too."""

import random
import time

import pytest

import servers
import sockgate
import udp
import x80
from test_relay import PATHS, path_config, pump
from udp import associate

RATE = 1 << 20
AMOUNT = 500_000


def limited(up=None, down=None):
    """The rules of a test, with limits."""
    limits = {'rate_up': up, 'rate_down': down}
    return [dict(sockgate.LOOPBACK_RULES[0], **{name: value for name, value in limits.items() if value})]


def seconds(sender, reader):
    """How long it takes."""
    octets = bytes(AMOUNT)
    began = time.monotonic()
    thread = pump(sender, octets, random.Random(1), end=False)
    assert reader.recv_exactly(AMOUNT) == octets
    thread.join()
    return time.monotonic() - began


@pytest.mark.parametrize('way', ['up', 'down'])
@pytest.mark.parametrize('path', [path for path in PATHS if path != 'limited'])
def test_the_rate_holds(gateway, target, path, way):
    """No faster than the limit, but for the tenth of a second that may come at once; the other way has none."""
    gw = gateway(path_config(path, rules=limited(**{way: '1M'})))
    if path == 'filter':
        gw.kind = x80.Encapsulated
    with gw.connect() as client:
        client.open(*target.where)
        peer = target.accept()
        one, other = (client, peer) if way == 'up' else (peer, client)
        took = seconds(one, other)
        assert (AMOUNT - RATE / 10) / RATE <= took < 10 * AMOUNT / RATE
        assert seconds(other, one) < took
        peer.close()
        client.expect_end()
        client.close()
        end = gw.wait_end(client)
    assert (end['bytes_up'], end['bytes_down']) == (AMOUNT, AMOUNT)


def test_the_other_way_does_not_matter(gateway, target):
    """Messages that come down all the time do not keep back what waits for its limit to go up."""
    gw = gateway(sockgate.config(rules=limited(up='1M'), core={'workers': 1}))
    with gw.connect() as client:
        client.open(*target.where)
        peer = target.accept()
        began = time.monotonic()
        thread = pump(client, bytes(AMOUNT), random.Random(1))
        got = 0
        while got < AMOUNT:
            peer.send(b'x')
            client.expect(b'x')
            while servers.readable(peer.sock, 0):
                got += len(peer.recv())
        assert time.monotonic() - began < 4 * AMOUNT / RATE
        thread.join()
        peer.close()


def test_each_session_has_its_own(gateway, target):
    gw = gateway(sockgate.config(rules=limited(down='1M'), core={'workers': 1}))
    clients = [gw.connect() for _ in range(8)]
    began = time.monotonic()
    for client in clients:
        client.open(*target.where)
    threads = [pump(target.accept(), bytes(AMOUNT), random.Random(1)) for _ in clients]
    for client in clients:
        assert len(client.rest()) == AMOUNT
    for thread in threads:
        thread.join()
    assert time.monotonic() - began < 4 * AMOUNT / RATE  # one limit for all would take twice as long
    for client in clients:
        client.close()


def test_datagrams(gateway):
    """What is over the limit is dropped and counted, either way; later there is room again."""
    gw = gateway(udp.config(rules=limited('10K', '10K')))
    with udp.Place() as place, associate(gw) as one:
        where = one.trip(place, b'')
        for send, arrives in ((lambda octets: one.send(octets, place.where), lambda: place.recv()[0]),
                              (lambda octets: place.send(octets, where), lambda: one.recv()[0])):
            with sockgate.stopped(*gw.workers().values()):
                for number in range(20):
                    send(bytes([number]) * 1000)
                send(b'')  # has no weight, but comes when there is no room either
            assert [arrives() for _ in range(3)] == [bytes([number]) * 1000 for number in range(3)]
        # However long this takes: by and by there is room.
        sockgate.wait_until(lambda: one.send(b'again', place.where) or servers.readable(place.sock, 0.05),
                            what='room')
        one.client.close()
        end = gw.wait_end(one.client)
    passed = (end['bytes_up'] + end['bytes_down']) // 1000
    assert 6 <= passed < 20 and end['udp_drops']['rate'] >= 40 - passed
