# SPDX-License-Identifier: BSD-2-Clause
"""The forms of a log line, read back as doc/log.md describes them: each gives {field: value}, a value that strangers may
have chosen as octets."""

import json
import re
import urllib.parse

# Names of fields whose values are somebody else's words.
OCTETS = ('user', 'host', 'reason_text')

VALUE = r'(-|%%?|(?:[!#$&-\[\]-~]|%[0-9A-F]{2})+)'


def of_json(line):
    """A line of JSON, whose octets that are no UTF-8 are U+10FF80 to U+10FFFF."""
    record = json.loads(line)
    for name in OCTETS:
        if name in record:
            record[name] = b''.join(bytes([ord(c) & 0xff]) if ord(c) >= 0x10ff80 else c.encode() for c in record[name])
    return record


def unescaped(value):
    """What %HH stands for."""
    return urllib.parse.unquote_to_bytes(value)


def named(fields):
    """All values as text, but for those in OCTETS."""
    return {name: value if name in OCTETS else value.decode() for name, value in fields.items()}


def of_variables(form, line):
    """A line in a format with $variables."""
    parts = re.split(r'\$(\w+)', form)
    pattern = ''.join(VALUE if i % 2 else re.escape(part) for i, part in enumerate(parts))
    match = re.fullmatch(pattern, line)
    assert match, (form, line)
    pairs = zip(parts[1::2], match.groups())
    return named({name: b'' if value == '%' else unescaped(value) for name, value in pairs if value != '-'})


def of_structured(text):
    """([sockgate@32473 name="value" ...], what follows): RFC 5424, section 6.3, and %HH inside of values."""
    head = re.match(r'\[([!#-<>-\\^-~]{1,32})', text)
    assert head and head[1] == 'sockgate@32473', text
    at, fields = head.end(), {}
    while text[at] == ' ':
        param = re.compile(r' ([!#-<>-\\^-~]{1,32})="((?:[^"\\\]]|\\["\\\]])*)"').match(text, at)
        assert param and param[1] not in fields, text[at:]
        fields[param[1]] = unescaped(re.sub(r'\\(.)', r'\1', param[2]))
        at = param.end()
    assert text[at] == ']', text[at:]
    return named(fields), text[at + 1:]
