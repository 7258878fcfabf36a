"""The benchmark's assignment in otter-grader's form, the commands that grade it, and the scores they leave.

otter-grader is run, never imported: it stays in an environment of its own. Its students hand in the very
notebooks that nbgrader's do; each graded cell is a hidden test in the OK format, worth the same points.
"""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import workload

if TYPE_CHECKING:
    from pathlib import Path

INSTALL = (
    "python -m venv /tmp/otter && /tmp/otter/bin/pip install "
    "'otter-grader[grading]' numpy scipy scikit-image matplotlib"
)
VERSIONS = """from importlib.metadata import version
print(*(f"{name} {version(name)}" for name in ("otter-grader", "numpy")), sep=" with ")
"""
LOOP = """import sys
from otter.run import main
for submission, folder in zip(sys.argv[1::2], sys.argv[2::2]):
    main(submission, autograder="otter/autograder.zip", output_dir=folder, no_logo=True)
"""


def describe(python: Path) -> str:
    """Return the versions in otter-grader's environment; raise ValueError where there is none."""
    try:
        done = subprocess.run([python, "-c", VERSIONS], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ValueError(f"{python} runs no otter-grader; make an environment with `{INSTALL}`") from error
    return done.stdout.strip()


def generate(python: Path, root: Path) -> list[tuple[str, ...]]:
    """Write otter-grader's test files into a course; return the command that packs them."""
    folder = root / "otter" / "tests"
    folder.mkdir(parents=True)
    for exercise in workload.EXERCISES:
        for number, test in enumerate(exercise.tests):
            name = f"{exercise.name}-test-{number}"
            code = "\n".join(f">>> {line}" for line in test.split("\n"))  # each line is a whole statement
            suite = {"type": "doctest", "cases": [{"code": code, "hidden": True}]}
            ok = {"name": name, "points": 2, "suites": [suite]}
            (folder / f"{name}.py").write_text(f"OK_FORMAT = True\n\ntest = {ok!r}\n")
    return [(str(python), "-m", "otter", "generate", "-t", "otter/tests", "-o", "otter/autograder.zip")]


def grade_each(python: Path, root: Path) -> list[tuple[str, ...]]:
    """Return a command for each submission, as otter-grader is run where there is no docker."""
    command = (str(python), "-m", "otter", "run", "-a", "otter/autograder.zip", "--no-logo")
    return [(*command, "-o", folder, submission) for submission, folder in _pair(root)]


def grade_all(python: Path, root: Path) -> list[tuple[str, ...]]:
    """Return one command for the class, which imports once what `otter run` calls, and calls it in turn."""
    return [(str(python), "-c", LOOP, *(path for pair in _pair(root) for path in pair))]


def _pair(root: Path) -> list[tuple[str, str]]:
    """Return each submission with a folder for its results."""
    pairs = []
    for notebook in sorted((root / "submitted").glob("*/ps1/filters.ipynb")):
        folder = root / "autograded" / notebook.parts[-3]
        folder.mkdir(parents=True, exist_ok=True)
        pairs.append((str(notebook), str(folder)))
    return pairs


def read_scores(root: Path) -> dict[tuple[str, str], float]:
    """Return the points of every test of every student."""
    return {
        (path.parent.name, test["name"]): test["score"]
        for path in (root / "autograded").glob("*/results.json")
        for test in json.loads(path.read_text())["tests"]
        if "score" in test  # a summary has none
    }
