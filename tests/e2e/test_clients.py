# SPDX-License-Identifier: BSD-2-Clause
"""Clients that others have written, as their users start them: what they say, their status, and what the log has.

Those who can log in are run with a right password, a wrong one, and a name that nobody has; those who can leave names to
the gateway or look them up themselves do both. What is not installed is skipped by name.
"""

import contextlib
import hashlib
import http.server
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import threading
from typing import NamedTuple

import pytest

import dns
import servers
import sockgate
import socks
import udp
from conftest import has_ipv6, needs_ipv6, needs_root
from network import Namespace
from socks import text_of
from test_auth_file import crypt

# What they inherit: nothing that names another proxy.
ENVIRONMENT = {'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL': 'C.UTF-8', 'HOME': '/nonexistent',
               'GIT_CONFIG_NOSYSTEM': '1'}
HTTP = 'GET /file HTTP/1.0\r\n\r\n'
# The gateway's answer to this name is the target; the system of the client has never heard of it.
REMOTE = 'page.sockgate.test'
SIZE = 5000
ALICE, WRONG, NOBODY = ('alice', 'secret'), ('alice', 'wrong'), ('carol', 'secret')
REASONS = {WRONG: 'wrong password', NOBODY: 'unknown user'}


def need(*programs):
    for program in programs:
        if not shutil.which(program, path=ENVIRONMENT['PATH']):
            pytest.skip(f'{program} is missing')


def run(argv, given='', **env):
    return subprocess.run([*map(str, argv)], input=given.encode(), capture_output=True, check=False,
                          timeout=2 * sockgate.PATIENCE, env=dict(ENVIRONMENT, **env))


def said(done):
    return (done.stdout + done.stderr).decode(errors='replace')


# ---- the gateway

@pytest.fixture(scope='module', name='users')
def password_file():
    """In a folder that helpers of another user can look into; other runs of pytest take that away from tmp_path."""
    with tempfile.TemporaryDirectory(prefix='sockgate-users-') as folder:
        os.chmod(folder, 0o755)
        path = pathlib.Path(folder) / 'users'
        path.write_text(f'alice:{crypt("secret")}:staff\n')
        path.chmod(0o640)
        if sockgate.ROOT:
            shutil.chown(path, group=sockgate.NOBODY)
        yield path


@pytest.fixture(scope='module', name='names')
def name_server():
    with dns.Server() as server:
        server[REMOTE, 'A'], server['six.sockgate.test', 'AAAA'] = ['127.0.0.1'], ['::1']
        yield server


def config(users, names=None, rules=None):
    """Logins on the listeners "main" and "main6", none on "open", where SOCKS4 is spoken too."""
    listeners = [sockgate.listener(), sockgate.listener('open', protocols=['socks5', 'socks4'], hooks={'auth': ['none']})]
    if has_ipv6():
        listeners.append(sockgate.listener('main6', '::1'))
    modules = [{'name': 'users', 'file': 'auth_file.so', 'settings': {'path': str(users)}},
               {'name': 'udp', 'file': 'cmd_udp.so'}]
    return sockgate.config(listeners, rules, dns.core(names) if names else None, modules=modules, hooks={
        'auth': ['users'], 'command': {'connect': 'connect', 'bind': 'bind', 'udp_associate': 'udp'}})


@pytest.fixture
def gw(gateway, users, names):
    return gateway(config(users, names))


# ---- clients that fetch something

class Fetch(NamedTuple):
    """What a client is to do; `remote`: the gateway looks the name up."""
    proxy: tuple
    login: tuple
    remote: bool
    host: str
    port: int
    folder: pathlib.Path

    @property
    def url(self):
        return f'http://{text_of((self.host, self.port))}/file'

    @property
    def proxy_url(self):
        return '%s://%s:%s@%s' % ('socks5h' if self.remote else 'socks5', *self.login, text_of(self.proxy))

    def chains(self):
        """A configuration of proxychains4."""
        path = self.folder / 'chains.conf'
        path.write_text('strict_chain\n%s[ProxyList]\nsocks5 %s %d %s %s\n' % (
            'proxy_dns\n' if self.remote else '', *self.proxy, *self.login))
        return path


def curl(fetch):
    need('curl')
    return run(['curl', '-sS', '--proxy', fetch.proxy_url, fetch.url])


def curl_by_environment(fetch):
    need('curl')
    return run(['curl', '-sS', fetch.url], ALL_PROXY=fetch.proxy_url)


def proxychains(fetch):
    need('proxychains4', 'wget')
    return run(['proxychains4', '-f', fetch.chains(), 'wget', '-nv', '--tries=1', '-O', '-', fetch.url])


def ncat(fetch):
    need('ncat')
    return run(['ncat', '--proxy-type', 'socks5', '--proxy', text_of(fetch.proxy), '--proxy-auth', ':'.join(fetch.login),
                '--proxy-dns', 'remote' if fetch.remote else 'local', fetch.host, fetch.port], HTTP)


PYSOCKS = """import socket, socks, sys
host, port, remote, name, secret, target, target_port = sys.argv[1:]
s = socks.socksocket(socket.AF_INET6 if ':' in host else socket.AF_INET)
s.set_proxy(socks.SOCKS5, host, int(port), remote == 'True', name, secret)
s.connect((target, int(target_port)))
s.sendall(sys.stdin.buffer.read())
while block := s.recv(65536):
    sys.stdout.buffer.write(block)
"""


def need_pysocks():
    if not os.path.exists('/usr/lib/python3/dist-packages/socks.py'):
        pytest.skip('python3-socks is missing')


def pysocks(fetch):
    need_pysocks()
    return run(['/usr/bin/python3', '-I', '-c', PYSOCKS, *fetch.proxy, fetch.remote, *fetch.login, fetch.host, fetch.port],
               HTTP)


JAVA = """import java.io.*;
import java.net.*;

public class Fetch {
    public static void main(String[] args) throws IOException {
        int port = Integer.parseInt(args[2]);
        Authenticator.setDefault(new Authenticator() {
            protected PasswordAuthentication getPasswordAuthentication() {
                return new PasswordAuthentication(args[3], args[4].toCharArray());
            }
        });
        try (Socket s = new Socket()) {
            s.connect(args[0].equals("true") ? InetSocketAddress.createUnresolved(args[1], port)
                                             : new InetSocketAddress(args[1], port));
            System.in.transferTo(s.getOutputStream());
            s.getInputStream().transferTo(System.out);
        }
    }
}
"""


def java(fetch):
    """The client that every Socket of Java is, when the properties and an Authenticator say so."""
    need('java', 'javac')
    (fetch.folder / 'Fetch.java').write_text(JAVA)
    if not (fetch.folder / 'Fetch.class').exists():
        assert run(['javac', '-d', fetch.folder, fetch.folder / 'Fetch.java']).returncode == 0
    host, port = fetch.proxy
    return run(['java', '-XX:TieredStopAtLevel=1', f'-DsocksProxyHost={host}', f'-DsocksProxyPort={port}',
                '-DsocksNonProxyHosts=', '-cp', fetch.folder, 'Fetch', str(fetch.remote).lower(), fetch.host, fetch.port,
                *fetch.login], HTTP)


# How each of them says that it may not come in: its status, and words of its own.
REFUSED = {
    curl: (97, r'User was rejected by the SOCKS5 server \(1 1\)'),
    curl_by_environment: (97, r'User was rejected by the SOCKS5 server \(1 1\)'),
    proxychains: (4, r'<--denied'),
    ncat: (1, r'authentication failed'),
    pysocks: (1, r'SOCKS5 authentication failed'),
    java: (1, r'SOCKS : authentication failed'),
}
# Names looked up by themselves, by the gateway, and IPv6 on both sides.
WAYS = ['local', 'remote', pytest.param('ipv6', marks=needs_ipv6)]


@pytest.mark.parametrize('way', WAYS)
@pytest.mark.parametrize('client', REFUSED, ids=lambda client: client.__name__)
def test_logins(gw, client, way, tmp_path):
    """The right password gets the page, and the record has the name; the others hear that it was the login."""
    listener, at, host = {'local': ('main', '127.0.0.1', 'localhost'), 'remote': ('main', '127.0.0.1', REMOTE),
                          'ipv6': ('main6', '::1', '::1')}[way]
    with servers.FileServer(at, size=SIZE) as page:
        fetch = Fetch(gw.address(listener), ALICE, way == 'remote', host, page.where[1], tmp_path)
        done = client(fetch)
        assert done.returncode == 0, said(done)
        assert hashlib.sha256(done.stdout[-SIZE:]).hexdigest() == page.sha256
        end = gw.wait_record(event='session_end', port=page.where[1], target=text_of(page.where))
        assert (end['user'], end['instance'], end['command'], end['listener']) == ('alice', 'users', 'connect', listener)
        assert end.get('host') == (REMOTE if way == 'remote' else None)
        assert end['bytes_down'] > SIZE and end['reason'] == 'closed'
        status, words = REFUSED[client]
        for login, reason in REASONS.items():
            done = client(fetch._replace(login=login))
            assert done.returncode == status and re.search(words, said(done)), (done.returncode, said(done))
            end = gw.wait_record(event='session_refused', reason_text=reason)
            assert (end['user'], end['reason'], end['method']) == (login[0], 'login_denied', '02')
            assert 'target' not in end
    assert len(gw.records(event='session_start')) == 1


# ---- SOCKS4 and SOCKS4a, whose clients give a name that nobody checks

def curl4(proxy, host, port, remote):
    need('curl')
    return run(['curl', '-sS', '--proxy', f'{"socks4a" if remote else "socks4"}://joe@{text_of(proxy)}',
                f'http://{host}:{port}/file'])


def proxychains4(proxy, host, port, remote):
    need('proxychains4', 'wget')
    return run(['proxychains4', '-f', '/dev/stdin', 'wget', '-nv', '--tries=1', '-O', '-', f'http://{host}:{port}/file'],
               '%sstrict_chain\n[ProxyList]\nsocks4 %s %d joe\n' % ('proxy_dns\n' if remote else '', *proxy))


def ncat4(proxy, host, port, remote):
    need('ncat')
    return run(['ncat', '--proxy-type', 'socks4', '--proxy', text_of(proxy), '--proxy-auth', 'joe',
                '--proxy-dns', 'remote' if remote else 'local', host, port], HTTP)


def pysocks4(proxy, host, port, remote):
    need_pysocks()
    return run(['/usr/bin/python3', '-I', '-c', PYSOCKS.replace('SOCKS5', 'SOCKS4'), *proxy, remote, 'joe', '', host, port],
               HTTP)


@pytest.mark.parametrize('remote', [False, True], ids=['socks4', 'socks4a'])
@pytest.mark.parametrize('client', [curl4, proxychains4, ncat4, pysocks4], ids=lambda client: client.__name__)
def test_socks4(gw, client, remote):
    """With an address, and with a name that the gateway looks up. Where a login is asked for there is none for them."""
    host = REMOTE if remote else 'localhost'
    with servers.FileServer(size=SIZE) as page:
        done = client(gw.address('open'), host, page.where[1], remote)
        assert done.returncode == 0, said(done)
        assert hashlib.sha256(done.stdout[-SIZE:]).hexdigest() == page.sha256
        end = gw.wait_record(event='session_end', target=text_of(page.where))
        assert (end['ver'], end['userid'], end['user'], end.get('host')) == (4, 'joe', '', REMOTE if remote else None)
        done = client(gw.address(), host, page.where[1], remote)
        assert done.returncode != 0, said(done)
    assert len(gw.records(event='session_start')) == 1


# ---- ssh and git

SSH = ['ssh', '-F', 'none', '-o', 'BatchMode=yes', '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null']


@pytest.mark.parametrize('login, proxy', [(None, 'nc -X 5 -x %s %%h %%p'), (ALICE, 'ncat --proxy-type socks5 --proxy %s '
                                          '--proxy-auth alice:secret --proxy-dns remote %%h %%p')], ids=['nc', 'ncat'])
def test_ssh(gw, target, login, proxy):
    """ProxyCommand: what the target hears first is the client's version, and what it answers comes through."""
    need('ssh', proxy.split()[0])
    command = proxy % text_of(gw.address('main' if login else 'open'))
    host = REMOTE if login else '127.0.0.1'
    with subprocess.Popen([*SSH, '-o', f'ProxyCommand={command}', '-p', str(target.port), host], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=ENVIRONMENT) as ssh:
        with target.accept() as peer:
            assert peer.recv_exactly(8) == b'SSH-2.0-'
            peer.send(b'SSH-1.5-not for you\r\n')
            assert 'Protocol major versions differ: 2 vs. 1' in ssh.communicate(timeout=sockgate.PATIENCE)[0].decode()
        assert ssh.returncode == 255
    end = gw.wait_record(event='session_end', target=text_of(target.where))
    assert (end['user'], end.get('host')) == (('alice', REMOTE) if login else ('', None))


def test_ssh_refused(gw):
    """With a wrong password ssh hears from its ProxyCommand why."""
    need('ssh', 'ncat')
    command = f'ncat --proxy-type socks5 --proxy {text_of(gw.address())} --proxy-auth alice:wrong %h %p'
    done = run([*SSH, '-o', f'ProxyCommand={command}', '127.0.0.1'])
    assert done.returncode == 255 and 'authentication failed' in said(done)
    assert gw.wait_record(event='session_refused', reason_text='wrong password')['user'] == 'alice'


@contextlib.contextmanager
def served(folder):
    """The port of an HTTP server for the files of a folder."""
    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(folder))

        def log_message(self, *unused):
            pass

    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={'poll_interval': 0.05})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def test_git(gw, tmp_path):
    """http.proxy with a login: every file of a clone comes through the gateway."""
    need('git')
    origin = tmp_path / 'origin'
    for words in (['init', '-q', '-b', 'main', origin],
                  ['-C', origin, '-c', 'user.name=a', '-c', 'user.email=a@sockgate.test', 'commit', '-q', '--allow-empty',
                   '-m', 'first'], ['-C', origin, 'update-server-info']):
        done = run(['git', *words])
        assert done.returncode == 0, said(done)
    with served(origin / '.git') as port:
        def clone(name, secret):
            return run(['git', '-c', f'http.proxy=socks5h://{name}:{secret}@{text_of(gw.address())}', 'clone', '-q',
                        f'http://{REMOTE}:{port}/', tmp_path / f'{name}-{secret}'])
        done = clone(*ALICE)
        assert done.returncode == 0, said(done)
        assert run(['git', '-C', tmp_path / 'alice-secret', 'log', '--format=%s']).stdout == b'first\n'
        assert gw.wait_record(event='session_end', user='alice', host=REMOTE, port=port)
        for login, reason in REASONS.items():
            done = clone(*login)
            assert done.returncode == 128 and 'User was rejected by the SOCKS5 server' in said(done)
            assert gw.wait_record(event='session_refused', reason_text=reason)['user'] == login[0]


# ---- libraries that are put under a program; they go round the gateway for the networks that they find themselves in

INSIDE = '198.51.100.7'


class Inside:
    """A namespace with a gateway and a place that is not on the client's own networks."""

    def __init__(self, gw, folder):
        self.gw, self.folder = gw, folder

    def socksify(self, *argv, login=ALICE, given='', protocol='tcp'):
        need('socksify', argv[0])
        conf = self.folder / 'socks.conf'
        conf.write_text('route { from: 0.0.0.0/0 to: 198.51.100.0/24 via: %s port = %d\n command: bind connect udpassociate\n'
                        ' protocol: tcp udp\n proxyprotocol: socks_v5\n method: username }\n' % self.gw.address())
        return run(['socksify', *argv], given, SOCKS_CONF=str(conf), SOCKS_USERNAME=login[0], SOCKS_PASSWORD=login[1])

    def tsocks(self, *argv, login=ALICE, listener='main', version=5):
        need('tsocks', argv[0])
        conf = self.folder / 'tsocks.conf'
        conf.write_text('server = %s\nserver_port = %d\nserver_type = %d\ndefault_user = %s\ndefault_pass = %s\n' % (
            *self.gw.address(listener), version, *login))
        return run(['tsocks', *argv], TSOCKS_CONF_FILE=str(conf))


@pytest.fixture(name='inside')
def namespace(gateway, users, tmp_path):
    with Namespace() as ns:
        ns.ip('route add local 198.51.100.0/24 dev lo')
        with ns.entered():
            rules = [{'allow': {}, 'label': 'all', 'special': ['loopback', 'self']}]
            yield Inside(gateway(config(users, rules=rules), netns=ns), tmp_path)


@needs_root
@pytest.mark.parametrize('library', ['socksify', 'tsocks'])
def test_under_a_program(inside, library):
    """CONNECT of a program that knows no proxy, with the login of the library."""
    with servers.FileServer(INSIDE, size=SIZE) as page:
        wrapped = getattr(inside, library)
        done = wrapped('wget', '-nv', '--tries=1', '-O', '-', page.url)
        assert done.returncode == 0 and hashlib.sha256(done.stdout[-SIZE:]).hexdigest() == page.sha256, said(done)
        end = inside.gw.wait_record(event='session_end', target=text_of(page.where))
        assert (end['user'], end['command']) == ('alice', 'connect')
        for login, reason in REASONS.items():
            done = wrapped('wget', '-nv', '--tries=1', '-O', '-', page.url, login=login)
            assert done.returncode == 4, said(done)
            assert inside.gw.wait_record(event='session_refused', reason_text=reason)['user'] == login[0]


@needs_root
def test_tsocks_4(inside):
    """SOCKS4: the system's name of the user is its USERID."""
    with servers.FileServer(INSIDE, size=SIZE) as page:
        done = inside.tsocks('wget', '-nv', '--tries=1', '-O', '-', page.url, listener='open', version=4)
        assert done.returncode == 0, said(done)
        end = inside.gw.wait_record(event='session_end', target=text_of(page.where))
        assert end['ver'] == 4, end


# ---- UDP

PYSOCKS_UDP = """import socks, socket, sys
host, port, name, secret, target, target_port = sys.argv[1:]
s = socks.socksocket(socket.AF_INET, socket.SOCK_DGRAM)
s.set_proxy(socks.SOCKS5, host, int(port), True, name, secret)
s.settimeout(20)
s.sendto(b'from pysocks', (target, int(target_port)))
print(s.recvfrom(4096))
"""


def test_pysocks_udp(gw):
    """Over IPv4: PySocks itself fails with a UDP socket of IPv6."""
    need_pysocks()

    def argv(login, port):
        return ['/usr/bin/python3', '-I', '-c', PYSOCKS_UDP, *map(str, gw.address()), *login, '127.0.0.1', str(port)]

    with udp.Place() as place:
        with subprocess.Popen(argv(ALICE, place.port), stdout=subprocess.PIPE, text=True) as client:
            place.send(b'to pysocks', place.expect(b'from pysocks'))
            assert client.communicate(timeout=sockgate.PATIENCE)[0].strip() == str((b'to pysocks', place.where))
        end = gw.wait_record(event='session_end', command='udp_associate')
        assert (end['user'], end['bytes_up'], end['bytes_down'], end['udp_drops']) == ('alice', 12, 10, {})
        assert end['tried'] == [text_of(place.where)]
        for login, reason in REASONS.items():
            done = run(argv(login, place.port))
            assert done.returncode == 1 and 'SOCKS5 authentication failed' in said(done)
            assert gw.wait_record(event='session_refused', reason_text=reason)['user'] == login[0]
        assert place.silent()


@needs_root
def test_socksify_udp(inside):
    """A DNS tool through Dante's library."""
    with dns.Server(INSIDE) as server:
        server['www.test', 'A'] = ['192.0.2.1']
        drill = ['drill', '-p', str(server.where[1]), 'www.test', f'@{INSIDE}', 'A']
        done = inside.socksify(*drill)
        assert '192.0.2.1' in said(done), said(done)
        assert server.asked['www.test', 'A'] == 1
        assert inside.gw.wait_record(event='session_end', command='udp_associate')['user'] == 'alice'
        done = inside.socksify(*drill, login=WRONG)
        assert '192.0.2.1' not in said(done)
        assert inside.gw.wait_record(event='session_refused', reason_text='wrong password')
        assert server.asked['www.test', 'A'] == 1


# ---- BIND

class ActiveFtp(threading.Thread):
    """One session of an FTP server that knows active transfers only, and has one file (RFC 959, RFC 2428)."""

    def __init__(self, host, body):
        super().__init__(daemon=True)
        self.target, self.body, self.said, self.asked = servers.Target(host), body, [], None

    def run(self):
        with self.target, self.target.accept() as control:
            control.send(b'220 active only\r\n')
            lines = control.sock.makefile('rb')
            for line in lines:
                word, _, rest = line.decode().strip().partition(' ')
                self.said.append(word.upper())
                answer = getattr(self, word.lower(), lambda *_: '502 not here')(control, rest)
                control.send(answer.encode() + b'\r\n')
                if word.upper() == 'QUIT':
                    return

    def user(self, *_):
        return '331 and the password?'

    def type(self, *_):
        return '200 so be it'

    def quit(self, *_):
        return '221 goodbye'

    def port(self, _, rest):
        *host, high, low = rest.split(',')
        self.asked = ('.'.join(host), int(high) * 256 + int(low))
        return '200 there'

    def eprt(self, _, rest):
        _, _, host, port, _ = rest.split(rest[0])
        self.asked = (host, int(port))
        return '200 there'

    def retr(self, control, _):
        control.send(b'150 here it comes\r\n')
        try:
            with socket.create_connection(self.asked, socks.PATIENCE, (self.target.host, 0)) as data:
                data.sendall(self.body)
        except OSError as error:
            return f'425 {error}'
        return '226 that was it'


# "pass" is a word of Python.
setattr(ActiveFtp, 'pass', lambda *_: '230 come in')


@needs_root
def test_active_ftp(inside):
    """An FTP client whose data connections come in through BIND."""
    need('tnftp')
    body = bytes(range(256)) * 100
    server = ActiveFtp(INSIDE, body)
    server.start()
    done = inside.socksify('tnftp', '-A', '-n', '-v', INSIDE, str(server.target.port), given=(
        f'user anonymous a@sockgate.test\nbinary\nget file {inside.folder}/file\nquit\n'))
    server.join(sockgate.PATIENCE)
    assert (inside.folder / 'file').read_bytes() == body, (said(done), server.said)
    assert inside.gw.wait_record(event='session_end', command='connect')['user'] == 'alice'
    end = inside.gw.wait_record(event='session_end', command='bind')
    assert (end['user'], end['bytes_down'], end['reason']) == ('alice', len(body), 'closed')
