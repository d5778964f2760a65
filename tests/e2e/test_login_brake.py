# SPDX-License-Identifier: BSD-2-Clause
"""Logins that are remembered, and logins that are slowed down: who gets in without being asked about, and who has to wait."""

import os
import pathlib
import re
import signal
import time

import pytest

import memory
import network
import sockgate
from conftest import needs_ipv6, needs_root
from sockgate import test_module as module
from socks import userpass
from test_auth_file import crypt
from test_auth_modules import file_instance, users_file
from test_logins import CANARY, pw, pw_config

ONE = {'workers': 1}  # what is remembered is a worker's own


def asked(gw, name='alice'):
    return gw.log().count(f'asked about "{name}"')


def login(gw, name=b'alice', secret=b'secret', listener='main', **keys):
    with gw.connect(listener, **keys) as client:
        return client.login(name, secret)


def events(gw, number, **match):
    gw.wait(lambda: len(gw.events(**match)) >= number, f'{number} events with {match}')
    return gw.events(**match)


def throttled(**keys):
    return {'logins': dict({'throttle': True, 'delay': '200ms', 'max_delay': '800ms'}, **keys)}


# ---- what is remembered

def test_remembered(gateway, target):
    """Asked about once; every session and every event says who it was all the same."""
    gw = gateway(pw_config(pw('first', ['bob:x']), pw('second'), core=ONE))
    for _ in range(20):
        with gw.connect() as client:
            assert client.login(b'alice', b'secret') == 0
            assert client.request(*target.where).rep == 0
            target.accept().close()
        record = gw.wait_end(client)
        assert (record['user'], record['instance'], record['assurance']) == ('alice', 'second', 20)
    assert asked(gw) == 2  # one of each instance of the chain
    assert len(events(gw, 20, event='auth_ok', user='alice')) == 20


def test_identity_as_it_was(gateway, target):
    """Another name, and groups, which rules see."""
    gw = gateway(pw_config(rules=[{'allow': {'user': 'somebody', 'group': 'staff'}, 'special': ['loopback']}], core=ONE))
    for _ in range(3):
        with gw.connect() as client:
            assert client.login(b'renamed', b'x') == 0
            assert client.request(*target.where).rep == 0
            target.accept().close()
        assert gw.wait_end(client)['user'] == 'somebody'
    assert asked(gw, 'renamed') == 1


def test_covers_nothing_else(gateway):
    """Another address, listener, secret or name is asked about; failures are never remembered."""
    gw = gateway(pw_config(listeners=[sockgate.listener(), sockgate.listener('other')], core=ONE))
    assert login(gw) == 0 and login(gw) == 0
    assert asked(gw) == 1
    assert login(gw, listener='other') == 0
    assert asked(gw) == 2
    assert login(gw, source='127.0.0.2') == 0
    assert asked(gw) == 3
    for _ in range(3):
        assert login(gw, secret=b'wrong') == 1
    assert asked(gw) == 6
    assert login(gw, name=b'alic', secret=b'esecret') == 1
    assert login(gw) == 0
    assert asked(gw) == 6


@pytest.mark.parametrize('keys, core', [({'cache': '0s'}, {}), ({}, {'logins': {'throttle': False, 'cache_entries': 0}})])
def test_off(gateway, keys, core):
    gw = gateway(pw_config(pw(**keys), core=dict(ONE, **core)))
    assert login(gw) == 0 and login(gw) == 0
    assert asked(gw) == 2


def test_off_for_one_of_a_chain(gateway):
    """What the first has not said for long enough cannot be passed over."""
    gw = gateway(pw_config(pw('first', ['bob:x'], cache='0s'), pw('second'), core=ONE))
    assert login(gw) == 0 and login(gw) == 0
    assert asked(gw) == 4


def test_lifetime(gateway):
    gw = gateway(pw_config(pw(cache='300ms'), core=ONE))
    began = time.monotonic()
    assert login(gw) == 0
    while asked(gw) < 2:
        assert login(gw) == 0
        assert time.monotonic() < began + 10
    assert time.monotonic() - began >= 0.3


def test_a_reload_forgets(gateway):
    gw = gateway(pw_config(core=ONE))
    assert login(gw) == 0 and login(gw) == 0
    assert 'done' in gw.reload()
    assert login(gw) == 0
    assert asked(gw) == 2


@pytest.mark.alone
def test_a_changed_file(gateway, folder):  # pylint: disable=redefined-outer-name
    """A password file that changes ends what is remembered, although nobody comes whom a helper would be asked about."""
    path = users_file(folder, f'alice:{crypt("secret")}\n')
    gw = gateway(sockgate.config(modules=[file_instance(path)], hooks={'auth': ['file']}, core=ONE))
    helpers = gw.helpers('file')
    assert login(gw) == 0
    worked = sum(map(sockgate.cpu_seconds, helpers))
    for _ in range(50):
        assert login(gw) == 0
    assert sum(map(sockgate.cpu_seconds, helpers)) - worked < 0.1, 'helpers were asked about what is remembered'
    users_file(folder, f'alice:{crypt("another")}\n')
    began = time.monotonic()
    while login(gw) == 0:
        assert time.monotonic() < began + 10, 'the old password still counts'
    counted = time.monotonic() - began
    print(f'the old password counted for {counted:.2f} s')
    assert counted < 0.5, 'ten times what it may take; without the kernel it would be up to a second'
    assert login(gw, secret=b'another') == 0


def test_a_changed_file_that_a_helper_sees(gateway, folder):  # pylint: disable=redefined-outer-name
    """The first login that is asked about ends it at once, for all."""
    path = users_file(folder, f'alice:{crypt("secret")}\nbob:{crypt("x")}\n')
    gw = gateway(sockgate.config(modules=[file_instance(path)], hooks={'auth': ['file']}, core=ONE))
    assert login(gw) == 0
    users_file(folder, f'alice:{crypt("another")}\nbob:{crypt("x")}\n')
    assert login(gw, b'bob', b'x') == 0
    assert login(gw) == 1


# ---- who has to wait

@pytest.mark.alone
def test_delays_grow(gateway):
    """V49: unknown user and wrong password alike; a good password waits too, and others do not."""
    gw = gateway(pw_config(core=throttled()))
    times = []
    for name, secret in ((b'alice', b'a'), (b'nobody', b'b'), (b'bob', b'c'), (b'mallory', b'd'), (b'alice', b'secret')):
        began = time.monotonic()
        assert login(gw, name, secret) == (0 if secret == b'secret' else 1)
        times.append(time.monotonic() - began)
    began = time.monotonic()
    assert login(gw, b'bob', b'hunter2', source='127.0.0.2') == 0
    elsewhere = time.monotonic() - began
    assert times[1] >= 0.19 and times[2] >= 0.39 and times[3] >= 0.79 and times[4] >= 0.79
    assert times[0] < times[1] and elsewhere < 5
    print('seconds:', *(f'{span:.2f}' for span in times), f'elsewhere {elsewhere:.2f}')


def test_thousand_tries(gateway):
    """T55: from one address, all at once; a good login from elsewhere is unaffected meanwhile."""
    gw = gateway(pw_config(core=throttled(), limits={'sessions': 4096}))
    clients = []
    for number in range(1000):
        client = gw.connect()
        client.send(b'\x05\x01\x02', userpass(b'alice', b'guess%d' % number))
        clients.append(client)
        if number == 500:
            began = time.monotonic()
            assert login(gw, b'bob', b'hunter2', source='127.0.0.3') == 0
            print(f'from elsewhere: {time.monotonic() - began:.3f} s')
    for client in clients:
        client.expect(b'\x05\x02\x01\x01')
        client.close()
    gw.wait(lambda: len(gw.records(event='session_refused', reason='throttled')) + asked(gw) >= 1000, 'a record of each')
    assert asked(gw) <= 40
    # So many at once are more than a worker keeps of events: what is missing is counted, the sessions are all there.
    failed = gw.events(event='auth_failed', user='alice')
    assert failed and {record['reason'] for record in failed} <= {'throttled', 'login_denied'}


def test_a_device_that_does_not_know_better(gateway):
    """The same wrong password again and again makes nobody wait longer."""
    gw = gateway(pw_config(core=throttled()))
    for _ in range(8):
        began = time.monotonic()
        assert login(gw, secret=b'old') == 1
    assert time.monotonic() - began < 5
    assert asked(gw) == 8


def test_exempt(gateway):
    gw = gateway(pw_config(core=throttled(exempt=['127.0.0.2'], delay='30s', max_delay='30s')))
    for number in range(20):
        assert login(gw, secret=b'%d' % number, source='127.0.0.2') == 1
    assert asked(gw) == 20


def test_remembered_people_do_not_wait(gateway):
    """Somebody at their address fails; they were let in a moment ago, and go on."""
    gw = gateway(pw_config(core=dict(ONE, **throttled(delay='30s', max_delay='30s'))))
    assert login(gw) == 0
    assert login(gw, b'bob', b'wrong') == 1
    for _ in range(10):
        assert login(gw) == 0
    assert asked(gw) == 1


def test_setup_max_holds(gateway):
    """A login that waits is no reason to stay longer than setup_max; and who leaves is forgotten."""
    gw = gateway(pw_config(core=throttled(delay='30s', max_delay='30s'), timeouts={'setup_max': '500ms'}))
    assert login(gw, secret=b'wrong') == 1
    with gw.connect() as client:
        client.send(b'\x05\x01\x02', userpass(b'alice', b'secret'))
        client.expect(b'\x05\x02')
        client.expect_end()
    assert gw.wait_end(client)['reason'] == 'setup_timeout'
    with gw.connect() as client:
        client.send(b'\x05\x01\x02', userpass(b'alice', b'secret'))
        client.expect(b'\x05\x02')
        network.wait_taken(client.sock)
    assert gw.wait_end(client)['reason'] in ('client_gone', 'setup_timeout')
    assert asked(gw) == 1


@pytest.mark.parametrize('how', ['reload', 'kill', 'upgrade'])
def test_nothing_is_forgotten(gateway, how):
    """Failures outlive a reload, a killed generation with its workers, and an upgrade."""
    gw = gateway(pw_config(core=throttled(delay='400ms', max_delay='30s')))
    for number in range(4):
        assert login(gw, secret=b'%d' % number) == 1
    if how == 'reload':
        assert 'done' in gw.reload()
    elif how == 'kill':
        for pid in [*gw.workers().values()]:
            os.kill(pid, signal.SIGKILL)
        gw.wait_log(r'worker \d.* ended')
    else:
        gw.signal(signal.SIGUSR2)
        gw.wait_log('upgrade done')
    began = time.monotonic()
    assert login(gw, secret=b'one more') == 1
    assert time.monotonic() - began >= 2  # of 6.4 s


@needs_ipv6
@needs_root
def test_ipv6_networks(gateway):
    """T55: a /64 is one address."""
    prefix = '2001:db8:77:1::'
    with network.Namespace() as netns:
        for number in range(1, 60):
            netns.ip(f'addr add {prefix}{number:x}/64 dev lo nodad')
        gw = gateway(pw_config(listeners=[sockgate.listener('six', prefix + '1', open_proxy=True)], core=throttled()),
                     netns=netns)
        for number in range(2, 60):
            with gw.connect('six', source=f'{prefix}{number:x}') as client:
                client.send(b'\x05\x01\x02', userpass(b'alice', b'guess%d' % number))
                client.expect(b'\x05\x02\x01\x01')
        gw.stop()
    assert asked(gw) <= 40


# ---- secrets

@needs_root
@pytest.mark.skipif(sockgate.SANITIZED, reason='AddressSanitizer keeps what was freed')
def test_no_secret_is_left(gateway, folder):  # pylint: disable=redefined-outer-name
    """T54, V47: a hundred logins, fresh, remembered, wrong, waiting, given up: no process holds a password afterwards, none but
    helpers holds a hash, and neither stands in a log, an environment or a command line."""
    digest = crypt(CANARY.decode())
    path = users_file(folder, f'alice:{digest}\n')
    gw = gateway(sockgate.config(modules=[file_instance(path)], hooks={'auth': ['file']}, core=throttled(delay='20ms')))
    for number in range(100):
        with gw.connect() as client:
            if number % 10 == 7:
                client.send(b'\x05\x01\x02', userpass(b'alice', CANARY + b'wrong'))
                network.wait_taken(client.sock)
            else:
                assert client.login(b'alice', CANARY) == 0
        gw.wait_end(client)
    helpers, places = gw.helpers('file'), 0
    for pid in gw.processes():
        places += 1
        image = memory.image(pid)
        assert CANARY not in image, sockgate.title(pid)
        assert pid in helpers or digest[-30:].encode() not in image, sockgate.title(pid)
        for name in ('environ', 'cmdline'):
            assert CANARY not in pathlib.Path(f'/proc/{pid}/{name}').read_bytes()
    assert places >= 6 and CANARY.decode() not in gw.log() and digest not in gw.log()


# ---- for programs that ban

FIELDS = {'event', 'time', 'id', 'session', 'listener', 'client', 'ver', 'method', 'instance', 'user', 'reason', 'reason_text'}


def test_fail2ban(gateway):
    """The filter in doc/logins.md finds every failure in the log, with its address, and nothing else."""
    text = (pathlib.Path(__file__).parents[2] / 'doc' / 'logins.md').read_text(encoding='utf-8')
    pattern = re.search(r'^failregex = (.*)$', text, re.M)[1].replace('<HOST>', r'(?P<host>[0-9a-fA-F.:]+?)')
    gw = gateway(pw_config(core=throttled()))
    assert login(gw) == 0
    assert login(gw, name=b'"client":"192.0.2.1:1"', secret=b'x', source='127.0.0.3') == 1
    assert login(gw, secret=b'wrong', source='127.0.0.2') == 1
    failed = events(gw, 2, event='auth_failed')
    assert all(set(record) <= FIELDS and record['client'] for record in failed), failed
    lines = [line for line in gw.log().splitlines() if line.startswith('{')]
    found = [match['host'] for match in map(re.compile(pattern).search, lines) if match]
    assert sorted(found) == ['127.0.0.2', '127.0.0.3']
