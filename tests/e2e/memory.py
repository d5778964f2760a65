# SPDX-License-Identifier: BSD-2-Clause
"""What a process holds in its memory."""

import pathlib
import shutil
import subprocess
import tempfile

GCORE = shutil.which('gcore')


def image(pid):
    """All of it, as gcore sees it, or as /proc does where there is no gdb."""
    if not GCORE:
        return b'\n'.join(_areas(pid))
    with tempfile.TemporaryDirectory(prefix='sockgate-core-') as folder:
        done = subprocess.run([GCORE, '-o', f'{folder}/core', str(pid)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        core = pathlib.Path(folder, f'core.{pid}')
        assert core.exists(), done.stdout
        return core.read_bytes()


def _areas(pid):
    with open(f'/proc/{pid}/maps', encoding='utf-8') as maps, open(f'/proc/{pid}/mem', 'rb', 0) as memory:
        for line in maps:
            span, rights, *_ = line.split()
            if rights[0] != 'r' or line.rstrip().endswith(('[vvar]', '[vsyscall]')):
                continue
            start, end = (int(number, 16) for number in span.split('-'))
            memory.seek(start)
            try:
                yield memory.read(end - start)
            except OSError:
                pass  # what lies there cannot be read by anybody
