# SPDX-License-Identifier: BSD-2-Clause
"""Nothing passes unseen: whoever is killed, every accepted connection has its records, once."""

import collections
import contextlib
import os
import signal

import servers
import sockgate
from socks import greeting, request


def sessions_of(records):
    """{id: [events in order]}."""
    found = collections.defaultdict(list)
    for record in records:
        found[record['id']].append(record['event'])
    return found


def logger_of(gw):
    """The logger of the newest generation."""
    found = gw.loggers()
    return found[max(found)] if found else None


def kill_logger(gw):
    """Kills it, or the next one if there is none at the moment; its pid."""
    logger = sockgate.wait_until(lambda: logger_of(gw), what='a logger')
    with contextlib.suppress(ProcessLookupError):
        os.kill(logger, signal.SIGKILL)
    return logger


def wait_logger(gw, old):
    """Until there is another one than this."""
    sockgate.wait_until(lambda: logger_of(gw) not in (None, old), what='a new logger')


def test_a_logger_that_lets_go_late(gateway, target):
    """Whoever stops while the logger of the generation before still has the journal waits for it: no record is missing."""
    gw = gateway(sockgate.config())
    old = logger_of(gw)
    os.kill(old, signal.SIGSTOP)
    try:
        assert 'reload done' in gw.reload()
        gw.wait(lambda: len(gw.generations()) == 2 and len(gw.workers(1)) == 0, 'the drained workers')
        with gw.connect() as client:
            client.open(*target.where)
            target.accept().close()
        gw.signal(signal.SIGTERM)
        gw.wait(lambda: not gw.workers(2), 'the end of the workers')
    finally:
        os.kill(old, signal.SIGCONT)
    gw.stop()
    assert [r['event'] for r in gw.records(client=client.name)] == ['session_start', 'session_end']


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


def test_refused_before_its_worker_died(gateway):
    """The client has read its REP 02 and stays: what is written is what it was told, not that its worker was lost."""
    gw = gateway(sockgate.config(core={'workers': 1}, rules=[{'deny': {'dst_port': 9}, 'label': 'discard'}]), ledger=False)
    with gw.connect() as client:
        client.greet()
        assert client.request('127.0.0.1', 9).rep == 2
        os.kill(gw.workers()[0], signal.SIGKILL)
        end = gw.wait_end(client)
    assert (end['event'], end['reason'], end['rule'], end['rep']) == ('session_refused', 'access_request', 'discard', '02')
