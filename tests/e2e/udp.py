# SPDX-License-Identifier: BSD-2-Clause
"""UDP ASSOCIATE from the client's side, and what stands behind the gateway."""

import ipaddress
import os
import socket
import struct

import servers
import sockgate
import socks
from socks import IPV4, NAME, UDP_ASSOCIATE, address

# UDP over IPv4: 65,535 less the headers of IP and UDP.
LONGEST = 65507


def config(settings=None, udp=None, **keys):
    """A configuration with the command; `settings` are those of cmd_udp, `udp` the whole entry."""
    hooks = dict(keys.pop('hooks', {}))
    hooks['command'] = {'connect': 'connect', 'udp_associate': 'udp'}
    modules = [*keys.pop('modules', ()), udp or {'name': 'udp', 'file': 'cmd_udp.so', 'settings': settings or {}}]
    keys['core'] = dict({'workers': 1}, **keys.get('core', {}))
    return sockgate.config(hooks=hooks, modules=modules, **keys)


def header(host, port, frag=0, rsv=0):
    return struct.pack('!HB', rsv, frag) + address(host, port)


def parted(octets):
    """(RSV, FRAG, ATYP, host, port, payload) of a datagram of the gateway."""
    rsv, frag, atyp = struct.unpack_from('!HBB', octets)
    size = 4 if atyp == IPV4 else 16
    host = str(ipaddress.ip_address(octets[4:4 + size]))
    port, = struct.unpack_from('!H', octets, 4 + size)
    return rsv, frag, atyp, host, port, octets[6 + size:]


class Place:
    """A UDP socket of a test: a target, or a client's."""

    def __init__(self, host='127.0.0.1', port=0):
        self.sock = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.settimeout(socks.PATIENCE)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            self.sock.setsockopt(socket.SOL_SOCKET, option, 1 << 22)
        self.sock.bind((host, port))
        self.host, self.port = self.sock.getsockname()[:2]
        self.where = (self.host, self.port)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.sock.close()

    def send(self, octets, to):
        self.sock.sendto(octets, to[:2])

    def recv(self):
        """(octets, sender)."""
        octets, sender = self.sock.recvfrom(65536)
        return octets, sender[:2]

    def expect(self, octets):
        """That datagram is the next; its sender."""
        got, sender = self.recv()
        assert got == octets, f'got {len(got)} octets {got[:40].hex(" ")}, expected {len(octets)}: {octets[:40].hex(" ")}'
        return sender

    def silent(self):
        """Nothing has arrived."""
        return not servers.readable(self.sock, 0)


class Association:
    """A client with its TCP connection and the UDP socket that it sends from.

    announced  DST.ADDR and DST.PORT of the request
    own        a Place to send from, if not one made here
    """

    def __init__(self, client, announced=('0.0.0.0', 0), own=None, greeted=False):
        self.client = client
        if not greeted:
            assert client.greet() == 0
        self.reply = client.request(*announced, cmd=UDP_ASSOCIATE)
        self.relay = (self.reply.host, self.reply.port)
        self.own = own or (Place(client.sock.getsockname()[0]) if self.reply.rep == 0 else None)

    def __enter__(self):
        assert self.reply.rep == 0, f'REP {self.reply.rep:02x}'
        return self

    def __exit__(self, *unused):
        self.own.sock.close()
        self.client.close()

    def send(self, payload, to, **keys):
        self.own.send(header(*to[:2], **keys) + payload, self.relay)

    def raw(self, octets):
        self.own.send(octets, self.relay)

    def recv(self):
        """(payload, (host, port) that it is from); the header is what it must be."""
        octets, sender = self.own.recv()
        assert sender == self.relay
        rsv, frag, atyp, host, port, payload = parted(octets)
        assert (rsv, frag) == (0, 0) and atyp != NAME
        return payload, (host, port)

    def trip(self, target, payload=b'ping', to=None):
        """There and back again; where the target sees it come from."""
        self.send(payload, to or target.where)
        seen = target.expect(payload)
        target.send(payload[::-1], seen)
        assert self.recv() == (payload[::-1], target.where)
        return seen


    def reach(self, target):
        """Until one arrives, and nothing of before is under way any more: where much was sent, the kernel may have had no
        room for the next."""
        for number in range(10 * socks.PATIENCE):
            mark = b'mark %d' % number
            self.send(mark, target.where)
            while servers.readable(target.sock, 0.1):
                got, _ = target.recv()
                assert got.startswith(b'mark '), f'{got[:40]!r} was relayed'
                if got == mark:
                    return
        raise AssertionError('nothing arrives any more')


def associate(gw, name='main', announced=('0.0.0.0', 0), own=None, **keys):
    return Association(gw.connect(name, **keys), announced, own)


def descriptors(pid):
    """What a process has open, but for what it has while this is read."""
    return len(os.listdir(f'/proc/{pid}/fd'))
