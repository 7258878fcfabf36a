"""Heads are listed over http without git: the same answers, the same limits, and nothing that git would not do."""

import contextlib
import shutil
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from fairmark.repository.address import Address, read_address
from fairmark.repository.asking import ask_forks
from fairmark.repository.forge import Forge
from fairmark.repository.inquiring import Inquirer, Reply, is_direct, read_advertisement
from fairmark.repository.mirror import MAX_REFS, Mirror, Unanswered
from fairmark.repository.process import Bounds, Running
from fairmark.repository.serving import serving

from .test_safety import head, line, server

TYPE = "application/x-git-upload-pack-advertisement"
COMMIT = b"a" * 40
START = line(b"# service=git-upload-pack\n") + b"0000"
GOOD = (
    START
    + line(COMMIT + b" HEAD\0multi_ack symref=HEAD:refs/heads/main agent=git/2\n")
    + line(COMMIT + b" refs/heads/main\n")
    + line(COMMIT + b" refs/tags/v1\n")
    + b"0000"
)
LISTED = b"ref: refs/heads/main\tHEAD\n" + COMMIT + b"\tHEAD\n" + COMMIT + b"\trefs/heads/main"


def place(url):
    return read_address(url, local=True)


def ask(url, **limits):
    inquirer = Inquirer(Running())
    try:
        return inquirer.ask(place(url), Bounds(**limits))
    finally:
        inquirer.close()


@pytest.fixture
def forge(tmp_path):
    forge = Forge(tmp_path / "forge")
    yield forge
    forge.close()


def test_the_answer_is_the_one_that_git_gives(forge, tmp_path, monkeypatch):
    """Several branches, another default, tags, pull requests, nothing at all: the same refs, without git."""
    plain = forge.create("a/plain")
    for branch in ("main", "fix/typo", "x-1"):
        plain.commit(branch, {"a.md": branch}, "Begin")
    (plain.folder / "refs/tags").mkdir()
    (plain.folder / "refs/tags/v1").write_text(plain.head() + "\n")
    forge.open_pull(plain, plain, "x-1")
    other = forge.create("a/other", default="trunk")
    other.commit("trunk", {"a.md": "x"}, "Begin")
    lost = forge.create("a/lost", default="gone")
    lost.commit("work", {"a.md": "x"}, "Begin")
    forge.create("a/empty")
    found = {}
    with serving(forge) as url, Mirror(tmp_path / "m.git") as mirror:
        places = [place(f"{url}/a/{name}.git") for name in ("plain", "other", "lost", "empty", "none")]
        for way in ("directly", "by git"):
            if way == "by git":
                monkeypatch.setattr("fairmark.repository.mirror.is_direct", lambda _: False)
            else:
                monkeypatch.setattr("fairmark.repository.mirror.run_git", None)
            found[way] = (
                ask_forks(mirror, places[:4])
                if way == "by git"
                else {each.url: mirror.list_refs(each) for each in places[:4]}
            )
            with pytest.raises(Unanswered, match="no such repository") as told:
                mirror.list_refs(places[4])
            assert told.value.gone
            monkeypatch.undo()
    assert found["directly"] == found["by git"]
    assert [refs.default for refs in found["directly"].values()] == ["main", "trunk", "work", ""]


@pytest.mark.parametrize(
    ("body", "listed"),
    [
        (GOOD, LISTED),
        (START + line(b"0" * 40 + b" capabilities^{}\0agent=git/2\n") + b"0000", b""),
        (GOOD[:-4] + line(b"shallow " + COMMIT) + b"0000", LISTED),
        (b"", None),
        (b"<html>", None),
        (START, None),
        (GOOD[:-4], None),
        (GOOD[:-7], None),
        (GOOD + b"junk", None),
        (GOOD + GOOD, None),
        (GOOD.replace(b"003", b"-03"), None),
        (START + line(b"ERR go away") + b"0000", None),
        (START + line(b"version 2") + b"0000", None),
        (b"ffff" * 3, None),
        (b"0000" * 1000, None),
        (b"\0" * 1000, None),
    ],
)
def test_only_a_whole_answer_in_gits_words_is_taken(body, listed):
    """Everything else is left to git, which knows what to make of it."""
    assert read_advertisement(body) == listed


@pytest.mark.parametrize(
    ("status", "gone", "words"),
    [
        (401, True, "no such"),
        (404, True, "no such"),
        (302, True, "another address"),
        (429, False, "busy"),
        (503, False, "busy"),
    ],
)
def test_a_clear_answer_is_not_asked_for_again(tmp_path, status, gone, words):
    """No redirect is followed, no password tried, and who has too much to do is left alone."""
    asked = []

    def answer(handler):
        asked.append(handler.path)
        head(handler, status, Location="/elsewhere", WWW_Authenticate="Basic realm=x", Content_Length="0")

    with (
        server(answer) as url,
        Mirror(tmp_path / "m.git") as mirror,
        pytest.raises(Unanswered, match=words) as told,
    ):
        mirror.list_refs(place(url))
    assert told.value.gone == gone
    assert asked == ["/a/b.git/info/refs?service=git-upload-pack"]


def test_nothing_is_read_beyond_the_bounds(tmp_path):
    """More bytes, more branches, and drops that never become an answer, in the head or in the body."""
    stopping = threading.Event()

    def drip(handler):
        if "early" not in handler.path:
            head(handler, Content_Type=TYPE)
        while not stopping.wait(0.1):
            handler.wfile.write(b"a")

    def flood(handler):
        head(handler, Content_Type=TYPE)
        handler.wfile.write(START)
        while not stopping.is_set():
            handler.wfile.write(line(COMMIT + b" refs/tags/x") * 1000)

    with server(drip) as url:
        assert ask(url, seconds=1) == Reply(late=True)
        assert ask(url.replace("/a/", "/early/"), seconds=1) == Reply(late=True)
    with server(flood) as url:
        assert ask(url, output=100_000) == Reply(200)
    many = b"".join(line(COMMIT + b" refs/heads/x%d\n" % number) for number in range(MAX_REFS + 2))

    def crowd(handler):
        head(handler, Content_Type=TYPE)
        handler.wfile.write(START + many + b"0000")

    with (
        server(crowd) as url,
        Mirror(tmp_path / "m.git") as mirror,
        pytest.raises(Unanswered, match="more than"),
    ):
        mirror.list_refs(place(url))
    stopping.set()


@contextlib.contextmanager
def keeping_server(*, closes=False, context=None):
    """Serve over connections that stay open, or that are closed without a word after an answer."""
    connections = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self):
            connections.append(self)
            super().setup()

        def do_GET(self):
            head(self, 200 if "good" in self.path else 404, Content_Type=TYPE, Content_Length=str(len(GOOD)))
            self.wfile.write(GOOD)
            self.close_connection = closes

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        httpd.daemon_threads = True
        httpd.handle_error = lambda *_: None
        if context:
            httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
        threading.Thread(target=httpd.serve_forever, args=(0.05,), daemon=True).start()
        yield httpd.server_port, connections
        httpd.shutdown()


def test_many_questions_go_over_few_connections():
    """Also behind one for a repository that is not there."""
    inquirer = Inquirer(Running())
    with keeping_server() as (port, connections):
        for number in range(10):
            name = "good" if number % 2 else "bad"
            reply = inquirer.ask(place(f"http://127.0.0.1:{port}/a/{name}.git"), Bounds())
            assert reply == (Reply(200, GOOD) if number % 2 else Reply(404))
        inquirer.close()
    assert len(connections) == 1


def test_a_connection_that_was_closed_meanwhile_is_replaced():
    """The server need not say that it closes it."""
    inquirer = Inquirer(Running())
    with keeping_server(closes=True) as (port, connections):
        for _ in range(3):
            assert inquirer.ask(place(f"http://127.0.0.1:{port}/a/good.git"), Bounds()) == Reply(200, GOOD)
            time.sleep(0.1)
        inquirer.close()
    assert len(connections) == 3


def test_a_certificate_has_to_be_known(tmp_path, monkeypatch):
    """Nothing is asked of a server that cannot prove its name; one whose authority is known answers."""
    if not shutil.which("openssl"):
        pytest.skip("openssl makes the certificates: apt-get install openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=forge -addext subjectAltName=IP:127.0.0.1"
    words = [*words.split(), "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(words, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    replies = []
    with keeping_server(context=context) as (port, _):
        address = Address(f"https://127.0.0.1:{port}/a/good.git", "https", f"127.0.0.1:{port}", "a", "good")
        for known in (False, True):
            if known:
                monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
            inquirer = Inquirer(Running())
            replies += [inquirer.ask(address, Bounds()) for _ in range(2)]
            inquirer.close()
    assert replies == [Reply(), Reply(), Reply(200, GOOD), Reply(200, GOOD)]


def test_behind_a_proxy_git_asks(monkeypatch):
    """It knows how; the same for paths and bundles."""
    remote = read_address("https://github.com/a/b")
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert is_direct(remote)
    assert not is_direct(Address("/x", "bundle"))
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.uni.example:3128")
    assert not is_direct(remote)
    assert is_direct(read_address("http://127.0.0.1:80/a", local=True))
