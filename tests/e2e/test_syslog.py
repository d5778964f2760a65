# SPDX-License-Identifier: BSD-2-Clause
"""log_syslog: messages as RFC 5424 has them, to servers that are slow, gone, or come back."""

import os
import time

import pytest

import forms
import servers
import sockgate
import syslogd
from ledger import RULES, Traffic, check, sessions_in
from test_journal import logger_of
from test_log import folder, one, wait_lines  # pylint: disable=unused-import

STREAMS = ('unix_stream', 'tcp', 'tcp_newline')


@pytest.fixture
def server(folder):
    made = []

    def make(kind, **keys):
        made.append(syslogd.Server(kind, folder / 'log.sock', **keys))
        return made[-1]

    yield make
    for each in made:
        each.kill()


def entry(server, settings=None, **keys):
    return {'name': 'syslog', 'file': 'log_syslog.so', **keys, 'settings': {**server.settings, **(settings or {})}}


def config(*logs, workers=1, level='notice', **keys):
    return sockgate.config(core={'workers': workers, 'error_log': {'level': level}}, modules=logs, hooks={'log': [log['name'] for log in logs]}, **keys)


def wait_records(gw, server, number, **match):
    def enough():
        found = server.records(**match)
        return found if len(found) >= number else None
    return gw.wait(enough, f'{number} messages with {match}')


def as_text(value):
    """A value of JSON as structured data has it."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, list):
        return ','.join(value)
    return 'true' if value is True else str(value)


@pytest.mark.parametrize('form', ['json', 'structured_data'])
@pytest.mark.parametrize('kind', syslogd.KINDS)
def test_messages(gateway, server, folder, target, kind, form):
    """A session that was served and one that was not: the fields are those that log_file writes; the header is right."""
    path, receiver = folder / 'access.log', server(kind)
    gw = gateway(config({'name': 'file', 'file': 'log_file.so', 'settings': {'path': str(path)}},
                        entry(receiver, {'format': form, 'facility': 'local3', 'app_name': 'gate', 'hostname': 'gw.example'}),
                        rules=[{'deny': {'dst_port': 25}, 'label': 'no mail'}, *sockgate.LOOPBACK_RULES]), ledger=False)
    assert one(gw, target) is None
    with gw.connect() as client:
        client.greet()
        assert client.request('127.0.0.1', 25).rep == 2
    wait_lines(gw, path, 3)
    wait_records(gw, receiver, 3)
    lines = [forms.of_json(line) for line in path.read_text().splitlines()]
    lines = sessions_in(lines)
    messages = [m for m in receiver.messages() if m.msgid.startswith('session_')]
    assert len(messages) == 3 and not receiver.torn
    for line in lines:
        found = [m for m in messages if (m.fields['id'], m.msgid) == (line['id'], line['event'])]
        assert len(found) == 1
        assert found[0].fields == (line if form == 'json' else {name: as_text(line[name]) for name in line})
        assert found[0][0:1] + found[0][2:6] == (19, line['time'], 'gw.example', 'gate', str(logger_of(gw)))
    assert {m.msgid: m.severity for m in messages} == {'session_start': 6, 'session_end': 6, 'session_refused': 4}


def test_hostname(gateway, server, target):
    """The system's name, unless it is given."""
    receiver = server('udp')
    gw = gateway(config(entry(receiver)), ledger=False)
    assert one(gw, target) is None
    wait_records(gw, receiver, 2)
    message = receiver.messages()[0]
    assert (message.host, message.app, message.facility) == (os.uname().nodename, 'sockgate', 3)


@pytest.mark.parametrize('settings,required,words', [
    ({'target': 'file:/dev/log'}, False, 'it must begin with "unix:", "udp:" or "tcp:"'),
    ({'target': 'unix:log'}, False, 'the path of a unix socket is absolute'),
    ({'target': 'unix:/' + 'x' * 107}, False, 'has at most 107 characters'),
    ({'target': 'udp:log.example.com:514'}, False, 'the server is an address, not a name'),
    ({'target': 'tcp:2001:db8::1:514'}, False, 'an IPv6 address stands in brackets'),
    ({'target': 'tcp:[192.0.2.1]:514'}, False, 'is not an IPv6 address'),
    ({'target': 'tcp:192.0.2.1'}, False, 'it must be an address and a port'),
    ({'target': 'tcp:192.0.2.1:0'}, False, 'the port is a number from 1 to 65535'),
    ({'target': 'tcp:192.0.2.1:70000'}, False, 'the port is a number from 1 to 65535'),
    ({'target': 'udp:192.0.2.1:514', 'framing': 'newline'}, False, 'only a tcp connection has one'),
    ({'target': 'udp:192.0.2.1:514'}, True, 'a required log cannot be sent by udp'),
    ({'format': 'structured_data'}, True, 'a required log is written as "json"'),
    ({'facility': 'locl0'}, False, 'did you mean "local0"?'),
    ({'app_name': 'sock gate'}, False, 'app_name: 1 to 48 letters'),
    ({'hostname': 'x' * 256}, False, 'hostname: 1 to 255 letters')])
def test_mistakes(gateway, settings, required, words):
    log = {'name': 'syslog', 'file': 'log_syslog.so', 'required': required, 'settings': settings}
    gw = gateway(config(log), ready=False)
    assert gw.process.wait(sockgate.PATIENCE) == 1 and words in gw.log(), gw.log()


def arrived(receiver):
    """Every record once, of a log that may hear of some twice; the start of a session before its end."""
    found = {}
    for record in receiver.records():
        if 'host' in record:
            record['host'] = record['host'].decode()
        found.setdefault((record['id'], record['event']), record)
    return sorted(found.values(), key=lambda r: r['event'] != 'session_start')


@pytest.mark.parametrize('kind', ['unix', *STREAMS])
def test_restarts(gateway, server, kind):
    """A required log whose server goes and comes back, with kills of the logger between: nothing is missing, no frame is
    taken for whole that was cut short."""
    receiver = server(kind)
    gw = gateway(config(entry(receiver, required=True), workers=2, rules=RULES), ledger=False)
    with servers.Echo() as echo:
        with Traffic(gw, echo, threads=4, rate=80) as traffic:
            for number in range(5):
                traffic.wait(10)
                seen = len(gw.lines())
                receiver.close()
                gw.wait_log(r'module "syslog": the log cannot be written: .*; no session begins until it can be', after=seen)
                if number % 2 == 1:
                    os.kill(logger_of(gw), 9)
                receiver.again()
            traffic.wait(10)
        gw.stop()
    receiver.close()
    records = arrived(receiver)
    print(f'{kind}: {check(traffic, records)}; {len(receiver.records())} messages for {len(records)} events')


def handshakes(gw, echo, number):
    """That many sessions; the slowest, in seconds."""
    slowest = 0
    for _ in range(number):
        began = time.monotonic()
        with gw.connect() as client:
            client.open(*echo.where)
            client.send(b'ping')
            client.expect(b'ping')
        slowest = max(slowest, time.monotonic() - began)
    return slowest


@pytest.mark.parametrize('kind', ['unix', *STREAMS])
def test_stalled(gateway, server, kind):
    """T27: a server that does not read. No worker waits; what cannot be sent is counted, and the count is what comes first
    when it reads again."""
    receiver = server(kind, rcvbuf=4096)
    gw = gateway(config(entry(receiver), level='info'), ledger=False)
    with servers.Echo() as echo:
        before = handshakes(gw, echo, 100)
        wait_records(gw, receiver, 200)
        receiver.hold()
        began, number, slowest = time.monotonic(), 100, 0
        while time.monotonic() - began < 5 or 'events are dropped' not in gw.log():
            slowest = max(slowest, handshakes(gw, echo, 20))
            number += 20
            assert time.monotonic() - began < sockgate.PATIENCE
        print(f'{kind}: the slowest of {number - 100} sessions took {slowest * 1000:.0f} ms, before {before * 1000:.0f} ms')
        assert slowest < 1
        receiver.release()
        while 'the log can be written again' not in gw.log():
            handshakes(gw, echo, 5)
            number += 5
            assert time.monotonic() - began < 2 * sockgate.PATIENCE
        gw.wait_log(r'module "syslog": the log cannot be written: Connection timed out; events are dropped and counted')
    gw.stop()
    turn = int(gw.wait_log(r'worker 0: longest turn (\d+) us')[1])
    print(f'{kind}: the longest turn of the worker took {turn} us')
    assert turn < 100_000
    events, lost = arrived(receiver), {r['id']: r['count'] for r in receiver.events(event='records_lost')}
    print(f'{kind}: {2 * number} events, {len(events)} arrived, {sum(lost.values())} counted as lost')
    assert lost and len(events) + sum(lost.values()) >= 2 * number and len(events) > 200


def test_stalled_and_required(gateway, server, target):
    """Who cannot be written down waits, and is served when the server reads again; nothing is missing."""
    receiver = server('tcp', rcvbuf=4096)
    gw = gateway(config(entry(receiver, required=True)), ledger=False)
    assert one(gw, target) is None
    receiver.hold()
    served, waiting = 1, None
    while waiting is None:
        waiting = one(gw, target)
        served += waiting is None
        assert served < 50000
    receiver.release()
    waiting.expect(b'\x05\x00\x05\x00')
    waiting.reset()
    sockgate.wait_until(lambda: len(arrived(receiver)) >= 2 * (served + 1), what='all events')
    assert {r['event'] for r in arrived(receiver)} == {'session_start', 'session_end'}


@pytest.mark.parametrize('required', [False, True])
def test_stop_while_stalled(gateway, server, target, required):
    """Whoever stops the gateway does not wait for a server that does not read."""
    receiver = server('unix')
    gw = gateway(config(entry(receiver, required=required)), ledger=False)
    assert one(gw, target) is None
    receiver.hold()
    assert one(gw, target) is None
    began = time.monotonic()
    gw.stop()
    print(f'stopped after {time.monotonic() - began:.1f} s')
    assert time.monotonic() - began < 50


def test_no_server(gateway, folder, target):
    """Without a server sessions go on, and the error log says why."""
    log = {'name': 'syslog', 'file': 'log_syslog.so', 'settings': {'target': f'unix:{folder}/none'}}
    gw = gateway(config(log), ledger=False)
    for _ in range(5):
        assert one(gw, target) is None
    gw.wait_log(r'module "syslog": the log cannot be written: No such file or directory; events are dropped and counted')
