# SPDX-License-Identifier: BSD-2-Clause
"""What the kernel knows about connections, and networks of a test's own."""

import contextlib
import ctypes
import ipaddress
import itertools
import os
import pathlib
import socket
import struct
import subprocess
import time
from typing import NamedTuple

SYN_SENT, TIME_WAIT, LISTEN = 2, 6, 10
NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST = 4, 20, 1
PATIENCE = 30
CLONE_NEWNET = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)
_numbers = itertools.count(1)


class Connection(NamedTuple):
    state: int
    unread: int
    open: bool  # a program has accepted it, and not closed it


def _kernel_form(where):
    """127.0.0.1:80 as /proc/net/tcp writes it: words in the byte order of the machine."""
    packed = ipaddress.ip_address(where[0]).packed
    return ''.join(f'{word:08X}' for word in struct.unpack(f'={len(packed) // 4}I', packed)) + f':{where[1]:04X}'


def dialling(where):
    """How many connections to this (host, port) have sent a SYN and got no answer."""
    table = 'tcp6' if ':' in where[0] else 'tcp'
    rows = [line.split() for line in pathlib.Path(f'/proc/thread-self/net/{table}').read_text('ascii').splitlines()]
    return sum(1 for row in rows if (row[2], row[3]) == (_kernel_form(where), f'{SYN_SENT:02X}'))


def other_end(sock):
    """The other side's socket of a connection within this machine; None if it is gone, or in TIME_WAIT."""
    try:
        local, remote = sock.getpeername()[:2], sock.getsockname()[:2]
    except OSError:
        return None
    # struct nlmsghdr, struct inet_diag_req_v2 (linux/netlink.h, linux/inet_diag.h): one socket, by its two ends.
    ips = (ipaddress.ip_address(end[0]).packed for end in (local, remote))
    ends = struct.pack('!HH16s16s', local[1], remote[1], *ips)
    request = (struct.pack('=BBBBI', sock.family, socket.IPPROTO_TCP, 0, 0, 0xffffffff) + ends +
               struct.pack('=III', 0, 0xffffffff, 0xffffffff))
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_SOCK_DIAG) as diag:
        diag.send(struct.pack('=IHHII', 16 + len(request), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 1, 0) + request)
        answer = diag.recv(4096)
    kind, = struct.unpack_from('=H', answer, 4)
    if kind != SOCK_DIAG_BY_FAMILY:
        return None
    state = answer[17]
    unread, _, _, inode = struct.unpack_from('=IIII', answer, 16 + 4 + len(ends) + 12 + 4)
    # Where there is no such connection, the kernel answers with whoever listens there.
    return None if state in (LISTEN, TIME_WAIT) else Connection(state, unread, inode != 0)


def closed(sock):
    """Has the program on the other side, which had it, closed it? What its kernel does after that does not count."""
    other = other_end(sock)
    return other is None or not other.open


def wait_taken(sock):
    """Until the program on the other side has read everything that was sent so far."""
    end = time.monotonic() + PATIENCE
    while (other := other_end(sock)) and other.unread:
        assert time.monotonic() < end, 'the other side does not read'


class Namespace:
    """A network without anything but loopback and a link into nowhere, `void0`: it has 10.99.0.1/24 and fd99::1/64,
    takes every packet, and answers none. Needs root.

    with Namespace() as ns:
        ns.ip('route add unreachable 198.51.100.0/24')
        with ns.entered(): ...                            # sockets made here are in it
    """

    def __init__(self):
        self.name = f'sockgate-e2e-{os.getpid()}-{next(_numbers)}'

    def __enter__(self):
        subprocess.run(['ip', 'netns', 'add', self.name], check=True)
        try:
            self.ip('link set lo up')
            self.ip('link add void0 type veth peer name void1')
            self.ip('link set void1 up')
            self.ip('link set void0 up')
            self.ip('addr add 10.99.0.1/24 dev void0')
            self.ip('addr add fd99::1/64 dev void0 nodad')
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *unused):
        subprocess.run(['ip', 'netns', 'del', self.name], check=True)

    def ip(self, command):
        subprocess.run(['ip', '-n', self.name, *command.split()], check=True)

    def link(self, other):
        """A wire between two namespaces, wire0 at both ends: 10.98.0.1 here and 10.98.0.2 there."""
        self.ip(f'link add wire0 type veth peer name wire0 netns {other.name}')
        for namespace, host in ((self, '10.98.0.1'), (other, '10.98.0.2')):
            namespace.ip(f'addr add {host}/24 dev wire0')
            namespace.ip('link set wire0 up')

    def black_hole(self, host):
        """Packets to this neighbour leave and nothing comes back."""
        self.ip(f'neigh replace {host} lladdr 02:00:00:00:00:99 dev void0')

    @contextlib.contextmanager
    def entered(self):
        """This thread is in the namespace."""
        before = os.open('/proc/thread-self/ns/net', os.O_RDONLY | os.O_CLOEXEC)
        try:
            inside = os.open(f'/run/netns/{self.name}', os.O_RDONLY | os.O_CLOEXEC)
            try:
                _setns(inside)
            finally:
                os.close(inside)
            try:
                yield
            finally:
                _setns(before)
        finally:
            os.close(before)


@contextlib.contextmanager
def everywhere():
    """A namespace in which every address is this machine's own; this thread is in it."""
    with Namespace() as namespace:
        namespace.ip('route add local 0.0.0.0/0 dev lo')
        namespace.ip('-6 route add local ::/0 dev lo')
        with namespace.entered():
            yield namespace


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET) == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
