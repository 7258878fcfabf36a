"""What lies beside the notebook reaches the tests, through both doors, and a report says what was looked at."""

import json

import pytest
from courses import answer, check, make_course, notebook, run_nbgrader_commands, write

from fairmark.batch import grade_assignment

CONFIG = 'c.Autograde.exclude_overwriting = {"ps1": ["template.txt"]}'
TEST = """### BEGIN HIDDEN TESTS
from fairmark.checks import Report
from fairmark.results import CheckResult

words = " ".join(open(name).read().strip() for name in ("given.txt", "template.txt", "own.yml"))
Report(words, (CheckResult("A file", "passed", 4.0, 4.0),), kind="environment")
### END HIDDEN TESTS"""


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course with two files of the instructor's, of which students may hand in their own version of one."""
    cells = (answer("%%writefile own.yml\ninstructor", "own"), check(TEST, "files"))
    made = make_course(tmp_path_factory.mktemp("files"), {"files": notebook(*cells)}, CONFIG)
    for name in ("given.txt", "template.txt"):
        (made.source("ps1") / name).write_text("instructor")
    for student, source in (("beside", "pass"), ("inside", "%%writefile own.yml\nstudent")):
        cells = (answer(source, "own"), check(TEST, "files"))
        folder = write(made.root / "submitted" / student / "ps1" / "files.ipynb", notebook(*cells)).parent
        for name in ("given.txt", "template.txt", *(["own.yml"] if student == "beside" else [])):
            (folder / name).write_text("student")
    return made


def read_items(course):
    return {
        path.parts[-3]: json.loads(path.read_text())["items"]
        for path in (course.root / "autograded").glob("*/ps1/result.json")
    }


@pytest.mark.parametrize("door", ["fairmark", "nbgrader"])
def test_handed_in_files_reach_the_tests(course, door):
    """A file of the student's own, one they may change, and never another version of the instructor's."""
    if door == "fairmark":
        grade_assignment(course, "ps1", workers=1)
    else:
        run_nbgrader_commands(course.root, ("generate_assignment", "ps1"), ("autograde", "ps1", "--force"))
    items = read_items(course)
    assert items.keys() == {"beside", "inside"}
    for [item] in items.values():
        assert (item["title"], item["kind"]) == ("instructor student student", "environment")
        assert item["score"] == 4
    assert (course.root / "autograded/beside/ps1/own.yml").read_text() == "student"
