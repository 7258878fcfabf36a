"""Gradescope's autograder: the zip, and a whole run in a folder that is laid out as Gradescope's."""

import json
import os
import shutil
import subprocess
import sys
import zipfile

import pytest
from courses import cells, make_course, notebook, write

from fairmark.cli import main
from fairmark.pipelines.gradescope import SCRIPTS, read_script

METADATA = {
    "id": 5,
    "created_at": "2026-05-04T10:30:00.000000-07:00",
    "assignment": {"title": "PS 1", "due_date": "2026-05-05T10:30:00.000000-07:00"},
    "users": [{"id": 9, "email": "ann@x.org", "name": "Ann", "sid": "77"}],
}


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """The zip of a course's assignment."""
    root = tmp_path_factory.mktemp("course")
    make_course(root)
    (root / "autograder" / "__pycache__").mkdir(parents=True)
    (root / "autograder" / "checks.py").write_text("RIGHT = 7.5\n")
    write(root / "submitted" / "bob" / "ps1" / "numbers.ipynb", notebook(*cells()))
    path = root / "out" / "ps1.zip"
    assert main(["ci", "gradescope", "ps1", "--course", str(root), "-o", str(path)]) == 0
    return path


@pytest.fixture
def autograder(archive, tmp_path):
    """``/autograder`` as Gradescope lays it out, with a hand-in."""
    root = tmp_path / "autograder"
    with zipfile.ZipFile(archive) as file:
        file.extractall(root / "source")
    shutil.copy(root / "source" / "run_autograder", root / "run_autograder")
    (root / "results").mkdir()
    (root / "submission").mkdir()
    (root / "submission_metadata.json").write_text(json.dumps(METADATA))
    return root


def run(root):
    environment = os.environ | {"AUTOGRADER_ROOT": str(root), "AUTOGRADER_PYTHON": sys.executable}
    return subprocess.run(
        ["bash", str(root / "run_autograder")],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def hand_in(root, name="numbers.ipynb", source="def mean(numbers):\n    return sum(numbers) / len(numbers)"):
    given = cells()
    given[3].source = source
    write(root / "submission" / name, notebook(*given))


def test_the_zip_holds_what_is_needed_and_no_students_work(archive):
    """Scripts at its root that can be run, the course, fairmark itself; no hand-in, no cache; twice the same."""
    with zipfile.ZipFile(archive) as file:
        names = set(file.namelist())
        assert file.getinfo("run_autograder").external_attr >> 16 & 0o111
        requirements = file.read("requirements.txt").decode()
    assert {
        "setup.sh", "run_autograder", "requirements.txt", "assignment.txt", "course/nbgrader_config.py",
        "course/source/ps1/numbers.ipynb", "course/autograder/checks.py", "packages/fairmark/__init__.py",
        "packages/fairmark/pipelines/templates/setup.sh",
    } <= names  # fmt: skip
    assert not [
        name for name in names if "submitted" in name or "__pycache__" in name or name.startswith("/")
    ]
    assert "nbgrader" in requirements
    before = archive.read_bytes()
    root = archive.parent.parent
    assert main(["ci", "gradescope", "ps1", "--course", str(root), "-o", str(archive)]) == 0
    assert archive.read_bytes() == before


def test_a_hand_in_is_graded_end_to_end(autograder):
    """The only notebook is graded whatever it is called, and Gradescope finds its results."""
    hand_in(autograder, "folder/numbers (1).ipynb")
    done = run(autograder)
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads((autograder / "results" / "results.json").read_text())
    tests = {test["tags"][0]: test for test in results["tests"]}
    assert (tests["code"]["score"], tests["code"]["max_score"]) == (4.0, 4.0)
    assert results["stdout_visibility"] == "hidden"
    assert [path.name for path in (autograder / "results").iterdir()] == ["results.json"]


def test_a_hostile_hand_in_gets_nothing_and_breaks_nothing(autograder):
    """Links are not followed, and the hidden test is in no result."""
    hand_in(autograder, source="import os\nos._exit(0)")
    (autograder / "submission" / "link.txt").symlink_to(
        autograder / "source" / "course" / ".fairmark" / "secret"
    )
    (autograder / "submission" / "up").symlink_to("/")
    os.mkfifo(autograder / "submission" / "pipe")
    done = run(autograder)
    assert done.returncode == 0, done.stdout + done.stderr
    text = (autograder / "results" / "results.json").read_text()
    assert [test["score"] for test in json.loads(text)["tests"] if test["tags"] == ["code"]] == [0.0]
    assert "7.5" not in text


def test_no_hand_in_at_all_gets_results_with_a_reason(autograder):
    """An empty hand-in is the student's, and told."""
    (autograder / "submission" / "notes.txt").write_text("hello")
    done = run(autograder)
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads((autograder / "results" / "results.json").read_text())
    assert results["score"] == 0
    assert "not handed in" in results["output"]


def test_our_failure_writes_no_results(autograder):
    """Gradescope then tells the instructor; no student gets a 0 for it."""
    hand_in(autograder)
    path = autograder / "source" / "course" / "source" / "ps1" / "numbers.ipynb"
    path.write_text(
        path.read_text().replace("### BEGIN HIDDEN TESTS", "### BEGIN HIDDEN TESTS\\nimport no_such_thing")
    )
    done = run(autograder)
    assert done.returncode == 1
    assert "nobody is given a 0" in " ".join((done.stdout + done.stderr).split())
    assert not (autograder / "results" / "results.json").exists()


def test_the_scripts_are_shell_that_can_be_read():
    """`bash -n` finds no fault."""
    for name in SCRIPTS:
        assert subprocess.run(["bash", "-n"], input=read_script(name), text=True, check=False).returncode == 0
