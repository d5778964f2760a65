# SPDX-License-Identifier: BSD-2-Clause
"""BIND: where a peer can reach us, which peer, and for how long; over SOCKS5, and over SOCKS4 where that differs."""

import os
import pathlib
import random
import signal
import socket
import subprocess

import pytest

import dns
import network
import servers
import sockgate
import socks
from conftest import needs_ipv6, needs_root
from socks import BIND, GRANTED, failure

FAMILIES = [('main', '127.0.0.1'), pytest.param('main6', '::1', marks=needs_ipv6)]
# Sources of one machine that are not the same to the gateway.
PEER, STRANGER = '127.0.0.1', '127.0.0.9'


def config(listeners=None, rules=None, core=None, **settings):
    listeners = listeners or [sockgate.listener(protocols=['socks5', 'socks4'])]
    return sockgate.config(listeners, rules, core, timeouts={'linger': '100ms'},
                           modules=[{'name': 'bind', 'file': 'cmd_bind.so', 'settings': settings}],
                           hooks={'command': {'connect': 'connect', 'bind': 'bind'}})


def waiting(gw, host=PEER, listener='main'):
    """A client that has its first reply; and that reply."""
    client = gw.connect(listener)
    assert client.greet() == 0
    reply = client.request(host, 21, cmd=BIND)
    assert reply.rep == 0, f'REP {reply.rep:02x}'
    return client, reply


def refused(sock):
    """The gateway has closed it with a reset, and sent nothing."""
    sock.expect_reset()
    sock.close()


def stranger(reply, source=STRANGER):
    """Connects, and is reset, maybe before it knows that it was connected."""
    try:
        refused(servers.peer(reply.host, reply.port, source))
    except ConnectionResetError:
        pass


def port_line(server):
    """The six numbers of FTP's PORT."""
    line = b''
    while not line.endswith(b'\r\n'):
        line += server.recv_exactly(1)
    return line.decode().split()[1].split(',')


def is_free(host, port):
    """Does nobody listen there?"""
    with socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def free_ports(number):
    """So many in a row, none of which the system gives to anybody who does not ask for it."""
    least = int(pathlib.Path('/proc/sys/net/ipv4/ip_local_port_range').read_text(encoding='ascii').split()[0])
    while True:
        first = random.randrange(10000, least - number)
        ports = list(range(first, first + number))
        if all(is_free(PEER, port) for port in ports):
            return ports


# ---- the two replies

@pytest.mark.parametrize('listener, host', FAMILIES)
def test_two_replies(gateway, listener, host):
    """S5-B01, S5-B02, S5-B03: where we listen, an address that is one; then who came; then the relay, both ways, with
    what the client sent early first. The record has the address where we listened, and the peer."""
    gw = gateway(config([sockgate.listener()] + ([sockgate.listener('main6', '::1')] if ':' in host else [])))
    client, reply = waiting(gw, host, listener)
    assert reply.host == host and reply.port >= 1024
    gw.wait_record(event='session_start', client=client.name, bind=socks.text_of((reply.host, reply.port)))
    client.send(b'early')
    with servers.peer(reply.host, reply.port) as peer:
        second = client.reply()
        assert (second.rep, socks.text_of((second.host, second.port))) == (0, peer.name)
        peer.expect(b'early')
        peer.send(b'data')
        client.expect(b'data')
        client.shutdown()
        peer.expect_end()
        peer.shutdown()
        client.expect_end()
    end = gw.wait_end(client)
    assert (end['event'], end['reason'], end['command'], end['peer']) == ('session_end', 'closed', 'bind', peer.name)
    assert (end['bytes_up'], end['bytes_down'], end['port'], end['ver']) == (5, 4, 21, 5)
    assert 'peers_refused' not in end and 'tried' not in end


def test_two_replies_of_socks4(gateway):
    """S4-01, S4-02, S4-05: the first has the address and port to connect to, never zeros; the second has the peer."""
    gw = gateway(config())
    with gw.connect() as client:
        first = client.request4(PEER, 21, cmd=BIND, userid=b'joe')
        assert (first.vn, first.cd, first.host) == (0, GRANTED, PEER) and first.port >= 1024
        with servers.peer(first.host, first.port) as peer:
            second = client.reply4()
            assert (second.cd, socks.text_of((second.host, second.port))) == (GRANTED, peer.name)
            peer.send(b'data')
            client.expect(b'data')
    end = gw.wait_end(client)
    assert (end['ver'], end['userid'], end['command'], end['peer']) == (4, 'joe', 'bind', peer.name)


@pytest.mark.parametrize('host', [b'127.0.0.1', b'localhost', b'0177.1'])
def test_addresses_sent_as_names(gateway, host):
    """What clients get wrong: DST.ADDR as a name that spells it, or that this machine knows."""
    client, reply = waiting(gateway(config()), host)
    with servers.peer(reply.host, reply.port):
        assert client.reply().host == PEER
    client.close()


def test_an_active_transfer(gateway):
    """S5-B01, S5-B04: what active FTP does: a control connection, and data that the server of that name brings to the
    address which the client was told and passed on. A port of the request that no peer comes from means nothing."""
    gw = gateway(config())
    with servers.Target() as ftp, gw.connect() as control:
        control.open(*ftp.where)
        server = ftp.accept()
        data, where = waiting(gw, ftp.host)
        control.send(b'PORT %s,%d,%d\r\n' % (where.host.replace('.', ',').encode(), where.port >> 8, where.port & 255))
        *host, high, low = port_line(server)
        with servers.peer('.'.join(host), int(high) << 8 | int(low)) as upload:
            assert data.reply().rep == 0
            upload.send(b'x' * 100000)
            upload.close()
            assert data.rest() == b'x' * 100000
        server.send(b'226 done\r\n')
        control.expect(b'226 done\r\n')
        data.close()


def test_not_offered_unless_configured(gateway):
    """V20: without a module for it BIND is 07, also in the embedded default."""
    gw = gateway(sockgate.config())
    with gw.connect() as client:
        client.greet()
        client.send(socks.request(PEER, 21, cmd=BIND))
        client.expect(failure(7))
        client.expect_end()
    assert 'cmd_bind' not in (sockgate.TOP / 'core/default_conf.c').read_text(encoding='utf-8')


@pytest.mark.alone
def test_advertise_and_outgoing(gateway):
    """S5-B02: the listener's `advertise` is told; `outgoing` is where we listen, and a family that it lacks is 03."""
    gw = gateway(config([sockgate.listener(advertise='192.0.2.77'), sockgate.listener('out', outgoing=['127.0.0.5'])]))
    with waiting(gw)[0] as client:
        client.close()
    client, reply = waiting(gw)
    assert reply.host == '192.0.2.77'
    with servers.peer(PEER, reply.port):
        assert client.reply().rep == 0, 'the peer comes in where we really listen'
    client.close()
    client, reply = waiting(gw, listener='out')
    assert reply.host == '127.0.0.5' and is_free(PEER, reply.port)
    with servers.peer('127.0.0.5', reply.port, PEER):
        assert client.reply().host == PEER
    client.close()
    with gw.connect('out') as client:
        client.greet()
        client.send(socks.request('::1', 21, cmd=BIND))
        client.expect(failure(3))
        client.expect_end()


# ---- which peer

@pytest.mark.parametrize('ver', [5, 4])
def test_wrong_peers(gateway, ver):
    """S5-B04, T49, V20: a peer with another address is closed, counted, and told nothing; the wait goes on until the
    right one comes. S4-06: with SOCKS4 it is the end: 91, and both connections closed."""
    gw = gateway(config())
    client = gw.connect()
    if ver == 5:
        client.greet()
        first = client.request(PEER, 21, cmd=BIND)
    else:
        first = client.request4(PEER, 21, cmd=BIND)
    for _ in range(3 if ver == 5 else 1):
        stranger(first)
    if ver == 5:
        with servers.peer(first.host, first.port) as peer:
            assert client.reply().rep == 0
            peer.send(b'right')
            client.expect(b'right')
    else:
        assert client.reply4().octets == socks.FAILURE4
        client.expect_end()
        assert is_free(first.host, first.port)
    client.close()
    end = gw.wait_end(client)
    assert end['event'] == 'session_end' and end['peers_refused'] == (3 if ver == 5 else 1)
    assert ver == 5 or (end['reason'], 'peer' in end) == ('peer_mismatch', False)


def test_strangers_have_a_bound(gateway):
    """S5-B04, T49: after a hundred strangers the wait ends with 02; the port is free."""
    gw = gateway(config())
    client, reply = waiting(gw)
    for _ in range(100):
        stranger(reply)
    client.expect(failure(2))
    client.expect_end()
    assert is_free(reply.host, reply.port)
    end = gw.wait_end(client)
    assert (end['reason'], end['peers_refused'], end['rep']) == ('peer_mismatch', 100, '02')
    assert gw.records(event='session_start', client=client.name)[0]['rep'] == '00'


def test_one_peer(gateway):
    """S5-B06, T49: with the first peer the port is closed: the second gets a reset or nobody, and not a word."""
    gw = gateway(config())
    client, reply = waiting(gw)
    with sockgate.stopped(*gw.workers().values()):
        first = servers.peer(reply.host, reply.port)
        second = servers.peer(reply.host, reply.port)
    assert client.reply().port == int(first.name.rsplit(':', 1)[1])
    refused(second)
    with pytest.raises(ConnectionRefusedError):
        servers.peer(reply.host, reply.port)
    first.send(b'one')
    client.expect(b'one')
    first.close()
    client.close()


def test_any_peer(gateway):
    """S5-B05: zeros are refused, unless the module says any_peer; the rules are asked about who comes (S5-B08)."""
    rules = [{'deny': {'dst': '127.0.0.9'}, 'label': 'stranger'}, {'allow': {}, 'label': 'all', 'special': ['loopback']}]
    gw = gateway(config(rules=rules))
    for host in ('0.0.0.0', '::', b'0.0.0.0', b'0'):
        with gw.connect() as client:
            client.greet()
            client.send(socks.request(host, 21, cmd=BIND))
            client.expect(failure(2))
            client.expect_end()
            assert gw.wait_end(client)['reason'] == 'command_denied'
    gw = gateway(config(rules=rules, any_peer=True))
    client, reply = waiting(gw, '0.0.0.0')
    assert reply.host == PEER, 'the address that the client has reached'
    stranger(reply)
    with servers.peer(reply.host, reply.port, '127.0.0.3'):
        assert client.reply().host == '127.0.0.3'
    client.close()
    end = gw.wait_end(client)
    assert (end['peers_refused'], end['rule']) == (1, 'all')
    with gw.connect() as client:
        client.greet()
        client.send(socks.request('::', 21, cmd=BIND))
        client.expect(failure(3))  # no address of that family is known to be good


def test_special_ranges_of_any_peer(gateway):
    """S5-B08, V11: what the rule for zeros says of special ranges is about zeros; a peer's own rule must say it too."""
    rules = [{'allow': {'dst': '0.0.0.0/32'}, 'label': 'zeros', 'special': ['unspecified', 'loopback']},
             {'allow': {'dst': '127.0.0.3'}, 'label': 'known', 'special': ['loopback']}, {'allow': {}, 'label': 'rest'}]
    gw = gateway(config(rules=rules, any_peer=True))
    client, reply = waiting(gw, '0.0.0.0')
    stranger(reply)
    with servers.peer(reply.host, reply.port, '127.0.0.3'):
        assert client.reply().host == '127.0.0.3'
    client.close()
    assert gw.wait_end(client)['peers_refused'] == 1


@pytest.mark.parametrize('rule, reason', [
    ({'deny': {'dst': '127.0.0.1'}}, 'access_request'), ({'allow': {'cmd': 'connect'}}, 'access_request'),
    ({'allow': {'cmd': 'bind'}}, 'special_range')])
def test_rules_about_the_request(gateway, rule, reason):
    """S5-B08: what no rule allows is refused before anything listens; the guard stands behind the rules."""
    gw = gateway(config(rules=[dict(rule, label='it')]))
    for ver in (5, 4):
        with gw.connect() as client:
            if ver == 5:
                client.greet()
            client.send((socks.request if ver == 5 else socks.request4)(PEER, 21, cmd=BIND))
            client.expect(failure(2) if ver == 5 else socks.FAILURE4)
            client.expect_end()
            end = gw.wait_end(client)
        assert (end['event'], end['reason'], end['ver']) == ('session_refused', reason, ver)


def test_names(gateway):
    """S5-B04, S5-B08: a name is looked up, each of its addresses is judged, and any that is allowed may come; one that
    has no allowed address is refused, one that nobody knows is 04."""
    rules = [{'deny': {'dst': '127.0.0.9'}, 'label': 'no'},
             {'allow': {'dst': '127.0.0.0/8'}, 'label': 'net', 'special': ['loopback']}]
    with dns.Server() as server:
        server['peer.test', 'A'] = ['127.0.0.9', '127.0.0.3', '127.0.0.4']
        server['bad.test', 'A'] = ['127.0.0.9']
        server['broken.test', 'A'] = dns.Answer(rcode=dns.SERVFAIL)
        server['broken.test', 'AAAA'] = dns.Answer(rcode=dns.SERVFAIL)
        gw = gateway(config(rules=rules, core=dns.core(server)))
        for ver in (5, 4):
            client = gw.connect()
            if ver == 5:
                client.greet()
                first = client.request(b'peer.test', 21, cmd=BIND)
                stranger(first)
            else:
                first = client.request4(b'peer.test', 21, cmd=BIND)  # S4A-02
            with servers.peer(first.host, first.port, '127.0.0.4'):
                second = client.reply() if ver == 5 else client.reply4()
                assert second.host == '127.0.0.4'
            client.close()
            end = gw.wait_end(client)
            assert (end['host'], end['rule'], end['target']) == ('peer.test', 'net', '127.0.0.3:21')
            assert 'reason_text' not in end
        for name, rep, reason in ((b'bad.test', 2, 'access_target'), (b'none.test', 4, 'resolve_failed'),
                                  (b'broken.test', 1, 'resolve_failed')):
            with gw.connect() as client:
                client.greet()
                client.send(socks.request(name, 21, cmd=BIND))
                client.expect(failure(rep))
                assert gw.wait_end(client)['reason'] == reason


@needs_ipv6
def test_a_name_with_both_families(gateway):
    """S5-B02, S4A-04: a peer that has both is awaited over IPv4; one with IPv6 alone over that, and not with SOCKS4."""
    with dns.Server() as server:
        server['both.test', 'A'], server['both.test', 'AAAA'] = ['127.0.0.1'], ['::1']
        server['six.test', 'AAAA'] = ['::1']
        gw = gateway(config(core=dns.core(server)))
        for name, host in ((b'both.test', '127.0.0.1'), (b'six.test', '::1')):
            client, reply = waiting(gw, name)
            assert reply.host == host
            with servers.peer(reply.host, reply.port, host):
                assert client.reply().host == host
            client.close()
        for name in (b'six.test', b'::1'):
            with gw.connect() as client:
                assert client.request4(name, 21, cmd=BIND).octets == socks.FAILURE4
                client.expect_end()


def test_an_answer_that_comes_later(gateway):
    """S5-B08: an access module that thinks about each address is waited for: before we listen, and when a peer comes."""
    slow = sockgate.test_module('access_async', name='slow',
                                settings={'request': 'undecided', 'target': 'ok', 'delay': '50ms', 'special': 'loopback'})
    gw = gateway(sockgate.config(modules=[slow], hooks={'access': ['slow'], 'command': {'bind': 'bind'}}))
    client, reply = waiting(gw)
    with servers.peer(reply.host, reply.port) as peer:
        assert client.reply().rep == 0
        peer.send(b'later')
        client.expect(b'later')
    client.close()
    assert gw.wait_end(client)['rule'] == 'async'


# ---- for how long

def test_deadline(gateway):
    """S5-B07, S4-07: nobody comes: 06 (91) in the second reply, closed, the port is free."""
    gw = gateway(config(accept_timeout='300ms'))
    client, reply = waiting(gw)
    client.expect(failure(6))
    client.expect_end()
    assert is_free(reply.host, reply.port)
    end = gw.wait_end(client)
    assert (end['event'], end['reason'], end['rep']) == ('session_end', 'peer_timeout', '06')
    client.close()
    with gw.connect() as client:
        assert client.request4(PEER, 21, cmd=BIND).cd == GRANTED
        assert client.reply4().octets == socks.FAILURE4
        client.expect_end()


@pytest.mark.parametrize('leave', ['close', 'reset', 'shutdown'])
def test_client_leaves(gateway, leave):
    """S5-B07: the port is free at once when the client leaves."""
    gw = gateway(config())
    client, reply = waiting(gw)
    getattr(client, leave)()
    end = gw.wait_end(client)
    assert (end['event'], end['reason']) == ('session_end', 'client_reset' if leave == 'reset' else 'client_gone')
    assert is_free(reply.host, reply.port)


def test_ports(gateway):
    """S5-B10, T49: ports of the configured range alone, each for one; when all are taken, 01 and a word in the record;
    they are free again when their clients have left."""
    ports = free_ports(5)
    gw = gateway(config(ports=[f'{ports[0]}-{ports[-1]}']))
    for _ in range(2):
        clients, replies = zip(*(waiting(gw) for _ in ports))
        assert sorted(reply.port for reply in replies) == ports
        with gw.connect() as client:
            client.greet()
            client.send(socks.request(PEER, 21, cmd=BIND))
            client.expect(failure(1))
            end = gw.wait_end(client)
            assert (end['reason'], end['error'], end['reason_text']) == ('shortage', 'EADDRINUSE', 'no port is free')
        for client in clients:
            client.close()
            gw.wait_end(client)


def test_privileged_ports_are_refused(gateway):
    """S5-B10: at start, with the line."""
    gw = gateway(config(ports=['40000-40009', '1000-1100']), ready=False)
    assert gw.process.wait(sockgate.PATIENCE) == 1
    assert 'module "bind": ports: 1000 is a privileged port' in gw.log()


def test_a_thousand_in_a_row(gateway):
    """T49: 1,000 BINDs, every fourth with a peer, in a range of fifty ports: no descriptor and no port is left."""
    ports = free_ports(50)
    gw = gateway(config(core={'workers': 1}, ports=[f'{ports[0]}-{ports[-1]}']))
    worker, = gw.workers().values()

    def descriptors():
        return len(os.listdir(f'/proc/{worker}/fd'))

    waiting(gw)[0].close()
    gw.wait_records(1, event='session_end')
    before = descriptors()
    for number in range(1000):
        client, reply = waiting(gw)
        if number % 4 == 0:
            with servers.peer(reply.host, reply.port) as peer:
                assert client.reply().rep == 0
                peer.send(b'x')
                client.expect(b'x')
                client.close()
                peer.expect_end()  # the gateway has ended first: its port stays in TIME_WAIT
        client.close()
    gw.wait_records(1001, event='session_end')
    sockgate.wait_until(lambda: descriptors() == before, what='the descriptors')
    assert all(is_free(PEER, port) for port in ports)


# ---- the ledger

def test_worker_killed_while_a_bind_waits(gateway):
    """Admitted is who was told where we listen: session_start, and the end is worker_lost; before that, session_failed.
    The port dies with the worker."""
    with dns.Server() as server:
        server['slow.test', 'A'] = dns.Answer(silent=True)
        gw = gateway(config(core=dict(dns.core(server), workers=1)))
        started, reply = waiting(gw)
        looking = gw.connect()
        looking.greet()
        looking.send(socks.request(b'slow.test', 21, cmd=BIND))
        sockgate.wait_until(lambda: server.asked['slow.test', 'A'], what='the question')
        worker, = gw.workers().values()
        os.kill(worker, signal.SIGKILL)
        end = gw.wait_end(started)
        assert (end['event'], end['reason']) == ('session_end', 'worker_lost')
        assert gw.wait_end(looking)['event'] == 'session_failed'
        assert is_free(reply.host, reply.port)
        for client in (started, looking):
            client.served = True  # each must have its one end
        gw.check_ledger()


def test_session_start_before_the_first_reply(gateway):
    """The client is told only what is written down already."""
    gw = gateway(config())
    client, _ = waiting(gw)
    start = gw.wait_record(event='session_start', client=client.name)
    assert (start['command'], start['rep'], start['target']) == ('bind', '00', '127.0.0.1:21')
    assert gw.records(client=client.name) == [start]
    client.close()


# ---- networks

@needs_root
def test_between_two_networks(gateway):
    """S5-B02: a gateway with a leg in each of two networks tells the address of the leg that leads to the peer, and
    listens there alone."""
    with network.Namespace() as inside, network.Namespace() as outside:
        inside.link(outside)
        gw = gateway(config(rules=[{'allow': {}, 'label': 'all'}]), netns=inside)
        with inside.entered():
            client, reply = waiting(gw, '10.98.0.2')
            assert reply.host == '10.98.0.1', 'the client has reached 127.0.0.1'
            with pytest.raises(ConnectionRefusedError):
                servers.peer('127.0.0.1', reply.port)
        with outside.entered(), servers.peer('10.98.0.1', reply.port) as peer:
            assert socks.text_of(client.reply()[4:6]) == peer.name
            peer.send(b'through')
            client.expect(b'through')
        client.close()


@needs_root
@pytest.mark.skipif(not os.path.exists('/usr/sbin/nft'), reason='nft is missing')
def test_behind_nat(gateway):
    """S5-B02: a gateway whose address is translated tells the one that `advertise` says, and peers come in there."""
    with network.Namespace() as inside, network.Namespace() as router, network.Namespace() as outside:
        router.link(inside)
        # The other wire: 203.0.113.1 is the router's, 203.0.113.9 the peer's.
        router.ip(f'link add wire1 type veth peer name wire1 netns {outside.name}')
        for namespace, host in ((router, '203.0.113.1'), (outside, '203.0.113.9')):
            namespace.ip(f'addr add {host}/24 dev wire1')
            namespace.ip('link set wire1 up')
        inside.ip('route add default via 10.98.0.1')
        with router.entered():
            subprocess.run(['sh', '-c', 'echo 1 >/proc/sys/net/ipv4/ip_forward'], check=True)
            subprocess.run(['nft', '-f', '-'], check=True, text=True, input='''
                table ip nat {
                  chain in { type nat hook prerouting priority -100; ip daddr 203.0.113.1 tcp dport 40000-40009 dnat to 10.98.0.2; }
                  chain out { type nat hook postrouting priority 100; oifname "wire1" masquerade; }
                }''')
        gw = gateway(config([sockgate.listener(advertise='203.0.113.1')], [{'allow': {}, 'label': 'all'}],
                            ports=['40000-40009']), netns=inside)
        client, reply = waiting(gw, '203.0.113.9')
        assert reply.host == '203.0.113.1' and 40000 <= reply.port <= 40009
        with outside.entered(), servers.peer(reply.host, reply.port) as peer:
            second = client.reply()
            assert (second.rep, second.host) == (0, '203.0.113.9')
            peer.send(b'through')
            client.expect(b'through')
        client.close()
