# SPDX-License-Identifier: BSD-2-Clause
"""sockgatectl login-test: the chain of a listener, without a gateway."""

import os
import pty
import subprocess

import pytest

import sockgate
from test_logins import pw, pw_config

CTL = sockgate.BUILD / 'sockgatectl'


def run(tmp_path, text, *words, secret='secret'):
    conf = tmp_path / 'test.conf'
    conf.write_text(sockgate.expand(text, tmp_path))
    return subprocess.run([CTL, 'login-test', '-c', conf, *words], input=secret + '\n', capture_output=True, text=True,
                          timeout=60, check=False)


CHAIN = pw_config(pw('first', ['alice:first-pw']), pw('far', ['bob:far-pw'], clients=['192.0.2.0/24']), pw('second', ['bob:second-pw']),
                  auth=['none', 'first', 'far', 'second'],
                  listeners=[sockgate.listener(), sockgate.listener('closed', clients=['192.0.2.0/24'])])


@pytest.mark.parametrize('words, secret, status, last', [
    (['alice'], 'first-pw', 0, 'granted: user "alice", assurance 20, listener "main"'),
    (['alice'], 'second-pw', 1, 'refused by "first"'),
    (['bob'], 'second-pw', 0, 'granted: user "bob", assurance 20, listener "main"'),
    (['renamed'], 'x', 0, 'granted: user "somebody", groups staff, assurance 20, listener "main"'),
    (['nobody'], 'x', 1, 'refused: no instance knows the user'),
    (['expired'], 'x', 1, 'refused by "first"'),
    (['error'], 'x', 1, 'refused by "first"'),
    (['crash'], 'x', 1, 'refused by "first"'),
    (['--client', '192.0.2.1', 'bob'], 'second-pw', 1, 'refused by "far"'),
    (['--client', '192.0.2.1', '--listener', 'closed', 'bob'], 'far-pw', 0,
     'granted: user "bob", assurance 20, listener "closed"'),
    (['--listener', 'closed', 'bob'], 'second-pw', 1, 'refused: the client is outside `clients` of the listener "closed"')])
def test_says_what_would_be(tmp_path, words, secret, status, last):
    done = run(tmp_path, CHAIN, *words, secret=secret)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (status, last), done
    assert secret not in done.stdout + done.stderr or len(secret) < 2


def test_names_every_instance(tmp_path):
    done = run(tmp_path, CHAIN, 'expired')
    assert done.stdout.splitlines() == ['  none: not asked: serves another METHOD than 02',
                                        '  first: DENY: account expired', 'refused by "first"']
    done = run(tmp_path, CHAIN, 'bob', secret='second-pw')
    assert done.stdout.splitlines()[1:3] == ['  first: DECLINED, the next is asked',
                                             '  far: not asked: the client is outside its `clients`']
    assert '  first: unavailable: its process ended without an answer' in run(tmp_path, CHAIN, 'crash').stdout


def test_an_instance_that_hangs(tmp_path):
    text = pw_config(pw(helper={'timeout': '300ms'}))
    done = run(tmp_path, text, 'sleep')
    assert done.returncode == 1
    assert '  pw: unavailable: no answer within helper.timeout' in done.stdout


@pytest.mark.parametrize('words', [[], ['alice', 'bob'], ['--client', 'x', 'alice'], ['--listener', 'nowhere', 'alice'],
                                   ['--what', 'alice'], ['']])
def test_usage(tmp_path, words):
    assert run(tmp_path, CHAIN, *words).returncode == 2


def test_no_password(tmp_path):
    assert run(tmp_path, CHAIN, 'alice', secret='').returncode == 2


def test_at_a_terminal(tmp_path):
    """Asked once, without an echo."""
    conf = tmp_path / 'test.conf'
    conf.write_text(sockgate.expand(CHAIN, tmp_path))
    main, side = pty.openpty()
    with subprocess.Popen([CTL, 'login-test', '-c', conf, 'alice'], stdin=side, stdout=subprocess.PIPE, stderr=side) as process:
        seen = b''
        while b'Password for alice: ' not in seen:
            seen += os.read(main, 1024)
        os.write(main, b'first-pw\n')
        out = process.communicate(timeout=60)[0]
    os.set_blocking(main, False)
    seen += os.read(main, 1024)
    os.close(main)
    os.close(side)
    assert process.returncode == 0 and b'granted' in out
    assert b'first-pw' not in seen.split(b': ', 1)[1]
