# SPDX-License-Identifier: BSD-2-Clause
"""sockgate-modtest: modules with one mistake each, which it names, and modules without, in which it finds none."""

import os
import re
import subprocess

import pytest

import sockgate

SENTENCES = {
    'again_without_handle': 'SG_AGAIN was answered without a handle: call sg_pending_new() first',
    'believes_length': 'exchange() writes or reads past the end of its slot: session_size is what the slot has',
    'blocks_worker': 'request() blocks its worker: nothing there may take longer than a moment; make a handle, and '
                     'have a timer or work() in a helper resolve it',
    'keeps_creds': 'check() uses the credentials of an earlier login: they are good until check() returns, copy what '
                   'is needed',
    'leaks_descriptor': 'each session leaves a descriptor behind: close in session_end() what the slot holds',
    'leaks_slot': 'each session leaves 100 octets of memory behind: free in session_end() what the slot holds, and in '
                  'cancel() what waits for an answer',
    'lets_in_all': 'check() lets in whoever comes: a name and a secret that were made up are SG_OK',
    'long_label': 'the label of a decision has more than 63 octets: no record could hold it',
    'never_resolves': 'request() answered SG_AGAIN and its handle was not resolved: end each with exactly one '
                      'sg_pending_resolve(), or allow more time with --wait',
    'no_role': 'has no role: one of auth, access, command, log is needed',
    'prefix_password': 'check() lets in a secret that is only the beginning of the right one: compare secret_len too',
    'reads_past_uname': 'check() reads past the end of a name or secret: they have no NUL, use name_len and secret_len',
    'resolves_cancelled': 'a handle was resolved after it had ended: forget it in cancel(), and once it is resolved',
    'resolves_in_init': 'sg_pending_new() was called outside a callback that may answer SG_AGAIN, or twice in one: '
                        'make handles only there',
    'resolves_twice': 'a handle was resolved twice: end each with exactly one sg_pending_resolve()',
    'slot_too_late': 'a callback of a timer, a dial or a filter uses the slot of a session that has ended: forget it '
                     'in session_end()',
    'thread_in_init': 'its init started a thread; workers are forked and would not have it: use start',
    'unchecked_malloc': 'client() ended its process with SIGSEGV: run it under a debugger, or built with '
                        '-fsanitize=address',
    'writes_conf': 'client() writes to its settings, or reads past them: they are the core\'s and constant',
}

# What is seen only where modtest has malloc() for itself.
BY_MALLOC = ('believes_length', 'leaks_slot', 'resolves_cancelled', 'slot_too_late', 'unchecked_malloc')


def modtest(path, *args):
    """Exit status and output."""
    done = subprocess.run([sockgate.BUILD / 'core/sockgate-modtest', *args[1:], path, *args[:1]],
                          capture_output=True, text=True, timeout=200, check=False,
                          env=dict(os.environ, SOCKGATE_MODULE_DIR=str(sockgate.BUILD / 'modules/.libs')))
    assert done.stderr == ''
    return done.returncode, done.stdout


def bad(name):
    return sockgate.BUILD / f'tests/modules/bad/.libs/{name}.so'


@pytest.mark.parametrize('name', sorted(SENTENCES))
def test_names_the_mistake(name):
    if sockgate.SANITIZED and name in BY_MALLOC:
        pytest.skip('AddressSanitizer has malloc() for itself')
    status, output = modtest(bad(name), '', '--wait=1', '--login=alice:secret')
    lines = output.splitlines()
    assert status == 1 and lines[0].endswith(SENTENCES[name]), output
    assert re.search(r': [1-9]\d* mistakes?; called: ', lines[-1]), output


def test_a_log_that_lies(tmp_path):
    status, output = modtest(bad('commit_lies'), f'path = "{tmp_path}/log";')
    assert status == 1
    assert 'commit() says 0 although nothing could be written: say -1, and all comes again' in output


@pytest.mark.parametrize('name,settings', [
    ('modules/.libs/access_rules', 'rules = ( { allow = { dst_port = 80; }; } );'),
    ('modules/.libs/auth_none', ''),
    ('modules/.libs/cmd_bind', ''),
    ('modules/.libs/cmd_connect', ''),
    ('tests/abi/.libs/abi_helper', ''),
    ('tests/modules/.libs/access_async', 'client = "ok"; request = "ok"; target = "ok"; delay = "20ms";'),
    ('tests/modules/.libs/auth_x80', 'delay = "20ms";'),
])
def test_finds_nothing_where_there_is_nothing(name, settings):
    status, output = modtest(sockgate.BUILD / f'{name}.so', settings)
    assert status == 0 and ': 0 mistakes; called: init(), ' in output, output


def test_a_log_without_mistakes(tmp_path):
    status, output = modtest(sockgate.BUILD / 'modules/.libs/log_file.so', f'path = "{tmp_path}/log";')
    assert status == 0 and 'recover() 2 times' in output, output


def test_settings_that_do_not_fit():
    status, output = modtest(sockgate.BUILD / 'modules/.libs/access_rules.so', 'rulse = ( );')
    assert status == 1 and 'settings:1: ' in output and 'rulse' in output, output


def test_usage():
    done = subprocess.run([sockgate.BUILD / 'core/sockgate-modtest'], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr.startswith('usage: sockgate-modtest ')
