# SPDX-License-Identifier: BSD-2-Clause
"""Helpers that are killed, stopped, slow, or lie: nobody is let in, nobody else notices, and everything recovers."""

import contextlib
import os
import pathlib
import re
import signal
import time

import pytest

import network
import servers
import sockgate
from conftest import needs_root
from sockgate import test_module as module
from socks import userpass
import test_logins

# What a round trip may grow by while helpers fail; a busy machine is given ten times as much.
GROWTH_AIM_MS = 20


def pw(*args, **keys):
    """Nothing is remembered: a helper is asked each time."""
    return test_logins.pw(*args, **{'cache': '0s', **keys})


def pw_config(*instances, **keys):
    return test_logins.pw_config(*(instances or (pw(), )), **keys)



def asks(gw, name=b'alice', secret=b'secret'):
    """A client whose login the gateway has read; its STATUS comes when it comes."""
    client = gw.connect()
    assert client.greet(b'\x02') == 2
    client.send(userpass(name, secret))
    network.wait_taken(client.sock)
    return client


def status(client):
    ver, code = client.recv_exactly(2)
    assert ver == 1
    return code


def let_in(gw, name=b'alice', secret=b'secret'):
    with asks(gw, name, secret) as client:
        return status(client) == 0


def end_of(gw, client):
    client.close()
    record = gw.wait_end(client)
    return record['event'], record['reason']


def wait_busy(gw, number, name='sleep'):
    """Waits until so many helpers have begun with a login of that user."""
    gw.wait(lambda: gw.log().count(f'asked about "{name}"') >= number, f'{number} helpers that sleep')


class Relays:
    """Sessions that relay all the while; `p99()` is of round trips in each of them."""

    def __init__(self, gw, number=20):
        self.echo = servers.Echo().__enter__()
        self.clients = [gw.connect() for _ in range(number)]
        for client in self.clients:
            assert client.login(b'alice', b'secret') == 0
            assert client.request(*self.echo.where).rep == 0

    def p99(self, trips=300):
        times = []
        for _ in range(-(-trips // len(self.clients))):
            for client in self.clients:
                began = time.monotonic()
                client.send(b'x')
                client.expect(b'x')
                times.append(time.monotonic() - began)
        return sorted(times)[len(times) * 99 // 100] * 1000

    def close(self):
        for client in self.clients:
            client.close()
        self.echo.__exit__()


@contextlib.contextmanager
def relays_do_not_notice(gw, number=20):
    """None of them ends, and their round trips stay what they were."""
    relays = Relays(gw, number)
    before = relays.p99()
    during = []
    yield lambda: during.append(relays.p99())
    grown = max(during) - before
    print(f'p99 of round trips: {before:.2f} ms before, {max(during):.2f} ms at worst')
    assert grown <= GROWTH_AIM_MS * 10
    relays.close()


@pytest.mark.alone
def test_killed(gateway):
    """T22: logins in a killed helper fail within 2 s, those that wait are served by the new one, none is let in."""
    gw = gateway(pw_config(), ledger=False)
    old = gw.helpers('pw')
    with relays_do_not_notice(gw) as look:
        sleeping = [asks(gw, b'sleep') for _ in old]
        wait_busy(gw, len(old))
        waiting = [asks(gw) for _ in range(5)]
        wrong = asks(gw, b'alice', b'wrong')
        began = time.monotonic()
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        for client in sleeping:
            assert status(client) == 1
        assert time.monotonic() - began < 2
        new = sockgate.wait_until(lambda: len(gw.helpers('pw')) == len(old) and gw.helpers('pw'), what='new helpers')
        print(f'replaced after {(time.monotonic() - began) * 1000:.0f} ms')
        assert time.monotonic() - began < 1 and not new & old
        assert [status(client) for client in waiting] == [0] * len(waiting) and status(wrong) == 1
        look()
    for client in sleeping:
        assert end_of(gw, client) == ('session_failed', 'login_unavailable')
        assert gw.wait_end(client)['reason_text'] == 'the helper died'
    assert let_in(gw)


@pytest.mark.alone
def test_stopped(gateway):
    """T23, V41: the queue is bounded, one more fails at once, relays do not notice, late answers have no way to arrive."""
    gw = gateway(pw_config(pw(helper={'max_queue': 4, 'timeout': '2s'})))
    helpers = gw.helpers('pw')
    with relays_do_not_notice(gw) as look:
        for pid in helpers:
            os.kill(pid, signal.SIGSTOP)
        waiting = [asks(gw) for _ in range(4 + len(helpers))]
        began = time.monotonic()
        extra = [asks(gw) for _ in range(10)]
        assert [status(client) for client in extra] == [1] * 10
        assert time.monotonic() - began < 1
        look()
        assert [status(client) for client in waiting] == [1] * len(waiting)
        assert time.monotonic() - began < 15
        look()
        for pid in helpers:
            os.kill(pid, signal.SIGCONT)
        assert all(let_in(gw) for _ in range(10))
        look()
    assert gw.helpers('pw') == helpers, 'they were idle, not hung'
    for client in extra:
        assert end_of(gw, client) == ('session_refused', 'busy')
    for client in waiting:
        client.expect_end()
        assert end_of(gw, client) == ('session_failed', 'login_unavailable')


@pytest.mark.alone
def test_a_sleeper_is_killed(gateway):
    """UP-11: a helper that sleeps for a minute: the login fails in time, and a second later its helper is replaced."""
    gw = gateway(pw_config(pw(helper={'timeout': '500ms'})), ledger=False)
    old = gw.helpers('pw')
    with relays_do_not_notice(gw, 200) as look:
        sleeping = [asks(gw, b'sleep') for _ in old]
        began = time.monotonic()
        assert [status(client) for client in sleeping] == [1] * len(sleeping)
        assert time.monotonic() - began < 5
        look()
        gw.wait_log(r'helper of "pw" \(pid \d+\) has been busy for more than 500ms: killing it')
        sockgate.wait_until(lambda: len(gw.helpers('pw') - old) == len(old), what='new helpers')
        assert let_in(gw)
        look()
    for client in sleeping:
        assert end_of(gw, client) == ('session_failed', 'login_unavailable')
        assert gw.wait_end(client)['reason_text'] == 'no answer in 500ms'


LIES = {'short': 'its answer makes no sense', 'cut': 'what it sends is no message', 'long': 'what it sends is no message', 'larger': 'what it sends is no message',
        'twice': 'it answers twice', 'nul': 'its answer makes no sense', 'unknown': 'its answer makes no sense',
        'again': 'its answer makes no sense', 'descriptor': 'it sends descriptors'}


@pytest.mark.parametrize('lie', LIES)
def test_a_liar(gateway, lie):
    """T24, V30: no lie is a yes, its helper is replaced, and the error log says so."""
    gw = gateway(sockgate.config(modules=[module('auth_liar', name='liar')], hooks={'auth': ['liar']}))
    old = gw.helpers('liar')
    with asks(gw, lie.encode(), b'x') as client:
        assert status(client) == 1
        client.expect_end()
    assert end_of(gw, client) == ('session_failed', 'login_unavailable')
    pid = int(gw.wait_log(r'helper of "liar" \(pid (\d+)\) breaks the rules, it is replaced: ' + LIES[lie])[1])
    assert pid in old
    sockgate.wait_until(lambda: pid not in gw.helpers('liar') and len(gw.helpers('liar')) == len(old), what='a new one')
    assert let_in(gw, b'honest', b'x')


def test_an_answer_too_late(gateway):
    """T23, T24: it has nowhere to go, and neither the next job nor anybody's session sees it."""
    gw = gateway(sockgate.config(modules=[module('auth_liar', name='liar', helper={'processes': 1, 'timeout': '1500ms'})],
                                 hooks={'auth': ['liar']}))
    with asks(gw, b'late', b'x') as late, asks(gw, b'empty', b'x') as empty:
        assert status(late) == 1 and status(empty) == 1
        late.expect_end()
    gw.wait_log('answered when nobody asked: EPIPE')
    assert let_in(gw, b'honest', b'x')
    assert end_of(gw, late) == end_of(gw, empty) == ('session_failed', 'login_unavailable')
    assert 'breaks the rules' not in gw.log()


def test_retirement(gateway):
    """A helper ends after max_requests; nobody waits longer for that."""
    gw = gateway(pw_config(pw(helper={'processes': 1, 'max_requests': 3})))
    for _ in range(10):
        assert let_in(gw)
    retired = r'helper of "pw" \(pid (\d+)\) ended: exit status 0'
    gw.wait(lambda: len(set(re.findall(retired, gw.log()))) == 3, 'three that retired')
    assert '[err]' not in gw.log()


def test_crashes_do_not_replace_the_generation(gateway):
    """What crashes a helper may come from a stranger: it costs that login alone, and is told."""
    gw = gateway(pw_config(), ledger=False, env=sockgate.CRASHING)
    generation = gw.generation_pid
    for _ in range(6):
        with asks(gw, b'crash', b'x') as client:
            assert status(client) == 1
        assert end_of(gw, client) == ('session_failed', 'login_unavailable')
    gw.wait_log('helpers of "pw" have crashed five times in a minute')
    assert let_in(gw) and gw.generation_pid == generation


def test_a_client_that_leaves(gateway):
    """Its job is withdrawn: nobody is asked about it, and its place is free again."""
    gw = gateway(pw_config(pw(settings={'delay': '1500ms'}, helper={'processes': 1, 'max_queue': 1})))
    sleeping = asks(gw, b'sleep')
    wait_busy(gw, 1)
    for leave in ('close', 'reset'):
        gone = asks(gw, b'bob', b'hunter2')
        with asks(gw) as extra:
            assert status(extra) == 1
        getattr(gone, leave)()
        record = gw.wait_end(gone)
        assert record['event'] == 'session_failed' and record['user'] == 'bob' and record['phase'] == 'auth'
    assert let_in(gw)
    assert status(sleeping) == 0
    assert 'asked about "bob"' not in gw.log()


@pytest.mark.alone
def test_a_refusal_is_held_back(gateway):
    """As long as the module asks; its helper serves others meanwhile, and a client that leaves is let go."""
    gw = gateway(pw_config(pw(settings={'delay': '900ms'}, helper={'processes': 1})))
    began = time.monotonic()
    with asks(gw, b'held') as held, asks(gw, b'held') as gone:
        wait_busy(gw, 2, 'held')
        assert let_in(gw)
        assert time.monotonic() - began < 0.9, 'the helper has waited'
        assert end_of(gw, gone) == ('session_failed', 'client_gone')
        assert held.peek() is None
        assert status(held) == 1
        assert time.monotonic() - began >= 0.9
        held.expect_end()
    record = gw.wait_end(held)
    assert (record['reason'], record['user']) == ('login_denied', 'held')


def test_a_delay_outlives_who_asked_for_it(gateway):
    """V07: one who is unknown to all waits as long as one whose password is wrong, whoever is asked last."""
    gw = gateway(pw_config(pw('first', settings={'delay': '900ms'}), pw('second', settings={'delay': '0s'})))
    began = time.monotonic()
    with asks(gw, b'stranger') as client:
        assert status(client) == 1
    assert time.monotonic() - began >= 0.9
    record = gw.wait_end(client)
    assert (record['reason'], record['instance'], record['user']) == ('login_denied', 'second', 'stranger')


@pytest.mark.parametrize('at', ['start', 'reload'])
def test_a_helper_that_cannot_start(gateway, at):
    """Nothing comes up, and at a reload the old generation goes on."""
    bad = pw_config(pw(settings={'start_fails': True}))
    if at == 'start':
        gw = gateway(bad, ready=False)
        assert gw.process.wait(sockgate.PATIENCE) == 1
        assert 'module "pw": its start failed' in gw.log() and not gw.processes()
        return
    gw = gateway(pw_config())
    assert 'reload failed' in gw.reload(bad)
    gw.wait_log(r'helper of "pw" \(pid \d+\) ended: exit status 1 before it was ready')
    assert let_in(gw)


def test_reload(gateway):
    """Helpers are the generation's; those of the old one go when it goes, and serve who is on the way to it until then."""
    gw = gateway(pw_config(pw(settings={'delay': '500ms'})))
    old = gw.helpers('pw')
    with asks(gw, b'sleep') as client:
        wait_busy(gw, 1)
        assert 'reload done' in gw.reload(pw_config(pw(users=['carol:new'])))
        assert status(client) == 0
    # The old one accepts until it is told to drain.
    sockgate.wait_until(lambda: let_in(gw, b'carol', b'new') and not let_in(gw), what='the new users')
    sockgate.wait_until(lambda: not gw.helpers('pw') & old, what='the end of the old helpers')
    assert len(gw.helpers('pw')) == 2


def test_killed_generation(gateway):
    """A login that is under way ends well; its helpers stay as long as its workers, and no longer."""
    gw = gateway(pw_config(pw(settings={'delay': '500ms'})), ledger=False)
    old = gw.helpers('pw')
    with servers.Echo() as echo, asks(gw, b'sleep') as client:
        wait_busy(gw, 1)
        os.kill(gw.generation_pid, signal.SIGKILL)
        gw.wait_log('restart done: generation 2')
        assert status(client) == 0 and client.request(*echo.where).rep == 0
        assert gw.helpers('pw') & old == old
        client.close()
        sockgate.wait_until(lambda: not gw.helpers('pw') & old, what='the end of the old helpers')
    assert let_in(gw)


@needs_root
def test_users(gateway):
    """Each pool has its own user, root where the operator says so; a worker never."""
    gw = gateway(pw_config(pw('low', helper={'user': 'daemon'}), pw('high', ['root:root'], helper={'user': 'root'})))

    def uid(pid):
        return int(pathlib.Path(f'/proc/{pid}/status').read_text().split('Uid:')[1].split()[0])
    assert {uid(pid) for pid in gw.helpers('low')} == {1}
    assert {uid(pid) for pid in gw.helpers('high')} == {0}
    assert 0 not in {uid(pid) for pid in gw.workers().values()}
    assert let_in(gw) and let_in(gw, b'root', b'root')


@needs_root
def test_a_user_that_does_not_exist(gateway):
    """Found by -t, with its line."""
    gw = gateway(pw_config(pw(helper={'user': 'nonesuch'})), ready=False)
    assert gw.process.wait(sockgate.PATIENCE) == 1
    gw.wait_log(r'\[emerg\] \S*sockgate\.conf:\d+: user: there is no user "nonesuch" on this system')


def test_the_effective_configuration(gateway):
    """-T shows what takes effect, only where it does, and can be read again."""
    gw = gateway(pw_config(pw(helper={'max_queue': 7})))
    printed = gw.cli('-T', '-c', gw.conf)
    assert printed.returncode == 0 and printed.stdout.count('helper = {') == 1
    assert 'max_queue = 7;' in printed.stdout and 'max_requests = 10000;' in printed.stdout
    again = gw.dir / 'again.conf'
    again.write_text(printed.stdout)
    assert gw.cli('-T', '-c', again).stdout == printed.stdout
    gw.write_config(pw_config())
    assert 'max_queue = 64;' in gw.cli('-T', '-c', gw.conf).stdout


# ---- jobs of other roles

def lookups(**settings):
    return sockgate.config(modules=[module('abi_helper', name='it', folder='abi', settings=settings,
                                           helper={'processes': 2, 'timeout': '2s'})], hooks={'access': ['it', 'rules']})


@pytest.mark.alone
def test_a_slow_lookup_from_an_access_hook(gateway):
    """The worker serves others meanwhile; the verdict of work() is the module's."""
    gw = gateway(lookups(delay='700ms'))
    with servers.Echo() as echo, gw.connect() as slow:
        assert slow.greet() == 0
        began = time.monotonic()
        slow.send(b'\x05\x01\x00\x03\x05xyzzy\x00\x50')
        with gw.connect() as other:
            assert other.greet() == 0
        assert time.monotonic() - began < 0.7, 'the worker has waited'
        assert slow.reply().rep == 2
        with gw.connect() as client:
            client.open(*echo.where)
    assert gw.wait_end(slow)['rule'] == 'lookup'
    assert 'NOT MET' not in gw.log()


def test_a_lookup_that_fails(gateway):
    """Its helper killed, its client gone: REP 01, and the module hears that it is no longer wanted."""
    gw = gateway(lookups(delay='30s'), ledger=False)
    with gw.connect() as client, gw.connect() as gone:
        for one in (client, gone):
            assert one.greet() == 0
            one.send(b'\x05\x01\x00\x03\x05xyzzy\x00\x50')
        gone.reset()
        gw.wait_log('abi: the lookup is no longer wanted')
        for pid in gw.helpers('it'):
            os.kill(pid, signal.SIGKILL)
        assert client.reply().rep == 1


def test_a_worker_dies_while_its_generation_loads(gateway):
    """Workers are ready, helpers are not yet: the load ends with a word, the old configuration goes on, the next load works."""
    gw = gateway(pw_config())
    slow = pw_config(pw(settings={'start_takes': '3s'}))
    gw.write_config(slow)
    old = set(gw.workers().values())
    seen = len(gw.lines())
    gw.signal(signal.SIGHUP)
    new = gw.wait(lambda: len(found := set(gw.workers().values()) - old) == 2 and found, 'the workers of the new generation')
    gw.wait(lambda: all(sockgate.process_stat(pid)[2] == 'S' for pid in new), 'that they wait for orders')
    os.kill(min(new), signal.SIGKILL)
    line = gw.wait_log(r'.*reload (done|failed).*', after=seen)[0]
    assert 'failed' in line and re.search('before (it was|all were) ready', line)
    assert let_in(gw)
    assert 'done' in gw.reload(pw_config())
