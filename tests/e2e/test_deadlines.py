# SPDX-License-Identifier: BSD-2-Clause
"""Every wait has an end. Each test has its own short time-out and looks how long it really took."""

import contextlib
import time

import pytest

import network
import servers
import sockgate
from conftest import needs_root
from socks import failure, greeting, request


@contextlib.contextmanager
def lasting(least, most):
    """The block takes that many seconds. The upper bound leaves room for a busy machine."""
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    assert least <= took <= most, f'took {took:.2f} s, expected {least} to {most} s'


def expect_closed(client):
    """The connection ends, orderly or not."""
    with contextlib.suppress(ConnectionResetError):
        client.rest()
    client.served = True


SILENT_AT = {'nothing': b'', 'in the greeting': b'\x05', 'behind the greeting': greeting(),
             'in the request': greeting() + b'\x05\x01\x00\x01\x7f'}


@pytest.mark.parametrize('point', SILENT_AT)
def test_silent_client(gateway, point):
    """S5-M10, V33: closed at the handshake deadline, wherever it stopped."""
    gw = gateway(sockgate.config(timeouts={'handshake': '700ms'}))
    with gw.connect() as client, lasting(0.6, 6):
        client.send(SILENT_AT[point])
        expect_closed(client)
        record = gw.wait_end(client)
        assert (record['event'], record['reason']) == ('session_failed', 'handshake_timeout')


def test_dripping_client(gateway):
    """S5-M10, V33: an octet now and then does not extend the deadline."""
    gw = gateway(sockgate.config(timeouts={'handshake': '1s'}))
    whole = greeting(bytes(range(1, 255))) + b'\x05'
    with gw.connect() as client, lasting(0.9, 8):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for octet in whole * 10:
                client.send(bytes([octet]))
                if servers.readable(client.sock, 0.05):
                    break
        expect_closed(client)
        assert gw.wait_end(client)['reason'] == 'handshake_timeout'


def test_waiting_for_target_is_not_the_clients_time(gateway):
    """S5-M10: the target takes longer than `handshake`, and the client is served all the same."""
    gw = gateway(sockgate.config(timeouts={'handshake': '300ms', 'connect': '20s'}))
    with servers.Silent() as silent, gw.connect() as client, lasting(0.9, 20):
        client.send(greeting(), request(*silent.where))
        client.expect(b'\x05\x00')
        assert not servers.readable(client.sock, 0.9)  # three times the deadline
        silent.wake()
        assert client.reply().rep == 0


def test_setup_max(gateway):
    """The time from accept to the first reply has a bound of its own; who has asked is told (S5-R05, S5-R06)."""
    gw = gateway(sockgate.config(timeouts={'setup_max': '700ms', 'connect': '1m'}))
    with servers.Silent() as silent, gw.connect() as client, lasting(0.6, 6):
        client.send(greeting(), request(*silent.where))
        client.expect(b'\x05\x00' + failure(1))
        client.expect_end()
        client.close()
        record = gw.wait_end(client)
        assert (record['event'], record['reason']) == ('session_failed', 'setup_timeout')


def test_setup_max_before_the_request(gateway):
    """A client that has not asked yet is closed without a word."""
    gw = gateway(sockgate.config(timeouts={'setup_max': '600ms'}))
    with gw.connect() as client, lasting(0.5, 6):
        client.send(greeting())
        client.expect(b'\x05\x00')
        client.expect_end()
        assert gw.wait_end(client)['reason'] == 'setup_timeout'


def test_setup_max_ends_with_the_reply(gateway, target):
    """Once served, a session is not bound by it."""
    gw = gateway(sockgate.config(timeouts={'setup_max': '300ms'}))
    with gw.connect() as client:
        client.open(*target.where)
        peer = target.accept()
        assert not servers.readable(client.sock, 0.9)
        client.send(b'still here')
        peer.expect(b'still here')


def test_idle(gateway, target):
    """No octet either way: both sides are reset, so that nothing looks complete."""
    gw = gateway(sockgate.config(timeouts={'idle': '600ms'}))
    with gw.connect() as client:
        client.open(*target.where)
        peer = target.accept()
        with lasting(0.5, 6):
            client.expect_reset()
        peer.expect_reset()
        assert gw.wait_end(client)['reason'] == 'idle_timeout'


@pytest.mark.parametrize('busy', ['client', 'target'])
def test_not_idle(gateway, target, busy):
    """Octets in one direction are enough to keep it."""
    gw = gateway(sockgate.config(timeouts={'idle': '1s'}))
    with gw.connect() as client:
        client.open(*target.where)
        peer = target.accept()
        sender, reader = (client, peer) if busy == 'client' else (peer, client)
        end = time.monotonic() + 2.5
        while time.monotonic() < end:
            sender.send(b'x')
            reader.expect(b'x')
            assert not servers.readable(sender.sock, 0.1)


@pytest.mark.parametrize('first', ['client', 'target'])
def test_half_closed(gateway, target, first):
    """V35: one side has ended and the other says nothing: closed, sooner than an idle session."""
    gw = gateway(sockgate.config(timeouts={'half_closed': '600ms', 'idle': '1m'}))
    with gw.connect() as client:
        client.open(*target.where)
        peer = target.accept()
        ended, other = (client, peer) if first == 'client' else (peer, client)
        with lasting(0.5, 6):
            ended.shutdown()
            other.expect_end()
            assert gw.wait_end(client)['reason'] == 'half_closed_timeout'
        with pytest.raises(ConnectionResetError):
            ended.recv()


def test_half_closed_but_busy(gateway, target):
    """V35: a long answer after the question's end is not cut."""
    gw = gateway(sockgate.config(timeouts={'half_closed': '1s'}))
    with gw.connect() as client:
        client.open(*target.where)
        peer = target.accept()
        client.shutdown()
        end = time.monotonic() + 2.5
        while time.monotonic() < end:
            peer.send(b'x')
            client.expect(b'x')
            assert not servers.readable(peer.sock, 0.1) or peer.recv() == b''
        peer.close()
        client.expect_end()
        assert gw.wait_end(client)['reason'] == 'closed'


@pytest.mark.parametrize('asked', ['05 FF', 'failure'])
def test_linger(gateway, asked):
    """S5-M04, S5-R05: a client that does not close is closed after `linger`."""
    gw = gateway(sockgate.config(timeouts={'linger': '600ms'}))
    with gw.connect() as client, lasting(0.5, 6):
        client.send(greeting(b'\x7f') if asked == '05 FF' else greeting() + request('127.0.0.1', 0))
        client.expect(b'\x05\xff' if asked == '05 FF' else b'\x05\x00' + failure(1))
        client.expect_end()
        sockgate.wait_until(lambda: network.closed(client.sock), what='the close')


def test_linger_is_over_when_the_client_closes(gateway):
    """The gateway does not wait longer than the client needs."""
    gw = gateway(sockgate.config(timeouts={'linger': '9s'}))
    with lasting(0, 5):
        client = gw.connect()
        client.send(greeting(b'\x7f'))
        client.expect(b'\x05\xff')
        client.expect_end()
        client.close()
        gw.wait_end(client)


def test_max_session(gateway, target):
    """However busy it is, a session ends."""
    gw = gateway(sockgate.config(timeouts={'max_session': '1s'}))
    with gw.connect() as client, lasting(0.9, 8):
        client.open(*target.where)
        peer = target.accept()
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            while True:
                client.send(b'x')
                if servers.readable(client.sock, 0.05):
                    client.expect_end()
                    break
        assert gw.wait_end(client)['reason'] == 'max_session'
        with pytest.raises(ConnectionResetError):
            peer.rest()


@needs_root
def test_vanished_target(gateway):
    """T36: the wire to the target is cut while octets are under way: TCP_USER_TIMEOUT ends the session."""
    with network.Namespace() as here, network.Namespace() as there:
        here.link(there)
        gw = gateway(sockgate.config(timeouts={'user_timeout': '1s'}), netns=here)
        with there.entered():
            target = servers.Target('10.98.0.2')
        with target, gw.connect() as client:
            client.open(*target.where)
            peer = target.accept()
            there.ip('link set wire0 down')
            client.send(b'x' * 1000)
            with lasting(0.5, 20):
                client.expect_reset()
            assert gw.wait_end(client)['reason'] == 'target_unreachable'
            peer.close()
        gw.stop()
