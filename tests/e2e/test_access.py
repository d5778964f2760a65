# SPDX-License-Identifier: BSD-2-Clause
"""Who may reach what: ranges of clients, rules, and the special ranges that no rule opens by accident."""

import pathlib
import re
import socket

import pytest

import network
import servers
import sockgate
import socks
from conftest import needs_ipv6, needs_root
from socks import failure, request

ADDRESSES = pathlib.Path(__file__).resolve().parent.parent / 'vectors' / 'addresses.tsv'


def ask(gw, host, port, name='main', **keys):
    """(REP, the last record) of a CONNECT by a client of its own."""
    with gw.connect(name, **keys) as client:
        assert client.greet() == 0
        client.send(request(host, port))
        reply = client.reply()
        assert reply.rep == 0 or reply.octets == failure(reply.rep)
        client.close()
        return reply.rep, gw.wait_end(client)


# ---- clients

def test_clients(gateway, target):
    """`clients` of a listener: who is outside is closed at accept, with a record and without an octet."""
    gw = gateway(sockgate.config(listeners=[sockgate.listener(clients=['127.0.0.32/27', '127.0.0.9'])]))
    for source, inside in (('127.0.0.33', True), ('127.0.0.63', True), ('127.0.0.64', False), ('127.0.0.9', True),
                           ('127.0.0.1', False)):
        with gw.connect(source=source) as client:
            if inside:
                client.open(*target.where)
            else:
                client.expect_end()
                record = gw.wait_end(client)
                assert (record['event'], record['reason']) == ('session_refused', 'client_range')
                assert gw.records(client=client.name) == [record]


# ---- rules

def test_first_rule_decides(gateway):
    """The first rule whose conditions all hold decides; no rule: refused."""
    with servers.Refusing() as one, servers.Refusing() as other:
        gw = gateway(sockgate.config(rules=[
            {'allow': {'client': ['127.0.0.7'], 'dst_port': [str(one.where[1])]}, 'label': 'seven',
             'special': ['loopback']},
            {'deny': {'dst_port': [str(one.where[1])]}, 'label': 'not one'},
            {'allow': {'dst': ['127.0.0.1'], 'cmd': ['connect']}, 'label': 'loop', 'special': ['loopback']}]))
        for source, dst, port, rep, rule in (
                ('127.0.0.7', '127.0.0.1', one.where[1], 5, 'seven'),
                ('127.0.0.1', '127.0.0.1', one.where[1], 2, 'not one'),
                ('127.0.0.7', '127.0.0.1', other.where[1], 5, 'loop'),
                ('127.0.0.1', '127.0.0.1', other.where[1], 5, 'loop'),
                ('127.0.0.1', '127.0.0.2', other.where[1], 2, 'default'),
                ('127.0.0.1', '::ffff:127.0.0.2', other.where[1], 2, 'default'),
                ('127.0.0.1', '::ffff:127.0.0.1', other.where[1], 5, 'loop'),
                ('127.0.0.1', b'127.0.0.1', other.where[1], 5, 'loop')):
            got, record = ask(gw, dst, port, source=source)
            assert (got, record['rule']) == (rep, rule), (source, dst, port)
            assert record['event'] == ('session_refused' if rep == 2 else 'session_failed')


def test_rules_by_listener(gateway, target):
    """A listener may replace a key of the hook table, and keeps the others."""
    denies = {'name': 'nothing', 'file': 'access_rules.so', 'settings': {'rules': [{'deny': {}, 'label': 'shut'}]}}
    gw = gateway(sockgate.config(modules=[denies], listeners=[
        sockgate.listener(), sockgate.listener('shut', hooks={'access': ['nothing']})]))
    assert ask(gw, *target.where, name='shut')[0] == 2
    with gw.connect() as client:
        client.open(*target.where)
    assert gw.records(rule='shut')


def test_two_access_modules(gateway, target):
    """Asked in order: the first that decides ends the list."""
    second = {'name': 'second', 'file': 'access_rules.so', 'settings': {'rules': sockgate.LOOPBACK_RULES}}
    gw = gateway(sockgate.config(rules=[{'deny': {'client': ['127.0.0.2']}, 'label': 'first'}], modules=[second],
                                 hooks={'access': ['rules', 'second']}))
    assert ask(gw, *target.where, source='127.0.0.2')[1]['rule'] == 'first'
    assert ask(gw, *target.where, source='127.0.0.3')[1]['rule'] == 'default'


# ---- special ranges

ANY = [{'allow': {}, 'label': 'any'}]


def spellings(classes):
    """[(text, canonical address)] of addresses.tsv whose class is one of these."""
    rows = []
    for line in ADDRESSES.read_text(encoding='ascii').splitlines():
        if not line.startswith('#'):
            text, kind, canonical, special = line.split('\t')
            if special in classes and kind.startswith('literal'):
                rows.append((text, canonical))
    return rows


def forms(text):
    """The ways in which a request can hold this spelling: as a name, and as the octets of an address."""
    yield text.encode()
    if ':' in text:
        yield socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, text))
    else:
        yield socket.inet_ntoa(socket.inet_aton(text.rstrip('.')))


@pytest.mark.parametrize('special', ['loopback', 'link_local', 'metadata', 'multicast', 'unspecified'])
def test_special_ranges(gateway, special):
    """T46, V11 to V15, S5-Q05, S5-Q10: a rule that allows everything reaches none of them, however they are spelled."""
    gw = gateway(sockgate.config(rules=ANY))
    rows = spellings([special])
    assert len(rows) >= 5
    for text, canonical in rows:
        for host in forms(text):
            rep, record = ask(gw, host, 9)
            assert (rep, record['reason']) == (2, 'special_range'), (host, record)
            assert record['event'] == 'session_refused'
            assert record['target'] == socks.text_of((canonical, 9)), host
            assert 'tried' not in record and 'host' not in record
            assert record['reason_text'].startswith(f'{canonical} is in a range (') and special in record['reason_text']


def test_special_opens_what_it_names(gateway):
    """`special` opens the ranges that it names, and only these: loopback does not open the unspecified address, which
    the kernel would connect to loopback as well (V14)."""
    with servers.Refusing() as refusing:
        gw = gateway(sockgate.config(rules=[{'allow': {}, 'special': ['loopback']}]))
        port = refusing.where[1]
        for host, rep in (('127.0.0.1', 5), (b'127.0.0.1', 5), ('::ffff:127.0.0.1', 5), ('64:ff9b::7f00:1', 5),
                          ('0.0.0.0', 2), (b'0', 2), ('::', 2), ('::ffff:0.0.0.0', 2), ('64:ff9b::', 2),
                          ('169.254.169.254', 2), ('224.0.0.1', 2)):
            assert ask(gw, host, port)[0] == rep, host


def test_range_of_a_rule_opens_nothing(gateway):
    """A range that happens to cover loopback does not open it; nor does the very address."""
    for dst in (['0.0.0.0/0', '::/0'], ['127.0.0.0/8'], ['127.0.0.1']):
        gw = gateway(sockgate.config(rules=[{'allow': {'dst': dst}}]))
        assert ask(gw, '127.0.0.1', 9)[1]['reason'] == 'special_range'


@needs_root
def test_own_addresses(gateway):
    """The gateway's own addresses are special too, also one that was added while it runs."""
    with network.Namespace() as ns:
        own = {'name': 'own', 'file': 'access_rules.so', 'settings': {'rules': [{'allow': {}, 'special': ['self']}]}}
        gw = gateway(sockgate.config(rules=ANY, modules=[own], listeners=[
            sockgate.listener(), sockgate.listener('open', hooks={'access': ['own']})]), netns=ns)
        for host in ('10.99.0.1', b'10.99.0.1', '::ffff:10.99.0.1', 'fd99::1', b'fd99::1', '64:ff9b::a63:1'):
            assert ask(gw, host, 9)[1]['reason'] == 'special_range', host
            assert ask(gw, host, 9, name='open')[0] == 5, host
        ns.ip('addr add 10.99.7.7/32 dev void0')
        sockgate.wait_until(lambda: ask(gw, '10.99.7.7', 9)[1]['reason'] == 'special_range', what='the new address')
        gw.stop()


@needs_ipv6
def test_ipv6_rules(gateway):
    """Ranges of IPv6, and loopback of either family by one word."""
    with servers.Refusing('::1') as refusing:
        gw = gateway(sockgate.config(rules=[{'deny': {'dst': ['fd00:1::/32']}, 'label': 'one'},
                                            {'allow': {'dst': ['::1/128', 'fd00::/8']}, 'special': ['loopback']}]))
        assert ask(gw, 'fd00:1::7', 9)[1]['rule'] == 'one'
        assert ask(gw, '::1', refusing.where[1])[0] == 5
        assert ask(gw, b'::1', refusing.where[1])[0] == 5
        assert ask(gw, b'0:0:0:0:0:0:0:1', refusing.where[1])[0] == 5
        assert ask(gw, 'fe80::1', 9)[1]['rule'] == 'default'


def test_refusals_name_the_rule(gateway):
    """The record of a refusal says which rule, and where it stands in the file."""
    gw = gateway(sockgate.config(rules=[{'deny': {'dst_port': ['25']}, 'label': 'no mail'},
                                        {'deny': {'dst_port': ['26']}}]))
    lines = gw.conf.read_text().splitlines()
    for port, label, text in ((25, 'no mail', 'no mail'), (26, 'rule 2', '"26"'), (27, 'default', 'rules')):
        record = ask(gw, '127.0.0.1', port)[1]
        place = re.fullmatch(re.escape(str(gw.conf)) + r':(\d+)', record['rule_at'])
        assert record['rule'] == label and text in lines[int(place[1]) - 1]
