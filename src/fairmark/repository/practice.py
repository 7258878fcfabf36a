"""Sets up a course's exercise on a stand-in forge, with a simulated class: for the demo and for tests."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from fairmark.repository.assignment import TASK_FILE, read_task
from fairmark.repository.exercise import ROSTER_FILE, SETTINGS_FILE, read_exercise
from fairmark.repository.forge import Forge
from fairmark.repository.observing import observe_class
from fairmark.repository.rehearsal import UPSTREAM, begin_play, practising_student

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fairmark.course import Course
    from fairmark.repository.forge import Repository

_DAY = 86400.0


def forge_folder(course: Course) -> Path:
    """Return where a course's stand-in forge lies."""
    return course.root / ".fairmark" / "forge"


def practise(
    course: Course, assignment: str, states: Mapping[str, str], due: float, url: str = ""
) -> dict[str, str]:
    """Let a simulated class do the exercise, and look at it before it is due.

    Writes the roster, and settings that let the course look at the stand-in forge.

    Parameters
    ----------
    course : Course
    assignment : str
    states : mapping of str to str
        What each student does, by id.
    due : float
        Seconds since 1970.
    url : str
        Where the forge of `forge_folder` is served; by default it is read by path.

    Returns
    -------
    dict of str to str
        The addresses that the students write into their notebooks.
    """
    folder = course.root / "autograder" / assignment
    task = read_task(folder / TASK_FILE)
    forge = Forge(forge_folder(course))
    play = begin_play(forge, folder / UPSTREAM, task, states, due - 3 * _DAY)

    def address(repository: Repository) -> str:
        return f"{url}/{repository.name}.git" if url else str(repository.folder)

    forks = {name: address(stage.fork) for name, stage in play.stages.items()}
    _write_settings(course, assignment, address(play.upstream), due)
    _write_roster(course, forks)
    observe_class(read_exercise(course, assignment), due - _DAY)
    play.go_on(due + _DAY / 2)
    forge.close()
    return forks


def _write_settings(course: Course, assignment: str, upstream: str, due: float) -> None:
    settings = {"upstream": upstream, "opens": due - 14 * _DAY, "due": due, "allow_local": True}
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    path = course.root / ".fairmark" / SETTINGS_FILE
    kept = path.read_text() if path.exists() else ""
    kept = re.sub(rf"^\[{re.escape(assignment)}\]\n(?:[^\[].*\n)*", "", kept, flags=re.MULTILINE)
    path.write_text(f"{kept}[{assignment}]\n" + "\n".join(lines) + "\n")


def _write_roster(course: Course, forks: Mapping[str, str]) -> None:
    path = course.root / ROSTER_FILE
    lines = path.read_text().splitlines() if path.exists() else ["id,name,email,login,fork"]
    lines = [line for line in lines if line.partition(",")[0] not in forks]
    for name, fork in forks.items():
        student = practising_student(name)
        lines.append(f"{student.id},{student.name},{student.emails[0]},{student.login},{fork}")
    path.write_text("\n".join(lines) + "\n")
