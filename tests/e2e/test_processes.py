# SPDX-License-Identifier: BSD-2-Clause
"""Master, generation, workers: what they hold, and what happens when one is killed or signalled."""

import contextlib
import os
import pathlib
import re
import signal
import socket
import time

import pytest

import servers
import sockgate
from conftest import needs_root

TABLE = pathlib.Path(sockgate.TOP / 'doc' / 'processes.md').read_text()


def rows():
    """{role: cells} of the table in doc/processes.md."""
    return {cells[0]: cells for line in TABLE.splitlines() if line.startswith('| ') and '---' not in line
            for cells in [[cell.strip() for cell in line.strip('|').split('|')]]}


def descriptors(pid):
    found = []
    for fd in os.listdir(f'/proc/{pid}/fd'):
        if int(fd) > 2:
            with contextlib.suppress(FileNotFoundError):
                found.append(os.readlink(f'/proc/{pid}/fd/{fd}'))
    return found


def kinds(pid, log):
    """The descriptors of a process as the table names them."""
    unix = pathlib.Path('/proc/net/unix').read_text()
    netlink = pathlib.Path('/proc/net/netlink').read_text()
    names = {'anon_inode:[signalfd]': 'signalfd', 'anon_inode:[eventpoll]': 'epoll', 'anon_inode:[eventfd]': 'eventfd',
             'anon_inode:[timerfd]': 'timerfd', 'anon_inode:[pidfd]': 'pidfd', 'anon_inode:inotify': 'inotify'}
    for link in descriptors(pid):
        inode = re.fullmatch(r'socket:\[(\d+)\]', link)
        if link in names:
            yield names[link]
        elif inode and re.search(rf'\b{inode[1]}\b', unix):
            yield 'channel'
        elif inode and re.search(rf'\b{inode[1]}\b', netlink):
            yield 'netlink'
        elif inode:
            yield 'listening socket'
        elif link.startswith('/memfd:'):
            yield 'memory file'
        elif link.endswith('sockgate.pid'):
            yield 'pid file'
        elif '/journal' in link:
            yield {'journal': 'journal folder', 'bell': 'bell', 'lock': 'lock'}[link.rsplit('/', 1)[1]]
        elif link == log:
            yield 'error log'
        else:
            yield link


def status(pid):
    lines = pathlib.Path(f'/proc/{pid}/status').read_text().splitlines()
    return dict(line.split(':\t', 1) for line in lines if ':\t' in line)


LOGGING = {'workers': 2, 'error_log': {'target': '@DIR@/error.log'}}


def with_helpers(core):
    return sockgate.config(core=core, modules=[sockgate.test_module('auth_pw', name='pw')], hooks={'auth': ['none', 'pw']})


def logging_to_a_file(gateway):
    gw = gateway(with_helpers(LOGGING), ready=False, ledger=False)
    log = gw.dir / 'error.log'
    sockgate.wait_until(lambda: log.exists() and 'ready: generation 1' in log.read_text(), what='the ready line')
    return gw, log


def roles(gw):
    return {'master': [gw.pid], 'generation': [gw.generation_pid], 'worker': list(gw.workers().values()),
            'helper': gw.helpers('pw'), 'logger': list(gw.loggers().values())}


def test_descriptors_and_maps(gateway):
    """T51: per role, just what doc/processes.md says: no stray descriptor, no module in the master."""
    gw, log = logging_to_a_file(gateway)
    for role, pids in roles(gw).items():
        cells = rows()[role]
        allowed = cells[5]
        for pid in pids:
            for kind in kinds(pid, str(log)):
                assert kind in allowed or kind + 's' in allowed, f'{role} {pid} holds {kind}: {descriptors(pid)}'
            mapped = str(sockgate.MODULES) in pathlib.Path(f'/proc/{pid}/maps').read_text()
            assert mapped == (cells[4] == 'yes'), role
            title = re.escape(cells[1].strip('`')).replace('NAME', 'pw').replace('N', r'\d+').replace('M', r'\d+')
            assert re.match(title, pathlib.Path(sockgate.title(pid)).name), (role, sockgate.title(pid))


@needs_root
def test_rights(gateway):
    """T51: workers and helpers have no rights at all; generation and master stay as they were started."""
    gw = gateway(with_helpers({'workers': 2}))
    for role, pids in roles(gw).items():
        for pid in pids:
            found = status(pid)
            none = rows()[role][3] == 'none'
            assert ('0' in found['Uid'].split()) != none, role
            assert (int(found['CapEff'], 16) == 0) == none and (found['NoNewPrivs'] == '1') == none, role
            if none:
                assert int(found['CapPrm'], 16) == int(found['CapInh'], 16) == int(found['CapAmb'], 16) == 0
                assert os.stat(f'/proc/{pid}/maps').st_uid == 0  # not dumpable


def test_killed_worker(gateway):
    """T20: it is replaced at once, and the sessions of the other go on."""
    gw = gateway(sockgate.config(core={'workers': 2}), ledger=False)
    with servers.Echo() as echo:
        clients = [gw.connect() for _ in range(12)]
        for client in clients:
            client.open(*echo.where)
        old = gw.workers()
        began = time.monotonic()
        os.kill(old[0], signal.SIGKILL)
        new = sockgate.wait_until(lambda: gw.workers().get(0, old[0]) != old[0] and gw.workers()[0], what='a new worker')
        print(f'replaced after {(time.monotonic() - began) * 1000:.0f} ms')
        assert time.monotonic() - began < 1 and new != old[0]
        alive = 0
        for client in clients:
            with contextlib.suppress(OSError, AssertionError, EOFError):
                client.send(b'x')
                client.expect(b'x')
                alive += 1
        ended = 12 - alive
        assert int(gw.wait_log(r'worker 0 .* ended: killed by SIGKILL; (\d+) sessions were open')[1]) == ended
        with gw.connect() as client:
            client.open(*echo.where)


def test_killed_generation(gateway):
    """Its sessions drain; a new one starts with the configuration that was loaded, not with what the file says now."""
    gw = gateway(sockgate.config(core={'workers': 2}), ledger=False)
    with servers.Echo() as echo, gw.connect() as client:
        client.open(*echo.where)
        gw.write_config('this is no configuration')
        old = gw.generation_pid
        os.kill(old, signal.SIGKILL)
        gw.wait_log(r'restart done: generation 2')
        client.send(b'still here')
        client.expect(b'still here')
        with gw.connect() as other:
            other.open(*echo.where)
        client.close()
        gw.wait_record(event='session_end', client=client.name)


def test_killed_master(gateway):
    """Everything drains and ends, the port is free at once."""
    gw = gateway(sockgate.config(core={'workers': 2}), ledger=False)
    with servers.Echo() as echo, gw.connect() as client:
        client.open(*echo.where)
        os.kill(gw.pid, signal.SIGKILL)
        gw.process.wait()
        sockgate.wait_until(lambda: 'the master is gone: draining' in gw.log(), what='word of it')

        def free():
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                with contextlib.suppress(OSError):
                    probe.bind(gw.address())
                    return True
        sockgate.wait_until(free, what='the port')
        client.send(b'still here')
        client.expect(b'still here')
        client.close()
        sockgate.wait_until(lambda: not gw.processes(), what='the end of all processes')
        assert gw.records(event='session_end', client=client.name)
    (gw.run_dir / 'sockgate.pid').unlink()


def test_ctrl_c(gateway):
    """SIGINT to the whole process group means one thing: stop, with a record for every session."""
    gw = gateway(sockgate.config(core={'workers': 2}))
    with servers.Echo() as echo, gw.connect() as client:
        client.open(*echo.where)
        client.served = True
        began = time.monotonic()
        for pid in gw.processes():
            with contextlib.suppress(ProcessLookupError):  # some are gone as soon as the master has it
                os.kill(pid, signal.SIGINT)
        assert gw.process.wait(sockgate.PATIENCE) == 0
        print(f'stopped after {(time.monotonic() - began) * 1000:.0f} ms')
        assert time.monotonic() - began < 5 * (3 if sockgate.SANITIZED else 1)
        assert gw.wait_record(event='session_end', client=client.name)['reason'] == 'stopped'


def test_only_the_master_obeys(gateway):
    gw = gateway(sockgate.config(core={'workers': 2}))
    with servers.Echo() as echo, gw.connect() as client:
        client.open(*echo.where)
        before = gw.processes()
        for pid in before:
            if pid != gw.pid:
                for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2):
                    os.kill(pid, number)
        client.send(b'x')
        client.expect(b'x')
        assert gw.processes() == before


def test_quit_drains(gateway):
    gw = gateway(sockgate.config(core={'workers': 2}))
    with servers.Echo() as echo, gw.connect() as client:
        client.open(*echo.where)
        gw.signal(signal.SIGQUIT)

        def refused():
            with contextlib.suppress(ConnectionRefusedError), socket.create_connection(gw.address(), 1):
                return False
            return True
        sockgate.wait_until(refused, what='the end of listening')
        client.send(b'x')
        client.expect(b'x')
        client.close()
        assert gw.process.wait(sockgate.PATIENCE) == 0


def test_second_instance(gateway):
    gw = gateway()
    done = gw.cli('-c', str(gw.conf))
    assert done.returncode == 1 and f'already running as pid {gw.pid}' in done.stderr


def test_reopen(gateway):
    """USR1: master and workers write to the new file."""
    gw, log = logging_to_a_file(gateway)
    with servers.Echo() as echo:
        with gw.connect() as client:
            client.open(*echo.where)
        sockgate.wait_until(lambda: 'session_end' in log.read_text(), what='a record')
        log.rename(gw.dir / 'error.log.1')
        gw.signal(signal.SIGUSR1)
        sockgate.wait_until(log.exists, what='the new file')

        def fresh():
            with gw.connect() as again:
                again.open(*echo.where)
            return 'session_end' in log.read_text()
        sockgate.wait_until(fresh, what='a record in the new file')
        gw.signal(signal.SIGHUP)
        sockgate.wait_until(lambda: 'reload done' in log.read_text(), what="the master's line in the new file")


def test_five_crashes_renew_the_generation(gateway):
    gw = gateway(sockgate.config(core={'workers': 1}), ledger=False, env=sockgate.CRASHING)
    first = gw.generation_pid
    for _ in range(5):
        old = sockgate.wait_until(lambda: gw.workers(1).get(0), what='a worker')
        os.kill(old, signal.SIGSEGV)
        sockgate.wait_until(lambda: gw.workers(1).get(0) != old, what='its end')
    gw.wait_log('five crashes in a minute')
    gw.wait_log('restart done: generation 2 has taken over')
    assert gw.generation_pid != first


def test_crash_in_start(gateway):
    """A first worker that dies: sockgate does not start; at a reload the old generation goes on."""
    good = sockgate.config(core={'workers': 2})
    bad = sockgate.config(modules=[sockgate.test_module('start_fails', name='it')], hooks={'access': ['it', 'rules']})
    gw = gateway(good)
    assert 'reload failed' in gw.reload(bad)
    with servers.Echo() as echo, gw.connect() as client:
        client.open(*echo.where)
    gw.wait_record(event='session_end')


@pytest.mark.drill
def test_watchdog(gateway):
    """T21: a module that loops is named after 2 s, aborted after 10 s, and its worker replaced."""
    gw = gateway(sockgate.config(core={'workers': 2}, modules=[sockgate.test_module('access_hang', name='it')],
                                 hooks={'access': ['it', 'rules']}), ledger=False, turns=False)
    with gw.connect() as client:
        client.greet()
        client.send(
            b'\x05\x01\x00\x01\x7f\x00\x00\x01' + (7777).to_bytes(2, 'big'))
        gw.wait_log(r'has been busy for 2 s in module "it"')
        gw.wait_log(r'has been busy for 10 s in module "it": aborting', timeout=60)
        gw.wait_log(r'killed by SIGABRT, in module "it"')
