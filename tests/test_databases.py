"""Several graders and people write into one gradebook at once, on SQLite and on PostgreSQL: nothing is lost."""

import contextlib
import os
import pwd
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from courses import hand_in, make_course
from crashes import is_running, processes_below
from nbgrader.api import Gradebook
from scores import read_scores

from fairmark.authoring import read_assignment
from fairmark.batch import grade_assignment
from fairmark.course import open_course
from fairmark.gradebook import assignments, opening
from fairmark.gradebook.assignments import set_due_date
from fairmark.gradebook.opening import make_gradebook
from fairmark.gradebook.writing import Writer
from fairmark.survey import survey_assignment

WRONG = "def mean(numbers):\n    return max(numbers)"
STUDENTS = tuple(f"student{number}" for number in range(6))


class Server:
    """A PostgreSQL server of its own, run by an unprivileged user in a folder of its own."""

    def __init__(self, programs: Path) -> None:
        self.programs = programs
        self.folder = Path(tempfile.mkdtemp(prefix="fairmark-postgres-"))
        self.user = "nobody" if os.geteuid() == 0 else None
        if self.user:
            shutil.chown(self.folder, self.user)
        self.run("initdb", "-D", str(self.folder / "data"), "-U", "grader", "-A", "trust", "--no-sync")
        self.start()

    def run(self, program, *arguments):
        home = pwd.getpwnam(self.user) if self.user else None
        extra = {"user": home.pw_uid, "group": home.pw_gid, "extra_groups": ()} if home else {}
        subprocess.run(
            [self.programs / program, *arguments],
            check=True,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            **extra,
        )

    def start(self):
        options = f"-c listen_addresses='' -c unix_socket_directories={self.folder} -c fsync=off"
        log = str(self.folder / "log")
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-l", log, "-o", options, "start")

    def kill(self):
        """End the server and all of its processes, as a crash of the machine would."""
        pid = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        ending = {pid: line, **processes_below(pid)}
        for each in ending:
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        # One that still holds the shared memory would keep the next server from starting.
        while any(is_running(*each) for each in ending.items()):
            time.sleep(0.02)
        # Where nobody collects dead processes, the number stays taken, and the server would wait for itself.
        for name in ("data/postmaster.pid", ".s.PGSQL.5432.lock"):
            (self.folder / name).unlink(missing_ok=True)

    def url(self, database):
        self.run("createdb", "-h", str(self.folder), "-U", "grader", database)
        return f"postgresql+psycopg://grader@/{database}?host={self.folder}"

    def stop(self):
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "stop")
        shutil.rmtree(self.folder)


@pytest.fixture(scope="module")
def server():
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin")) or [
        Path(path).parent for path in [shutil.which("initdb")] if path
    ]
    if not found:
        pytest.skip("PostgreSQL is not installed: apt install postgresql")
    made = Server(found[-1])
    yield made
    made.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def course(request, tmp_path):
    """A class with its gradebook on each of the two."""
    config = "c.LateSubmissionPlugin.penalty_method = 'zero'\n"
    if request.param == "postgresql":
        server = request.getfixturevalue("server")
        config += (
            f"c.CourseDirectory.db_url = {server.url(f'marks{os.getpid()}_{random.randrange(10**9)}')!r}"
        )
    made = make_course(tmp_path, config=config)
    for number, student in enumerate(STUDENTS):
        hand_in(made, student, WRONG) if number == 1 else hand_in(made, student)
    return made


EXPECTED = {student: 2.0 if number == 1 else 6.0 for number, student in enumerate(STUDENTS)}


def marks(course):
    return {score.student: score.score for score in read_scores(course, "ps1")}


def mark_by_hand(course, student, score):
    """Do what formgrader does when a person types a mark and a comment, on a disk however slow."""
    patience = "?timeout=300" if course.db_url.startswith("sqlite:") else ""  # seconds; else it is 5
    with Gradebook(course.db_url + patience, course.directory.course_id) as book:
        grade = book.find_grade("why", "numbers", "ps1", student)
        grade.manual_score = score
        book.find_comment("why", "numbers", "ps1", student).manual_comment = f"{score} for {student}"
        book.db.commit()


def by_hand(course, student):
    with Gradebook(course.db_url, course.directory.course_id) as book:
        comment = book.find_comment("why", "numbers", "ps1", student).manual_comment
        return book.find_grade("why", "numbers", "ps1", student).manual_score, comment


@pytest.mark.parametrize("course", ["postgresql"], indirect=True)  # SQLite: see test_survey
def test_grading_again_and_incremental_work_on_a_server_as_well(course):
    """Marks, what they rest on, what people marked, and what late work loses."""
    assert grade_assignment(course, "ps1", STUDENTS[:2], workers=1).failures == ()
    mark_by_hand(course, STUDENTS[0], 3)
    assert len(survey_assignment(course, "ps1").todo) == 4
    set_due_date(course, "ps1", datetime(2026, 5, 1, tzinfo=UTC))
    (course.root / "submitted" / STUDENTS[1] / "ps1" / "timestamp.txt").write_text("2026-05-01 00:00:01 UTC")
    assert grade_assignment(course, "ps1", STUDENTS[:2], workers=1, force=True).failures == ()
    assert marks(course) == {STUDENTS[0]: 9, STUDENTS[1]: 2}
    assert by_hand(course, STUDENTS[0]) == (3, f"3 for {STUDENTS[0]}")
    assert [score.late_penalty for score in read_scores(course, "ps1")] == [0, 2]


def test_several_graders_and_people_at_once_lose_nothing(course):
    """Two graders write the whole class over and over while two people mark: no lock error, no lost mark."""
    batch = grade_assignment(course, "ps1", workers=1)
    assert batch.failures == ()
    wanted = {}

    def write(_):
        with Writer(course) as writer:
            for _ in range(3):
                for result in batch.results:
                    writer.save(result, {})

    def mark(person):
        choose = random.Random(person)
        for _ in range(8):
            student = STUDENTS[3 * person + choose.randrange(3)]
            wanted[student] = choose.randrange(4)
            mark_by_hand(course, student, wanted[student])

    with ThreadPoolExecutor(4) as pool:
        done = [
            *(pool.submit(write, number) for number in range(2)),
            *(pool.submit(mark, n) for n in range(2)),
        ]
        for each in done:
            each.result()
    for student, score in wanted.items():
        assert by_hand(course, student) == (score, f"{score} for {student}")
    assert marks(course) == {student: EXPECTED[student] + wanted.get(student, 0) for student in STUDENTS}
    assert survey_assignment(course, "ps1").todo == ()


def test_two_graders_may_begin_with_no_gradebook_at_all(course):
    """Both make it, both add the same students: everybody has their marks once."""
    command = [sys.executable, "-m", "fairmark.cli", "grade", "ps1", "--workers", "1", "--force"]

    def run(_):
        return subprocess.run(command, cwd=course.root, capture_output=True, text=True, check=False)

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(run, range(2)))
    assert [each.returncode for each in done] == [0, 0], [each.stdout + each.stderr for each in done]
    assert marks(course) == EXPECTED


def test_graders_prepare_an_assignment_one_after_the_other(course, monkeypatch):
    """nbgrader removes a notebook and adds it again: whoever looks meanwhile would miss its cells."""
    assignment = read_assignment(course, "ps1")
    inside, most = [], []
    save = assignments._save_cells

    def note(*given):
        inside.append(given)
        most.append(len(inside))
        time.sleep(0.2)
        save(*given)
        inside.pop()

    monkeypatch.setattr(assignments, "_save_cells", note)
    with ThreadPoolExecutor(3) as pool:
        for each in [pool.submit(assignments.ensure_assignment, course, assignment) for _ in range(3)]:
            each.result()
    assert most == [1]  # the others had nothing to do any more


def test_one_who_is_stopped_in_his_turn_is_not_waited_for_for_ever(course, monkeypatch):
    """Ctrl-Z in the middle of it must not stop every other grader."""
    monkeypatch.setattr(opening, "PATIENCE_SECONDS", 0.3)
    assignment = read_assignment(course, "ps1")
    with opening.taking_turns(course):
        assignments.ensure_assignment(course, assignment)
    with make_gradebook(course) as book:
        assert book.find_notebook("numbers", "ps1").max_score == 14


def test_a_server_that_is_killed_and_comes_back_costs_nothing(server, tmp_path):
    """What was being written is tried again until the server answers."""
    made = make_course(tmp_path, config=f"c.CourseDirectory.db_url = {server.url('killed')!r}")
    for student in STUDENTS[:3]:
        hand_in(made, student)
    told = []

    def tell(student, _):
        told.append(student)
        if len(told) == 1:
            server.kill()
            pool.submit(lambda: (time.sleep(1), server.start()))

    with ThreadPoolExecutor(1) as pool:
        batch = grade_assignment(made, "ps1", workers=1, tell=tell)
    assert batch.failures == ()
    assert marks(made) == dict.fromkeys(STUDENTS[:3], 6)


def test_a_server_that_stays_away_is_our_failure_and_starting_again_finishes(server, tmp_path, monkeypatch):
    """Nobody gets a zero; what was written stays."""
    made = make_course(tmp_path, config=f"c.CourseDirectory.db_url = {server.url('away')!r}")
    for student in STUDENTS[:3]:
        hand_in(made, student)
    monkeypatch.setattr(opening, "PATIENCE_SECONDS", 0.2)
    told = []

    def tell(student, _):
        told.append(student)
        if len(told) == 1:
            server.kill()

    batch = grade_assignment(made, "ps1", workers=1, tell=tell)
    server.start()
    assert len(batch.results) == 1
    assert all("cannot be used" in failure.message for failure in batch.failures)
    assert len(marks(made)) == 1
    monkeypatch.undo()
    again = grade_assignment(open_course(made.root), "ps1", workers=1)
    assert (len(again.unchanged), again.failures) == (1, ())
    assert marks(made) == dict.fromkeys(STUDENTS[:3], 6)
