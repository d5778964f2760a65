# SPDX-License-Identifier: BSD-2-Clause
"""auth_pam: what a stack may ask for, what it gets, and what becomes of what it says.

Most stacks are of tests/logins/pam_asks.c, which does what its arguments say; the ordinary cases are those of pam_matrix
(Debian: libpam-wrapper), whose password file the test writes."""

import glob
import os
import pathlib
import subprocess
import time

import pytest

import sockgate
from conftest import needs_root
from logins import DECLINED, DENY, ERROR, OK, Logins, refusal

ASKS = sockgate.BUILD / 'tests' / 'logins' / '.libs' / 'pam_asks.so'
MATRIX = next(iter(glob.glob('/usr/lib/*/pam_wrapper/pam_matrix.so')), None)

pytestmark = pytest.mark.skipif(not ASKS.exists(), reason='built without PAM')
needs_matrix = pytest.mark.skipif(MATRIX is None, reason='pam_matrix is missing (Debian: libpam-wrapper)')
needs_preload = pytest.mark.skipif(sockgate.SANITIZED, reason='a sanitizer must be loaded before pam_wrapper')

# Linux-PAM's numbers.
SERVICE_ERR, SYSTEM_ERR, PERM_DENIED, AUTH_ERR, CRED_INSUFFICIENT, AUTHINFO_UNAVAIL = 3, 4, 6, 7, 8, 9
USER_UNKNOWN, MAXTRIES, NEW_AUTHTOK_REQD, ACCT_EXPIRED, CRED_EXPIRED, AUTHTOK_EXPIRED = 10, 11, 12, 13, 16, 27


class Stack:
    """A folder with the service "sockgate" and what its modules have written down."""

    def __init__(self, folder):
        self.dir = folder
        self.lines = folder / 'lines'
        (folder / 'other').write_text('auth required pam_deny.so\naccount required pam_deny.so\n')
        self.env = {}

    def write(self, auth, account='', service='sockgate', more=''):
        """pam_asks with these arguments in each phase."""
        log = f'log={self.lines}'
        self.raw(f'auth required {ASKS} {log} {auth}\naccount required {ASKS} {log} {account}\n{more}', service)

    def raw(self, text, service='sockgate'):
        (self.dir / service).write_text(text)

    def settings(self, **keys):
        return {'service_dir': str(self.dir), **keys}

    def login(self, name='alice', secret='secret', user=None, conf=None, **keys):
        with Logins('auth_pam', self.settings(**(conf or {})), env=self.env, user=user) as logins:
            return logins.password(name, secret, **keys)

    def seen(self):
        return self.lines.read_text().splitlines() if self.lines.exists() else []


@pytest.fixture
def stack(tmp_path):
    return Stack(tmp_path)


# ---- the conversation: T44, V08, UP-10

NO_MORE = (DENY, 'the PAM stack asks for more than a name and a password')


@pytest.mark.parametrize('asks, seen', [
    # one answer to the first hidden prompt
    ('ask=off', ['off: answered secret']),
    ('ask=info,off', ['info,off: answered - secret']),
    ('ask=error,off,info', ['error,off,info: answered - secret -']),
    ('ask=info ask=error ask=off', ['info: answered -', 'error: answered -', 'off: answered secret']),
    ('ask=off ask=info', ['off: answered secret', 'info: answered -']),
    # a visible one, before that, gets the name
    ('ask=on ask=off', ['on: answered alice', 'off: answered secret']),
    ('ask=on,off', ['on,off: answered alice secret']),
    # some modules that only say something have no place for responses
    ('quiet=info ask=off', ['info: answered', 'off: answered secret']),
    ('quiet=info,error ask=off', ['info,error: answered', 'off: answered secret']),
])
def test_the_password_is_given(stack, asks, seen):
    stack.write(f'{asks} secret=secret')
    assert stack.login().verdict == OK
    assert stack.seen() == seen


@pytest.mark.parametrize('asks, seen', [
    # a second hidden prompt: a retry, a second factor, a new password
    ('ask=off ask=off', ['off: answered secret', 'off: refused']),
    ('ask=off,off', ['off,off: refused']),
    ('ask=off,off,off,off,off', ['off,off,off,off,off: refused']),
    ('ask=off ask=off ask=off ask=off ask=off', ['off: answered secret'] + 4 * ['off: refused']),
    ('ask=off ask=on', ['off: answered secret', 'on: refused']),
    ('ask=off,on', ['off,on: refused']),
    ('ask=on ask=on', ['on: answered alice', 'on: refused']),
    # what is not known, nothing, and too much
    ('ask=binary', ['binary: refused']),
    ('ask=info,binary,off', ['info,binary,off: refused']),
    ('ask=', [': refused']),
    ('ask=many', ['many: refused']),
    ('quiet=off', ['off: refused']),
])
def test_the_password_is_not_given(stack, asks, seen):
    """A refused conversation makes the login fail with a reason of its own."""
    stack.write(f'{asks} return={AUTH_ERR}')
    assert stack.login()[::6] == NO_MORE
    assert stack.seen() == seen


def test_the_account_phase_gets_no_password(stack):
    """A new password is nothing that SOCKS could ask for."""
    stack.write('ask=off', f'ask=off,off return={NEW_AUTHTOK_REQD}')
    assert stack.login()[::6] == NO_MORE
    assert stack.seen() == ['off: answered secret', 'off,off: refused']


def test_items(stack):
    """UP-10: service, name, remote host and a terminal's name, in both phases."""
    stack.write('items', 'items')
    assert stack.login(client=('2001:db8::7', 40000), local=('2001:db8::1', 1080)).verdict == OK
    assert stack.seen() == 2 * ['items: sockgate alice 2001:db8::7 sockgate']


def test_the_name_is_the_stack_s(stack):
    stack.write('user=ALICE@EXAMPLE')
    assert stack.login()[:2] == (OK, b'ALICE@EXAMPLE')


@pytest.mark.parametrize('name, secret', [('alice\0', 'secret'), ('\0', 'secret'), ('alice', 'secret\0'),
                                          ('alice', 'secret\0x'), ('', 'secret')])
def test_what_pam_cannot_be_asked(stack, name, secret):
    """V04: PAM's strings end at a NUL."""
    stack.write('ask=off')
    assert stack.login(name, secret).verdict == DENY
    assert stack.seen() == []


# ---- what is said: T44, V09

@pytest.mark.parametrize('status, verdict, reason', [
    (AUTH_ERR, DENY, 'wrong password'),
    (USER_UNKNOWN, DECLINED, 'unknown user'),
    (PERM_DENIED, DENY, 'not permitted'),
    (MAXTRIES, DENY, 'too many tries'),
    (ACCT_EXPIRED, DENY, 'account expired'),
    (NEW_AUTHTOK_REQD, DENY, 'password expired'),
    (AUTHTOK_EXPIRED, DENY, 'password expired'),
    (CRED_EXPIRED, DENY, 'account expired'),
    (AUTHINFO_UNAVAIL, ERROR, 'unavailable'),
    (CRED_INSUFFICIENT, ERROR, 'unavailable'),
    (SERVICE_ERR, ERROR, 'unavailable'),
    (SYSTEM_ERR, ERROR, 'unavailable')])
def test_authentication_fails(stack, status, verdict, reason):
    """What could not be found out is told apart from what is wrong."""
    stack.write(f'ask=off return={status}', 'items')
    assert stack.login()[::6] == (verdict, reason)
    assert stack.seen() == ['off: answered secret']


@pytest.mark.parametrize('status, verdict, reason', [
    (ACCT_EXPIRED, DENY, 'account expired'),
    (NEW_AUTHTOK_REQD, DENY, 'password expired'),
    (AUTH_ERR, DENY, 'account locked or refused'),
    (PERM_DENIED, DENY, 'account locked or not permitted here'),
    (USER_UNKNOWN, DENY, 'no such account'),
    (AUTHINFO_UNAVAIL, ERROR, 'unavailable')])
def test_the_account_is_refused(stack, status, verdict, reason):
    """V09, UP-10: the right password is not enough, and audit says why."""
    stack.write('ask=off secret=secret', f'return={status}')
    answer = stack.login()
    assert (answer.verdict, answer.name, answer.reason) == (verdict, b'', reason)


def test_the_delay_is_not_slept(stack):
    """UP-10: the core is told how long PAM would have slept; nobody sleeps, and a success is not delayed."""
    stack.write('delay=5000 ask=off secret=secret')
    began = time.monotonic()
    with Logins('auth_pam', stack.settings()) as logins:
        for _ in range(5):
            wrong = logins.password('alice', 'wrong')
            assert wrong.verdict == DENY
            assert 3000 <= wrong.delay <= 8000  # PAM varies it by half at most
            assert logins.password('alice', 'secret').delay == 0
    assert time.monotonic() - began < 5 * 3  # what PAM would have slept at least


def test_the_log_holds_no_password(stack):
    stack.write(f'ask=off return={SYSTEM_ERR}')
    with Logins('auth_pam', stack.settings()) as logins:
        assert logins.password('canary-user', 'canary-password').verdict == ERROR
        assert 'PAM, authentication: ' in logins.log()
        assert 'canary' not in logins.log()


# ---- groups

def test_groups_are_the_system_s(stack):
    """Of the name that the stack has left; a user whom the system does not know has none."""
    stack.write('')
    wanted = subprocess.run(['id', '-Gn', 'root'], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    assert stack.login('root', conf={'groups': True}).groups == wanted
    assert stack.login('root').groups == []
    assert stack.login('nobody-has-this-name', conf={'groups': True})[:3] == (OK, b'nobody-has-this-name', [])


# ---- configuration

def test_a_missing_service_is_an_error(stack):
    text = refusal('auth_pam', stack.settings(service='none'))
    assert f'there is no file {stack.dir}/none' in text and 'sockgate.conf:' in text
    text = refusal('auth_pam', {'service': 'no-such-service'})
    assert 'there is no file /etc/pam.d/no-such-service' in text


@pytest.mark.parametrize('service', ['', '../sockgate', 'Sockgate', 'a b'])
def test_what_is_no_service(stack, service):
    assert 'no name of a PAM service' in refusal('auth_pam', stack.settings(service=service))


def test_each_instance_has_its_service(stack):
    stack.write('items', service='gate-two')
    assert stack.login(conf={'service': 'gate-two'}).verdict == OK
    assert stack.seen() == ['items: gate-two alice 192.0.2.7 sockgate']


def test_the_installed_service_file():
    """etc/pam.d/sockgate is what Debian's common files make of it: both phases."""
    text = (sockgate.TOP / 'etc/pam.d/sockgate').read_text()
    assert '@include common-auth' in text and '@include common-account' in text


# ---- pam_matrix

MATRIX_USERS = 'alice:secret:sockgate\nbob:hunter2:other\n'


def matrix(folder, passdb):
    passdb.write_text(MATRIX_USERS)
    return f'auth required {MATRIX} passdb={passdb} {folder}\naccount required {MATRIX} passdb={passdb}\n'


@needs_matrix
@pytest.mark.parametrize('name, secret, verdict, reason', [
    ('alice', 'secret', OK, ''),
    ('alice', 'secre', DENY, 'wrong password'),
    ('alice', 'secretx', DENY, 'wrong password'),
    ('carol', 'secret', DENY, 'wrong password'),
    ('bob', 'hunter2', DENY, 'account locked or not permitted here')])
@pytest.mark.parametrize('verbose', ['', 'verbose'])
def test_matrix(stack, tmp_path, name, secret, verdict, reason, verbose):
    """T44: with `verbose` the module says something without a place for responses. bob may use another service only."""
    stack.raw(matrix(verbose, tmp_path / 'passdb'))
    assert stack.login(name, secret)[::6] == (verdict, reason)


@needs_matrix
@needs_preload
def test_the_system_s_service_folder(stack, tmp_path):
    """Without service_dir it is PAM that looks for the file; pam_wrapper has it look into ours."""
    stack.raw(matrix('', tmp_path / 'passdb'), service='passwd')
    (tmp_path / 'passdb').write_text('alice:secret:passwd\n')
    env = {'LD_PRELOAD': 'libpam_wrapper.so', 'PAM_WRAPPER': '1', 'PAM_WRAPPER_SERVICE_DIR': str(tmp_path)}
    with Logins('auth_pam', {'service': 'passwd'}, env=env) as logins:
        assert logins.password('alice', 'secret').verdict == OK
        assert logins.password('alice', 'wrong').verdict == DENY


# ---- pam_unix

@pytest.fixture
def unix_user(tmp_path):
    """A wrapper that gives a command a private /etc/passwd and /etc/shadow, in a mount namespace."""
    sockgate_crypt = subprocess.run(['perl', '-e', 'print crypt("secret", q($6$rounds=1000$abcdefgh$))'],
                                    stdout=subprocess.PIPE, text=True, check=True).stdout
    for name, lines in (('passwd', 'gwtest:x:65000:65000::/:/usr/sbin/nologin\ngwold:x:65001:65000::/:/bin/sh\n'
                                   'gwlocked:x:65002:65000::/:/bin/sh\n'),
                        ('shadow', f'gwtest:{sockgate_crypt}:19000:0:99999:7:::\n'
                                   f'gwold:{sockgate_crypt}:19000:0:99999:7::2:\n'
                                   f'gwlocked:!{sockgate_crypt}:19000:0:99999:7:::\n'),
                        ('group', 'gwgroup:x:65000:\ngwmore:x:65003:gwtest\n')):
        (tmp_path / name).write_text(pathlib.Path(f'/etc/{name}').read_text() + lines)
        os.chmod(tmp_path / name, 0o640 if name == 'shadow' else 0o644)
    program = tmp_path / 'in-namespace'
    binds = '\n'.join(f'mount --bind {tmp_path}/{name} /etc/{name}' for name in ('passwd', 'shadow', 'group'))
    program.write_text(f'#!/bin/sh -e\n{binds}\nexec "$@"\n')
    program.chmod(0o755)
    probe = subprocess.run(['unshare', '-m', program, 'id', '-un', '65000'], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, check=False)
    if probe.stdout.strip() != 'gwtest':
        pytest.skip(f'a mount namespace cannot be made here: {probe.stdout.strip()}')
    return ['unshare', '-m', program]


@needs_root
def test_pam_unix_as_root(stack, unix_user):
    """A root helper checks everybody; groups come through NSS; locked and expired accounts stay out."""
    stack.raw('auth required pam_unix.so\naccount required pam_unix.so\n')
    with Logins('auth_pam', stack.settings(groups=True), wrapper=unix_user) as logins:
        assert logins.password('gwtest', 'secret')[:3] == (OK, b'gwtest', ['gwgroup', 'gwmore'])
        wrong = logins.password('gwtest', 'wrong')
        assert wrong[::6] == (DENY, 'wrong password') and wrong.delay > 0
        assert logins.password('gwold', 'secret')[::6] == (DENY, 'account expired')
        assert logins.password('gwlocked', 'secret')[::6] == (DENY, 'wrong password')
        assert logins.password('gwnone', 'secret').verdict in (DECLINED, DENY)
