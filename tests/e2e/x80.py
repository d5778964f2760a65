# SPDX-License-Identifier: BSD-2-Clause
"""The client's side of METHOD X'80' (tests/modules/auth_x80.c): two rounds of messages, then frames.

Codec          frames out of octets and back, without a connection
X80            speaks over a socks.Client, frame by frame
Encapsulated   a socks.Client whose payload is in frames, for tests that do not care
"""

import copy
import struct

import socks
from socks import request

SECRET = b'sockgate'
HELLO, PROOF = 1, 2
FRAME_MAX = 4096


def message(kind, octets):
    return bytes([kind, len(octets)]) + octets


def proof_of(nonce, secret=SECRET):
    return bytes(n ^ secret[i % len(secret)] for i, n in enumerate(nonce))


class Codec:
    """Frames are `80 LEN16 octets xor key`; the key runs on, each way by itself."""

    def __init__(self, key=b''):
        self.key, self.sent, self.received = key, 0, 0
        self._wire = b''

    def _crypt(self, octets, position):
        size, turn = len(octets), position % 8
        key = ((self.key[turn:] + self.key[:turn]) * (size // 8 + 1))[:size]
        return (int.from_bytes(octets, 'big') ^ int.from_bytes(key, 'big')).to_bytes(size, 'big')

    def frame(self, plain):
        wire = bytes([0x80]) + struct.pack('!H', len(plain)) + self._crypt(plain, self.sent)
        self.sent += len(plain)
        return wire

    def frames(self, plain, size=FRAME_MAX):
        return b''.join(self.frame(plain[start:start + size]) for start in range(0, len(plain), size))

    def open_frame(self, octets):
        """What is in the octets of one frame, without its head."""
        plain = self._crypt(octets, self.received)
        self.received += len(plain)
        return plain

    def feed(self, wire):
        """What is in the frames that are complete now."""
        self._wire += wire
        at, plain = 0, []
        while len(self._wire) - at >= 3:
            assert self._wire[at] == 0x80, 'a frame begins with 80'
            size, = struct.unpack_from('!H', self._wire, at + 1)
            assert 0 < size <= FRAME_MAX
            if len(self._wire) - at < 3 + size:
                break
            plain.append(self.open_frame(self._wire[at + 3:at + 3 + size]))
            at += 3 + size
        self._wire = self._wire[at:]
        return b''.join(plain)

    def inside(self):
        """A frame has begun and is not complete."""
        return bool(self._wire)


class X80:
    """A client that speaks X'80' over a socks.Client."""

    def __init__(self, client):
        self.client = client
        self.codec = Codec()
        self.plain = b''

    def login(self, name=b'alice', secret=SECRET):
        """Both rounds; the status octet of the second."""
        assert self.client.greet(b'\x80') == 0x80
        self.client.send(message(HELLO, name))
        assert self.client.recv_exactly(2) == bytes([HELLO, 8])
        self.codec.key = self.client.recv_exactly(8)
        self.client.send(message(PROOF, proof_of(self.codec.key, secret)))
        assert self.client.recv_exactly(2) == bytes([PROOF, 1])
        return self.client.recv_exactly(1)[0]

    @property
    def key(self):
        return self.codec.key

    @key.setter
    def key(self, key):
        self.codec.key = key

    def frame(self, plain):
        return self.codec.frame(plain)

    def send(self, plain, size=FRAME_MAX):
        for start in range(0, len(plain), size):
            self.client.send(self.frame(plain[start:start + size]))

    def recv_frame(self):
        """The octets of the next frame; b'' at an end between frames."""
        first = self.client.recv(1)
        if not first:
            return b''
        assert first == b'\x80', 'a frame begins with 80'
        size, = struct.unpack('!H', self.client.recv_exactly(2))
        assert 0 < size <= FRAME_MAX
        return self.codec.open_frame(self.client.recv_exactly(size))

    def recv_exactly(self, size):
        while len(self.plain) < size:
            more = self.recv_frame()
            assert more, f'the end after {self.plain!r}'
            self.plain += more
        octets, self.plain = self.plain[:size], self.plain[size:]
        return octets

    def rest(self):
        octets, self.plain = self.plain, b''
        while more := self.recv_frame():
            octets += more
        return octets

    def open(self, host, port):
        """The request and its reply, both encapsulated."""
        self.send(request(host, port))
        reply = self.recv_exactly(10)
        assert reply[:2] == b'\x05\x00', reply.hex(' ')
        return reply


class Encapsulated(socks.Client):
    """The calls of any client; what open() does and what is sent and received after it is encapsulated."""

    def open(self, host, port):
        raw = copy.copy(self)
        raw.__class__ = socks.Client
        x80 = X80(raw)
        assert x80.login() == 0
        x80.open(host, port)
        self.codec, self.plain, self.served = x80.codec, x80.plain, True

    def send(self, *parts):
        self.sock.sendall(self.codec.frames(b''.join(parts)))

    def recv(self, size=65536):
        while not self.plain:
            wire = super().recv()
            if not wire:
                assert not self.codec.inside(), 'the end inside a frame'
                return b''
            self.plain = self.codec.feed(wire)
        octets, self.plain = self.plain[:size], self.plain[size:]
        return octets
