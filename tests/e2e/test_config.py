# SPDX-License-Identifier: BSD-2-Clause
"""Configurations that are wrong, and how sockgate says so; and those that are right."""

import os
import re
import subprocess

import pytest

import sockgate
from conftest import needs_root
from sockgate import BUILD, MODULES, TOP

GOOD = '''core = {
  workers = 2;
  runtime_dir = "@DIR@/run";
  module_dir = "@MODULES@";
  timeouts = { idle = "10m"; };
  limits = { sessions = 100; };
};

modules = (
  { name = "none"; file = "auth_none.so"; },
  { name = "rules"; file = "access_rules.so"; settings = { rules = (
      { allow = { dst_port = [ "80" ]; }; label = "web"; }
  ); }; },
  { name = "connect"; file = "cmd_connect.so"; }
);

hooks = {
  auth = [ "none" ];
  access = [ "rules" ];
  command = { connect = "connect"; };
};

listeners = (
  { name = "main"; address = "127.0.0.1"; port = 1080; }
);
'''


@pytest.fixture
def check(tmp_path):
    """A function: check(text) runs sockgate -t on it; (exit status, standard error). Everything runs in tmp_path."""
    def run(text, *options):
        path = tmp_path / 'sockgate.conf'
        path.write_text(text.replace('@DIR@', str(tmp_path)).replace('@MODULES@', str(MODULES))
                        .replace('@TESTS@', str(BUILD / 'tests')))
        done = subprocess.run([sockgate.BINARY, '-t', *options, '-c', path], capture_output=True, text=True,
                              cwd=tmp_path, timeout=sockgate.PATIENCE, check=False)
        return done.returncode, done.stderr if not options else done.stdout
    run.path = tmp_path / 'sockgate.conf'
    return run


def errors(stderr):
    """[(file, line, text)] of the messages that name a place."""
    return [(file, int(line), text) for file, line, text in
            re.findall(r'^sockgate: \[emerg\] (.+?):(\d+): (.*)$', stderr, re.M)]


# What is replaced in GOOD, by what ("@@" is taken out; it stands in the line that the message must name), the words
# that the message must hold, and what the caret points at (None: anything in the line).
BROKEN = [
    # syntax
    ('yes for true', 'workers = 2;', '@@strict = yes;', ['true or false'], 'yes'),
    ('a unit without quotes', '"10m"', '@@30s', ['quote', '"30s"'], '30s'),
    ('a comma too many', 'file = "cmd_connect.so"; }', 'file = "cmd_connect.so"; }@@,', ['comma'], None),
    ('a dot in a name', 'workers = 2;', '@@error_log.level = "info";', ['no dots', '{'], None),
    ('an unquoted string', '"web"', '@@web', ['quote', '"web"'], 'web'),
    ('a comment without end', 'limits =', '@@/* limits =', ['comment never ends'], '/*'),
    ('a string without end', '"127.0.0.1"', '@@"127.0.0.1', ['string never ends'], '"'),
    ('a number that libconfig would cut', 'sessions = 100', '@@sessions = 5000000000', ['too large', '"5G"'],
     '5000000000'),
    ('a key twice', 'workers = 2;', 'workers = 2;\n@@workers = 3;', ['duplicate'], 'workers'),
    ('an include that is missing', 'core = {', '@@@include "none.conf"\ncore = {', ['none.conf', 'No such file'], None),
    # keys and types
    ('an unknown key', 'port = 1080', '@@prot = 1080', ['unknown key "prot"', 'listeners', 'did you mean "port"'],
     'prot'),
    ('an unknown group', 'hooks = {', '@@hoks = { };\nhooks = {', ['unknown key "hoks"', 'did you mean "hooks"'],
     'hoks'),
    ('nothing like any key', 'workers = 2;', '@@flavour = 2;', ['unknown key "flavour"', 'core'], 'flavour'),
    ('an unknown key of a module', 'label = "web"', '@@lable = "web"', ['module "rules"', 'did you mean "label"'],
     'lable'),
    ('a setting of a module without any', '"auth_none.so";', '"auth_none.so"; settings = { @@user = "x"; };',
     ['module "none"', 'unknown key "user"'], 'user'),
    ('a number for a string', 'name = "main"', '@@name = 5', ['a number is not allowed', 'a string'], None),
    ('a string for a number', 'sessions = 100', '@@sessions = "many"', ['sessions', 'a number'], None),
    ('a number without a unit', '"10m"', '@@600', ['a duration', '"30s"'], None),
    ('a wrong unit', '"10m"', '@@"10 minutes"', ['not a duration', 'ms, s, m, h or d'], None),
    ('a fraction', 'workers = 2', '@@workers = 2.5', ['a number with a point'], None),
    ('a string for a switch', 'workers = 2;', '@@strict = "true";', ['strict'], None),
    ('a group for a list', 'listeners = (\n  { name = "main"; address = "127.0.0.1"; port = 1080; }\n)',
     '@@listeners = { name = "main"; }', ['a group', 'list of groups'], None),
    ('too small', 'sessions = 100', '@@sessions = 0', ['out of range', '1', '1000000'], None),
    ('too large', 'port = 1080', '@@port = 65536', ['out of range', '65535'], None),
    ('longer than the RFC allows', 'idle = "10m"', '@@linger = "10s"', ['out of range', '9s'], None),
    ('none of the words', 'workers = 2;', 'error_log = { @@level = "inof"; };', ['did you mean "info"'], None),
    ('no address', '"127.0.0.1"', '@@"localhost"', ['not an IP address'], None),
    ('no range', '[ "80" ]; }', '[ "80" ]; @@dst = [ "10.0.0.1/8" ]; }', ['bits set behind the prefix'], None),
    ('no port', '[ "80" ]', '@@[ "http" ]', ['not a port'], None),
    ('an empty list', 'auth = [ "none" ]', '@@auth = [ ]', ['empty'], None),
    ('a key that is missing', 'name = "main"; address = "127.0.0.1";', '@@name = "main";', ['"address" is missing'],
     None),
    # what belongs together
    ('no such instance', 'auth = [ "none" ]', '@@auth = [ "non" ]', ['no instance "non"'], None),
    ('an instance that nobody uses', '{ name = "connect";',
     '@@{ name = "spare"; file = "auth_none.so"; },\n{ name = "connect";', ['"spare" is unused'], None),
    ('an instance twice', '{ name = "connect";', '@@{ name = "none"; file = "auth_none.so"; },\n{ name = "connect";',
     ['"none" is taken'], None),
    ('an instance twice in a list', 'access = [ "rules" ]', '@@access = [ "rules", "rules" ]', ['twice'], None),
    ('a listener twice', ' port = 1080; }',
     ' port = 1080; },\n@@{ name = "other"; address = "127.0.0.1"; port = 1080; }', ['same address and port'], None),
    ('a listener of that name', ' port = 1080; }', ' port = 1080; },\n@@{ name = "main"; address = "127.0.0.2"; }',
     ['"main" is taken'], None),
    ('a name that is none', 'name = "main"', '@@name = "main street"', ['1 to 63 letters'], None),
    ('two sources of a family', 'port = 1080', '@@outgoing = [ "127.0.0.1", "127.0.0.2" ]', ['same family'], None),
    ('a role that the module lacks', 'access = [ "rules" ]', '@@access = [ "none" ]', ['does not have that role'],
     None),
    ('a command of another module', 'connect = "connect"', '@@bind = "connect"', ['CMD'], None),
    ('a METHOD claimed twice', 'auth = [ "none" ]', '@@auth = [ "x80", "none", "x81" ]', ['both claim METHOD 80'],
     None),
    ('no module file', '"cmd_connect.so"', '@@"cmd_conect.so"', ['cmd_conect.so', 'No such file'], None),
    ('no shared object', '"cmd_connect.so"', '@@"@DIR@/sockgate.conf"', ['not a shared object'], None),
    ('allow and deny', 'label = "web"', '@@deny = { }; label = "web"', ['either "allow" or "deny"'], None),
    ('a rule that is never reached', '{ allow =', '{ allow = { }; },\n@@{ allow =', ['never reached', ':12'], None),
    ('special with deny', '{ allow = { dst_port = [ "80" ]; };', '@@{ deny = { }; special = [ "loopback" ];',
     ['"special"', '"allow"'], None),
    ('a relative path', 'runtime_dir = "@DIR@/run"', '@@runtime_dir = "run"', ['not an absolute path'], None),
]
EXTRA_X80 = '''  { name = "x80"; file = "@TESTS@/modules/.libs/auth_x80.so"; },
  { name = "x81"; file = "@TESTS@/modules/.libs/auth_x80.so"; },
'''


def broken(old, new):
    """(the text, the number of the line that the message must name)."""
    assert GOOD.count(old) == 1, old
    text = GOOD.replace(old, new)
    if '"x80"' in new:
        text = text.replace('modules = (\n', 'modules = (\n' + EXTRA_X80)
    before = text[:text.index('@@')]
    return text.replace('@@', '', 1), before.count('\n') + 1


@pytest.mark.parametrize('what, old, new, words, mark', BROKEN, ids=[row[0] for row in BROKEN])
def test_broken(check, what, old, new, words, mark):
    """Exit status 1, FILE:LINE, what is wrong and what would be right, the line itself and a caret under the place."""
    text, line = broken(old, new)
    status, stderr = check(text)
    assert status == 1, what
    said = [message for file, number, message in errors(stderr) if (file, number) == (str(check.path), line)]
    matching = [message for message in said if all(word in message for word in words)]
    assert matching, f'{what}: line {line} with {words} expected:\n{stderr}'
    shown = stderr.splitlines()
    at = next(i for i, shown_line in enumerate(shown) if matching[0] in shown_line)
    source = text.replace('@DIR@', str(check.path.parent)).splitlines()[line - 1]
    assert shown[at + 1].strip() and shown[at + 1] in source, stderr
    assert re.fullmatch(r'[ \t]*\^', shown[at + 2]), stderr
    column = len(shown[at + 2]) - 1
    assert mark is None or shown[at + 1][column:].startswith(mark), stderr


def test_method_claimed_twice_is_per_listener(check):
    """S5-M09: one METHOD, two claims: an error in one hook table, and none in two."""
    text = GOOD.replace('modules = (\n', 'modules = (\n' + EXTRA_X80)
    one = text.replace('auth = [ "none" ]', 'auth = [ "x80", "none", "x81" ]')
    assert check(one)[0] == 1
    two = text.replace('port = 1080; }', '''port = 1080; hooks = { auth = [ "x80" ]; }; },
  { name = "second"; address = "127.0.0.1"; port = 1081; hooks = { auth = [ "x81", "none" ]; }; }''')
    two = two.replace('  auth = [ "none" ];\n', '')
    assert check(two) == (0, f'sockgate: [notice] configuration file {check.path} test is successful\n')


def test_all_errors_at_once(check):
    """Every mistake of a file is told in one go, in the order of the file."""
    lines = []
    text = GOOD
    for old, new in (('workers = 2', 'wrokers = 2'), ('"10m"', '600'), ('sessions = 100', 'sessions = 0'),
                     ('dst_port = [ "80" ]', 'dst_port = [ "http" ]'), ('port = 1080', 'port = 70000')):
        text = text.replace(old, new)
        lines.append(text[:text.index(new)].count('\n') + 1)
    status, stderr = check(text)
    assert status == 1
    assert [line for _, line, _ in errors(stderr)] == lines, stderr


def test_errors_in_an_included_file(check):
    """A mistake is shown where it was made: in the file that was included, relative to the one that includes it."""
    part = check.path.parent / 'conf.d' / 'limits.conf'
    part.parent.mkdir()
    part.write_text('# a part\nlimits = { sesions = 5; };\n')
    status, stderr = check(GOOD.replace('limits = { sessions = 100; };', '@include "conf.d/*.conf"'))
    assert status == 1
    assert [(file, line) for file, line, _ in errors(stderr)] == [(str(part), 2)], stderr
    assert 'did you mean "sessions"' in stderr


def test_no_file(check, tmp_path):
    """A missing file and a folder have messages of their own."""
    for path, words in ((tmp_path / 'none.conf', 'No such file'), (tmp_path, 'is a folder')):
        done = subprocess.run([sockgate.BINARY, '-t', '-c', path], capture_output=True, text=True, check=False)
        assert done.returncode == 1 and words in done.stderr and str(path) in done.stderr


def test_broken_does_not_start(gateway):
    """Started with a broken configuration: the same messages, exit status 1, nothing left."""
    gw = gateway(GOOD.replace('port = 1080', 'prot = 1080'), ready=False)
    assert gw.process.wait(sockgate.PATIENCE) == 1
    assert 'did you mean "port"' in gw.log()
    assert not gw.processes() and not (gw.run_dir / 'sockgate.pid').exists()


def test_good(check):
    status, stderr = check(GOOD)
    assert (status, stderr) == (0, f'sockgate: [notice] configuration file {check.path} test is successful\n') or \
        (status == 0 and not sockgate.ROOT)


# ---- -T

def printed(check, text):
    status, stdout = check(text, '-T')
    assert status == 0
    return stdout


FULL = sockgate.config(
    rules=[{'deny': {'dst': ['10.0.0.0/8', '2001:db8::/32'], 'cmd': ['connect']}, 'label': 'inner "quoted" \\ here'},
           {'allow': {'client': ['127.0.0.0/8'], 'dst_port': ['80', '1024-65535']}, 'special': ['loopback', 'self']}],
    core={'strict': True, 'workers': 3, 'error_log': {'level': 'debug'}},
    timeouts={'handshake': '1500ms', 'idle': '2h', 'max_session': '1d', 'keepalive': '0'}, limits={'sessions': 77},
    listeners=[sockgate.listener(port=1080, advertise='192.0.2.1', outgoing=['127.0.0.1', '::1'],
                                 clients=['127.0.0.1']),
               sockgate.listener('open', '0.0.0.0', 1081, open_proxy=True, hooks={'auth': ['none']})])


@pytest.mark.parametrize('text', [GOOD, FULL], ids=['good', 'full'])
def test_printed_is_read_again(check, text):
    """What -T prints is a configuration, and means the same: printed again it is the same text."""
    first = printed(check, text)
    assert 'handshake' in first and 'access_rules.so' in first
    assert printed(check, first) == first


# ---- samples

SAMPLES = sorted((TOP / 'etc').glob('*.conf'))


def test_there_are_samples():
    assert 'sockgate.conf' in [path.name for path in SAMPLES]


@pytest.mark.parametrize('path', SAMPLES, ids=[path.name for path in SAMPLES])
def test_sample(path):
    """What an operator installs is good as it is."""
    if sockgate.BINARY.stat().st_uid != os.geteuid():
        pytest.skip('SOCKGATE_MODULE_DIR is obeyed only for the owner of the binary')
    done = subprocess.run([sockgate.BINARY, '-t', '-c', path], capture_output=True, text=True, check=False,
                          env={'SOCKGATE_MODULE_DIR': str(MODULES), 'PATH': '/usr/bin:/bin'})
    assert done.returncode == 0, done.stderr


# ---- no open proxy by accident

def proxy(address, clients=None, **keys):
    if clients:
        keys['clients'] = clients
    return sockgate.config(listeners=[sockgate.listener('lan', address, 1080, **keys)])


OPEN = [
    ('0.0.0.0', None, {}), ('::', None, {}), ('192.0.2.1', None, {}), ('2001:db8::1', None, {}),
    ('0.0.0.0', ['0.0.0.0/0'], {}), ('0.0.0.0', ['0.0.0.0/1'], {}), ('0.0.0.0', ['0.0.0.0/1', '128.0.0.0/1'], {}),
    ('0.0.0.0', ['10.0.0.0/8', '0.0.0.0/0'], {}), ('0.0.0.0', ['0.0.0.0/2', '64.0.0.0/2'], {}), ('::', ['::/0'], {}),
    ('::', ['2000::/3', '::/1'], {}), ('::ffff:192.0.2.1', None, {}), ('0.0.0.0', None, {'open_proxy': False}),
]
SHUT = [
    ('127.0.0.1', None, {}), ('127.9.9.9', None, {}), ('::1', None, {}), ('0.0.0.0', ['10.0.0.0/8'], {}),
    ('::', ['10.0.0.0/8', '2001:db8::/32'], {}), ('192.0.2.1', ['128.0.0.0/2'], {}),
    ('0.0.0.0', None, {'open_proxy': True}), ('0.0.0.0', None, {'hooks': {'auth': ['login']}}),
]


def with_login(text):
    """The instance "login" of a module that lets nobody in without a proof."""
    if '"login"' not in text:
        return text
    login = '  { name = "login"; file = "@TESTS@/modules/.libs/auth_x80.so"; },\n'
    return text.replace('modules = (\n', 'modules = (\n' + login)


@pytest.mark.parametrize('address, clients, keys', OPEN)
def test_open_proxy(check, address, clients, keys):
    """A listener that strangers reach without a login is an error, which says what would be right."""
    status, stderr = check(proxy(address, clients, **keys))
    assert status == 1
    assert 'open_proxy = true' in stderr and 'clients' in stderr and '"lan"' in stderr


@pytest.mark.parametrize('address, clients, keys', SHUT)
def test_no_open_proxy(check, address, clients, keys):
    """Loopback, a narrow list of clients, a login that cannot be avoided, or the word of the operator."""
    status, stderr = check(with_login(proxy(address, clients, **keys)))
    assert status == 0, stderr


def test_login_that_can_be_avoided(check):
    """One METHOD with a login is not enough if another one lets everybody in."""
    status, stderr = check(with_login(proxy('0.0.0.0', None, hooks={'auth': ['login', 'none']})))
    assert status == 1 and '"none" lets anyone in' in stderr


# ---- who runs

@needs_root
@pytest.mark.parametrize('key', ['user', 'log_user'])
def test_user_must_exist(check, key):
    text = GOOD.replace('workers = 2;', f'{key} = "no-such-user";')
    status, stderr = check(text)
    assert status == 1 and errors(stderr)[0][1] == 2 and f'{key}: there is no user "no-such-user"' in stderr


@needs_root
@pytest.mark.parametrize('key', ['user', 'log_user'])
def test_user_must_not_be_root(check, key):
    status, stderr = check(GOOD.replace('workers = 2;', f'{key} = "root";'))
    assert status == 1 and 'has all rights' in stderr
