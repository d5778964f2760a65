# SPDX-License-Identifier: BSD-2-Clause
"""A syslog server that believes nothing: every message must be one by RFC 5424, every frame whole."""

import re
import selectors
import socket
import threading
from typing import NamedTuple

import forms
import sockgate
import socks

KINDS = ('unix', 'unix_stream', 'udp', 'tcp', 'tcp_newline')

SO_RCVBUFFORCE = 33  # no name in the module socket

HEADER = re.compile(r'<(0|[1-9]\d{0,2})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) ([!-~]{1,255}) ([!-~]{1,48}) '
                    r'([!-~]{1,128}) ([!-~]{1,32}) (.*)', re.S)


class Message(NamedTuple):
    facility: int
    severity: int
    time: str
    host: str
    app: str
    procid: str
    msgid: str
    fields: dict


def parse(octets):
    """A message of log_syslog, in either of its formats."""
    match = HEADER.fullmatch(octets.decode('ascii'))
    assert match and int(match[1]) <= 191, octets
    if match[7].startswith('- '):
        fields = forms.of_json(match[7][2:])
    else:
        fields, rest = forms.of_structured(match[7])
        assert rest == '', rest
    assert (fields['time'], fields['event']) == (match[2], match[6])
    return Message(int(match[1]) >> 3, int(match[1]) & 7, *(match[i] for i in range(2, 7)), fields)


class Server:
    """Listens in a thread of its own.

    hold()      reads no more, as a process that was stopped; release() goes on
    close()     ends as a good server does: what has been sent is read, until the other side has closed too
    kill()      ends at once
    again()     listens anew in the same place
    """

    def __init__(self, kind, path=None, rcvbuf=None):
        self.kind, self.path, self.rcvbuf = kind, path, rcvbuf
        self.port = 0
        self.octets, self.torn = [], []
        self.again()

    @property
    def settings(self):
        """Of log_syslog."""
        if self.kind.startswith('unix'):
            return {'target': f'unix:{self.path}'}
        keys = {'target': f'{self.kind[:3]}:127.0.0.1:{self.port}'}
        if self.kind == 'tcp_newline':
            keys['framing'] = 'newline'
        return keys

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.kill()

    def again(self):
        local, stream = self.kind.startswith('unix'), self.kind not in ('unix', 'udp')
        self.sock = socket.socket(socket.AF_UNIX if local else socket.AF_INET,
                                  socket.SOCK_STREAM if stream else socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self.kind == 'udp' and sockgate.ROOT:  # what the kernel throws away is nobody's fault
            self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
        if self.rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.rcvbuf)
        if local:
            self.path.unlink(missing_ok=True)
            self.sock.bind(str(self.path))
            self.path.chmod(0o777)
        else:
            self.sock.bind(('127.0.0.1', self.port))
            self.port = self.sock.getsockname()[1]
        if stream:
            self.sock.listen()
        self.sock.setblocking(False)
        self.may_read, self.ending = threading.Event(), False
        self.may_read.set()
        self._wake, self._woken = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        self._selector.register(self.sock, selectors.EVENT_READ, self._accept if stream else self._datagram)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def hold(self):
        self.may_read.clear()

    def release(self):
        self.may_read.set()

    def close(self, patient=True):
        self.patient = patient
        if self._thread.is_alive():
            self._wake.close()
            self._thread.join(socks.PATIENCE)
        assert not self._thread.is_alive(), 'a connection is never closed'

    def kill(self):
        self.release()
        self.close(patient=False)

    def _run(self):
        while not self.ending or len(self._selector.get_map()) > 0:
            for key, _ in self._selector.select():
                self.may_read.wait()
                if key.data is None:
                    self._end()
                    break
                key.data(key.fileobj)
        self._selector.close()

    def _end(self):
        """Nothing new; connections are read until the other side has closed too."""
        self.ending = True
        self._selector.unregister(self._woken)
        self._woken.close()
        if self.kind.startswith('unix'):
            self.path.unlink()
        if self.kind in ('unix', 'udp'):
            self._datagram(self.sock)
        self._selector.unregister(self.sock)
        self.sock.close()
        for key in list(self._selector.get_map().values()):
            if self.patient:
                key.fileobj.shutdown(socket.SHUT_WR)
            else:
                self._selector.unregister(key.fileobj)
                key.fileobj.close()

    def _accept(self, listening):
        sock, _ = listening.accept()
        rest = bytearray()
        self._selector.register(sock, selectors.EVENT_READ, lambda sock: self._stream(sock, rest))

    def _datagram(self, sock):
        try:
            while True:
                self.octets.append(sock.recv(65536))
        except BlockingIOError:
            pass

    def _stream(self, sock, rest):
        try:
            more = sock.recv(65536)
        except ConnectionResetError:
            more = b''
        rest += more
        while (frame := self._frame(rest)) is not None:
            self.octets.append(frame)
        if not more:
            if rest:
                self.torn.append(bytes(rest))
            self._selector.unregister(sock)
            sock.close()

    def _frame(self, rest):
        """Takes one whole frame off; None: there is none."""
        if self.kind == 'tcp':
            match = re.match(rb'([1-9]\d{0,5}) ', rest)
            assert match or len(rest) < 7, bytes(rest)
            if not match or len(rest) < match.end() + int(match[1]):
                return None
            start, end, next_at = match.end(), match.end() + int(match[1]), match.end() + int(match[1])
        else:
            start, end = 0, rest.find(b'\0' if self.kind == 'unix_stream' else b'\n')
            next_at = end + 1
        if end == -1:
            return None
        frame = bytes(rest[start:end])
        del rest[:next_at]
        return frame

    def messages(self):
        return [parse(octets) for octets in list(self.octets)]

    def events(self, **match):
        """The fields of the messages so far that have these values."""
        found = [message.fields for message in self.messages()]
        return [r for r in found if all(r.get(k) == v for k, v in match.items())]

    def records(self, **match):
        """Those of them that are the state of a session."""
        return [r for r in self.events(**match) if r['event'].startswith('session_')]
