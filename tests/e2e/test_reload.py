# SPDX-License-Identifier: BSD-2-Clause
"""Reload and upgrade, under load and with broken configurations."""

import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

import servers
import sockgate
from socks import greeting, request

GOOD = sockgate.config(core={'workers': 2})

# Twenty ways to break it; each is named with its line.
BROKEN = [
    GOOD + 'nonsense', GOOD + 'extra = 1;', GOOD.replace('listeners', 'listners'), GOOD.replace('hooks', 'hoks', 1),
    GOOD.replace('127.0.0.1', '127.0.0.300'), GOOD.replace('auth_none.so', 'auth_nun.so'),
    GOOD.replace('workers = 2', 'workers = 0'), GOOD.replace('workers = 2', 'workers = 2.5'),
    GOOD.replace('workers = 2', 'workers = "many"'), GOOD.replace('workers = 2', 'worker = 2'),
    GOOD.replace('"connect"', '"conect"', 1), GOOD.replace('allow', 'alow'), GOOD + '/* no end',
    GOOD + 'a = "no end', GOOD + 'big = 99999999999;', GOOD + '@include "/does/not/exist"\n',
    GOOD.replace('cmd_connect.so', 'auth_none.so'), GOOD.replace('access_rules.so', '/etc/passwd'),
    GOOD.replace('127.0.0.1', '203.0.113.77'), GOOD.replace('workers = 2', 'workers = yes'),
]


def test_broken_configurations(gateway):
    """T60: each changes nothing and says why, with file and line; `-s reload` says it too and exits with 1."""
    gw = gateway(GOOD)
    first = gw.generation_pid
    with servers.Echo() as echo, gw.connect() as client:
        client.open(*echo.where)
        assert len(BROKEN) == 20
        for number, text in enumerate(BROKEN):
            gw.write_config(text)
            assert gw.conf.read_text() != gw.expand(GOOD), f'number {number} is not broken'
            done = gw.cli('-s', 'reload', '-c', str(gw.conf))
            if 'sockgate.conf:' not in done.stderr and '/does/not/exist' not in done.stderr:
                raise gw.fail(f'number {number}: {done.stderr}')
            assert done.returncode == 1, number
            client.send(b'x')
            client.expect(b'x')
        assert gw.generation_pid == first
    gw.write_config(GOOD)
    assert 'reload done' in gw.reload()


def test_listeners_come_and_go(gateway):
    one = sockgate.config(core={'workers': 2})
    two = sockgate.config(listeners=[sockgate.listener(), sockgate.listener('more')], core={'workers': 4})
    gw = gateway(one)
    with servers.Echo() as echo:
        gw.reload(two)
        gw.wait_log(r'listening on .* \(listener "more"\)')
        with gw.connect('more') as client:
            client.open(*echo.where)
        more = gw.address('more')
        gw.reload(one)

        def refused():
            with contextlib.suppress(ConnectionRefusedError), socket.create_connection(more, 1):
                return False
            return True
        sockgate.wait_until(refused, what='the end of the removed listener')
        with gw.connect() as client:
            client.open(*echo.where)


WAITING = {'init': r'module "it" is being loaded, or is in its init\(\)',
           'start': r'worker \d+ \(pid \d+\) has not started: module "it" is in its start\(\)'}


def never_ready(where):
    return sockgate.config(timeouts={'load': '1s'}, hooks={'access': ['it', 'rules']},
                           modules=[sockgate.test_module('blocks', name='it', settings={'in': where})])


@pytest.mark.parametrize('where', WAITING)
def test_a_load_that_never_ends(gateway, where):
    """`timeouts.load`: it is ended, with what it was waiting for; the old generation goes on, and the next load is heard."""
    gw = gateway(GOOD)
    first = gw.generation_pid
    gw.write_config(never_ready(where))
    with servers.Echo() as echo, gw.connect() as client:
        client.open(*echo.where)
        done = gw.cli('-s', 'reload', '-c', gw.conf)
        told = r'not ready within 1s \(core\.timeouts\.load\): ' + WAITING[where]
        assert done.returncode == 1 and re.search(told, done.stderr), done.stderr
        gw.wait_log('reload failed: ' + told + '; generation 1 goes on')
        client.send(b'x')
        client.expect(b'x')
    gw.wait(lambda: list(gw.generations().values()) == [first] and len(gw.workers()) == 2, 'the end of what was loaded')
    assert not [pid for pid in gw.processes() if 'generation 2' in sockgate.title(pid)]
    gw.renew(GOOD)


@pytest.mark.parametrize('where', WAITING)
def test_a_start_that_never_ends(gateway, where):
    """The same at the first start: whoever waits for it is told, and nothing stays behind."""
    gw = gateway(never_ready(where), ready=False)
    assert gw.process.wait(sockgate.PATIENCE) == 1
    assert re.search('not started: not ready within 1s .*' + WAITING[where], gw.log())
    sockgate.wait_until(lambda: not gw.processes(), what='the end of all processes')


def test_done_means_done(gateway):
    """Who is accepted after "reload done" is judged by what was loaded, although a worker of before is slow to stop."""
    gw = gateway(GOOD)
    denying = sockgate.config(rules=[{'deny': {}, 'label': 'none'}], core={'workers': 2})
    slow = gw.workers()[0]
    with servers.Echo() as echo:
        os.kill(slow, signal.SIGSTOP)
        gw.write_config(denying)
        with subprocess.Popen([sockgate.BINARY, '-s', 'reload', '-c', gw.conf], env=gw.environment()) as asked:
            def denied():
                with gw.connect() as client:
                    client.greet()
                    return client.request(*echo.where).rep == 2
            sockgate.wait_until(denied, what='a worker with the new rules')
            with pytest.raises(subprocess.TimeoutExpired):
                asked.wait(0.5)
            os.kill(slow, signal.SIGCONT)
            assert asked.wait(sockgate.PATIENCE) == 0
        for _ in range(10):
            with gw.connect() as client:
                client.greet()
                assert client.request(*echo.where).rep == 2


def test_a_storm_of_hups(gateway):
    """T52: HUPs during a load are one more load; the last configuration is in force."""
    gw = gateway(GOOD)
    for _ in range(200):
        gw.signal(signal.SIGHUP)
    gw.wait_log('reload done')
    with servers.Echo() as echo, gw.connect() as client:
        client.open(*echo.where)
    sockgate.wait_until(lambda: len(gw.generations()) == 1, what='one generation')


def test_what_needs_a_restart(gateway):
    gw = gateway(GOOD)
    line = gw.reload(sockgate.config(core={'workers': 2, 'runtime_dir': '/tmp/sockgate-elsewhere'}))
    assert 'needs a restart' in line and 'sockgate.conf:' in line
    gw.write_config(GOOD)


class Load(threading.Thread):
    """Connections at a steady rate through a listener: each opens, echoes once and closes."""

    def __init__(self, where, target, rate=300):
        super().__init__()
        self.where, self.target, self.rate = where, target, rate
        self.over = threading.Event()
        self.refused, self.lost, self.done = [], 0, 0

    def one(self):
        try:
            sock = socket.create_connection(self.where, 10)
        except OSError as error:
            self.refused.append(error)
            return
        with sock:
            try:
                sock.settimeout(20)
                sock.sendall(greeting() + request(*self.target) + b'ping')
                got = b''
                while len(got) < 2 + 10 + 4:
                    more = sock.recv(4096)
                    if not more:
                        raise OSError('the end')
                    got += more
                assert got[3] == 0 and got.endswith(b'ping'), got
                self.done += 1
            except OSError:
                self.lost += 1

    def run(self):
        began, n = time.monotonic(), 0
        while not self.over.is_set():
            self.one()
            n += 1
            self.over.wait(max(0.0, began + n / self.rate - time.monotonic()))


def loads(gw, echo, threads=4):
    made = [Load(gw.address(), echo.where, 300 / threads) for _ in range(threads)]
    for load in made:
        load.start()
    return made


def wait_sessions(made, number):
    """Until the load has come that far: between two blows there is always traffic."""
    sockgate.wait_until(lambda: sum(load.done + load.lost for load in made) >= number, what=f'{number} sessions')


def finish(made):
    for load in made:
        load.over.set()
    for load in made:
        load.join()
    return ([e for load in made for e in load.refused], sum(load.lost for load in made), sum(load.done for load in made))


def test_kill_and_reload_drill(gateway):
    """T20, T61: on the kept listener connect() never fails; lost are at most the sessions of killed workers."""
    rounds = 30 if sockgate.DRILL else 10
    variants = [sockgate.config(core={'workers': 4}), sockgate.config(core={'workers': 1}),
                sockgate.config(core={'workers': 3}, listeners=[sockgate.listener(), sockgate.listener('more')]),
                sockgate.config(modules=[sockgate.test_module('start_fails', name='it')],
                                hooks={'access': ['it', 'rules']})]
    gw = gateway(sockgate.config(core={'workers': 2}), ledger=False)
    with servers.Echo() as echo:
        made = loads(gw, echo)
        for number in range(rounds):
            wait_sessions(made, 30 * (number + 1))
            variant = variants[number % 4]
            assert ('done' in gw.reload(variant)) == (number % 4 != 3)
            victims = sockgate.wait_until(gw.workers, what='a worker to kill')
            victim = random.choice(sorted(victims.values()))
            seen = len(gw.lines())
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
            gw.wait_log(rf'\(pid {victim}\) ended', after=seen)
        refused, lost, done = finish(made)
        killed = sum(int(found) for line in gw.lines() if re.search(r'worker .* killed by SIGKILL', line)
                     for found in [line.rsplit('; ', 1)[1].split()[0]])
        print(f'{rounds} reloads, {rounds} kills: {done} sessions done, {lost} lost, {killed} were open in killed workers')
        assert not refused, refused[:3]
        assert done > 20 * rounds and lost <= killed + rounds  # one accepted and not yet counted when the kill came
        sockgate.wait_until(lambda: len(gw.generations()) == 1, what='one generation')


def test_upgrade_under_load(gateway):
    """T63: the same pid executes the new file; none refused, none cut. A file that does not work changes nothing."""
    gw = gateway(GOOD)
    with servers.Echo() as echo:
        made = loads(gw, echo, 2)
        with gw.connect() as client:
            client.open(*echo.where)
            for number in range(3):
                wait_sessions(made, 50 * (number + 1))
                seen = len(gw.lines())
                gw.signal(signal.SIGUSR2)
                gw.wait_log('upgrade done', after=seen)
            client.send(b'x')
            client.expect(b'x')
        refused, lost, done = finish(made)
        print(f'3 upgrades: {done} sessions done, {lost} lost')
        assert not refused and lost == 0 and done >= 150
        assert gw.process.poll() is None
    gw.wait_log('upgrade done: generation 4 has taken over')
