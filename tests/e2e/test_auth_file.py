# SPDX-License-Identifier: BSD-2-Clause
"""auth_file and `sockgatectl passwd`: password files, and who may come in by them."""

import concurrent.futures
import os
import pty
import re
import signal
import statistics
import subprocess

import pytest

import sockgate
from conftest import needs_root
from logins import DECLINED, DENY, OK, Logins, refusal

CTL = sockgate.BUILD / 'sockgatectl'
# "secret", as SHA-512 with few rounds: cheap.
HASH = '$6$rounds=1000$abcdefgh$'


def crypt(secret, setting=HASH):
    made = subprocess.run(['perl', '-e', 'print crypt($ARGV[0], $ARGV[1])', secret, setting], stdout=subprocess.PIPE,
                          check=True)
    return made.stdout.decode()


@pytest.fixture(scope='module')
def hashes():
    """Hashes by password."""
    return {secret: crypt(secret) for secret in ('secret', 'other')}


@pytest.fixture
def users(tmp_path):
    """A password file, which a call fills as a whole and by rename."""
    path = tmp_path / 'users'

    def write(text, mode=0o640):
        new = tmp_path / 'new'
        new.write_text(text)
        new.chmod(mode)
        new.rename(path)
        return path

    write.path = path
    return write


def settings(path, **keys):
    return {'path': str(path), **keys}


# ---- the file

def test_who_comes_in(users, hashes):
    """Name, groups and assurance; an unknown user is the next instance's, a wrong password is not."""
    path = users(f'# staff\n\nalice:{hashes["secret"]}:staff,web\nb\u00fc b:{hashes["other"]}\n')
    with Logins('auth_file', settings(path)) as logins:
        answer = logins.password('alice', 'secret')
        assert (answer.verdict, answer.name, answer.groups, answer.assurance) == (OK, b'alice', ['staff', 'web'], 20)
        assert logins.password('b\u00fc b', 'other')[:3] == (OK, 'b\u00fc b'.encode(), [])
        assert logins.password('alice', 'other')[::6] == (DENY, 'wrong password')
        assert logins.password('carol', 'secret')[::6] == (DECLINED, 'unknown user')
        assert logins.ask('none').verdict == DECLINED
        assert logins.ask('userid', b'alice').verdict == DECLINED


@pytest.mark.parametrize('name, secret', [
    (b'alice\0', b'secret'), (b'alice\0x', b'secret'), (b'\0alice', b'secret'), (b'al\0ice', b'secret'),
    (b'alice', b'secret\0'), (b'alice', b'secret\0x'), (b'alice', b'\0secret'), (b'alice', b'sec\0ret'),
    (b'alic', b'secret'), (b'alice', b'secre'), (b'', b'secret'), (b'alice', b''), (b'ALICE', b'secret'),
    (b'alice', b'secret' + 249 * b'x'), (255 * b'a', b'secret'), (b'alice:', b'secret'), (b'# staff', b'')])
def test_nul_and_prefixes(users, hashes, name, secret):
    """V04: compared by length and octets, and nothing is a comment or ends at a NUL."""
    with Logins('auth_file', settings(users(f'# staff\nalice:{hashes["secret"]}\n'))) as logins:
        assert logins.password(name, secret).verdict in (DENY, DECLINED)
        assert logins.password('alice', 'secret').verdict == OK


def test_every_mistake_is_told(users, hashes):
    path = users(f'alice:secret\nbob\nalice:{hashes["secret"]}\nalice:{hashes["secret"]}\ncarol:$1$abcdefgh$'
                 f'{22 * "x"}\n')
    text = refusal('auth_file', settings(path))
    for line, what in ((1, 'no password hash'), (2, 'no colon'), (4, '"alice" stands in line 3 already'),
                       (5, 'legacy_hashes = true')):
        assert re.search(rf'^{path}:{line}: module "logins": .*{what}', text, re.M), text
    assert 'alice:secret' not in text


def test_legacy_hashes_must_be_allowed(users):
    path = users(f'alice:{crypt("secret", "$1$abcdefgh$")}\n')
    assert f'{path}:1: ' in refusal('auth_file', settings(path))
    with Logins('auth_file', settings(path, legacy_hashes=True)) as logins:
        assert logins.password('alice', 'secret').verdict == OK


@pytest.mark.parametrize('mode, what', [(0o644, 'mode 0644'), (0o660, 'mode 0660'), (0o602, 'mode 0602')])
def test_the_mode_is_checked(users, hashes, mode, what):
    path = users(f'alice:{hashes["secret"]}\n', mode)
    text = refusal('auth_file', settings(path))
    assert re.search(rf'sockgate.conf:\d+: module "logins": path: {path} has {what}.*chmod 0640', text), text


@needs_root
def test_the_owner_is_checked(users, hashes):
    path = users(f'alice:{hashes["secret"]}\n')
    os.chown(path, sockgate.NOBODY, -1)
    assert f'belongs to uid {sockgate.NOBODY}: it must be root' in refusal('auth_file', settings(path))


def test_what_is_no_file(tmp_path):
    assert 'No such file' in refusal('auth_file', settings(tmp_path / 'none'))
    assert 'no regular file' in refusal('auth_file', settings(tmp_path))
    os.mkfifo(tmp_path / 'fifo', 0o600)
    assert 'no regular file' in refusal('auth_file', settings(tmp_path / 'fifo'))
    assert 'is not absolute' in refusal('auth_file', settings('users'))


def test_a_changed_file_is_read_anew(users, hashes):
    """By rename and in place, in the same second and of the same size too."""
    path = users(f'alice:{hashes["secret"]}\n')
    with Logins('auth_file', settings(path)) as logins:
        assert logins.password('alice', 'secret').verdict == OK
        users(f'alice:{hashes["other"]}\n')
        assert logins.password('alice', 'secret').verdict == DENY
        assert logins.password('alice', 'other').verdict == OK
        for i in range(50):
            secret, wrong = ('secret', 'other') if i % 2 else ('other', 'secret')
            path.write_text(f'alice:{hashes[secret]}\n')
            assert logins.password('alice', wrong).verdict == DENY
            assert logins.password('alice', secret).verdict == OK
        assert logins.log() == ''


def test_a_broken_file_changes_nothing(users, hashes):
    """What is wrong is told once, and a good one is taken again."""
    path = users(f'alice:{hashes["secret"]}\n')

    def told(log, what):
        return len(re.findall(what, log))

    with Logins('auth_file', settings(path)) as logins:
        assert logins.password('alice', 'secret').verdict == OK
        users('alice:secret\n')
        for _ in range(3):
            assert logins.password('alice', 'secret').verdict == OK
        assert told(logins.log(), f'{path}:1: module "logins": that is no password hash') == 1
        assert told(logins.log(), 'is not taken: the 1 users that were read before stay') == 1
        path.chmod(0o644)
        for _ in range(3):
            assert logins.password('alice', 'secret').verdict == OK
        assert told(logins.log(), 'has mode 0644') == 1
        path.unlink()
        for _ in range(3):
            assert logins.password('alice', 'secret').verdict == OK
        assert told(logins.log(), 'No such file') == 1
        users(f'bob:{hashes["secret"]}\n')
        assert logins.password('alice', 'secret').verdict == DECLINED
        assert logins.password('bob', 'secret').verdict == OK
        assert told(logins.log(), 'is not taken') == 3


def test_unequal_costs_are_told(users, hashes):
    path = users(f'alice:{hashes["secret"]}\nbob:{hashes["secret"]}\ncarol:{crypt("x", "$6$abcdefgh$")}\n')
    with Logins('auth_file', settings(path)) as logins:
        assert logins.password('alice', 'secret').verdict == OK
        assert '1 of 3 users have hashes of another cost than most' in logins.log()


@pytest.mark.alone
@pytest.mark.parametrize('setting', ['$y$j8T$abcdefgh$', '$6$rounds=20000$abcdefgh$'])
def test_unknown_users_cost_the_same(users, setting):
    """T43: medians of CPU time over 200 rounds are within 10 percent."""
    path = users(''.join(f'user{i}:{crypt("secret", setting)}\n' for i in range(5)))
    with Logins('auth_file', settings(path)) as logins:
        known, unknown = [], []
        for i in range(200):
            known.append(logins.password(f'user{i % 5}', 'wrong'))
            unknown.append(logins.password(f'none{i % 5}', 'wrong'))
        assert {answer.verdict for answer in known} == {DENY}
        assert {answer.verdict for answer in unknown} == {DECLINED}
        medians = [statistics.median(answer.cpu for answer in answers) for answers in (known, unknown)]
        print(f'{setting}: wrong password {medians[0] / 1e6:.2f} ms, unknown user {medians[1] / 1e6:.2f} ms')
        assert 0.9 < medians[0] / medians[1] < 1.1


# ---- sockgatectl passwd

def passwd(path, user, *options, secret='secret\n', status=0):
    done = subprocess.run([CTL, 'passwd', path, user, *options], input=secret, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=sockgate.PATIENCE, check=False)
    assert done.returncode == status, done.stdout
    return done.stdout


def test_passwd_makes_what_the_module_takes(tmp_path):
    path = tmp_path / 'users'
    assert 'mode 0640' in passwd(path, 'alice', '--groups', 'staff,web')
    assert path.stat().st_mode & 0o7777 == 0o640
    assert re.fullmatch(r'alice:\$y\$j9T\$[^:]+:staff,web\n', path.read_text())
    assert passwd(path, 'bob') == ''
    with Logins('auth_file', settings(path)) as logins:
        assert logins.password('alice', 'secret')[:3] == (OK, b'alice', ['staff', 'web'])
        assert logins.password('bob', 'secret').verdict == OK
        passwd(path, 'alice', secret='pa ss\u00f6:rd\n')
        assert logins.password('alice', 'secret').verdict == DENY
        assert logins.password('alice', 'pa ss\u00f6:rd')[:3] == (OK, b'alice', ['staff', 'web'])
        passwd(path, 'alice', '--delete')
        assert logins.password('alice', 'pa ss\u00f6:rd').verdict == DECLINED


def test_passwd_keeps_other_lines(tmp_path):
    path = tmp_path / 'users'
    head, tail = b'# a comment\r\n\xff\xfe:x:y:z\n\n', b'alice2:what:ever\n  # and more'
    path.write_bytes(head + b'alice:old:staff\n' + tail)
    path.chmod(0o600)
    passwd(path, 'alice')
    now = path.read_bytes()
    assert now.startswith(head + b'alice:$y$') and now.endswith(b':staff\n' + tail)
    passwd(path, 'alice', '--groups', '')
    assert re.fullmatch(re.escape(head) + rb'alice:[^:\n]+\n' + re.escape(tail), path.read_bytes())
    passwd(path, 'bob')
    assert re.fullmatch(re.escape(head) + rb'alice:[^:\n]+\n' + re.escape(tail) + rb'\nbob:[^:\n]+\n',
                        path.read_bytes())
    passwd(path, 'bob', '--delete')
    passwd(path, 'alice', '--delete')
    assert path.read_bytes() == head + tail + b'\n'
    assert path.stat().st_mode & 0o7777 == 0o600


@pytest.mark.parametrize('user, options, secret, status, what', [
    ('al:ice', [], 'secret\n', 2, 'colon'),
    ('#alice', [], 'secret\n', 2, 'cannot begin with'),
    (' alice', [], 'secret\n', 2, 'blank'),
    ('', [], 'secret\n', 2, '1 to 255'),
    (256 * 'a', [], 'secret\n', 2, '1 to 255'),
    ('alice', ['--groups', 'a,,b'], 'secret\n', 2, 'group'),
    ('alice', ['--groups', 'a b'], 'secret\n', 2, 'group'),
    ('alice', ['--groups', 'a', '--delete'], '', 2, 'usage'),
    ('alice', ['--delete'], '', 1, 'No such file'),
    ('alice', [], '\n', 1, 'no password'),
    ('alice', [], '', 1, 'no password'),
    ('alice', [], 256 * 'x' + '\n', 1, 'at most 255'),
    ('alice', [], 'sec\0ret\n', 1, 'NUL')])
def test_passwd_refuses(tmp_path, user, options, secret, status, what):
    assert what in passwd(tmp_path / 'users', user, *options, secret=secret, status=status)
    assert not (tmp_path / 'users').exists()


def test_passwd_tells_of_the_file(tmp_path):
    path = tmp_path / 'users'
    path.write_text('alice:x\nalice:y\n')
    assert 'has no user "bob"' in passwd(path, 'bob', '--delete', status=1)
    assert 'several lines for "alice"' in passwd(path, 'alice', status=1)
    assert path.read_text() == 'alice:x\nalice:y\n'
    assert [entry.name for entry in tmp_path.iterdir()] == ['users']


def test_passwd_follows_links(tmp_path):
    (tmp_path / 'real').write_text('')
    (tmp_path / 'link').symlink_to('real')
    passwd(tmp_path / 'link', 'alice')
    assert (tmp_path / 'link').is_symlink() and (tmp_path / 'real').read_text().startswith('alice:$y$')


def test_passwd_at_the_same_time(tmp_path):
    """Nobody's change is lost, from the file's first line on."""
    path = tmp_path / 'users'
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: passwd(path, f'user{i}'), range(24)))
    names = [line.split(':')[0] for line in path.read_text().splitlines()]
    assert sorted(names) == sorted(f'user{i}' for i in range(24))


class Terminal:
    """sockgatectl at a terminal."""

    def __init__(self, *argv):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(CTL, [str(CTL), *map(str, argv)])
        self.seen = b''

    def expect(self, what):
        while what not in self.seen:
            self.seen += os.read(self.fd, 1024)
        before, _, self.seen = self.seen.partition(what)
        return before

    def send(self, octets):
        os.write(self.fd, octets)

    def end(self):
        """All that is still printed, and the wait status."""
        try:
            while octets := os.read(self.fd, 1024):
                self.seen += octets
        except OSError:
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return self.seen, status


def test_passwd_at_a_terminal(tmp_path):
    """Asked twice, and not a letter of it is shown."""
    path = tmp_path / 'users'
    for again, status in ((b'other-word', 1), (b'a-secret', 0)):
        terminal = Terminal('passwd', path, 'alice')
        terminal.expect(b'New password for alice: ')
        terminal.send(b'a-secret\n')
        shown = terminal.expect(b'Once more, for alice: ')
        terminal.send(again + b'\n')
        rest, got = terminal.end()
        assert os.waitstatus_to_exitcode(got) == status
        assert b'secret' not in shown + rest
        assert (b'not the same' in rest) == (status == 1)
        assert path.exists() == (status == 0)
    with Logins('auth_file', settings(path)) as logins:
        assert logins.password('alice', 'a-secret').verdict == OK


def test_passwd_leaves_the_terminal_as_it_was(tmp_path):
    """Ctrl-C at the prompt ends it, after the echo is back."""
    terminal = Terminal('passwd', tmp_path / 'users', 'alice')
    terminal.expect(b'New password for alice: ')
    assert 'echo' not in stty(terminal.fd)
    terminal.send(b'\x03')
    sockgate.wait_until(lambda: 'echo' in stty(terminal.fd), what='the echo')
    _, status = terminal.end()
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGINT
    assert not (tmp_path / 'users').exists()


def stty(fd):
    """The switches of a terminal that are on."""
    done = subprocess.run(['stty', '-a'], stdin=fd, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.split()
