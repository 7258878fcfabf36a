"""Shows what looking at a class takes with one mirror, beside one clone for each student, in one run.

::

    python benchmarks/one_mirror.py [STUDENTS]

Both ask the same stand-in forge on this machine over HTTP. The clones only bring the forks: who looks at
them still has everything to do, while the time with the mirror includes judging all students by all rules.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from fairmark.repository.address import read_address
from fairmark.repository.exercise import Exercise
from fairmark.repository.forge import Forge
from fairmark.repository.mirror import Mirror
from fairmark.repository.observing import observe_class
from fairmark.repository.process import run_git
from fairmark.repository.records import Student, Task
from fairmark.repository.rehearsal import begin_play, practising_student
from fairmark.repository.serving import serving

PAGE = "# Noise\n\nA detector recieves photons one by one.\n"
TASK = Task("noise.md", ("A detector receives photons one by one.",), ("recieves",))
AT = 1_770_000_000.0


def main(students: int) -> None:
    """Print seconds and the ratio."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "original").mkdir()
        (folder / "original" / "noise.md").write_text(PAGE)
        for number in range(50):
            (folder / "original" / f"page{number}.md").write_text(f"Page {number}\n" * 200)
        forge = Forge(folder / "forge")
        names = [f"student{number}" for number in range(students)]
        play = begin_play(forge, folder / "original", TASK, dict.fromkeys(names, "perfect"), AT)
        with serving(forge) as url:
            forks = {name: f"{url}/{stage.fork.name}.git" for name, stage in play.stages.items()}
            began = time.perf_counter()
            with Mirror(folder / "fetched.git") as mirror:
                place = read_address(f"{url}/{play.upstream.name}.git", local=True)
                mirror.fetch_upstream(place, mirror.list_refs(place, pulls=True))
            fetched = time.perf_counter() - began
            roster = tuple(_with_fork(name, forks[name]) for name in names)
            task = Task(TASK.path, TASK.correct, TASK.wrong, upstream=f"{url}/{play.upstream.name}.git")
            exercise = Exercise(
                folder, task, roster, folder / "mirror.git", folder / "seen.jsonl", local=True
            )
            times = []
            for look in range(2):
                began = time.perf_counter()
                found = observe_class(exercise, AT + 86400 * (1 + look))
                times.append(time.perf_counter() - began)
            began = time.perf_counter()
            for name, fork in forks.items():
                run_git(folder, "clone", "-q", "--", fork, str(folder / name), transport="http")
            cloned = time.perf_counter() - began
        forge.close()
    print(f"{students} students")
    print(f"  one transfer of all pull requests       {fetched:8.2f} s")
    print(f"  first look: transfer, forks, 18 rules   {times[0]:8.2f} s")
    print(f"  second look: nothing new ({found.asked} forks asked) {times[1]:6.2f} s")
    print(f"  one clone for each student, no rules    {cloned:8.2f} s")
    print(f"  clones / transfer {cloned / fetched:.0f}x, clones / second look {cloned / times[1]:.0f}x")


def _with_fork(name: str, fork: str) -> Student:
    return replace(practising_student(name), fork=fork)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
