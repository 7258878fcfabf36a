"""Small courses for tests, written cell by cell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat

from fairmark.course import Course, open_course

if TYPE_CHECKING:
    from collections.abc import Sequence

MEAN = '''def mean(numbers):
    """Return the mean."""
    ### BEGIN SOLUTION
    import statistics
    return statistics.fmean(numbers)
    ### END SOLUTION'''
RIGHT_ANSWER = "def mean(numbers):\n    return sum(numbers) / len(numbers)"
VISIBLE = "assert mean([1, 2, 3]) == 2"
HIDDEN = f"""{VISIBLE}
### BEGIN HIDDEN TESTS
assert mean([2, 4, 8, 16]) == 7.5
### END HIDDEN TESTS"""
QUESTION = """**Which of these is not a colour?** (one answer)

- [ ] red
- [x] seven
  > Seven is a number, whatever it looks like.
- [ ] blue

> Read more about colours in any book."""


def code(source: str, cell_id: str, **nbgrader: Any) -> Any:
    """Return a code cell; `nbgrader` makes it one that nbgrader knows."""
    cell = nbformat.v4.new_code_cell(source, id=cell_id)
    return _mark(cell, nbgrader)


def markdown(source: str, cell_id: str, *, fairmark: dict[str, Any] | None = None, **nbgrader: Any) -> Any:
    """Return a Markdown cell; `nbgrader` makes it one that nbgrader knows."""
    cell = nbformat.v4.new_markdown_cell(source, id=cell_id)
    if fairmark is not None:
        cell.metadata["fairmark"] = fairmark
    return _mark(cell, nbgrader)


def _mark(cell: Any, nbgrader: dict[str, Any]) -> Any:
    if nbgrader:
        plain = {"grade": False, "solution": False, "locked": False, "task": False, "schema_version": 3}
        cell.metadata["nbgrader"] = plain | nbgrader
    return cell


def answer(source: str = MEAN, grade_id: str = "mean", **more: Any) -> Any:
    """Return a cell that the student writes code into."""
    return code(source, grade_id, grade_id=grade_id, solution=True, **more)


def check(source: str = HIDDEN, grade_id: str = "mean-test", points: float = 4, **more: Any) -> Any:
    """Return a graded test cell."""
    return code(source, grade_id, grade_id=grade_id, grade=True, locked=True, points=points, **more)


def question(source: str = QUESTION, grade_id: str = "colours", points: float = 2, **more: Any) -> Any:
    """Return a quiz question."""
    return markdown(source, grade_id, grade_id=grade_id, grade=True, solution=True, points=points, **more)


def written(
    source: str = "Because of the mean.", grade_id: str = "why", points: float = 3, **more: Any
) -> Any:
    """Return a written answer that a person grades."""
    return markdown(source, grade_id, grade_id=grade_id, grade=True, solution=True, points=points, **more)


def task(source: str = "Draw something.", grade_id: str = "draw", points: float = 5) -> Any:
    """Return a task that a person grades."""
    return markdown(source, grade_id, grade_id=grade_id, task=True, locked=True, points=points)


def cells() -> list[Any]:
    """Return the cells of a notebook with one of each kind."""
    return [
        markdown("# Numbers", "title"),
        code("import math", "imports"),
        code("LIMIT = 3", "limit", grade_id="limit", locked=True),
        answer(),
        code("mean([1, 2])", "try"),
        check(),
        question(),
        written(),
        task(),
    ]


def notebook(*given: Any) -> Any:
    """Return a notebook in Python with these cells."""
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return nbformat.v4.new_notebook(cells=list(given), metadata={"kernelspec": kernel})


def write(path: Path, node: Any) -> Path:
    """Write a notebook without having it checked."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(nbformat.v4.writes(node), encoding="utf-8")
    return path


def make_course(
    root: Path, notebooks: dict[str, Any] | None = None, config: str = "", *, enable: bool = True
) -> Course:
    """Write a course with the assignment ``ps1`` and open it."""
    for name, node in (notebooks or {"numbers": notebook(*cells())}).items():
        write(root / "source" / "ps1" / f"{name}.ipynb", node)
    lines = ["c = get_config()", 'c.CourseDirectory.course_id = "numbers"']
    if enable:
        lines += ["import fairmark", "fairmark.enable(c)"]
    root.mkdir(parents=True, exist_ok=True)
    (root / "nbgrader_config.py").write_text("\n".join([*lines, config, ""]), encoding="utf-8")
    return open_course(root)


def hand_in(course: Course, student: str, source: str = RIGHT_ANSWER) -> Path:
    """Hand in the notebook of `cells` with `source` as the answer."""
    given = cells()
    given[3].source = source
    return write(course.root / "submitted" / student / "ps1" / "numbers.ipynb", notebook(*given))


# Several commands in one process, one after the other: to start it takes longer than what most of them do. A
# second of that is a grammar for a format that no schema of Jupyter's uses.
_COMMANDS = """
import gc, json, sys
sys.modules["rfc3987_syntax"] = None
from nbgrader.apps.nbgraderapp import NbGraderApp
for words in json.loads(sys.argv[1]):
    NbGraderApp.launch_instance(words)
    NbGraderApp.clear_instance()
    gc.collect()  # rooms end with what has opened them
"""


def run_nbgrader(root: Path, *arguments: str) -> str:
    """Run one of nbgrader's own commands in the course and return what it told."""
    return run_nbgrader_commands(root, arguments)


def run_nbgrader_commands(root: Path, *commands: Sequence[str], **environment: str) -> str:
    """Run several of nbgrader's own commands in the course and return what they told."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        [sys.executable, "-c", _COMMANDS, json.dumps(commands)],
        cwd=root,
        env=os.environ | {"PATH": path} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    return done.stderr
