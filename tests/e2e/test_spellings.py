# SPDX-License-Identifier: BSD-2-Clause
"""Denied IPv6 addresses, and names that this machine itself gives to denied ones (T46; V11, V13, V14).

test_reach.py spells IPv4 addresses, which is where most of the ways around a rule are.
"""

import ipaddress

import dns
import sockgate
from conftest import needs_root
from dns import Answer
from test_reach import Land, ask

ALLOWED = '2001:db8:600d::9'
DENIED = {'loopback': '::1', 'metadata': 'fd00:ec2::254', 'link-local': 'fe80::1:2', 'unspecified': '::',
          'multicast': 'ff02::1', 'self': 'fd99::1', 'rule': '2001:db8:bad::7', 'set': '2001:db8:5e7::ff'}


def spellings(host):
    """How a client can write it: ATYP 04, and a name that spells it."""
    ip = ipaddress.ip_address(host)
    tail = ipaddress.IPv4Address(ip.packed[12:])
    groups = ip.exploded.split(':')
    texts = [host, host.upper(), ip.exploded, ip.exploded.upper(), ':'.join(f'{int(group, 16):x}' for group in groups),
             ':'.join(groups[:6]) + f':{tail}']
    return [host, *(text.encode() for text in texts)]


def answers(server, name, host):
    """Names that a server, or the file of hosts, says have that address; the lines of that file."""
    server[f'plain.{name}.test', 'AAAA'] = [host]
    server[f'beside.{name}.test', 'AAAA'] = [host, host]
    server[f'alias.{name}.test', 'AAAA'] = Answer([host], cnames=('a.test', 'b.test'))
    server[f'tcp.{name}.test', 'AAAA'] = Answer([host], truncated=True)
    server[f'tcp.{name}.test', 'A'] = Answer()
    return f'{host} file.{name}.test\n'


def names(name):
    return [f'{kind}.{name}.test'.encode() for kind in ('plain', 'beside', 'alias', 'tcp', 'file')]


def start(gateway, land, tmp_path):
    """A gateway in a land where every address is reached unless the gateway says no."""
    everyone = dict(DENIED, allowed=ALLOWED)
    hosts, denied = tmp_path / 'hosts', tmp_path / 'denied.txt'
    hosts.write_text(''.join(answers(land.server, name, host) for name, host in everyone.items()) +
                     '127.0.0.1 four.test\n169.254.169.254 metadata.test\n10.99.0.1 own.test\n')
    denied.write_text('2001:db8:5e7::/48\n')
    rules = [{'deny': {'dst': '2001:db8:bad::/48'}, 'label': 'inner'}, {'deny': {'dst': f'@{denied}'}, 'label': 'set'},
             {'allow': {}, 'label': 'rest'}]
    core = dns.core(land.server, hosts=str(hosts))
    return gateway(sockgate.config(rules=rules, core=core), netns=land.ns, ledger=False)


@needs_root
def test_ipv6(gateway, tmp_path):
    """T46: 12 spellings of 8 denied IPv6 addresses: 02 and not reached; all of them reach the one that is allowed."""
    with Land() as land:
        where = start(gateway, land, tmp_path).address()
        cells = 0
        for name, host in DENIED.items():
            for spelling in spellings(host) + names(name):
                assert ask(where, spelling) == 2, f'{name} as {spelling}'
                cells += 1
        assert land.reached == []
        tries = spellings(ALLOWED) + names('allowed')
        assert [ask(where, spelling) for spelling in tries] == [0] * len(tries)
        sockgate.wait_until(lambda: len(land.reached) >= len(tries), what='the connections')
        assert set(land.reached) == {ALLOWED}
    print(f'{cells} cells, 0 reached')
    assert cells == 12 * len(DENIED)


@needs_root
def test_names_of_this_machine(gateway, tmp_path):
    """V11: localhost, and what the file of hosts says, is judged like an answer; no server is asked."""
    with Land() as land:
        gw = start(gateway, land, tmp_path)
        those = (b'localhost', b'LocalHost', b'localhost.', b'a.b.localhost', b'four.test', b'FOUR.test.',
                 b'metadata.test', b'own.test')
        for name in those:
            assert ask(gw.address(), name) == 2, name
        assert land.reached == [] and not land.server.asked
        reasons = [(record['reason'], 'tried' in record) for record in gw.wait_records(8, event='session_refused')]
        assert reasons == [('special_range', False)] * 8
