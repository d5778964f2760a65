# SPDX-License-Identifier: BSD-2-Clause
"""scripts/quickstart: from a checkout to a gateway that runs. Root is not needed once the packages are there."""

import contextlib
import http.server
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import pytest

import network
import servers
import sockgate
import socks
from sockgate import NOBODY, ROOT, TOP

pytestmark = [pytest.mark.first,
              pytest.mark.skipif(sockgate.SANITIZED, reason='builds for itself: once is enough'),
              pytest.mark.skipif(not shutil.which('curl'), reason='curl is missing')]


def as_user():
    return {'user': NOBODY, 'group': NOBODY, 'extra_groups': []} if ROOT else {}


def built_or_not_ours(folder, names):
    """What a checkout does not have: the repository itself, and folders that something was built in."""
    return [name for name in names if name in ('.git', '__pycache__', 'autom4te.cache') or
            (pathlib.Path(folder) / name / 'config.status').exists()]


@pytest.fixture(scope='module')
def tree():
    """A copy of the sources, nothing built, that belongs to an ordinary user."""
    with tempfile.TemporaryDirectory(prefix='sockgate-tree-') as folder:
        os.chmod(folder, 0o755)
        copy = pathlib.Path(folder) / 'sockgate'
        shutil.copytree(TOP, copy, symlinks=True, ignore=built_or_not_ours)
        if ROOT:
            subprocess.run(['chown', '-R', f'{NOBODY}:{NOBODY}', folder], check=True)
        subprocess.run(['chmod', '-R', 'go-w', folder], check=True)
        yield copy


@pytest.fixture(scope='module')
def place():
    """Where ports 1080 and 8000 are free: a namespace of its own, or this one if they happen to be."""
    if ROOT:
        with network.Namespace() as ns:
            yield ns.entered
        return
    for port in (1080, 8000):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(('127.0.0.1', port))
            except OSError:
                pytest.skip(f'port {port} is taken')
    yield contextlib.nullcontext


@pytest.fixture(scope='module')
def built(tree):
    done = subprocess.run(['scripts/quickstart', '--build-only'], cwd=tree, capture_output=True, text=True,
                          timeout=300, env=environment(tree), check=False, **as_user())
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def environment(tree):
    return {'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'HOME': str(tree), 'XDG_RUNTIME_DIR': str(tree), 'LC_ALL': 'C.UTF-8'}


def test_build_only(tree, built):
    """Says what it does, and leaves a binary; writes nowhere but in the tree."""
    assert 'Built: build/core/sockgate' in built
    assert (tree / 'build' / 'core' / 'sockgate').exists()


class Running:
    """scripts/quickstart in the foreground, its output, and when it was ready."""

    def __init__(self, tree, place):
        began = time.monotonic()
        with place():
            self.process = subprocess.Popen(['scripts/quickstart'], cwd=tree, stdin=subprocess.DEVNULL,
                                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment(tree),
                                            start_new_session=True, **as_user())
        self.output = b''
        while b'ready: generation 1' not in self.output:
            assert servers.readable(self.process.stdout, sockgate.PATIENCE), self.output.decode()
            block = os.read(self.process.stdout.fileno(), 65536)
            assert block, self.output.decode()
            self.output += block
        self.seconds = time.monotonic() - began

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        os.killpg(self.process.pid, signal.SIGINT)
        try:
            self.status = self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise
        finally:
            self.process.stdout.close()


def test_second_run(tree, built, place):
    """Ready within a second, on both loopback addresses; Ctrl-C ends it well; the curl line that it prints works."""
    with place(), page('127.0.0.1', 8000) as text, Running(tree, place) as running:
        print(f'the second run was ready after {running.seconds:.2f} s')
        assert running.seconds < 10
        shown = running.output.decode()
        assert '127.0.0.1:1080' in shown
        lines = [line.split('  ')[0].strip() for line in re.findall(r'^ +(curl .*)$', shown, re.M)]
        here = [line for line in lines if '127.0.0.1:8000' in line]
        assert here, shown
        done = subprocess.run(here[0] + ' -sS', shell=True, capture_output=True, timeout=60, check=False)
        assert done.stdout == text, done.stderr
        with socks.Client(('::1', 1080)) as client:
            assert client.greet() == 0
    assert running.status == 0


@contextlib.contextmanager
def page(host, port):
    """What the printed line fetches: an HTTP server with one page."""
    text = b'a page'

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header('Content-Length', str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *unused):
            pass

    with http.server.ThreadingHTTPServer((host, port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={'poll_interval': 0.05})
        thread.start()
        try:
            yield text
        finally:
            server.shutdown()
            thread.join()


def test_embedded_default(tree, built, place):
    """V11: loopback targets are allowed, and no other special range; over SOCKS4 too. V20: BIND is not offered."""
    with place(), Running(tree, place), servers.Target() as target:
        with socks.Client(('127.0.0.1', 1080)) as client:
            client.open(*target.where)
        with socks.Client(('127.0.0.1', 1080)) as client:
            assert client.greet() == 0
            assert client.request('169.254.169.254', 80).rep == 2
        for host, port, cd in (*target.where, socks.GRANTED), ('169.254.169.254', 80, socks.REJECTED):
            with socks.Client(('127.0.0.1', 1080)) as client:
                assert client.request4(host, port).cd == cd
        with socks.Client(('127.0.0.1', 1080)) as client:
            assert client.greet() == 0
            assert client.request(target.host, 21, cmd=socks.BIND).rep == 7
