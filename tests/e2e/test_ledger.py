# SPDX-License-Identifier: BSD-2-Clause
"""The ledgers of clients against the log, while processes are killed and stopped, files renamed, configurations loaded."""

import contextlib
import os
import random
import signal
import subprocess

import pytest

import servers
import sockgate
from conftest import needs_root
from ledger import Traffic, check, events_of
from test_journal import kill_logger, logger_of, wait_logger
from test_log import config, folder, small_disk  # pylint: disable=unused-import

KINDS = ('worker', 'logger', 'generation')
KILLS = 50 if sockgate.DRILL else 10


def pids(gw, kind):
    return list({'worker': gw.workers, 'logger': gw.loggers, 'generation': gw.generations}[kind]().values())


def kill(gw, rng, kind):
    with contextlib.suppress(ProcessLookupError):
        found = pids(gw, kind)
        if found:
            os.kill(rng.choice(found), signal.SIGKILL)
    return bool(found)


def settled(gw):
    sockgate.wait_until(lambda: len(gw.generations()) == 1 and gw.workers() and logger_of(gw), what='one generation')


def test_drill(gateway, folder):
    """Each kind of process is killed so many times, at random moments, also two at once; between the kills the log is
    rotated and the configuration loaded anew. Exactly once."""
    seed = random.randrange(1 << 30)
    rng = random.Random(seed)
    path, rotated = folder / 'access.log', []
    gw = gateway(config(path, required=True), ledger=False)
    due = [kind for kind in KINDS for _ in range(KILLS)]
    rng.shuffle(due)
    with servers.Echo() as echo:
        with Traffic(gw, echo, threads=10, rate=200) as traffic:
            while due:
                traffic.wait(rng.randrange(5, 60))
                for _ in range(rng.choice((1, 1, 2))):
                    if due and kill(gw, rng, due[-1]):
                        due.pop()
                what = rng.randrange(6)
                if what == 0 and path.exists():
                    rotated.append(folder / f'access.log.{len(rotated)}')
                    path.rename(rotated[-1])
                    gw.signal(signal.SIGUSR1)
                elif what == 1:
                    gw.signal(signal.SIGHUP)
            traffic.wait(20)
        settled(gw)
        gw.stop()
    events = [r for file in [*rotated, path] for r in events_of(file)]
    print(f'seed {seed}: {KILLS} kills of each, {len(rotated)} rotations:', check(traffic, events))
    assert len({(r['id'], r['event']) for r in events}) == len(events), f'seed {seed}: a line stands twice'


def test_rotation_and_a_killed_logger(gateway, folder):
    """The logger dies between the renaming and the order to open the file anew: what it wrote last, whole or torn, is in
    the file that has another name by now."""
    path = folder / 'access.log'
    gw = gateway(config(path, required=True), ledger=False)
    files = []
    with servers.Echo() as echo:
        with Traffic(gw, echo, rate=200) as traffic:
            for number in range(10):
                traffic.wait(15)
                logger = sockgate.wait_until(lambda: logger_of(gw), what='a logger')
                files.append(folder / f'access.log.{number}')
                path.rename(files[-1])
                traffic.wait(5)
                if number % 2:  # it was in the middle of a line
                    os.kill(logger, signal.SIGSTOP)
                    with files[-1].open('a') as torn:
                        torn.write('{"time":"2026-01-31T12:00:00.123Z","event":"sess')
                os.kill(logger, signal.SIGKILL)
                wait_logger(gw, logger)
                gw.signal(signal.SIGUSR1)
                sockgate.wait_until(path.exists, what='the new file')
        settled(gw)
        gw.stop()
    events = [r for file in [*files, path] for r in events_of(file)]
    print(check(traffic, events))
    assert len({(r['id'], r['event']) for r in events}) == len(events)


@pytest.mark.parametrize('wakes', [True, False])
def test_stopped_logger(gateway, folder, wakes):
    """SIGSTOP for ten seconds: a required log lets nobody in once it has been silent for two. A logger that wakes hears of
    its abort, one that stays stopped is killed; the next one writes everything."""
    path = folder / 'access.log'
    gw = gateway(config(path, required=True), ledger=False)
    with servers.Echo() as echo:
        with Traffic(gw, echo) as traffic:
            traffic.wait(50)
            logger = logger_of(gw)
            os.kill(logger, signal.SIGSTOP)
            gw.wait_log('not accepting for the moment: .* a required log cannot be written', timeout=10)
            gw.wait_log(r'the logger \(pid \d+\) has been busy for 2 s')
            gw.wait_log(r'the logger \(pid \d+\) has been busy for 10 s.*aborting it')
            if wakes:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(logger, signal.SIGCONT)
            gw.wait_log(rf'the logger \(pid {logger}\) ended: killed by SIG{"(ABRT|KILL)" if wakes else "KILL"}')
            traffic.wait(50)
        gw.stop()
    print(check(traffic, events_of(path)))


def test_interrupt_of_the_process_group(gateway, folder):
    """Ctrl-C reaches every process of the group: the master alone obeys, and every session has its end."""
    path = folder / 'access.log'
    gw = gateway(config(path, required=True), ledger=False)
    with servers.Echo() as echo:
        with Traffic(gw, echo, rate=200) as traffic:
            traffic.wait(100)
            for pid in gw.processes():  # all at once, as the terminal would
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGINT)
            assert gw.process.wait(sockgate.PATIENCE) == 0
    print(check(traffic, events_of(path)))


def full_disk(gw, path, small, between):
    """A full disk for some hundred sessions, kills of the logger meanwhile, then room again. (traffic, events)"""
    filler = small / 'filler'
    with servers.Echo() as echo:
        with Traffic(gw, echo, rate=200) as traffic:
            traffic.wait(20)
            # The log takes room meanwhile, so nobody knows how much there is.
            with open(filler, 'wb', 0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(4096))
            gw.wait_log('the log cannot be written: No space left on device')
            for _ in range(5):
                traffic.wait(between)
                wait_logger(gw, kill_logger(gw))
            subprocess.run(['mount', '-o', 'remount,size=16m', small], check=True)
            gw.wait_log('the log can be written again')
            traffic.wait(50)
        gw.stop()
    return traffic, events_of(path)


@needs_root
def test_full_disk_and_killed_loggers_refuse(gateway, small_disk):
    path = small_disk / 'access.log'
    gw = gateway(config(path, required=True), ledger=False)
    traffic, events = full_disk(gw, path, small_disk, between=0)
    assert not [r for r in events if r['event'] == 'records_lost']
    print(check(traffic, events))


@needs_root
def test_full_disk_and_killed_loggers_drop(gateway, small_disk):
    """Whoever is killed, what is missing is counted: sessions that clients saw are written or among the lost."""
    path = small_disk / 'access.log'
    gw = gateway(config(path, required=True, on_error='drop'), ledger=False)
    traffic, events = full_disk(gw, path, small_disk, between=30)
    lost = sum(r['count'] for r in events if r['event'] == 'records_lost')
    assert lost > 0 and len({(r['id'], r['event']) for r in events}) == len(events)
    written = sum(r['event'].startswith('session_') for r in events)
    ended = sum(2 if name.startswith('served') else 1 for name, rep in traffic.seen.items() if rep is not None)
    print(f'{len(traffic.seen)} clients, {written} events written, {lost} counted, {ended} expected')
    assert written + lost == ended
