"""What goes wrong around a batch: it ends, and nobody's marks are touched by what is no fault of theirs."""

import itertools
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from types import SimpleNamespace

import pytest
from courses import hand_in, make_course
from crashes import processes_below
from sqlalchemy import create_engine, text

from fairmark import crew
from fairmark.batch import grade_assignment, open_session
from fairmark.errors import GraderError
from fairmark.gradebook import opening
from fairmark.gradebook.reading import read_marks
from fairmark.survey import survey_assignment

STUDENTS = ("ann", "bob", "cem", "dora")


@pytest.fixture
def course(tmp_path):
    """A class in which everybody is right."""
    made = make_course(tmp_path / "course")
    for student in STUDENTS:
        hand_in(made, student)
    return made


def marks(course):
    return {
        student: sum(cell.score or 0 for cell in each.cells)
        for (student, _), each in read_marks(course, "ps1").items()
    }


def test_what_is_removed_while_it_is_graded_keeps_its_marks(course, tmp_path):
    """It is told as something for a person to look at, not as an empty hand-in; put back, it is graded."""
    grade_assignment(course, "ps1", ("ann", "bob"), workers=1)

    def remove_bob(student, _):
        if student == "ann":
            shutil.move(course.root / "submitted/bob", tmp_path / "bob")

    batch = grade_assignment(course, "ps1", ("ann", "bob"), workers=1, force=True, tell=remove_bob)
    assert [failure.student for failure in batch.failures] == ["bob"]
    assert "removed" in batch.failures[0].message
    assert marks(course) == {"ann": 6, "bob": 6}
    shutil.move(tmp_path / "bob", course.root / "submitted/bob")
    assert grade_assignment(course, "ps1", ("bob",), workers=1).failures == ()


def test_a_worker_that_hangs_is_replaced_when_nothing_comes_any_more(course, monkeypatch):
    """Whatever it waits for: the batch ends, with the marks of everybody."""
    others = processes_below(os.getpid())
    lose = crew.Crew._lose
    outcomes = {}

    def note_loss(self):
        self._longest = None  # those who come now may take as long as they need
        lose(self)

    monkeypatch.setattr(crew.Crew, "_lose", note_loss)
    with open_session(course, "ps1", workers=2) as session:
        for student, outcome in session.grade(survey_assignment(course, "ps1")):
            if not outcomes:
                below = processes_below(os.getpid())
                workers = [pid for pid, line in below.items() if "spawn_main" in line and pid not in others]
                os.kill(workers[0], signal.SIGSTOP)
                assert session.crew._longest > 100
                session.crew._longest = 3.0
            outcomes[student] = outcome
    assert outcomes.keys() == set(STUDENTS)
    assert marks(course) == dict.fromkeys(STUDENTS, 6)


SLOW = "import subprocess\nsubprocess.run(['sleep', '1.125'])\ndef mean(numbers):\n    return sum(numbers) / len(numbers)"


def test_a_grader_that_is_stopped_and_goes_on_costs_nobody_a_cell(tmp_path):
    """Ctrl-Z, and `fg` after the time that a cell has: the rooms went on meanwhile, and it is graded again."""
    made = make_course(tmp_path, config="c.Execute.timeout = 3")
    hand_in(made, "ann", SLOW)
    command = [sys.executable, "-m", "fairmark.cli", "grade", "ps1", "--workers", "1"]
    grader = subprocess.Popen(command, cwd=made.root, stdout=subprocess.DEVNULL, start_new_session=True)
    while not any("sleep 1.125" in line for line in processes_below(grader.pid).values()):
        assert grader.poll() is None
    os.kill(grader.pid, signal.SIGSTOP)
    time.sleep(9)
    os.kill(grader.pid, signal.SIGCONT)
    assert grader.wait(120) == 0
    assert marks(made) == {"ann": 6}


def test_a_worker_that_hangs_when_all_is_done_does_not_keep_the_batch_from_ending(course):
    """It may have been idle when it was stopped: then nothing waits for it but the end."""
    others = processes_below(os.getpid())

    def stop_all(*_):
        for pid, line in processes_below(os.getpid()).items():
            if "spawn_main" in line and pid not in others:
                os.kill(pid, signal.SIGSTOP)

    with open_session(course, "ps1", workers=2) as session:
        outcomes = dict(session.grade(survey_assignment(course, "ps1")))
        stop_all()
    assert outcomes.keys() == set(STUDENTS)


WORKER = """
import socket, sys
from queue import SimpleQueue
from fairmark.worker import start_process
numbers = SimpleQueue()
numbers.put(0)
start_process(int(sys.argv[1]), socket.socketpair()[:1], numbers)
print("works")
"""


@pytest.mark.parametrize(("then", "said"), [("wait", "works\n"), ("exit", "")])
def test_a_worker_whose_grader_has_ended_before_it_could_ask_to_be_told_ends(then, said):
    """The kernel tells a process that its parent ends, but not that it has ended already."""
    grader = ["sh", "-c", f'"$@" $$ & {then}', "sh", sys.executable, "-c", WORKER]
    done = subprocess.run(grader, capture_output=True, text=True, timeout=120, check=True)
    assert (done.stdout, done.stderr) == (said, "")


def test_a_gradebook_that_was_waited_for_in_vain_is_tried_once_until_it_works(course, tmp_path, monkeypatch):
    """Another program that never lets go of it costs half a minute, not half a minute a student."""
    moment = itertools.count(0, 0.01)
    waits = []
    clock = SimpleNamespace(monotonic=lambda: next(moment) + sum(waits), sleep=waits.append)
    monkeypatch.setattr(opening, "time", clock)
    engine = create_engine(f"sqlite:///{tmp_path / 'held.db'}", connect_args={"timeout": 0})
    tries = []

    def act():
        tries.append(1)
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE IF NOT EXISTS anything (x)"))

    def count():
        tries.clear()
        with pytest.raises(GraderError, match="locked"):
            opening.try_for_a_while(course, act)
        return len(tries)

    with closing(sqlite3.connect(tmp_path / "held.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert (count() > 1, count()) == (True, 1)
        other.execute("ROLLBACK")
        opening.try_for_a_while(course, act)
        other.execute("BEGIN EXCLUSIVE")
        assert count() > 1
    engine.dispose()
