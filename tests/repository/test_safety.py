"""Every address, server and repository is hostile; none of it does harm, takes long, or stops the others."""

import contextlib
import os
import re
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from fairmark.repository import process
from fairmark.repository.address import AddressError, read_address
from fairmark.repository.checking import look_at_upstream
from fairmark.repository.forge import Signature
from fairmark.repository.mirror import Mirror, Unanswered
from fairmark.repository.process import Bounds, run_git
from fairmark.repository.serving import serving

from .scenarios import FIXED, LOOKED, PATH, TASK


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "--upload-pack=touch /tmp/owned",
        "-oProxyCommand=touch",
        "ext::sh -c touch% /tmp/owned",
        "file:///etc",
        "/etc/passwd",
        "../../etc",
        "https://localhost/a/b",
        "https://127.0.0.1/a/b",
        "http://127.1/a/b",
        "https://0x7f000001/a/b",
        "https://2130706433/a/b",
        "https://[::1]/a/b",
        "https://[::ffff:127.0.0.1]/a/b",
        "https://169.254.169.254/latest/meta-data",
        "https://github.com@evil.example/a/b",
        "https://github.com.evil.example/a/b",
        "https://evil.example/github.com/a/b",
        "https://github.com:8443/a/b",
        "https://githüb.com/a/b",
        "https://github.com/a",
        "https://github.com/a/..",
        "https://github.com/a/%2e%2e/b",
        "https://github.com/-a/b",
        "https://github.com/a/b;touch",
        "https://github.com/a/b\n--upload-pack=x",
        "https://github.com/a/b\0c",
        "ssh://git@evil.example/a/b",
        "javascript:alert(1)",
        "https://" + "a" * 600 + ".com/a/b",
        "<script>alert(1)</script>",
    ],
)
def test_no_other_address_is_ever_asked(text):
    """Whatever is no address of a known server is refused, with words."""
    with pytest.raises(AddressError, match=r"\w"):
        read_address(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://github.com/anna/notes",
        "https://github.com/anna/notes.git",
        "https://github.com/anna/notes/",
        "http://www.github.com/anna/notes",
        "github.com/anna/notes",
        "git@github.com:anna/notes.git",
        "ssh://git@github.com/anna/notes.git",
        "https://token:secret@github.com/anna/notes",
        "https://github.com/anna/notes/tree/fix-typo/docs?tab=x#top",
        "https://github.com/anna/notes/pull/3",
        " <https://github.com/anna/notes> ",
        "[my fork](https://github.com/anna/notes)",
        "HTTPS://GitHub.com/anna/notes",
    ],
)
def test_what_people_copy_is_understood(text):
    """Credentials, pages and decoration are dropped."""
    assert read_address(text).url == "https://github.com/anna/notes.git"


# --- servers ----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def server(answer):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            with contextlib.suppress(OSError):
                answer(self)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_):
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    threading.Thread(target=httpd.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{httpd.server_port}/a/b.git"
    httpd.shutdown()
    httpd.server_close()


def head(handler, status=200, **headers):
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()


def line(data):
    return f"{len(data) + 4:04x}".encode() + data


def endless_refs(handler):
    head(handler, Content_Type="application/x-git-upload-pack-advertisement")
    handler.wfile.write(line(b"# service=git-upload-pack\n") + b"0000")
    handler.wfile.write(line(b"a" * 40 + b" HEAD\0multi_ack\n"))
    number = 0
    while True:
        block = b"".join(line(b"%040x refs/heads/x%d\n" % (n, n)) for n in range(number, number + 500))
        handler.wfile.write(block)
        number += 500


def silence(_):
    time.sleep(20)


def garbage(handler):
    head(handler, Content_Type="application/x-git-upload-pack-advertisement")
    handler.wfile.write(os.urandom(5000))


def away(handler):
    head(handler, 302, Location="http://127.0.0.1:1/secret/info/refs?service=git-upload-pack")


def password(handler):
    head(handler, 401, WWW_Authenticate='Basic realm="who are you"')


@pytest.mark.parametrize("answer", [endless_refs, silence, garbage, away, password])
def test_a_hostile_server_is_left_after_a_while(answer, tmp_path, monkeypatch):
    """No password is asked for, no redirect followed, no memory filled; the process is gone."""
    bounds = Bounds(seconds=4, output=2**20, memory=400 * 2**20)
    monkeypatch.setattr("fairmark.repository.mirror.Bounds", lambda **_: bounds)
    began = time.monotonic()
    with server(answer) as url, Mirror(tmp_path / "m.git") as mirror, pytest.raises(Unanswered):
        mirror.list_refs(read_address(url, local=True))
    assert time.monotonic() - began < 30
    assert (
        str(tmp_path) not in subprocess.run(["ps", "ax"], capture_output=True, text=True, check=True).stdout
    )


def test_nothing_of_the_callers_environment_or_configuration_reaches_git(tmp_path, monkeypatch):
    """Settings that would run a program are not read, from wherever they come."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".gitconfig").write_text('[alias]\n\tx = "!touch owned"\n[user]\n\tname = Leaked\n')
    for name, value in {
        "HOME": str(tmp_path / "home"),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "user.name",
        "GIT_CONFIG_VALUE_0": "Leaked",
        "GIT_DIR": str(tmp_path),
        "GIT_SSH_COMMAND": "touch owned",
        "FAIRMARK_FORGE_TOKEN": "secret",
    }.items():
        monkeypatch.setenv(name, value)
    process.make_repository(tmp_path / "m.git")
    said = run_git(tmp_path / "m.git", "config", "--list", "--show-origin")
    assert "Leaked" not in said.output.decode()
    seen = run_git(tmp_path / "m.git", "-c", "alias.env=!env", "env").output.decode()
    assert not re.search(r"secret|GIT_CONFIG_COUNT|touch owned", seen)
    for setting in ("http.followredirects=false", "transfer.fsckobjects=true", "core.hookspath=/dev/null"):
        assert setting in said.output.decode()


# --- repositories ------------------------------------------------------------------------------------------------


def verdicts(checked):
    return {each.rule: each.verdict for each in checked.findings}


def test_a_tree_of_ten_million_paths_costs_little(world):
    """Folders that hold the same folder ten times, seven deep: asked for by size, never walked blindly."""
    blob = world.forge.write_object("blob", b"x")
    entries = b"".join(b"100644 f%d\0" % n + bytes.fromhex(blob) for n in range(10))
    tree = world.forge.write_object("tree", entries)
    for _ in range(6):
        entries = b"".join(b"40000 d%d\0" % n + bytes.fromhex(tree) for n in range(10))
        tree = world.forge.write_object("tree", entries)
    root = world.forge.read_tree(world.upstream.head())
    assert root
    top = world.forge._write_folder(
        {**root, PATH: (0o100644, world.forge.write_object("blob", FIXED.encode()))}
    )
    data = world.forge.git("cat-file", "tree", top).output
    bomb = world.forge.write_object("tree", data + b"40000 zzz\0" + bytes.fromhex(tree))
    by = Signature("Anna Berg <anna@uni.example>", LOOKED - 100)
    commit = world.forge.write_commit(bomb, [world.upstream.head()], "Correct the spelling of receive", by)
    world.anna.point("fix-typo", commit)
    world.propose()
    began = time.monotonic()
    found = verdicts(world.look())
    assert time.monotonic() - began < 60
    assert found["fix_present"] == "pass"
    assert found["minimal"] == "fail"


def test_a_file_of_zeros_in_a_small_pack_is_only_measured(world):
    """40 MB fit into 40 kB: its size is asked for, its content never read."""
    world.work({PATH: FIXED, "zeros.bin": bytes(40 * 2**20)})
    world.propose()
    found = verdicts(world.look())
    assert (found["no_big_files"], found["fix_present"]) == ("fail", "pass")


def test_names_and_messages_are_data(world):
    """Options, markup and control characters in branches, paths and messages do nothing."""
    files = {PATH: FIXED, "--output=owned": "x", "<img src=x onerror=alert(1)>": "x", "a\tb": "x"}
    world.work(files, branch="--upload-pack=x", message="<script>alert(1)</script> \x1b[31m and more")
    world.propose("--upload-pack=x")
    checked = world.look()
    assert verdicts(checked)["pr_opened"] == "pass"
    assert not list(world.folder.rglob("owned"))


def test_one_bad_pull_request_does_not_spoil_the_class(world, tmp_path):
    """A tree that git's own check refuses is left out; the others are brought one by one."""
    world.work()
    world.propose()
    blob = world.forge.write_object("blob", b"x")
    bad = world.forge.write_object("tree", b"100644 .git\0" + bytes.fromhex(blob))
    commit = world.forge.write_commit(bad, [world.upstream.head()], "evil", Signature())
    (world.upstream.folder / "refs/pull/7").mkdir(parents=True)
    (world.upstream.folder / "refs/pull/7/head").write_text(commit + "\n")
    with Mirror(tmp_path / "m.git") as mirror:
        upstream = look_at_upstream(mirror, read_address(str(world.upstream.folder), local=True))
    assert [words.split(":")[0] for words in upstream.remarks] == ["pull request 7 could not be brought"]
    found = verdicts(world.look())
    assert (found["pr_opened"], found["fix_present"]) == ("pass", "pass")


def test_hooks_and_settings_of_a_handed_in_repository_never_run(world, tmp_path):
    """A fork by path with hooks, a file system monitor, filters and an external diff."""
    mark = tmp_path / "owned"
    world.work()
    world.propose()
    config = world.anna.folder / "config"
    config.write_text(
        config.read_text().replace(
            "[core]\n", f"[core]\n\tfsmonitor = touch {mark}\n\tsshCommand = touch {mark}\n"
        )
        + f"[diff]\n\texternal = touch {mark}\n[uploadpack]\n\tpackObjectsHook = touch {mark}; true\n"
        + f'[filter "x"]\n\tsmudge = touch {mark}\n\tclean = touch {mark}\n'
    )
    hooks = world.anna.folder / "hooks"
    hooks.mkdir()
    for name in ("pre-receive", "post-checkout", "reference-transaction", "post-index-change"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {mark}\n")
        (hooks / name).chmod(0o755)
    assert verdicts(world.look())["pr_opened"] == "pass"
    assert not mark.exists()


def test_nobody_pushes_to_the_refs_of_pull_requests(world, tmp_path):
    """As on a real forge; a push to a branch works, and the pull request follows."""
    world.work()
    world.propose()
    with serving(world.forge) as url:
        process.make_repository(tmp_path / "clone.git")

        def git(*words):
            return run_git(tmp_path / "clone.git", *words, transport="http")

        assert git("fetch", "-q", f"{url}/{world.anna.name}.git", "+refs/heads/*:refs/heads/*").good
        head = git("rev-parse", "refs/heads/main").output.decode().strip()
        refused = git("push", f"{url}/{world.upstream.name}.git", "main:refs/pull/1/head")
        assert not refused.good
        assert git("push", "-f", f"{url}/{world.anna.name}.git", "main:fix-typo").good
    assert world.upstream.refs()["refs/pull/1/head"] == head
    assert TASK.path == PATH
