# SPDX-License-Identifier: BSD-2-Clause
"""Sockgate and its peers: each is started with a configuration from peers/, pinned to a processor, and looked at from
outside: what CPU time it has used, how much memory and how many descriptors its processes have.

CPU time is the kernel's own count in nanoseconds: of a control group where one can be made, else of all threads that
the processes have now (what ended threads have used is then missing).
"""

import contextlib
import ctypes
import itertools
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
PATIENCE = 20
PR_SET_PDEATHSIG = 1
CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class Missing(Exception):
    """A peer that this machine does not have; the text says what is missing."""


class Trouble(Exception):
    """A measurement that could not be made; the text says why."""


def wait_until(question, what, timeout=PATIENCE):
    end = time.monotonic() + timeout
    while not (answer := question()):
        if time.monotonic() > end:
            raise Trouble(f'waited in vain for {what}')
        time.sleep(0.005)
    return answer


def own_network():
    """Moves this process into a network of its own: nobody else's connections, all ports free. False: it may not."""
    if os.geteuid() != 0 or not shutil.which('ip') or _libc.unshare(CLONE_NEWNET) == -1:
        return False
    subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
    return True


_ports = itertools.count(20000)


def free_port():
    """One that the kernel does not give to outgoing connections: a load may come back to it much later."""
    for port in _ports:
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(('127.0.0.1', port))
            return port
    raise Trouble('there is no free port')


# ---- control groups: version 1 counts in nanoseconds, version 2 in microseconds

class Group:
    """A control group, whose CPU time is counted by the kernel. Made where there is one and we may; else OSError."""

    def __init__(self, name):
        one, two = pathlib.Path('/sys/fs/cgroup/cpuacct'), pathlib.Path('/sys/fs/cgroup')
        parent = one if (one / 'cpuacct.usage').exists() else two
        if parent == two and not (two / 'cgroup.controllers').exists():
            raise OSError('there are no control groups')
        self._dir = parent / f'sockgate-bench-{os.getpid()}-{name}'
        self._dir.mkdir()

    def enter(self):
        """In a child before exec."""
        (self._dir / 'cgroup.procs').write_text('0')

    def cpu_ns(self):
        usage = self._dir / 'cpuacct.usage'
        if usage.exists():
            return int(usage.read_text())
        return int(re.search(r'usage_usec (\d+)', (self._dir / 'cpu.stat').read_text())[1]) * 1000

    def close(self):
        # The kernel needs a moment to forget processes that have ended.
        with contextlib.suppress(Trouble):
            wait_until(self._removed, 'the control group to be empty', 2)

    def _removed(self):
        try:
            self._dir.rmdir()
        except OSError:
            return False
        return True


# ---- processes

def thread_ns(pid):
    """CPU time of all threads that a process has now."""
    total = 0
    for path in pathlib.Path(f'/proc/{pid}/task').glob('*/schedstat'):
        with contextlib.suppress(OSError):
            total += int(path.read_text().split()[0])
    return total


def processes(session):
    """The processes of a session, whoever their parents are."""
    found = []
    for entry in filter(str.isdigit, os.listdir('/proc')):
        with contextlib.suppress(OSError, IndexError):
            fields = pathlib.Path(f'/proc/{entry}/stat').read_text('latin-1').rsplit(')', 1)[1].split()
            if int(fields[3]) == session and fields[0] != 'Z':
                found.append(int(entry))
    return found


def pss(pid):
    """Its share of memory, in octets."""
    text = pathlib.Path(f'/proc/{pid}/smaps_rollup').read_text('ascii')
    return int(re.search(r'^Pss: +(\d+) kB', text, re.M)[1]) * 1024


class Process:
    """A program that runs on given processors until stop()."""

    def __init__(self, argv, cpus, log, group=None, **keys):
        def prepare():
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            os.sched_setaffinity(0, cpus)
            hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            if group:
                group.enter()
        self.popen = subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                      start_new_session=True, preexec_fn=prepare, **keys)
        self.pid = self.popen.pid

    def processes(self):
        return processes(self.pid)

    def stop(self):
        """Ends what was started here and its children, which share its session."""
        if self.popen.poll() is None:
            self.popen.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.popen.wait(5)
        for pid in processes(self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.popen.wait()


# ---- peers

class Peer:
    """One server. Subclasses say how it is started."""

    name = ''
    package = None  # Debian's
    raw = False  # no SOCKS: forwards to one target
    udp = False  # can pass datagrams on
    copy = False  # is here for the answers alone, which it copies

    def __init__(self, cpus, build):
        self.build = build
        self.port, self.target = free_port(), free_port()
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=f'sockgate-bench-{self.name}-'))
        self.process = self.group = None
        try:
            self.dir.chmod(0o777)
            argv = self.argv()
            with contextlib.suppress(OSError):
                self.group = Group(self.dir.name)
            with open(self.dir / 'output', 'wb') as log:
                self.process = Process(argv, cpus, log, self.group, cwd=self.dir, env=self.environment())
            wait_until(self._answers, f'{self.name} to listen')
        except BaseException:
            self.stop()
            raise

    def argv(self):
        raise NotImplementedError

    def environment(self):
        return None

    @staticmethod
    def find(program):
        """A program, also where only root looks for one."""
        found = shutil.which(program, path=os.environ.get('PATH', '') + ':/usr/sbin:/usr/local/sbin')
        if not found:
            raise Missing(f'{program} is not installed')
        return found

    def config(self, name, **words):
        """A file of peers/ with its @WORDS@ filled in."""
        text = (HERE / 'peers' / name).read_text('utf-8')
        for word, value in {'PORT': self.port, 'TARGET': self.target, 'DIR': self.dir, **words}.items():
            text = text.replace(f'@{word}@', str(value))
        path = self.dir / name
        path.write_text(text, 'utf-8')
        return path

    def _answers(self):
        if self.process.popen.poll() is not None:
            raise Trouble(f'{self.name} has ended: ' + self.output().rsplit('\n', 1)[-1])
        with contextlib.suppress(OSError), socket.create_connection(('127.0.0.1', self.port), 1):
            return True
        return False

    @classmethod
    def version(cls):
        """'NAME VERSION' of its package; None if there is none."""
        if not cls.package or not shutil.which('dpkg-query'):
            return None
        found = subprocess.run(['dpkg-query', '-W', '-f', '${Version}', cls.package], capture_output=True, text=True,
                               check=False)
        return f'{cls.name} {found.stdout}' if found.returncode == 0 else None

    def output(self):
        return (self.dir / 'output').read_text(errors='replace').strip()[-1000:]

    def processes(self):
        return self.process.processes()

    def cpu_ns(self):
        return self.group.cpu_ns() if self.group else sum(map(thread_ns, self.processes()))

    def settle(self):
        """Until it does nothing any more, but for the odd timer; what it does after a measurement belongs to it."""
        end = time.monotonic() + 1
        before, now = 0, self.cpu_ns()
        while now - before > 20_000 and time.monotonic() < end:
            time.sleep(0.01)
            before, now = now, self.cpu_ns()
        return now

    def memory(self):
        """(octets, descriptors) of all its processes."""
        pids = self.processes()
        return sum(map(pss, pids)), sum(len(os.listdir(f'/proc/{pid}/fd')) for pid in pids)

    def stop(self):
        if self.process:
            self.process.stop()
        if self.group:
            self.group.close()
        shutil.rmtree(self.dir, ignore_errors=True)


class Sockgate(Peer):
    """With rules, deadlines and a log file. Keys: `log` one of LOGS, `workers`."""

    name = 'sockgate'
    LOGS = {
        'file': (',\n  { name = "records"; file = "log_file.so"; required = true; '
                 'settings = { path = "@DIR@/log/records"; }; }', ' log = [ "records" ];'),
        'nothing': (',\n  { name = "records"; file = "@BUILD@/tests/modules/.libs/log_nothing.so"; }',
                    ' log = [ "records" ];'),
        'none': ('', ''),
    }

    def __init__(self, cpus, build, log='file', workers=1):
        self._log, self._workers = log, workers
        # Where an operator's /run is: pages of a disk's file would be written back now and then.
        place = '/dev/shm' if os.access('/dev/shm', os.W_OK) else None
        self.run = pathlib.Path(tempfile.mkdtemp(prefix='sockgate-bench-run-', dir=place))
        self.udp = (build / 'modules/.libs/cmd_udp.so').exists()
        super().__init__(cpus, build)

    def argv(self):
        self.dir.chmod(0o755)
        (self.dir / 'log').mkdir()
        (self.dir / 'log').chmod(0o777)
        (self.dir / 'error.log').touch()
        (self.dir / 'error.log').chmod(0o666)
        module, hook = self.LOGS[self._log]
        udp = (',\n  { name = "udp"; file = "cmd_udp.so"; }', ' udp_associate = "udp";') if self.udp else ('', '')
        more = (module + udp[0]).replace('@DIR@', str(self.dir)).replace('@BUILD@', str(self.build))
        conf = self.config('sockgate.conf', WORKERS=self._workers, RUN=self.run / 'run', MORE=more, LOG=hook,
                           COMMANDS=udp[1], MODULES=self.build / 'modules/.libs',
                           CORE='relay_path = "copy";' if self.copy else '')
        return [self.build / 'core/sockgate', '-c', conf]

    def environment(self):
        return dict(os.environ, SOCKGATE_MODULE_DIR=str(self.build / 'modules/.libs'))

    def output(self):
        return (super().output() + '\n' + (self.dir / 'error.log').read_text(errors='replace')).strip()[-2000:]

    def roles_ns(self):
        """{'worker': ..., 'logger': ...}: CPU time of the processes with such a title."""
        found = {'worker': 0, 'logger': 0}
        for pid in self.processes():
            title = pathlib.Path(f'/proc/{pid}/cmdline').read_bytes().decode(errors='replace')
            role = re.match(r'sockgate: (worker|logger)\b', title)
            if role:
                found[role[1]] += thread_ns(pid)
        return found

    def records(self):
        """Lines in its log file so far."""
        path = self.dir / 'log/records'
        return path.read_bytes().count(b'\n') if path.exists() else 0

    def stop(self):
        super().stop()
        shutil.rmtree(self.run, ignore_errors=True)


class SockgateCopy(Sockgate):
    """It never splices: what splicing does to the time that an answer takes is told by comparison."""

    name = 'sockgate-copy'
    copy = True


class Microsocks(Peer):
    name = 'microsocks'
    package = 'microsocks'

    def argv(self):
        return [self.find('microsocks'), '-i', '127.0.0.1', '-p', self.port]


class Dante(Peer):
    name = 'dante'
    package = 'dante-server'
    udp = True

    def argv(self):
        return [self.find('danted'), '-N', 1, '-f', self.config('dante.conf'), '-p', self.dir / 'dante.pid']


class GoSocks5(Peer):
    name = 'go-socks5'
    package = 'golang-github-armon-go-socks5-dev'

    def argv(self):
        source = '/usr/share/gocode/src/github.com/armon/go-socks5'
        if not os.path.isdir(source):
            raise Missing(f'{self.package} is not installed')
        program = self.dir / 'go_socks5'
        env = dict(os.environ, HOME=str(self.dir), GOCACHE=str(self.dir / 'cache'), GOPATH='/usr/share/gocode',
                   GO111MODULE='off', GOFLAGS='-mod=mod', GOPROXY='off')
        built = subprocess.run([self.find('go'), 'build', '-o', program, HERE / 'peers/go_socks5.go'], env=env,
                               capture_output=True, text=True, timeout=300, check=False)
        if built.returncode != 0:
            raise Missing(f'go-socks5 cannot be built: {built.stderr[-500:]}')
        return [program, f'127.0.0.1:{self.port}']


class HAProxy(Peer):
    name = 'haproxy'
    package = 'haproxy'
    raw = True

    def argv(self):
        return [self.find('haproxy'), '-db', '-f', self.config('haproxy.cfg')]


class Nginx(Peer):
    name = 'nginx'
    package = 'libnginx-mod-stream'
    raw = udp = True

    def argv(self):
        modules = '/usr/lib/nginx/modules'
        if not os.path.exists(f'{modules}/ngx_stream_module.so'):
            raise Missing(f'{self.package} is not installed')
        return [self.find('nginx'), '-c', self.config('nginx.conf', NGINX_MODULES=modules), '-p', self.dir]


PEERS = {kind.name: kind for kind in (Sockgate, SockgateCopy, GoSocks5, HAProxy, Nginx, Microsocks,
                                     Dante)}
