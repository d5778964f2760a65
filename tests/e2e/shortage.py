# SPDX-License-Identifier: BSD-2-Clause
"""A process of the daemon that gets no memory: tests/preload/fail_alloc.c, and the page that it shares with a test.

    with Shortage() as shortage:
        gw = gateway(text, env=shortage.env)
        with shortage.at(gw.workers()[0], 3):     # the third allocation from here on fails, and no other
            ...
        shortage.failed                           # did it?
"""

import contextlib
import mmap
import os
import struct
import tempfile

import sockgate

LIBRARY = sockgate.BUILD / 'tests' / 'preload' / '.libs' / 'fail_alloc.so'
FOR_EVER = 0xffffffff

# struct control: offsets and forms
FIELDS = {'pid': (0, 'i'), 'count': (4, 'I'), 'first': (8, 'I'), 'failing': (12, 'I'), 'live': (16, 'i'),
          'failed': (20, 'I'), 'caller': (24, 'Q')}


class Shortage:
    """pid, count, first, failing, live, failed, caller: what the library knows."""

    def __enter__(self):
        self._file = tempfile.NamedTemporaryFile(prefix='sockgate-shortage-')  # pylint: disable=consider-using-with
        self._file.truncate(mmap.PAGESIZE)
        os.chmod(self._file.name, 0o666)
        self._page = mmap.mmap(self._file.fileno(), mmap.PAGESIZE)
        self.env = {'LD_PRELOAD': str(LIBRARY), 'SG_FAIL_ALLOC': self._file.name}
        return self

    def __exit__(self, *unused):
        self._page.close()
        self._file.close()

    def __getattr__(self, name):
        if name not in FIELDS:
            raise AttributeError(name)
        at, form = FIELDS[name]
        return struct.unpack_from(form, self._page, at)[0]

    def set(self, **fields):
        for name, value in fields.items():
            at, form = FIELDS[name]
            struct.pack_into(form, self._page, at, value)

    def watch(self, pid):
        """From here on `live` is of that process."""
        self.set(pid=pid, first=0, live=0)

    @contextlib.contextmanager
    def at(self, pid, first, failing=1):
        """The allocation of that number fails, and as many as `failing` says in all."""
        if self.pid != pid:
            self.watch(pid)
        self.set(count=0, failed=0, failing=failing, first=first)
        try:
            yield
        finally:
            self.set(first=0)
