# SPDX-License-Identifier: BSD-2-Clause
"""Auth modules without a gateway: tests/logins/logins as a test sees it.

    with Logins('auth_file', {'path': ...}) as logins:
        answer = logins.password('alice', 'secret')     # an Answer
"""

import os
import pathlib
import shutil
import subprocess
import tempfile
from typing import NamedTuple

import sockgate

PROGRAM = sockgate.BUILD / 'tests' / 'logins' / 'logins'
CLIENT = ('192.0.2.7', 40000)
LOCAL = ('192.0.2.1', 1080)

OK, DECLINED, DENY, ERROR = 'OK', 'DECLINED', 'DENY', 'ERROR'


class Answer(NamedTuple):
    verdict: str
    name: bytes
    groups: list
    assurance: int
    delay: int  # milliseconds
    cpu: int    # nanoseconds
    reason: str


class Refused(Exception):
    """The configuration is wrong; the text holds the messages."""


class Logins:
    """One process with one instance of a module, in a folder of its own. `wrapper` is a command that runs it."""

    def __init__(self, module, settings, env=None, user=None, wrapper=()):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix='sockgate-logins-'))
        self.dir.chmod(0o755)
        self.conf = self.dir / 'sockgate.conf'
        text = sockgate.config(modules=[{'name': 'logins', 'file': f'{module}.so', 'settings': settings}],
                               hooks={'auth': ['logins']})
        self.conf.write_text(text.replace('@MODULES@', str(sockgate.MODULES)).replace('@DIR@', str(self.dir)))
        self.stderr = open(self.dir / 'stderr', 'w+', encoding='utf-8')  # pylint: disable=consider-using-with
        who = {} if user is None else {'user': user, 'group': user, 'extra_groups': []}
        self.process = subprocess.Popen([*wrapper, PROGRAM, self.conf, 'logins'], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.stderr, text=True, env=dict(os.environ, **(env or {})), **who)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        status = self.end()
        assert status == 0, self.log()

    def end(self):
        """The exit status."""
        self.process.stdin.close()
        try:
            return self.process.wait(sockgate.PATIENCE)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.text = self.log()
            self.stderr.close()
            shutil.rmtree(self.dir)

    def log(self):
        """What the error log has so far."""
        return self.text if self.stderr.closed else (self.dir / 'stderr').read_text()

    def ask(self, kind, name=b'', secret=b'', client=CLIENT, local=LOCAL):
        self.process.stdin.write(f'{kind} {client[0]} {client[1]} {local[0]} {local[1]} '
                                 f'{name.hex() or "-"} {secret.hex() or "-"}\n')
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, self.log()
        verdict, name, groups, assurance, delay, cpu, reason = line.rstrip('\n').split('\t')
        return Answer(verdict, bytes.fromhex(name), groups.split(',') if groups else [], int(assurance), int(delay),
                      int(cpu), reason)

    def password(self, name, secret, **keys):
        as_octets = [text.encode() if isinstance(text, str) else text for text in (name, secret)]
        return self.ask('password', *as_octets, **keys)


def refusal(module, settings, **keys):
    """The messages of a configuration that must be wrong."""
    logins = Logins(module, settings, **keys)
    status = logins.end()
    assert status == 3, f'exit status {status}\n{logins.text}'
    return logins.text
