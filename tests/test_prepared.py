"""What the preprocessors made of an assignment is kept, and made again where anything it rests on changed."""

import json
import shutil
import subprocess
import sys

import pytest
from courses import code, notebook, write

from fairmark.authoring import read_assignment
from fairmark.course import open_course

READ = """
import sys
from pathlib import Path
from fairmark.authoring import read_assignment
from fairmark.course import open_course
read_assignment(open_course(Path(sys.argv[1])), "ps1")
print("nbgrader.preprocessors" in sys.modules)
"""


def is_made(course):
    """Read the assignment in another process; return whether its notebooks were made there."""
    done = subprocess.run(
        [sys.executable, "-c", READ, course.root], check=True, capture_output=True, text=True
    )
    return done.stdout == "True\n"


def touch_source(course):
    path = course.source("ps1") / "numbers.ipynb"
    path.write_text(path.read_text().replace("numbers", "figures", 1))


def add_notebook(course):
    write(course.source("ps1") / "second.ipynb", notebook(code("1", "one")))


def add_data(course):
    (course.source("ps1") / "data.csv").write_text("1,2")


def set_up(course):
    with (course.root / "nbgrader_config.py").open("a") as file:
        file.write('c.ClearSolutions.code_stub = {"python": "..."}\n')


def add_helper(course):
    (course.root / "steps.py").write_text("NAME = 1")


def spoil(course):
    for path in (course.root / ".fairmark" / "prepared").iterdir():
        path.write_text(path.read_text()[:-9])


def empty(course):
    for path in (course.root / ".fairmark" / "prepared").iterdir():
        path.write_text(json.dumps({"digest": json.loads(path.read_text())["digest"], "notebooks": {}}))


def test_notebooks_are_made_once(course):
    """The second time nbgrader's preprocessors are not even imported, and what is read is the same."""
    assert is_made(course)
    assert not is_made(course)
    kept = read_assignment(course, "ps1")
    shutil.rmtree(course.root / ".fairmark" / "prepared")
    assert kept == read_assignment(course, "ps1")


@pytest.mark.parametrize("change", [touch_source, add_notebook, add_data, set_up, add_helper, spoil, empty])
def test_notebooks_are_made_again_where_anything_they_rest_on_changed(course, change):
    """A notebook, a file beside it, the settings, a module they may use; or what was kept is broken."""
    before = read_assignment(course, "ps1")
    change(course)
    assert is_made(course)
    after = read_assignment(open_course(course.root), "ps1")
    assert (after == before) == (change in (add_helper, spoil, empty))


def test_what_was_kept_is_for_its_owner_alone(course):
    """It holds the solutions."""
    read_assignment(course, "ps1")
    (kept,) = (course.root / ".fairmark" / "prepared").iterdir()
    assert "fmean" in kept.read_text()
    assert kept.parent.stat().st_mode & 0o077 == 0
