# SPDX-License-Identifier: BSD-2-Clause
"""What a short session asks of the kernel: every system call of the worker, in order. doc/performance.md has the reasons."""

import collections
import pathlib
import re
import shutil
import subprocess

import pytest

import sockgate

# One CONNECT to an IPv4 address of this machine, 64 octets each way, an orderly end from the client on. c: the client's
# socket, t: the target's.
SHORT_SESSION = '''
    epoll_wait accept4 recvfrom-c sendto-c epoll_ctl-ADD-c
    epoll_wait recvfrom-c socket connect-t connect-t getsockname-t sendto-c epoll_ctl-ADD-t
    epoll_wait recvfrom-c sendto-t
    epoll_wait recvfrom-t sendto-c
    epoll_wait recvfrom-c shutdown-t epoll_ctl-DEL-c
    epoll_wait epoll_ctl-MOD-t recvfrom-t close-c close-t
'''.split()
MOST = 28


def calls(trace):
    """The calls of each session. The logger is woken for all sessions of 5 ms together, by a timer: not counted."""
    sessions, names = [], {}
    for line in trace.splitlines():
        match = re.match(r'\d+ +(\w+)\((?:(\d+)(?:, |\)))?(?:EPOLL_CTL_(\w+), (\d+))?.* = (-?\d+)', line)
        if not match:
            continue
        call, fd, operation, watched, result = match.groups()
        if call == 'write' or (call == 'epoll_wait' and result == '0'):
            continue
        if call == 'accept4':
            names = {result: 'c'}
            sessions.append(['epoll_wait'])
        elif call == 'socket':
            names[result] = 't'
        parts = [call, *([operation] if operation else []), names.get(watched or fd)]
        if sessions:
            sessions[-1].append('-'.join(filter(None, parts)))
    # The wait for the next session was taken for a part of this one.
    return [session[:-1] if session[-1] == 'epoll_wait' else session for session in sessions]


def short_session(gw, target):
    with gw.connect() as client:
        client.open(*target.where)
        with target.accept() as peer:
            client.send(b'x' * 64)
            peer.expect(b'x' * 64)
            peer.send(b'y' * 64)
            client.expect(b'y' * 64)
            client.shutdown()
            peer.expect_end()
        client.expect_end()
        gw.wait_end(client)


@pytest.mark.alone
@pytest.mark.skipif(not shutil.which('strace'), reason='strace is missing')
@pytest.mark.skipif(sockgate.SANITIZED, reason='a sanitizer makes calls of its own')
def test_short_session(gateway, target):
    """The exact list, and nothing beside it."""
    gw = gateway(sockgate.config(core={'workers': 1}), turns=False)
    short_session(gw, target)
    trace = gw.dir / 'trace'
    strace = subprocess.Popen(['strace', '-f', '-o', trace, '-p', str(gw.workers()[0])], stderr=subprocess.PIPE, text=True)
    try:
        said = strace.stderr.readline()
        if 'attached' not in said:
            pytest.skip(f'strace cannot trace here: {said}')
        for _ in range(9):
            short_session(gw, target)
    finally:
        strace.terminate()
        strace.wait()
        strace.stderr.close()
    sessions = calls(pathlib.Path(trace).read_text(encoding='ascii'))
    assert len(sessions) == 9
    # A greeting that comes a moment after the connection costs one read more: most sessions tell, not each.
    usual, _ = collections.Counter(map(tuple, sessions)).most_common(1)[0]
    assert list(usual) == SHORT_SESSION
    assert len(usual) <= MOST
