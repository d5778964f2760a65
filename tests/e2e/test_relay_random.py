# SPDX-License-Identifier: BSD-2-Clause
"""Sessions whose sizes, pieces, pauses and ends are drawn by lot, on every way through the relay: each octet that arrives
is compared, and the records count all of them."""

import asyncio
import contextlib
import random
import socket
import struct

import pytest

import socks
import x80
from test_relay import PATHS, check_path, path_config

AT_ONCE = 64
BLOCK = random.Random(7).randbytes(6_000_000)


class Plan:
    """What both sides of one session do."""

    def __init__(self, number):
        rng = random.Random(number)
        self.number, self.seed = number, rng.random()
        self.up, self.down = (self._payload(rng) for _ in range(2))
        self.up = struct.pack('!I', number) + self.up  # so that the target knows whose it is
        # A client that takes its time, so that its octets wait in the gateway.
        self.slow = rng.random() < 0.03
        if self.slow:
            self.down = BLOCK[number:4_000_000]
        # Who speaks only when the other one has ended; "both": all at once.
        self.last = rng.choice(('client', 'target', 'both', 'both'))

    @staticmethod
    def _payload(rng):
        size = rng.randrange(rng.choice((1, 100, 3000, 70_000, 300_000, 300_000 if rng.random() < 0.9 else 3_000_000)))
        start = rng.randrange(len(BLOCK) - size)
        return BLOCK[start:start + size]

    def pieces(self, octets, who):
        """(piece, pause behind it)"""
        rng = random.Random(f'{self.seed} {who}')
        most = rng.choice((1500, 20_000, 200_000, 1_000_000))
        most = max(most, len(octets) // 20)
        at = 0
        while at < len(octets):
            size = rng.randint(1, most)
            yield octets[at:at + size], rng.random() * 0.01 if rng.random() < 0.2 else 0
            at += size


async def send(writer, plan, octets, who, codec=None):
    for piece, pause in plan.pieces(octets, who):
        writer.write(codec.frames(piece) if codec else piece)
        await writer.drain()
        if pause:
            await asyncio.sleep(pause)
    writer.write_eof()


async def receive(reader, expected, pause, codec=None):
    """Compares what comes, as it comes, until the orderly end."""
    at = 0
    await asyncio.sleep(pause)
    while wire := await reader.read(262_144):
        octets = codec.feed(wire) if codec else wire
        assert octets == expected[at:at + len(octets)], f'wrong octets behind {at}'
        at += len(octets)
    assert at == len(expected), f'{at} octets of {len(expected)}'


async def talk(reader, writer, plan, mine, theirs, who, codec=None):
    """One side: sends and receives at once, or receives all first."""
    sending = send(writer, plan, mine, who, codec)
    pause = 0.2 if plan.slow and who == 'client' else 0
    if plan.last == who:
        await receive(reader, theirs, pause, codec)
        await sending
    else:
        await asyncio.gather(sending, receive(reader, theirs, pause, codec))


async def x80_login(reader, writer):
    writer.write(socks.greeting(b'\x80'))
    assert await reader.readexactly(2) == b'\x05\x80'
    writer.write(x80.message(x80.HELLO, b'alice'))
    codec = x80.Codec((await reader.readexactly(10))[2:])
    writer.write(x80.message(x80.PROOF, x80.proof_of(codec.key)))
    assert await reader.readexactly(3) == bytes([x80.PROOF, 1, 0])
    return codec


class Storm:
    """Both sides of all sessions, in one loop."""

    def __init__(self, gw, path, plans):
        self.gw, self.path, self.plans = gw, path, plans
        self.names, self.served, self.failed = {}, [], []

    async def serve(self, reader, writer):
        """The target's side; whose session it is, the first four octets tell."""
        plan = None
        try:
            plan = self.plans[struct.unpack('!I', await reader.readexactly(4))[0]]
            await talk(reader, writer, plan, plan.down, plan.up[4:], 'target')
            self.served.append(plan.number)
        except (AssertionError, OSError, EOFError) as error:
            self.failed.append((plan and plan.number, 'target', repr(error)))
        finally:
            writer.close()

    async def handshake(self, reader, writer):
        if self.path == 'filter':
            codec = await x80_login(reader, writer)
            writer.write(codec.frame(socks.request(*self.where)))
            reply = codec.feed(await reader.readexactly(13))
        else:
            codec = None
            writer.write(socks.greeting())
            assert await reader.readexactly(2) == b'\x05\x00'
            writer.write(socks.request(*self.where))
            reply = await reader.readexactly(10)
        assert reply[1] == 0
        return codec

    async def session(self, plan, turn):
        async with turn:
            sock = socket.socket()
            if plan.slow:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, self.gw.address())
            reader, writer = await asyncio.open_connection(sock=sock)
            self.names.setdefault(socks.text_of(writer.get_extra_info('sockname')), []).append(plan)
            try:
                codec = await self.handshake(reader, writer)
                # The target waits for this before it knows its part.
                first = plan.up[:4]
                writer.write(codec.frame(first) if codec else first)
                await talk(reader, writer, plan, plan.up[4:], plan.down, 'client', codec)
            except (AssertionError, OSError, EOFError) as error:
                self.failed.append((plan.number, 'client', repr(error)))
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    async def run(self):
        listening = socket.socket()
        listening.bind(('127.0.0.1', 0))
        server = await asyncio.start_server(self.serve, sock=listening, backlog=1024)
        self.where = listening.getsockname()
        turn = asyncio.Semaphore(AT_ONCE)
        await asyncio.wait_for(asyncio.gather(*(self.session(plan, turn) for plan in self.plans)), 300)
        while len(self.served) + sum(who == 'target' for _, who, _ in self.failed) < len(self.plans):
            await asyncio.sleep(0.01)
        server.close()


def random_sessions(gw, path, number):
    storm = Storm(gw, path, [Plan(number) for number in range(number)])
    asyncio.run(storm.run())
    assert not storm.failed, f'{len(storm.failed)}, the first: {storm.failed[:5]}'
    gw.wait_records(number, event='session_end')
    ends = {}
    for record in gw.records(event='session_end'):
        ends.setdefault(record['client'], []).append((record['bytes_up'], record['bytes_down'], record['reason']))
    for name, plans in storm.names.items():  # several, where the kernel gave a port to one client after the other
        assert sorted(ends[name]) == sorted((len(plan.up), len(plan.down), 'closed') for plan in plans), name
    check_path(gw, path)


@pytest.mark.parametrize('path', PATHS)
def test_random_sessions(gateway, path):
    """2,000 sessions on four ways: every octet arrives, in order, with the end behind it."""
    random_sessions(gateway(path_config(path)), path, 500)


@pytest.mark.drill
@pytest.mark.parametrize('path', PATHS)
def test_random_sessions_drill(gateway, path):
    """The same with 10,000."""
    random_sessions(gateway(path_config(path)), path, 2500)
