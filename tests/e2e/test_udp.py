# SPDX-License-Identifier: BSD-2-Clause
"""UDP ASSOCIATE (RFC 1928 section 7, requirements S5-U*), and what others did wrong with it (V12, V17 to V22, T46, T48)."""

import contextlib
import os
import random
import select
import signal
import socket
import subprocess

import pytest

import dns
import servers
import sockgate
import udp
from conftest import needs_ipv6, needs_root
from dns import Answer
from network import Namespace
from sockgate import test_module as module
from socks import failure, greeting, request
from test_reach import ALLOWED, DENIED, answers, literals, texts
from test_sessions import listed
from udp import Association, Place, associate, descriptors, header
from x80 import X80

# linux/udp.h
UDP_GRO = 104

ALL = [{'allow': {}, 'label': 'all', 'special': ['loopback', 'self']}]


@pytest.fixture
def gw(gateway):
    return gateway(udp.config())


@pytest.fixture
def place():
    with Place() as made:
        yield made


def end_of(gw, association):
    """The last record, after the client has gone."""
    association.client.close()
    return gw.wait_end(association.client)


# ---- the association

def test_a_datagram_there_and_back(gw, place):
    """S5-U08, S5-U16: FRAG 00 is relayed; the answer has RSV 0000, FRAG 00 and the true source; payload is counted."""
    with associate(gw) as one:
        one.trip(place, b'to')
        one.trip(place, b'')
        end = end_of(gw, one)
    assert (end['event'], end['reason'], end['command']) == ('session_end', 'closed', 'udp_associate')
    assert (end['bytes_up'], end['bytes_down'], end['udp_drops']) == (2, 2, {})
    assert end['tried'] == ['%s:%d' % place.where]
    start = gw.wait_record(event='session_start', client=one.client.name)
    assert start['bind'] == '%s:%d' % one.relay and start['rule'] == 'all'


@needs_ipv6
def test_both_families(gateway, place):
    """S5-U16: IPv4 and IPv6 targets from one association, by address and by name; ATYP is that of the true source."""
    with dns.Server() as server, Place('::1') as six:
        server['six.test', 'AAAA'], server['four.test', 'A'] = ['::1'], ['127.0.0.1']
        gw = gateway(udp.config(rules=ALL, core=dns.core(server),
                                listeners=[sockgate.listener(), sockgate.listener('main6', '::1')]))
        for name in ('main', 'main6'):
            with associate(gw, name) as one:
                for _ in range(2):
                    one.trip(place)
                    one.trip(six)
                    one.trip(place, to=(b'four.test', place.port))
                    one.trip(six, to=(b'SIX.test.', six.port))
                    one.trip(place, to=('::ffff:127.0.0.1', place.port))
        assert server.asked['six.test', 'AAAA'] == server.asked['four.test', 'A'] == 1


def test_announced_source(gateway, place):
    """S5-U01: the announced port is held to; another address than the client's is noted, admits nobody, costs nothing."""
    gw = gateway(udp.config())
    with Place() as own, Place() as other:
        with associate(gw, announced=('0.0.0.0', own.port), own=own) as one:
            other.send(header(*place.where) + b'other', one.relay)
            one.trip(place)
            assert place.silent()
            assert end_of(gw, one)['udp_drops'] == {'sender': 1}
    with Place() as own, Place('127.0.0.7') as announced:
        with associate(gw, announced=('127.0.0.7', own.port), own=own) as one:
            announced.send(header(*place.where) + b'other', one.relay)
            one.trip(place)
            end = end_of(gw, one)
    assert end['udp_drops'] == {'sender': 1} and end['reason_text'] == f'announced to send from 127.0.0.7:{own.port}'
    # The name "0", as some clients write "unknown", an empty address, and names: all mean unknown.
    for host in (b'0', '0.0.0.0', '::', b'localhost', b'client.test', b'0.0.0.0'):
        with associate(gw, announced=(host, 0)) as one:
            one.trip(place)
            assert 'reason_text' not in end_of(gw, one), host


def test_ends_with_the_connection(gw, place):
    """S5-U02, V17: when the TCP connection ends, in whatever way, the port is free and nothing is relayed."""
    worker = gw.workers()[0]
    before = descriptors(worker)
    for way in ('close', 'reset', 'shutdown'):
        with associate(gw) as one:
            one.trip(place)
            assert descriptors(worker) == before + 3
            getattr(one.client, way)()
            end = gw.wait_end(one.client)
            assert end['reason'] == ('client_reset' if way == 'reset' else 'closed')
            assert descriptors(worker) == before
            one.send(b'late', place.where)
            with Place('127.0.0.1', one.relay[1]):  # the port is free: whatever was sent went nowhere
                pass
            assert place.silent()


def test_idle(gateway, place):
    """S5-U03: without a datagram that is relayed the association ends, and the connection; what is dropped keeps nothing."""
    gw = gateway(udp.config({'idle': '1s'}))
    with associate(gw) as one, associate(gw) as busy:
        one.trip(place)
        while not servers.readable(one.client.sock, 0):
            one.raw(b'garbage')
            busy.trip(place)
            select.select([one.client.sock], [], [], 0.05)
        one.client.expect_end()
        assert gw.wait_end(one.client)['reason'] == 'idle_timeout'
        busy.trip(place)


@needs_root
def test_where_to_send(gateway, place):
    """S5-U04: the address that the client reached, never zeros; that of `advertise`; a port of the range."""
    with Place() as taken:
        spans = [str(taken.port), '30500-30503']
        gw = gateway(udp.config({'ports': spans}, listeners=[
            sockgate.listener('main', '127.0.0.5'), sockgate.listener('all', '0.0.0.0', clients=['127.0.0.0/8']),
            sockgate.listener('told', '127.0.0.6', advertise='192.0.2.99')]))
        with associate(gw) as one:
            assert one.relay[0] == '127.0.0.5' and one.relay[1] in (taken.port, *range(30500, 30504))
            one.trip(place)
        gw.wait_end(one.client)
        gw.ports['all'] = ('127.0.0.8', gw.address('all')[1])
        with associate(gw, 'all') as one:
            assert one.relay[0] == '127.0.0.8'
            one.trip(place)
        gw.wait_end(one.client)
        with associate(gw, 'told') as one:
            assert one.relay[0] == '192.0.2.99'
            one.relay = ('127.0.0.6', one.relay[1])
            one.trip(place)
        gw.wait_end(one.client)
        # All ports of the range, then none.
        with contextlib.ExitStack() as stack:
            ports = {stack.enter_context(associate(gw)).relay[1] for _ in range(4)}
            assert ports <= {taken.port, *range(30500, 30504)} and len(ports) == 4
            more = [associate(gw) for _ in range(2)]
            assert [one.reply.rep for one in more].count(1) >= 1
            end = gw.wait_end(next(one for one in more if one.reply.rep == 1).client)
            assert (end['event'], end['reason'], end['error']) == ('session_failed', 'shortage', 'EADDRINUSE')


# ---- who may send

def test_other_senders(gw, place):
    """S5-U05, S5-U06, V17, V18, T48: 10,000 datagrams from other addresses and other ports, before the client's first,
    after it, and after its end: none is relayed, none is answered."""
    with Place('127.0.0.2') as spoofed, Place() as second:
        wanted = header(*place.where)
        with associate(gw) as one:
            for _ in range(3300):
                spoofed.send(wanted + b'spoofed', one.relay)
            assert place.silent()
            one.reach(place)
            for _ in range(1700):
                spoofed.send(wanted + b'spoofed', one.relay)
                second.send(wanted + b'second', one.relay)
            assert place.silent()
            one.reach(place)
            seen = one.trip(place)
            place.send(b'to the first', seen)
            assert one.recv() == (b'to the first', place.where)
            end = end_of(gw, one)
        for _ in range(1650):
            spoofed.send(wanted + b'late', one.relay)
            second.send(wanted + b'late', one.relay)
        assert place.silent() and spoofed.silent() and second.silent()
    # What the kernel itself had no room for is not counted.
    assert 1000 < end['udp_drops'].pop('sender') <= 3300 + 3400 and not end['udp_drops']
    assert end['bytes_down'] == len(b'ping' + b'to the first')


def test_a_bad_datagram_settles_nothing(gw, place):
    """S5-U06: the port is settled by the first valid datagram, not by one that is malformed or a fragment."""
    with associate(gw) as one, Place() as other:
        for octets in (b'', b'x', header(*place.where, frag=1) + b'x', header(*place.where, rsv=1) + b'x'):
            other.send(octets, one.relay)
        one.trip(place)
        end = end_of(gw, one)
    assert end['udp_drops'] == {'header': 3, 'fragment': 1}


# ---- what they may send

GARBAGE = [b'', b'\0', b'\0\0\0', b'\0\0\0\1', b'\0\0\0\1\x7f\0\0\1\0', b'\0\0\0\3', b'\0\0\0\3\0\0\x50x', b'\0\0\0\3\5abc',
           b'\0\0\0\3\1\0\0\x50x', b'\0\0\0\3\2a\n\0\x50x', b'\0\0\0\2\x7f\0\0\1\0\x50', b'\0\0\0\xff\x7f\0\0\1\0\x50',
           b'\1\0\0\1\x7f\0\0\1\0\x50x', b'\0\1\0\1\x7f\0\0\1\0\x50x', b'\0\0\0\4' + bytes(17), b'\0\0\0\1\x7f\0\0\1\0\0x',
           b'\xff' * 65507]


def test_garbage(gw, place):
    """S5-U07, S5-U17: each costs itself, without a word; the association stays."""
    with associate(gw) as one:
        one.trip(place)
        for octets in GARBAGE:
            one.raw(octets)
        one.trip(place)
        assert one.own.silent() and one.client.peek() is None
        end = end_of(gw, one)
    assert end['udp_drops'] == {'header': len(GARBAGE)}


def test_random_datagrams(gw, place):
    """100,000 datagrams of random octets, and half as many that begin well: the association still relays."""
    rng = random.Random(7)
    with associate(gw) as one:
        one.trip(place)
        for number in range(150_000):
            begin = b'' if number % 3 else b'\0\0\0' + bytes([rng.choice((1, 3, 4))])
            one.raw(begin + rng.randbytes(rng.randrange(40)))
        one.reach(place)
        one.trip(place, b'still here')
        assert sum(end_of(gw, one)['udp_drops'].values()) > 1000


def test_fragments(gw, place):
    """S5-U09, V21: FRAG other than 00 is dropped without a word and counted; no piece leaves as a datagram."""
    with associate(gw) as one:
        one.trip(place)
        for frag in (1, 2, 0x7f, 0x80, 0x81, 0xff):
            one.send(b'piece', place.where, frag=frag)
        one.trip(place)
        assert place.silent() and one.own.silent()
        assert end_of(gw, one)['udp_drops'] == {'fragment': 6}


def test_sizes(gateway, place):
    """S5-U22, V22: every size up to what a datagram holds arrives whole, either way, by address and by the longest name; what
    is too long for one is counted."""
    name = b'.'.join([b'n' * 61] * 4) + b'.test'
    assert len(name) == 252
    with dns.Server() as server:
        server[name.decode(), 'A'] = ['127.0.0.1']
        gw = gateway(udp.config(rules=ALL, core=dns.core(server)))
        with associate(gw) as one:
            for to in (place.where, (name, place.port)):
                longest = udp.LONGEST - len(header(*to))
                for size in (0, 1, 63, 512, 1472, 1473, 1490, 2038, 8192, 16326, 16327, 32768, longest - 1, longest):
                    one.send(octets := random.randbytes(size), to)
                    seen = place.expect(octets)
                    back = octets[:udp.LONGEST - 10]
                    place.send(back, seen)
                    assert one.recv() == (back, place.where)
            place.send(bytes(udp.LONGEST - 9), seen)
            one.trip(place)
            assert end_of(gw, one)['udp_drops'] == {'size': 1}


# Lengths of datagrams that leave together. What is a row of one length, with a shorter one at its end, is one message for
# the kernel; whoever gets them sees no difference.
ROWS = [[100] * 20, [100] * 5 + [50] + [100] * 3, [50] * 3 + [100] * 3, [100, 0, 100, 0, 0, 100], list(range(1, 31)),
        list(range(30, 0, -1)), [1200] * 31, [1400] * 7 + [1], [2000] * 8, [9000] * 8, [30000] * 3]


def payloads(row):
    return [bytes([number + 1]) * size for number, size in enumerate(row)]


@pytest.mark.parametrize('mtu', [None, pytest.param(1500, marks=needs_root)])
def test_rows(gateway, mtu):
    """What waits leaves together, in its order; each datagram arrives as it was sent, also if it leaves in fragments."""
    with contextlib.ExitStack() as stack:
        if mtu:
            namespace = stack.enter_context(Namespace())
            namespace.ip(f'link set lo mtu {mtu}')
            stack.enter_context(namespace.entered())
        gw = gateway(udp.config())
        targets = [stack.enter_context(Place()) for _ in range(2)]
        one = stack.enter_context(associate(gw))
        wheres = [one.trip(target, b'') for target in targets]
        total = 0
        for row in ROWS:
            n = 2 if sum(row) < 3000 else 1  # the kernel has room for so much
            with sockgate.stopped(*gw.workers().values()):
                for payload in payloads(row):
                    for target in targets[:n]:
                        one.send(payload, target.where)
            for target in targets[:n]:
                for payload in payloads(row):
                    target.expect(payload)
            with sockgate.stopped(*gw.workers().values()):
                for payload in payloads(row):
                    for target, where in zip(targets[:n], wheres):
                        target.send(payload, where)
            assert sorted(one.recv() for _ in range(n * len(row))) == sorted(
                (payload, target.where) for payload in payloads(row) for target in targets[:n])
            total += sum(row) * n
        end = end_of(gw, one)
        assert (end['bytes_up'], end['bytes_down'], end['udp_drops']) == (total, total, {})


def test_a_row_is_one_message(gw, place):
    """Who asks the kernel not to cut it gets it whole."""
    solitary, whole = b'one', [b'a' * 500] * 4 + [b'b' * 3]
    with associate(gw) as one:
        one.trip(place, solitary)
        place.sock.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 1)
        with sockgate.stopped(*gw.workers().values()):
            for payload in whole:
                one.send(payload, place.where)
        place.expect(b''.join(whole))


def test_filter_x80(gateway, place):
    """S5-U18: a METHOD that encapsulates wraps each datagram as a whole, both ways; others are dropped and counted."""
    gw = gateway(udp.config(modules=[module('auth_x80', name='x80')], hooks={'auth': ['x80']}))
    with gw.connect() as client, Place() as own:
        x80 = X80(client)
        assert x80.login() == 0
        x80.send(request('0.0.0.0', 0, cmd=3))
        reply = x80.recv_exactly(10)
        relay = (socket.inet_ntoa(reply[4:8]), int.from_bytes(reply[8:], 'big'))

        def frame(plain):
            x80.codec.sent = 0  # every datagram begins anew
            return x80.frame(plain)

        def opened(octets):
            assert octets[:1] == b'\x80' and int.from_bytes(octets[1:3], 'big') == len(octets) - 3
            return bytes(octet ^ x80.key[i % 8] for i, octet in enumerate(octets[3:]))
        good = frame(header(*place.where) + b'wrapped')
        for octets in (header(*place.where) + b'plain', b'', good[:-1], good + b'x', b'\x80\0\0'):
            own.send(octets, relay)
        own.send(frame(b'\0\0\0'), relay)
        for _ in range(3):
            own.send(good, relay)  # doubled: each for itself
            seen = place.expect(b'wrapped')
            place.send(b'back', seen)
            assert opened(own.recv()[0]) == header(*place.where) + b'back'
        place.send(bytes(4096), seen)  # with its header longer than a frame of this METHOD holds
        own.send(good, relay)
        place.expect(b'wrapped')
        client.close()
        end = gw.wait_end(client)
    assert (end['bytes_up'], end['bytes_down']) == (28, 12)
    assert end['udp_drops'] == {'filter': 5, 'header': 1, 'size': 1}


def test_a_filter_without_datagrams(gateway):
    """S5-U18: a METHOD that encapsulates, but not datagrams, gets no association that would carry them in the clear: 07."""
    gw = gateway(udp.config(modules=[module('auth_x80', name='x80', settings={'datagrams': False})], hooks={'auth': ['x80']}))
    with gw.connect() as client:
        x80 = X80(client)
        assert x80.login() == 0
        x80.send(request('0.0.0.0', 0, cmd=3))
        assert x80.rest() == failure(7)
        client.close()
        end = gw.wait_end(client)
    assert (end['event'], end['reason']) == ('session_refused', 'command_unknown') and 'datagrams' in end['reason_text']


def test_what_the_connection_carries(gw, place):
    """S5-U23: octets on the TCP connection are thrown away, 64 KiB of them; with more the session ends."""
    with gw.connect() as client:
        client.send(greeting(), request('0.0.0.0', 0, cmd=3), b'early')
        client.expect(b'\x05\x00')
        reply = client.reply()
        with Place() as own:
            client.send(bytes(60_000))
            own.send(header(*place.where) + b'x', (reply.host, reply.port))
            place.expect(b'x')
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                client.send(bytes(6_000))
                while client.recv():
                    pass
            client.served = True
            assert gw.wait_end(client)['reason'] == 'protocol_error'


# ---- where they may go

def test_policy_of_destinations(gateway):
    """S5-U19: rules on dst and dst_port decide about each destination; the association itself is asked about without one."""
    with Place() as good, Place() as bad, Place('127.0.0.9') as denied, dns.Server() as server:
        server['good.test', 'A'], server['bad.test', 'A'], server['denied.test', 'A'] = (
            ['127.0.0.1'], ['127.0.0.1'], ['127.0.0.9'])
        rules = [{'deny': {'dst': ['127.0.0.9', 'bad.test']}, 'label': 'nine'},
                 {'allow': {'dst_port': [str(good.port), str(denied.port)], 'cmd': 'udp_associate'}, 'label': 'ports',
                  'special': ['loopback']}]
        gw = gateway(udp.config(rules=rules, core=dns.core(server)))
        with associate(gw) as one:
            for to in (bad.where, denied.where, (b'denied.test', denied.port), (b'bad.test', good.port),
                       ('::ffff:127.0.0.9', denied.port), (b'127.9', denied.port), ('255.255.255.255', good.port),
                       ('224.0.0.1', good.port), ('0.0.0.0', good.port), ('169.254.169.254', good.port)):
                one.send(b'no', to)
                one.send(b'no', to)
            one.trip(good)
            one.trip(good, to=(b'good.test', good.port))
            one.send(b'no', (b'none.test', good.port))
            gw.wait(lambda: server.asked['none.test', 'A'] and server.asked['none.test', 'AAAA'], 'both lookups')
            one.trip(good)
            assert good.silent() and bad.silent() and denied.silent() and one.own.silent()
            end = end_of(gw, one)
        assert end['udp_drops']['policy'] == 20
        assert set(end['udp_drops']) <= {'policy', 'name'} and server.asked['bad.test', 'A'] == 0
        assert end['tried'] == ['%s:%d' % good.where]
        # No rule could allow any datagram: the association is refused.
        gw.renew(udp.config(rules=[{'deny': {'cmd': 'udp_associate'}, 'label': 'none'}, {'allow': {}}]))
        one = associate(gw)
        assert one.reply.octets == failure(2)
        assert gw.wait_end(one.client)['rule'] == 'none'


def test_explain(gateway):
    """explain answers about the destination of a datagram."""
    gw = gateway(udp.config(rules=[{'deny': {'dst': '10.0.0.0/8'}, 'label': 'inner'},
                                   {'allow': {'dst_port': '53'}, 'label': 'dns'}]))

    def ask(to):
        got = subprocess.run([sockgate.BUILD / 'sockgatectl', 'explain', '-c', gw.conf, '--command', 'udp_associate', '--to',
                              to], capture_output=True, text=True, env=gw.environment(), check=False)
        return got.returncode, got.stdout.splitlines()[-1]
    assert ask('192.0.2.1:53')[0] == 0 and 'rule "dns"' in ask('192.0.2.1:53')[1]
    assert ask('10.1.1.1:53')[0] == 3 and 'rule "inner"' in ask('10.1.1.1:53')[1]
    assert ask('192.0.2.1:54')[0] == 3 and ask('127.0.0.1:53')[0] == 3 and ask('name.test:53')[0] == 4


def test_a_changed_set_bites(gateway, place):
    """S5-U19: when a set of the rules changes, no verdict from before stays; answers of who is denied now are dropped."""
    gw = gateway(udp.config(), ready=False)
    gw.kill()
    listed = gw.dir / 'denied.txt'
    listed.write_text('192.0.2.1\n')
    rules = [{'deny': {'dst': f'@{listed}'}, 'label': 'set'}, *ALL]
    gw = gateway(udp.config({'recheck': '1h'}, rules=rules))
    with associate(gw) as one:
        seen = one.trip(place)
        listed.write_text('127.0.0.1\n')

        def denied():
            one.send(b'again', place.where)
            return not servers.readable(place.sock, 0.2) or not place.recv()
        sockgate.wait_until(denied, what='the new set')
        place.send(b'answer', seen)
        place.send(b'answer', seen)
        listed.write_text('192.0.2.1\n')
        sockgate.wait_until(lambda: (one.send(b'more', place.where), servers.readable(place.sock, 0.2))[1], what='the old set')
        assert one.own.silent()
        end = end_of(gw, one)
    assert end['udp_drops']['source'] == 2 and end['udp_drops']['policy'] >= 1


def test_verdicts_are_asked_again(gateway, place):
    """S5-U19: after `recheck` names are looked up again, and go where they point to then."""
    with dns.Server() as server, Place('127.0.0.3', place.port) as moved:
        server['moving.test', 'A'] = Answer(['127.0.0.1'], ttl=0)
        gw = gateway(udp.config({'recheck': '100ms'}, rules=ALL, core=dns.core(server)))
        with associate(gw) as one:
            to = (b'moving.test', place.port)
            one.trip(place, to=to)
            server['moving.test', 'A'] = Answer(['127.0.0.3'], ttl=0)
            sockgate.wait_until(lambda: (one.send(b'x', to), servers.readable(moved.sock, 0.05))[1], what='the new address')


def test_pending_verdicts(gateway, place):
    """An access module that answers later keeps only its own datagrams waiting, in order; what is too much is counted."""
    gw = gateway(udp.config(modules=[sockgate.test_module('access_async', name='later', settings={'request': 'undecided', 'delay': '1s'})],
                            hooks={'access': ['later', 'rules']}, rules=ALL))
    with associate(gw) as one:
        for number in range(100):
            one.send(b'%d' % number, place.where)
        got = [place.recv()[0] for _ in range(64)]
        assert got == [b'%d' % number for number in range(64)]
        one.send(b'known now', place.where)
        place.expect(b'known now')
        end = end_of(gw, one)
        assert end['udp_drops'] == {'queue': 36}
    # Ended in the middle: the handle is cancelled, what waited is counted.
    with associate(gw) as one:
        one.send(b'x', place.where)
        one.send(b'x' * 65000, place.where)
        one.send(b'x' * 65000, place.where)
        one.send(b'x' * 65000, place.where)
        one.raw(b'mark')
        worker = gw.workers()[0]
        assert worker
        one.client.close()
        drops = gw.wait_end(one.client)['udp_drops']
    assert sum(drops.values()) >= 1 and drops.keys() <= {'policy', 'queue', 'header'} and place.silent()


def test_slow_names(gateway, place):
    """S5-U20: while a name server is silent other destinations are served at once; lookups and what waits have bounds."""
    with dns.Server() as server, Place() as late:
        for number in range(40):
            server[f'slow{number}.test', 'A'] = Answer(silent=True)
            server[f'slow{number}.test', 'AAAA'] = Answer(silent=True)
        server['late.test', 'A'] = Answer(['127.0.0.1'], delay=1)
        gw = gateway(udp.config(rules=ALL, core=dns.core(server, timeout='5s', tries=1)))
        with associate(gw) as one:
            one.send(b'late', (b'late.test', late.port))
            for number in range(40):
                one.send(b'slow', (b'slow%d.test' % number, place.port))
            for _ in range(20):
                one.trip(place)
            late.expect(b'late')
            asked = {name for name, _ in server.asked}
            assert len(asked) == 16 and 'late.test' in asked
            drops = end_of(gw, one)['udp_drops']
        assert drops == {'queue': 40 - 15, 'name': 15}


@pytest.mark.parametrize('mode', ['address', 'address_port', 'any'])
def test_who_may_answer(gateway, place, mode):
    """S5-U21: "address" (the default), "address_port", "any"."""
    gw = gateway(udp.config({} if mode == 'address' else {'filter': mode}))
    with Place() as same_address, Place('127.0.0.4') as stranger, associate(gw) as one:
        seen = one.trip(place)
        same_address.send(b'same address', seen)
        stranger.send(b'stranger', seen)
        place.send(b'written to', seen)
        expected = {'address': [(b'same address', same_address.where)], 'address_port': [],
                    'any': [(b'same address', same_address.where), (b'stranger', stranger.where)]}[mode]
        assert [one.recv() for _ in range(len(expected) + 1)] == [*expected, (b'written to', place.where)]
        assert one.own.silent()
        end = end_of(gw, one)
    assert end['udp_drops'].get('source', 0) == 2 - len(expected)


def test_nobody_answers_before_the_first(gateway, place):
    """"any" too: as long as the client has sent nothing there is nowhere to send answers to."""
    gw = gateway(udp.config({'filter': 'any'}))
    worker = gw.workers()[0]
    before = descriptors(worker)
    with associate(gw) as one:
        assert descriptors(worker) == before + 2  # no socket towards targets
        one.trip(place)


def test_destinations_make_room(gateway):
    """A bound on destinations: who was not written to for longest is forgotten, and may not answer any more."""
    with contextlib.ExitStack() as stack:
        places = [stack.enter_context(Place(f'127.0.1.{n}')) for n in range(1, 8)]
        gw = gateway(udp.config({'destinations': 4}))
        one = stack.enter_context(associate(gw))
        seen = [one.trip(place) for place in places]
        for place, at in zip(places, seen):
            place.send(place.host.encode(), at)
        assert {one.recv()[0] for _ in range(4)} == {place.host.encode() for place in places[3:]}
        one.trip(places[0])
        end = end_of(gw, one)
    assert end['udp_drops'] == {'source': 3}


# ---- limits

def test_limits(gateway, place):
    """Associations of a user and of a client address, counted over all workers; one that ends makes room."""
    gw = gateway(udp.config({'per_user': 3, 'per_client': 4}, core={'workers': 3},
                            modules=[sockgate.test_module('auth_claim', name='claim')], hooks={'auth': ['claim']}))

    def by(user, source):
        client = gw.connect(source=source)
        client.claim(user, assurance=20)
        return Association(client, greeted=True)
    with contextlib.ExitStack() as stack:
        alice = [stack.enter_context(by('alice', '127.0.0.1')) for _ in range(3)]
        refused = by('alice', '127.0.0.2')
        assert refused.reply.octets == failure(2)
        end = gw.wait_end(refused.client)
        assert (end['event'], end['reason']) == ('session_refused', 'limit') and 'user' in end['reason_text']
        stack.enter_context(by('bob', '127.0.0.1'))
        refused = by('bob', '127.0.0.1')
        assert refused.reply.octets == failure(2)
        assert 'client address' in gw.wait_end(refused.client)['reason_text']
        stack.enter_context(by('bob', '127.0.0.2'))
        alice[0].client.close()
        gw.wait_end(alice[0].client)
        stack.enter_context(by('alice', '127.0.0.2')).trip(place)


def test_a_thousand_in_a_row(gateway, place):
    """1,000 associations leave no descriptor behind, and no place taken."""
    gw = gateway(udp.config({'per_client': 2}))
    worker = gw.workers()[0]
    before = descriptors(worker)
    for number in range(1000):
        with associate(gw) as one:
            if number % 100 == 0:
                one.trip(place)
        gw.clients.remove(one.client)
        sockgate.wait_until(lambda: descriptors(worker) <= before + 1, what='the end of the association')
    gw.wait_records(1000, event='session_end')
    assert descriptors(worker) == before


def test_no_descriptor_is_left(gateway, place):
    """A worker at its limit of descriptors: 01, and associations that are there go on."""
    gw = gateway(udp.config(), nofile=(40, 40))
    with contextlib.ExitStack() as stack:
        ones = []
        while True:
            client = gw.connect()
            client.send(greeting() + request('0.0.0.0', 0, cmd=3))
            if not servers.readable(client.sock, 1):
                break  # it waits in the backlog
            client.expect(b'\x05\x00')
            if client.reply().rep != 0:
                assert gw.wait_end(client)['error'] == 'EMFILE'
                break
            stack.enter_context(client)
            ones.append(client)
        assert len(ones) > 5
        client.close()
    with associate(gw) as one:
        one.trip(place)


def test_a_killed_worker(gateway, place):
    """SIGKILL: the session has its end in the log, with what was counted until then."""
    gw = gateway(udp.config(), ledger=False)
    with associate(gw) as one:
        one.raw(b'garbage')
        one.trip(place, b'four')
        # A datagram is counted when it has been sent: the client can have it a moment before.
        sockgate.wait_until(lambda: listed(gw)[one.client.name]['bytes_down'] == 4, what='the count')
        os.kill(gw.workers()[0], signal.SIGKILL)
        end = gw.wait_end(one.client)
    assert (end['event'], end['reason']) == ('session_end', 'worker_lost')
    assert (end['bytes_up'], end['bytes_down'], end['udp_drops']) == (4, 4, {'header': 1})
    assert [r['event'] for r in gw.records(id=end['id'])] == ['session_start', 'session_end']
    sockgate.wait_until(gw.workers, what='the next worker')
    with associate(gw) as one:
        one.trip(place)


# ---- spellings

class Land:
    """A namespace where every IPv4 address is answered by one socket, which writes down which was reached."""

    PORT = 8080

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        self.ns = self.stack.enter_context(Namespace())
        self.ns.ip('route add local 0.0.0.0/0 dev lo')
        self.stack.enter_context(self.ns.entered())
        self.sock = self.stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.sock.setsockopt(socket.IPPROTO_IP, 8, 1)  # IP_PKTINFO
        self.sock.bind(('0.0.0.0', self.PORT))
        self.server = self.stack.enter_context(dns.Server())
        return self

    def __exit__(self, *unused):
        self.stack.close()

    def reached(self):
        """Every address that something was sent to since the last time."""
        found = []
        while select.select([self.sock], [], [], 0)[0]:
            _, control, _, _ = self.sock.recvmsg(2048, 256)
            found.append(socket.inet_ntoa(control[0][2][8:12]))
        return found


@needs_root
def test_spellings(gateway):
    """T46, V12: 41 spellings of 8 denied addresses over UDP: none is reached, and the allowed one is by each that has one."""
    with Land() as land:
        rules = [{'deny': {'dst': ['10.1.0.0/16', '198.51.100.0/24']}, 'label': 'inner'}, {'allow': {}, 'label': 'rest'}]
        gw = gateway(udp.config({'destinations': 4096}, rules=rules, core=dns.core(land.server)), netns=land.ns, ledger=False)
        cells = 0
        with associate(gw) as one:
            for name, host in dict(DENIED, allowed=ALLOWED).items():
                tries = [text.encode() for text in texts(host)] + literals(host)
                for kind, entry in answers(host).items():
                    for record_type, value in entry.items():
                        land.server[f'{kind}.{name.replace("_", "-")}.test', record_type] = value
                    tries.append(f'{kind}.{name.replace("_", "-")}.test'.encode())
                for spelling in tries:
                    one.send(b'spelled', (spelling, land.PORT))
                    # The next in the queue, to a place that is known: what came before it has been dealt with, unless it
                    # waits for a name.
                    one.send(b'mark', (ALLOWED, land.PORT + 1))
                    cells += name != 'allowed'
                if name != 'allowed':
                    gw.wait(lambda: not select.select([land.sock], [], [], 0.05)[0], 'silence')
            sockgate.wait_until(lambda: select.select([land.sock], [], [], 0.1)[0], what='the allowed one')
            got = []
            sockgate.wait_until(lambda: got.extend(land.reached()) or len(got) >= 38, what='38 of the allowed spellings')
            assert set(got) == {ALLOWED}
            drops = end_of(gw, one)['udp_drops']
        print(f'{cells} cells, 0 reached, {drops}')
        assert cells == 41 * len(DENIED)
