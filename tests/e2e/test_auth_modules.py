# SPDX-License-Identifier: BSD-2-Clause
"""The auth modules in the gateway: helpers check, rules see who came, chains pass on, and a changed file counts at once."""

import json
import os
import re
import shutil
import subprocess
import time

import pytest

import sockgate
from conftest import needs_root
from test_auth_file import crypt
from test_auth_ident import Ident
from test_auth_pam import ASKS

HELPER = {'processes': 2}


def users_file(folder, text):
    new = folder / 'new'
    new.write_text(text)
    new.chmod(0o640)
    if sockgate.ROOT:
        shutil.chown(new, group=sockgate.NOBODY)
    new.rename(folder / 'users')
    return str(folder / 'users')


def file_instance(path, **keys):
    return {'name': 'file', 'file': 'auth_file.so', 'helper': HELPER, 'settings': {'path': path}, **keys}


def refused(gw, client, reason='login_denied'):
    client.expect_end()
    client.close()  # else the gateway would linger for it
    return gw.wait_record(event='session_refused', client=client.name, reason=reason)


def test_a_password_file(gateway, target, folder):
    """Rules see name and groups; who is refused gets STATUS 01, and the record says why; a new file counts at once."""
    path = users_file(folder, f'alice:{crypt("secret")}:staff\nbob:{crypt("hunter2")}\n')
    gw = gateway(sockgate.config(rules=[{'allow': {'group': 'staff'}, 'special': ['loopback']}],
                                 modules=[file_instance(path, cache='0s')], hooks={'auth': ['file']}))
    with gw.connect() as client:
        assert client.login(b'alice', b'secret') == 0
        assert client.request(*target.where).rep == 0
        record = gw.wait_record(event='session_start', client=client.name)
        assert (record['user'], record['instance'], record['assurance']) == ('alice', 'file', 20)
    with gw.connect() as client:
        assert client.login(b'bob', b'hunter2') == 0
        assert client.request(*target.where).rep == 2
    for name, secret, why in ((b'alice', b'wrong', 'wrong password'), (b'carol', b'secret', 'unknown user')):
        with gw.connect() as client:
            assert client.login(name, secret) == 1
            assert why in str(refused(gw, client))
    users_file(folder, f'alice:{crypt("new")}:staff\n')
    for secret, status in ((b'secret', 1), (b'new', 0)):
        with gw.connect() as client:
            assert client.login(b'alice', secret) == status


def test_pam(gateway, target, folder):
    """The stack's name is the identity, an account that is refused has its reason, and the log holds no password."""
    if not ASKS.exists():
        pytest.skip('built without PAM')
    (folder / 'sockgate').write_text(f'auth required {ASKS} delay=1000 ask=off secret=secret user=alice@example\n'
                                     f'account required {ASKS}\n')
    (folder / 'expired').write_text(f'auth required {ASKS} ask=off\naccount required {ASKS} return=13\n')
    (folder / 'other').write_text('auth required pam_deny.so\naccount required pam_deny.so\n')
    instances = [{'name': name, 'file': 'auth_pam.so', 'helper': HELPER,
                  'settings': {'service': name, 'service_dir': str(folder)}} for name in ('sockgate', 'expired')]
    listeners = [sockgate.listener(), sockgate.listener('expired', hooks={'auth': ['expired']})]
    gw = gateway(sockgate.config(modules=instances, hooks={'auth': ['sockgate']}, listeners=listeners))
    with gw.connect() as client:
        assert client.login(b'alice', b'secret') == 0
        assert client.request(*target.where).rep == 0
        assert gw.wait_record(event='session_start', client=client.name)['user'] == 'alice@example'
    with gw.connect('expired') as client:
        assert client.login(b'alice', b'canary-password') == 1
        assert 'account expired' in str(refused(gw, client))
    began = time.monotonic()
    with gw.connect() as client:
        assert client.login(b'alice', b'canary-password') == 1
        assert time.monotonic() - began >= 0.5  # PAM varies its delay by half at most
    assert 'canary-password' not in gw.log()


def test_a_chain(gateway, folder):
    """Unknown to the file, the user is PAM's; a wrong password ends it, though PAM would have taken it."""
    if not ASKS.exists():
        pytest.skip('built without PAM')
    (folder / 'sockgate').write_text(f'auth required {ASKS} ask=off secret=secret\naccount required {ASKS}\n')
    (folder / 'other').write_text('auth required pam_deny.so\n')
    path = users_file(folder, f'alice:{crypt("hunter2")}\n')
    pam = {'name': 'pam', 'file': 'auth_pam.so', 'helper': HELPER, 'settings': {'service_dir': str(folder)}}
    gw = gateway(sockgate.config(modules=[file_instance(path), pam], hooks={'auth': ['file', 'pam']}))
    for name, secret, status, instance in ((b'alice', b'hunter2', 0, 'file'), (b'alice', b'secret', 1, 'file'),
                                           (b'bob', b'secret', 0, 'pam'), (b'bob', b'hunter2', 1, 'pam')):
        with gw.connect() as client:
            assert client.login(name, secret) == status
            client.close()
            assert gw.wait_record(client=client.name)['instance'] == instance


def test_ident(gateway, target):
    """METHOD 00: whom the host names is the identity, and who is not named there is the next instance's."""
    rules = [{'allow': {'user': 'alice', 'assurance': 'asserted'}, 'special': ['loopback']}]
    for answer, rep, instance in ((b'{}:USERID:UNIX:alice\r\n', 0, 'ident'), (b'{}:USERID:UNIX:bob\r\n', 2, 'none'),
                                  (b'{}:ERROR:HIDDEN-USER\r\n', 2, 'none')):
        with Ident(answer, '127.0.0.1') as server:
            ident = {'name': 'ident', 'file': 'auth_ident.so', 'helper': HELPER, 'settings': {
                'ranges': [{'clients': ['127.0.0.1'], 'users': ['alice']}], 'port': server.port,
                'timeout': '5s'}}
            gw = gateway(sockgate.config(rules=rules, modules=[ident], hooks={'auth': ['ident', 'none']}))
            with gw.connect() as client:
                assert client.greet() == 0
                assert client.request(*target.where).rep == rep
                client.close()
                assert gw.wait_record(client=client.name)['instance'] == instance
            here, there = client.name.split(':')[1], gw.address()[1]
            assert server.asked == [('127.0.0.1', f'{here}, {there}\r\n'.encode())]
            gw.stop()


TEN_LINES = re.compile(r'^## Staff through PAM, in ten lines\n.*?^```sh norun[^\n]*\n(.*?)^```', re.M | re.S)

# The system as the ten lines see it: /etc is a copy, the network is empty, and nothing is left behind.
AROUND = r"""set -e
mount --bind "$1" /etc
mount -t tmpfs none /run
mount -t tmpfs none /usr/local
ip link set lo up
%s
for i in $(seq 300); do
    ! (exec 3<>/dev/tcp/127.0.0.1/1080) 2>/dev/null || break
    sleep 0.1
done
for login in alice:secret alice:wrong dave:secret gone:secret carol:secret; do
    curl -s --proxy "socks5h://$login@127.0.0.1:1080" http://127.0.0.1:8000/ || :
done
sockgate -s stop -c /etc/sockgate/staff.conf
wait
"""


def system(folder):
    """A copy of /etc with users: alice is staff, dave is not, gone has expired."""
    etc = folder / 'etc'
    subprocess.run(['cp', '-a', '/etc', etc], check=True)
    (etc / 'sockgate').mkdir(exist_ok=True)
    hashed = crypt('secret')
    for name, lines in (('passwd', '{}:x:{}:65000::/:/bin/sh\n'), ('shadow', '{}:%s:19000:0:99999:7::{}:\n' % hashed)):
        with open(etc / name, 'a', encoding='utf-8') as out:
            for i, user in enumerate(('alice', 'dave', 'gone')):
                out.write(lines.format(user, 65000 + i if name == 'passwd' else '2' if user == 'gone' else ''))
    groups = [line for line in (etc / 'group').read_text().splitlines() if not line.startswith('staff:')]
    (etc / 'group').write_text('\n'.join(groups + ['staff:x:50:alice', '']))
    return etc


@needs_root
def test_the_ten_lines(tmp_path):
    """doc/logins.md, from nothing to staff logging in: pam_unix, the common files of Debian, the group staff."""
    lines = TEN_LINES.search((sockgate.TOP / 'doc/logins.md').read_text()).group(1).splitlines()
    assert len(lines) == 10 and lines[-1].startswith('curl ')
    env = dict(os.environ, PATH=f'{sockgate.BUILD / "core"}:{os.environ["PATH"]}',
               SOCKGATE_MODULE_DIR=str(sockgate.MODULES))
    done = subprocess.run(['unshare', '-mn', 'bash', '-c', AROUND % '\n'.join(lines[:-1]), 'bash', system(tmp_path)],
                          cwd=sockgate.TOP, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=4 * sockgate.PATIENCE, check=False)
    records = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{')]
    ended = [(r['user'], r['reason']) for r in records if r['event'] == 'session_refused']
    assert done.returncode == 0, done.stdout
    assert sorted(ended) == [('alice', 'login_denied'), ('alice', 'special_range'), ('carol', 'login_denied'),
                             ('dave', 'access_request'), ('gone', 'login_denied')], done.stdout
    assert 'account expired' in done.stdout
