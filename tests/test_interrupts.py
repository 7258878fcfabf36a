"""Ctrl-C, a kill or a closed terminal ends a command soon, in one line, and leaves nothing behind."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest
from courses import hand_in, make_course
from crashes import is_running, processes_below
from scores import read_scores

from fairmark.authoring import read_assignment
from fairmark.course import open_course
from fairmark.gradebook.assignments import ensure_assignment
from fairmark.interrupts import Interrupted, hear_interrupts, heard_later, kept_from_children
from fairmark.rooms.policy import Policy
from fairmark.rooms.room import Zygote
from fairmark.survey import survey_assignment

COMMAND = (sys.executable, "-m", "fairmark.cli", "grade", "ps1", "--workers", "2")
SLOW = "import subprocess\nsubprocess.run(['sleep', '{}'])\ndef mean(numbers):\n    return sum(numbers) / len(numbers)"


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A class with one submission that keeps its room busy."""
    made = make_course(tmp_path_factory.mktemp("interrupted"), config="c.Execute.timeout = 900")
    hand_in(made, "ann")
    hand_in(made, "slow", SLOW.format("987.654"))
    return made


@pytest.fixture(autouse=True)
def ears():
    """Let what is started here hear Ctrl-C, also where these tests run in the background of a script."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def wait_for(grader, mark):
    """Wait until a process below `grader` shows a mark in its command line; return all that were seen."""
    seen = {}
    while not any(mark in line for line in seen.values()):
        assert grader.poll() is None
        seen |= processes_below(grader.pid)
    return seen


def left_of(seen):
    """Return which of these processes are still there after a moment."""
    for _ in range(1200):
        left = {pid: line for pid, line in seen.items() if is_running(pid, line)}
        if not left:
            break
        time.sleep(0.05)
    return left


@pytest.mark.parametrize(
    ("mark", "number"),
    [
        ("bwrap --ro-bind" if os.geteuid() == 0 else "bwrap", signal.SIGINT),  # zygotes start
        ("spawn_main", signal.SIGINT),  # workers start
        ("sleep 987.654", signal.SIGINT),  # cells run
        ("sleep 987.654", signal.SIGHUP),  # the terminal is closed
    ],
)
def test_at_whatever_moment_it_comes_and_twice_the_grader_ends_and_leaves_nothing(
    course, tmp_path, mark, number
):
    """All of the foreground gets the signal, as from a terminal: no traceback, no process, no folder stays."""
    grader = subprocess.Popen(
        COMMAND,
        cwd=course.root,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    seen = wait_for(grader, mark)
    os.killpg(grader.pid, number)
    time.sleep(0.03)
    if grader.poll() is None:
        os.killpg(grader.pid, number)
    _, told = grader.communicate(timeout=300)
    assert told == "Interrupted. What was graded so far is written; start again to go on.\n"
    assert grader.returncode == 130
    assert left_of(seen) == {}
    assert list(tmp_path.iterdir()) == []
    assert survey_assignment(course, "ps1").todo


def test_a_zygote_that_is_killed_while_bubblewrap_starts_leaves_no_process():
    """Whatever has just been started below it goes, too."""
    for pause in (0, 0.002, 0.004, 0.006, 0.008, 0.01, 0.015, 0.02):
        zygote = Zygote(Policy("student"))
        time.sleep(pause)
        seen = {zygote.process.pid: "", **processes_below(zygote.process.pid)}
        zygote.close()
        assert left_of(seen) == {}


LOST = """
import os, signal, weakref
from fairmark.interrupts import Interrupted, hear_interrupts

class Thing:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(100):
            pass

with hear_interrupts():
    Thing()
    try:
        signal.pause()
    except Interrupted:
        print("heard")
"""


def test_an_interrupt_that_a_finalizer_swallows_is_not_lost():
    """Such a one lets no exception through; without a second one the batch would just go on."""
    done = subprocess.run(
        [sys.executable, "-c", LOST], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("heard\n", "")


def test_two_in_one_moment_are_one_and_the_next_command_hears_again():
    """The second must not disturb the cleaning up; what comes after the block is as it was before."""
    before = signal.getsignal(signal.SIGTERM)
    with hear_interrupts():
        with pytest.raises(Interrupted):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_comes_while_others_are_imported_is_heard_after_that():
    """A module on the way may swallow the exception."""
    reached = []
    with hear_interrupts(), pytest.raises(Interrupted), heard_later():
        reached.append(signal.raise_signal(signal.SIGTERM))
    assert reached == [None]


def test_what_comes_by_another_thread_while_processes_are_started_is_heard_after_that():
    """To block the signal in one thread is not enough; a process that gets half of its orders tells an error."""
    reached = []
    begin = threading.Event()

    def hear():
        begin.wait()
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    def start_processes():
        with kept_from_children():
            begin.set()
            other.join()
            reached.append("the end of the block")

    other = threading.Thread(target=hear)
    other.start()
    with hear_interrupts(), pytest.raises(Interrupted):
        start_processes()
    assert reached == ["the end of the block"]


def test_who_does_not_want_to_hear_is_obeyed():
    """`nohup fairmark grade` goes on when its terminal is closed."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with hear_interrupts(), heard_later():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


BY_NBGRADER = (sys.executable, "-m", "nbgrader", "autograde", "ps1")


@pytest.fixture
def released(course, tmp_path):
    """The same class, known to nbgrader's gradebook."""
    copy = open_course(shutil.copytree(course.root, tmp_path / "course"))
    ensure_assignment(copy, read_assignment(copy, "ps1"))
    return copy


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_of_nbgraders_command_leaves_nothing(released, number):
    """The workers and rooms that it does not know of end with it, in the middle of what they are at."""
    grader = subprocess.Popen(BY_NBGRADER, cwd=released.root, stderr=subprocess.DEVNULL)
    seen = wait_for(grader, "sleep 987.654")
    grader.send_signal(number)
    # So ends a Python that was interrupted; the cell would go on for longer.
    assert grader.wait(300) == -signal.SIGINT
    assert left_of(seen) == {}


def test_workers_behind_nbgraders_command_that_are_killed_are_replaced(released):
    """nbgrader does not notice."""
    hand_in(released, "slow", SLOW.format("2.125"))
    grader = subprocess.Popen(BY_NBGRADER, cwd=released.root, stderr=subprocess.DEVNULL)
    seen = wait_for(grader, "sleep 2.125")
    for pid in [pid for pid, line in seen.items() if "spawn_main" in line]:
        os.kill(pid, signal.SIGKILL)
    assert grader.wait(120) == 0
    assert {score.student: score.score for score in read_scores(released, "ps1")} == {"ann": 6, "slow": 6}
    assert left_of(seen) == {}
