"""Shows what looking at a class takes with one mirror, beside one clone for each student, in one run.

::

    python benchmarks/one_mirror.py [STUDENTS]

Both ask the same stand-in forge on this machine over HTTP. The clones, one after the other and eight at a
time, only bring the forks: who looks at them still has everything to do, while the time with the mirror
includes judging all students by all rules. The forge runs in a process of its own: its CPU time is told
apart, as with a real forge it is spent elsewhere.
"""

from __future__ import annotations

import multiprocessing
import resource
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairmark.repository import observing
from fairmark.repository.asking import FORKS_AT_A_TIME
from fairmark.repository.exercise import Exercise
from fairmark.repository.forge import Forge
from fairmark.repository.observing import observe_class
from fairmark.repository.process import run_git
from fairmark.repository.records import Student, Task
from fairmark.repository.rehearsal import begin_play, practising_student
from fairmark.repository.serving import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

PAGE = "# Noise\n\nA detector recieves photons one by one.\n"
TASK = Task("noise.md", ("A detector receives photons one by one.",), ("recieves",))
AT = 1_770_000_000.0


@dataclass(frozen=True, slots=True)
class Took:
    """What something took, in seconds: on the wall, and of CPU here and at the forge."""

    wall: float
    here: float
    forge: float

    def __str__(self) -> str:
        return f"{self.wall:8.2f} s   CPU {self.here:6.2f} s   forge's CPU {self.forge:6.2f} s"


def main(students: int) -> None:
    """Print seconds, parts and ratios."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        names = [f"student{number}" for number in range(students)]
        found_forge(folder, names)
        with serve_apart(folder / "forge") as (url, forge_cpu):
            exercise = make_exercise(folder, names, url)
            parts: dict[str, Took] = {}
            with timed_parts(parts, forge_cpu):
                first = measure(lambda: observe_class(exercise, AT + 86400), forge_cpu)
            found = []
            second = measure(lambda: found.append(observe_class(exercise, AT + 2 * 86400)), forge_cpu)
            forks = {student.id: student.fork for student in exercise.roster}
            single = measure(lambda: clone_all(folder / "single", forks, 1), forge_cpu)
            abreast = measure(lambda: clone_all(folder / "abreast", forks, FORKS_AT_A_TIME), forge_cpu)
    print(f"{students} students")
    print(f"  first look: transfer, forks, 18 rules  {first}")
    for name, part in parts.items():
        print(f"    {name:36s} {part}")
    rest = Took(
        *(getattr(first, each) - sum(getattr(p, each) for p in parts.values()) for each in Took.__slots__)
    )
    print(f"    {'judging and remembering':36s} {rest}")
    print(f"  second look: nothing new, {found[0].asked} asked     {second}")
    print(f"  one clone a student, no rules          {single}")
    print(f"  the same, {FORKS_AT_A_TIME} clones at a time           {abreast}")
    for name, clones in (("clones", single), (f"{FORKS_AT_A_TIME} clones at a time", abreast)):
        for which, look in (("first", first), ("second", second)):
            wall, cpu = clones.wall / look.wall, clones.here / look.here
            print(f"  {name} / {which} look: {wall:.1f}x the time, {cpu:.1f}x the CPU")


def found_forge(folder: Path, names: list[str]) -> None:
    """Found an original of fifty pages, a fork for each student, and a pull request from each."""
    original = folder / "original"
    original.mkdir()
    (original / "noise.md").write_text(PAGE)
    for number in range(50):
        (original / f"page{number}.md").write_text(f"Page {number}\n" * 200)
    forge = Forge(folder / "forge")
    begin_play(forge, original, TASK, dict.fromkeys(names, "perfect"), AT)
    forge.close()


def make_exercise(folder: Path, names: list[str], url: str) -> Exercise:
    """Return the exercise; its mirror and ledger are empty."""
    roster = tuple(_with_fork(name, f"{url}/{name}-codes/notes.git") for name in names)
    task = replace(TASK, upstream=f"{url}/course/notes.git")
    return Exercise(folder, task, roster, folder / "mirror.git", folder / "seen.jsonl", local=True)


def _with_fork(name: str, fork: str) -> Student:
    return replace(practising_student(name), fork=fork)


@contextmanager
def serve_apart(folder: Path) -> Iterator[tuple[str, Callable[[], float]]]:
    """Serve the forge in a process of its own; give its address, and what asks for its CPU seconds."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(folder, theirs))
    process.start()
    theirs.close()
    url = ours.recv()

    def ask_cpu() -> float:
        ours.send("cpu")
        return float(ours.recv())

    try:
        yield url, ask_cpu
    finally:
        ours.close()
        process.join()


def _serve(folder: Path, line: Connection) -> None:
    forge = Forge(folder)
    with serving(forge) as url:
        line.send(url)
        try:
            while line.recv():
                line.send(use_cpu())
        except (EOFError, OSError):
            pass
    forge.close()


def use_cpu() -> float:
    """Return the CPU seconds that this process and its ended children have used."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in both)


def measure(act: Callable[[], Any], forge_cpu: Callable[[], float]) -> Took:
    """Do something once and tell what it took."""
    forge, here, began = forge_cpu(), use_cpu(), time.perf_counter()
    act()
    return Took(time.perf_counter() - began, use_cpu() - here, forge_cpu() - forge)


@contextmanager
def timed_parts(parts: dict[str, Took], forge_cpu: Callable[[], float]) -> Iterator[None]:
    """Measure the two parts of a look that ask servers."""
    real = {name: getattr(observing, name) for name in ("look_at_upstream", "ask_forks")}
    told = {
        "look_at_upstream": "all pull requests, in one transfer",
        "ask_forks": "all forks, each asked once",
    }

    def timed(name: str) -> Callable[..., Any]:
        def act(*given: Any) -> Any:
            answers = []
            parts[told[name]] = measure(lambda: answers.append(real[name](*given)), forge_cpu)
            return answers[0]

        return act

    for name in real:
        setattr(observing, name, timed(name))
    try:
        yield
    finally:
        for name, function in real.items():
            setattr(observing, name, function)


def clone_all(folder: Path, forks: dict[str, str], at_a_time: int) -> None:
    """Clone each fork, and delete it again."""
    folder.mkdir()

    def clone(name: str) -> None:
        said = run_git(folder, "clone", "-q", "--", forks[name], str(folder / name), transport="http")
        if not said.good:
            raise SystemExit(said.words)
        shutil.rmtree(folder / name)

    with ThreadPoolExecutor(at_a_time) as pool:
        list(pool.map(clone, forks))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
