# SPDX-License-Identifier: BSD-2-Clause
"""What is written down beside the states of sessions: logins, mistakes of modules, configurations, what was lost."""

import hashlib
import os
import pathlib
import signal

import pytest

import sockgate
from test_modules import ALL

CLAIM = {'auth': ['claim']}


def x80(core=None):
    return sockgate.config(core=core, modules=[sockgate.test_module('auth_x80', name='x80')], hooks={'auth': ['x80']})


def wait_event(gw, **match):
    return gw.wait(lambda: gw.events(**match), f'an event with {match}')[0]


def sha256(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def test_logins(gateway, target):
    """auth_ok and auth_failed come before the session goes on, and name it; METHOD 00 is no login."""
    gw = gateway(sockgate.config([sockgate.listener(), sockgate.listener('open', hooks={'auth': ['none']})],
                                 modules=[sockgate.test_module('auth_claim', name='claim')], hooks=CLAIM), ledger=False)
    with gw.connect() as client, gw.connect('open') as stranger:
        client.claim('alice', assurance=20)
        assert client.request(*target.where).rep == 0
        stranger.open(*target.where)
        start = gw.wait_record(event='session_start', client=client.name)
        gw.wait_record(event='session_start', client=stranger.name)
    ok = wait_event(gw, event='auth_ok')
    assert (ok['session'], ok['user'], ok['assurance'], ok['instance'], ok['method'], ok['client'], ok['listener']) == (
        start['id'], 'alice', 20, 'claim', '81', client.name, 'main')
    assert ok['id'] != start['id'] and len(gw.events(event='auth_ok')) == 1
    events = [r['event'] for r in gw.events() if r.get('client') == client.name]
    assert events.index('auth_ok') < events.index('session_start')


def test_failed_logins(gateway):
    gw = gateway(x80(), ledger=False)
    with gw.connect() as client:
        assert client.greet(b'\x80') == 0x80
        client.send(b'\xff')
        client.rest()
    end = gw.wait_end(client)
    failed = wait_event(gw, event='auth_failed')
    assert (failed['session'], failed['client'], failed['instance'], failed['method'], failed['reason']) == (
        end['id'], client.name, 'x80', '80', 'login_denied') and 'user' not in failed
    assert end['reason'] == 'login_denied' and not gw.events(event='auth_ok')


def test_module_error(gateway):
    """SG_AGAIN without a handle: the module is named, and the session that suffers from it."""
    settings = dict(ALL, client='ok', delay='1ms', mistake='no_handle')
    gw = gateway(sockgate.config([sockgate.listener(hooks={'access': ['async']})],
                                 modules=[sockgate.test_module('access_async', name='async', settings=settings)]))
    with gw.connect() as client:
        client.expect_end()
    end = gw.wait_end(client)
    error = wait_event(gw, event='module_error')
    assert (error['session'], error['module'], error['client']) == (end['id'], 'async', client.name)
    assert 'SG_AGAIN without a handle' in error['reason_text'] and end['reason'] == 'module_error'


def test_start_and_reload(gateway):
    """Who asked, and what came into force: every file with its SHA-256, as sha256sum would say it."""
    text = sockgate.config(core={'workers': 1})
    gw = gateway(text, ledger=False)
    start = wait_event(gw, event='reload', purpose='start')
    path = gw.dir / 'sockgate.conf'
    assert (start['result'], start['generation'], start['file'], start['sha256']) == ('ok', 1, str(path), sha256(path))
    assert 'by_pid' not in start
    loaded = gw.wait(lambda: len(gw.events(event='file_loaded')) == 3 and gw.events(event='file_loaded'), 'three modules')
    assert {r['file'] for r in loaded} == {str(sockgate.MODULES / f'{name}.so') for name in ('auth_none', 'access_rules', 'cmd_connect')}
    assert all(r['sha256'] == sha256(r['file']) and r['reload'] == start['id'] for r in loaded)

    (gw.dir / 'more.conf').write_text('# nothing more\n')
    assert 'done' in gw.reload(text + '@include "more.conf"\n')
    again = wait_event(gw, event='reload', purpose='reload', result='ok')
    assert (again['generation'], again['sha256'], again['by_pid'], again['by_uid']) == (2, sha256(path), os.getpid(), os.getuid())
    more = wait_event(gw, event='file_loaded', file=str(gw.dir / 'more.conf'))
    assert more['sha256'] == sha256(gw.dir / 'more.conf') and more['reload'] == again['id']


def test_a_reload_that_is_refused(gateway):
    gw = gateway(sockgate.config(core={'workers': 1}), ledger=False)
    assert 'failed' in gw.reload(sockgate.config(core={'workers': 1, 'worker': 2}))
    refused = wait_event(gw, event='reload', result='failed')
    assert (refused['purpose'], refused['generation'], refused['by_pid']) == ('reload', 2, os.getpid())
    assert 'unknown key "worker"' in refused['reason_text'] and 'sha256' not in refused


def test_restart_and_upgrade(gateway):
    """A generation that died is started again with the same configuration; an upgrade says who asked."""
    gw = gateway(sockgate.config(core={'workers': 1}), ledger=False)
    os.kill(gw.generation_pid, signal.SIGKILL)
    restart = wait_event(gw, event='reload', purpose='restart')
    assert (restart['result'], restart['generation']) == ('ok', 2) and 'by_pid' not in restart
    gw.signal(signal.SIGUSR2)
    upgrade = wait_event(gw, event='reload', purpose='upgrade')
    assert (upgrade['result'], upgrade['by_pid']) == ('ok', os.getpid())


def test_too_many_events(gateway):
    """While nobody writes, so many wait; what is more is counted, and the count is told."""
    gw = gateway(x80(core={'workers': 1}), ledger=False)
    tries = 300
    logger = max(gw.loggers().values())
    os.kill(logger, signal.SIGSTOP)
    served = 0
    for _ in range(tries):
        with gw.connect() as client:
            client.sock.settimeout(1)
            try:
                assert client.greet(b'\x80') == 0x80
                client.send(b'\xff')
                client.rest()
            except OSError:
                continue
            served += 1
    os.kill(logger, signal.SIGCONT)
    lost = wait_event(gw, event='records_lost')
    gw.stop()
    assert 128 < served
    ends = [r for r in gw.records() if r['reason'] == 'login_denied']
    assert len(gw.events(event='auth_failed')) + sum(r['count'] for r in gw.events(event='records_lost')) == len(ends) >= served
    assert lost['id']


@pytest.mark.parametrize('name', ['x' * 255, 'ünï'])
def test_names_in_events(gateway, name):
    gw = gateway(sockgate.config(modules=[sockgate.test_module('auth_claim', name='claim')], hooks=CLAIM), ledger=False)
    with gw.connect() as client:
        client.claim(name)
        assert wait_event(gw, event='auth_ok')['user'] == name
