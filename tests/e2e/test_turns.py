# SPDX-License-Identifier: BSD-2-Clause
"""Thousands of clients that want something at the same moment: each gets it, and no turn of the worker's loop takes long."""

import contextlib
import os
import resource
import signal

import pytest

import servers
import sockgate
from socks import greeting, request

NUMBER = 3000


@contextlib.contextmanager
def at_once(gw):
    """What happens inside is all there when the worker looks."""
    (worker, ) = gw.workers().values()
    os.kill(worker, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(worker, signal.SIGCONT)


@pytest.fixture(name='crowd')
def make_crowd(gateway):
    """A gateway with one worker, whose longest turn is shown; 3,000 clients fit in."""
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 3 * NUMBER:
        pytest.skip('RLIMIT_NOFILE is too low')
    gw = gateway(sockgate.config(core={'workers': 1}, limits={'sessions': NUMBER}))
    yield gw
    gw.stop()
    print(f'longest turn: {gw.workers_at_end()[0][0]} us, the aim is {sockgate.TURN_AIM_US}')


def opened(gw, target):
    pairs = []
    for _ in range(NUMBER):
        client = gw.connect()
        client.open(*target.where)
        pairs.append((client, target.accept()))
    return pairs


def check_ends(gw, reason):
    ends = gw.wait_records(NUMBER, event='session_end')
    assert len({end['id'] for end in ends}) == len(ends) == NUMBER
    assert {end['reason'] for end in ends} == {reason}


@pytest.mark.alone
@pytest.mark.parametrize('first', ['client', 'target'])
def test_all_end_together(crowd, target, first):
    """3,000 orderly ends from one side, then from the other: each is passed on, each session has its records."""
    pairs = opened(crowd, target)
    pairs = pairs if first == 'client' else [(peer, client) for client, peer in pairs]
    with at_once(crowd):
        for one, _ in pairs:
            one.shutdown()
    for _, other in pairs:
        other.expect_end()
    with at_once(crowd):
        for _, other in pairs:
            other.shutdown()
    for one, _ in pairs:
        one.expect_end()
    check_ends(crowd, 'closed')


@pytest.mark.alone
def test_all_are_reset_together(crowd, target):
    """3,000 clients vanish: each target gets its reset."""
    pairs = opened(crowd, target)
    with at_once(crowd):
        for client, _ in pairs:
            client.reset()
    for _, peer in pairs:
        peer.expect_reset()
    check_ends(crowd, 'client_reset')


@pytest.mark.alone
def test_all_talk_together(crowd, target):
    """3,000 messages: nobody is forgotten, and whose octets are whose stays right."""
    pairs = opened(crowd, target)
    for speakers in (pairs, [(peer, client) for client, peer in pairs]):
        with at_once(crowd):
            for number, (speaker, _) in enumerate(speakers):
                speaker.send(b'I am %d' % number)
        for number, (_, listener) in enumerate(speakers):
            listener.expect(b'I am %d' % number)
    for client, peer in pairs:
        client.close()
        peer.close()
    crowd.wait_records(NUMBER, event='session_end')


@pytest.mark.alone
def test_all_come_together(crowd):
    """3,000 clients that are connected send their request in one moment."""
    clients = [crowd.connect() for _ in range(NUMBER)]
    with servers.Target() as target:
        for client in clients:
            assert client.greet() == 0
        with at_once(crowd):
            for client in clients:
                client.send(request(*target.where))
        for client in clients:
            assert client.reply().rep == 0
            target.accept().close()
        for client in clients:
            client.expect_end()
            client.close()
    check_ends(crowd, 'closed')


@pytest.mark.alone
def test_all_greet_together(crowd):
    """The same with their greeting; nobody asks for anything."""
    clients = [crowd.connect() for _ in range(NUMBER)]
    with at_once(crowd):
        for client in clients:
            client.send(greeting())
    for client in clients:
        client.expect(b'\x05\x00')
        client.close()
    ends = crowd.wait_records(NUMBER, event='session_failed')
    assert {end['reason'] for end in ends} == {'client_gone'}
