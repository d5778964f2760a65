# SPDX-License-Identifier: BSD-2-Clause
"""METHOD 02 (RFC 1929), chains of instances, and what is let in by which combination of METHODs, listeners and rules."""

import itertools
import os

import pytest

import memory
import network
import servers
import sockgate
import socks
from conftest import needs_root
from sockgate import test_module as module
from socks import request, userpass

USERS = ['alice:secret', 'bob:hunter2', 'N' * 255 + ':' + 'P' * 255]
PASSWORD = 20  # the assurance


def pw(name='pw', users=tuple(USERS), settings=None, **keys):
    return module('auth_pw', name=name, settings=dict(users=list(users), **settings or {}), **keys)


def pw_config(*instances, auth=None, **keys):
    """A gateway whose logins are those of these instances of auth_pw, by default of one."""
    instances = instances or (pw(), )
    names = auth or [entry['name'] for entry in instances]
    return sockgate.config(modules=instances, hooks=dict({'auth': names}, **keys.pop('hooks', {})), **keys)


@pytest.fixture(name='gw', scope='module')
def one_gateway():
    gateway = sockgate.Gateway(pw_config())
    yield gateway
    gateway.stop()
    gateway.discard()


def refused(client):
    """STATUS is not 00, and then the connection ends (UP-03, UP-04)."""
    ver, status = client.recv_exactly(2)
    assert ver == 1 and status != 0
    client.expect_end()


# ---- one login

def test_a_login(gw, target):
    """UP-03, UP-05: STATUS 00 at once; the identity is in the session and in the record."""
    with gw.connect() as client:
        assert client.login(b'alice', b'secret') == 0
        assert client.request(*target.where).rep == 0
        target.accept().close()
    record = gw.wait_end(client)
    assert record['event'] == 'session_end'
    assert (record['method'], record['instance'], record['user'], record['assurance']) == ('02', 'pw', 'alice', PASSWORD)
    assert gw.events(event='auth_ok')[-1]['user'] == 'alice'


@pytest.mark.parametrize('name, secret', [
    (b'alice', b'wrong'), (b'alice', b'secre'), (b'alice', b'secrets'), (b'alice', b'SECRET'), (b'alic', b'secret'),
    (b'nobody', b'secret'), (b'alice ', b'secret'), (b'\xe9', b'\xff'), (b'bob', b'secret'), (b'alice', b'x' * 255)])
def test_a_login_that_fails(gw, name, secret):
    """UP-04: closed after STATUS; the record says for whom, and has no assurance."""
    with gw.connect() as client:
        assert client.login(name, secret) == 1
        client.expect_end()
    record = gw.wait_end(client)
    assert (record['event'], record['reason'], record['phase']) == ('session_refused', 'login_denied', 'auth')
    assert record['user'] == (name.decode() if name.isascii() else '\U0010ffe9')
    assert 'assurance' not in record
    failed = gw.events(event='auth_failed')[-1]
    assert (failed['user'], failed['reason'], failed['client']) == (record['user'], 'login_denied', record['client'])


@pytest.mark.parametrize('message, reason, user', [
    (b'\x00\x05alice\x06secret', 'protocol_error', None), (b'\x05\x05alice\x06secret', 'protocol_error', None),
    (b'\x01\x00\x06secret', 'login_denied', None), (b'\x01\x06alice\x00\x06secret', 'login_denied', 'alice\0'),
    (b'\x01\x06\x00alice\x06secret', 'login_denied', '\0alice'), (b'\x01\x07alice\x00x\x06secret', 'login_denied', 'alice\0x'),
    (b'\x01\x05alice\x07secret\x00', 'login_denied', 'alice'), (b'\x01\x05alice\x08secret\x00x', 'login_denied', 'alice'),
    (b'\x01\x05alice\x07\x00secret', 'login_denied', 'alice'), (b'\x01\x05alice\x00', 'login_denied', 'alice')])
def test_no_back_end_sees_it(gw, message, reason, user):
    """UP-01, UP-02, UP-06, V04: refused before anybody is asked."""
    asked = gw.log().count('asked about')
    with gw.connect() as client:
        assert client.greet(b'\x02') == 2
        client.send(message)
        refused(client)
    record = gw.wait_end(client)
    assert record['reason'] == reason and record.get('user') == user
    assert gw.log().count('asked about') == asked


def test_every_split(gw):
    """UP-07: login, request and the first octets for the target, cut anywhere, arrive as they are."""
    with servers.Echo() as echo:
        octets = userpass(b'alice', b'secret') + request(*echo.where) + b'early'
        for cut in range(1, len(octets)):
            with gw.connect() as client:
                assert client.greet(b'\x02') == 2
                client.send(octets[:cut])
                network.wait_taken(client.sock)
                client.send(octets[cut:])
                client.expect(b'\x01\x00')
                assert client.reply().rep == 0
                client.expect(b'early')
        with gw.connect() as client:
            client.drip(b'\x05\x01\x02' + octets[:-5])
            client.expect(b'\x05\x02\x01\x00')
            assert client.reply().rep == 0


def test_longest_names(gw):
    with gw.connect() as client:
        assert client.login(b'N' * 255, b'P' * 255) == 0
    assert gw.wait_end(client)['user'] == 'N' * 255


def test_what_is_behind_a_login_waits(gateway):
    """UP-07: while the helper thinks; and nothing is done before it has said yes."""
    gw = gateway(pw_config(pw(settings={'delay': '300ms'})))
    with servers.Echo() as echo:
        with gw.connect() as client:
            client.send(b'\x05\x01\x02', userpass(b'sleep', b'x'), request(*echo.where), b'early')
            client.expect(b'\x05\x02\x01\x00')
            assert client.reply().rep == 0
            client.expect(b'early')
    with servers.Target() as target, gw.connect() as client:
        client.send(b'\x05\x01\x02', userpass(b'alice', b'wrong'), request(*target.where))
        client.expect(b'\x05\x02')
        refused(client)
        assert target.untouched()


@pytest.mark.parametrize('allowed', [False, True])
def test_empty_passwords(gateway, allowed):
    """UP-02: the instance is asked only if the operator says so."""
    gw = gateway(pw_config(pw(users=['guest:'], empty_password=allowed)))
    with gw.connect() as client:
        assert (client.login(b'guest', b'') == 0) == allowed
    assert ('asked about "guest"' in gw.log()) == allowed


@pytest.mark.parametrize('name, event, reason, text', [
    (b'expired', 'session_refused', 'login_denied', 'account expired'),
    (b'error', 'session_failed', 'module_error', None),
    (b'again', 'session_failed', 'module_error', None),
    (b'number', 'session_failed', 'module_error', None),
    (b'huge', 'session_failed', 'module_error', 'the identity is too large: nothing of it is cut'),
    (b'groups', 'session_failed', 'module_error', 'the identity is too large: nothing of it is cut'),
    (b'nul', 'session_failed', 'module_error', 'the identity is too large: nothing of it is cut')])
def test_what_is_no_yes(gw, name, event, reason, text):
    """UP-11: the record tells wrong from not found out; the client is told neither."""
    with gw.connect() as client:
        assert client.login(name, b'x') == 1
        client.expect_end()
    record = gw.wait_end(client)
    assert (record['event'], record['reason'], record.get('reason_text')) == (event, reason, text)
    assert record['user'] == name.decode()


def test_the_answer_is_the_identity(gateway, target):
    """The name that the module gives, not the one that was claimed; rules see name and groups."""
    rules = [{'allow': {'user': 'somebody', 'group': 'staff', 'method': 'password', 'assurance': 'password'},
              'special': ['loopback']}]
    gw = gateway(pw_config(rules=rules))
    with gw.connect() as client:
        assert client.login(b'renamed', b'x') == 0
        assert client.request(*target.where).rep == 0
        target.accept().close()
    assert gw.wait_end(client)['user'] == 'somebody'
    with gw.connect() as client:
        assert client.login(b'alice', b'secret') == 0
        assert client.request(*target.where).rep == 2


# ---- chains

def test_chain(gateway):
    """DECLINED passes on, a wrong password does not; each by the record's `instance`."""
    gw = gateway(pw_config(pw('first', ['alice:one', 'carol:']), pw('second', ['alice:two', 'bob:two'])))
    for name, secret, status, instance in ((b'alice', b'one', 0, 'first'), (b'bob', b'two', 0, 'second'),
                                           (b'alice', b'two', 1, 'first'), (b'bob', b'one', 1, 'second'),
                                           (b'nobody', b'x', 1, 'second'), (b'error', b'x', 1, 'first'),
                                           (b'expired', b'x', 1, 'first')):
        with gw.connect() as client:
            assert client.login(name, secret) == status, name
        assert gw.wait_end(client)['instance'] == instance, name


def test_chain_of_this_client(gateway):
    """UP-08: an instance with `clients` is neither offered to others nor asked about them; so METHOD 02 can be kept to
    loopback or to listed ranges, for each listener."""
    inner = pw('inner', ['alice:one'], clients=['192.0.2.0/24'])
    outer = pw('outer', ['alice:two'], clients=['127.0.0.0/8'])
    gw = gateway(pw_config(inner, outer, auth=['inner', 'outer'], listeners=[
        sockgate.listener(), sockgate.listener('closed', hooks={'auth': ['inner']})]))
    with gw.connect() as client:
        assert client.login(b'alice', b'one') == 1
    with gw.connect() as client:
        assert client.login(b'alice', b'two') == 0
    with gw.connect('closed') as client:
        assert client.greet(b'\x02') == 0xff
    assert gw.log().count('asked about') == 2


# ---- secrets

CANARY = b'canary-b1f7'


@needs_root
@pytest.mark.skipif(sockgate.SANITIZED, reason='AddressSanitizer keeps what was freed')
def test_secrets_are_wiped(gateway):
    """UP-09: after logins of all kinds no process holds the password, and no log has it."""
    gw = gateway(pw_config(pw('first'), pw('second')))
    marked = sorted(gw.helpers('first'))[0]
    with gw.connect() as client:
        assert client.login(b'alice', CANARY) == 1
        client.expect_end()
    for cut in (1, 3, 9, 12, 18):
        with gw.connect() as client:
            octets = userpass(b'nobody', CANARY)
            client.send(b'\x05\x01\x02', octets[:cut])
            network.wait_taken(client.sock)
            client.send(octets[cut:])
            client.expect(b'\x05\x02')
            refused(client)
        gw.wait_end(client)
    with gw.connect() as client:
        assert client.greet(b'\x02') == 2
        client.send(b'\x01\x05alice\x20' + CANARY)
        network.wait_taken(client.sock)
    gw.wait_end(client)
    with gw.connect() as client:
        assert client.greet(b'\x80') == 0xff
        client.send(userpass(b'alice', CANARY))  # although it is over
        network.wait_taken(client.sock)
    gw.wait_end(client)
    with gw.connect() as client:
        assert client.greet(b'\x02') == 2
        client.send(b'\x01\x06alice\0', socks.counted(CANARY.decode()), userpass(b'alice', CANARY))
        client.expect(b'\x01\x01')  # and is given time to read that
        found = [sockgate.title(pid) for pid in gw.processes() if CANARY[1:] in memory.image(pid)]
    assert not found
    assert CANARY.decode()[1:] not in gw.log()
    os.kill(marked, 0)


# ---- T40: no way round the login

AUTH = {'open': ['none'], 'closed': ['pw'], 'open_first': ['none', 'pw'], 'closed_first': ['pw', 'none'],
        'claimed': ['claim'], 'claimed_or_pw': ['claim', 'pw'], 'not_here': ['far'], 'far_or_none': ['far', 'none']}
METHODS = {'none': 0x00, 'pw': 0x02, 'claim': 0x81, 'far': 0x02}
RULES = {'any': {}, 'user': {'user': '*'}, 'alice': {'user': 'alice'}, 'password': {'method': 'password'},
         'proven': {'assurance': 'password'}, 'nobody': {'method': 'none'}}
OFFERS = [b''.join(offer) for n in range(4) for offer in itertools.permutations((b'\x00', b'\x02', b'\x81'), n)]


def expected(auth, rule, offer, secret):
    """(METHOD, STATUS or None, REP or None): thirty lines of the core, once more."""
    instance = next((name for name in AUTH[auth] if name != 'far' and METHODS[name] in offer), None)
    if instance is None:
        return 0xff, None, None
    method = METHODS[instance]
    user, assurance = {'none': ('', 0), 'pw': ('alice', PASSWORD), 'claim': ('mallory', 0)}[instance]
    if instance == 'pw' and secret != b'secret':
        return method, 1, None
    granted = {'any': True, 'user': user != '', 'alice': user == 'alice', 'password': method == 2,
               'proven': assurance >= PASSWORD, 'nobody': method == 0}[rule]
    return method, 0 if method == 2 else None, 0 if granted else 2


def attempt(gw, name, offer, secret, where):
    with gw.connect(name) as client:
        method, status = client.greet(offer), None
        if method == 0xff:
            return method, None, None
        if method == 2:
            client.send(userpass(b'alice', secret))
            status = client.recv_exactly(2)[1]
            if status != 0:
                return method, status, None
        if method == 0x81:
            client.send(b'\x01', socks.counted('mallory'), b'\x00\x00')
            client.expect(b'\x01\x00')
        return method, status, client.request(*where).rep


def test_matrix(gateway):
    """T40, V01, V02: what is reached with which METHODs, listeners, rules, offers and passwords is what a reference of a
    few lines says."""
    names = list(itertools.product(AUTH, RULES))
    rules = [module('access_rules', name='r_' + rule) | {'file': 'access_rules.so', 'settings': {'rules': [
        {'allow': condition, 'special': ['loopback']}]}} for rule, condition in RULES.items()]
    gw = gateway(sockgate.config(
        listeners=[sockgate.listener(f'{auth}-{rule}', hooks={'auth': AUTH[auth], 'access': ['r_' + rule]})
                   for auth, rule in names],
        modules=[pw(), pw('far', clients=['192.0.2.0/24']), module('auth_claim', name='claim'), *rules],
        hooks={'auth': ['none'], 'access': ['r_any']}))
    cells = 0
    with servers.Echo() as echo:
        for (auth, rule), offer, secret in itertools.product(names, OFFERS, (b'secret', b'wrong')):
            got = attempt(gw, f'{auth}-{rule}', offer, secret, echo.where)
            assert got == expected(auth, rule, offer, secret), (auth, rule, offer, secret)
            cells += 1
    print(f'{cells} combinations')
