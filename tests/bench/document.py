# SPDX-License-Identifier: BSD-2-Clause
"""The tables of doc/performance.md: what stands between the two marks there is written by the driver."""

import statistics

import peers

FIRST, LAST = '<!-- written by tests/bench/run --document -->', '<!-- end of what is written -->'


def row(cells):
    return '| ' + ' | '.join(cells) + ' |'


def short(value):
    """Three digits, or as many as a large number has."""
    return f'{value:.3g}' if value < 1000 else f'{value:,.0f}'


def cell(bench, name, server, key):
    values = bench.figures(name, server, key)
    return short(statistics.median(values)) if values else '–'


def servers_table(bench, suites):
    """A line for each suite, a column for each server."""
    servers = [name for name in bench.wanted if any(name in found for found in bench.results.values())]
    lines = [row(['CPU time'] + [f'{name} (raw)' if peers.PEERS[name].raw else name for name in servers]),
             '| --- |' + ' ---: |' * len(servers)]
    for name, suite in suites.items():
        if name in bench.results:
            unit = suite.unit.replace('us', 'µs')
            lines.append(row([f'{suite.title}: {unit}'] + [cell(bench, name, server, 'cpu') for server in servers]))
    if 'trips' in bench.results:
        lines.append(row(['p99 of a round trip: µs'] +
                         [cell(bench, 'trips', server, 'p99_us') for server in servers]))
    for name, title in (('idle', 'an idle session'), ('handshakes', 'an incomplete handshake')):
        for key in ('octets', 'descriptors'):
            if name in bench.results:
                lines.append(row([f'{title}: {key}'] + [cell(bench, name, server, key) for server in servers]))
    return lines


def log_table(bench):
    kinds = {'file': '`log_file`, required', 'nothing': 'a log that writes nothing', 'none': 'none: the error log'}
    lines = ['| a short session, CPU µs | worker | logger | all |', '| --- | ---: | ---: | ---: |']
    lines += [row([title] + [cell(bench, 'log', kind, key) for key in ('worker', 'logger', 'cpu')])
              for kind, title in kinds.items()]
    alone = [cell(bench, 'log', 'record', key) for key in ('record_us', 'rung_us', 'lines_us')]
    return lines + ['', f'Alone: the record {alone[0]}, with a bell for each session {alone[1]}, two lines of JSON '
                        f'{alone[2]}.']


def aims_table(judged):
    lines = ['| aim | at most | measured | |', '| --- | ---: | ---: | --- |']
    for aim in judged:
        value = '–' if aim['value'] is None else short(aim['value'])
        lines.append(row([aim['what'].replace(', us', ', µs'), short(aim['most']), value, aim['verdict']]))
    return lines


def write(path, bench, suites, judged, headline):
    """Puts new tables between the marks."""
    text = path.read_text('utf-8')
    before, rest = text.split(FIRST)
    after = rest.split(LAST)[1]
    parts = [[headline], servers_table(bench, suites)]
    if 'log' in bench.results:
        parts.append(log_table(bench))
    parts.append(aims_table(judged))
    written = '\n\n'.join('\n'.join(lines) for lines in parts)
    path.write_text(f'{before}{FIRST}\n\n{written}\n\n{LAST}{after}', 'utf-8')
