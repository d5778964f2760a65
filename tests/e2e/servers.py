# SPDX-License-Identifier: BSD-2-Clause
"""What stands behind the gateway in a test: targets that do as they are told."""

import contextlib
import hashlib
import http.server
import random
import select
import selectors
import socket
import struct
import threading

import socks


def writable(sock, seconds):
    """Can something be sent within that time?"""
    return _poll(sock, select.POLLOUT, seconds)


def readable(sock, seconds):
    """Does something arrive within that time, be it the end?"""
    return _poll(sock, select.POLLIN, seconds)


def _poll(sock, events, seconds):
    poll = select.poll()
    poll.register(sock, events)
    return bool(poll.poll(seconds * 1000))


class Target:
    """A listening socket; the test accepts and plays the target's part itself.

    backlog   connections that may wait
    """

    def __init__(self, host='127.0.0.1', backlog=4096, rcvbuf=None):
        family = socket.AF_INET6 if ':' in host else socket.AF_INET
        self.sock = socket.socket(family)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.bind((host, 0))
        self.sock.listen(backlog)
        self.sock.settimeout(socks.PATIENCE)
        self.host, self.port = self.sock.getsockname()[:2]
        self.where = (self.host, self.port)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def accept(self):
        """The next connection, as a Peer."""
        sock, name = self.sock.accept()
        return Peer(sock, name)

    def untouched(self):
        """No connection waits to be accepted."""
        return not readable(self.sock, 0)

    def close(self):
        self.sock.close()


class Peer(socks.Client):
    """The target's end of one connection; speaks no SOCKS, but receives and expects like a client."""

    def __init__(self, sock, name):  # pylint: disable=super-init-not-called
        self.sock = sock
        self.sock.settimeout(socks.PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.peer = name[:2]
        self.name = socks.text_of(self.sock.getsockname())
        self.served = False


def peer(host, port, source=None):
    """Connects to a port of the gateway, as the peer of a BIND does."""
    sock = socket.create_connection((host, port), socks.PATIENCE, (source, 0) if source else None)
    return Peer(sock, (host, port))


class Refusing:
    """A port that is taken, so that nobody else gets it, and where nobody listens."""

    def __init__(self, host='127.0.0.1'):
        self.sock = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET)
        self.sock.bind((host, 0))
        self.where = self.sock.getsockname()[:2]

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.sock.close()


class Silent(Target):
    """A port whose SYNs are dropped: its queue is full for good."""

    def __init__(self, host='127.0.0.1'):
        super().__init__(host, backlog=0)
        self.waiting = []
        while True:
            sock = socket.socket(self.sock.family)
            sock.setblocking(False)
            sock.connect_ex(self.where)
            self.waiting.append(sock)
            if not writable(sock, 0.3):
                return

    def wake(self):
        """From now on SYNs are answered; the kernel of whoever sent one sends it again after a second."""
        for sock in self.waiting:
            sock.close()
        while readable(self.sock, 0):
            self.accept().close()

    def close(self):
        self.wake()
        super().close()


class Served:
    """A server in a thread of its own; `serve` gets a selector's turn for many connections at once."""

    def __init__(self, host='127.0.0.1'):
        self.target = Target(host)
        self.where = self.target.where
        self.host, self.port = self.where
        self._wake, self._woken = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.target.sock.setblocking(False)
        self._selector.register(self.target.sock, selectors.EVENT_READ, self._accept)
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        self._thread.start()
        return self

    def __exit__(self, *unused):
        self._wake.close()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()

    def _run(self):
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    return
                key.data(key.fileobj)

    def _accept(self, listening):
        with contextlib.suppress(BlockingIOError):
            sock, _ = listening.accept()
            sock.settimeout(socks.PATIENCE)
            self._selector.register(sock, selectors.EVENT_READ, self._readable)

    def _readable(self, sock):
        try:
            if self.answer(sock):
                return
        except OSError:
            pass
        self._selector.unregister(sock)
        sock.close()

    def answer(self, sock):
        """There is something to read; false: close."""
        raise NotImplementedError


class Echo(Served):
    """Sends back what comes."""

    def answer(self, sock):
        octets = sock.recv(65536)
        sock.sendall(octets)
        return octets


class FileServer:
    """HTTP/1.0 with one large file under every path; `sha256` is its checksum."""

    def __init__(self, host='127.0.0.1', size=100_000_000):
        body = Body(size)
        self.sha256, self.size = body.sha256, size

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header('Content-Length', str(size))
                self.end_headers()
                for block in body.blocks():
                    self.wfile.write(block)

            def log_message(self, *unused):
                pass

        family = socket.AF_INET6 if ':' in host else socket.AF_INET

        class Server(http.server.ThreadingHTTPServer):
            address_family = family

        self._server = Server((host, 0), Handler)
        self.where = self._server.server_address[:2]
        self.url = 'http://%s/file' % socks.text_of(self.where)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={'poll_interval': 0.05}, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *unused):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Body:
    """Octets that are not the same anywhere: a random block with a running number in front, again and again."""

    BLOCK = 1 << 20

    def __init__(self, size):
        self.size = size
        self._random = random.Random(size).randbytes(self.BLOCK - 8)
        digest = hashlib.sha256()
        for block in self.blocks():
            digest.update(block)
        self.sha256 = digest.hexdigest()

    def blocks(self):
        left = self.size
        for number in range(-(-self.size // self.BLOCK)):
            block = struct.pack('!Q', number) + self._random
            yield block[:left] if left < self.BLOCK else block
            left -= self.BLOCK
