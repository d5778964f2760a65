# SPDX-License-Identifier: BSD-2-Clause
"""The gateway as a test sees it: one daemon, started from the build tree with a configuration of its own.

    gw = Gateway(config(rules=[...], core={...}))      # ready when the constructor returns
    with gw.connect() as client: ...                   # a socks.Client to the listener "main"
    gw.wait_record(event='session_end', client=client.name)
    gw.stop()                                          # also the judge: see there

Tests get their gateways from the fixtures in conftest.py, which stop them and keep the folder of a failed one.

The text of a configuration may hold @DIR@ (the gateway's own folder), @MODULES@ (the modules that ship) and @TESTS@
(the folder tests/ of the build tree). Everything that waits does so for an event, with a limit that is never reached
unless something is wrong.
"""

import contextlib
import ctypes
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import socks

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get('SG_BUILD') or TOP / 'build-test').resolve()
BINARY = BUILD / 'core' / 'sockgate'
MODULES = BUILD / 'modules' / '.libs'
ROOT = os.geteuid() == 0
DRILL = bool(os.environ.get('SG_DRILL'))
SANITIZED = BINARY.exists() and b'__asan_init' in BINARY.read_bytes()
NOBODY = 65534

# For Gateway(env=...): a sanitizer leaves the signal of a crash that a test wants as it is.
CRASHING = {'ASAN_OPTIONS': 'handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:handle_abort=0'}

# Ten times what it takes at worst.
PATIENCE = 60 if SANITIZED else 30

# The longest that a worker may be busy in one go; under a sanitizer five times as long.
TURN_AIM_US = 100_000 if SANITIZED else 20_000

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Failed(AssertionError):
    """The gateway did not do what it should; the text holds its log."""


# ---- configurations

def libconfig(value):
    """A value in libconfig syntax. A dict is a group; a list is an array of scalars, or a list of groups."""
    if isinstance(value, bool):
        return 'true' if value else 'false'
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return '"%s"' % value.replace('\\', '\\\\').replace('"', '\\"')
    if isinstance(value, dict):
        return '{ %s }' % ' '.join(f'{key} = {libconfig(item)};' for key, item in value.items())
    items = [libconfig(item) for item in value]
    if any(isinstance(item, dict) for item in value):
        return '(\n  %s\n)' % ',\n  '.join(items)
    return '[ %s ]' % ', '.join(items)


LOOPBACK_RULES = [{'allow': {}, 'label': 'all', 'special': ['loopback']}]


def listener(name='main', address='127.0.0.1', port=0, **keys):
    return dict(name=name, address=address, port=port, **keys)


def config(listeners=None, rules=None, core=None, modules=(), hooks=None, timeouts=None, limits=None):
    """A whole configuration. What is not given: one listener "main" on loopback, METHOD 00, everything allowed, two
    workers. `modules` come in addition to none, rules, connect and bind; `hooks` replaces keys of the table."""
    table = {'auth': ['none'], 'access': ['rules'], 'command': {'connect': 'connect'}}
    table.update(hooks or {})
    settings = {'module_dir': '@MODULES@', 'runtime_dir': '@DIR@/run', 'workers': 2, 'timeouts': timeouts or {},
                'error_log': {'level': 'info'},
                'logins': {'throttle': False}}  # most tests fail to log in on purpose
    if limits:
        settings['limits'] = limits
    settings.update(core or {})
    standard = {'none': {'name': 'none', 'file': 'auth_none.so'},
                'rules': {'name': 'rules', 'file': 'access_rules.so',
                          'settings': {'rules': rules if rules is not None else LOOPBACK_RULES}},
                'connect': {'name': 'connect', 'file': 'cmd_connect.so'},
                'bind': {'name': 'bind', 'file': 'cmd_bind.so'}}
    listeners = listeners or [listener()]
    wanted = names_used([table] + [entry.get('hooks', {}) for entry in listeners])
    own = {entry['name'] for entry in modules}
    instances = [entry for name, entry in standard.items() if name in wanted - own] + list(modules)
    return ''.join(f'{key} = {libconfig(value)};\n' for key, value in (
        ('core', settings), ('modules', instances), ('hooks', table), ('listeners', listeners)))


def expand(text, folder):
    for name, path in (('@DIR@', folder), ('@MODULES@', MODULES), ('@TESTS@', BUILD / 'tests')):
        text = text.replace(name, str(path))
    return text


def names_used(value):
    """Every string inside: the instances that hook tables name."""
    if isinstance(value, str):
        return {value}
    items = value.values() if isinstance(value, dict) else value
    return set().union(*map(names_used, items)) if items else set()


def test_module(file, name=None, folder='modules', **keys):
    """An entry of `modules` for tests/FOLDER/FILE.c."""
    return dict(name=name or file, file=f'@TESTS@/{folder}/.libs/{file}.so', **keys)


test_module.__test__ = False


# ---- processes

def process_stat(pid):
    """(parent, session, state) of a process; None if it is gone."""
    try:
        fields = pathlib.Path(f'/proc/{pid}/stat').read_text(encoding='latin-1').rsplit(')', 1)[1].split()
    except (OSError, IndexError):
        return None
    return int(fields[1]), int(fields[3]), fields[0]


def cpu_seconds(pid):
    """User and system time that a process has used so far."""
    fields = pathlib.Path(f'/proc/{pid}/stat').read_text(encoding='latin-1').rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def title(pid):
    """The title that a process has written over its arguments; '' if it is gone."""
    try:
        return pathlib.Path(f'/proc/{pid}/cmdline').read_bytes().replace(b'\0', b' ').decode(errors='replace').strip()
    except OSError:
        return ''


@contextlib.contextmanager
def stopped(*pids):
    """These processes do nothing: what comes meanwhile is there at once when they look."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def wait_until(question, timeout=None, what='a condition'):
    """Asks until the answer is true, and returns it."""
    end = time.monotonic() + (timeout or PATIENCE)
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Failed(f'waited in vain for {what}')
        time.sleep(0.005)


def _as_child(master_signal, nofile):
    """Runs in the child before exec: no daemon outlives the tests, whatever happens to them."""
    def prepare():
        _libc.prctl(PR_SET_PDEATHSIG, master_signal)
        if nofile:
            resource.setrlimit(resource.RLIMIT_NOFILE, nofile)
    return prepare


class Gateway:
    """One daemon and its folder. Start it from a thread that lives as long as it does.

    text      configuration; None: none is given, the embedded default runs
    as_user   as an ordinary user, although the tests run as root
    ready     wait until it is; else the caller looks at what happens
    ledger    stop() compares the records with what the clients saw; off where processes are killed
    turns     stop() asserts that no turn of a worker's loop took too long; off where one is made to
    nofile    (soft, hard) RLIMIT_NOFILE
    netns     a netns.Namespace to run in
    stderr    a descriptor instead of the log file (then no log can be read)
    """

    def __init__(self, text=None, *, as_user=False, ready=True, ledger=True, turns=True, nofile=None, netns=None,
                 stderr=None, args=(), env=None):
        self.as_user = as_user and ROOT
        self.kind = socks.Client  # what connect() makes
        self.turns = turns
        self.ledger = ledger and stderr is None
        self.ports, self.clients = {}, []
        self.failed = False
        self.process = None
        self._netns = netns
        self._lines, self._records, self._partial = [], [], b''
        self._lock = threading.RLock()
        self._make_folder()
        self.conf = self.dir / 'sockgate.conf'
        if text is not None:
            self.write_config(text)
        self._launch(text is not None, nofile, stderr, args, env)
        if ready:
            try:
                self.wait_ready()
            except Failed:
                self.kill()
                raise

    def _make_folder(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix='sockgate-e2e-'))
        self.log_path = self.dir / 'stderr.log'
        self.reports = self.dir / 'reports'
        self.run_dir = self.dir / 'run'
        self.reports.mkdir()
        self.reports.chmod(0o1777)
        self.dir.chmod(0o755)
        if self.as_user:
            for path in (self.dir, self.reports):
                os.chown(path, NOBODY, NOBODY)

    def environment(self, more=None):
        env = {key: value for key, value in os.environ.items() if key not in ('XDG_RUNTIME_DIR', 'LISTEN_FDS')}
        env['SOCKGATE_MODULE_DIR'] = str(MODULES)
        env['ASAN_OPTIONS'] = f'log_path={self.reports}/asan'
        env['UBSAN_OPTIONS'] = f'log_path={self.reports}/ubsan:print_stacktrace=1'
        env.update(more or {})
        return env

    def expand(self, text):
        return expand(text, self.dir)

    def write_config(self, text):
        """Puts a configuration in place, whole or not at all."""
        new = self.conf.with_suffix('.new')
        new.write_text(self.expand(text), encoding='utf-8')
        new.rename(self.conf)

    def _as_user(self):
        return {'user': NOBODY, 'group': NOBODY, 'extra_groups': []} if self.as_user else {}

    def _launch(self, with_conf, nofile, stderr, args, env):
        argv = [BINARY, *(['-c', self.conf] if with_conf else []), *args]
        with open(self.log_path, 'ab', buffering=0) as log:
            def launch():
                self.process = subprocess.Popen(
                    argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log if stderr is None else stderr,
                    env=self.environment(env), cwd=self.dir, start_new_session=True,
                    preexec_fn=_as_child(signal.SIGTERM, nofile), **self._as_user())
            if self._netns:
                with self._netns.entered():
                    launch()
            else:
                launch()
        self._log = open(self.log_path, 'rb')
        self.pid = self.process.pid

    def cli(self, *args, timeout=None, env=None):
        """Runs the binary once with these arguments, as the daemon's user; a CompletedProcess with text."""
        return subprocess.run([BINARY, *map(str, args)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              errors='replace', timeout=timeout or PATIENCE, env=self.environment(env), cwd=self.dir,
                              check=False, **self._as_user())

    # ---- the log

    def _pump(self):
        """Takes in what has been written since the last time."""
        with self._lock:
            new = self._log.read()
            if not new:
                return
            *lines, self._partial = (self._partial + new).split(b'\n')
            for raw in lines:
                line = raw.decode(errors='replace')
                self._lines.append(line)
                if line.startswith('{'):
                    self._records.append(json.loads(line))
                found = re.search(r'listening on (\S+):(\d+) \(listener "([^"]*)"\)', line)
                if found:
                    self.ports[found[3]] = (found[1].strip('[]'), int(found[2]))

    def lines(self):
        """Every line of standard error so far, records included."""
        self._pump()
        with self._lock:
            return list(self._lines)

    def log(self):
        return '\n'.join(self.lines())

    def events(self, **match):
        """The records so far that have these values."""
        self._pump()
        with self._lock:
            return [r for r in self._records if all(r.get(key) == value for key, value in match.items())]

    def records(self, **match):
        """Those of them that are the state of a session."""
        return [r for r in self.events(**match) if r['event'].startswith('session_')]

    def fail(self, text):
        self.failed = True
        return Failed(f'{text}\n---- {self.dir}\n{self.log()[-5000:]}\n---- end of the log')

    def wait(self, question, what, timeout=None):
        """Asks until the answer is true, and returns it; fails with the log, and at once when the daemon has ended."""
        end = time.monotonic() + (timeout or PATIENCE)
        while True:
            ended = self.process.poll() is not None
            answer = question()
            if answer:
                return answer
            if ended:
                raise self.fail(f'ended with status {self.process.returncode} while {what} was awaited')
            if time.monotonic() > end:
                raise self.fail(f'waited in vain for {what}')
            time.sleep(0.005)

    def wait_log(self, pattern, timeout=None, after=0):
        """Waits for a line that the pattern is found in, from line number `after` on; the match."""
        compiled = re.compile(pattern)

        def search():
            return next(filter(None, map(compiled.search, self.lines()[after:])), None)
        return self.wait(search, f'a line with {pattern!r}', timeout)

    def wait_record(self, timeout=None, **match):
        return self.wait_records(1, timeout, **match)[0]

    def wait_records(self, number, timeout=None, **match):
        """Waits until at least that many records have these values; all of them."""
        def enough():
            found = self.records(**match)
            return found if len(found) >= number else None
        return self.wait(enough, f'{number} records with {match}', timeout)

    def wait_end(self, client, timeout=None):
        """The last record of the session of a client: session_refused, session_failed or session_end."""
        def ended():
            return next((r for r in self.records(client=client.name) if r['event'] != 'session_start'), None)
        return self.wait(ended, f'the end of the session of {client.name}', timeout)

    def wait_ready(self, generation=1):
        return self.wait_log(r'ready: generation %d\b' % generation)

    # ---- clients

    def address(self, name='main'):
        """(host, port) of a listener."""
        self._pump()
        return self.ports[name]

    def connect(self, name='main', **keys):
        """A new client of a listener; what it sees is compared with the records in the end."""
        if self._netns:
            with self._netns.entered():
                client = self.kind(self.address(name), **keys)
        else:
            client = self.kind(self.address(name), **keys)
        self.clients.append(client)
        return client

    # ---- processes

    def processes(self):
        """Every process of the daemon, master included: {pid: parent}."""
        found = {}
        for entry in os.listdir('/proc'):
            stat = process_stat(entry) if entry.isdigit() else None
            if stat and stat[1] == self.pid and stat[2] != 'Z':
                found[int(entry)] = stat[0]
        return found

    def generations(self):
        """{number: pid} of the generations that run."""
        return self._titled(r'^sockgate: generation (\d+)')

    @property
    def generation_pid(self):
        generations = self.wait(self.generations, 'a generation')
        return generations[max(generations)]

    def workers(self, generation=None):
        """{number: pid} of the workers of a generation, by default the newest."""
        if generation is None:
            generations = self.generations()
            generation = max(generations) if generations else r'\d+'
        return self._titled(r'^sockgate: worker (\d+) \(generation %s\)' % generation)

    def loggers(self):
        """{generation: pid} of the loggers that run."""
        return self._titled(r'^sockgate: logger \(generation (\d+)\)')

    def helpers(self, name, generation=r'\d+'):
        """The pids of the helpers of an instance."""
        pattern = r'^sockgate: helper %s \(generation %s\)' % (re.escape(name), generation)
        return {pid for pid in self.processes() if re.search(pattern, title(pid))}

    def _titled(self, pattern):
        found = {}
        for pid in self.processes():
            match = re.search(pattern, title(pid))
            if match:
                found[int(match[1])] = pid
        return found

    def signal(self, number):
        os.kill(self.pid, number)

    def reload(self, text=None, timeout=None):
        """HUP, with a new configuration if one is given; the line that says how it went."""
        if text is not None:
            self.write_config(text)
        seen = len(self.lines())
        self.signal(signal.SIGHUP)
        return self.wait_log(r'.*reload (done|failed).*', timeout, after=seen)[0]

    def renew(self, text=None):
        """A reload that must go well, and the end of what was before: whoever comes now is the new generation's. With
        sessions open it would be a long wait; then ask until the new one answers, the old one accepts until it drains."""
        line = self.reload(text)
        if 'reload done' not in line:
            raise self.fail('the reload should go well')
        self.wait(lambda: len(self.generations()) == 1, 'the end of the old generation')

    # ---- the end

    def stop(self, number=None):
        """Ends the daemon and judges it: status 0, no process and no pid file left, no sanitizer report, and, unless
        the ledger is off, a proper end in the records for every session and for every client that was served."""
        if self.process.poll() is None:
            self.signal(number or signal.SIGTERM)
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise self.fail('did not stop') from None
        try:
            left = {pid: title(pid) for pid in self.processes()}
            if left:
                self.kill()
                raise self.fail(f'left processes behind: {left}')
            if status != 0:
                raise self.fail(f'ended with status {status}')
            if (self.run_dir / 'sockgate.pid').exists():
                raise self.fail('left its pid file behind')
            self._check_reports()
            if self.turns:
                self.check_turns()
            if self.ledger:
                self.check_ledger()
        finally:
            self.close_clients()

    def _check_reports(self):
        texts = [path.read_text(errors='replace') for path in self.reports.iterdir()] + [self.log()]
        # A file without one of these is a remark: that a process was killed while it was being looked at.
        reports = [text for text in texts if re.search(r'ERROR: \w+Sanitizer|: runtime error: ', text)]
        if reports:
            raise self.fail('a sanitizer has something to say:\n' + '\n'.join(reports)[:20000])

    def workers_at_end(self):
        """(longest turn in us, octets copied, spliced, filtered) of every worker that has ended."""
        pattern = r'worker \d+: longest turn (\d+) us; octets copied (\d+), spliced (\d+), filtered (\d+)$'
        found = (re.search(pattern, line) for line in self.lines())
        return [tuple(map(int, match.groups())) for match in found if match]

    def check_turns(self):
        """One session must not keep the others waiting: the aim is shown, ten times of it fails; fifty times beside other
        tests, where a turn is also what it waits for a processor."""
        times = 50 if 'PYTEST_XDIST_WORKER' in os.environ else 10
        for longest, *_ in self.workers_at_end():
            if longest > TURN_AIM_US:
                print(f'a turn of a worker took {longest} us, the aim is {TURN_AIM_US}')
            if longest > TURN_AIM_US * times:
                raise self.fail(f'a turn of a worker took {longest} us')

    def check_ledger(self):
        """Every session ends in exactly one of session_refused, session_failed, session_start and session_end."""
        sessions = {}
        for record in self.records():
            sessions.setdefault(record['id'], []).append(record['event'])
        proper = (['session_refused'], ['session_failed'], ['session_start', 'session_end'])
        for session, events in sessions.items():
            if events not in proper:
                raise self.fail(f'session {session} has the records {events}')
        ended = [r['client'] for r in self.records() if r['event'] != 'session_start']
        for client in self.clients:
            if client.served:
                if client.name not in ended:
                    raise self.fail(f'the client {client.name} was served, and there is no record of it')
                ended.remove(client.name)

    def close_clients(self):
        for client in self.clients:
            client.close()

    def kill(self):
        """Ends every process of it, whatever state they are in; none is left."""
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        wait_until(lambda: not self.processes(), what='the end of all processes')
        self.close_clients()

    def discard(self):
        """Closes what is open here; the folder goes too, unless something failed."""
        self._log.close()
        if not self.failed:
            shutil.rmtree(self.dir, ignore_errors=True)
