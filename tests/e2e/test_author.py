# SPDX-License-Identifier: BSD-2-Clause
"""What an author of modules gets: `make install` into a folder, and doc/for-module-writers.md run there as it stands."""

import os
import re
import shutil
import signal
import subprocess
import tempfile

import pytest

import network
import sockgate
from conftest import needs_root
from sockgate import TOP

pytestmark = [pytest.mark.skipif(sockgate.SANITIZED, reason='needs what an author would have installed'),
              pytest.mark.skipif(not shutil.which('pkg-config'), reason='pkg-config is missing')]

DOCUMENT = TOP / 'doc/for-module-writers.md'
EXAMPLE = TOP / 'examples/auth-module'


@pytest.fixture(name='installed', scope='module')
def installed_tree():
    """The environment of somebody who has what `make install` gives, and nothing else of ours."""
    with tempfile.TemporaryDirectory(prefix='sockgate-author-') as folder:
        os.chmod(folder, 0o755)
        done = subprocess.run(['make', 'install', f'DESTDIR={folder}'], cwd=sockgate.BUILD, capture_output=True, text=True,
                              timeout=300, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        found = subprocess.run(['find', folder, '-name', 'sockgate.pc'], capture_output=True, text=True, check=True)
        pc = os.path.dirname(found.stdout.strip())
        env = {'HOME': folder, 'LC_ALL': 'C.UTF-8', 'PKG_CONFIG_SYSROOT_DIR': folder, 'PKG_CONFIG_PATH': pc,
               'DESTDIR': folder}
        moduledir = variable(env, 'moduledir')
        if not moduledir.startswith(folder):
            moduledir = folder + moduledir
        prefix = os.path.dirname(os.path.dirname(pc))
        yield dict(env, SOCKGATE_MODULE_DIR=moduledir,
                   PATH=f'{prefix}/bin:{prefix}/sbin:/usr/sbin:/usr/bin:/sbin:/bin')


def variable(env, name):
    return subprocess.run(['pkg-config', f'--variable={name}', 'sockgate'], env=dict(os.environ, **env),
                          capture_output=True, text=True, check=True).stdout.strip()


def commands():
    text = DOCUMENT.read_text(encoding='utf-8')
    return re.search(r'^```sh norun: [^\n]*test_author[^\n]*\n(.*?)^```', text, re.M | re.S).group(1)


def heredocs(text):
    return dict(re.findall(r"^cat >(\S+) <<'?END'?\n(.*?)^END$", text, re.M | re.S))


def test_pkg_config(installed):
    """moduledir holds the modules that ship; module_abi is that of the header."""
    header = (TOP / 'include/sockgate/module.h').read_text(encoding='utf-8')
    numbers = re.findall(r'^#define SG_ABI_M(?:AJ|IN)OR (\d+)', header, re.M)
    assert variable(installed, 'module_abi') == '.'.join(numbers)
    assert os.path.exists(installed['SOCKGATE_MODULE_DIR'] + '/auth_none.so')


def test_the_document_shows_the_example():
    shown = heredocs(commands())
    for name in ('auth_line.c', 'Makefile'):
        assert shown[name] == (EXAMPLE / name).read_text(encoding='utf-8')
    assert len((EXAMPLE / 'Makefile').read_text(encoding='utf-8').splitlines()) == 6
    one_line = re.sub(r"(^cat >\S+ <<'?END'?\n).*?^END$", r'\1', commands(), flags=re.M | re.S)
    assert len([line for line in one_line.splitlines() if line.strip()]) <= 12


def test_the_example_is_built_and_installed(installed, tmp_path):
    """With nothing but its own folder, the headers and pkg-config."""
    shutil.copytree(EXAMPLE, tmp_path / 'work')
    for target in ([], ['install', 'DESTDIR=' + str(tmp_path / 'root')]):
        done = subprocess.run(['make', *target], cwd=tmp_path / 'work', env=dict(installed, CC='cc -Werror'),
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0 and 'warning' not in done.stderr, done.stdout + done.stderr
    assert list((tmp_path / 'root').rglob('auth_line.so'))


@needs_root
def test_the_document(installed):
    """All of its commands, in order, in an empty folder."""
    with network.Namespace() as ns, tempfile.TemporaryDirectory(prefix='sockgate-author-') as folder:
        os.chmod(folder, 0o755)
        with ns.entered(), tempfile.TemporaryFile() as out:
            process = subprocess.Popen(['bash', '-e'], cwd=folder, env=installed, stdin=subprocess.PIPE, stdout=out,
                                       stderr=subprocess.STDOUT, text=True, start_new_session=True)
            try:
                process.communicate(commands() + 'echo all done\n', timeout=200)
            finally:
                sockgate.wait_until(lambda: gone(process.pid), what='the end of what the document has started')
            out.seek(0)
            text = out.read().decode()
    assert 'auth_line.so: 0 mistakes; called: ' in text, text
    assert 'pkg-config --cflags sockgate' in text.split('called: ')[1], 'curl has fetched the Makefile: ' + text
    assert text.count('all done\n') == 1, text


def gone(group):
    """Asks what was started in the background to end, until nothing is left of it."""
    try:
        os.killpg(group, signal.SIGTERM)
    except ProcessLookupError:
        return True
    return False
