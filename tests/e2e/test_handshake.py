# SPDX-License-Identifier: BSD-2-Clause
"""From the first octet to the reply: exactly what RFC 1928 and doc/requirements.md say, however TCP delivers it."""

import pathlib
import random

import pytest

import network
import servers
import sockgate
import socks
from conftest import needs_ipv6
from socks import failure, greeting, request

VECTORS = pathlib.Path(__file__).resolve().parent.parent / 'vectors'


# ---- the transcripts

def conversation(path):
    """[('>', octets), ('<', octets), ('close', b'')] of a transcript that can be played; [] of any other."""
    steps, play = [], False
    for line in path.read_text(encoding='ascii').splitlines():
        word, _, rest = line.partition(' ')
        if word == 'play':
            play = True
        elif word in ('>', '<'):
            if steps and steps[-1][0] == word:
                steps[-1] = (word, steps[-1][1] + bytes.fromhex(rest))
            else:
                steps.append((word, bytes.fromhex(rest)))
        elif word == 'close':
            steps.append((word, b''))
    return steps if play else []


def in_segments(client, octets):
    client.send(octets)


def in_octets(client, octets):
    client.drip(octets)


@pytest.mark.parametrize('deliver', [in_segments, in_octets])
def test_transcripts(shared, deliver):
    """Every conversation of tests/vectors, as it stands (S5-M01, S5-M03, S5-M04, S5-M05, S5-M06, S5-Q01, S5-Q03,
    S5-Q04)."""
    played = 0
    for path in sorted(VECTORS.glob('*.txt')):
        steps = conversation(path)
        if not steps or (deliver is in_octets and sum(len(octets) for _, octets in steps) > 300):
            continue
        played += 1
        with shared.connect() as client:
            try:
                for word, octets in steps:
                    if word == '>':
                        deliver(client, octets)
                    elif word == '<':
                        client.expect(octets)
                    else:
                        client.expect_end()
            except (AssertionError, OSError) as wrong:
                raise AssertionError(f'{path.name}: {wrong}') from wrong
    assert played > 40


def test_transcripts_in_one_segment(shared):
    """All that the client says at once, without waiting for an answer; what comes back is the same (S5-M01, S5-M03)."""
    for path in sorted(VECTORS.glob('*.txt')):
        steps = conversation(path)
        if not steps or steps[-1][0] != 'close':
            continue
        with shared.connect() as client:
            client.send(b''.join(octets for word, octets in steps if word == '>'))
            got = client.rest()
            assert got == b''.join(octets for word, octets in steps if word == '<'), path.name


# ---- METHOD

METHODS = [  # offered, answered (auth_none alone is there)
    (b'\x00', 0x00),
    (b'\x02\x00', 0x00),
    (b'\x00\x01\x02', 0x00),
    (bytes(range(1, 255)) + b'\x00', 0x00),
    (b'\x00' * 255, 0x00),
    (b'', 0xff),
    (b'\x01', 0xff),
    (b'\x02', 0xff),
    (b'\x80', 0xff),
    (b'\xff', 0xff),
    (bytes(range(1, 256)), 0xff),
]


@pytest.mark.parametrize('offered, answered', METHODS)
def test_method(shared, offered, answered):
    """S5-M02: one of those offered; S5-M04, S5-M05: 05 FF if nothing is acceptable, and then the end."""
    with shared.connect() as client:
        client.send(greeting(offered))
        client.expect(bytes([5, answered]))
        if answered == 0xff:
            client.expect_end()
            client.close()
            record = shared.wait_end(client)
            assert (record['event'], record['reason']) == ('session_refused', 'no_method')


def test_no_second_answer(shared, target):
    """S5-M03: after 05 FF nothing more, not even to a good request, and no target is touched."""
    with shared.connect() as client:
        client.send(greeting(b'\x02'), request(*target.where), b'payload')
        assert client.rest() == b'\x05\xff'
    shared.wait_end(client)
    assert target.untouched()


@pytest.mark.parametrize('first', [b'\x00', b'\x04', b'\x06', b'\x16\x03\x01\x02\x00', b'GET / HTTP/1.0\r\n\r\n',
                                   b'\xff'])
def test_other_protocol(shared, first):
    """S5-M06: no answer, the connection is closed, exactly one record."""
    with shared.connect() as client:
        client.send(first)
        client.expect_end()
        client.close()  # else the gateway would linger for it
        record = shared.wait_end(client)
        assert (record['event'], record['reason']) == ('session_failed', 'protocol_error')
        assert record['reason_text'].startswith(f"the first octet is X'{first[0]:02X}'")
        assert shared.records(client=client.name) == [record]


def test_other_protocol_a_lot(shared):
    """S5-M06: so much that some of it is never read; the client may see RST then, but no answer."""
    with shared.connect() as client:
        try:
            client.send(b'\x16' * 100_000)
            assert client.rest() == b''
        except (ConnectionResetError, BrokenPipeError):
            pass
        client.served = True
        client.close()
        assert shared.wait_end(client)['reason'] == 'protocol_error'


def test_preference(gateway):
    """S5-M07: the gateway's order decides, by listener and by client; S5-M09: a METHOD reaches its own module only."""
    gw = gateway(sockgate.config(
        modules=[sockgate.test_module('auth_x80', name='x80'),
                 sockgate.test_module('auth_x80', name='some', clients=['127.0.0.64/26'])],
        listeners=[sockgate.listener('none_first', hooks={'auth': ['none', 'x80']}),
                   sockgate.listener('x80_first', hooks={'auth': ['x80', 'none']}),
                   sockgate.listener('for_some', hooks={'auth': ['some', 'none']}),
                   sockgate.listener('only_x80', hooks={'auth': ['x80']})]))
    for listener, source, offered, answered in (
            ('none_first', None, b'\x80\x00', 0x00),
            ('none_first', None, b'\x80', 0x80),
            ('x80_first', None, b'\x00\x80', 0x80),
            ('x80_first', None, b'\x00', 0x00),
            ('for_some', '127.0.0.65', b'\x00\x80', 0x80),
            ('for_some', '127.0.0.1', b'\x00\x80', 0x00),
            ('for_some', '127.0.0.1', b'\x80', 0xff),
            ('only_x80', None, b'\x81\x7f\xfe\x03', 0xff),
            ('only_x80', None, b'\x81\x80', 0x80)):
        with gw.connect(listener, source=source) as client:
            assert client.greet(offered) == answered, (listener, source, offered)


# ---- the request

BAD_REQUESTS = [
    ('S5-Q01 VER 00', b'\x00\x01\x00\x01\x7f\x00\x00\x01\x00\x50', 0x01, 'protocol_error'),
    ('S5-Q01 VER 04', b'\x04\x01\x00\x01\x7f\x00\x00\x01\x00\x50', 0x01, 'protocol_error'),
    ('S5-Q01 VER only', b'\x01', 0x01, 'protocol_error'),
    ('S5-Q02 CMD 00', request('127.0.0.1', 80, cmd=0), 0x07, 'command_unknown'),
    ('S5-Q02 CMD 04', request('127.0.0.1', 80, cmd=4), 0x07, 'command_unknown'),
    ('S5-Q02 CMD FF', request('127.0.0.1', 80, cmd=0xff), 0x07, 'command_unknown'),
    ('S5-Q02 BIND is not configured', request('127.0.0.1', 80, cmd=socks.BIND), 0x07, 'command_unknown'),
    ('S5-Q02 UDP ASSOCIATE is not', request('0.0.0.0', 0, cmd=socks.UDP_ASSOCIATE), 0x07, 'command_unknown'),
    ('S5-Q03 ATYP 00', b'\x05\x01\x00\x00', 0x08, 'protocol_error'),
    ('S5-Q03 ATYP 02', b'\x05\x01\x00\x02', 0x08, 'protocol_error'),
    ('S5-Q03 ATYP 05', b'\x05\x01\x00\x05', 0x08, 'protocol_error'),
    ('S5-Q03 ATYP FF and more', b'\x05\x01\x00\xff\x7f\x00\x00\x01\x00\x50', 0x08, 'protocol_error'),
    ('S5-Q04 no name', b'\x05\x01\x00\x03\x00', 0x01, 'protocol_error'),
    ('S5-Q04 a dot', request(b'.', 80), 0x01, 'protocol_error'),
    ('S5-Q04 NUL', request(b'127.0.0.1\0', 80), 0x01, 'protocol_error'),
    ('S5-Q04 NUL and more', request(b'127.0.0.1\0.example', 80), 0x01, 'protocol_error'),
    ('S5-Q04 control', request(b'exam\nple', 80), 0x01, 'protocol_error'),
    ('S5-Q04 DEL', request(b'exam\x7fple', 80), 0x01, 'protocol_error'),
    ('S5-Q04 254 octets', request(b'a' * 63 + (b'.' + b'b' * 63) * 2 + b'.' + b'c' * 62, 80), 0x01, 'protocol_error'),
    ('S5-Q04 255 octets', request(b'x' * 255, 80), 0x01, 'protocol_error'),
    ('S5-Q07 port 0', request('127.0.0.1', 0), 0x01, 'protocol_error'),
    ('S5-Q07 port 0 and a name', request(b'127.0.0.1', 0), 0x01, 'protocol_error'),
]


@pytest.mark.parametrize('what, octets, rep, reason', BAD_REQUESTS, ids=[row[0] for row in BAD_REQUESTS])
@pytest.mark.parametrize('deliver', [in_segments, in_octets])
def test_bad_request(shared, deliver, what, octets, rep, reason):
    """One full-length reply with the right REP, RSV 00, then the end (S5-Q01 to S5-Q07, S5-R06, S5-R08)."""
    with shared.connect() as client:
        assert client.greet() == 0
        deliver(client, octets)
        client.expect(failure(rep))
        client.expect_end()
        client.close()
        record = shared.wait_end(client)
        assert (record['reason'], record['rep']) == (reason, f'{rep:02x}'), what
        assert record['event'] == ('session_refused' if reason == 'command_unknown' else 'session_failed')


SPELLINGS = [b'127.0.0.1', b'127.1', b'0x7f.1', b'0177.0.0.1', b'2130706433', b'127.0.0.1.', b'::ffff:127.0.0.1',
             b'::ffff:7f00:1', b'::127.0.0.1', b'64:ff9b::7f00:1', b'2002:7f00:1::']


@pytest.mark.parametrize('name', SPELLINGS, ids=[name.decode() for name in SPELLINGS])
def test_name_spells_an_address(shared, target, name):
    """S5-Q05: it is that address; S5-R03: an embedded IPv4 address is answered as IPv4."""
    with shared.connect() as client:
        reply = client.open(name, target.port)
        peer = target.accept()
        assert (reply.atyp, (reply.host, reply.port)) == (socks.IPV4, peer.peer)
        peer.close()
        client.expect_end()
        client.close()
        assert shared.wait_end(client)['target'] == socks.text_of(target.where)


@pytest.mark.parametrize('rsv', [0x00, 0x01, 0x80, 0xff])
def test_rsv_tolerated(shared, target, rsv):
    """S5-Q06: any RSV will do unless `strict` is set, and the reply has 00."""
    with shared.connect() as client:
        assert client.greet() == 0
        reply = client.request(*target.where, rsv=rsv)
        assert (reply.rep, reply.rsv) == (0, 0)


def test_rsv_strict(gateway, target):
    """S5-Q06: refused where `strict` is set."""
    gw = gateway(sockgate.config(core={'strict': True}))
    for rsv, rep in ((0, 0), (1, 1), (0x80, 1)):
        with gw.connect() as client:
            assert client.greet() == 0
            client.send(request(*target.where, rsv=rsv))
            if rep:
                client.expect(failure(rep))
                client.expect_end()
            else:
                assert client.reply().rep == 0


# ---- delivery

def handshake_to(where):
    return greeting(), request(*where)


def test_octet_by_octet(shared, target):
    """S5-M01, S5-Q07: a whole handshake, each octet read before the next one leaves."""
    with shared.connect() as client:
        hello, ask = handshake_to(target.where)
        client.drip(hello)
        client.expect(b'\x05\x00')
        client.drip(ask)
        assert client.reply().rep == 0
        peer = target.accept()
        client.send(b'to the target')
        peer.expect(b'to the target')


def test_split_anywhere(shared, target):
    """S5-M01: greeting, request and payload as one stream, cut in two at every place."""
    whole = b''.join(handshake_to(target.where)) + b'early'
    for cut in range(1, len(whole)):
        with shared.connect() as client:
            client.send(whole[:cut])
            network.wait_taken(client.sock)
            client.send(whole[cut:])
            client.expect(b'\x05\x00')
            assert client.reply().rep == 0
            peer = target.accept()
            peer.expect(b'early')
            peer.close()


@pytest.mark.parametrize('size', [1, 1000, 1024, 5000, 300_000])
def test_early_payload(shared, target, size):
    """S5-Q09: greeting, request and payload in one go; the payload comes first, whole and in order."""
    payload = random.Random(size).randbytes(size)
    with shared.connect(sndbuf=1 << 20) as client:
        hello, ask = handshake_to(target.where)
        client.send(hello, ask, payload)
        client.expect(b'\x05\x00')
        assert client.reply().rep == 0
        peer = target.accept()
        peer.expect(payload)
        client.send(b'later')
        peer.expect(b'later')
        peer.close()
        client.expect_end()
        client.close()
        assert shared.wait_end(client)['bytes_up'] == size + 5


def test_early_payload_and_end(shared, target):
    """S5-Q09: the client has said everything, its end included, before the gateway has said anything."""
    with shared.connect() as client:
        client.send(*handshake_to(target.where), b'all I have to say')
        client.shutdown()
        client.expect(b'\x05\x00')
        assert client.reply().rep == 0
        peer = target.accept()
        assert peer.rest() == b'all I have to say'
        peer.send(b'answer')
        peer.close()
        assert client.rest() == b'answer'


@needs_ipv6
def test_over_ipv6(shared):
    """A listener and a target on ::1; S5-R03: ATYP 04."""
    with servers.Target('::1') as target, shared.connect('main6') as client:
        reply = client.open(*target.where)
        assert (reply.atyp, (reply.host, reply.port)) == (socks.IPV6, target.accept().peer)


# ---- clients that leave, and nonsense

LEAVING = [b'', b'\x05', b'\x05\x01', b'\x05\x01\x00', b'\x05\x01\x00\x05', b'\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00']


@pytest.mark.parametrize('sent', LEAVING, ids=[octets.hex() or 'nothing' for octets in LEAVING])
@pytest.mark.parametrize('how', ['close', 'reset', 'shutdown'])
def test_client_leaves(shared, sent, how):
    """Before it was served: one record, session_failed, and the gateway closes too."""
    with shared.connect() as client:
        client.send(sent)
        network.wait_taken(client.sock)
        if len(sent) >= 3:
            client.expect(b'\x05\x00')
        getattr(client, how)()
        record = shared.wait_end(client)
        assert record['event'] == 'session_failed'
        assert record['reason'] == ('client_reset' if how == 'reset' else 'client_gone')
        if how == 'shutdown':
            client.expect_end()


def nonsense(rng, target):
    """A handshake with something wrong in it, or nothing right."""
    whole = b''.join(handshake_to(target))
    kind = rng.randrange(4)
    if kind == 0:
        return rng.randbytes(rng.randrange(1, 600))
    if kind == 1:
        return b'\x05\x01\x00' + rng.randbytes(rng.randrange(1, 300))
    if kind == 2:
        return b'\x05\x01\x00\x05\x01\x00\x03' + rng.randbytes(rng.randrange(1, 300))
    mutant = bytearray(whole)
    for _ in range(rng.randrange(1, 4)):
        mutant[rng.randrange(len(mutant))] = rng.randrange(256)
    return bytes(mutant[:rng.randrange(1, len(mutant) + 1)])


def test_nonsense(gateway):
    """T05: random and mutated handshakes; nothing but protocol comes back (S5-R08), and a good client is served after
    each 250 of them. Nothing but the target of this test can be reached."""
    rounds = 40 if sockgate.DRILL else 8
    rng = random.Random(5)
    with servers.Echo() as echo:
        gw = gateway(sockgate.config(rules=[{'allow': {'dst': ['127.0.0.1'], 'dst_port': [str(echo.port)]},
                                             'special': ['loopback']}]))
        workers = gw.wait(gw.workers, 'workers')
        for _ in range(rounds):
            for _ in range(250):
                with gw.connect() as client:
                    check_answer(send_nonsense(client, nonsense(rng, echo.where)))
            with gw.connect() as client:
                client.open(*echo.where)
                client.send(b'still here')
                client.expect(b'still here')
        assert gw.workers() == workers


def send_nonsense(client, octets):
    """What comes back; a gateway that has not read everything may cut that short."""
    parts = []
    try:
        client.send(octets)
        client.shutdown()
        while part := client.recv():
            parts.append(part)
    except (BrokenPipeError, ConnectionResetError):
        client.served = True
    return b''.join(parts)


def check_answer(got):
    assert got[:2] in (b'', b'\x05\x00', b'\x05\xff'), got
    if got[2:]:
        assert got[2] == 5 and got[3] <= 8 and got[4] == 0 and len(got) >= 12, got
