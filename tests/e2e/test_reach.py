# SPDX-License-Identifier: BSD-2-Clause
"""What must not be reached is not, however it is spelled and whoever answers for it (T46, T47; V11 to V16)."""

import concurrent.futures
import contextlib
import ipaddress
import itertools
import select
import socket
import threading

import pytest

import dns
import network
import sockgate
from conftest import needs_root
from dns import Answer
from socks import BIND, CONNECT, Client, request

PORT = 8080
ALLOWED = '203.0.113.9'
DENIED = {'loopback': '127.0.0.1', 'metadata': '169.254.169.254', 'link_local': '169.254.1.1', 'unspecified': '0.0.0.0',
          'multicast': '224.0.0.1', 'self': '10.99.0.1', 'rule': '10.1.2.3', 'rule_by_set': '198.51.100.77'}


def octal(n):
    return f'0{n:o}'


def texts(host):
    """How a name can spell it, for inet_aton(3) and for IPv6."""
    a, b, c, d = (int(part) for part in host.split('.'))
    whole = int(ipaddress.ip_address(host))
    high, low = f'{whole >> 16:x}', f'{whole & 0xffff:x}'
    return [host, host + '.', f'{a}.{b}.{c * 256 + d}', f'{a}.{(b << 16) + (c << 8) + d}', str(whole), hex(whole), octal(whole),
            hex(whole).upper().replace('X', 'x'), '.'.join(map(octal, (a, b, c, d))), '.'.join(map(hex, (a, b, c, d))),
            f'0x{a:X}.{b}.{c}.{d}', f'{octal(a)}.{b}.{hex(c)}.{d}', f'000{a:o}.{b}.{c}.{d}', f'{hex(a)}.{(b << 16) + (c << 8) + d}',
            f'::ffff:{host}', f'::FFFF:{host}', f'::ffff:{high}:{low}', f'0:0:0:0:0:ffff:{high}:{low}', f'::{host}', f'::{high}:{low}',
            f'64:ff9b::{host}', f'64:FF9B::{high}:{low}', f'2002:{high}:{low}::', f'2002:{high}:{low}::1', f'[::ffff:{host}]',
            f'{octal(a)}.{hex((b << 16) + (c << 8) + d)}', f'{host}%lo']


def literals(host):
    whole = int(ipaddress.ip_address(host)).to_bytes(4, 'big')
    return [host, *(str(ipaddress.ip_address(octets)) for octets in (
        bytes(10) + b'\xff\xff' + whole, bytes(12) + whole, b'\x00\x64\xff\x9b' + bytes(8) + whole,
        b'\x20\x02' + whole + bytes(10), b'\x20\x02' + whole + bytes(9) + b'\x01'))]


def answers(host):
    """What a name server can say so that it would be reached."""
    mapped, compatible, nat64, six_to_four = literals(host)[1:5]
    return {'a': {'A': [host]}, 'a-after': {'A': [host, host]}, 'mapped': {'AAAA': [mapped]}, 'compatible': {'AAAA': [compatible]},
            'nat64': {'AAAA': [nat64]}, 'sixtofour': {'AAAA': [six_to_four]}, 'both': {'A': [host], 'AAAA': [mapped]},
            'cname': {'A': Answer([host], cnames=('x.test', 'y.test'))}}


class Land:
    """A namespace where every address is answered by one listener, which writes down which was reached."""

    def __enter__(self):
        self._stack = contextlib.ExitStack()
        self.ns = self._stack.enter_context(network.everywhere())
        self.sock = self._stack.enter_context(socket.socket(socket.AF_INET6))
        self.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.sock.bind(('::', PORT))
        self.sock.listen(1024)
        self.server = self._stack.enter_context(dns.Server())
        self.reached = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def _serve(self):
        while not self._ended.is_set():
            if select.select([self.sock], [], [], 0.05)[0]:
                taken = self.sock.accept()[0]
                self.reached.append(taken.getsockname()[0])
                taken.close()

    def __exit__(self, *unused):
        self._ended.set()
        self._thread.join()
        self._stack.close()

    def gateway(self, gateway):
        gw = gateway(sockgate.config(rules=[{'allow': {}}]), ready=False)
        gw.kill()
        (gw.dir / 'denied.txt').write_text('198.51.100.0/24\n')
        rules = [{'deny': {'dst': '10.1.0.0/16'}, 'label': 'inner'},
                 {'deny': {'dst': f'@{gw.dir}/denied.txt'}, 'label': 'set'}, {'allow': {}, 'label': 'rest'}]
        return gateway(sockgate.config(rules=rules, core=dns.core(self.server),
                                       hooks={'command': {'connect': 'connect', 'bind': 'bind'}}), netns=self.ns, ledger=False)


def ask(where, host, cmd=CONNECT):
    with Client(where) as client:
        assert client.greet() == 0
        client.send(request(host, PORT, cmd=cmd))
        return client.recv_exactly(10)[1]


@pytest.fixture
def land():
    with Land() as made:
        yield made


@needs_root
@pytest.mark.parametrize('cmd', [CONNECT, BIND], ids=['connect', 'bind'])
def test_spellings(gateway, land, cmd):
    """T46: 41 spellings of 8 denied addresses; none is reached, and the allowed one is, by each of them (V11 to V15). BIND
    waits for none of them."""
    gw = land.gateway(gateway)
    where = gw.address()
    spelled = {name: texts(host) for name, host in dict(DENIED, allowed=ALLOWED).items()}
    cells, allowed_reps = 0, []
    for name, host in dict(DENIED, allowed=ALLOWED).items():
        tries = [text.encode() for text in spelled[name]] + literals(host)
        for kind, entry in answers(host).items():
            for record_type, value in entry.items():
                land.server[f'{kind}.{name.replace("_", "-")}.test', record_type] = value
            tries.append(f'{kind}.{name.replace("_", "-")}.test'.encode())
        for spelling in tries:
            rep = ask(where, spelling, cmd)
            if name == 'allowed':
                allowed_reps.append(rep)
            else:
                cells += 1
                assert rep in (1, 2, 4), f'{name} as {spelling}: REP {rep:02x}'
                assert not [a for a in land.reached if ALLOWED not in a], f'{name} as {spelling} reached {land.reached}'
    print(f'{cells} cells, 0 reached')
    assert cells == 41 * len(DENIED)
    # Nearly all of them work: the net that catches the others is none that stops everything.
    assert allowed_reps.count(0) >= 38
    assert set(land.reached) == ({f'::ffff:{ALLOWED}'} if cmd == CONNECT else set())


@needs_root
def test_rebinding(gateway, land):
    """T47, V16: a name that changes its address with every answer: what was evaluated is what is dialled, 1,000 times."""
    gw = land.gateway(gateway)
    where = gw.address()
    turns = [itertools.cycle([[ALLOWED], [host], [ALLOWED, host], [host, ALLOWED]]) for host in DENIED.values()]
    for number, turn in enumerate(turns):
        land.server[f'turn{number}.test', 'A'] = lambda turn=turn: Answer(next(turn), ttl=0)
        land.server[f'turn{number}.test', 'AAAA'] = Answer()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        def work(number):
            with land.ns.entered():
                return ask(where, b'turn%d.test' % (number % len(turns)))
        reps = list(pool.map(work, range(1000)))
    assert set(reps) == {0, 2} and min(reps.count(0), reps.count(2)) > 100
    sockgate.wait_until(lambda: len(land.reached) >= reps.count(0), what='the connections')
    assert set(land.reached) == {f'::ffff:{ALLOWED}'}
    print(f'{len(reps)} tries, {reps.count(2)} refused, 0 reached')
