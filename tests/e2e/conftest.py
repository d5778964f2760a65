# SPDX-License-Identifier: BSD-2-Clause
"""Fixtures.

gateway   a function: gateway(text, ...) starts a sockgate.Gateway that is stopped, and judged, after the test
as_user   True and False where the tests run as root: a test that asks for it runs as both
shared    one Gateway for all tests of a file, with loopback listeners "main" and "main6"; as root and as a user
target    a servers.Target on 127.0.0.1
folder    tmp_path, and every process may look into it, whatever its user
"""

import os
import pathlib
import resource
import socket
import subprocess
import tempfile

import pytest

import servers
import sockgate


def pytest_configure(config):
    config.addinivalue_line('markers', 'drill: long; runs with SG_DRILL=1 only')
    config.addinivalue_line('markers', 'alone: measures what other tests at the same time would change')
    config.addinivalue_line('markers', 'first: takes so long that the others had better run meanwhile')
    open_files()
    os.umask(0o022)
    if not sockgate.BINARY.exists():
        raise pytest.UsageError(f'{sockgate.BINARY} is missing: build first, or say where with SG_BUILD')
    if sockgate.ROOT:
        reachable = subprocess.run(['test', '-x', sockgate.BINARY], user=sockgate.NOBODY, group=sockgate.NOBODY,
                                   extra_groups=[], check=False)
        if reachable.returncode != 0:
            raise pytest.UsageError(f'{sockgate.BINARY}: uid {sockgate.NOBODY} cannot run it; build elsewhere')


def open_files():
    """Clients and targets of a test share this process: the limit that the daemon has would be too low."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: not item.get_closest_marker('first'))
    for item in items:
        if item.get_closest_marker('drill') and not sockgate.DRILL:
            item.add_marker(pytest.mark.skip(reason='a drill: SG_DRILL=1 runs it'))


def pytest_generate_tests(metafunc):
    if 'as_user' in metafunc.fixturenames:
        metafunc.parametrize('as_user', *users(), scope='module')


def users():
    return ([False, True], ) if sockgate.ROOT else ([True], )


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """Lets the fixtures know whether the test has failed."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        item.failed = True
        for gateway in getattr(item, 'gateways', []):
            gateway.failed = True
            if report.when == 'call':
                report.sections.append((f'log of the gateway in {gateway.dir}', gateway.log()[-5000:]))


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(('::1', 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason='::1 is missing')
needs_root = pytest.mark.skipif(not sockgate.ROOT, reason='needs root')


def finish(gateways):
    """Stops them all; the first thing that is wrong is raised when all are stopped."""
    wrong = None
    for gateway in gateways:
        try:
            if gateway.process.poll() is None:
                gateway.stop()
            else:
                gateway.close_clients()
        except sockgate.Failed as failed:
            wrong = wrong or failed
        finally:
            gateway.discard()
    if wrong:
        raise wrong


@pytest.fixture
def gateway(request):
    request.node.gateways = made = []

    def make(text=None, **keys):
        made.append(sockgate.Gateway(sockgate.config() if text is None else text, **keys))
        return made[-1]

    yield make
    finish(made)


@pytest.fixture(scope='module')
def shared_gateway(as_user):
    listeners = [sockgate.listener()] + ([sockgate.listener('main6', '::1')] if has_ipv6() else [])
    gateway = sockgate.Gateway(sockgate.config(listeners=listeners), as_user=as_user)
    yield gateway
    finish([gateway])


@pytest.fixture
def shared(shared_gateway, request):
    request.node.gateways = [shared_gateway]
    return shared_gateway


def open_folder(made):
    """Every process may look into it, whatever its user."""
    above = pathlib.Path(tempfile.gettempdir())
    for path in (made, *made.parents):
        if path == above or path.stat().st_uid != os.geteuid():
            break
        path.chmod(path.stat().st_mode | 0o711)
    return made


@pytest.fixture
def folder(tmp_path):
    return open_folder(tmp_path)


@pytest.fixture
def target():
    with servers.Target() as made:
        yield made
