# SPDX-License-Identifier: BSD-2-Clause
"""T53, V45: whatever strangers call themselves and ask for, every log has one record of it, which reads back as it was."""

import collections
import itertools
import random

import forms
import sockgate
import syslogd
from ledger import sessions_in
from test_log import folder, wait_lines  # pylint: disable=unused-import

CONTROLS = [*range(0x20), 0x7f]
VARIABLES = '$time $event "$user" $host\t<$client>\\$reason $id $reason_text'


def no_utf8(rng):
    """Octets that no UTF-8 decoder takes."""
    while True:
        octets = rng.randbytes(rng.randrange(1, 25))
        try:
            octets.decode()
        except UnicodeDecodeError:
            return octets


def strings():
    rng = random.Random(53)
    single = [bytes([octet]) for octet in range(256)]
    pairs = [bytes(pair) for pair in itertools.product([*CONTROLS, *b'"\\'], repeat=2)]
    marks = ['\u0085', '\u2028', '\u202e', '\ufeff', '\U0010ffff', '\U0010ff8a', 'grüße', '€']
    words = [b'-', b'%', b'%41', b'%%', b'$user', b'a b', b'] [x="y', b'\\]', b'\\"', b'x"} {"event":"session_start',
             b'x\n<14>1 - - - - - forged', b'9 forged', b'\xff' * 255, b'\x01' * 255, b'"' * 255, b'\\' * 255]
    return single + pairs + [no_utf8(rng) for _ in range(200)] + [mark.encode() for mark in marks] + words


def ask(gw, number, user, host):
    """One session with that user and that host, from an address of its own."""
    source = f'127.{53 + number // 65536}.{number // 256 % 256}.{number % 256}'
    with gw.connect(source=source) as client:
        assert client.greet(b'\x81') == 0x81
        client.send(b'\x01', sockgate.socks.counted(user), b'\0\0')
        if b'\0' not in user:  # else it is refused
            client.expect(b'\x01\x00')
            client.send(sockgate.socks.request(host, 80))
        client.rest()
    return source


def asked(gw, lossy):
    """{source: (user, host) that its record must have}; None: not known. A server that misses messages is waited for."""
    wanted = {}
    for text in strings():
        if len(wanted) % 20 == 0:
            gw.wait(lambda: sum(b' session_' in octets for octets in lossy.octets) >= len(wanted), 'messages')
        if b'\0' in text:  # no name of a user: who has it gets no further
            wanted[ask(gw, len(wanted), text, text)] = (None, None)
            wanted[ask(gw, len(wanted), b'', text)] = (b'', text)
        else:
            wanted[ask(gw, len(wanted), text, text)] = (text, text)
    return wanted


def mismatches(wanted, events):
    """Sessions that have not one record, and events that tell of another user or host."""
    clients = [(event['client'].rsplit(':', 1)[0], event) for event in events if 'client' in event]
    count = collections.Counter(source for source, event in clients if event['event'].startswith('session_'))
    wrong = [source for source in wanted if count[source] != 1]
    for source, event in clients:
        user, host = wanted[source]
        got = event.get('user'), event.get('host')
        if event['event'].startswith('auth_') or host is not None and (host.isdigit() or got[1] == host[:-1] and host[-1:] == b'.'):
            host = got[1]  # not yet known; an address, which has no other spelling; without its trailing dot
        if got != (user, host):
            wrong.append((source, user, host, event))
    return wrong


def logs(folder, servers):
    files = [('json', 'json'), ('json_ascii', 'json_ascii'), ('variables', VARIABLES)]
    entries = [{'name': name, 'file': 'log_file.so', 'settings': {'path': str(folder / name), 'format': form}}
               for name, form in files]
    for name, (server, form) in servers.items():
        entries.append({'name': name, 'file': 'log_syslog.so', 'settings': {**server.settings, 'format': form}})
    return entries


def test_every_form(gateway, folder):
    """Every octet, every pair of controls, quotation mark and backslash, 200 strings that are no UTF-8, as user and as
    host, in three forms of log_file and four of log_syslog."""
    with syslogd.Server('tcp') as tcp, syslogd.Server('tcp_newline') as newline, \
            syslogd.Server('unix', folder / 'sock') as local, syslogd.Server('udp') as udp:
        servers = {'syslog_tcp_json': (tcp, 'json'), 'syslog_tcp_data': (newline, 'structured_data'),
                   'syslog_unix_data': (local, 'structured_data'), 'syslog_udp_json': (udp, 'json')}
        entries = logs(folder, servers)
        gw = gateway(sockgate.config(rules=[{'deny': {}, 'label': 'none'}], core={'workers': 1},
                                     modules=[sockgate.test_module('auth_claim'), *entries],
                                     hooks={'auth': ['auth_claim'], 'log': [entry['name'] for entry in entries]}), ledger=False)
        wanted = asked(gw, udp)
        wait_lines(gw, folder / 'json', len(wanted))
        gw.stop()
        for server, _ in servers.values():
            server.close()
        records = {name: server.events() for name, (server, _) in servers.items()}
        assert not any(server.torn for server, _ in servers.values())
    readers = {'json': forms.of_json, 'json_ascii': forms.of_json,
               'variables': lambda line: forms.of_variables(VARIABLES, line)}
    for name, reader in readers.items():
        text = (folder / name).read_bytes()
        assert text.endswith(b'\n') and not set(text) & {*CONTROLS} - {*b'\t\n'}
        records[name] = [reader(line) for line in text.decode().split('\n')[:-1]]
    for name, found in records.items():
        wrong = mismatches(wanted, found)
        print(f'{name}: {len(strings())} strings, {len(wanted)} sessions, {len(found)} events, {len(wrong)} mismatches')
        assert not wrong, wrong[0]
    control = [r for r in sessions_in(records['json']) if set(r.get('host', b'')) & set(CONTROLS)]
    assert len(control) > 1000 and {r['event'] for r in control} == {'session_failed'}, 'refused before any rule'
