# SPDX-License-Identifier: BSD-2-Clause
"""CONNECT: what the client is told about the target, and when."""

import contextlib
import hashlib
import shutil
import subprocess
import time

import pytest

import network
import servers
import sockgate
import socks
from conftest import needs_ipv6, needs_root
from socks import failure, greeting, request

FAMILIES = [('main', '127.0.0.1'), pytest.param('main6', '::1', marks=needs_ipv6)]
OPEN_RULES = [{'allow': {}, 'special': ['loopback', 'self']}]


# ---- success

@pytest.mark.parametrize('listener, host', FAMILIES)
def test_bnd(shared, listener, host):
    """S5-R02: BND is what the target sees as its peer; S5-R03: ATYP fits; the record says the same."""
    with servers.Target(host) as target, shared.connect(listener) as client:
        reply = client.open(*target.where)
        peer = target.accept()
        assert (reply.host, reply.port) == peer.peer
        assert reply.atyp == (socks.IPV6 if ':' in host else socks.IPV4)
        record = shared.wait_record(event='session_start', client=client.name)
        assert record['bind'] == socks.text_of(peer.peer)
        assert record['target'] == socks.text_of(target.where)
        assert record['rep'] == '00'


@needs_ipv6
def test_other_family(shared):
    """S5-R03: client and target need not be of one family."""
    with servers.Target('::1') as target, shared.connect('main') as client:
        assert client.open(*target.where).atyp == socks.IPV6
    with servers.Target() as target, shared.connect('main6') as client:
        assert client.open(*target.where).atyp == socks.IPV4


def test_mapped_target(shared, target):
    """S5-R03: an IPv4-mapped target is answered as the IPv4 address that it is."""
    with shared.connect() as client:
        reply = client.open('::ffff:127.0.0.1', target.port)
        assert (reply.atyp, (reply.host, reply.port)) == (socks.IPV4, target.accept().peer)


def test_advertise(gateway, target):
    """S5-R02: a listener may state another BND.ADDR; the port stays true. One of another family would lead nowhere."""
    gw = gateway(sockgate.config(listeners=[sockgate.listener(advertise='192.0.2.77'),
                                            sockgate.listener('other', advertise='2001:db8::7')]))
    for listener, told, atyp in (('main', '192.0.2.77', socks.IPV4), ('other', '127.0.0.1', socks.IPV4)):
        with gw.connect(listener) as client:
            reply = client.open(*target.where)
            assert (reply.atyp, reply.host, reply.port) == (atyp, told, target.accept().peer[1])


def test_outgoing(gateway, target):
    """S5-R02, S5-R04: a listener's own source address; a target of a family that it does not have is 03."""
    gw = gateway(sockgate.config(listeners=[sockgate.listener(outgoing=['127.0.0.5'])]))
    with gw.connect() as client:
        reply = client.open(*target.where)
        assert (reply.host, reply.port) == target.accept().peer
        assert reply.host == '127.0.0.5'
    with gw.connect() as client:
        client.greet()
        client.send(request('::1', 9))
        client.expect(failure(3))
        client.expect_end()


def test_success_only_when_connected(shared):
    """S5-R01: nothing is said while the target does not answer; then it answers."""
    with servers.Silent() as silent, shared.connect() as client:
        before = network.dialling(silent.where)
        client.send(greeting(), request(*silent.where))
        client.expect(b'\x05\x00')
        sockgate.wait_until(lambda: network.dialling(silent.where) > before, what='the SYN')
        assert client.peek() is None
        silent.wake()
        assert client.reply().rep == 0


# ---- failure

def refused(client, where, rep):
    """The full-length reply with this REP and the end."""
    assert client.greet() == 0
    client.send(request(*where))
    client.expect(failure(rep))
    client.expect_end()


@pytest.mark.parametrize('listener, host', FAMILIES)
def test_refused(shared, listener, host):
    """S5-R04: 05; S5-R06: full length, zeros."""
    with servers.Refusing(host) as refusing, shared.connect(listener) as client:
        refused(client, refusing.where, 5)
        client.close()
        record = shared.wait_end(client)
        assert (record['event'], record['reason']) == ('session_failed', 'connect_failed')
        assert record['error'] == 'ECONNREFUSED'
        assert record['tried'] == [socks.text_of(refusing.where)]


def test_connect_timeout(gateway):
    """S5-R04: 04 when the target does not answer in time; S5-M10: that time is not the client's."""
    gw = gateway(sockgate.config(timeouts={'connect': '600ms', 'handshake': '200ms'}))
    with servers.Silent() as silent, gw.connect() as client:
        began = time.monotonic()
        refused(client, silent.where, 4)
        assert 0.5 < time.monotonic() - began < 6
        client.close()
        assert gw.wait_end(client)['reason'] == 'connect_failed'


def test_policy(gateway, target):
    """S5-R04, S5-Q02: 02 when a rule refuses; nothing is tried; the record names the rule and where it stands."""
    gw = gateway(sockgate.config(rules=[{'deny': {'dst': ['127.0.0.0/8']}, 'label': 'inner'},
                                        {'allow': {}, 'special': ['loopback']}]))
    with gw.connect() as client:
        refused(client, target.where, 2)
        client.close()
        record = gw.wait_end(client)
        assert (record['event'], record['reason'], record['rule']) == ('session_refused', 'access_request', 'inner')
        line = int(record['rule_at'].removeprefix(f'{gw.conf}:'))
        assert 'inner' in gw.conf.read_text().splitlines()[line - 1]
        assert 'tried' not in record
    assert target.untouched()


@needs_root
def test_unreachable(gateway):
    """S5-R04: no route 03, host unreachable 04; what the system itself forbids is a refusal, 02."""
    with network.Namespace() as ns:
        ns.ip('route add unreachable 198.51.100.0/24')
        ns.ip('route add prohibit 203.0.113.0/24')
        ns.ip('route add unreachable 2001:db8::/32')
        gw = gateway(sockgate.config(rules=OPEN_RULES), netns=ns)
        for host, rep in (('192.0.2.1', 3), ('198.51.100.1', 4), ('203.0.113.1', 2), ('2001:db8::1', 4),
                          ('2001:4860::1', 3)):
            with gw.connect() as client:
                refused(client, (host, 80), rep)
        gw.stop()


@needs_root
def test_black_hole(gateway):
    """S5-R04: packets that leave and are never answered: 04 at the deadline."""
    with network.Namespace() as ns:
        ns.black_hole('10.99.0.9')
        gw = gateway(sockgate.config(rules=OPEN_RULES, timeouts={'connect': '500ms'}), netns=ns)
        with gw.connect() as client:
            refused(client, ('10.99.0.9', 80), 4)
        gw.stop()


@needs_root
def test_ttl_expired(gateway):
    """S5-R04: a router says that the time to live is over: 06, or 04 where that cannot be told from unreachable."""
    with network.Namespace() as here, network.Namespace() as router:
        here.link(router)
        router.black_hole('10.99.0.9')
        router.ip('route add 203.0.113.0/24 via 10.99.0.9')
        here.ip('route add 203.0.113.0/24 via 10.98.0.2 hoplimit 1')
        with router.entered():
            subprocess.run(['sysctl', '-q', '-w', 'net.ipv4.ip_forward=1'], check=True)
        gw = gateway(sockgate.config(rules=OPEN_RULES), netns=here)
        with gw.connect() as client:
            assert client.greet() == 0
            reply = client.request('203.0.113.1', 80)
            assert reply.rep in (6, 4) and reply.octets == failure(reply.rep)
            client.close()
            assert gw.wait_end(client)['error'] == 'EHOSTUNREACH'  # not the gateway's own deadline
        gw.stop()


@needs_root
def test_no_ports(gateway):
    """S5-R04, T33: no local port is left: 01, and service goes on when there is one again."""
    with network.Namespace() as ns:
        gw = gateway(sockgate.config(), netns=ns)
        with ns.entered(), servers.Target() as target:
            subprocess.run(['sysctl', '-q', '-w', 'net.ipv4.ip_local_port_range=42000 42007'], check=True)
            taken = []
            with contextlib.suppress(OSError):
                for _ in range(20):
                    taken.append(socks.Client(target.where))
            assert len(taken) == 8
            with gw.connect() as client:
                refused(client, target.where, 1)
                client.close()
                record = gw.wait_end(client)
                assert (record['reason'], record['error']) == ('shortage', 'EADDRNOTAVAIL')
            taken.pop().reset()
            with gw.connect() as client:
                client.open(*target.where)
            for sock in taken:
                sock.reset()
        gw.stop()


def test_closed_after_failure(gateway):
    """S5-R05, S5-M04: whatever the client does or does not do, the connection is gone within 10 s after a failure, with
    the time-outs that an operator gets who sets none."""
    gw = gateway()
    clients = {}
    with servers.Refusing() as refusing:
        for kind in ('never reads', 'reads and stays', 'goes on sending', '05 FF and stays', '05 FF, sends'):
            clients[kind] = client = gw.connect(rcvbuf=2048)
            client.send(greeting(b'\x02' if kind.startswith('05 FF') else b'\x00'))
            if not kind.startswith('05 FF'):
                client.send(request(*refusing.where))
        began = time.monotonic()
        sockgate.wait_until(lambda: not any(network.closed(client.sock) for client in clients.values()), what='accept')
        while left := [kind for kind, client in clients.items() if not network.closed(client.sock)]:
            assert time.monotonic() - began < 10, left
            for kind in ('goes on sending', '05 FF, sends'):
                with contextlib.suppress(OSError):
                    clients[kind].send(b'x' * 100)
            time.sleep(0.05)
    for kind, client in clients.items():
        assert gw.wait_end(client)['rep' if 'FF' not in kind else 'reason'] in ('05', 'no_method')


# ---- a real client

@pytest.mark.skipif(not shutil.which('curl'), reason='curl is missing')
@pytest.mark.parametrize('listener, host', FAMILIES)
def test_curl(shared, listener, host):
    """100 MB through curl, over IPv4 and IPv6, unharmed; the record counts every octet."""
    with servers.FileServer(host) as served:
        proxy = socks.text_of(shared.address(listener))
        curl = subprocess.Popen(['curl', '-sS', '--max-time', '120', '--socks5', proxy, served.url],
                                stdout=subprocess.PIPE)
        digest, size = hashlib.sha256(), 0
        while block := curl.stdout.read(1 << 20):
            digest.update(block)
            size += len(block)
        assert curl.wait() == 0
        assert (size, digest.hexdigest()) == (served.size, served.sha256)
    record = shared.wait_record(event='session_end', target=socks.text_of(served.where))
    assert served.size < record['bytes_down'] < served.size + 1000
    assert record['reason'] == 'closed'
