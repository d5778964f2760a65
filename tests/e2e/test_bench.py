# SPDX-License-Identifier: BSD-2-Clause
"""The figures' own tools: that the load generator and its driver work, not what they measure."""

import importlib
import json
import os
import subprocess
import sys

import pytest

import servers
import sockgate
from sockgate import BUILD, TOP

BENCH = TOP / 'tests' / 'bench'
LOAD = BUILD / 'tests' / 'bench' / 'load'


def load(port, *words):
    """One run of the load generator. It ends with its connections open: to a sanitizer their memory is lost."""
    return subprocess.run([LOAD, '-p', str(port), *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=sockgate.PATIENCE, check=False, env=dict(os.environ, ASAN_OPTIONS='detect_leaks=0'))


def figures(gw, *words):
    done = load(gw.address()[1], *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope='module', name='aims')
def load_aims():
    sys.path.insert(0, str(BENCH))
    try:
        yield importlib.import_module('aims')
    finally:
        sys.path.remove(str(BENCH))


# ---- the load generator

def test_what_is_counted_is_what_the_records_say(gateway):
    """Three sessions of 64 octets each way; two streams, which bring down all that they say they did."""
    gw = gateway()
    assert figures(gw, 'sessions', '-n', '3')['count'] == 3
    ends = gw.wait_records(3, event='session_end')
    assert [(r['bytes_up'], r['bytes_down']) for r in ends] == [(64, 64)] * 3
    moved = figures(gw, 'streams', '-c', '2', '-b', '3000000')['bytes']
    ends = gw.wait_records(5, event='session_end')[3:]
    assert moved >= 3000000 and sum(r['bytes_down'] for r in ends) == moved


def test_trips_idle_and_incomplete(gateway):
    gw = gateway()
    trips = figures(gw, 'trips', '-c', '4', '-z', '100000', '-n', '50')
    assert trips['count'] >= 50 and 0 < trips['p50_us'] <= trips['p90_us'] <= trips['p99_us']
    assert figures(gw, 'idle', '-c', '40')['count'] == 40
    figures(gw, 'handshakes', '-c', '40')
    gw.wait_records(40, event='session_failed')


@pytest.mark.parametrize('words', [['trips'], ['streams'], ['idle'], ['sessions']])
def test_a_load_that_is_refused_has_no_figures(gateway, words):
    gw = gateway(sockgate.config(rules=[{'deny': {}, 'label': 'nobody'}]))
    done = load(gw.address()[1], *words)
    assert done.returncode == 1 and done.stdout == ''
    assert 'REP 02' in done.stderr or 'have failed' in done.stderr


def test_a_load_without_a_server_has_no_figures():
    with servers.Refusing() as nobody:
        done = load(nobody.where[1], 'trips')
    assert done.returncode == 1 and 'Connection refused' in done.stderr


# ---- the driver

@pytest.mark.alone
@pytest.mark.skipif(sockgate.SANITIZED, reason='figures of a sanitized build')
def test_the_driver_measures_sockgate(tmp_path):
    """One short round of what needs no peer."""
    done = subprocess.run([BENCH / 'run', '--build', BUILD, '--quick', '--rounds', '1', '--peers', 'sockgate', '--only',
                           'sessions,streams_8,idle,log', '--json', tmp_path / 'json', '--picture', tmp_path / 'svg'],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    written = json.loads((tmp_path / 'json').read_text('utf-8'))
    assert written['troubles'] == [] and written['missing'] == {}
    found = written['results']
    assert found['sessions']['sockgate'][0]['cpu'] > 0
    assert found['streams_8']['sockgate'][0]['bytes'] > 0
    assert found['idle']['sockgate'][0]['descriptors'] == 2
    assert found['log']['file'][0]['logger'] > found['log']['nothing'][0]['logger'] > 0
    assert (tmp_path / 'svg').read_text('utf-8').count('<rect') > 2


class Found:
    """Figures as the driver has them."""

    def __init__(self, **suites):
        self.results = {suite: {name: [{'cpu': value} for value in values] for name, values in servers_.items()}
                        for suite, servers_ in suites.items()}

    def figures(self, suite, name, key):
        return [one[key] for one in self.results.get(suite, {}).get(name, []) if key in one]


def test_ratios_are_of_the_same_round(aims):
    """The machine was ten times slower in the second round, for both."""
    found = Found(sessions={'sockgate': [50, 500, 52], 'go-socks5': [100, 1000, 100]})
    assert aims.ratio(found, 'sessions', 'cpu', 'sockgate', 'go-socks5') == 0.5
    assert aims.ratio(found, 'trips', 'cpu', 'sockgate', 'go-socks5') is None


def test_each_aim_is_judged(aims):
    judged = {aim['what']: aim['verdict'] for aim in aims.judge(Found(
        sessions={'sockgate': [70], 'go-socks5': [100]}, trips={'sockgate': [90], 'go-socks5': [100]}))}
    assert judged['short session, of go-socks5'] == 'met'
    assert judged['round trip, of 1.2 x go-socks5'] == 'missed'
    assert judged['round trip, level with HAProxy'] == 'not measured'


@pytest.mark.parametrize('now, status', [(0.6, 0), (0.62, 0), (0.63, 1), (2.0, 1)])
def test_the_check_fails_where_a_ratio_is_a_quarter_worse(aims, tmp_path, now, status):
    path = tmp_path / 'ratios.json'
    path.write_text(json.dumps({'sessions': {'go-socks5': 0.5, 'dante': 0.2}}), 'utf-8')
    assert aims.check(Found(sessions={'sockgate': [now], 'go-socks5': [1.0]}), path) == status
    assert aims.check(Found(sessions={'sockgate': [now]}), path) == 1, 'nothing was compared'
