"""Whoever grades, wherever, and whoever is killed meanwhile: everybody gets the same marks, once."""

import os
import signal
import subprocess
import sys
import time

import pytest
from courses import hand_in, make_course
from crashes import processes_below, zygotes_below
from scores import read_scores

from fairmark import crew
from fairmark.batch import grade_assignment
from fairmark.errors import UsageError
from fairmark.survey import survey_assignment

SLOW = "import time\ntime.sleep(0.5)\ndef mean(numbers):\n    return sum(numbers) / len(numbers)"
WRONG = "def mean(numbers):\n    return max(numbers)"
STUDENTS = ("ann", "bob", "cem", "dora", "eva", "fay")
EXPECTED = {student: 2 if student == "bob" else 6 for student in STUDENTS}


@pytest.fixture
def course(tmp_path):
    """A class whose work takes long enough to be disturbed, and whose tests need the course's own folder."""
    made = make_course(tmp_path / "course")
    (made.root / "autograder").mkdir()
    (made.root / "autograder" / "__init__.py").touch()
    for student in STUDENTS:
        hand_in(made, student, WRONG if student == "bob" else SLOW)
    return made


def marks(course):
    return {score.student: score.score for score in read_scores(course, "ps1")}


def workers_below(pid):
    return [each for each, line in processes_below(pid).items() if "spawn_main" in line]


@pytest.fixture
def kill_one():
    """What kills one of the processes that a search finds, where there is one that this test has started."""
    others = set(processes_below(os.getpid()))

    def kill(search):
        for pid in search(os.getpid()):
            if pid not in others:
                os.kill(pid, signal.SIGKILL)
                return [search]
        return []

    return kill


def test_a_worker_and_zygotes_that_are_killed_cost_nobody_anything(course, kill_one):
    """The submission is graded again by another; nothing failed."""
    killed = []
    left = [workers_below, zygotes_below, zygotes_below]

    def tell(*_):
        if left and kill_one(left[0]):  # rooms that are just being started again have no zygote
            killed.append(left.pop(0))

    batch = grade_assignment(course, "ps1", workers=2, tell=tell)
    assert workers_below in killed
    assert zygotes_below in killed
    assert batch.failures == ()
    assert marks(course) == EXPECTED
    assert survey_assignment(course, "ps1").todo == ()


PROGRAM = """
import sys
from pathlib import Path
from fairmark.batch import grade_assignment
from fairmark.course import open_course
print("begins")
batch = grade_assignment(open_course(Path(sys.argv[1])), "ps1", ("ann", "bob"), workers=2)
print(*(result.score for result in batch.results))
"""


def test_workers_do_not_run_the_program_that_grades(course, tmp_path):
    """It may be a server, or nbgrader's own command, and take seconds to start."""
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, tmp_path / "program.py", course.root], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("begins\n6.0 2.0\n", "")


def test_a_zygote_that_is_killed_under_a_single_grader_is_replaced(course, kill_one):
    """Also without worker processes."""
    killed = []

    def tell(*_):
        if not killed:
            killed.extend(kill_one(zygotes_below))

    batch = grade_assignment(course, "ps1", ("ann", "bob"), workers=1, tell=tell)
    assert killed
    assert batch.failures == ()
    assert marks(course) == {"ann": 6, "bob": 2}


# ---------------------------------------------------------------------------------------------------------
# A real cluster: a scheduler and its workers are processes of their own


@pytest.fixture
def cluster(tmp_path):
    """A Dask scheduler and two workers that do not know the course folder."""
    pytest.importorskip("distributed", reason="Dask is not installed: pip install 'fairmark[dask]'")
    from distributed import Client  # noqa: PLC0415

    place = tmp_path / "cluster"
    place.mkdir()
    meeting = place / "scheduler.json"  # tells which port the scheduler has found
    environment = os.environ | {"DASK_DISTRIBUTED__WORKER__DAEMON": "False"}

    def start(role, *arguments):
        command = [sys.executable, "-m", f"distributed.cli.dask_{role}", *arguments, "--no-dashboard"]
        return subprocess.Popen(
            [*command, "--scheduler-file", str(meeting)],
            cwd=place,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    worker = ("worker", "--nthreads", "1", "--no-nanny", "--local-directory", str(place))
    processes = [start("scheduler", "--host", "127.0.0.1", "--port", "0"), start(*worker), start(*worker)]
    try:
        while not meeting.exists():
            assert processes[0].poll() is None
            time.sleep(0.1)
        with Client(scheduler_file=str(meeting), timeout="180s", set_as_default=False) as client:
            client.wait_for_workers(2, timeout=180)
            address = client.scheduler.address
        yield address, processes[1:]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_a_cluster_grades_although_one_of_its_workers_is_killed(course, cluster):
    """Submissions travel there as bytes, documents come back; only we write the gradebook."""
    address, workers = cluster
    told = []

    def tell(student, _):
        told.append(student)
        if len(told) == 1:
            workers[0].kill()

    batch = grade_assignment(course, "ps1", dask=address, tell=tell)
    assert batch.failures == ()
    assert sorted(told) == sorted(STUDENTS)
    assert marks(course) == EXPECTED
    stamps = {result.submission.student: result.fingerprint for result in batch.results}
    assert all(stamps.values())
    left = [line for line in processes_below(workers[1].pid).values() if "fairmark.rooms.zygote" in line]
    assert left == []
    assert survey_assignment(course, "ps1").todo == ()


def test_no_scheduler_is_wrong_use(course, monkeypatch):
    """The message names the address."""
    pytest.importorskip("distributed", reason="Dask is not installed: pip install 'fairmark[dask]'")
    monkeypatch.setattr(crew, "_CONNECT_SECONDS", 1)
    with pytest.raises(UsageError, match=r"127\.0\.0\.1:9"):
        grade_assignment(course, "ps1", dask="tcp://127.0.0.1:9")
