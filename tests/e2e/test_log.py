# SPDX-License-Identifier: BSD-2-Clause
"""Logs as files: each record once and whole, whoever is killed, whatever the disk says, however files are rotated."""

import contextlib
import os
import pathlib
import signal
import subprocess
import tempfile
import time

import pytest

import servers
import sockgate
from conftest import needs_root
from socks import greeting, request
from ledger import RULES, Traffic, check, events_of, sessions_in
from test_journal import kill_logger, logger_of, wait_logger


@pytest.fixture
def folder():
    """Where the logger may make files, whoever it is: not below the folder of pytest, which is nobody's but ours."""
    with tempfile.TemporaryDirectory(prefix='sockgate-e2e-log-') as top:
        pathlib.Path(top).chmod(0o755)
        made = pathlib.Path(top) / 'log'
        made.mkdir()
        made.chmod(0o777)
        yield made


def config(path, core=None, limits=None, **keys):
    log = {'name': 'file', 'file': 'log_file.so', **keys, 'settings': {'path': str(path)}}
    return sockgate.config(core=dict({'workers': 2}, **(core or {})), rules=RULES, modules=[log], hooks={'log': ['file']},
                           limits=limits)


def lines_of(path):
    return sessions_in(events_of(path))


def wait_lines(gw, path, number, **match):
    def enough():
        found = [r for r in lines_of(path) if all(r.get(k) == v for k, v in match.items())]
        return found if len(found) >= number else None
    return gw.wait(enough, f'{number} lines with {match} in {path}')


def test_lines(gateway, folder, target):
    """All of a session, in the file and nowhere else; the logger owns it, workers cannot open it."""
    path = folder / 'access.log'
    gw = gateway(config(path), ledger=False)
    with gw.connect() as client:
        client.open(*target.where)
        start = wait_lines(gw, path, 1, event='session_start')[0]
        assert (start['client'], start['rule'], start['target']) == (client.name, 'all', '%s:%d' % target.where)
        with target.accept() as peer:
            peer.shutdown()
            client.shutdown()
            end = wait_lines(gw, path, 1, event='session_end')[0]
    assert end['id'] == start['id'] and not gw.records()
    assert path.stat().st_mode & 0o777 == 0o640
    if sockgate.ROOT:
        assert path.stat().st_uid == os.stat(f'/proc/{logger_of(gw)}').st_uid or path.stat().st_uid != 0
    for pid in gw.workers().values():
        assert str(path) not in [os.readlink(f'/proc/{pid}/fd/{fd}') for fd in os.listdir(f'/proc/{pid}/fd')]


def test_an_idle_logger_is_not_stalled(gateway, folder):
    """A log that must not be missed, and that had nothing to do for longer than a logger may be stalled: what ends then
    and has not been written yet keeps no client waiting who comes in that moment."""
    path = folder / 'access.log'
    gw = gateway(config(path, required=True, core={'workers': 1}), ledger=False)
    with servers.Echo() as echo:
        with gw.connect() as first, contextlib.ExitStack() as stack:
            first.open(*echo.where)
            wait_lines(gw, path, 1, event='session_start')
            for _ in range(3):  # by the last of them the worker has seen that all is written
                stack.enter_context(gw.connect()).greet()
            began = time.monotonic()
            sockgate.wait_until(lambda: time.monotonic() - began > 2.2, what='2.2 seconds')
            first.shutdown()
            first.expect_end()
            with gw.connect() as client:
                client.open(*echo.where)
    assert 'not accepting' not in gw.log()


@needs_root
def test_log_user(gateway, folder, target):
    """The logger is a user of its own; what it writes belongs to it."""
    path = folder / 'access.log'
    gw = gateway(config(path, core={'log_user': 'daemon'}), ledger=False)
    with gw.connect() as client:
        client.open(*target.where)
        wait_lines(gw, path, 1)
    assert path.owner() == 'daemon'
    status = pathlib.Path(f'/proc/{logger_of(gw)}/status').read_text()
    assert 'CapEff:\t0000000000000000' in status and 'NoNewPrivs:\t1' in status


@pytest.mark.parametrize('settings,words', [
    ({'path': 'relative.log'}, 'is not absolute'), ({'path': '/tmp'}, 'is no regular file'),
    ({'path': '/no/such/folder/x.log'}, 'there is no folder for'), ({}, '"path" is missing')])
def test_mistakes(gateway, settings, words):
    text = sockgate.config(modules=[{'name': 'file', 'file': 'log_file.so', 'settings': settings}], hooks={'log': ['file']})
    gw = gateway(text, ready=False)
    assert gw.process.wait(sockgate.PATIENCE) == 1 and words in gw.log()


def test_places(gateway):
    """A log stands in the general hooks, and only a log does; only logs are required."""
    log = {'name': 'file', 'file': 'log_file.so', 'settings': {'path': '/tmp/x.log'}}
    for modules, hooks, listener, words in (
            ([log], {'log': ['rules']}, {}, 'does not have that role'), ([log], {'access': ['file']}, {}, 'does not have that role'),
            ([log], {'log': ['file']}, {'hooks': {'log': ['file']}}, 'stands in the general hooks alone'),
            ([dict(log, required=True), dict(sockgate.test_module('access_request_only', 'x'), required=True)],
             {'log': ['file'], 'access': ['x', 'rules']}, {}, 'only logs have "required"')):
        gw = gateway(sockgate.config([sockgate.listener(**listener)], modules=modules, hooks=hooks), ready=False)
        assert gw.process.wait(sockgate.PATIENCE) == 1 and words in gw.log(), gw.log()


def test_unwritable_is_no_start(gateway, folder):
    """A log that cannot be opened: a new configuration does not come into service."""
    gw = gateway(config(folder / 'a.log'), ledger=False)
    (folder / 'b.log').symlink_to(folder / 'a.log')
    assert 'failed' in gw.reload(config(folder / 'b.log'))
    with gw.connect() as client:
        client.open('127.0.0.1', gw.address()[1])


def test_logger_killed(gateway, folder):
    """Kills at random moments: no line twice, none torn, none missing."""
    path = folder / 'access.log'
    gw = gateway(config(path), ledger=False)
    with servers.Echo() as echo:
        with Traffic(gw, echo) as traffic:
            for _ in range(50 if sockgate.DRILL else 12):
                traffic.wait(15)
                wait_logger(gw, kill_logger(gw))
        gw.stop()
    print(check(traffic, lines_of(path)))


def test_rotation(gateway, folder):
    """Rename and USR1 under load, with reloads between: each record in exactly one file."""
    path = folder / 'access.log'
    gw = gateway(config(path), ledger=False)
    with servers.Echo() as echo:
        with Traffic(gw, echo) as traffic:
            for number in range(10):
                traffic.wait(15)
                path.rename(folder / f'access.log.{number}')
                gw.signal(signal.SIGUSR1)
                sockgate.wait_until(path.exists, what='the new file')
                if number % 4 == 3:
                    assert 'done' in gw.reload(config(path))
        gw.stop()
    records = [r for number in range(10) for r in lines_of(folder / f'access.log.{number}')] + lines_of(path)
    print(check(traffic, records))


@pytest.fixture
def small_disk(folder):
    """64 KiB, for the log alone."""
    if subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=64k,mode=0777', 'tmpfs', folder], check=False).returncode != 0:
        pytest.skip('no tmpfs can be mounted here')
    yield folder
    subprocess.run(['umount', '-l', folder], check=True)


def one(gw, target):
    """A whole session, or False: nobody takes it in."""
    client = gw.connect()
    client.send(greeting() + request(*target.where))
    if not servers.readable(client.sock, 1.5):
        return client
    client.expect(b'\x05\x00\x05\x00')
    client.reset()
    target.accept().close()
    return None


@needs_root
def test_full_disk_refuses(gateway, small_disk, target):
    """required, refuse: with a full disk no session begins; when there is room, who waited is served, and nothing is missing."""
    path, filler = small_disk / 'access.log', small_disk / 'filler'
    gw = gateway(config(path, core={'workers': 1}, required=True), ledger=False)
    assert one(gw, target) is None
    filler.write_bytes(b'x' * (60 * 1024 - path.stat().st_size))
    served, waiting = 1, None
    while waiting is None:
        waiting = one(gw, target)
        served += waiting is None
        assert served < 300
    gw.wait_log(r'module "file": the log cannot be written: No space left on device; no session begins')
    filler.unlink()
    waiting.expect(b'\x05\x00\x05\x00')
    waiting.reset()
    wait_lines(gw, path, served + 1, event='session_end')
    gw.stop()
    lines = lines_of(path)
    assert [r['event'] for r in lines].count('session_end') == len(lines) / 2 == served + 1
    assert len({r['id'] for r in lines}) == served + 1


@needs_root
def test_full_disk_drops(gateway, small_disk, target):
    """drop: sessions go on, and the first line when there is room is the number of events that are missing."""
    path, filler = small_disk / 'access.log', small_disk / 'filler'
    gw = gateway(config(path, core={'workers': 1}, required=True, on_error='drop'), ledger=False)
    filler.write_bytes(b'x' * 60 * 1024)
    served = 0
    while 'events are dropped' not in gw.log():
        assert one(gw, target) is None
        served += 1
        assert served < 300
    for _ in range(20):
        assert one(gw, target) is None
        served += 1
    filler.unlink()
    gw.wait_log('the log can be written again')
    gw.stop()
    events = events_of(path)
    lost = [i for i, r in enumerate(events) if r['event'] == 'records_lost']
    assert lost and lost == list(range(lost[0], lost[0] + len(lost)))  # one for each table, before anything else
    others = [r for r in events if r['event'] in ('reload', 'file_loaded')]
    # Each event is written or counted.
    assert len(events) - len(lost) - len(others) + sum(events[i]['count'] for i in lost) == 2 * served
    assert not gw.records()
