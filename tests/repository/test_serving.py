"""The forge that a class can practise on: served by the command, used by an ordinary git and an ordinary browser's forms."""

import json
import re
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fairmark.cli import main
from fairmark.repository.forge import Forge
from fairmark.repository.serving import serving

from .scenarios import CORRECT, FIXED, MESSAGE, PAGE, PATH, WRONG

AS_ANNA = ["-c", "user.name=Anna Berg", "-c", "user.email=anna@uni.example"]


@pytest.fixture
def served(tmp_path):
    """The command at work; yields its process and the address that it tells."""
    (tmp_path / "original" / PATH).parent.mkdir(parents=True)
    (tmp_path / "original" / PATH).write_text(PAGE)
    command = [str(Path(sys.executable).parent / "fairmark"), "forge", "serve", "--port", "0"]
    places = ["--folder", str(tmp_path / "forge"), "--original", str(tmp_path / "original")]
    process = subprocess.Popen([*command, *places], stdout=subprocess.PIPE, text=True)
    try:
        yield process, re.search(r"http://[\d.:]+", process.stdout.readline())[0]
    finally:
        process.kill()
        process.communicate()


def send(address, **form):
    """Do what a browser does: show a page, or send a form and follow to the page that answers."""
    data = urllib.parse.urlencode(form).encode() or None
    with urllib.request.urlopen(address, data) as answer:  # noqa: S310 - our own server
        return answer.read().decode()


def git(folder, *words):
    subprocess.run(["git", *AS_ANNA, *words], cwd=folder, check=True, capture_output=True)


def test_a_student_practises_from_the_fork_to_the_pull_request(served, tmp_path, capsys):
    """Fork in the browser, clone, commit and push with git, open the pull request: all rules are satisfied."""
    process, url = served
    assert "course/notes" in send(f"{url}/")
    assert "git clone" in send(f"{url}/course/notes/fork", owner="anna-b")
    git(tmp_path, "clone", "--quiet", f"{url}/anna-b/notes.git", "work")
    git(tmp_path / "work", "switch", "--quiet", "--create", "fix-typo")
    (tmp_path / "work" / PATH).write_text(FIXED)
    git(tmp_path / "work", "commit", "--quiet", "--all", "--message", MESSAGE)
    git(tmp_path / "work", "push", "--quiet", "origin", "fix-typo")
    assert "#1 Correct a typo" in send(f"{url}/anna-b/notes/pull", branch="fix-typo", title="Correct a typo")
    (tmp_path / "TASK.toml").write_text(f'path = "{PATH}"\nwrong = "{WRONG}"\ncorrect = "{CORRECT}"\n')
    (tmp_path / "ROSTER.csv").write_text(
        f"id,name,email,login,fork\nanna,Anna,anna@uni.example,anna-b,{url}/anna-b/notes\n"
    )
    papers = ["--task", str(tmp_path / "TASK.toml"), "--roster", str(tmp_path / "ROSTER.csv")]
    places = ["--upstream", f"{url}/course/notes", "--student", "anna"]
    assert main(["repository", "check", *papers, *places, "--allow-local", "--json"]) == 0
    verdicts = {name: rule["verdict"] for name, rule in json.loads(capsys.readouterr().out)["rules"].items()}
    assert {name for name, verdict in verdicts.items() if verdict != "pass"} == {"pr_merged", "on_time"}
    process.send_signal(signal.SIGINT)
    assert "Ended" in process.communicate(timeout=60)[0]
    assert process.returncode == 0


def test_a_push_to_the_pull_requests_of_the_original_is_refused(served, tmp_path):
    """As on GitHub, nobody can make up a pull request by pushing its ref."""
    _, url = served
    git(tmp_path, "clone", "--quiet", f"{url}/course/notes.git", "work")
    with pytest.raises(subprocess.CalledProcessError) as failed:
        git(tmp_path / "work", "push", "--quiet", "origin", "HEAD:refs/pull/9/head")
    assert b"hidden" in failed.value.stderr


@pytest.fixture
def slow_forge(tmp_path, monkeypatch):
    """A forge on which pull requests follow their branches after a while."""
    forge, follow = Forge(tmp_path / "forge"), Forge.follow
    original = forge.create("course/notes")
    original.commit("main", {PATH: PAGE}, "Begin the notes")
    monkeypatch.setattr(Forge, "follow", lambda *given: (time.sleep(0.1), follow(*given))[1])
    yield forge
    forge.close()


def test_students_who_propose_at_the_same_time_all_have_a_pull_request(slow_forge):
    """Each with a number of its own, and kept."""
    for number in range(4):
        fork = slow_forge.fork(slow_forge.repository("course/notes"), f"student{number}")
        fork.commit("fix-typo", {PATH: FIXED}, MESSAGE)
    with serving(slow_forge) as url, ThreadPoolExecutor(4) as pool:
        places = [f"{url}/student{number}/notes/pull" for number in range(4)]
        pages = [*pool.map(lambda place: send(place, branch="fix-typo", title="Correct"), places)]
    assert all("Correct" in page for page in pages)
    for forge in (slow_forge, Forge(slow_forge.folder)):
        assert sorted((pull.number, pull.state) for pull in forge.pulls) == [
            (n, "open") for n in (1, 2, 3, 4)
        ]
        assert {pull.opener for pull in forge.pulls} == {f"student{number}" for number in range(4)}


def test_a_pull_request_has_followed_when_the_push_is_done(slow_forge, tmp_path):
    """Whoever looks at it next sees what was pushed."""
    original = slow_forge.repository("course/notes")
    fork = slow_forge.fork(original, "anna-b")
    fork.commit("fix-typo", {PATH: FIXED}, MESSAGE)
    number = slow_forge.open_pull(original, fork, "fix-typo")
    with serving(slow_forge) as url:
        git(tmp_path, "clone", "--quiet", "--branch", "fix-typo", f"{url}/anna-b/notes.git", "work")
        git(tmp_path / "work", "commit", "--quiet", "--allow-empty", "--message", "Say more")
        git(tmp_path / "work", "push", "--quiet", "origin", "fix-typo")
        refs = original.refs()
    assert refs[f"refs/pull/{number}/head"] == fork.head("fix-typo") == head_of(tmp_path / "work")


def head_of(folder):
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()
