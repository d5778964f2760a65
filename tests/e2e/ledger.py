# SPDX-License-Identifier: BSD-2-Clause
"""What clients saw, to be compared with what was written down. Each session has a name of its own: the token by which both
sides of the comparison know it."""

import collections
import itertools
import json
import socket
import threading
import time

import servers
import sockgate
from socks import greeting, request

PROPER = (['session_refused'], ['session_failed'], ['session_start', 'session_end'])

# What a ledger asks for: a word of the name, the REP that it should see, and the one or two events that follow.
SERVED, DENIED, CLOSED = 'served', 'denied', 'closed'
REPS = {SERVED: 0, DENIED: 2, CLOSED: 5}
ENDS = {SERVED: PROPER[2], DENIED: PROPER[0], CLOSED: PROPER[1]}
RULES = [{'deny': {'dst_port': 9}, 'label': 'discard'}] + sockgate.LOOPBACK_RULES


class Ledger(threading.Thread):
    """Sessions at a steady rate. `seen`: REP by name, None for a client that was cut off before it saw one."""

    def __init__(self, where, ports, rate, number):
        super().__init__(daemon=True)
        self.where, self.ports, self.rate, self.number = where, ports, rate, number
        self.over = threading.Event()
        self.seen = {}

    def one(self, name, port):
        self.seen[name] = None
        try:
            with socket.create_connection(self.where, 10) as sock:
                sock.settimeout(30)
                sock.sendall(greeting() + request(name.encode(), port) + b'ping')
                got = b''
                while len(got) < 2 + 10 + 4:
                    more = sock.recv(4096)
                    if not more:
                        return
                    got += more
                    if len(got) >= 4:
                        self.seen[name] = got[3]
                servers.readable(sock, 0.05)  # open for a while, so that a kill finds it open
        except OSError:
            pass

    def run(self):
        began = time.monotonic()
        for n in itertools.count():
            if self.over.is_set():
                return
            kind = DENIED if n % 10 == 3 else CLOSED if n % 10 == 7 else SERVED
            self.one(f'{kind}-{self.number}-{n}.localhost', self.ports[kind])
            self.over.wait(max(0.0, began + n / self.rate - time.monotonic()))


class Traffic:
    """Ledgers that run while a test does its worst. `rate`: of all together, a second."""

    def __init__(self, gw, echo, threads=8, rate=160):
        with socket.socket() as unused:
            unused.bind(('127.0.0.1', 0))
            ports = {SERVED: echo.where[1], DENIED: 9, CLOSED: unused.getsockname()[1]}
        self.made = [Ledger(gw.address(), ports, rate / threads, i) for i in range(threads)]
        self.seconds = 0

    def __enter__(self):
        self.seconds = -time.monotonic()
        for ledger in self.made:
            ledger.start()
        return self

    def __exit__(self, *unused):
        for ledger in self.made:
            ledger.over.set()
        for ledger in self.made:
            ledger.join()
        self.seconds += time.monotonic()

    def wait(self, number, timeout=None):
        before = self.count()
        sockgate.wait_until(lambda: self.count() >= before + number, timeout, what=f'{number} clients')

    def count(self):
        return sum(len(ledger.seen) for ledger in self.made)

    @property
    def seen(self):
        return {name: rep for ledger in self.made for name, rep in ledger.seen.items()}


def events_of(path):
    """Every line of a log: it must be JSON."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def sessions_in(events):
    """Those that are the state of a session."""
    return [r for r in events if r['event'].startswith('session_')]


def check(traffic, records):
    """What clients saw is what the log says, each thing once and in order. A text of figures."""
    sessions = collections.defaultdict(list)
    for record in sessions_in(records):
        sessions[record['id']].append(record)
    wrong = {key: [r['event'] for r in found] for key, found in sessions.items() if [r['event'] for r in found] not in PROPER}
    assert not wrong, wrong
    named = collections.defaultdict(list)
    for found in sessions.values():
        if 'host' in found[0]:
            named[found[0]['host']].append([r['event'] for r in found])
    assert not [name for name, found in named.items() if len(found) > 1]
    for name, rep in traffic.seen.items():
        kind = name.split('-')[0]
        if rep is None:  # killed on the way: it has its records if it came so far as to say its name
            continue
        assert rep == REPS[kind] or rep in (1, 4), (name, rep)
        if rep == REPS[kind]:
            assert named[name] == [ENDS[kind]], (name, rep, named[name])
    reasons = collections.Counter(found[-1]['reason'] for found in sessions.values())
    return (f'{len(traffic.seen)} clients in {traffic.seconds:.1f} s ({len(traffic.seen) / max(traffic.seconds, 1e-9):.0f} a second), '
            f'{len(sessions)} sessions, {dict(reasons)}')
