# SPDX-License-Identifier: BSD-2-Clause
"""The formats of log_file: what may be asked for, and that lines with $id and $event are as safe as JSON."""


import pytest

import forms
import servers
import sockgate
from ledger import RULES, Traffic, check, sessions_in
from test_journal import kill_logger, wait_logger
from test_log import folder, one  # pylint: disable=unused-import

COMMON = ('$time $event $id $client $user $command $host $port $target $rep $reason $bytes_up $bytes_down $duration_ms')


def config(path, form, workers=1, **keys):
    log = {'name': 'file', 'file': 'log_file.so', **keys, 'settings': {'path': str(path), 'format': form}}
    return sockgate.config(core={'workers': workers}, rules=RULES, modules=[log], hooks={'log': ['file']})


@pytest.mark.parametrize('form,required,words', [
    ('$time $usr', False, 'format: there is no variable "$usr", did you mean "$user"?'),
    ('jsn', False, 'format: there is no format "jsn", did you mean "json"?'),
    ('$user:$host', False, 'format: between "$user" and "$host" there must be a space'),
    ('common', True, 'format: a required log is written as "json" or "json_ascii"'),
    ('$time $event $id', True, 'format: a required log is written as "json" or "json_ascii"')])
def test_mistakes(gateway, folder, form, required, words):
    gw = gateway(config(folder / 'access.log', form, required=required), ready=False)
    assert gw.process.wait(sockgate.PATIENCE) == 1
    assert f'sockgate.conf:9: module "file": {words}' in gw.log(), gw.log()


def test_common(gateway, folder, target):
    """The format with that name, as doc/log.md shows it."""
    path = folder / 'access.log'
    gw = gateway(config(path, 'common'), ledger=False)
    assert one(gw, target) is None
    gw.wait(lambda: path.read_text().count('session_end') == 1, 'the end')
    start, end = sessions_in([forms.of_variables(COMMON, line) for line in path.read_text().splitlines()])
    assert start['id'] == end['id'] and 'reason' not in start and end['reason'] == 'client_reset'
    assert start['target'] == '%s:%d' % target.where and start['user'] == b'' and start['command'] == 'connect'


@pytest.mark.parametrize('form', [COMMON, '"$host"\t$event $port!! <$id> $reason', 'structured_data'])
def test_logger_killed(gateway, folder, form):
    """As in JSON: no line twice, none torn, none missing."""
    path = folder / 'access.log'
    gw = gateway(config(path, form, workers=2), ledger=False)
    with servers.Echo() as echo:
        with Traffic(gw, echo) as traffic:
            for _ in range(50 if sockgate.DRILL else 6):
                traffic.wait(15)
                wait_logger(gw, kill_logger(gw))
        gw.stop()
    lines = path.read_text().split('\n')
    assert lines.pop() == ''
    records = sessions_in([forms.of_structured(line)[0] if form == 'structured_data' else forms.of_variables(form, line)
                           for line in lines])
    for record in records:
        if 'host' in record:
            record['host'] = record['host'].decode()
    print(check(traffic, records))


def test_without_an_id(gateway, folder, target):
    """Nothing is missing, but for lines without $id nobody can know what is there already."""
    path = folder / 'access.log'
    gw = gateway(config(path, '$event $host $port'), ledger=False)
    for _ in range(5):
        assert one(gw, target) is None
        kill_logger(gw)
    gw.stop()
    events = [line.split()[0] for line in path.read_text().splitlines()]
    assert events.count('session_start') >= 5 and events.count('session_end') >= 5
