"""Kills what grades, at random moments, over and over: run it by hand for long, with a log.

python tests/crashes.py --times 200 --log crashes.log
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import IO, TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent))

from courses import hand_in, make_course
from scores import read_scores

from fairmark.results import from_document
from fairmark.survey import survey_assignment

if TYPE_CHECKING:
    from fairmark.course import Course

RIGHT = "def mean(numbers):\n    return sum(numbers) / len(numbers)"
ANSWERS = (
    RIGHT,
    "def mean(numbers):\n    return max(numbers)",
    RIGHT + "\nimport time; time.sleep(0.3)",
    "1 / 0",
)
MARKS = (6.0, 2.0, 6.0, 2.0)
VICTIMS = ("grader", "worker", "zygote", "all")
_WORKER, _ZYGOTE = "spawn_main", "fairmark.rooms.zygote"


def processes_below(pid: int) -> dict[int, str]:
    """Return the processes below one, with their command lines."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found = {}
    for child in parents:
        above = child
        while above in parents and above != pid:
            above = parents[above]
        if above == pid and child != pid:
            with contextlib.suppress(OSError):
                found[child] = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return found


def zygotes_below(pid: int) -> list[int]:
    """Return what zygotes are made of below a process, and not their rooms, which have the same command line.

    Who ends a process of a room does what a student's own code may do: that has to cost the student.
    """
    own = _depth(os.getpid())
    lines = processes_below(pid).items()
    return [each for each, line in lines if _ZYGOTE in line and 0 < _depth(each) < own + 2]


def _depth(pid: int) -> int:
    """Return how many process tables a process stands in, each within the one before; 0 where it is gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("NSpid:"):
                return len(line.split()) - 1
    return 0


def is_running(pid: int, line: str) -> bool:
    """Tell whether a process with this command line is still there; one that nobody has collected is not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        now = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return False
    return state not in ("Z", "X") and now == line


def make_class(root: Path, students: int) -> tuple[Course, dict[str, float]]:
    """Make a course in which students have handed in, and tell what each deserves."""
    course = make_course(root)
    expected = {}
    for number in range(students):
        student = f"student{number:03}"
        hand_in(course, student, ANSWERS[number % len(ANSWERS)])
        expected[student] = MARKS[number % len(ANSWERS)]
    return course, expected


def find_fault(course: Course, student: str, score: float) -> str:
    """Return what is wrong with the folder of a graded submission; whatever is there has to be whole."""
    folder = course.autograded(student, "ps1")
    if not folder.exists():
        return ""
    try:
        result = from_document(json.loads((folder / "result.json").read_text()))
        json.loads((folder / "numbers.ipynb").read_text())
    except (OSError, ValueError) as error:
        return f"the folder of {student} is not whole: {error}"
    return "" if result.score == score else f"{student} has {result.score} points in result.json, not {score}"


def find_faults(course: Course, expected: dict[str, float], *, finished: bool) -> list[str]:
    """Return what is not as it has to be at any moment, and what is not once grading has finished."""
    faults = []
    scores = [(score.student, score.score) for score in read_scores(course, "ps1")]
    for student, number in Counter(student for student, _ in scores).items():
        if number > 1:
            faults.append(f"{student} is in the gradebook {number} times")
    for student, score in scores:
        if score != expected[student]:
            faults.append(f"{student} has {score} points in the gradebook instead of {expected[student]}")
    faults += [fault for student in expected if (fault := find_fault(course, student, expected[student]))]
    if finished:
        faults += [f"{student} was skipped" for student in expected.keys() - dict(scores).keys()]
        faults += [f"left behind: {path}" for path in course.root.glob("autograded/*/.*")]
        if survey_assignment(course, "ps1").todo:
            faults.append("something is left to grade")
    return faults


def hand_in_again(course: Course, choose: random.Random, students: int) -> None:
    """Change what half of the class has handed in, so that there is something to grade; marks stay as they are."""
    for number in choose.sample(range(students), students // 2):
        answer = f"{ANSWERS[number % len(ANSWERS)]}\n# {choose.random()}"
        hand_in(course, f"student{number:03}", answer)


def crash(course: Course, choose: random.Random, longest: float, *, force: bool) -> str:
    """Start grading, kill something of it at a random moment, and tell what happened."""
    command = [sys.executable, "-m", "fairmark.cli", "grade", "ps1", "--workers", "2"]
    victim = choose.choice(VICTIMS)
    process = subprocess.Popen(
        command + (["--force"] if force else []),
        cwd=course.root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    moment = choose.uniform(0.1, longest)
    killed = 0
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(moment)
    if process.poll() is None:
        below = processes_below(process.pid)
        pids = {
            "grader": [process.pid],
            "worker": [pid for pid, line in below.items() if _WORKER in line],
            "zygote": zygotes_below(process.pid),
            "all": [process.pid, *below],
        }[victim]
        for pid in pids if victim == "all" else [choose.choice(pids)] if pids else []:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed += 1
    _, told = process.communicate(timeout=600)
    words = f"after {moment:.2f} s: {killed} killed ({victim}), exit code {process.returncode}"
    if victim in ("worker", "zygote") and process.returncode != 0:
        words += f"; FAULT: a lost {victim} failed the batch: {told[-500:]}"
    return words


def repeat(course: Course, expected: dict[str, float], times: int, seed: int, log: IO[str]) -> int:
    """Crash `times` times and check after each; return the number of faults."""
    choose = random.Random(seed)
    faults = 0
    finish = [sys.executable, "-m", "fairmark.cli", "grade", "ps1", "--workers", "2"]
    started = time.monotonic()
    subprocess.run(finish, cwd=course.root, stdout=subprocess.DEVNULL, check=True)
    longest = time.monotonic() - started
    log.write(f"undisturbed: {longest:.1f} s\n")
    for number in range(1, times + 1):
        force = choose.random() < 0.5
        if not force:
            hand_in_again(course, choose, len(expected))
        words = crash(course, choose, longest, force=force)
        found = [*find_faults(course, expected, finished=False), *(["see above"] if "FAULT" in words else [])]
        faults += len(found)
        done = len(read_scores(course, "ps1"))
        log.write(f"{number:4} {words}; {done} of {len(expected)} graded; {found or 'whole'}\n")
        log.flush()
    code = subprocess.run(finish, cwd=course.root, stdout=subprocess.DEVNULL, check=False).returncode
    found = [*find_faults(course, expected, finished=True), *([f"exit code {code}"] if code else [])]
    log.write(f"started again: {found or 'everything is graded, once and rightly'}\n")
    return faults + len(found)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--students", type=int, default=12)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--log", type=argparse.FileType("w"), default=sys.stdout)
    options = parser.parse_args()
    options.log.write(f"seed {options.seed}, {options.students} students, {options.times} crashes\n")
    with tempfile.TemporaryDirectory() as folder:
        course, expected = make_class(Path(folder), options.students)
        faults = repeat(course, expected, options.times, options.seed, options.log)
    options.log.write(f"{faults} faults\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
