# SPDX-License-Identifier: BSD-2-Clause
"""SOCKS4 and SOCKS4a: requests, replies, and that they are no way past a login."""

import pytest

import dns
import network
import servers
import sockgate
import socks
from conftest import needs_ipv6
from sockgate import test_module as module
from socks import BIND, FAILURE4, GRANTED, REJECTED, request4

BOTH = ['socks5', 'socks4']


def config(rules=None, core=None, hooks=None, modules=(), **keys):
    return sockgate.config([sockgate.listener(**dict({'protocols': BOTH}, **keys))], rules, core, modules=modules,
                           hooks=hooks, timeouts={'linger': '100ms'})


@pytest.fixture(scope='module', name='names')
def name_server():
    with dns.Server() as server:
        server['four.test', 'A'] = ['127.0.0.1']
        server['six.test', 'AAAA'] = ['::1']
        yield server


@pytest.fixture(name='socks4', scope='module')
def gateway_for_all(names):
    gw = sockgate.Gateway(config(core=dns.core(names)))
    yield gw
    gw.stop()
    gw.discard()


# ---- CONNECT

@pytest.mark.parametrize('host', ['127.0.0.1', b'four.test', b'four.test.', b'127.0.0.1', b'0x7f.1', b'::ffff:127.0.0.1'])
def test_connect(socks4, target, host):
    """S4-01, S4-02, S4-04, S4A-01, S4A-02: the reply comes when the target is connected; then octets pass, those that
    came with the request first. The record has the version, and the user id as what it is."""
    with socks4.connect() as client:
        client.send(request4(host, target.port, userid=b'joe'), b'early')
        reply = client.reply4()
        assert (reply.vn, reply.cd) == (0, GRANTED)
        with target.accept() as peer:
            assert (reply.host, reply.port) == peer.peer
            peer.expect(b'early')
            peer.send(b'answer')
            client.expect(b'answer')
            client.shutdown()
            peer.expect_end()
        client.expect_end()
    end = socks4.wait_end(client)
    assert (end['ver'], end['userid'], end['user'], end['assurance'], end['method']) == (4, 'joe', '', 0, '00')
    assert (end['command'], end['port'], end['target']) == ('connect', target.port, socks.text_of(target.where))


def test_socks5_beside_it(socks4, target):
    """The first octet chooses, for each client."""
    with socks4.connect() as client:
        client.open(*target.where)
        with target.accept() as peer:
            client.send(b'5')
            peer.expect(b'5')
    end = socks4.wait_end(client)
    assert end['ver'] == 5 and 'userid' not in end


@pytest.mark.parametrize('host', ['127.0.0.1', b'four.test'])
def test_every_split(socks4, target, host):
    """T01, S4-01: the request in two pieces, cut at each octet, and octet by octet; then all at once with payload."""
    octets = request4(host, target.port, userid=b'joe')
    for cut in range(1, len(octets)):
        with socks4.connect() as client:
            client.send(octets[:cut])
            network.wait_taken(client.sock)
            assert client.peek() is None
            client.send(octets[cut:], b'x')
            assert client.reply4().cd == GRANTED
            with target.accept() as peer:
                peer.expect(b'x')
    with socks4.connect() as client:
        client.drip(octets)
        assert client.reply4().cd == GRANTED
        target.accept().close()


# ---- refusals

WRONG = {
    'CD 0': request4('127.0.0.1', 80, cmd=0), 'CD 3, which is UDP ASSOCIATE elsewhere': request4('127.0.0.1', 80, cmd=3),
    'CD 240': request4('127.0.0.1', 80, cmd=240), 'no module for BIND': request4('127.0.0.1', 80, cmd=BIND),
    'port 0': request4('127.0.0.1', 0), 'user id too long': b'\4\1\0\x50\x7f\0\0\1' + b'u' * 65,
    'name too long': b'\4\1\0\x50\0\0\0\1\0' + b'n' * 255, 'name empty': b'\4\1\0\x50\0\0\0\1joe\0\0',
    'name of a dot': request4(b'.', 80), 'blank in a name': request4(b'a b', 80), 'no such name': request4(b'no.test', 80),
    'IPv6 alone': request4(b'six.test', 80), 'IPv6 as text': request4(b'::1', 80), 'unspecified': request4('0.0.0.0', 80),
}


@pytest.mark.parametrize('octets', WRONG.values(), ids=WRONG)
def test_rejected(socks4, octets):
    """S4-01, S4-02, S4-03, S4-08, S4A-01, S4A-03, S4A-04: 91, eight octets, then the end."""
    with socks4.connect() as client:
        client.send(octets)
        client.expect(FAILURE4)
        client.expect_end()
    assert socks4.wait_end(client)['event'] in ('session_refused', 'session_failed')


def test_reasons(socks4):
    """S4-08: what 91 does not tell is in the record."""
    for octets, reason, rep in ((request4('127.0.0.1', 80, cmd=3), 'command_unknown', '07'),
                                (request4(b'no.test', 80), 'resolve_failed', '04'),
                                (request4('0.0.0.0', 80), 'special_range', '02')):
        with socks4.connect() as client:
            client.send(octets)
            client.expect(FAILURE4)
            end = socks4.wait_end(client)
        assert (end['reason'], end['rep']) == (reason, rep)


def test_refused_by_the_target(socks4):
    """S4-03, S4-04."""
    with servers.Refusing() as refusing, socks4.connect() as client:
        client.send(request4(*refusing.where))
        client.expect(FAILURE4)
        client.expect_end()
        end = socks4.wait_end(client)
    assert (end['reason'], end['error'], end['rep']) == ('connect_failed', 'ECONNREFUSED', '05')


def test_deadlines(gateway):
    """S4-07: a target that does not answer: 91 after `connect`; a request that does not end: closed after `handshake`."""
    text = sockgate.config([sockgate.listener(protocols=BOTH)], timeouts={'connect': '300ms', 'handshake': '300ms',
                                                                                   'linger': '100ms'})
    gw = gateway(text)
    with servers.Silent() as silent, gw.connect() as client:
        client.send(request4(*silent.where))
        client.expect(FAILURE4)
        client.expect_end()
    with gw.connect() as client:
        client.send(request4('127.0.0.1', 80, userid=b'joe')[:-1])
        client.expect_end()
        assert gw.wait_end(client)['reason'] == 'handshake_timeout'


@needs_ipv6
def test_ipv6_by_switch(gateway, names):
    """S4A-04: with socks4_ipv6 a CONNECT reaches IPv6; the fields of its reply are zeros."""
    gw = gateway(config(core=dns.core(names), socks4_ipv6=True))
    for name in (b'six.test', b'::1'):
        with servers.Target('::1') as target, gw.connect() as client:
            assert client.request4(name, target.port).octets == bytes([0, GRANTED]) + bytes(6)
            with target.accept() as peer:
                client.send(b'six')
                peer.expect(b'six')


# ---- protocols of a listener

def test_off_by_default(gateway):
    """A listener that does not name socks4 closes such a client without a word, as anything else that is not SOCKS5."""
    gw = gateway(sockgate.config([sockgate.listener(), sockgate.listener('four', protocols=['socks4'])],
                                 timeouts={'linger': '100ms'}))
    for listener, octets in (('main', request4('127.0.0.1', 80)), ('four', socks.greeting())):
        with gw.connect(listener) as client:
            client.send(octets)
            client.expect_end()
            end = gw.wait_end(client)
            assert (end['event'], end['reason'], 'ver' in end) == ('session_failed', 'protocol_error', False)
    with servers.Target() as target, gw.connect('four') as client:
        assert client.request4(*target.where).cd == GRANTED


# ---- logins

def test_never_past_a_login(gateway, target):
    """S4-09, V03: where a login is required, 91 and no_method; nothing reaches the target. -t says that this is so."""
    claim = module('auth_claim', name='claim')
    gw = gateway(config(modules=[claim], hooks={'auth': ['claim']}))
    for host in ('127.0.0.1', b'localhost'):
        with gw.connect() as client:
            client.send(request4(host, target.port, userid=b'root'))
            client.expect(FAILURE4)
            client.expect_end()
            end = gw.wait_end(client)
        assert (end['event'], end['reason'], end['userid'], end['ver']) == ('session_refused', 'no_method', 'root', 4)
        assert 'user' not in end and target.untouched()
    tested = gw.cli('-t', '-c', gw.conf)
    assert tested.returncode == 0 and 'every SOCKS4 client will be refused' in tested.stderr


def test_only_whom_method_00_serves(gateway, target):
    """S4-09: METHOD 00 for some clients is for no other, whatever they speak."""
    none = {'name': 'none', 'file': 'auth_none.so', 'clients': ['127.0.0.5']}
    gw = gateway(config(modules=[module('auth_claim', name='claim'), none], hooks={'auth': ['claim', 'none']}))
    with gw.connect() as client:
        client.send(request4(*target.where))
        client.expect(FAILURE4)
        assert gw.wait_end(client)['reason'] == 'no_method'
    with gw.connect(source='127.0.0.5') as client:
        assert client.request4(*target.where).cd == GRANTED


def test_open_proxy_rule(gateway):
    """V03: a listener that is not on loopback and has METHOD 00 is refused, with socks4 as without."""
    text = sockgate.config([sockgate.listener(address='192.0.2.1', protocols=['socks4'])])
    gw = gateway(text, ready=False)
    assert gw.process.wait(sockgate.PATIENCE) == 1
    assert 'is open to strangers' in gw.log()


def test_userid_is_only_a_claim(gateway, target):
    """S4-10: no rule about users is met by a user id; it is in the record for who reads it."""
    gw = gateway(config(rules=[{'allow': {'user': 'root'}, 'label': 'root', 'special': ['loopback']}]))
    with gw.connect() as client:
        client.send(request4(*target.where, userid=b'root\xff\n'))
        client.expect(FAILURE4)
        end = gw.wait_end(client)
    assert (end['reason'], end['user']) == ('access_request', '') and end['userid'].startswith('root')
