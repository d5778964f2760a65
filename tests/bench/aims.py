# SPDX-License-Identifier: BSD-2-Clause
"""What sockgate wants to reach, and whether it does.

Some aims name hev-socks5-server, which Debian does not have. Measured side by side it took, of go-socks5's CPU time,
1.0 for short sessions, 1.05 for one stream and for eight, 1.3 for 64, 1.2 for round trips: so it is judged by
go-socks5. Its datagrams cannot be judged so: go-socks5 passes none on.
"""

import json
import statistics

WORSE = 1.25


def ratio(bench, suite, key, one, other):
    """The median of the rounds' ratios; None if one of them was not measured."""
    pairs = list(zip(bench.figures(suite, one, key), bench.figures(suite, other, key)))
    return statistics.median(a / b for a, b in pairs if b) if any(b for _, b in pairs) else None


def median(bench, suite, name, key):
    values = bench.figures(suite, name, key)
    return statistics.median(values) if values else None


def log_adds(bench):
    """What the log adds to a session in all processes: in the worker its record and, at worst, a bell for it alone; and
    all that the logger does."""
    rung, logger = median(bench, 'log', 'record', 'rung_us'), median(bench, 'log', 'file', 'logger')
    return None if rung is None or logger is None else rung + logger


def of(suite, other, key='cpu'):
    return lambda bench: ratio(bench, suite, key, 'sockgate', other)


def is_at(suite, key):
    return lambda bench: median(bench, suite, 'sockgate', key)


def beside(label):
    return lambda bench: ratio(bench, 'beside', 'cpu', label, '0')


# What, at most, and where it is found. "Unchanged" and "level" are within a tenth: less cannot be told from noise.
AIMS = [
    ('1 stream, of 1.05 x go-socks5', 0.8 * 1.05, of('streams_1', 'go-socks5')),
    ('8 streams, of 1.05 x go-socks5', 0.8 * 1.05, of('streams_8', 'go-socks5')),
    ('64 streams, of 1.3 x go-socks5', 0.7 * 1.3, of('streams_64', 'go-socks5')),
    ('1 stream, of HAProxy with splice', 0.9, of('streams_1', 'haproxy')),
    ('8 streams, of HAProxy with splice', 0.9, of('streams_8', 'haproxy')),
    ('64 streams, of HAProxy with splice', 0.9, of('streams_64', 'haproxy')),
    ('short session, of go-socks5', 0.75, of('sessions', 'go-socks5')),
    ('short session: what the log adds, us', 5.0, log_adds),
    ('round trip, of 1.2 x go-socks5', 0.7 * 1.2, of('trips', 'go-socks5')),
    ('round trip, level with HAProxy', 1.1, of('trips', 'haproxy')),
    ('round trip: p99, of go-socks5', 1.25, of('trips', 'go-socks5', 'p99_us')),
    *((f'answer of {size}: p90, of copying', 1.1, of(f'answers_{suite}', 'sockgate-copy', 'p90_us'))
      for suite, size in (('100k', '100 KB'), ('300k', '300 KB'), ('1m', '1 MB'), ('3m', '3 MB'))),
    ('datagram of 64 octets, window 8, of hev', 1.0, lambda bench: None),
    ('datagram of 64 octets, window 8, of Dante', 0.3, of('udp_64_8', 'dante')),
    ('idle session: octets', 2048, is_at('idle', 'octets')),
    ('idle session: descriptors', 2, is_at('idle', 'descriptors')),
    ('incomplete handshake: octets', 1536, is_at('handshakes', 'octets')),
    ('short session beside 2,000 incomplete ones', 1.1, beside('2000 incomplete')),
    ('short session beside 1,000 idle ones', 1.1, beside('1000 idle')),
    ('short session beside 7,500 idle ones', 1.1, beside('7500 idle')),
    ('short session with two workers, of one', 1.4, lambda bench: ratio(bench, 'workers', 'cpu', '2', '1')),
]


def judge(bench):
    judged = []
    for what, most, find in AIMS:
        value = find(bench)
        verdict = 'not measured' if value is None else 'met' if value <= most else 'missed'
        figure = '' if value is None else f': {value:.4g} (at most {most:.4g})'
        judged.append({'what': what, 'most': most, 'value': value, 'verdict': verdict, 'figure': figure})
    return judged


# ---- against what is written down

def ratios(bench):
    """{suite: {server: CPU time of sockgate by the server's}}."""
    found = {}
    for suite, servers in bench.results.items():
        for server in servers:
            value = ratio(bench, suite, 'cpu', 'sockgate', server) if server != 'sockgate' else None
            if value:
                found.setdefault(suite, {})[server] = round(value, 3)
    return found


def check(bench, path):
    """Exit status: 1 if a ratio is worse than the one that is written down by more than WORSE, or none was compared."""
    now, status, compared = ratios(bench), 0, 0
    print()
    for suite, servers in json.loads(path.read_text('utf-8')).items():
        for server, before in servers.items() if suite in bench.results else ():
            value = now.get(suite, {}).get(server)
            if value is None:
                print(f'not compared: {suite}, of {server}')
                continue
            compared += 1
            if value > before * WORSE:
                status = 1
                print(f'worse: {suite}, of {server}: {value} now, {before} before')
    print(f'{compared} ratios compared with {path}')
    return status if compared else 1
