# SPDX-License-Identifier: BSD-2-Clause
"""T54: where a password, and the hash of one, may be, and for how long."""

import contextlib
import glob
import os
import pathlib
import re
import resource
import signal
import subprocess

import pytest

import memory
import sockgate
from conftest import needs_root
from test_auth_file import crypt
from test_auth_modules import file_instance, users_file

PASSWORD, WRONG = b'canary-password', b'canary-wrong'

pytestmark = [needs_root, pytest.mark.skipif(sockgate.SANITIZED, reason='a sanitizer keeps what was freed')]


def places(gw):
    """(name, octets) of all that is not memory and stays behind, or that others can read."""
    for pid in gw.processes():
        for name in ('cmdline', 'environ'):
            yield f'{name} of {sockgate.title(pid)}', pathlib.Path(f'/proc/{pid}/{name}').read_bytes()
    for path in gw.dir.rglob('*'):
        if path.is_file():
            yield path.name, path.read_bytes()


def test_where_secrets_are(gateway, folder):
    """Hashes are in the helpers that need them; the password of a login that is over is nowhere."""
    hashed = crypt(PASSWORD.decode()).split('$')[-1].encode()
    path = users_file(folder, f'alice:{crypt(PASSWORD.decode())}\n')
    gw = gateway(sockgate.config(modules=[file_instance(path), sockgate.test_module('auth_pw', name='other')],
                                 hooks={'auth': ['file', 'other']}, core={'error_log': {'level': 'debug'}}))
    for secret, status in ((PASSWORD, 0), (WRONG, 1)):
        with gw.connect() as client:
            assert client.login(b'alice', secret) == status
    gw.wait_records(2)
    images = {sockgate.title(pid): memory.image(pid) for pid in gw.processes()}
    roles = {'master' if pid == gw.pid else sockgate.title(pid).split()[1] for pid in gw.processes()}
    assert roles == {'master', 'generation', 'worker', 'helper', 'logger'} and all(b'sockgate' in i for i in images.values())
    holding = [title for title, octets in images.items() if hashed in octets]
    assert holding and all('helper file' in title for title in holding)
    found = [(title, secret) for title, octets in images.items() for secret in (PASSWORD, WRONG) if secret in octets]
    assert not found
    looked = list(places(gw))
    assert any(b'session_failed' in octets or b'session_refused' in octets for _, octets in looked)
    assert not [name for name, octets in looked if b'canary' in octets]
    print(f'{len(images)} memories, {len(looked)} files, {memory.GCORE or "no gcore"}')


def cores_of(folder):
    """What a process that crashes leaves in its folder, where nothing keeps it from that."""
    subprocess.run(['bash', '-c', 'ulimit -c unlimited; kill -SEGV $$'], cwd=folder, check=False)
    return list(folder.glob('core*'))


def crash(gw, pid, unlimited):
    """What it leaves in its folder, which is the root. `unlimited`: as if the limit on core files were not there."""
    before = set(glob.glob('/core*'))
    if unlimited:
        with contextlib.suppress(PermissionError):  # it takes CAP_SYS_RESOURCE
            resource.prlimit(pid, resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    os.kill(pid, signal.SIGSEGV)
    gw.wait(lambda: pid not in gw.processes(), 'the end of a process')
    left = set(glob.glob('/core*')) - before
    for path in left:
        os.unlink(path)
    return left


def test_no_core_files(gateway, tmp_path):
    """Whoever touches secrets leaves none behind: the limit is 0, and the process is not dumpable.
    A helper of root could write wherever a crash would."""
    gw = gateway(sockgate.config(modules=[sockgate.test_module('auth_pw', name='pw', settings={'users': ['alice:secret']},
                                                               helper={'processes': 1, 'user': 'root'})],
                                 hooks={'auth': ['pw']}), ledger=False)
    for pid in (*gw.workers().values(), *gw.loggers().values(), *gw.helpers('pw')):
        limits = pathlib.Path(f'/proc/{pid}/limits').read_text()
        assert re.search(r'^Max core file size +0 +0 ', limits, re.M), sockgate.title(pid)
        assert os.stat(f'/proc/{pid}/mem').st_uid == 0  # not dumpable
        assert os.readlink(f'/proc/{pid}/cwd') == '/'
    if not cores_of(tmp_path):
        pytest.skip('no plain core files are written on this system')
    for unlimited in (False, True):
        pid, = gw.wait(lambda: gw.helpers('pw'), 'a helper')
        with gw.connect() as client:
            assert client.login(b'alice', b'secret') == 0
        assert not crash(gw, pid, unlimited)
    assert not crash(gw, gw.workers()[0], True)
