"""A batch grades everybody: broken hand-ins are told by name, our failures give nobody a zero."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from courses import cells, make_course, notebook, run_nbgrader, write
from scores import read_scores

from fairmark import worker
from fairmark.batch import Failure, grade_assignment
from fairmark.errors import SandboxError, UsageError
from fairmark.results import from_document

RIGHT = "def mean(numbers):\n    return sum(numbers) / len(numbers)"
WRONG = "def mean(numbers):\n    return max(numbers)"


def hand_in(course, student, source=RIGHT, *, text=None):
    """Hand in the notebook with `source` as the answer, or `text` as the file."""
    folder = course.root / "submitted" / student / "ps1"
    node = notebook(*cells())
    node.cells[3].source = source
    if text is None:
        return write(folder / "numbers.ipynb", node)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "numbers.ipynb").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder / "numbers.ipynb"


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A class with honest, broken and hostile hand-ins."""
    made = make_course(tmp_path_factory.mktemp("batch"))
    hand_in(made, "ann")
    hand_in(made, "bob", WRONG)
    hand_in(made, "crash", "import os; os._exit(1)")
    hand_in(made, "cut", text='{"cells": [{"cell_type": "code", "sou')
    hand_in(made, "empty", text="")
    hand_in(made, "binary", text=bytes(range(256)) * 10)
    hand_in(made, "deep", text="[" * 200_000)
    hand_in(made, "old", text=json.dumps({"nbformat": 2, "worksheets": []}))
    hand_in(made, "list", text="[1, 2, 3]")
    hand_in(made, "huge", text=" " * (51 * 2**20))
    linked = made.root / "submitted" / "link" / "ps1"
    linked.mkdir(parents=True)
    (linked / "numbers.ipynb").symlink_to(made.root / "source" / "ps1" / "numbers.ipynb")
    fifo = made.root / "submitted" / "fifo" / "ps1"
    fifo.mkdir(parents=True)
    os.mkfifo(fifo / "numbers.ipynb")
    (made.root / "submitted" / "missing" / "ps1").mkdir(parents=True)
    (made.root / "submitted" / "whole-link").mkdir()
    (made.root / "submitted" / "whole-link" / "ps1").symlink_to(made.root / "source" / "ps1")
    hand_in(made, "-rf [red] \x1b[31m")
    return made


@pytest.fixture(scope="module")
def batch(course):
    return grade_assignment(course, "ps1", workers=2)


def of(batch, student):
    return next(result for result in batch.results if result.submission.student == student)


BROKEN = ["cut", "empty", "binary", "deep", "old", "list", "huge", "link", "fifo", "missing", "whole-link"]


def test_every_submission_has_a_result(course, batch):
    """Whatever was handed in: nothing is left out, and nothing is our failure."""
    assert batch.failures == ()
    assert len(batch.results) == len(list((course.root / "submitted").iterdir()))


@pytest.mark.parametrize("student", BROKEN)
def test_a_broken_submission_is_told_and_gets_no_points(batch, student):
    """The file and the reason stand in the notes."""
    result = of(batch, student)
    assert result.status == "ungradable"
    assert result.score == 0
    assert any("numbers" in note or "link" in note for note in result.notes), result.notes


def test_the_others_get_what_they_deserve(batch):
    """Right, wrong, and crashed in the answer itself; the quiz was answered by all."""
    scores = {
        name: {item.id: item.score for item in of(batch, name).items} for name in ("ann", "bob", "crash")
    }
    assert [scores[name]["mean-test"] for name in scores] == [4, 0, 0]
    assert [scores[name]["colours"] for name in scores] == [2, 2, 2]
    assert of(batch, "crash").status == "crashed"


def test_odd_names_of_students_are_graded_and_made_printable(batch):
    """A folder's name may look like an option, like markup or like a terminal's escape."""
    [odd] = [result for result in batch.results if result.submission.student.startswith("-rf")]
    assert odd.score == 6
    assert "\x1b" not in odd.submission.student


def test_the_gradebook_holds_the_same_points(course, batch):
    """nbgrader's own gradebook agrees with the result documents."""
    scores = {score.student: score.score for score in read_scores(course, "ps1")}
    assert scores == {result.submission.student: result.score for result in batch.results}


def test_the_result_document_can_be_read_back(course, batch):
    """What stands beside the notebook is the whole result."""
    text = (course.autograded("ann", "ps1") / "result.json").read_text()
    assert from_document(json.loads(text)) == of(batch, "ann")


def test_graded_notebooks_are_nbgraders(course, batch):
    """Feedback pages are made of them by nbgrader's own command."""
    assert batch.results
    nbformat.validate(nbformat.read(course.autograded("ann", "ps1") / "numbers.ipynb", as_version=4))
    for student in ("ann", "bob"):  # a failed test's traceback shows the lines around it
        run_nbgrader(course.root, "generate_feedback", "ps1", "--student", student)
        page = (course.root / f"feedback/{student}/ps1/numbers.html").read_text()
        assert "Seven is a number" in page
        assert "HIDDEN" not in page
        assert not re.search(r"(?s)8\D{0,60}16", re.sub(r"<style.*?</style>", "", page, flags=re.DOTALL))


def test_grading_again_gives_the_same(course, batch):
    """Same work, same seed, same points."""
    again = grade_assignment(course, "ps1", ("bob", "ann"), workers=1, force=True)
    assert again.unchanged == frozenset()
    assert [result.score for result in again.results] == [of(batch, name).score for name in ("ann", "bob")]
    assert [result.submission.student for result in again.results] == ["ann", "bob"]


def test_an_unknown_student_is_wrong_use(course):
    """The message names whom nothing was found for."""
    with pytest.raises(UsageError, match="zoe"):
        grade_assignment(course, "ps1", ("zoe",))


def test_our_failure_is_no_zero(tmp_path, monkeypatch):
    """A submission that we fail on is told; the gradebook keeps what it had, the others are graded."""
    made = make_course(tmp_path)
    hand_in(made, "ann")
    hand_in(made, "bob")
    grade_assignment(made, "ps1", workers=1)
    real = worker.grade_parcel

    def fail(hall, parcel):
        if parcel.submission.student == "ann":
            raise RuntimeError("a fault of ours")
        return real(hall, parcel)

    monkeypatch.setattr(worker, "grade_parcel", fail)
    told = []
    batch = grade_assignment(
        made, "ps1", workers=1, force=True, tell=lambda student, outcome: told.append((student, outcome))
    )
    assert [result.submission.student for result in batch.results] == ["bob"]
    assert "a fault of ours" in batch.failures[0].message
    assert isinstance(dict(told)["ann"], Failure)
    assert {score.student: score.score for score in read_scores(made, "ps1")} == {"ann": 6, "bob": 6}


def test_without_a_sandbox_nothing_is_graded(tmp_path, monkeypatch):
    """It is told at once, instead of once a student."""
    made = make_course(tmp_path)
    hand_in(made, "ann")

    def missing():
        raise SandboxError("no sandbox")

    monkeypatch.setattr("fairmark.rooms.bubblewrap.find_bubblewrap", missing)
    monkeypatch.setattr("fairmark.rooms.linux.landlock_version", lambda: 0)
    with pytest.raises(SandboxError):
        grade_assignment(made, "ps1", workers=1)
    assert not (made.root / "autograded").exists()


def _ours_are_running(mark):
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if mark.encode() in path.read_bytes().replace(b"\0", b" "):
                found.append(path)
    return found


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM])
def test_an_interrupted_grader_leaves_nothing_running(tmp_path, signum):
    """Ctrl-C, kill and kill -9 in the middle end every room; what is half written is not there."""
    made = make_course(tmp_path)
    hand_in(made, "ann")
    mark = f"987654.{os.getpid()}{signum:02}"  # nobody else's on this machine
    hand_in(made, "slow", f"import subprocess\nsubprocess.run(['sleep', '{mark}'])")
    process = subprocess.Popen(
        [sys.executable, "-m", "fairmark.cli", "grade", "ps1", "--workers", "2"],
        cwd=made.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    end = time.monotonic() + 180
    while not _ours_are_running(f"sleep {mark}") and time.monotonic() < end:
        time.sleep(0.1)
    assert _ours_are_running(f"sleep {mark}")
    os.kill(process.pid, signum)
    process.communicate(timeout=180)
    end = time.monotonic() + 60
    while _ours_are_running(f"sleep {mark}") and time.monotonic() < end:
        time.sleep(0.1)
    assert not _ours_are_running(f"sleep {mark}")
    assert not (made.root / "autograded/slow/ps1").exists()
    assert process.returncode != 0
