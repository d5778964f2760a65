# SPDX-License-Identifier: BSD-2-Clause
"""auth_ident (RFC 1413): who is asked, what is asked, and what the answers are worth."""

import socket
import threading

import pytest

import sockgate
from conftest import needs_ipv6
from logins import DECLINED, ERROR, OK, Logins, refusal
from servers import Refusing
from socks import GRANTED, REJECTED

CLIENT, LOCAL = '127.0.0.9', '127.0.0.8'
ASSERTED = 10


class Ident:
    """A server that answers each question with `answer`, whose {} is what was asked, and keeps what it saw."""

    def __init__(self, answer, address=CLIENT):
        self.answer, self.asked = answer, []
        self.socket = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET)
        self.socket.bind((address, 0))
        self.socket.listen()
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.socket.close()

    def _serve(self):
        while True:
            try:
                connection, peer = self.socket.accept()
            except OSError:
                return
            with connection:
                question = connection.recv(1024)
                self.asked.append((peer[0], question))
                if self.answer is None:  # silence, until the other side gives up
                    connection.recv(1024)
                    continue
                for part in self.answer if isinstance(self.answer, list) else [self.answer]:
                    connection.sendall(part.replace(b'{}', question.strip()))


def settings(port, ranges=None, **keys):
    return {'ranges': ranges or [{'clients': ['127.0.0.0/8', '::1']}], 'port': port, 'timeout': '5s', **keys}


def ask(answer, conf=None, address=CLIENT, local=LOCAL, kind='none', **keys):
    """The Answer of one login, and what the server was asked."""
    with Ident(answer, address) as server, Logins('auth_ident', settings(server.port, **(conf or {}))) as logins:
        got = logins.ask(kind, client=(address, 40000), local=(local, 1080), **keys)
        return got, server.asked


@pytest.mark.parametrize('kind', ['none', 'userid'])
def test_the_question(kind):
    """ID-01, ID-02, ID-08: from the address that the client has reached; its port first; asserted, no more."""
    got, asked = ask(b'{}:USERID:UNIX:alice\r\n', kind=kind)
    assert asked == [(LOCAL, b'40000, 1080\r\n')]
    assert (got.verdict, got.name, got.assurance) == (OK, b'alice', ASSERTED)


@needs_ipv6
def test_ipv6():
    got, asked = ask(b'{} : USERID : UNIX :alice\r\n', address='::1', local='::1')
    assert got[:2] == (OK, b'alice') and asked == [('::1', b'40000, 1080\r\n')]


@pytest.mark.parametrize('answer, verdict, name, reason', [
    # ID-03: both ports must be ours
    (b'40001, 1080:USERID:UNIX:alice\r\n', ERROR, b'', 'other ports'),
    (b'40000, 1081:USERID:UNIX:alice\r\n', ERROR, b'', 'other ports'),
    (b'1080, 40000:USERID:UNIX:alice\r\n', ERROR, b'', 'other ports'),
    # ID-04: blanks are a part of the name
    (b'{}:USERID:UNIX: al ice \r\n', OK, b' al ice ', 'system type UNIX'),
    (b'{}:USERID:UNIX:' + 255 * b'a' + b'\r\n', OK, 255 * b'a', 'system type UNIX'),
    (b'{}:USERID:UNIX:' + 512 * b'a' + b'\r\n', ERROR, b'', 'more than 255 octets'),
    # ID-05: kept for audit
    (b'{}:ERROR:NO-USER\r\n', DECLINED, b'', 'ident: NO-USER'),
    (b'{}:ERROR:HIDDEN-USER\r\n', DECLINED, b'', 'ident: HIDDEN-USER'),
    (b'{}:ERROR:INVALID-PORT\r\n', DECLINED, b'', 'ident: INVALID-PORT'),
    (b'{}:ERROR:UNKNOWN-ERROR\r\n', DECLINED, b'', 'ident: UNKNOWN-ERROR'),
    (b'{}:ERROR:X-TEAPOT\r\n', DECLINED, b'', 'ident: X-TEAPOT'),
    # ID-06
    (b'', DECLINED, b'', 'UNKNOWN-ERROR'),
    (b'{}:USERID:UNIX:alice', DECLINED, b'', 'UNKNOWN-ERROR'),
    (b'{}:USERID:UNIX:' + 1000 * b'a', ERROR, b'', 'malformed'),
    (b'{}:USERID:UNIX:al\0ice\r\n', ERROR, b'', 'malformed'),
    (b'SSH-2.0-x\r\n', ERROR, b'', 'malformed'),
    # ID-09
    (b'{}:USERID:OTHER:alice\r\n', DECLINED, b'', 'no login name, system type OTHER'),
    # ID-10: the charset is recorded
    (b'{}:USERID:UNIX,ISO-8859-1:\xfc\r\n', OK, b'\xfc', 'UNIX,ISO-8859-1'),
    # one octet at a time, and something behind the line
    ([b'40000,10', b'80:USERID:UNIX:alice\r', b'\n', b'more'], OK, b'alice', 'UNIX'),
])
def test_answers(answer, verdict, name, reason):
    got, _ = ask(answer)
    assert (got.verdict, got.name) == (verdict, name) and reason in got.reason


def test_trim():
    got, _ = ask(b'{}:USERID:UNIX: alice \r\n', {'trim': True})
    assert got[:2] == (OK, b'alice')


@pytest.mark.parametrize('user, address, verdict', [
    (b'alice', '127.0.0.9', OK), (b'bob', '127.0.0.9', DECLINED), (b'alic', '127.0.0.9', DECLINED),
    (b'bob', '127.0.1.9', OK), (b'alice', '127.0.1.9', DECLINED), (b'anybody', '127.0.2.9', OK)])
def test_an_identity_is_range_and_user(user, address, verdict):
    ranges = [{'clients': ['127.0.0.0/24'], 'users': ['alice', 'carol']}, {'clients': ['127.0.1.0/24'], 'users': ['bob']},
              {'clients': ['127.0.2.0/24']}]
    got, asked = ask(b'{}:USERID:UNIX:' + user + b'\r\n', {'ranges': ranges}, address=address)
    assert len(asked) == 1
    assert (got.verdict, got.name) == (verdict, user if verdict == OK else b'')


def test_others_are_not_asked():
    """ID-07: only ranges that are listed."""
    got, asked = ask(b'{}:USERID:UNIX:alice\r\n', {'ranges': [{'clients': ['127.0.1.0/24']}]})
    assert got.verdict == DECLINED and asked == []
    got, asked = ask(b'{}:USERID:UNIX:alice\r\n', kind='password', name=b'alice', secret=b'x')
    assert got.verdict == DECLINED and asked == []


def test_no_answer():
    """ID-07: it ends by the deadline, as unavailable; nobody listening is the same."""
    got, _ = ask(None, {'timeout': '300ms'})
    assert (got.verdict, got.reason) == (ERROR, 'ident: unavailable: Connection timed out')
    with Refusing(CLIENT) as closed, Logins('auth_ident', settings(closed.where[1])) as logins:
        got = logins.ask('none', client=(CLIENT, 40000), local=(LOCAL, 1080))
    assert (got.verdict, got.reason) == (ERROR, 'ident: unavailable: Connection refused')


@pytest.mark.parametrize('answer, userid, cd, reason', [
    (b'{}:USERID:UNIX:alice\r\n', b'alice', GRANTED, 'closed'), (b'{}:USERID:UNIX:alice\r\n', b'', GRANTED, 'closed'),
    (b'{}:USERID:UNIX:alice\r\n', b'root', 93, 'login_denied'), (b'{}:USERID:UNIX:alice\r\n', b'alic', 93, 'login_denied'),
    (b'{}:ERROR:NO-USER\r\n', b'alice', REJECTED, 'login_denied'),
    (b'SSH-2.0-x\r\n', b'alice', REJECTED, 'module_error'),
    (None, b'alice', 92, 'module_error'), ('refused', b'alice', 92, 'module_error')])
def test_socks4(gateway, target, answer, userid, cd, reason):
    """S4-02, S4-03, S4-10: 92 is a host that cannot be asked, 93 one that names somebody else; both are the end of it."""
    with (Refusing() if answer == 'refused' else Ident(answer, '127.0.0.1')) as server:
        port = server.where[1] if answer == 'refused' else server.port
        ident = {'name': 'ident', 'file': 'auth_ident.so', 'settings': settings(port, timeout='300ms')}
        gw = gateway(sockgate.config([sockgate.listener(protocols=['socks4'])], modules=[ident], hooks={'auth': ['ident']}))
        with gw.connect() as client:
            reply = client.request4(*target.where, userid=userid)
            assert (reply.vn, reply.cd) == (0, cd)
            if cd == GRANTED:
                target.accept().close()
            else:
                assert reply.octets[2:] == bytes(6)
                client.expect_end()
        end = gw.wait_end(client)
    assert (end['reason'], end.get('userid', '')) == (reason, userid.decode())
    assert end.get('user') == ('alice' if cd == GRANTED else None)
    assert end['rep'] == ('00' if cd == GRANTED else '02')


def test_time_for_it():
    """ID-07: the helper must be given longer than the host; with the defaults of both it would be killed."""
    ranges = [{'clients': ['127.0.0.1']}]
    assert ('timeout: 30000 ms is not less than helper.timeout of the instance, 10000 ms' in
            refusal('auth_ident', {'ranges': ranges}))
    assert 'helper = { timeout = "15s"; }' in refusal('auth_ident', {'ranges': ranges, 'timeout': '10s'})


def test_it_takes_a_switch():
    """ID-08: nobody is believed who is not listed."""
    assert '"ranges" is missing' in refusal('auth_ident', {})
    assert '"clients" is missing' in refusal('auth_ident', {'ranges': [{'users': ['alice']}]})
