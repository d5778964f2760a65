# SPDX-License-Identifier: BSD-2-Clause
"""Nothing passes unseen: whoever is killed, every accepted connection has its records, once."""

import collections
import contextlib
import os
import random
import signal
import socket
import threading
import time

import servers
import sockgate
from socks import greeting, request

KINDS = ('worker', 'logger', 'generation')


def sessions_of(records):
    """{id: [events in order]}."""
    found = collections.defaultdict(list)
    for record in records:
        found[record['id']].append(record['event'])
    return found


PROPER = (['session_refused'], ['session_failed'], ['session_start', 'session_end'])


def logger_of(gw):
    """The logger of the newest generation."""
    found = gw.loggers()
    return found[max(found)] if found else None


def test_a_killed_worker_ends_its_sessions(gateway):
    """Each of its sessions has an end by the name worker_lost, with what it was; a handshake is a failure."""
    gw = gateway(sockgate.config(core={'workers': 1}), ledger=False)
    with servers.Echo() as echo, gw.connect() as running, gw.connect() as greeting_only:
        running.open(*echo.where)
        assert greeting_only.greet() == 0
        os.kill(gw.workers()[0], signal.SIGKILL)
        end = gw.wait_end(running)
        assert (end['event'], end['reason'], end['target']) == ('session_end', 'worker_lost', '%s:%d' % echo.where)
        failed = gw.wait_end(greeting_only)
        assert (failed['event'], failed['reason'], failed['method']) == ('session_failed', 'worker_lost', '00')
    assert sorted(sessions_of(gw.records()).values()) == [['session_failed'], ['session_start', 'session_end']]
    sockgate.wait_until(lambda: len(list((gw.run_dir / 'journal').glob('*.table'))) == 2, what='the end of its table')


def test_everything_killed(gateway):
    """The next start writes the ends that nobody was left to write."""
    gw = gateway(sockgate.config(core={'workers': 2}), ledger=False)
    with servers.Echo() as echo:
        clients = [gw.connect() for _ in range(6)]
        for client in clients:
            client.open(*echo.where)
        for client in clients:
            gw.wait_record(event='session_start', client=client.name)
        victims = gw.processes()
        for pid in victims:
            os.kill(pid, signal.SIGSTOP)  # nobody is to write about the death of another
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        gw.process.wait()
        ids = {r['id'] for r in gw.records()}
        again = gateway(sockgate.config(core={'workers': 1, 'runtime_dir': str(gw.run_dir)}), ledger=False)
        ends = again.wait_records(6, event='session_end')
        assert {r['id'] for r in ends} == ids and {r['reason'] for r in ends} == {'unclean_stop'}
        sockgate.wait_until(lambda: len(list((gw.run_dir / 'journal').glob('*.table'))) == 2, what='the end of the old tables')


def test_a_stopped_logger_keeps_nothing_back(gateway, target):
    """SIGSTOP: sessions go on, and when it goes on it has everything to say."""
    gw = gateway(sockgate.config(core={'workers': 1}))
    os.kill(logger_of(gw), signal.SIGSTOP)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(gw.connect()) for _ in range(20)]
        for client in clients:
            client.open(*target.where)
        assert not gw.records(event='session_start')
        os.kill(logger_of(gw), signal.SIGCONT)
        gw.wait_records(20, event='session_start')


def test_the_table_is_the_limit(gateway, target):
    """limits.sessions: with no free record nothing is accepted, and nothing is lost of what waits in the backlog."""
    gw = gateway(sockgate.config(core={'workers': 1}, limits={'sessions': 4}))
    os.kill(logger_of(gw), signal.SIGSTOP)
    taken = 0
    with contextlib.ExitStack() as stack:
        while True:  # each ends, and none can be written down
            client = stack.enter_context(gw.connect())
            client.send(greeting() + request(*target.where))
            if not servers.readable(client.sock, 1):
                break
            client.expect(b'\x05\x00\x05\x00')
            client.reset()
            taken += 1
        assert 4 <= taken <= 4 * 2 + 128
        os.kill(logger_of(gw), signal.SIGCONT)
        client.expect(b'\x05\x00\x05\x00')
    gw.wait_records(taken + 1, event='session_start')


class Ledger(threading.Thread):
    """Sessions at a steady rate; what each client saw, by the name that it asked for."""

    def __init__(self, where, port, rate, number):
        super().__init__(daemon=True)
        self.where, self.port, self.rate, self.number = where, port, rate, number
        self.over = threading.Event()
        self.seen = {}  # name: True: reply 00; False: none that it saw

    def one(self, name):
        try:
            with socket.create_connection(self.where, 10) as sock:
                sock.settimeout(20)
                sock.sendall(greeting() + request(name.encode(), self.port) + b'ping')
                self.seen[name] = False
                got = b''
                while len(got) < 2 + 10 + 4:
                    more = sock.recv(4096)
                    if not more:
                        return
                    got += more
                    self.seen[name] = len(got) >= 4 and got[3] == 0
                servers.readable(sock, 0.05)  # open for a while, so that a kill finds it open
        except OSError:
            pass

    def run(self):
        began, n = time.monotonic(), 0
        while not self.over.is_set():
            self.one(f't{self.number}-{n}.localhost')
            n += 1
            self.over.wait(max(0.0, began + n / self.rate - time.monotonic()))


def test_ledger_drill(gateway):
    """Kills of workers, loggers and generations, also two at once, with reloads between: what clients saw equals the
    log."""
    rounds = 50 if sockgate.DRILL else 10
    seed = random.randrange(1 << 30)
    rng = random.Random(seed)
    gw = gateway(sockgate.config(core={'workers': 2}), ledger=False)
    with servers.Echo() as echo:
        ledgers = [Ledger(gw.address(), echo.where[1], 18, i) for i in range(12)]
        for ledger in ledgers:
            ledger.start()
        for number in range(rounds):
            count = sum(len(ledger.seen) for ledger in ledgers)
            sockgate.wait_until(lambda count=count: sum(len(ledger.seen) for ledger in ledgers) >= count + 25, what='sessions')
            for kind in rng.sample(KINDS, rng.choice([1, 1, 2])):
                victims = {'worker': lambda: list(gw.workers().values()), 'logger': lambda: list(gw.loggers().values()),
                           'generation': lambda: list(gw.generations().values())}[kind]()
                with contextlib.suppress(ProcessLookupError):
                    if victims:
                        os.kill(rng.choice(victims), signal.SIGKILL)
            if number % 3 == 2:
                gw.signal(signal.SIGHUP)
        for ledger in ledgers:
            ledger.over.set()
        for ledger in ledgers:
            ledger.join()
        sockgate.wait_until(lambda: len(gw.generations()) == 1 and gw.workers(), what='one generation')
    gw.stop()
    records = gw.records()
    sessions = {key: sorted(set(events), key=('session_start', 'session_end', 'session_failed', 'session_refused').index)
                for key, events in sessions_of(records).items()}
    twice = sum(len(events) for events in sessions_of(records).values()) - sum(map(len, sessions.values()))
    wrong = {key: events for key, events in sessions.items() if events not in PROPER}
    assert not wrong, f'seed {seed}: {wrong}'
    started = {r['host']: r['id'] for r in records if r['event'] == 'session_start'}
    seen = {name: success for ledger in ledgers for name, success in ledger.seen.items()}
    missing = [name for name, success in seen.items() if success and name not in started]
    assert not missing, f'seed {seed}: clients had a success that is not written down: {missing}'
    reasons = collections.Counter(r['reason'] for r in records if r['event'] != 'session_start')
    print(f'{rounds} rounds: {len(seen)} clients, {sum(seen.values())} successes, {len(sessions)} sessions, {reasons}, '
          f'{twice} lines twice')
    assert sum(seen.values()) > 10 * rounds and reasons['worker_lost'] > 0
