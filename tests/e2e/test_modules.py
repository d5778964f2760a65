# SPDX-License-Identifier: BSD-2-Clause
"""Modules in the daemon: a METHOD that encapsulates, answers that come later, every function of the ABI, and what broken
modules do to whom."""

import contextlib
import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

import servers
import sockgate
import test_modtest
import socks
from conftest import needs_root
from sockgate import test_module as module
from socks import failure, greeting, request
from x80 import FRAME_MAX, HELLO, PROOF, X80, message, proof_of


# ---- METHOD X'80': two rounds of messages, then frames

def x80_config(settings=None, **keys):
    return sockgate.config(modules=[module('auth_x80', name='x80', settings=settings or {})],
                           hooks={'auth': ['x80']}, **keys)


@pytest.fixture(name='x80', scope='module')
def x80_gateway():
    gateway = sockgate.Gateway(x80_config(timeouts={'half_closed': '1m'}))
    yield gateway
    gateway.stop()
    gateway.discard()


def test_x80_carries_a_session(x80, target):
    """Request, reply and both directions pass through the filter; the identity is the one that the exchange proved
    (S5-Q08, S5-R07, S5-M09)."""
    with x80.connect() as client:
        wrapped = X80(client)
        assert wrapped.login(b'alice') == 0
        wrapped.send(request(*target.where))
        with target.accept() as peer:
            reply = wrapped.recv_exactly(10)
            assert reply[:4] == b'\x05\x00\x00\x01'
            assert (socks.text_of(peer.peer)) == '%d.%d.%d.%d:%d' % (*reply[4:8], *struct.unpack('!H', reply[8:]))
            wrapped.send(b'GET / HTTP/1.0\r\n\r\n')
            peer.expect(b'GET / HTTP/1.0\r\n\r\n')
            peer.send(b'HTTP/1.0 200 OK\r\n\r\n')
            assert wrapped.recv_exactly(19) == b'HTTP/1.0 200 OK\r\n\r\n'
            client.shutdown()
            peer.expect_end()
            peer.send(b'still here')
            peer.shutdown()
            assert wrapped.rest() == b'still here'
        end = x80.wait_end(client)
    assert end['reason'] == 'closed'
    assert (end['user'], end['method'], end['instance'], end['assurance']) == ('alice', '80', 'x80', 20)
    assert (end['bytes_up'], end['bytes_down']) == (18, 29)


def test_x80_a_byte_at_a_time(x80, target):
    """Messages and frames are whole or not there yet, however TCP splits them."""
    with x80.connect() as client:
        wrapped = X80(client)
        client.drip(greeting(b'\x80'))
        client.expect(b'\x05\x80')
        client.drip(message(HELLO, b'bob'))
        client.expect(bytes([HELLO, 8]))
        wrapped.key = client.recv_exactly(8)
        client.drip(message(PROOF, proof_of(wrapped.key)))
        client.expect(bytes([PROOF, 1, 0]))
        for part in (request(*target.where)[:5], request(*target.where)[5:]):
            client.drip(wrapped.frame(part))
        with target.accept() as peer:
            assert wrapped.recv_exactly(10)[1] == 0
            client.drip(wrapped.frame(b'octets'))
            peer.expect(b'octets')


def test_x80_everything_in_one_segment(x80, target):
    """What follows the last message of the login is encapsulated already, the request and early octets with it."""
    with x80.connect() as client:
        wrapped = X80(client)
        client.send(greeting(b'\x80'), message(HELLO, b''))
        client.expect(b'\x05\x80' + bytes([HELLO, 8]))
        wrapped.key = client.recv_exactly(8)
        client.send(message(PROOF, proof_of(wrapped.key)), wrapped.frame(request(*target.where) + b'early'),
                    wrapped.frame(b' bird'))
        client.expect(bytes([PROOF, 1, 0]))
        with target.accept() as peer:
            peer.expect(b'early bird')
            assert wrapped.recv_exactly(10)[1] == 0


def test_x80_moves_megabytes_both_ways(x80):
    """Frames of every size, 4 MB each way at once, unchanged."""
    octets = os.urandom(4_000_000)
    with servers.Echo() as echo, x80.connect() as client:
        wrapped = X80(client)
        assert wrapped.login() == 0
        wrapped.open(*echo.where)

        def send():
            start, size = 0, 1
            while start < len(octets):
                wrapped.send(octets[start:start + size])
                start, size = start + size, size % FRAME_MAX + 61
            client.shutdown()

        sender = threading.Thread(target=send)
        sender.start()
        got = wrapped.rest()
        sender.join()
        assert got == octets
        end = x80.wait_end(client)
    assert (end['bytes_up'], end['bytes_down']) == (len(octets), len(octets))


@pytest.mark.parametrize('octets, reason', [
    (message(HELLO, b'mallory') + message(PROOF, b'\0' * 8), 'login_denied'),
    (message(HELLO, b'mallory') + message(PROOF, b''), 'login_denied'),
    (message(PROOF, b''), 'login_denied'),
    (b'\xff', 'login_denied'),
    (message(HELLO, b'nul\0inside'), None),
])
def test_x80_refuses(x80, octets, reason):
    """A wrong message or proof ends the login, and with it the connection: nothing is granted."""
    with x80.connect() as client:
        assert client.greet(b'\x80') == 0x80
        client.send(octets)
        if reason is None:
            nonce = client.recv_exactly(10)[2:]
            client.send(message(PROOF, proof_of(nonce)))
            reason = 'module_error'
        client.rest()
    end = x80.wait_end(client)
    assert (end['reason'], end['phase']) == (reason, 'auth')
    assert end['event'] == ('session_failed' if reason == 'module_error' else 'session_refused')
    assert 'user' not in end


@pytest.mark.parametrize('wire', [
    pytest.param(lambda x: request('127.0.0.1', 80), id='clear request'),
    pytest.param(lambda x: b'\x80\x00\x00', id='empty frame'),
    pytest.param(lambda x: b'\x80\xff\xff', id='frame over the limit'),
])
def test_x80_clear_octets_end_the_session(x80, wire):
    """S5-Q08: once the METHOD encapsulates, what is not a frame ends the session, and gets no answer in the clear."""
    with x80.connect() as client:
        wrapped = X80(client)
        assert wrapped.login() == 0
        client.send(wire(wrapped))
        assert client.rest() == b''
    assert x80.wait_end(client)['reason'] == 'filter_error'


def test_x80_a_stream_leaves_the_others_their_turn(gateway, target):
    """One worker, one session that sends frames as fast as it can: who connects meanwhile is served."""
    gw = gateway(x80_config(core={'workers': 1}))
    flown = [0]

    def pump(sock, octets):
        with contextlib.suppress(OSError):
            while True:
                sock.sendall(octets)

    def drain(sock, octets):
        with contextlib.suppress(OSError):
            while got := sock.recv_into(octets):
                flown[0] += got

    with gw.connect() as client:
        wrapped = X80(client)
        assert wrapped.login() == 0
        wrapped.open(*target.where)
        with target.accept() as peer:
            frames = wrapped.frame(b'x' * FRAME_MAX) * 256  # the length of a frame is a multiple of the key's
            ends = (threading.Thread(target=pump, args=(client.sock, frames)),
                    threading.Thread(target=drain, args=(peer.sock, bytearray(1 << 20))))
            for end in ends:
                end.start()
            gw.wait(lambda: flown[0] > 10_000_000, 'the stream')
            worst = 0
            for _ in range(300):
                began = time.monotonic()
                with gw.connect() as another:
                    assert another.greet(b'\x80') == 0x80
                worst = max(worst, time.monotonic() - began)
            client.sock.shutdown(socket.SHUT_RDWR)
            for end in ends:
                end.join()
    assert worst < 0.5, f'somebody waited {worst:.1f} s'


@pytest.mark.parametrize('chunks', range(1, 9))
def test_x80_an_end_behind_full_reads_is_passed_on(gateway, target, chunks):
    """The end of the target, wherever it falls among the reads that a worker does in one go."""
    gw = gateway(x80_config(core={'workers': 1}), turns=False)
    octets = os.urandom(FRAME_MAX * chunks)
    with gw.connect() as client:
        wrapped = X80(client)
        assert wrapped.login() == 0
        wrapped.open(*target.where)
        with target.accept() as peer:
            worker, = gw.workers().values()
            os.kill(worker, signal.SIGSTOP)
            peer.send(octets)
            peer.shutdown()
            os.kill(worker, signal.SIGCONT)
            assert wrapped.rest() == octets


def test_x80_an_end_inside_a_frame_is_an_error(x80, target):
    """Between frames the end of the client is a half-close; inside a frame it is not."""
    with x80.connect() as client:
        wrapped = X80(client)
        assert wrapped.login() == 0
        wrapped.send(request(*target.where))
        with target.accept() as peer:
            assert wrapped.recv_exactly(10)[1] == 0
            client.send(wrapped.frame(b'octets')[:-1])
            client.shutdown()
            peer.expect_reset()
        assert x80.wait_end(client)['reason'] == 'filter_error'


def test_x80_failure_replies_are_encapsulated(x80):
    """S5-R06, S5-R07: full length, and in a frame; then the end."""
    with servers.Refusing() as refusing, x80.connect() as client:
        wrapped = X80(client)
        assert wrapped.login() == 0
        wrapped.send(request(*refusing.where))
        assert wrapped.rest() == failure(5)


def test_x80_is_only_for_who_offers_it(x80):
    """S5-M02, S5-M04: METHOD 00 is not in this table."""
    with x80.connect() as client:
        assert client.greet(b'\x00\x02') == 0xff
        client.expect_end()


def test_x80_may_think_about_the_proof(gateway, target):
    """AGAIN in an exchange: the login goes on when the handle is resolved, and what the client sent meanwhile counts."""
    gw = gateway(x80_config({'delay': '50ms'}))
    with gw.connect() as client:
        wrapped = X80(client)
        client.send(greeting(b'\x80'), message(HELLO, b'alice'))
        client.expect(b'\x05\x80' + bytes([HELLO, 8]))
        wrapped.key = client.recv_exactly(8)
        client.send(message(PROOF, proof_of(wrapped.key)), wrapped.frame(request(*target.where)))
        client.expect(bytes([PROOF, 1, 0]))
        with target.accept():
            assert wrapped.recv_exactly(10)[1] == 0
        assert gw.wait_record(event='session_start')['user'] == 'alice'
    with gw.connect() as client:
        wrapped = X80(client)
        client.send(greeting(b'\x80'), message(HELLO, b'alice'))
        client.expect(b'\x05\x80' + bytes([HELLO, 8]))
        client.send(message(PROOF, proof_of(client.recv_exactly(8))))
        client.reset()
        gw.wait_end(client)


def test_x80_secret_is_a_setting(gateway):
    """Settings reach the module; a secret is not printed."""
    gw = gateway(x80_config({'secret': 'hush-hush'}))
    with gw.connect() as client:
        assert X80(client).login(secret=b'hush-hush') == 0
    with gw.connect() as client:
        assert X80(client).login() == 1
        client.expect_end()
    printed = gw.cli('-T', '-c', gw.conf)
    assert printed.returncode == 0 and 'auth_x80.so' in printed.stdout
    assert 'hush-hush' not in printed.stdout + printed.stderr


# ---- answers that come later, and mistakes

def async_config(settings, access=('async',), extra=(), **keys):
    return sockgate.config(modules=[module('access_async', name='async', settings=settings), *extra],
                           hooks={'access': list(access)}, **keys)


ALL = {'request': 'ok', 'special': ['loopback']}


@pytest.mark.parametrize('settings, rep, reason', [
    (dict(ALL), 0, 'closed'),
    (dict(ALL, target='ok'), 0, 'closed'),
    (dict(ALL, client='ok'), 0, 'closed'),
    (dict(ALL, client='undecided'), 0, 'closed'),
    (dict(ALL, client='deny'), None, 'access_client'),
    (dict(ALL, client='error'), None, 'module_error'),
    (dict(ALL, request='deny'), 2, 'access_request'),
    (dict(ALL, request='declined'), 2, 'access_request'),
    (dict(ALL, request='error'), 1, 'module_error'),
    (dict(ALL, request='none'), 1, 'module_error'),
    (dict(ALL, target='deny'), 2, 'access_target'),
    (dict(ALL, target='error'), 2, None),
    (dict(ALL, target='undecided'), 2, None),
    (dict(ALL, request='undecided', target='ok'), 0, 'closed'),
    (dict(ALL, request='undecided', target='declined'), 2, 'access_target'),
    (dict(ALL, request='undecided', target='deny'), 2, 'access_target'),
    ({'request': 'ok'}, 2, 'special_range'),
])
@pytest.mark.parametrize('delay', ['0', '2ms'])
def test_verdicts_of_access(gateway, target, settings, rep, reason, delay):
    """The table of the manual, at once and later."""
    gw = gateway(async_config(dict(settings, delay=delay)))
    with gw.connect() as client:
        if rep is None:
            client.expect_end()
        else:
            assert client.greet() == 0
            assert client.request(*target.where).rep == rep
        client.close()
        if rep == 0:
            with target.accept() as peer:
                peer.expect_end()
        assert target.untouched()
    end = gw.wait_end(client)
    assert end['event'] == {0: 'session_end'}.get(
        rep, 'session_failed' if end['reason'] == 'module_error' else 'session_refused')
    if reason:
        assert end['reason'] == reason
    if end['reason'].startswith('access') or rep == 0:
        # A list that ended without a decision was ended by no rule.
        assert end.get('rule') == (None if 'declined' in settings.values() else 'async')


def test_handles_are_cancelled_when_the_client_goes(gateway):
    """A client that resets while a module thinks: the module is told, and the session ends at once."""
    gw = gateway(async_config(dict(ALL, delay='1h')))
    with gw.connect() as client:
        client.greet()
        client.send(request('127.0.0.1', 80))
        client.reset()
        assert gw.wait_end(client)['phase'] == 'access'
    gw.wait_log('module "async": an answer is no longer wanted')


def test_a_handle_that_nobody_resolves_ends_with_the_deadline(gateway):
    """setup_max runs while a module thinks."""
    gw = gateway(async_config(dict(ALL, delay='1ms', mistake='never'), timeouts={'setup_max': '300ms'}))
    with gw.connect() as client:
        client.greet()
        client.send(request('127.0.0.1', 80))
        assert client.rest() in (b'', failure(1), failure(4))
    assert gw.wait_end(client)['reason'] == 'setup_timeout'
    gw.wait_log('module "async": an answer is no longer wanted')


@pytest.mark.parametrize('mistake, words', [
    ('no_handle', 'SG_AGAIN without a handle'),
    ('twice', r'sg_pending_resolve\(\) of a handle that is resolved already'),
])
def test_mistakes_with_handles_are_named(gateway, target, mistake, words):
    """Logged against the instance; nobody else is hurt."""
    settings = dict(ALL, client='ok', delay='1ms', mistake=mistake)
    gw = gateway(sockgate.config(
        listeners=[sockgate.listener(hooks={'access': ['async']}), sockgate.listener('other')],
        modules=[module('access_async', name='async', settings=settings)]))
    with gw.connect() as client:
        if mistake == 'no_handle':
            client.expect_end()
            assert gw.wait_end(client)['reason'] == 'module_error'
        else:
            client.open(*target.where)
        gw.wait_log('module "async": .*module_error: ' + words)
    with gw.connect('other') as client:
        client.open(*target.where)


def test_request_alone_can_grant(gateway, target):
    """A module without target() is not asked about the address; behind an undecided one it is still asked."""
    with servers.Target() as closed, servers.Target() as neither:
        gw = gateway(sockgate.config(
            listeners=[sockgate.listener(hooks={'access': ['only']}),
                       sockgate.listener('behind', hooks={'access': ['async', 'only']})],
            modules=[module('access_request_only', name='only',
                            settings={'allow': target.port, 'deny': closed.port}),
                     module('access_async', name='async', settings={'request': 'undecided', 'target': 'ok',
                                                                    'special': ['loopback']})]))
        for listener, where, rep, rule in (
                ('main', target, 0, 'granted by port'), ('main', closed, 2, 'refused by port'), ('main', neither, 2, None),
                ('behind', target, 0, 'async'), ('behind', closed, 2, 'refused by port'), ('behind', neither, 0, 'async')):
            with gw.connect(listener) as client:
                client.greet()
                assert client.request(*where.where).rep == rep, (listener, rule)
                client.reset()
                end = gw.wait_end(client)
                assert rule is None or end['rule'] == rule, end


# ---- every function of the ABI

ABI_SETTINGS = {
    'number': 5, 'texts': ['a', 'b'], 'address': '::ffff:192.0.2.1', 'ranges': ['192.0.2.0/24', '127.0.0.1'],
    'ports': ['80', '1024-65535'], 'flags': ['one', 'four'], 'secret': 'hush', 'group': {'number': 8},
    'groups': [{'number': 1}, {}],
}


def abi_config(**settings):
    return sockgate.config(
        listeners=[sockgate.listener('abi')],
        modules=[module('abi_auth', name='hello', folder='abi'), module('abi_access', folder='abi'),
                 module('abi_conf', name='given', folder='abi', settings=dict(ABI_SETTINGS, **settings)),
                 module('abi_conf', name='defaults', folder='abi'), module('abi_command', folder='abi'),
                 module('abi_bind', folder='abi'), module('abi_udp', folder='abi'), module('abi_helper', folder='abi'),
                 module('abi_log', folder='abi')],
        hooks={'auth': ['hello'], 'access': ['abi_helper', 'given', 'defaults', 'abi_access'],
               'command': {'connect': 'abi_command', 'bind': 'abi_bind', 'udp_associate': 'abi_udp'}, 'log': ['abi_log']})


def line_of(gw, words):
    return 1 + gw.conf.read_text(encoding='utf-8').split(words)[0].count('\n')


def turned(octets):
    return bytes(octet ^ 0xff for octet in octets)


def test_abi_every_function_does_what_its_header_says(gateway, target):
    """The modules of tests/abi call every public function and say what is not as the headers promise."""
    gw = gateway(abi_config())
    for _ in range(2):
        with gw.connect('abi') as client:
            assert client.greet(b'\x81') == 0x81
            client.send(b'hel')
            client.send(b'lo\n' + turned(request(*target.where)))
            client.expect(b'welcome\n')
            with target.accept() as peer:
                assert turned(client.recv_exactly(10))[:2] == b'\x05\x00'
                client.send(turned(b'ping'))
                peer.expect(b'ping')
                peer.send(b'pong')
                client.expect(turned(b'pong'))
            client.expect_end()
            client.shutdown()
            end = gw.wait_end(client)
        assert (end['user'], end['assurance'], end['rule'], end['method']) == ('alice', 30, 'thoughtful', '81')
    with gw.connect('abi') as client, servers.Refusing() as refusing:
        client.greet(b'\x81')
        client.send(b'hello\n' + turned(request(*refusing.where)))
        assert turned(client.rest()[8:]) == failure(5)
    with gw.connect('abi') as client:
        client.greet(b'\x81')
        client.send(b'hello\n' + turned(request('127.0.0.1', 0, cmd=socks.BIND)))
        client.expect(b'welcome\n')
        where = turned(client.recv_exactly(10))
        assert where[:8] == b'\x05\x00\x00\x01\x7f\x00\x00\x01'
        with servers.peer('127.0.0.1', int.from_bytes(where[8:], 'big')) as peer:
            assert turned(client.recv_exactly(10))[:8] == where[:8]
            peer.send(b'ping')
            client.expect(turned(b'ping'))
    with gw.connect('abi') as client:
        client.greet(b'\x81')
        client.send(b'hello\n' + turned(request('0.0.0.0', 0, cmd=socks.UDP_ASSOCIATE)))
        client.expect(b'welcome\n')
        assert turned(client.recv_exactly(10))[:8] == b'\x05\x00\x00\x01\x7f\x00\x00\x01'
    gw.wait_log('module "abi_bind": abi: the peer is here')
    gw.wait_log('module "abi_command": abi: relaying')
    gw.wait_log('module "abi_udp": abi: associated')
    gw.signal(signal.SIGUSR1)
    gw.wait_log('module "abi_log": abi: reopened')
    gw.wait_log(r'module "abi_access": session [0-9a-f]{32}, client 127\.0\.0\.1:\d+, while thinking: '
                r'abi: asked about port %d' % target.port)
    gw.stop()
    log = gw.log()
    assert 'NOT MET' not in log, re.findall('.*NOT MET.*', log)
    for name in ('given', 'defaults'):
        assert log.count(f'abi: {name} started') == log.count(f'abi: {name} stopped') == 2, 'two workers'
        assert log.count(f'abi: {name} finished') == 1


def test_abi_errors_of_a_module_are_shown_with_the_others(gateway):
    """sg_conf_error(): the place that the module names, or the instance; all at once, with the core's own."""
    gw = gateway(abi_config(broken=True), ready=False)
    assert gw.process.wait(sockgate.PATIENCE) == 1
    log = gw.log()
    key, instance = (line_of(gw, words) for words in ('broken = true', 'name = "given"'))
    assert key != instance
    assert f'sockgate.conf:{key}: module "given": it says that it is broken' in log
    assert f'sockgate.conf:{instance}: module "given": and it says so about the instance given' in log


def symbols(objects, *arguments):
    found = subprocess.run(['nm', '-D', *arguments, *objects], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r'\b(sg_\w+)$', found, re.M))


def test_abi_every_public_function_is_called_by_a_module():
    """And the daemon exports these functions and no others."""
    headers = '\n'.join(path.read_text(encoding='utf-8')
                        for path in (sockgate.TOP / 'include' / 'sockgate').glob('*.h'))
    declared = set(re.findall(r'^SG_API\b[^;(]*?\b(sg_\w+)\(', headers, re.M))
    assert len(declared) >= 40
    assert len(declared) == len(re.findall(r'^SG_API\b', headers, re.M))
    called = symbols((sockgate.BUILD / 'tests/abi/.libs').glob('*.so'), '--undefined-only')
    assert declared - called == set(), 'no module of tests/abi calls these'
    exported = symbols([sockgate.BINARY], '--defined-only')
    assert exported == declared


# ---- broken modules

# A crash is to be a crash, not a report of a sanitizer.
CRASHING = {'ASAN_OPTIONS': 'handle_segv=0'}

# Those that are seen when they are loaded; the others are for sockgate-modtest.
RUN = {*test_modtest.SENTENCES, 'commit_lies'} - {'no_role', 'thread_in_init'}
BAD = [path.stem for path in sorted((sockgate.TOP / 'tests/modules/bad').glob('*.c')) if path.stem not in RUN]


def bad_config(name):
    """The module in the place where its role belongs."""
    entry = module(name, name='it', folder='modules/bad')
    place = {'both_forms': 'auth', 'check_gssapi': 'auth', 'exchange_00': 'auth', 'max_message': 'auth', 'method_ff': 'auth'}.get(name, 'access')
    if name.startswith('command_'):
        return sockgate.config(modules=[entry], hooks={'command': {'connect': 'it'}})
    return sockgate.config(modules=[entry], hooks={place: ['it']})


@pytest.mark.parametrize('name', [name for name in BAD if name != 'crash_at_load'])
def test_a_broken_module_is_refused(gateway, name):
    """-t says the file, the line and what is wrong, with status 1; a start does the same and leaves nothing."""
    gw = gateway(bad_config(name), ready=False)
    assert gw.process.wait(sockgate.PATIENCE) == 1
    tested = gw.cli('-t', '-c', gw.conf)
    assert tested.returncode == 1
    for said in (gw.log(), tested.stderr):
        assert re.search(r'\[emerg\] \S*sockgate\.conf:\d+: .*"it"', said), said
    assert not gw.processes()


def test_a_module_that_crashes_when_it_is_loaded_hurts_only_the_new_generation(gateway, target):
    """At a start nothing comes up; at a reload the old generation goes on."""
    gw = gateway(env=CRASHING)
    with gw.connect() as client:
        client.open(*target.where)
        gw.write_config(bad_config('crash_at_load'))
        assert 'reload failed' in gw.reload()
        with target.accept() as peer:
            client.send(b'alive')
            peer.expect(b'alive')
            with gw.connect() as another:
                another.open(*target.where)


@pytest.mark.parametrize('name', ['crash_start', 'start_fails'])
def test_a_module_that_cannot_start_keeps_the_old_generation(gateway, target, name):
    """Listeners of the new configuration are bound by then: they are given back."""
    with servers.Refusing() as spare:
        port = spare.where[1]
    gw = gateway(env=CRASHING)
    gw.write_config(sockgate.config(
        listeners=[sockgate.listener(), sockgate.listener('new', port=port)],
        modules=[module(name)], hooks={'access': [name, 'rules']}))
    assert 'reload failed' in gw.reload()
    with gw.connect() as client:
        client.open(*target.where)
    with pytest.raises(ConnectionRefusedError):
        socks.Client(('127.0.0.1', port))


@pytest.mark.parametrize('name', ['crash_start', 'start_fails', 'bad/crash_at_load'])
def test_a_module_that_cannot_start_ends_a_start(gateway, name):
    """Status 1, a reason, and nothing is left."""
    folder, _, name = name.rpartition('/')
    gw = gateway(sockgate.config(modules=[module(name, name='it', folder='modules/' + folder if folder else 'modules')],
                                 hooks={'access': ['it', 'rules']}), ready=False, env=CRASHING)
    assert gw.process.wait(sockgate.PATIENCE) == 1
    assert '[emerg]' in gw.log()
    assert not gw.processes()


def test_a_crash_in_a_worker_takes_that_worker_alone(gateway, target):
    """DST.PORT 7778 crashes the worker that is asked, and the log says in whose code; the other worker goes on, and a
    new one takes the place of the dead."""
    gw = gateway(sockgate.config(core={'workers': 2}, modules=[module('crash_request', name='it')],
                                 hooks={'access': ['it', 'rules']}), ledger=False, env=CRASHING)
    before = set(gw.workers().values())
    with gw.connect() as client, contextlib.suppress(ConnectionResetError):
        client.greet()
        client.send(request('127.0.0.1', 7778))
        assert client.rest() == b''
    dead = int(gw.wait_log(r'worker \d+ \(pid (\d+)\) .*killed by SIGSEGV.* in module "it"')[1])
    assert dead in before
    after = gw.wait(lambda: len(gw.workers()) == 2 and set(gw.workers().values()), 'two workers')
    assert after & before == before - {dead}
    with gw.connect() as client:
        client.open(*target.where)


# ---- files

@needs_root
def test_a_module_of_somebody_else_is_refused(gateway, tmp_path):
    """Owner and mode are judged before the file is opened; the message says what would be right."""
    copy = tmp_path / 'auth_none.so'
    tmp_path.chmod(0o755)
    copy.write_bytes((sockgate.MODULES / 'auth_none.so').read_bytes())
    copy.chmod(0o755)
    os.chown(copy, sockgate.NOBODY, sockgate.NOBODY)
    gw = gateway(sockgate.config(modules=[{'name': 'copy', 'file': str(copy)}], hooks={'auth': ['copy']}), ready=False)
    assert gw.process.wait(sockgate.PATIENCE) == 1
    gw.wait_log(r"module \"copy\": .*auth_none\.so belongs to uid 65534: it must be root's")
    os.chown(copy, 0, 0)
    assert gw.cli('-t', '-c', gw.conf).returncode == 0
    copy.chmod(0o775)
    assert 'can be written by others (mode 0775)' in gw.cli('-t', '-c', gw.conf).stderr


def test_a_module_replaced_on_disk_is_replaced_in_service(gateway, tmp_path, target):
    """By rename, as installers do: the running generation keeps the old file, a reload takes the new one."""
    tmp_path.chmod(0o755)
    place = tmp_path / 'it.so'

    def put(name):
        new = place.with_suffix('.new')
        new.write_bytes((sockgate.BUILD / f'tests/modules/.libs/{name}.so').read_bytes())
        new.chmod(0o755)
        new.rename(place)

    def with_settings(settings):
        return sockgate.config(modules=[{'name': 'it', 'file': str(place), 'settings': settings}],
                               hooks={'access': ['it']})

    def rule():
        with gw.connect() as client:
            client.open(*target.where)
        return gw.wait_record(event='session_start', client=client.name)['rule']

    put('access_request_only')
    gw = gateway(with_settings({'allow': target.port}))
    put('access_async')
    assert rule() == 'granted by port'
    assert 'reload done' in gw.reload(with_settings(ALL))
    sockgate.wait_until(lambda: rule() == 'async', what='the new generation to accept')
