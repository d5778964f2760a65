# SPDX-License-Identifier: BSD-2-Clause
"""auth_gssapi, a stub: it can be configured, is never selected, and says so (S5-M08)."""

import subprocess

import sockgate

GSSAPI = {'name': 'gssapi', 'file': 'auth_gssapi.so', 'settings': {'service': 'socks', 'protection': 'confidentiality'}}
LOUD = 'auth_gssapi is a stub: this version of sockgate does not speak GSSAPI, METHOD 01 is never selected'


def check(tmp_path, auth, **keys):
    """(exit status, what `sockgate -t` says)"""
    path = tmp_path / 'sockgate.conf'
    text = sockgate.config(modules=[dict(GSSAPI, **keys)], hooks={'auth': auth})
    path.write_text(text.replace('@MODULES@', str(sockgate.MODULES)).replace('@DIR@', str(tmp_path)))
    done = subprocess.run([sockgate.BINARY, '-t', '-c', path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=sockgate.PATIENCE, check=False)
    return done.returncode, done.stdout


def test_it_loads_and_says_what_it_is(tmp_path):
    status, text = check(tmp_path, ['gssapi', 'none'])
    assert status == 0 and LOUD in text
    version = subprocess.run([sockgate.BINARY, '-V'], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert 'stubs among them, which are never selected: auth_gssapi\n' in version


def test_its_settings_are_checked(tmp_path):
    status, text = check(tmp_path, ['gssapi', 'none'], settings={'protection': 'none'})
    assert status != 0 and 'protection' in text and 'confidentiality' in text


def test_alone_it_is_no_login(tmp_path):
    status, text = check(tmp_path, ['gssapi'])
    assert status != 0 and 'the listener "main" has only stubs for "auth"' in text


def test_it_is_never_selected(gateway, target):
    """Neither before the others nor alone."""
    gw = gateway(sockgate.config(modules=[GSSAPI], hooks={'auth': ['gssapi', 'none']}))
    assert LOUD in gw.log()
    with gw.connect() as client:
        assert client.greet(b'\x01\x00') == 0
        assert client.request(*target.where).rep == 0
    with gw.connect() as client:
        assert client.greet(b'\x01') == 0xff
        client.expect_end()
    assert gw.wait_record(event='session_refused', client=client.name)['reason'] == 'no_method'
