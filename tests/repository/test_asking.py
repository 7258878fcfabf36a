"""Many forks are asked at once: none waits for another, the order is the roster's, an interrupt leaves nothing."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter

import pytest

from fairmark.repository.address import read_address
from fairmark.repository.asking import FORKS_AT_A_TIME, ask_forks
from fairmark.repository.exercise import Exercise
from fairmark.repository.forge import Forge
from fairmark.repository.mirror import Mirror, Refs, Unanswered
from fairmark.repository.observing import observe_class
from fairmark.repository.process import Bounds
from fairmark.repository.records import Student, Task
from fairmark.repository.serving import serving

from .scenarios import CORRECT, FIXED, PAGE, PATH, WRONG
from .test_safety import head, line, server


def show_nothing(handler):
    """Answer as an empty repository does."""
    head(handler, Content_Type="application/x-git-upload-pack-advertisement")
    handler.wfile.write(line(b"# service=git-upload-pack\n") + b"0000")
    handler.wfile.write(line(b"0" * 40 + b" capabilities^{}\0multi_ack agent=git/2\n") + b"0000")


def places(url, *names):
    return [read_address(url.replace("/a/b.git", f"/a/{name}.git"), local=True) for name in names]


@pytest.fixture(params=["by git", "directly"])
def way(request, monkeypatch):
    """How heads are listed: where there is a proxy, or the address is a path, git does it."""
    if request.param == "by git":
        monkeypatch.setattr("fairmark.repository.mirror.is_direct", lambda _: False)


@pytest.mark.usefixtures("way")
def test_a_silent_fork_holds_up_nobody(tmp_path):
    """It gets its answer after all the others had theirs; were they to wait for it, none would come."""
    others = Counter()
    all_answered = threading.Event()

    def answer(handler):
        if "/slow" in handler.path and not all_answered.wait(20):
            return
        show_nothing(handler)
        if "/slow" not in handler.path:
            others[handler.path] += 1
            if len(others) == 10:
                all_answered.set()

    names = [*(f"slow{number}" for number in range(FORKS_AT_A_TIME - 1)), *(f"quick{n}" for n in range(10))]
    with server(answer) as url, Mirror(tmp_path / "m.git") as mirror:
        answers = ask_forks(mirror, places(url, *names))
    assert [answer for answer in answers.values() if isinstance(answer, Unanswered)] == []


@pytest.mark.usefixtures("way")
def test_a_fork_that_never_answers_costs_its_own_limit_alone(tmp_path, monkeypatch):
    """The others' answers are there, and what it is told says why there is none of it."""
    here, real = threading.local(), Mirror.list_refs

    def list_refs(self, address, **more):  # the others may take their time: the machine may be busy
        here.seconds = 1 if "dead" in address.url else 60
        return real(self, address, **more)

    monkeypatch.setattr(Mirror, "list_refs", list_refs)
    monkeypatch.setattr("fairmark.repository.mirror.Bounds", lambda **_: Bounds(seconds=here.seconds))
    closing = threading.Event()

    def answer(handler):
        closing.wait(30) if "/dead" in handler.path else show_nothing(handler)

    with server(answer) as url, Mirror(tmp_path / "m.git") as mirror:
        answers = list(ask_forks(mirror, places(url, "dead0", "a", "dead1", "b", "c")).values())
        closing.set()
    assert [str(each) for each in answers if isinstance(each, Unanswered)] == [
        "the server took too long to answer"
    ] * 2
    assert [isinstance(each, Refs) for each in answers] == [False, True, False, True, True]


@pytest.mark.usefixtures("way")
def test_a_server_is_asked_a_few_questions_at_a_time(tmp_path):
    """More would be rude; one after the other would be slow."""
    lock, asked, most, several = threading.Lock(), Counter(), [], threading.Event()

    def answer(handler):
        with lock:
            asked["now"] += 1
            asked[handler.path] += 1
            most.append(asked["now"])
            if asked["now"] > 1:
                several.set()
        if not several.wait(15):  # nobody else comes
            several.set()
        time.sleep(0.1)  # till more come than should
        show_nothing(handler)
        with lock:
            asked["now"] -= 1

    with server(answer) as url, Mirror(tmp_path / "m.git") as mirror:
        ask_forks(mirror, places(url, *(f"n{number}" for number in range(20))))
    assert 1 < max(most) <= FORKS_AT_A_TIME
    del asked["now"]
    assert max(asked.values()) == 1  # nobody is asked again


@pytest.fixture
def school(tmp_path):
    """An original and six forks, three of which have opened no pull request."""
    forge = Forge(tmp_path / "forge")
    original = forge.create("course/notes")
    original.commit("main", {PATH: PAGE, "README.md": "# Notes\n"}, "Begin the notes")
    for number in range(6):
        fork = forge.fork(original, f"student{number}")
        fork.commit("fix-typo", {PATH: FIXED}, f"Correct the spelling, {number}")
        if number % 2:
            forge.open_pull(original, fork, "fix-typo")
    with serving(forge) as url:
        yield url
    forge.close()


def exercise(folder, url):
    roster = tuple(
        Student(
            f"s{number}", f"S {number}", (f"s{number}@uni.example",), "", f"{url}/student{number}/notes.git"
        )
        for number in (3, 0, 5, 1, 4, 2)
    )
    task = Task(PATH, (CORRECT,), (WRONG,), upstream=f"{url}/course/notes.git")
    return Exercise(folder, task, roster, folder / "m.git", folder / "seen.jsonl", local=True)


def test_the_evidence_does_not_depend_on_who_answers_first(school, tmp_path, monkeypatch):
    """Whatever the order of the answers: the same evidence, and the same ledger in the roster's order."""
    real = Mirror.list_refs
    ledgers, found = [], []
    for turn in range(2):

        def list_refs(self, address, *, pulls=False, turn=turn):
            if not pulls:
                number = int(address.owner.removeprefix("student"))
                time.sleep(0.2 * (number if turn else 5 - number))
            return real(self, address, pulls=pulls)

        monkeypatch.setattr(Mirror, "list_refs", list_refs)
        (tmp_path / str(turn)).mkdir()
        course = exercise(tmp_path / str(turn), school)
        observation = observe_class(course, 1_800_000_000)
        assert observation.remarks == ()
        ledgers.append(course.ledger.read_bytes())
        found.append([*observation.checked.items()])
    assert ledgers[0] == ledgers[1]
    assert found[0] == found[1]
    assert [name for name, _ in found[0]] == [each.id for each in course.roster]
    assert [checked.evidence.work.pull is None for _, checked in found[0]] == [
        int(name[1]) % 2 == 0 for name, _ in found[0]
    ]


def test_what_pull_requests_brought_is_not_transferred_again(school, tmp_path, monkeypatch):
    """Only forks with heads that nobody has proposed are fetched from."""
    real = Mirror.bring_heads
    brought = []
    monkeypatch.setattr(
        Mirror, "bring_heads", lambda self, place: (brought.append(place.owner), real(self, place))[1]
    )
    observe_class(exercise(tmp_path, school), 1_800_000_000)
    assert sorted(brought) == ["student0", "student2", "student4"]


SCRIPT = """
import sys, time
from pathlib import Path
from fairmark.repository import mirror as mirrors
from fairmark.repository.address import read_address
from fairmark.repository.asking import ask_forks
from fairmark.repository.mirror import Mirror
from fairmark.repository.process import Running
note = Running.add
def note_later(*given):  # as on a busy machine
    time.sleep(0.2)
    note(*given)
Running.add = note_later
if sys.argv[3] == "by git":
    mirrors.is_direct = lambda _: False
with Mirror(Path(sys.argv[1])) as mirror, mirror.locked():
    ask_forks(mirror, [read_address(f"{sys.argv[2]}/{number}.git", local=True) for number in range(40)])
"""


@pytest.mark.parametrize("way", ["by git", "directly"])
def test_an_interrupt_ends_all_that_is_under_way(tmp_path, way):
    """Ctrl+C while forks are silent: the command ends, no git process runs on, and nobody else is asked."""
    asked, closing = threading.Semaphore(0), threading.Event()

    def answer(_):
        asked.release()
        closing.wait(30)

    with server(answer) as url:
        words = [sys.executable, "-c", SCRIPT, str(tmp_path / "m.git"), url.removesuffix("/b.git"), way]
        with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, start_new_session=True) as command:
            try:
                for _ in range(FORKS_AT_A_TIME):
                    assert asked.acquire(timeout=30)
                os.kill(command.pid, signal.SIGINT)
                _, told = command.communicate(timeout=20)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    command.kill()
        running = subprocess.run(["ps", "ax"], capture_output=True, text=True, check=True).stdout
        closing.set()
    assert "KeyboardInterrupt" in told
    assert str(tmp_path) not in running
    assert not asked.acquire(blocking=False)
