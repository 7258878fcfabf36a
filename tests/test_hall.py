"""The two zygotes of an assignment: what they are told to import, and how several workers share them."""

import json
import os
import signal
import socket
import threading

import pytest
from conftest import LIMITS
from courses import check, code, make_course, markdown, notebook
from crashes import processes_below

from fairmark.authoring import read_assignment
from fairmark.errors import SandboxError
from fairmark.hall import Pair, needs_of, read_needs
from fairmark.rooms import watch
from fairmark.rooms.policy import Policy
from fairmark.rooms.room import Zygote

EMPTY = {"work": {}, "trusted": {}}


@pytest.fixture
def course(tmp_path):
    """A course whose notebook imports, tests with more imports, and forbids a package."""
    cells = [
        markdown("# A title", "title"),
        code("import math\nfrom json import dumps", "setup", grade_id="setup", locked=True),
        check("import fractions\nassert True", "test-one", 1),
    ]
    made = notebook(*cells)
    made.metadata["fairmark"] = {"forbidden": ["scipy"]}
    return make_course(tmp_path, {"work": made})


def needs(course):
    return read_needs(course, course.list_source("ps1"))


def zygotes_below():
    lines = processes_below(os.getpid())
    return {pid for pid, line in lines.items() if "fairmark.rooms.zygote" in line and "-sP" in line}


def test_needs_are_read_without_nbgrader_as_with_it(course):
    """A student's zygote imports nothing that only a test imports."""
    found = needs(course)
    assert found == needs_of(course, read_assignment(course, "ps1"))
    assert found.preload == ("import math", "from json import dumps")
    assert set(found.preload_tests) == {*found.preload, "import fractions"}
    assert found.forbidden == (("source/ps1/work.ipynb", "scipy"),)


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        "[1]",
        "{}",
        json.dumps({"cells": 3, "metadata": []}),
        json.dumps({"cells": [7, {"cell_type": "code", "metadata": 3, "source": ["x = (", "\n"]}]}),
        json.dumps({"cells": [{"cell_type": "code"}], "metadata": {"fairmark": {"forbidden": [["a"], 3]}}}),
    ],
)
def test_a_notebook_that_is_none_needs_nothing(course, text):
    """What is wrong with it is told when the assignment is read."""
    (course.source("ps1") / "work.ipynb").write_text(text)
    found = needs(course)
    assert (found.preload, found.preload_tests, found.forbidden) == ((), (), ())


def test_a_zygote_that_was_split_off_has_rooms_of_its_own_and_ends_with_the_first(student_zygote):
    """What the first has imported is there; rooms of both are open at the same time."""
    with Zygote(Policy("student", LIMITS, preload=("import fractions",))) as first:
        second = Zygote(first.policy, first.level, first.split())
        with first.open_room(EMPTY, 1) as here, second.open_room(EMPTY, 1) as there:
            assert here.look().processes == there.look().processes > 0
        first.kill()
        assert second.control.recv(1) == b""
        assert not second.is_alive()
        second.close()
    assert student_zygote.is_alive()


def test_a_zygote_that_was_split_off_ends_when_nobody_controls_it_any_more():
    """Its worker may have been killed: its rooms do not outlive it."""
    with Zygote(Policy("student", LIMITS)) as first:
        before = zygotes_below()
        second = Zygote(first.policy, first.level, first.split())
        second.open_room(EMPTY, 1)
        added = zygotes_below() - before
        assert added
        second.close()
        assert first.is_alive()
        with first.open_room(EMPTY, 1) as room:  # it answers in order: by then the other one has ended
            assert room.close() == "closed"
        for _ in range(200):
            left = [pid for pid in added if pid in zygotes_below()]
            if not left:
                break
            threading.Event().wait(0.05)
        assert left == []


def test_workers_take_their_seats_and_start_zygotes_of_their_own_when_those_end(course):
    """What another process has split off is used as long as it lives."""
    ours, theirs = socket.socketpair()
    with_seat = Pair(course, needs(course), theirs)
    owner = Pair(course, needs(course))
    owner.start()
    try:
        owner.share([ours])
        student, examiner = with_seat.open()
        assert (student.process, examiner.process) == (None, None)
        assert with_seat.level == owner.level
        student.open_room(EMPTY, 1).close()
        examiner.open_room(EMPTY, 1).close()
        assert with_seat.open() == (student, examiner)
        owner.close()
        assert {zygote.control.recv(1) for zygote in (student, examiner)} == {b""}  # both have ended as well
        again, _ = with_seat.open()
        assert again.process is not None
        again.open_room(EMPTY, 1).close()
    finally:
        with_seat.close()
        owner.close()


def test_at_a_lower_level_nothing_is_shared(course):
    """Rooms share folders there: each worker has zygotes of its own."""
    course.config.Fairmark.sandbox = "bubblewrap+landlock"
    ours, theirs = socket.socketpair()
    owner, with_seat = Pair(course, needs(course)), Pair(course, needs(course), theirs)
    try:
        owner.share([ours])
        student, _ = with_seat.open()
        assert student.process is not None
        assert student.level == "bubblewrap+landlock"
    finally:
        with_seat.close()
        owner.close()


def test_a_zygote_that_is_killed_while_it_is_shared_fails_nobody(course, monkeypatch):
    """The worker gets nothing and starts zygotes of its own."""
    ours, theirs = socket.socketpair()
    owner, with_seat = Pair(course, needs(course)), Pair(course, needs(course), theirs)
    try:
        student, examiner = owner.open()
        examiner.kill()
        monkeypatch.setattr(owner, "open", lambda: (student, examiner))
        owner.share([ours])
        assert with_seat.open()[0].process is not None
    finally:
        with_seat.close()
        owner.close()


def test_a_zygote_that_is_killed_with_a_question_unread_is_lost_as_any_other():
    """Its submission is graded again; the kernel's own words for this are no failure of the grader."""
    with Zygote(Policy("student", LIMITS)) as zygote:
        below = watch.below(zygote.process.pid)
        for signal_ in (signal.SIGSTOP, signal.SIGKILL):
            for pid in below:
                os.kill(pid, signal_)
            if signal_ == signal.SIGSTOP:
                zygote.interrupt(1)
        zygote.process.wait()
        with pytest.raises(SandboxError, match="the sandbox ended"):
            zygote._hear(5)
