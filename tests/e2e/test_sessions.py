# SPDX-License-Identifier: BSD-2-Clause
"""sockgatectl sessions: what is under way, out of the tables alone, whoever is stopped, whatever the tables hold."""

import contextlib
import json
import os
import random
import signal
import struct
import subprocess

import servers
import sockgate

CTL = sockgate.BUILD / 'sockgatectl'
CLAIM = {'modules': [sockgate.test_module('auth_claim', 'claim')], 'hooks': {'auth': ['claim']}}
# Where things stand in a table: core/table.h, core/record.h.
RECORD_SIZE, HEAD_SIZE = 1024, struct.Struct('=6I Q 2q Q 65536s').size


def run(gw, *args, status=0, **keys):
    done = subprocess.run([CTL, 'sessions', *args], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          env=gw.environment(), timeout=sockgate.PATIENCE, check=False, **keys)
    assert done.returncode == status, (done.stdout, done.stderr)
    return done.stdout if status == 0 else done.stderr


def listed(gw, *args, **keys):
    """{client: session} as --json has them."""
    sessions = [json.loads(line) for line in run(gw, '-c', gw.conf, '--json', *args, **keys).splitlines()]
    found = {session['client']: session for session in sessions}
    assert len(found) == len(sessions)
    return found


def table_of(gw):
    """What stands in the table of its worker: the generation has a small one beside it."""
    return max((gw.run_dir / 'journal').glob('*.table'), key=lambda path: path.stat().st_size).read_bytes()


def opened(stack, gw, where, name='alice', listener='main'):
    client = stack.enter_context(gw.connect(listener))
    client.claim(name)
    assert client.request(*where).rep == 0
    return client


def test_sessions(gateway, as_user):
    """Those of two workers and two generations, each with what its session_start says, and the octets so far."""
    gw = gateway(sockgate.config(**CLAIM), as_user=as_user)
    with servers.Echo() as echo, contextlib.ExitStack() as stack:
        clients = [opened(stack, gw, echo.where, f'user{i}') for i in range(10)]
        half = stack.enter_context(gw.connect())
        half.claim('not yet')
        assert 'done' in gw.reload()

        def third_worker():
            clients.append(opened(stack, gw, echo.where, f'user{len(clients)}'))
            return len({record['id'][16:20] for record in gw.records(event='session_start')}) >= 3
        sockgate.wait_until(third_worker, what='sessions of three workers')
        for client in clients:
            client.send(b'12345')
            client.expect(b'12345')
        found = listed(gw)
        assert set(found) == {client.name for client in clients + [half]}
        for i, client in enumerate(clients):
            session = found[client.name]
            start = gw.wait_record(event='session_start', client=client.name)
            assert {key: value for key, value in start.items() if key not in ('time', 'event')}.items() <= session.items()
            assert (session['user'], session['state']) == (f'user{i}', 'started')
            assert session['bytes_up'] == session['bytes_down'] == 5 and 0 <= session['duration_ms'] < 600000
        # Of a handshake there is only what does not change any more.
        assert set(found[half.name]) == {'time', 'state', 'id', 'listener', 'client', 'bytes_up', 'bytes_down', 'duration_ms'}
        assert found[half.name]['state'] == 'open'
        assert len({session['id'][16:20] for session in found.values()}) >= 3  # of more than one worker
        for line in run(gw, '-c', gw.conf).splitlines()[1:]:
            words = line.split()
            assert len(words) == 12 and words[0] in [s['id'] for s in found.values()]
            assert words[4:6] + words[9:] in (['-', '-', '0', '0', 'open'],
                                              [found[words[3]].get('user'), 'connect', '5', '5', 'started'])
        clients[3].reset()
        gw.wait_end(clients[3])
        assert clients[3].name not in listed(gw)
        half.reset()


def test_user(gateway):
    """--user: that user and no other; names are escaped for the terminal, and whole in JSON."""
    gw = gateway(sockgate.config(**CLAIM))
    odd = 'a\x1b[2J\n" \\\u202e\u00e4'
    with servers.Echo() as echo, contextlib.ExitStack() as stack:
        clients = {name: opened(stack, gw, echo.where, name) for name in ('alice', 'alicea', 'alic', odd, 'x' * 255)}
        for name, client in clients.items():
            assert {key: s['user'] for key, s in listed(gw, '--user', name).items()} == {client.name: name}
        assert not listed(gw, '--user', 'nobody') and not listed(gw, '--user', '')
        text = run(gw, '-c', gw.conf)
        assert len(text.splitlines()) == 1 + len(clients) and '\x1b' not in text and '\u202e' not in text
        assert 'a\\x1b[2J\\x0a\\" \\\\\\xe2\\x80\\xae\u00e4' in text


def test_host(gateway):
    """A name as it was sent, and the address that it became."""
    gw = gateway(sockgate.config())
    with servers.Echo() as echo, gw.connect() as client:
        client.open(b'localhost', echo.where[1])
        session = listed(gw)[client.name]
        assert (session['host'], session['port']) == ('localhost', echo.where[1])
        assert 'localhost:%d ' % echo.where[1] in run(gw, '--runtime-dir', str(gw.run_dir))


def test_whoever_is_stopped(gateway):
    """Neither the logger, nor the generation, nor a worker is asked."""
    gw = gateway(sockgate.config(core={'workers': 1}))
    with servers.Echo() as echo, gw.connect() as client:
        client.open(*echo.where)
        victims = [pid for pid in gw.processes() if pid != gw.pid]
        for pid in victims:
            os.kill(pid, signal.SIGSTOP)
        try:
            assert client.name in listed(gw)
        finally:
            for pid in victims:
                os.kill(pid, signal.SIGCONT)


def test_the_dead_have_none(gateway):
    """When everything was killed the tables are still there, and nothing is under way."""
    gw = gateway(sockgate.config(core={'workers': 1}), ledger=False)
    with servers.Echo() as echo, gw.connect() as client:
        client.open(*echo.where)
        assert len(listed(gw)) == 1
        gw.kill()
    assert list((gw.run_dir / 'journal').glob('*.table')) and not listed(gw)


def test_who_may(gateway):
    """Where nothing has run, and where somebody else has: what is wrong, in words."""
    gw = gateway(sockgate.config())
    assert 'no sockgate has run with this runtime directory' in run(gw, '--runtime-dir', '/no/such/folder', status=1)
    assert 'usage:' in run(gw, 'something', status=2)
    broken = gw.dir / 'broken.conf'
    broken.write_text('core = {', encoding='utf-8')
    assert 'broken.conf:1' in run(gw, '-c', str(broken), status=1)
    if sockgate.ROOT:
        text = run(gw, '--runtime-dir', str(gw.run_dir), status=1, user=sockgate.NOBODY, group=sockgate.NOBODY, extra_groups=[])
        assert 'Permission denied: sessions are shown to root, and to who started sockgate' in text


class Churn:
    """Sessions that come and go as fast as they can while a test looks."""

    def __init__(self, gw, where):
        self.gw, self.where = gw, where
        self.open = [self.one() for _ in range(20)]

    def one(self):
        client = self.gw.connect()
        client.claim('churn%d' % random.randrange(10))
        assert client.request(*self.where).rep == 0
        return client

    def turn(self):
        at = random.randrange(len(self.open))
        self.open[at].reset()
        self.open[at] = self.one()


def test_while_workers_write(gateway):
    """Whatever is seen of a session in the midst of others is what its record says."""
    gw = gateway(sockgate.config(core={'workers': 1}, limits={'sessions': 40}, **CLAIM), ledger=False)
    seen = {}
    with servers.Echo() as echo:
        churn = Churn(gw, echo.where)
        for _ in range(30):
            look = subprocess.Popen([CTL, 'sessions', '-c', gw.conf, '--json'], stdout=subprocess.PIPE, env=gw.environment())
            while look.poll() is None:
                churn.turn()
            for line in look.stdout.read().splitlines():
                session = json.loads(line)
                if session['state'] == 'started':
                    seen[session['id']] = session
            assert look.returncode == 0
            look.stdout.close()
    gw.stop()
    starts = {record['id']: record for record in gw.records(event='session_start')}
    assert len(seen) > 20
    for key, session in seen.items():
        for field in ('client', 'user', 'target', 'port', 'bind', 'rule', 'method', 'listener'):
            assert starts[key][field] == session[field], (field, starts[key], session)


def mangled(table):
    """Tables that an enemy could have left, one by one."""
    def with_number(at, value, form='=I'):
        bad = bytearray(table)
        struct.pack_into(form, bad, at, value)
        return bytes(bad)
    for at in range(0, 24, 4):
        for value in (0, 1, 0x7fffffff, 0x80000000, 0xffffffff):
            yield with_number(at, value)
    for value in (-1, 0, 1, 1 << 40, -1 << 63):
        yield with_number(32, value, '=q')
        yield with_number(40, value, '=q')
    for size in (0, 1, HEAD_SIZE - 1, HEAD_SIZE, len(table) // 2, len(table) - 1):
        yield table[:size]
    yield table[:56] + b'x' * (len(table) - 56)
    dice = random.Random(4711)
    for _ in range(200 if sockgate.DRILL else 40):
        bad = bytearray(table)
        for _ in range(dice.choice((1, 10, 1000))):
            at = dice.choice((dice.randrange(64), dice.randrange(HEAD_SIZE), dice.randrange(len(bad) - 8 * RECORD_SIZE, len(bad)),
                              dice.randrange(len(bad))))
            bad[at] = dice.randrange(256)
        yield bytes(bad)


def test_hostile_tables(gateway, tmp_path):
    """Numbers that cannot be, short files, strange files: said, skipped, and never the end of the tool."""
    gw = gateway(sockgate.config(core={'workers': 1}, limits={'sessions': 8}, **CLAIM), ledger=False)
    journal = tmp_path / 'journal'
    journal.mkdir()
    with servers.Echo() as echo, contextlib.ExitStack() as stack:
        for i in range(8):
            opened(stack, gw, echo.where, f'user{i}')
        table = table_of(gw)
        (journal / 'a.table').write_bytes(table)
        assert len(run(gw, '--runtime-dir', str(tmp_path), '--json').splitlines()) == 8
        for bad in mangled(table):
            (journal / 'b.table').write_bytes(bad)
            done = subprocess.run([CTL, 'sessions', '--runtime-dir', tmp_path, '--json'], capture_output=True, check=False,
                                  env=gw.environment(), timeout=sockgate.PATIENCE)
            assert done.returncode == 0 or (done.returncode == 1 and b'b.table makes no sense' in done.stderr), done
            lines = [json.loads(line) for line in done.stdout.splitlines()]
            assert len([line for line in lines if line.get('user', '').startswith('user')]) >= 8
        (journal / 'b.table').unlink()
        os.mkfifo(journal / 'b.table')
        (journal / 'c.table').symlink_to(journal / 'a.table')
        text = run(gw, '--runtime-dir', str(tmp_path), status=1)
        assert 'b.table makes no sense' in text and 'c.table Too many levels of symbolic links' in text


def test_shortened_while_it_is_read(gateway, tmp_path):
    """Whoever owns a table can cut it off at any moment: it is read, not mapped."""
    gw = gateway(sockgate.config(core={'workers': 1}, limits={'sessions': 2000}, **CLAIM), ledger=False)
    journal = tmp_path / 'journal'
    journal.mkdir()
    with servers.Echo() as echo, contextlib.ExitStack() as stack:
        opened(stack, gw, echo.where)
        table = table_of(gw)
        for _ in range(10):
            (journal / 'a.table').write_bytes(table)
            look = subprocess.Popen([CTL, 'sessions', '--runtime-dir', tmp_path], stdout=subprocess.DEVNULL, env=gw.environment())
            while look.poll() is None:
                os.truncate(journal / 'a.table', HEAD_SIZE)
                os.truncate(journal / 'a.table', len(table))
            assert look.returncode in (0, 1)
