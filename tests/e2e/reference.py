# SPDX-License-Identifier: BSD-2-Clause
"""What access_rules and the core make of a request, written once more from the manual and as plainly as possible; and
rules and requests at random. A rule is the dict that the configuration holds, a request the dict of `explain --batch`."""

import ipaddress

LEVELS = {'none': 0, 'asserted': 10, 'password': 20, 'kerberos': 30}
METHODS = {'none': 0, 'gssapi': 1, 'password': 2}
SPECIAL = [('loopback', '127.0.0.0/8'), ('loopback', '::1/128'), ('link_local', '169.254.0.0/16'),
           ('link_local', 'fe80::/10'), ('metadata', '169.254.169.254/32'), ('metadata', '100.100.100.200/32'),
           ('metadata', '168.63.129.16/32'), ('metadata', 'fd00:ec2::254/128'), ('multicast', '224.0.0.0/4'),
           ('multicast', '255.255.255.255/32'), ('multicast', 'ff00::/8'), ('unspecified', '0.0.0.0/8'),
           ('unspecified', '::/128')]
SPECIAL = [(word, ipaddress.ip_network(net)) for word, net in SPECIAL]


def listed(value):
    return value if isinstance(value, list) else [value]


def address(text):
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def network(text):
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        return None


def entries(values, sets):
    for value in listed(values):
        yield from sets[value[1:]] if value.startswith('@') else [value]


def in_range(values, addr, sets):
    return any(net is not None and addr in net for net in map(network, entries(values, sets)))


def names_match(pattern, name):
    if pattern.startswith('*.'):
        return name.endswith(pattern[1:].lower())
    if pattern.startswith('.'):
        return name == pattern[1:].lower() or name.endswith(pattern.lower())
    return name == pattern.lower()


def in_ports(values, port):
    spans = (str(value).split('-') for value in listed(values))
    return any(int(span[0]) <= port <= int(span[-1]) for span in spans)


def matches(conditions, req, addr, sets):
    """True, False, or None: it depends on the address."""
    user = req['user']
    known = {'client': lambda v: in_range(v, address(req['client']), sets),
             'listener': lambda v: req['listener'] in listed(v),
             'method': lambda v: any(METHODS.get(m, -1) == req['method'] or m == f"{req['method']:02x}" for m in listed(v)),
             'user': lambda v: bool(user) and ('*' in listed(v) or user in listed(v)),
             'group': lambda v: bool(user) and bool(set(listed(v)) & set(req['groups'])),
             'assurance': lambda v: LEVELS[req['assurance']] >= LEVELS[v],
             'cmd': lambda v: req['command'] in listed(v),
             'dst_port': lambda v: in_ports(v, req['port'])}
    if not all(holds(conditions[key]) for key, holds in known.items() if key in conditions):
        return False
    if 'dst' not in conditions:
        return True
    wanted = list(entries(conditions['dst'], sets))
    if address(req['host']) is None and any(network(w) is None and names_match(w, req['host'].lower()) for w in wanted):
        return True
    if addr is not None:
        return in_range(conditions['dst'], addr, sets)
    return None if any(network(w) is not None for w in wanted) else False


def walk(rules, req, addr, sets):
    """(verdict, label, special) of the list."""
    possible = []
    for number, rule in enumerate(rules, 1):
        verdict = 'allow' if 'allow' in rule else 'deny'
        answer = matches(rule[verdict], req, addr, sets)
        if rule.get('dry_run') or answer is False:
            continue
        possible.append((verdict, rule.get('label', f'rule {number}'), frozenset(rule.get('special', []))))
        if answer:
            break
    else:
        possible.append(('deny', 'default', frozenset()))
    outcomes = {(verdict, special if verdict == 'allow' else None) for verdict, _, special in possible}
    return possible[-1] if len(outcomes) == 1 else ('lookup', None, frozenset())


def evaluate(rules, req, sets):
    """(verdict, REP, label) as the gateway answers."""
    literal = address(req['host'])
    verdict, label, _ = walk(rules, req, literal, sets)
    if verdict == 'deny':
        return 'deny', '02', label
    addresses = [literal] if literal is not None else in_turn(req['resolves'])
    for addr in addresses:
        verdict, label, special = walk(rules, req, addr, sets)
        if verdict == 'allow' and {word for word, net in SPECIAL if addr in net} <= special:
            return 'allow', '00', label
    return 'deny', '02', label


def in_turn(texts):
    """IPv6 first, then one of each family in turn."""
    queues = [[a for a in map(address, texts) if a.version == version] for version in (6, 4)]
    order = []
    while any(queues):
        order += [queue.pop(0) for queue in queues if queue]
    return order


# ---- at random

CLIENTS = ['192.0.2.1', '192.0.2.200', '198.51.100.7', '203.0.113.5']
HOSTS = ['10.1.2.3', '10.9.9.9', '198.51.100.80', '203.0.113.80', '127.0.0.1', '169.254.1.1', '169.254.169.254',
         '2001:db8::80', '2001:db8:1::80', 'fd00::80', 'www.example.com', 'WWW.Corp.example', 'corp.example',
         'a.b.corp.example', 'notcorp.example', 'shop.test', 'mixed.test', 'bad.test', 'x.bad.test']
NAMES = {'www.example.com': ['203.0.113.80'], 'www.corp.example': ['10.1.2.3'], 'corp.example': ['10.9.9.9', '2001:db8::80'],
         'a.b.corp.example': ['198.51.100.80'], 'notcorp.example': ['10.9.9.9'], 'shop.test': ['203.0.113.80', '10.1.2.3'],
         'mixed.test': ['127.0.0.1', '203.0.113.80', 'fd00::80'], 'bad.test': ['198.51.100.80'],
         'x.bad.test': ['169.254.169.254', '2001:db8:1::80']}
PORTS = [22, 80, 443, 8080]
SETS = {'ranges.txt': ['10.1.0.0/16', '2001:db8:1::/48', '203.0.113.80'], 'names.txt': ['*.bad.test', 'shop.test', '.corp.example'],
        'mixed.txt': ['198.51.100.0/24', 'bad.test']}
CHOICES = {
    'client': ['192.0.2.0/24', '192.0.2.1', '198.51.100.0/24', '0.0.0.0/0', '@ranges.txt'],
    'listener': ['main', 'other'], 'method': ['none', 'password', '81'], 'user': ['alice', 'bob', '*'],
    'group': ['staff', 'ops'], 'cmd': ['connect', 'bind'], 'dst_port': ['22', '80', '80-443', '1024-65535'],
    'dst': ['10.0.0.0/8', '10.1.2.3', '203.0.113.0/24', '127.0.0.0/8', '169.254.0.0/16', '2001:db8::/32', 'fd00::/8',
            'www.example.com', '*.corp.example', '.corp.example', 'SHOP.test', '@ranges.txt', '@names.txt', '@mixed.txt']}


def random_rule(rng, number):
    keys = rng.sample(sorted(CHOICES) + ['assurance', 'dst', 'dst'], rng.choice([1, 1, 2, 2, 3]))
    conditions = {key: rng.choice(['asserted', 'password', 'kerberos']) if key == 'assurance' else
                  rng.sample(CHOICES[key], min(len(CHOICES[key]), rng.choice([1, 1, 2]))) for key in sorted(set(keys))}
    allow = rng.random() < 0.6
    rule = {'allow' if allow else 'deny': conditions, 'label': f'r{number}'}
    if allow and rng.random() < 0.3:
        rule['special'] = rng.sample(['loopback', 'link_local', 'metadata'], rng.choice([1, 2, 3]))
    if rng.random() < 0.1:
        rule['dry_run'] = True
    return rule


def random_request(rng, method=None):
    host = rng.choice(HOSTS)
    user = rng.choice(['', 'alice', 'bob', 'carol'])
    return {'client': rng.choice(CLIENTS), 'listener': rng.choice(['main', 'other']), 'user': user,
            'groups': rng.sample(['staff', 'ops', 'guests'], rng.choice([0, 1, 2])), 'command': 'connect',
            'method': rng.choice([0, 2, 0x81]) if method is None else method, 'assurance': rng.choice(list(LEVELS)),
            'host': host, 'port': rng.choice(PORTS), 'resolves': NAMES.get(host.lower(), [])}


def line(req):
    """As `explain --batch` reads it."""
    host = f"[{req['host']}]" if ':' in req['host'] else req['host']
    words = {'client': req['client'], 'listener': req['listener'], 'user': req['user'], 'group': ','.join(req['groups']),
             'command': req['command'], 'method': f"{req['method']:02x}", 'assurance': req['assurance'],
             'to': f"{host}:{req['port']}", 'resolves': ','.join(req['resolves'])}
    return ' '.join(f'{key}={value}' for key, value in words.items() if value)
