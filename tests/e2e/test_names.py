# SPDX-License-Identifier: BSD-2-Clause
"""Names: the lookups, what goes wrong with them, the race of the addresses (RFC 8305), what is remembered."""

import contextlib
import os
import random
import shutil
import socket
import subprocess
import threading
import time

import pytest

import dns
import network
import servers
import sockgate
from conftest import needs_ipv6, needs_root
from dns import Answer
from socks import failure, request

ALL = [{'allow': {}, 'label': 'all', 'special': ['loopback', 'self']}]


@pytest.fixture(scope='module')
def server():
    with dns.Server() as made:
        yield made


def config(server, resolver=None, **keys):
    return sockgate.config(core=dns.core(server, **(resolver or {})), rules=keys.pop('rules', ALL), **keys)


@pytest.fixture
def gw(gateway, server):
    return gateway(config(server))


def refused(client, name, rep, port=80):
    assert client.greet() == 0
    client.send(request(name.encode(), port))
    client.expect(failure(rep))
    client.expect_end()
    client.close()


def start_of(gw, client):
    """The record of what it has reached."""
    return gw.wait_record(event='session_start', client=client.name)


def opened(gw, name, port):
    """How long until the reply of a success."""
    with gw.connect() as client:
        client.greet()
        began = time.monotonic()
        reply = client.request(name.encode(), port)
        took = time.monotonic() - began
        assert reply.rep == 0, f'REP {reply.rep:02x}'
    return took


def test_curl(gw, server, tmp_path):
    """`curl --socks5-hostname`: the gateway looks the name up."""
    if not shutil.which('curl'):
        pytest.skip('curl is missing')
    (tmp_path / 'file').write_bytes(b'x' * 100000)
    server['files.test', 'A'] = ['127.0.0.1']
    web = subprocess.Popen(['/usr/bin/python3', '-m', 'http.server', '--bind', '127.0.0.1', '0'], cwd=tmp_path,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={'PYTHONUNBUFFERED': '1'})
    try:
        port = web.stdout.readline().split(' port ')[1].split()[0]
        done = subprocess.run(['curl', '-sS', '--max-time', '30', '--socks5-hostname', '%s:%d' % gw.address(),
                               f'http://files.test:{port}/file'], capture_output=True, check=False)
    finally:
        web.kill()
        web.communicate()
    assert (done.returncode, len(done.stdout)) == (0, 100000), done.stderr
    assert gw.wait_record(event='session_end')['host'] == 'files.test'


@needs_ipv6
def test_localhost_is_known_to_all(gw, server, target):
    """RFC 6761: no server is asked; IPv6 first, and what is closed there costs nothing."""
    for name in ('localhost', 'LOCALHOST', 'a.localhost'):
        with gw.connect() as client:
            client.open(name.encode(), target.port)
            record = start_of(gw, client)
            assert (record['host'], record['target']) == (name, f'127.0.0.1:{target.port}')
            assert record['tried'] == [f'[::1]:{target.port}', f'127.0.0.1:{target.port}']
    assert not any('localhost' in name for name, _ in server.asked)


# what the server says (A; AAAA is the same), REP, a word of the reason_text
FAILURES = [
    ('none', None, 4, 'no such name'),
    ('empty', Answer(), 4, 'no address'),
    ('servfail', Answer(rcode=dns.SERVFAIL), 1, 'servers failed'),
    ('refused', Answer(rcode=dns.REFUSED), 1, 'refused'),
    ('silent', Answer(silent=True), 1, 'in time'),
    ('truncated', Answer(truncated='refused'), 1, ''),
    ('loop', Answer(cnames=('loop2.test', 'loop.test', 'loop2.test')), 4, 'no address'),
    ('garbage', Answer(['127.0.0.1'], garble=lambda octets: octets[:12] + b'\xff' * 40), 1, ''),
    ('half', Answer(['127.0.0.1'], garble=lambda octets: octets[:-6]), 1, ''),
    ('short', Answer(['127.0.0.1'], garble=lambda octets: octets[:7]), 1, ''),
    ('pointer', Answer(['127.0.0.1'], garble=dns.pointed_at_itself), 1, ''),
    ('count', Answer(['127.0.0.1'], garble=lambda octets: octets[:6] + b'\xff\xff' + octets[8:]), 1, ''),
    ('wrong-id', Answer(['127.0.0.1'], garble=lambda octets: bytes([octets[0] ^ 1]) + octets[1:]), 1, 'in time'),
    ('other', Answer(['127.0.0.1'], garble=lambda octets: octets[:13] + b'x' + octets[14:]), 1, 'in time'),
]


@pytest.mark.parametrize('name,answer,rep,words', FAILURES, ids=[row[0] for row in FAILURES])
def test_failures(gw, server, name, answer, rep, words):
    """T12, V28, S5-R04: no such name or no address is 04, a server that fails is 01, within the limit."""
    if answer:
        server[f'{name}.test', 'A'] = server[f'{name}.test', 'AAAA'] = answer
    with gw.connect() as client:
        began = time.monotonic()
        refused(client, f'{name}.test', rep)
        assert time.monotonic() - began < 10
        record = gw.wait_end(client)
    assert (record['event'], record['reason'], record['host']) == ('session_failed', 'resolve_failed', f'{name}.test')
    assert words in record['reason_text']


# what is said of A, what of AAAA, REP
MIXED = [
    (Answer(rcode=dns.SERVFAIL), Answer(), 1),
    (Answer(), Answer(rcode=dns.SERVFAIL), 1),
    (Answer(delay=0.1), Answer(rcode=dns.SERVFAIL), 1),
    (Answer(rcode=dns.SERVFAIL, delay=0.1), Answer(), 1),
    (Answer(), Answer(silent=True), 1),
    (Answer(rcode=dns.NXDOMAIN), Answer(), 4),
    (Answer(['127.0.0.1']), Answer(rcode=dns.SERVFAIL), 5),
    (Answer(['127.0.0.1']), Answer(silent=True), 5),
]


def test_one_family_fails(gw, server):
    """S5-R04: that one family has no address says nothing while the other is unknown; what was tried says more."""
    with servers.Refusing() as closed:
        for number, (four, six, rep) in enumerate(MIXED):
            server[f'mixed{number}.test', 'A'], server[f'mixed{number}.test', 'AAAA'] = four, six
            with gw.connect() as client:
                refused(client, f'mixed{number}.test', rep, closed.where[1])
                assert gw.wait_end(client)['reason'] == ('connect_failed' if rep == 5 else 'resolve_failed')


def test_dead_servers(gateway, server, target):
    """T12: one whose port is closed, or who is silent: 01, and with one more who answers, success."""
    server['alive.test', 'A'] = ['127.0.0.1']
    with servers.Refusing() as closed, dns.Server() as mute:
        mute['alive.test', 'A'] = mute['alive.test', 'AAAA'] = Answer(silent=True)
        for dead in ('%s:%d' % closed.where, mute.text):
            gw = gateway(config(server, {'servers': [dead]}))
            with gw.connect() as client:
                refused(client, 'alive.test', 1)
                assert gw.wait_end(client)['reason'] == 'resolve_failed'
            opened(gateway(config(server, {'servers': [dead, server.text]})), 'alive.test', target.port)


def test_mutated_answers(gateway, server, target):
    """T12, V28: 200 answers with octets that were changed at random; the worker lives, and answers everybody."""
    gw = gateway(config(server, rules=[{'allow': {'dst': '127.0.0.0/8'}, 'label': 'here', 'special': ['loopback']}]))
    workers = gw.workers()
    for number in range(200):
        def mutate(octets, rng=random.Random(number)):
            changed = bytearray(octets)
            for _ in range(rng.randint(1, 6)):
                changed[rng.randrange(2, len(changed))] = rng.choice((0, 1, 0x3f, 0xc0, 0xff, rng.randrange(256)))
            return bytes(changed[:rng.choice((len(changed), rng.randrange(len(changed))))])
        name = f'mutant{number}.test'
        server[name, 'A'] = server[name, 'AAAA'] = Answer(['127.0.0.1'] * 3, cnames=('c.test', ), garble=mutate)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(gw.connect()) for _ in range(200)]
        for number, client in enumerate(clients):
            client.greet()
            client.send(request(b'mutant%d.test' % number, target.port))
        reps = {client.reply().rep for client in clients}
    assert reps <= {0, 1, 2, 3, 4, 5} and len(reps) > 1
    server['sound.test', 'A'] = ['127.0.0.1']
    opened(gw, 'sound.test', target.port)
    assert gw.workers() == workers


def test_resolve_limit(gateway, server):
    """timeouts.resolve ends what the server's own time-outs would not."""
    server['black.test', 'A'] = server['black.test', 'AAAA'] = Answer(silent=True)
    gw = gateway(config(server, {'timeout': '30s', 'tries': 10}, timeouts={'resolve': '200ms'}))
    with gw.connect() as client:
        refused(client, 'black.test', 1)
        record = gw.wait_end(client)
    assert record['reason_text'] == 'no name server answered in time' and 200 <= record['duration_ms'] < 20000


def test_truncated_and_many(gw, server, target):
    """T12: over TCP when UDP is too small; of 200 addresses the first sixteen are tried, then it is over."""
    server['tcp.test', 'A'] = Answer(['127.0.0.1'], truncated=True)
    server['tcp.test', 'AAAA'] = Answer()
    opened(gw, 'tcp.test', target.port)
    assert server.asked['tcp.test', 'A'] == 2
    server['many.test', 'A'] = Answer([f'127.1.{i}.1' for i in range(200)], truncated=True)
    with servers.Refusing() as closed, gw.connect() as client:
        began = time.monotonic()
        refused(client, 'many.test', 5, closed.where[1])
        assert time.monotonic() - began < 2  # what has failed is not waited for: else 15 * 250 ms
        record = gw.wait_end(client)
    assert record['tried'] == [f'127.1.{i}.1:{closed.where[1]}' for i in range(16)]
    assert record['reason'] == 'connect_failed' and 'tried_more' not in record


def test_cname(gw, server, target):
    server['alias.test', 'A'] = Answer(['127.0.0.1'], cnames=('b.test', 'c.test'))
    opened(gw, 'alias.test', target.port)
    server['mapped.test', 'AAAA'] = Answer(['::ffff:127.0.0.1'])
    with gw.connect() as client:
        client.open(b'mapped.test', target.port)
        assert start_of(gw, client)['target'] == f'127.0.0.1:{target.port}'


@needs_ipv6
def test_aaaa_never_answered(gateway, server, target):
    """RFC 8305: 50 ms for the other answer, and no more."""
    gw = gateway(config(server, {'timeout': '20s'}))  # it is not the lookup's own time-out that ends the wait
    server['half.test', 'A'] = Answer(['127.0.0.1'])
    server['half.test', 'AAAA'] = Answer(silent=True)
    took = opened(gw, 'half.test', target.port)
    print(f'AAAA never answered: {took * 1000:.0f} ms (aim: under 100)')
    assert 0.045 < took < 1


@needs_ipv6
def test_a_never_answered(gateway, server):
    """RFC 8305 section 3: an AAAA answer waits for nothing, not even for the first time-out of the other question."""
    with servers.Target('::1') as six:
        server['six-only.test', 'A'] = Answer(silent=True)
        server['six-only.test', 'AAAA'] = Answer(['::1'])
        gw = gateway(config(server, {'timeout': '20s'}))
        assert opened(gw, 'six-only.test', six.port) < 10


@needs_ipv6
def test_aaaa_late(gw, server):
    """An answer within the delay still goes first; one after it is an address like others."""
    with servers.Target('::1') as six:
        def first_tried(name):
            server[name, 'A'] = Answer(['127.0.0.1'])
            server[name, 'AAAA'] = Answer(['::1'], delay=0.01)
            with gw.connect() as client:
                client.open(name.encode(), six.port)
                return start_of(gw, client)['tried'][0]
        # A busy machine makes 10 ms more than 50; not each time.
        assert f'[::1]:{six.port}' in [first_tried(f'soon{i}.test') for i in range(5)]
        server['late.test', 'A'] = Answer(['127.0.0.1'])
        server['late.test', 'AAAA'] = Answer(['::1'], delay=0.2)
        with gw.connect() as client:  # nobody listens on 127.0.0.1: the late answer is waited for
            client.open(b'late.test', six.port)
            assert start_of(gw, client)['tried'] == [f'127.0.0.1:{six.port}', f'[::1]:{six.port}']


@needs_root
def test_broken_ipv6(gateway):
    """An address that swallows packets costs 250 ms, not a time-out; the record names both (RFC 8305 section 5)."""
    with network.Namespace() as ns, ns.entered():
        ns.black_hole('fd99::2')
        with dns.Server() as server, servers.Target() as target:
            gw = gateway(config(server), netns=ns)
            server['both.test', 'AAAA'] = ['fd99::2']
            server['both.test', 'A'] = ['127.0.0.1']
            took = opened(gw, 'both.test', target.port)
            record = gw.wait_record(event='session_start')
            print(f'broken IPv6: {took * 1000:.0f} ms (aim: 250)')
            assert 0.24 < took < 2.5
            assert record['tried'] == [f'[fd99::2]:{target.port}', f'127.0.0.1:{target.port}']
            assert record['target'] == f'127.0.0.1:{target.port}'


@needs_root
def test_families_in_turn(gateway):
    """IPv6, IPv4, IPv6, ... ; no route is no SYN and no wait."""
    with network.Namespace() as ns, ns.entered():
        ns.ip('-6 route add unreachable 2001:db8::/32')
        for host in ('10.99.0.2', '10.99.0.3', 'fd99::2', 'fd99::3'):
            ns.black_hole(host)
        with dns.Server() as server:
            gw = gateway(config(server, timeouts={'connect': '1s'}), netns=ns)
            server['turn.test', 'AAAA'] = ['2001:db8::1', 'fd99::2', 'fd99::3']
            server['turn.test', 'A'] = ['10.99.0.2', '10.99.0.3']
            for _ in range(2):  # the second time both answers are there at once
                with gw.connect() as client:
                    refused(client, 'turn.test', 4)
                    record = gw.wait_end(client)
            assert record['tried'] == ['10.99.0.2:80', '[fd99::2]:80', '10.99.0.3:80', '[fd99::3]:80']
            assert (record['reason'], record['error']) == ('connect_failed', 'ETIMEDOUT')


@needs_root
def test_sixteen(gateway):
    """Of sixteen addresses of each family eight are tried, and none twice, however often an answer has it."""
    with network.Namespace() as ns, ns.entered():
        ns.ip('route add local 198.51.100.0/24 dev lo')
        ns.ip('-6 route add local 2001:db8::/32 dev lo')
        with dns.Server() as server:
            gw = gateway(config(server), netns=ns)
            six, four = [f'2001:db8::{i}' for i in range(1, 17)], [f'198.51.100.{i}' for i in range(1, 17)]
            for name, count in (('all', 16), ('twice', 1)):
                server[f'{name}.test', 'AAAA'] = six[:count] * 2
                server[f'{name}.test', 'A'] = four[:count] * 2
                for _ in range(2):  # the second time both answers are there at once
                    with gw.connect() as client:
                        refused(client, f'{name}.test', 5)
                        record = gw.wait_end(client)
                in_turn = [text for pair in zip(six, four) for text in (f'[{pair[0]}]:80', f'{pair[1]}:80')]
                assert record['tried'] == in_turn[:min(16, 2 * count)] and 'tried_more' not in record


# ---- what is remembered

def test_ttl(gw, server, target):
    """An answer lives as long as its TTL says; TTL 0 lives for nobody else."""
    server['minute.test', 'A'] = Answer(['127.0.0.1'], ttl=60)
    server['zero.test', 'A'] = Answer(['127.0.0.1'], ttl=0)
    server['second.test', 'A'] = Answer(['127.0.0.1'], ttl=1)
    for _ in range(3):
        for name in ('minute', 'zero', 'second'):
            opened(gw, f'{name}.test', target.port)
    assert [server.asked[f'{name}.test', 'A'] for name in ('minute', 'zero')] == [1, 3]
    before = server.asked['second.test', 'A']
    sockgate.wait_until(lambda: opened(gw, 'second.test', target.port) and server.asked['second.test', 'A'] > before,
                        what='a second question after a second')
    assert server.asked['minute.test', 'A'] == 1


@pytest.mark.parametrize('key,rcode,rep', [('negative_ttl', dns.NXDOMAIN, 4), ('failure_ttl', dns.SERVFAIL, 1)])
def test_negative_answers(gateway, server, target, key, rcode, rep):
    """That there is no such name is remembered, and that nobody could say: as long as is configured, then no more."""
    def asked_by_each(name, ttl):
        """How often the name is asked about for each of three sessions."""
        server[name, 'A'] = server[name, 'AAAA'] = Answer(rcode=rcode)
        gw = gateway(config(server, {key: ttl}))
        counts = [0]
        for _ in range(3):
            with gw.connect() as client:
                refused(client, name, rep)
            counts.append(server.asked[name, 'A'])
        return gw, [now > before for before, now in zip(counts, counts[1:])]

    assert asked_by_each(f'kept.{key}.test', '60s')[1] == [True, False, False]
    assert asked_by_each(f'gone.{key}.test', '0s')[1] == [True, True, True]
    gw, _ = asked_by_each(f'heals.{key}.test', '200ms')
    server[f'heals.{key}.test', 'A'] = ['127.0.0.1']

    def reached():
        with gw.connect() as client:
            client.greet()
            return client.request(f'heals.{key}.test'.encode(), target.port).rep == 0
    sockgate.wait_until(reached, what='the new answer')


def test_max_ttl(gateway, server, target):
    server['long.test', 'A'] = Answer(['127.0.0.1'], ttl=2**31 - 1)
    gw = gateway(config(server, {'max_ttl': '100ms'}))
    opened(gw, 'long.test', target.port)
    sockgate.wait_until(lambda: opened(gw, 'long.test', target.port) and server.asked['long.test', 'A'] > 1,
                        what='a question after max_ttl')


def test_one_question_for_many(gw, server, target):
    """Fifty sessions that want the same name at once: it is asked for once."""
    server['shared.test', 'A'] = Answer(['127.0.0.1'], ttl=0, delay=0.2)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(gw.connect()) for _ in range(50)]
        for client in clients:
            client.greet()
            client.send(request(b'Shared.TEST', target.port))
        for client in clients:
            assert client.reply().rep == 0
    assert server.asked['shared.test', 'A'] == 1


def test_cache_is_bounded(gateway, server, target):
    """More names than places: the oldest goes; all places taken by questions: 01, and at once."""
    gw = gateway(config(server, {'cache_entries': 16, 'timeout': '20s'}))
    for i in range(40):
        server[f'n{i}.test', 'A'] = ['127.0.0.1']
        opened(gw, f'n{i}.test', target.port)
    opened(gw, 'n0.test', target.port)
    assert server.asked['n0.test', 'A'] == 2
    with contextlib.ExitStack() as stack:
        for i in range(8):
            server[f's{i}.test', 'A'] = server[f's{i}.test', 'AAAA'] = Answer(silent=True)
            client = stack.enter_context(gw.connect())
            client.greet()
            client.send(request(b's%d.test' % i, 80))
            sockgate.wait_until(lambda name=f's{i}.test': server.asked[name, 'A'] and server.asked[name, 'AAAA'],
                                what='the question')
        with gw.connect() as client:
            refused(client, 'n1.test', 1)
            assert gw.wait_end(client)['reason'] == 'shortage'


def test_hosts(gateway, server, target):
    """100,000 lines are read at start; a change is seen by a reload and by nothing else."""
    gw = gateway(config(server, {'hosts': '@DIR@/hosts'}), ready=False)
    gw.kill()
    hosts = gw.dir / 'hosts'
    hosts.write_text(''.join(f'10.{i >> 16}.{i >> 8 & 255}.{i & 255} h{i} h{i}.test # x\n' for i in range(100000)) +
                     '127.0.0.1\tMine.test mine\n::1 six.test\n')
    again = gateway(gw.conf.read_text())
    with again.connect() as client:
        client.open(b'mine.TEST', target.port)
    target.accept().close()
    with again.connect() as client:  # a name of the file has what the file says, and no more
        client.greet()
        client.send(request(b'six.test', target.port))
        client.expect(failure(5))
    assert not server.asked['six.test', 'A'] and not server.asked['mine.test', 'A']
    with hosts.open('a') as out:
        out.write('127.0.0.1 new.test\n')
    with again.connect() as client:
        refused(client, 'new.test', 4, target.port)
    again.renew()
    with again.connect() as client:
        client.open(b'new.test', target.port)


# ---- others do not notice

def latencies(gw, target, more):
    """Seconds for a whole session with an address, each, sorted; as many as it takes until `more` says no."""
    took = []
    while more(len(took)):
        began = time.monotonic()
        with gw.connect() as client:
            client.open(*target.where)
        took.append(time.monotonic() - began)
        target.accept().close()
    return sorted(took)


def ask_all(gw, names, wrong):
    """Asks for all names at once, fifty clients at a time; names whose REP is not theirs go to `wrong`."""
    for at in range(0, len(names), 50):
        with contextlib.ExitStack() as stack:
            clients = [(stack.enter_context(gw.connect()), *row) for row in names[at:at + 50]]
            for client, name, _ in clients:
                client.send(b'\x05\x01\x00' + request(name.encode(), 80))
            for client, name, rep in clients:
                client.recv_exactly(2)
                got = client.reply().rep
                if got != rep:
                    wrong.append((name, got))


@pytest.mark.alone
@pytest.mark.parametrize('how', ['broken', 'dead'])
def test_others_do_not_wait(gateway, server, target, how):
    """T12, V39: while every kind of broken name is asked for, or no server is there, p99 of sessions with addresses,
    through the same worker, grows by next to nothing; and who asked gets the right REP."""
    # Where TCP is refused, all that is asked over TCP loses a try: not beside the one whose answer comes that way.
    kinds = [(answer, rep) for _, answer, rep, _ in FAILURES if answer and answer.truncated != 'refused']
    kinds.append((Answer([f'127.1.{i}.1' for i in range(200)], truncated=True), 5))
    names = []
    for number in range((8 if how == 'broken' else 40) * len(kinds)):
        answer, rep = kinds[number % len(kinds)]
        names.append((f'{how}{number}.test', rep if how == 'broken' else 1))
        server[names[-1][0], 'A'] = server[names[-1][0], 'AAAA'] = answer
    wrong = []
    with servers.Refusing() as closed:
        gw = gateway(config(server, {'servers': ['%s:%d' % closed.where]} if how == 'dead' else {}))
        latencies(gw, target, lambda n: n < 50)
        quiet = latencies(gw, target, lambda n: n < 500)
        thread = threading.Thread(target=ask_all, args=(gw, names, wrong))
        thread.start()
        loud = latencies(gw, target, lambda n: n < 500 or thread.is_alive())
        thread.join()
    assert wrong == []
    p99 = [times[int(len(times) * 0.99)] * 1000 for times in (quiet, loud)]
    print(f'p99 of {len(loud)} other sessions: {p99[0]:.1f} ms quiet, {p99[1]:.1f} ms beside {len(names)} {how} names '
          '(aim: at most 20 more)')
    assert p99[1] - p99[0] < 200


def test_tcp_refused_is_one_names_trouble(gateway, server, target):
    """T12: a server that answers "too long for UDP" and then closes TCP costs the other lookups nothing."""
    gw = gateway(config(server, {'timeout': '20s'}))
    server['slow.test', 'A'], server['slow.test', 'AAAA'] = Answer(['127.0.0.1'], delay=0.5), Answer()
    with gw.connect() as client:
        client.greet()
        client.send(request(b'slow.test', target.port))
        sockgate.wait_until(lambda: server.asked['slow.test', 'A'], what='the question')
        for number in range(3):
            server[f'cut{number}.test', 'A'] = server[f'cut{number}.test', 'AAAA'] = Answer(truncated='refused')
            with gw.connect() as other:
                refused(other, f'cut{number}.test', 1)
        assert client.reply().rep == 0
    assert server.asked['slow.test', 'A'] == 1


def test_client_leaves_while_asked(gw, server, target):
    """The answer comes to nobody, and the next who asks has it."""
    server['leave.test', 'A'] = Answer(['127.0.0.1'], delay=0.2)
    client = gw.connect()
    client.greet()
    client.send(request(b'leave.test', target.port))
    sockgate.wait_until(lambda: server.asked['leave.test', 'A'], what='the question')
    client.reset()
    assert gw.wait_end(client)['reason'] in ('client_reset', 'client_gone')
    opened(gw, 'leave.test', target.port)
    assert server.asked['leave.test', 'A'] == 1


@pytest.mark.parametrize('how', ['stop', 'reload'])
def test_end_while_asked(gateway, server, how):
    """Stopped or drained in the middle of a lookup: a record, and an end."""
    server['hang.test', 'A'] = server['hang.test', 'AAAA'] = Answer(silent=True)
    gw = gateway(config(server, {'timeout': '20s'}, timeouts={'drain': '500ms'}))
    client = gw.connect()
    client.greet()
    asked = server.asked['hang.test', 'A']
    client.send(request(b'hang.test', 80))
    sockgate.wait_until(lambda: server.asked['hang.test', 'A'] > asked, what='the question')
    if how == 'reload':
        gw.reload(gw.conf.read_text())
        assert gw.wait_end(client)['reason'] == 'drain_timeout'
    else:
        gw.stop()
        assert gw.records(client=client.name)[-1]['reason'] == 'stopped'


def test_answer_while_drained(gateway, server, target):
    """A generation that is drained still hears its name servers: the session becomes what it would have been."""
    server['drained.test', 'A'] = server['drained.test', 'AAAA'] = Answer(silent=True)
    gw = gateway(config(server, {'timeout': '200ms', 'tries': 10}, timeouts={'resolve': '30s', 'drain': '30s'}))
    with gw.connect() as client:
        client.greet()
        client.send(request(b'drained.test', target.port))
        sockgate.wait_until(lambda: server.asked['drained.test', 'A'], what='the question')
        gw.reload(gw.conf.read_text())
        server['drained.test', 'A'] = server['drained.test', 'AAAA'] = Answer(['127.0.0.1'])
        assert client.reply().rep == 0


# ---- what is a name

@pytest.mark.parametrize('name', [b'a..b', b'.a', b'a..', b'x' * 64 + b'.test', b'a b.test', b'a\x00b.test', b'a\\.test',
                                  b'.'.join([b'x' * 63] * 4)[:254]])
def test_no_name(gw, server, name):
    """S5-Q04: what cannot be a name is 01, and no server hears of it."""
    before = sum(server.asked.values())
    with gw.connect() as client:
        client.greet()
        client.send(request(name, 80))
        client.expect(failure(1))
        client.close()
        assert gw.wait_end(client)['reason'] == 'protocol_error'
    assert sum(server.asked.values()) == before


def test_longest_name(gw, server, target):
    """S5-Q04: 253 octets, with a dot behind them or without."""
    name = b'.'.join([b'x' * 63] * 3 + [b'y' * 61])
    server[name.decode(), 'A'] = ['127.0.0.1']
    for sent in (name, name + b'.'):
        with gw.connect() as client:
            client.open(sent, target.port)


def test_servers_of_the_system():
    """Without `servers` those of /etc/resolv.conf are asked: the configuration passes, whatever stands there."""
    done = subprocess.run([sockgate.BINARY, '-t', '-q'], env=dict(os.environ, SOCKGATE_MODULE_DIR=str(sockgate.MODULES)),
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
