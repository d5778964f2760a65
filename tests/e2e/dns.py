# SPDX-License-Identifier: BSD-2-Clause
"""A name server that does as it is told, on one loopback port, UDP and TCP.

    with dns.Server() as server:
        server['www.test', 'A'] = ['192.0.2.1']           # addresses, TTL 60
        server['www.test', 'AAAA'] = dns.Answer(rcode=dns.SERVFAIL)
        server['slow.test', 'A'] = dns.Answer(['192.0.2.1'], delay=3)
        server['turn.test', 'A'] = lambda: ['192.0.2.1']  # asked anew for each query
        server.asked['www.test', 'A']                     # how often

A name without entry does not exist (NXDOMAIN); one that exists has no data of other types. What a wire looks like is
written here by hand: a library would not write what is wrong.
"""

import collections
import contextlib
import ipaddress
import select
import socket
import struct
import threading
from dataclasses import dataclass, field

SERVFAIL, NXDOMAIN, REFUSED = 2, 3, 5
TYPES = {1: 'A', 28: 'AAAA'}
NUMBERS = {'A': 1, 'AAAA': 28, 'CNAME': 5}


@dataclass
class Answer:
    """
    silent      never an answer
    truncated   over UDP only the TC bit; True: TCP has the answer, 'refused': TCP is closed at once
    cnames      names on the way to the addresses, each the target of the one before
    garble      a function from the octets of the answer to what is sent instead
    """
    addresses: list = field(default_factory=list)
    ttl: int = 60
    rcode: int = 0
    delay: float = 0
    silent: bool = False
    truncated: object = False
    cnames: tuple = ()
    garble: object = None


def labels(name):
    return b''.join(bytes([len(part)]) + part.encode() for part in name.split('.')) + b'\0'


def record(owner, kind, ttl, data):
    return labels(owner) + struct.pack('!HHIH', NUMBERS[kind], 1, ttl, len(data)) + data


def pointed_at_itself(answer):
    """The answer with one record, whose owner is a compression pointer to that pointer."""
    end = 12 + len(question_of(answer)[2])
    pointed = struct.pack('!HHHIH', 0xc000 | end, NUMBERS['A'], 1, 60, 4) + b'\x7f\x00\x00\x01'
    return answer[:6] + struct.pack('!HHH', 1, 0, 0) + answer[12:end] + pointed


def question_of(query):
    """(name, type, octets of the question)."""
    at, parts = 12, []
    while query[at]:
        parts.append(query[at + 1:at + 1 + query[at]].decode('latin-1'))
        at += 1 + query[at]
    number, = struct.unpack('!H', query[at + 1:at + 3])
    return '.'.join(parts).lower(), TYPES.get(number, str(number)), query[12:at + 5]


class Server:
    """The address is in `where`, as configurations take it in `text`."""

    def __init__(self, host='127.0.0.1'):
        self.entries, self.asked = {}, collections.Counter()
        self._lock = threading.Lock()
        self.udp, self.tcp = self._bind(host)
        self.where = self.udp.getsockname()
        self.text = '%s:%d' % self.where
        self.tcp.listen(64)
        self._stop = socket.socketpair()
        self._timers = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @staticmethod
    def _bind(host):
        """One port for both, which TCP may have given to somebody else already."""
        for _ in range(100):
            udp, tcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket()
            try:
                udp.bind((host, 0))
                tcp.bind(udp.getsockname())
                return udp, tcp
            except OSError:
                udp.close()
                tcp.close()
        raise OSError('no port is free for UDP and TCP')

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self._stop[0].send(b'x')
        self._thread.join()
        for timer in self._timers:
            timer.cancel()
        for sock in (self.udp, self.tcp, *self._stop):
            sock.close()

    def __setitem__(self, key, value):
        self.entries[key] = value

    def _find(self, name, kind):
        entry = self.entries.get((name, kind))
        if callable(entry):
            entry = entry()
        if entry is None:
            known = any(other == name for other, _ in self.entries)
            return Answer() if known else Answer(rcode=NXDOMAIN)
        return entry if isinstance(entry, Answer) else Answer(entry)

    def _reply(self, query, tcp):
        """(delay, octets), octets None: none."""
        name, kind, question = question_of(query)
        with self._lock:
            self.asked[name, kind] += 1
            answer = self._find(name, kind)
        if answer.silent:
            return 0, None
        records, owner = [], name
        for target in answer.cnames:
            records.append(record(owner, 'CNAME', answer.ttl, labels(target)))
            owner = target
        records += [record(owner, kind, answer.ttl, ipaddress.ip_address(a).packed) for a in answer.addresses]
        cut = answer.truncated and not tcp
        if cut:
            records = []
        elif tcp and answer.truncated == 'refused':
            return 0, None
        flags = 0x8180 | answer.rcode | (0x0200 if cut else 0)
        octets = query[:2] + struct.pack('!HHHHH', flags, 1, len(records), 0, 0) + question + b''.join(records)
        return answer.delay, answer.garble(octets) if answer.garble else octets

    def _serve(self):
        while True:
            ready = select.select([self.udp, self.tcp, self._stop[1]], [], [])[0]
            if self._stop[1] in ready:
                return
            if self.udp in ready:
                query, peer = self.udp.recvfrom(4096)
                self._send(*self._reply(query, False), lambda octets, to=peer: self.udp.sendto(octets, to))
            if self.tcp in ready:
                threading.Thread(target=self._serve_tcp, args=(self.tcp.accept()[0], ), daemon=True).start()

    def _send(self, delay, octets, send):
        if octets is None:
            return

        def deliver():
            with contextlib.suppress(OSError):
                send(octets)
        if delay:
            timer = threading.Timer(delay, deliver)
            self._timers.append(timer)
            timer.start()
        else:
            deliver()

    def _serve_tcp(self, sock):
        with sock, contextlib.suppress(OSError, struct.error):
            sock.settimeout(10)
            while True:
                size, = struct.unpack('!H', sock.recv(2, socket.MSG_WAITALL))
                _, octets = self._reply(sock.recv(size, socket.MSG_WAITALL), True)
                if octets is None:
                    return
                sock.sendall(struct.pack('!H', len(octets)) + octets)


def core(server, **keys):
    """The group `core` of a configuration that asks this server, quick to give up."""
    resolver = dict({'servers': [server.text], 'timeout': '300ms', 'tries': 2, 'hosts': ''}, **keys)
    return {'workers': 1, 'resolver': resolver}
