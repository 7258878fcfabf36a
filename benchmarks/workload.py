"""A course of the size that the targets speak of, and any number of honest submissions to it.

One notebook, with 8 graded code questions and 5 image filters, vectorised and with loops: 18 graded cells
among 38 executed ones. Tests are plain ``assert`` statements, so that every grader can run them.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

SETUP = """import numpy as np
import matplotlib.pyplot as plt
from scipy import ndimage
from skimage import color, data, exposure, filters, util

rng = np.random.default_rng(3)
image = rng.random((256, 256))
small = rng.random((64, 64))"""

LOOPS = """def {name}(array, size=3):
    n = size // 2
    padded = np.pad(array, n, mode='symmetric')
    result = np.empty(array.shape)
    for i in range(array.shape[0]):
        for j in range(array.shape[1]):
            window = padded[i:i + size, j:j + size]
            result[i, j] = {slow}
    return result"""


@dataclass(frozen=True, slots=True)
class Exercise:
    """One exercise: its name, right answers in several styles, a wrong one, graded tests, a cell to look."""

    name: str
    right: tuple[str, ...]
    wrong: str
    tests: tuple[str, ...]
    look: str = ""


def _question(name: str, args: str, right: tuple[str, ...], wrong: str, test: str) -> Exercise:
    def body(expression: str) -> str:
        return f"def {name}({args}):\n    return {expression}"

    return Exercise(name, tuple(map(body, right)), body(wrong), (test,))


EXERCISES = (
    _question(
        "mean_of",
        "values",
        ("sum(values) / len(values)", "float(np.mean(values))"),
        "max(values)",
        "assert mean_of([2, 4, 8, 16]) == 7.5",
    ),
    _question(
        "stretch",
        "array",
        ("(array - array.min()) / (array.max() - array.min())",),
        "array / array.max()",
        "assert np.allclose(stretch(np.array([1.0, 2, 3])), [0, 0.5, 1])",
    ),
    _question(
        "count_above",
        "array, limit",
        ("int((array > limit).sum())", "sum(v > limit for v in array.ravel())"),
        "int((array >= limit).sum())",
        "assert count_above(np.arange(10), 5) == 4",
    ),
    _question(
        "flip",
        "array",
        ("array[::-1]", "np.flipud(array)"),
        "array[:, ::-1]",
        "assert np.array_equal(flip(np.arange(6).reshape(2, 3)), [[3, 4, 5], [0, 1, 2]])",
    ),
    _question(
        "grey",
        "rgb",
        ("rgb.mean(axis=-1)", "rgb.sum(axis=2) / rgb.shape[2]"),
        "rgb.max(axis=-1)",
        "assert np.allclose(grey(np.ones((4, 4, 3)) * [1, 2, 3]), 2)",
    ),
    _question(
        "pad_edge",
        "array, n",
        ("np.pad(array, n, mode='edge')",),
        "np.pad(array, n)",
        "assert pad_edge(np.ones((3, 3)), 1).sum() == 25",
    ),
    _question(
        "words",
        "text",
        ("sorted(set(text.lower().split()))",),
        "sorted(text.split())",
        "assert words('The cat the dog') == ['cat', 'dog', 'the']",
    ),
    _question(
        "power",
        "base, exponent",
        ("base ** exponent", "pow(base, exponent)"),
        "base * exponent",
        "assert [power(2, n) for n in (0, 1, 10)] == [1, 2, 1024]",
    ),
    *(
        Exercise(
            name,
            (
                f"def {name}(array, size=3):\n    return {fast}",
                LOOPS.format(name=name, slow=slow),
            ),
            f"def {name}(array, size=3):\n    return {fast.replace('reflect', 'constant')}",
            (
                f"noise = np.random.default_rng(5).random((64, 64))\n"
                f"assert np.allclose({name}(noise, 3), {expected.format(array='noise', size=3)})",
                f"grid = np.random.default_rng(6).random((32, 32))\n"
                f"assert np.allclose({name}(grid, 5)[4:-4, 4:-4], "
                f"{expected.format(array='grid', size=5)}[4:-4, 4:-4])",
            ),
            f"print({name}(small, 3).mean(), {name}(small, 5).std())",
        )
        for name, fast, slow, expected in (
            (
                "mean_filter",
                "ndimage.uniform_filter(array, size, mode='reflect')",
                "window.mean()",
                "ndimage.uniform_filter({array}, {size})",
            ),
            (
                "median_filter",
                "ndimage.median_filter(array, size, mode='reflect')",
                "np.median(window)",
                "ndimage.median_filter({array}, {size})",
            ),
            (
                "minimum_filter",
                "ndimage.minimum_filter(array, size, mode='reflect')",
                "window.min()",
                "ndimage.minimum_filter({array}, {size})",
            ),
            (
                "maximum_filter",
                "ndimage.maximum_filter(array, size, mode='reflect')",
                "window.max()",
                "ndimage.maximum_filter({array}, {size})",
            ),
            (
                "range_filter",
                "ndimage.maximum_filter(array, size, mode='reflect') - "
                "ndimage.minimum_filter(array, size, mode='reflect')",
                "window.max() - window.min()",
                "(ndimage.maximum_filter({array}, {size}) - ndimage.minimum_filter({array}, {size}))",
            ),
        )
    ),
)


def _code(source: str, name: str, **nbgrader: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    if nbgrader:
        plain = {"grade": False, "solution": False, "locked": False, "task": False, "schema_version": 3}
        metadata["nbgrader"] = plain | {"grade_id": name} | nbgrader
    return {
        "cell_type": "code",
        "id": name,
        "metadata": metadata,
        "source": source,
        "outputs": [],
        "execution_count": None,
    }


def source_notebook(exercises: tuple[Exercise, ...] = EXERCISES, *, output: int = 0) -> dict[str, Any]:
    """Return the instructor's notebook; each cell that looks at a result prints `output` characters more."""
    cells = [_code(SETUP, "setup", locked=True)]
    for exercise in exercises:
        head, body = exercise.right[0].split("\n", 1)
        solution = f"{head}\n    ### BEGIN SOLUTION\n{body}\n    ### END SOLUTION"
        cells.append(_code(solution, exercise.name, solution=True))
        if exercise.look:
            more = f"\nprint('x' * {output})" if output else ""
            cells.append(_code(exercise.look + more, f"look-{exercise.name}"))
        for number, test in enumerate(exercise.tests):
            hidden = f"### BEGIN HIDDEN TESTS\n{test}\n### END HIDDEN TESTS"
            name = f"{exercise.name}-test-{number}"
            cells.append(_code(hidden, name, grade=True, locked=True, points=2))
    cells.append(_code("print('the end')", "end"))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": cells}


def make_course(
    root: Path, exercises: tuple[Exercise, ...] = EXERCISES, *, fairmark: bool, output: int = 0
) -> None:
    """Write a course with the assignment ``ps1``."""
    lines = [
        "c = get_config()",
        'c.CourseDirectory.course_id = "benchmark"',
        "c.ExecutePreprocessor.timeout = 60",
    ]
    if fairmark:
        lines += ["import fairmark", "fairmark.enable(c)"]
    (root / "source" / "ps1").mkdir(parents=True)
    (root / "nbgrader_config.py").write_text("\n".join([*lines, ""]))
    (root / "source" / "ps1" / "filters.ipynb").write_text(
        json.dumps(source_notebook(exercises, output=output))
    )


def hand_in(root: Path, students: int, exercises: tuple[Exercise, ...] = EXERCISES, *, seed: int = 1) -> None:
    """Write honest submissions: each answer in one of its right styles, sometimes wrong, sometimes missing.

    Parameters
    ----------
    root : Path
        The course, with ``release/ps1`` made.
    students : int
    exercises : tuple of Exercise
    seed : int
        The same seed gives the same class.
    """
    released = json.loads((root / "release" / "ps1" / "filters.ipynb").read_text())
    answers = {exercise.name: exercise for exercise in exercises}
    for number in range(students):
        choose = random.Random(f"{seed} {number}")  # noqa: S311 - no secret
        for cell in released["cells"]:
            exercise = answers.get(cell["metadata"].get("nbgrader", {}).get("grade_id"))
            if exercise is None:
                continue
            luck = choose.random()
            if luck < 0.8:
                cell["source"] = choose.choice(exercise.right)
            elif luck < 0.95:
                cell["source"] = exercise.wrong
        folder = root / "submitted" / f"student{number:04}" / "ps1"
        folder.mkdir(parents=True)
        (folder / "filters.ipynb").write_text(json.dumps(released))
