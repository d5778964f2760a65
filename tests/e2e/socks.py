# SPDX-License-Identifier: BSD-2-Clause
"""A SOCKS client that works octet by octet: what is sent is what the test says, also when it is wrong."""

import ipaddress
import socket
import struct
from typing import NamedTuple

import network

CONNECT, BIND, UDP_ASSOCIATE = 1, 2, 3
IPV4, NAME, IPV6 = 1, 3, 4

# No event of a test takes as long, and none of these waits is expected to end by time.
PATIENCE = 30


def greeting(methods=b'\x00', ver=5):
    return bytes([ver, len(methods)]) + bytes(methods)


def address(host, port):
    """ATYP, DST.ADDR, DST.PORT; `host` in bytes is a name, whatever it spells."""
    if isinstance(host, bytes):
        return bytes([NAME, len(host)]) + host + struct.pack('!H', port)
    ip = ipaddress.ip_address(host)
    return bytes([IPV4 if ip.version == 4 else IPV6]) + ip.packed + struct.pack('!H', port)


def request(host, port, cmd=CONNECT, ver=5, rsv=0):
    return bytes([ver, cmd, rsv]) + address(host, port)


def request4(host, port, cmd=CONNECT, userid=b'', vn=4):
    """SOCKS4; `host` in bytes is a name, which makes it SOCKS4a."""
    name = host + b'\0' if isinstance(host, bytes) else b''
    ip = '0.0.0.1' if name else host
    return bytes([vn, cmd]) + struct.pack('!H', port) + ipaddress.ip_address(ip).packed + userid + b'\0' + name


def userpass(name, secret, ver=1):
    """The login of RFC 1929."""
    return bytes([ver, len(name)]) + name + bytes([len(secret)]) + secret


def counted(text):
    """Its length in one octet, then its octets."""
    octets = text if isinstance(text, bytes) else text.encode()
    return bytes([len(octets)]) + octets


class Reply(NamedTuple):
    ver: int
    rep: int
    rsv: int
    atyp: int
    host: str
    port: int
    octets: bytes


class Reply4(NamedTuple):
    vn: int
    cd: int
    host: str
    port: int
    octets: bytes


GRANTED, REJECTED = 90, 91
FAILURE4 = bytes([0, REJECTED, 0, 0, 0, 0, 0, 0])
FAILURE_TAIL = b'\x00\x01\x00\x00\x00\x00\x00\x00'  # RSV, ATYP 01, ten octets in all with VER and REP


def failure(rep):
    """The whole of a reply that reports failure."""
    return bytes([5, rep]) + FAILURE_TAIL


class Client:
    """One TCP connection to a listener."""

    def __init__(self, where, source=None, rcvbuf=None, sndbuf=None):
        self.sock = socket.socket(socket.AF_INET6 if ':' in where[0] else socket.AF_INET)
        self.sock.settimeout(PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for option, size in ((socket.SO_RCVBUF, rcvbuf), (socket.SO_SNDBUF, sndbuf)):
            if size:
                self.sock.setsockopt(socket.SOL_SOCKET, option, size)
        if source:
            self.sock.bind((source, 0))
        self.sock.connect(where)
        self.name = text_of(self.sock.getsockname())
        self.served = False  # the gateway has answered or closed: there must be a record

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, *parts):
        self.sock.sendall(b''.join(parts))

    def drip(self, octets):
        """One octet at a time: the gateway has read each before the next leaves, and none follows its end."""
        for octet in octets:
            if self.peek() == b'':
                return
            self.sock.sendall(bytes([octet]))
            network.wait_taken(self.sock)

    def shutdown(self):
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        """Closes with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self.sock.close()

    def recv(self, size=65536):
        """What has arrived, b'' at the end."""
        octets = self.sock.recv(size)
        self.served = True
        return octets

    def recv_exactly(self, size):
        octets = bytearray()
        while len(octets) < size:
            more = self.recv(size - len(octets))
            assert more, f'the connection ended after {octets.hex(" ")!r}, {size} octets were expected'
            octets += more
        return bytes(octets)

    def expect(self, octets):
        got = self.recv_exactly(len(octets))
        assert got == octets, f'got {got[:64].hex(" ")}, expected {octets[:64].hex(" ")}'

    def expect_end(self):
        """An orderly end, and not one octet before it."""
        got = self.recv()
        assert got == b'', f'got {got[:64].hex(" ")}, expected the end'

    def expect_reset(self):
        """RST, and neither octets nor an orderly end before it."""
        try:
            got = self.recv()
        except ConnectionResetError:
            self.served = True
            return
        raise AssertionError(f'got {got[:64].hex(" ") or "an orderly end"}, expected RST')

    def rest(self):
        """All that comes until the orderly end."""
        parts = []
        while part := self.recv():
            parts.append(part)
        return b''.join(parts)

    def peek(self):
        """The first octet that waits, b'' at the end; None if there is nothing so far."""
        self.sock.setblocking(False)
        try:
            return self.sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return None
        finally:
            self.sock.settimeout(PATIENCE)

    # ---- SOCKS5

    def greet(self, methods=b'\x00'):
        """Sends a greeting, returns the METHOD."""
        self.send(greeting(methods))
        ver, method = self.recv_exactly(2)
        assert ver == 5
        return method

    def login(self, name, secret):
        """The greeting with METHOD 02 alone, and a login; its STATUS."""
        assert self.greet(b'\x02') == 2
        self.send(userpass(name, secret))
        ver, status = self.recv_exactly(2)
        assert ver == 1
        return status

    def claim(self, name='', groups=(), assurance=0):
        """The greeting and the message of tests/modules/auth_claim.c: whoever the test says."""
        assert self.greet(b'\x81') == 0x81
        self.send(b'\x01', counted(name), bytes([assurance, len(groups)]), *map(counted, groups))
        self.expect(b'\x01\x00')

    def reply(self):
        head = self.recv_exactly(4)
        size = {IPV4: 4, IPV6: 16}[head[3]]
        tail = self.recv_exactly(size + 2)
        host = str(ipaddress.ip_address(tail[:size]))
        return Reply(head[0], head[1], head[2], head[3], host, struct.unpack('!H', tail[size:])[0], head + tail)

    def request(self, host, port, **keys):
        """Sends a request, returns the reply."""
        self.send(request(host, port, **keys))
        return self.reply()

    def open(self, host, port):
        """The whole handshake; returns the reply, which is a success."""
        assert self.greet() == 0
        reply = self.request(host, port)
        assert reply.rep == 0, f'REP {reply.rep:02x}'
        return reply

    # ---- SOCKS4

    def reply4(self):
        octets = self.recv_exactly(8)
        return Reply4(octets[0], octets[1], str(ipaddress.ip_address(octets[4:])), *struct.unpack('!H', octets[2:4]),
                      octets)

    def request4(self, host, port, **keys):
        """Sends a request of SOCKS4 or SOCKS4a, returns the reply."""
        self.send(request4(host, port, **keys))
        return self.reply4()


def text_of(name):
    """A socket's name as records write it: 127.0.0.1:80, [::1]:80."""
    return f'[{name[0]}]:{name[1]}' if ':' in name[0] else f'{name[0]}:{name[1]}'
