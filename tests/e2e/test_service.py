# SPDX-License-Identifier: BSD-2-Clause
"""What the service manager is told, and what it is given: notifications, the unit, users, rotation."""

import gzip
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import time

import pytest

import servers
import sockgate
from conftest import needs_root
from ledger import Traffic, check
from test_log import config, folder  # noqa: F401  folder is a fixture

CLOCK_REALTIME_COARSE = 5  # linux/time.h
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
def manager(request, folder):
    made = Manager(f'@sockgate-test-{os.getpid()}' if request.param == 'abstract' else str(folder / 'notify'))
    yield made
    made.sock.close()


def environment(pid):
    """Its variables; none if it is gone."""
    try:
        return pathlib.Path(f'/proc/{pid}/environ').read_bytes().split(b'\0')
    except (FileNotFoundError, ProcessLookupError):
        return []


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


# ---- files in etc/

def needs(tool):
    return pytest.mark.skipif(not shutil.which(tool), reason=f'{tool} is not installed')


def run(*argv, **keys):
    return subprocess.run(list(map(str, argv)), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                          timeout=sockgate.PATIENCE, **keys)


def make_unit(where, rootless=False, change=None):
    """The unit as it was built, but for the path of the program, which is not installed."""
    where.mkdir()
    unit = where / 'sockgate.service'
    text = (sockgate.BUILD / 'etc/systemd/sockgate.service').read_text(encoding='utf-8')
    text, n = re.subn(r'(?m)^(Exec\w+=)\S+/sockgate ', rf'\g<1>{sockgate.BINARY} ', text)
    assert n == 2 and '@' not in re.sub(r'(?m)^#.*|@system-service', '', text)
    unit.write_text(change(text) if change else text, encoding='utf-8')
    if rootless:
        (where / 'sockgate.service.d').mkdir()
        shutil.copy(sockgate.TOP / 'etc/systemd/rootless.conf', where / 'sockgate.service.d')
    return unit


@needs('systemd-analyze')
@pytest.mark.parametrize('rootless,most', [(False, 30), (True, 17)])
def test_unit(tmp_path, rootless, most):
    """systemd understands every line, and what it says about the exposure is what doc/operating.md says."""
    unit = make_unit(tmp_path / 'good', rootless)
    verified = run('systemd-analyze', 'verify', '--man=no', unit)
    assert (verified.returncode, verified.stderr) == (0, '')
    judged = run('systemd-analyze', 'security', '--offline=true', '--no-pager', f'--threshold={most}', unit)
    figure = re.search(r'Overall exposure level for sockgate.service: ([\d.]+)', judged.stdout)
    assert judged.returncode == 0 and figure, judged.stdout
    manual = (sockgate.TOP / 'doc/operating.md').read_text(encoding='utf-8')
    name = 'with `rootless.conf`' if rootless else '`sockgate.service`'
    if run('systemd-analyze', '--version').stdout.startswith('systemd 252'):
        assert f'| {name} | {figure[1]} |' in manual


@needs('systemd-analyze')
@pytest.mark.parametrize('before,after', [('KillMode=', 'KilMode='), ('OOMPolicy=continue', 'OOMPolicy=goon'),
                                          ('[Install]', '[Instal]')])
def test_unit_mistakes(tmp_path, before, after):
    """The test above can fail."""
    unit = make_unit(tmp_path / 'bad', change=lambda text: text.replace(before, after))
    assert run('systemd-analyze', 'verify', '--man=no', unit).stderr


def filter_of(name):
    """The system calls of a set of systemd's."""
    found = set()
    for line in run('systemd-analyze', 'syscall-filter', name).stdout.splitlines()[1:]:
        word = line.strip()
        if word.startswith('@'):
            found |= filter_of(word)
        elif word and not word.startswith('#'):
            found.add(word)
    return found


@needs('systemd-analyze')
@needs('strace')
@pytest.mark.skipif(sockgate.SANITIZED, reason='a sanitizer makes system calls of its own')
def test_system_calls(gateway, tmp_path):
    """Start, session, reload, reopen, crash, upgrade and stop make no call outside the unit's filter, with all rights or
    without: one that is refused might be missed by nobody."""
    gw = gateway(sockgate.config(core={'error_log': {'target': 'stderr'}}), ledger=False)
    trace = tmp_path / 'trace'
    tracer = subprocess.Popen(['strace', '-f', '-qq', '-o', trace, '-p', str(gw.pid)], stderr=subprocess.PIPE)
    gw.wait(lambda: 'TracerPid:\t0' not in pathlib.Path(f'/proc/{gw.pid}/status').read_text(), 'the tracer')
    gw.reload()
    with servers.Echo() as echo, gw.connect() as client:
        client.open(*echo.where)
        for _ in range(32):  # a stream: it has ways of its own through the kernel
            client.send(b'x' * 65536)
            client.expect(b'x' * 65536)
    gw.signal(signal.SIGUSR1)
    os.kill(next(iter(gw.workers().values())), signal.SIGKILL)
    gw.wait(lambda: len(gw.workers()) == 2, 'a new worker')
    gw.signal(signal.SIGUSR2)
    gw.wait_log('upgrade done')
    gw.stop()
    tracer.wait(sockgate.PATIENCE)
    calls = set(re.findall(r'(?m)^\d+ +(\w+)\(', trace.read_text(encoding='utf-8', errors='replace')))
    assert {'execve', 'accept4', 'close_range', 'signalfd4'} <= calls
    assert not calls - filter_of('@system-service')
    rights = {'setgroups', 'setresuid', 'setuid'}  # as root only, to give them up; the unit of rootless.conf refuses them
    assert calls & (filter_of('@privileged') | filter_of('@resources')) <= rights


@needs_root
@needs('systemd-sysusers')
@needs('systemd-tmpfiles')
def test_users_and_folders(tmp_path):
    """Two users without a shell; the logs are the second one's."""
    for name in ('sysusers.d', 'tmpfiles.d'):
        (tmp_path / 'usr/lib' / name).mkdir(parents=True)
        shutil.copy(sockgate.TOP / 'etc' / name / 'sockgate.conf', tmp_path / 'usr/lib' / name)
    (tmp_path / 'etc').mkdir()
    made = run('systemd-sysusers', f'--root={tmp_path}')
    assert made.returncode == 0, made.stderr
    users = {line.split(':')[0]: line.split(':') for line in (tmp_path / 'etc/passwd').read_text().splitlines()}
    assert set(users) == {'sockgate', 'sockgate-log'}
    for entry in users.values():
        assert int(entry[2]) > 0 and entry[6].endswith('nologin') and entry[2] != '65534'
    made = run('systemd-tmpfiles', '--create', f'--root={tmp_path}')
    assert made.returncode == 0, made.stderr
    state = (tmp_path / 'var/log/sockgate').stat()
    assert state.st_mode & 0o7777 == 0o750 and state.st_uid == int(users['sockgate-log'][2])
    unit = (sockgate.TOP / 'etc/systemd/rootless.conf').read_text(encoding='utf-8')
    assert re.search(r'(?m)^User=sockgate$', unit)


def seconds():
    """As time(2) tells it, which is a moment late."""
    return int(time.clock_gettime(CLOCK_REALTIME_COARSE))


@needs('logrotate')
def test_logrotate(gateway, folder, tmp_path):  # noqa: F811
    """The rule as it was built, by the real logrotate, under load: each record in exactly one file, the new one at once."""
    path = folder / 'access.log'
    gw = gateway(config(path, core={'log_user': 'daemon'} if sockgate.ROOT else {}), ledger=False)
    text = (sockgate.BUILD / 'etc/logrotate.d/sockgate').read_text(encoding='utf-8')
    text = re.sub(r'\S+/sockgate -q -s reopen -c \S+', f'{sockgate.BINARY} -q -s reopen -c {gw.conf}', text)
    text = re.sub(r'(?m)^ *su .*$', ' su daemon daemon' if sockgate.ROOT else '', text)
    rule = tmp_path / 'rule'
    rule.write_text(text.replace('/var/log/sockgate/', f'{folder}/'), encoding='utf-8')
    rule.chmod(0o644)
    with servers.Echo() as echo:
        with Traffic(gw, echo) as traffic:
            for _ in range(4):
                traffic.wait(15)
                inode, second = path.stat().st_ino, seconds()
                sockgate.wait_until(lambda now=second: seconds() != now, what='another second, for the name')
                done = run('logrotate', '-f', '-s', tmp_path / 'state', rule, env=gw.environment())
                assert done.returncode == 0 and not done.stderr, done.stderr
                sockgate.wait_until(lambda old=inode: path.exists() and path.stat().st_ino != old, what='the new file')
        gw.stop()
    records = []
    for name in folder.iterdir():
        data = gzip.decompress(name.read_bytes()) if name.suffix == '.gz' else name.read_bytes()
        records += [json.loads(line) for line in data.splitlines()]
    assert len(list(folder.iterdir())) == 5 and len(list(folder.glob('*.gz'))) == 3
    records.sort(key=lambda record: record['event'] != 'session_start')
    print(check(traffic, records))
