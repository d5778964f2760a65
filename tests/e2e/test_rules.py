# SPDX-License-Identifier: BSD-2-Clause
"""Rules: equal to a reference, equal between `explain` and the gateway, tested by the configuration itself, and swapped
while they are in use."""

import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import tempfile
import threading

import pytest

import dns
import network
import reference
import servers
import sockgate
from conftest import needs_root
from socks import Client, failure, request

SEED = int(os.environ.get('SG_SEED', '0')) or random.randrange(1 << 30)
CTL = sockgate.BUILD / 'sockgatectl'

ANY = {'address': '0.0.0.0', 'open_proxy': True}
LISTENERS = [sockgate.listener('main', **ANY), sockgate.listener('other', **ANY)]
CLAIM = {'modules': [sockgate.test_module('auth_claim', 'claim')], 'hooks': {'auth': ['claim']}}


class Folder:
    """A folder with sets and a configuration, for what needs no daemon."""

    def __enter__(self):
        self._made = tempfile.TemporaryDirectory(prefix='sockgate-rules-')
        self.path = self._made.name
        os.chmod(self.path, 0o755)
        self.env = dict(os.environ, SOCKGATE_MODULE_DIR=str(sockgate.MODULES))
        write_sets(self.path)
        return self

    def __exit__(self, *unused):
        self._made.cleanup()

    def config(self, text):
        for name, path in (('@DIR@', self.path), ('@MODULES@', sockgate.MODULES), ('@TESTS@', sockgate.BUILD / 'tests')):
            text = text.replace(name, str(path))
        with open(f'{self.path}/t.conf', 'w', encoding='utf-8') as out:
            out.write(text)

    def run(self, binary, *args, stdin=''):
        return subprocess.run([binary, *args], input=stdin, capture_output=True, text=True, env=self.env, check=False)

    def check(self, text):
        self.config(text)
        return self.run(sockgate.BINARY, '-t', '-c', f'{self.path}/t.conf')

    def explain(self, *args, stdin=''):
        return self.run(CTL, 'explain', '-c', f'{self.path}/t.conf', *args, stdin=stdin)


def write_sets(folder):
    for name, lines in reference.SETS.items():
        with open(f'{folder}/{name}', 'w', encoding='utf-8') as out:
            out.write('\n'.join(lines) + '\n')


@pytest.fixture
def folder():
    with Folder() as made:
        yield made


# What the client's METHOD is does not matter here: explain is told.
def rules_config(rules, listeners=None, **keys):
    return sockgate.config(listeners or LISTENERS, rules, **keys)


def rules_at_random(rng, folder):
    """Rules that -t takes: those that can never be reached are thrown out, as it says."""
    rules = [reference.random_rule(rng, number) for number in range(rng.choice([3, 6, 10, 20]))]
    never = set()
    while rules:
        done = folder.check(rules_config(rules))
        if done.returncode == 0:
            return rules, never
        covered = {int(n) for n in re.findall(r't\.conf:(\d+): module "rules": this rule is never reached', done.stderr)}
        assert covered, done.stderr
        with open(f'{folder.path}/t.conf', encoding='utf-8') as lines:
            text = lines.read().split('\n')
        labels = {re.search(r'label = "(r\d+)"', text[number - 1])[1] for number in covered}
        never |= labels
        rules = [rule for rule in rules if rule['label'] not in labels]
    return rules, never


def answers(folder, requests):
    done = folder.explain('--batch', stdin=''.join(reference.line(req) + '\n' for req in requests))
    assert done.returncode == 0, done.stderr
    rows = [row.split('\t') for row in done.stdout.splitlines()]
    assert len(rows) == len(requests)
    return rows


def test_equal_to_the_reference(folder):
    """The evaluator and tests/e2e/reference.py over 100,000 pairs of rules and requests (V12, V13)."""
    rng = random.Random(SEED)
    print(f'SG_SEED={SEED}')
    seen = dict.fromkeys(('allow', 'deny'), 0)
    for _ in range(100):
        rules, _ = rules_at_random(rng, folder)
        requests = [reference.random_request(rng) for _ in range(1000)]
        for req, row in zip(requests, answers(folder, requests)):
            want = reference.evaluate(rules, req, reference.SETS)
            got = (row[0], row[1], None if row[2] == 'special_range' else row[3])
            if row[2] == 'special_range':
                want = (*want[:2], None)
            assert got == want, f'SG_SEED={SEED}: {reference.line(req)}\n{rules}'
            seen[want[0]] += 1
    print(seen)
    assert min(seen.values()) > 5000


def test_never_reached_rules_never_decide(folder):
    """What -t throws out as covered decides nothing, says the reference."""
    rng = random.Random(SEED)
    n = 0
    for _ in range(30):
        rules = [reference.random_rule(rng, number) for number in range(20)]
        done = folder.check(rules_config(rules))
        with open(f'{folder.path}/t.conf', encoding='utf-8') as lines:
            text = lines.read().split('\n')
        covered = {re.search(r'label = "(r\d+)"', text[int(line) - 1])[1]
                   for line in re.findall(r't\.conf:(\d+): module "rules": this rule is never', done.stderr)}
        n += len(covered)
        for _ in range(300):
            label = reference.evaluate(rules, reference.random_request(rng), reference.SETS)[2]
            assert label not in covered, f'SG_SEED={SEED}'
    assert n > 10


# ---- explain and the gateway

class Anywhere:
    """A namespace in which every address answers, on a few ports."""

    def __enter__(self):
        self._stack = contextlib.ExitStack()
        self.ns = self._stack.enter_context(network.everywhere())
        self._listening = [self._listen(port) for port in reference.PORTS]
        self._stopping = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    @staticmethod
    def _listen(port):
        sock = socket.socket(socket.AF_INET6)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(('::', port))
        sock.listen(1024)
        return sock

    def _serve(self):
        """Takes each connection in and lets it go."""
        while not self._stopping:
            for sock in self._listening:
                while servers.readable(sock, 0):
                    sock.accept()[0].close()
            servers.readable(self._listening[1], 0.01)

    def __exit__(self, *unused):
        self._stopping = True
        self._thread.join()
        for sock in self._listening:
            sock.close()
        self._stack.close()


def live(gw, where, req):
    """(name of the client, REP) of the gateway itself."""
    with Client(where, source=req['client']) as client:
        client.claim(req['user'], req['groups'], reference.LEVELS[req['assurance']])
        name = req['host'].encode() if reference.address(req['host']) is None else req['host']
        client.send(request(name, req['port']))
        return client.name, f'{client.reply().rep:02x}'


def rules_of(gw, names, after):
    """The rule that the record of each of these clients names, of the records behind the first `after`."""
    def told():
        rules = {r['client']: r.get('rule') for r in gw.records()[after:] if r['event'] != 'session_end'}
        return rules if rules.keys() >= names else None
    return gw.wait(told, f'records of {len(names)} clients')


@needs_root
def test_explain_is_the_gateway(gateway, folder):
    """40 rule sets, 250 requests each: REP and rule of a session are those that explain tells beforehand."""
    rng = random.Random(SEED)
    print(f'SG_SEED={SEED}')
    rep_seen = set()
    sets, number = (10, 100) if sockgate.SANITIZED else (40, 250)
    with Anywhere() as anywhere, dns.Server() as server:
        for name, addresses in reference.NAMES.items():
            for kind, version in (('A', 4), ('AAAA', 6)):
                server[name, kind] = [a for a in addresses if reference.address(a).version == version]
        gw = gateway(live_config([], server), netns=anywhere.ns, ledger=False)
        write_sets(gw.dir)
        for _ in range(sets):
            rules, _ = rules_at_random(rng, folder)
            gw.renew(live_config(rules, server))
            ports = {name: int(gw.wait_log(r'listening on \S+:(\d+) \(listener "%s"\)' % name)[1]) for name in ('main', 'other')}
            for name in reference.NAMES:  # answers of both families are known from here on
                with Client(('127.0.0.1', ports['main'])) as client:
                    client.claim('warm')
                    client.send(request(name.encode(), 80))
                    client.reply()
            after = len(gw.records())
            requests = [reference.random_request(rng, method=0x81) for _ in range(number)]
            got = [live(gw, ('127.0.0.1', ports[req['listener']]), req) for req in requests]
            rules_told = rules_of(gw, {name for name, _ in got}, after)
            names = [name for name, _ in got]
            for req, (name, rep), row in zip(requests, got, answers(folder, requests)):
                # A port that was used twice has two records: the rule of either is not looked at.
                rule = rules_told[name] if names.count(name) == 1 else row[3]
                assert (rep, rule) == (row[1], row[3]), f'SG_SEED={SEED}: {reference.line(req)}\n{rules}\n{row}'
                rep_seen.add(rep)
    assert rep_seen == {'00', '02'}


def live_config(rules, server):
    return rules_config(rules or [{'allow': {}}], core=dict(dns.core(server), error_log={'level': 'notice'}), **CLAIM)


# ---- explain by itself

RULES = [{'deny': {'dst': ['10.0.0.0/8', '*.corp.example']}, 'label': 'inner'},
         {'allow': {'user': 'alice', 'dst_port': [22]}, 'label': 'shell', 'dry_run': True},
         {'allow': {'group': ['staff'], 'dst_port': [80, 443]}, 'label': 'web'}]


@pytest.mark.parametrize('args,status,words', [
    (['--to', '10.1.1.1:80'], 3, ['rule "inner" (deny): matches', 'deny, reason access_request, REP 02, rule "inner" at ']),
    (['--to', 'www.corp.example:80'], 3, ['rule "inner"']),
    (['--to', 'www.example:22', '--user', 'alice'], 3, ['matches, but is on trial', 'no rule matches', 'rule "default"']),
    (['--to', 'www.example:80', '--user', 'a', '--group', 'ops,staff'], 4, ['it depends on the address']),
    (['--to', 'www.example:80', '--user', 'a', '--group', 'staff', '--resolves', '10.1.1.1,203.0.113.1'], 0,
     ['address 10.1.1.1', '203.0.113.1:80 would be dialled, rule "web"']),
    (['--to', 'www.example:80', '--group', 'staff'], 3, ['rule "web": no, group is "staff"']),
    (['--to', 'www.example:81', '--user', 'a\x1b"'], 3, [r'rule "web": no, dst_port is 81']),
    (['--to', 'x:80', '--command', 'bind'], 3, ['no module for CMD 02', 'reason command_unknown, REP 07']),
    (['--to', 'a..b:80'], 3, ['reason protocol_error, REP 01']),
    (['--to', 'x:0'], 3, ['REP 01']),
    (['--to', 'x'], 2, []), (['--to', '::1:80'], 2, []), (['--client', 'x'], 2, []), ([], 2, []), (['--what'], 2, []),
    (['--to', 'x:80', '--listener', 'nope'], 1, []),
])
def test_explain(folder, args, status, words):
    folder.config(rules_config(RULES))
    done = folder.explain(*args)
    assert done.returncode == status, done.stderr
    for word in words:
        assert word in done.stdout, done.stdout
    assert status in (0, 3, 4) or done.stderr
    assert '\x1b' not in done.stdout


@pytest.mark.parametrize('host', ['0.0.0.0', '[::]'])
def test_explain_any_peer(folder, host):
    """S5-B05, S5-B08: a BIND to zeros is no question about zeros: each peer is judged when it comes."""
    folder.config(rules_config([{'deny': {'dst': '10.0.0.0/8'}, 'label': 'inner'}, {'allow': {'cmd': 'bind'}, 'label': 'ftp'}],
                               modules=[{'name': 'bind', 'file': 'cmd_bind.so', 'settings': {'any_peer': True}}],
                               hooks={'command': {'connect': 'connect', 'bind': 'bind'}}))
    ask = ['--command', 'bind', '--to', f'{host}:21']
    done = folder.explain(*ask)
    assert done.returncode == 4 and 'any peer: each is judged when it comes' in done.stdout
    assert 'lookup: it depends on who connects (--resolves), rule "ftp"' in done.stdout
    done = folder.explain(*ask, '--resolves', '10.1.1.1')
    assert done.returncode == 3 and 'reason access_target, REP 02, rule "inner"' in done.stdout
    done = folder.explain(*ask, '--resolves', '127.0.0.1')
    assert done.returncode == 3 and 'reason special_range' in done.stdout
    done = folder.explain(*ask, '--resolves', '10.1.1.1,203.0.113.1')
    assert done.returncode == 0 and 'allow, 203.0.113.1 may connect' in done.stdout
    done = folder.explain('--to', f'{host}:21')
    assert done.returncode == 3, 'CONNECT is refused as ever'


def test_explain_resolves_names(folder):
    """--resolve: the gateway's own lookup."""
    with dns.Server() as server:
        server['www.test', 'A'] = ['10.1.1.1']
        folder.config(rules_config([{'deny': {'dst': '10.0.0.0/8'}, 'label': 'inner'}, {'allow': {}}], core=dns.core(server)))
        done = folder.explain('--to', 'www.test:80', '--resolve')
        assert done.returncode == 3 and 'address 10.1.1.1' in done.stdout and 'no IPv6 address' in done.stdout
        assert folder.explain('--to', 'none.test:80', '--resolve').returncode == 3


def test_batch_answers_every_line(folder):
    folder.config(rules_config(RULES))
    done = folder.explain('--batch', stdin='to=10.1.1.1:80\nnonsense\nto=x:80 colour=red\n\nto=y.corp.example:1\n')
    assert done.returncode == 1
    assert [row.split('\t')[0] for row in done.stdout.splitlines()] == ['deny', 'error', 'error', 'error', 'deny']
    assert re.findall(r'line (\d+)', done.stderr) == ['2', '3', '4']


# ---- tests of the policy

POLICY = [{'to': 'www.corp.example:80', 'expect': 'deny', 'rule': 'inner'},
          {'user': 'eve', 'group': ['staff'], 'to': 'a.test:443', 'resolves': ['203.0.113.1'], 'expect': 'allow', 'rule': 'web'},
          {'user': 'eve', 'group': ['staff'], 'to': 'a.test:443', 'expect': 'lookup'}]


def with_tests(rules, tests, **keys):
    return rules_config(rules, **keys) + f'tests = {sockgate.libconfig(tests)};\n'


def test_policy_tests(folder):
    """-t runs them; what is wrong has its line and the trace."""
    assert folder.check(with_tests(RULES, POLICY)).returncode == 0
    wrong = [dict(POLICY[0], rule='web'), dict(POLICY[1], expect='deny', rule='inner'), {'to': 'x:1', 'expect': 'deny', 'client': 'x'}]
    done = folder.check(with_tests(RULES, POLICY + wrong))
    assert done.returncode == 1
    for words in ('deny was expected by rule "web", the answer is deny by rule "inner"', 'rule "web" (allow): matches',
                  'deny was expected by rule "inner", the answer is allow by rule "web"', 'cannot be asked: client: "x" is not an IP address'):
        assert words in done.stderr, done.stderr


def test_policy_tests_guard_a_reload(gateway):
    """A configuration whose tests fail does not come into service; the old one stays."""
    gw = gateway(with_tests(RULES, POLICY))
    broken = [RULES[0], {'deny': {'group': ['staff'], 'dst_port': [443]}, 'label': 'oops'}, RULES[2]]
    gw.write_config(with_tests(broken, POLICY))
    gw.signal(signal.SIGHUP)
    gw.wait_log('policy test failed: allow was expected by rule "web", the answer is deny by rule "oops"')
    gw.wait_log('reload failed: .*; generation 1 goes on')
    assert list(gw.generations()) == [1]


# ---- sets from files, in use

def reachable(gw, target):
    with gw.connect() as client:
        assert client.greet() == 0
        client.send(request(*target.where))
        octets = client.recv_exactly(10)
        client.served = True
    if octets[1] == 0:
        target.accept().close()
    assert octets[1] in (0, 2)
    return octets[1] == 0


SET_RULES = [{'deny': {'dst': ['@blocked.txt']}, 'label': 'blocked'},
             {'allow': {}, 'label': 'rest', 'special': ['loopback']}]


def test_sets_are_watched(gateway, target):
    """Rename, rewriting in place, a symbolic link: taken in whole; a broken file changes nothing and is told."""
    gw = gateway(sockgate.config(rules=[dict(SET_RULES[0], deny={'dst': ['@first.txt']}), SET_RULES[1]]), ready=False)
    gw.kill()
    blocked = gw.dir / 'blocked.txt'
    blocked.write_text('192.0.2.0/24\n')
    gw = gateway(sockgate.config(rules=[dict(SET_RULES[0], deny={'dst': [f'@{blocked}']}), SET_RULES[1]]), ledger=False)
    assert reachable(gw, target)

    def becomes(wanted, what):
        sockgate.wait_until(lambda: reachable(gw, target) == wanted and reachable(gw, target) == wanted, what=what)

    new = blocked.with_suffix('.new')
    new.write_text('127.0.0.0/8\n')
    new.rename(blocked)
    becomes(False, 'the set that came by rename')
    blocked.write_text('192.0.2.0/24\n192.0.2.1\n')
    becomes(True, 'the set that was written in place')
    other = gw.dir / 'other.txt'
    other.write_text('127.0.0.1\n')
    new.symlink_to(other)
    new.rename(blocked)
    becomes(False, 'the set behind a link')
    lines = len(gw.lines())
    other.write_text('127.0.0.1\nnot a range\n')
    gw.wait_log(r'blocked\.txt:2: module "rules": "not a range" is neither', after=lines)
    gw.wait_log(r'what was read from \S+blocked\.txt before stays in force', after=lines)
    assert not reachable(gw, target)
    other.unlink()
    gw.wait_log(r'blocked\.txt: No such file', after=lines)
    assert not reachable(gw, target)
    for pid in gw.workers().values():  # one that is started anew has what the others have
        os.kill(pid, 9)
    becomes(False, 'a new worker')
    maps = [open(f'/proc/{pid}/maps', encoding='utf-8').read().count('sockgate-image') for pid in gw.workers().values()]
    assert set(maps) == {1}


def test_set_errors(folder):
    """Twenty mistakes of a file are told with their lines, then a number; names are no clients; nothing is not a set."""
    def check(text, rules):
        with open(f'{folder.path}/bad.txt', 'w', encoding='utf-8') as out:
            out.write(text)
        return folder.check(rules_config(rules + [{'allow': {}}])).stderr
    dst = [{'deny': {'dst': '@bad.txt'}}]
    told = check('# x\n' + 'a b\n' * 30, dst)
    assert 'bad.txt:2: module "rules": "a b" is neither' in told and 'and 10 more lines' in told
    assert len(re.findall('is neither', told)) == 20
    assert 'bad.txt:1: module "rules": this set is empty' in check('# nothing\n\n', dst)
    assert 'bad.txt:2: module "rules": "www.test" is a name' in check('10.0.0.0/8\nwww.test\n', [{'deny': {'client': '@bad.txt'}}])
    assert 'none.txt: No such file' in folder.check(rules_config([{'deny': {'dst': '@none.txt'}}, {'allow': {}}])).stderr
    assert check('10.0.0.0/8\r\n *.Bad.test # x\n\t.x.test\n', dst) and 'successful' in check('::1\n', dst)


def test_dry_run_is_recorded(gateway, target):
    """A rule on trial decides nothing, and the record says what it would have done."""
    gw = gateway(sockgate.config(rules=[{'deny': {'dst': '127.0.0.0/8'}, 'label': 'soon', 'dry_run': True}, SET_RULES[1]]))
    with gw.connect() as client:
        client.open(*target.where)
        record = gw.wait_record(event='session_start', client=client.name)
    assert (record['rule'], record['dry_run_rule'], record['dry_run']) == ('rest', 'soon', 'deny')


def test_a_list_on_trial(gateway, target):
    """settings.dry_run: no opinion; another instance beside it decides."""
    trial = {'name': 'trial', 'file': 'access_rules.so',
             'settings': {'dry_run': True, 'rules': [{'deny': {}, 'label': 'nothing'}]}}
    gw = gateway(sockgate.config(modules=[trial], hooks={'access': ['trial', 'rules']}))
    with gw.connect() as client:
        client.open(*target.where)
        record = gw.wait_record(event='session_start', client=client.name)
    assert (record['rule'], record['dry_run_rule'], record['dry_run']) == ('all', 'nothing', 'deny')


def test_refused_by_name_without_a_lookup(gateway):
    """A name is looked up only when the verdict depends on it."""
    rules = [{'deny': {'dst': '10.0.0.0/8'}, 'label': 'inner'}, {'deny': {'dst': '.bad.test'}, 'label': 'bad'},
             {'allow': {'dst': '.good.test'}, 'label': 'good'}]
    with dns.Server() as server:
        gw = gateway(sockgate.config(rules=rules, core=dns.core(server)))
        server['www.good.test', 'A'] = ['10.0.0.1']
        for name, rule in ((b'www.bad.test', 'bad'), (b'other.test', 'default'), (b'www.good.test', 'inner')):
            with gw.connect() as client:
                client.greet()
                client.send(request(name, 80))
                client.expect(failure(2))
                client.close()
                assert gw.wait_end(client)['rule'] == rule
        assert set(name for name, _ in server.asked) == {'www.good.test'}
