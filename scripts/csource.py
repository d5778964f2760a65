# SPDX-License-Identifier: BSD-2-Clause
"""Just enough knowledge of C for the lint scripts: text without comments, functions, includes."""

import pathlib
import re

TOP = pathlib.Path(__file__).resolve().parent.parent

_TOKEN = re.compile(
    r'//(?:[^\\\n]|\\.|\\\n)*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def _blank(text):
    return re.sub(r'[^\n]', ' ', text)


def strip(text, keep_strings=False):
    """The text with comments, and what is inside literals, replaced by blanks: lines and columns stay."""

    def replace(match):
        token = match.group()
        if token[0] == '/':
            return _blank(token)
        return token if keep_strings else token[0] + _blank(token[1:-1]) + token[-1]

    return _TOKEN.sub(replace, text)


def _without_preprocessor(text):
    return re.sub(r'^[ \t]*#(?:[^\\\n]|\\.|\\\n)*', lambda m: _blank(m.group()), text, flags=re.M | re.S)


def functions(text):
    """(name, first line, last line) of every function that is defined, from its return type to its last brace."""
    code = _without_preprocessor(strip(text))
    depth = 0
    start = None  # where the current top-level declaration begins
    body = None  # start of the body, if the braces around us are one
    for at, char in enumerate(code):
        if depth == 0 and start is None and not char.isspace() and char not in ';}':
            start = at
        if char == '{':
            if depth == 0 and code[start:at].rstrip().endswith(')'):
                body = start
            depth += 1
        elif char == '}':
            depth -= 1
            if depth == 0:
                if body is not None:
                    head = code[body:code.index('{', body)]
                    name = re.search(r'(\w+)\s*\(', head)
                    yield (name.group(1) if name else '?', code.count('\n', 0, body) + 1, code.count('\n', 0, at) + 1)
                    start = None
                body = None
        elif char == ';' and depth == 0:
            start = None


def includes(text):
    """(line, '<' or '"', path) of every #include."""
    for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', strip(text, keep_strings=True), re.M):
        yield text.count('\n', 0, match.start()) + 1, match.group(1), match.group(2)


def files(*patterns):
    """The files below the top folder that match, sorted, as (path shown to people, text)."""
    for path in sorted({p for pattern in patterns for p in TOP.glob(pattern) if p.is_file()}):
        yield path.relative_to(TOP).as_posix(), path.read_text(encoding='utf-8')


def report(problems, done):
    """Prints what is wrong, or what was looked at; the exit status."""
    for problem in problems:
        print(problem)
    if not problems:
        print(done)
    return 1 if problems else 0
