# SPDX-License-Identifier: BSD-2-Clause
"""What the service manager is told, and what it is given: notifications, the unit, users, rotation."""

import os
import pathlib
import re
import signal
import socket
import struct
import time

import pytest

import servers
import sockgate

UCRED = struct.Struct('3i')


class Manager:
    """The service manager's end of NOTIFY_SOCKET."""

    def __init__(self, name):
        self.name = name
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(name.replace('@', '\0', 1) if name.startswith('@') else name)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.sock.settimeout(sockgate.PATIENCE)
        if name.startswith('/'):
            os.chmod(name, 0o777)

    def next(self):
        """The next message as a dict; "pid" is who sent it."""
        text, control, _flags, _from = self.sock.recvmsg(4096, socket.CMSG_SPACE(UCRED.size))
        found = dict(line.split('=', 1) for line in text.decode().splitlines())
        return dict(found, pid=UCRED.unpack(control[0][2])[0])

    def until(self, **match):
        """Skips to the message that has these values; in between, nothing but states."""
        while True:
            found = self.next()
            if all(found.get(key) == value for key, value in match.items()):
                return found
            assert set(found) in ({'STATUS', 'pid'}, {'WATCHDOG', 'pid'}), found

    def silent(self):
        return not servers.readable(self.sock, 0)


@pytest.fixture(params=['abstract', 'path'])
def manager(request, tmp_path):
    for path in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        path.chmod(0o755)
    made = Manager(f'@sockgate-test-{os.getpid()}' if request.param == 'abstract' else str(tmp_path / 'notify'))
    yield made
    made.sock.close()


def environment(pid):
    return pathlib.Path(f'/proc/{pid}/environ').read_bytes().split(b'\0')


def test_notify(gateway, manager):
    """Ready when the first generation is current; reloads, failed ones and upgrades too, with their bounds; the end."""
    gw = gateway(env={'NOTIFY_SOCKET': manager.name})
    ready = manager.next()
    assert ready == {'READY': '1', 'MAINPID': str(gw.pid), 'pid': gw.pid,
                     'STATUS': 'start done: generation 1, 2 workers'}
    began = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert 'done' in gw.reload()
    reloading = manager.next()
    assert reloading['RELOADING'] == '1' and reloading['pid'] == gw.pid
    assert began <= int(reloading['MONOTONIC_USEC']) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert manager.until(READY='1')['STATUS'] == 'reload done: generation 2, 2 workers'
    good = gw.conf.read_text(encoding='utf-8')
    assert 'failed' in gw.reload(good + 'nonsense = "\n";\n')
    assert manager.next()['RELOADING'] == '1'
    failed = manager.until(READY='1')
    assert failed['STATUS'].startswith('reload failed, generation 2 goes on: ') and str(gw.conf) in failed['STATUS']
    gw.write_config(good)
    for _ in range(2):  # the second time it is the new binary that passes the address on
        gw.signal(signal.SIGUSR2)
        assert manager.next()['RELOADING'] == '1'
        upgraded = manager.until(READY='1')
        assert upgraded['STATUS'].startswith('upgrade done') and upgraded['MAINPID'] == str(gw.pid)
    for pid in gw.processes():
        if pid != gw.pid:
            assert not [v for v in environment(pid) if v.startswith(b'NOTIFY_SOCKET')], sockgate.title(pid)
    gw.stop()
    assert manager.next()['STOPPING'] == '1' and manager.silent()


def test_notify_of_trouble(gateway, manager):
    """A generation that dies, a start that fails, a drain."""
    gw = gateway(env={'NOTIFY_SOCKET': manager.name}, ledger=False)
    manager.until(READY='1')
    os.kill(gw.generation_pid, signal.SIGKILL)
    assert 'has ended: killed by SIGKILL' in manager.next()['STATUS']
    assert manager.until(READY='1')['STATUS'].startswith('restart done')
    with servers.Echo() as echo, gw.connect() as client:
        client.open(*echo.where)
        gw.signal(signal.SIGQUIT)
        # A manager that is told of a stop would soon kill what is left: it is told when the last session is gone.
        assert manager.next()['STATUS'] == 'draining, then stopping'
        client.send(b'still there')
        client.expect(b'still there')
        assert manager.silent()
    assert manager.next()['STOPPING'] == '1'
    gw.process.wait(sockgate.PATIENCE)
    assert gateway('nonsense', env={'NOTIFY_SOCKET': manager.name}, ready=False).process.wait(sockgate.PATIENCE) == 1
    assert manager.next()['STATUS'].startswith('not started: ')


def test_watchdog(gateway, manager):
    """WatchdogSec=: told again and again, by the master, before the time is up; not for a process of another number."""
    gw = gateway(env={'NOTIFY_SOCKET': manager.name, 'WATCHDOG_USEC': '400000'})
    manager.until(READY='1')
    for _ in range(3):
        assert manager.next() == {'WATCHDOG': '1', 'pid': gw.pid}
    gw.stop()
    while not manager.silent():
        manager.next()
    other = gateway(env={'NOTIFY_SOCKET': manager.name, 'WATCHDOG_USEC': '1000', 'WATCHDOG_PID': '1'})
    other.stop()
    while not manager.silent():
        assert 'WATCHDOG' not in manager.next()


@pytest.mark.parametrize('name', ['relative', 'vsock:2:1234', '', '/no/such/socket', '@' + 'x' * 200])
def test_nobody_listens(gateway, name):
    """A socket that is not there is no reason not to serve."""
    gw = gateway(env={'NOTIFY_SOCKET': name}, ledger=False)
    assert re.search(r'NOTIFY_SOCKET=', gw.log())
