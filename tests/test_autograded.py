"""A graded submission is in its folder whole, or the one before is."""

import fcntl
import os
import tempfile

import pytest
from courses import make_course

from fairmark import autograded
from fairmark.autograded import draft_submission, read_result
from fairmark.results import AssignmentStamp, GraderStamp, SubmissionResult, SubmissionStamp

GRADER = GraderStamp("0", "3.11", "", 1, "none", "2026-05-04T10:00:00+00:00")


def result(note=""):
    return SubmissionResult(AssignmentStamp("ps1", ""), SubmissionStamp("ann"), GRADER, "graded", (), (note,))


def write(course, note="", files=None):
    with draft_submission(course, result(note), {"numbers": "{}"}, files or {"deep/data.csv": b"1"}):
        pass


def names(course):
    return sorted(path.name for path in course.autograded("ann", "ps1").parent.iterdir())


@pytest.fixture
def course(tmp_path):
    return make_course(tmp_path)


@pytest.mark.parametrize("at_once", [True, False])
def test_a_folder_takes_the_place_of_the_one_before(course, monkeypatch, at_once):
    """All files are new, none of the old ones is left; also where folders cannot be exchanged in one step."""
    if not at_once:
        monkeypatch.setattr(autograded, "_exchange", lambda *_: False)
    write(course, "first", {"old.csv": b""})
    write(course, "second")
    folder = course.autograded("ann", "ps1")
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*")) == [
        "deep/data.csv",
        "numbers.ipynb",
        "result.json",
    ]
    assert read_result(course, "ann", "ps1") == result("second")
    assert names(course) == ["ps1"]


def test_where_something_fails_the_folder_stays_as_it_was(course):
    """The gradebook refused, or the disk is full: nothing half written is left."""
    write(course, "first")
    with pytest.raises(OSError, match="full"), draft_submission(course, result("second"), {}, {}):
        raise OSError("the disk is full")
    with pytest.raises(OSError, match="name too long"):
        write(course, "third", {"x" * 300: b""})
    assert read_result(course, "ann", "ps1") == result("first")
    assert names(course) == ["ps1"]


def test_drafts_of_a_grader_that_was_killed_are_swept_away_and_others_are_not(course):
    """A draft that somebody still writes is locked."""
    write(course)
    parent = course.autograded("ann", "ps1").parent
    left, written = parent / ".draft-ps1.left", parent / ".draft-ps1.written"
    left.mkdir()
    (left / "half").write_text("half")
    written.mkdir()
    descriptor = os.open(written, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    write(course)
    assert names(course) == [".draft-ps1.written", "ps1"]
    os.close(descriptor)
    write(course)
    assert names(course) == ["ps1"]


def test_another_grader_that_sweeps_at_the_worst_moment_costs_nothing(course, monkeypatch):
    """What has been made and is not locked yet looks like what was left; also where folders are not exchanged."""
    monkeypatch.setattr(autograded, "_exchange", lambda *_: False)
    made = []
    make = tempfile.mkdtemp

    def make_and_sweep(**where):
        made.append(make(**where))
        if len(made) % 2:
            autograded._sweep(course.autograded("ann", "ps1").parent)
        return made[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", make_and_sweep)
    for note in ("first", "second", "third"):
        write(course, note)
        assert read_result(course, "ann", "ps1") == result(note)
        assert names(course) == ["ps1"]
    assert len(made) == 2 + 4 + 4
