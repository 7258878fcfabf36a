"""The command says what it did, what to do next, and how it went by its exit code."""

import json
import shutil
import subprocess
import sys

import pytest
from courses import answer, cells, check, make_course, notebook, run_nbgrader, write


def fairmark(folder, *arguments):
    """Run the command as a person does."""
    command = [sys.executable, "-m", "fairmark.cli", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


@pytest.fixture
def course(tmp_path):
    return make_course(tmp_path)


def test_release_shows_the_proof(course):
    """The table and the sentence stand on the terminal."""
    code, words = fairmark(course.root, "release", "ps1")
    assert code == 0
    assert "Proved: the blank release scores 0" in words


def test_grade_shows_everybody_and_where_to_look(course):
    """A table, the gradebook, the notebooks; a file that cannot be read is told and costs no exit code."""
    write(course.root / "submitted/ann/ps1/numbers.ipynb", notebook(*cells()))
    broken = course.root / "submitted/bob/ps1/numbers.ipynb"
    broken.parent.mkdir(parents=True)
    broken.write_text("no notebook")
    code, words = fairmark(course.root, "grade", "ps1", "--workers", "1")
    assert code == 0, words
    for part in ("ann", "bob", "cannot be read", "gradebook.db", "result.json"):
        assert part in words


def test_grade_without_hand_ins_says_so(course):
    """It is no failure, and the message names the folder."""
    code, words = fairmark(course.root, "grade", "ps1")
    assert (code, "Nothing was handed in" in words) == (0, True)


def test_grade_of_one_student(course):
    """Only this one is graded."""
    for student in ("ann", "bob"):
        write(course.root / f"submitted/{student}/ps1/numbers.ipynb", notebook(*cells()))
    assert fairmark(course.root, "grade", "ps1", "--student", "ann")[0] == 0
    assert [path.name for path in (course.root / "autograded").iterdir()] == ["ann"]


def test_a_test_that_we_broke_is_an_exit_code_of_its_own(tmp_path):
    """The submission has a result, marked for a person; the exit code tells that something is ours to mend."""
    node = notebook(answer(), check("import no_such_module"))
    course = make_course(tmp_path, {"n": node})
    write(course.root / "submitted/ann/ps1/n.ipynb", node)
    code, words = fairmark(course.root, "grade", "ps1")
    assert code == 1
    assert "our failure" in words
    assert "1 to be graded by a person" in words


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("grade", "ps2"), "There is no assignment 'ps2'"),
        (("grade", "ps1", "--student", "zoe"), "zoe"),
        (("grade", "ps1", "--workers", "0"), "1 or more"),
        (("grade",), "ASSIGNMENT"),
        (("frobnicate",), "invalid choice"),
        (("release", "ps1", "--course", "/nowhere"), "does not exist"),
    ],
)
def test_wrong_use_is_told_in_one_sentence(course, arguments, words):
    """Exit code 2, no traceback."""
    code, told = fairmark(course.root, *arguments)
    assert code == 2, told
    assert words in told
    assert "Traceback" not in told


def test_faults_of_the_course_are_listed(tmp_path):
    """Exit code 1, one line a fault."""
    course = make_course(tmp_path, {"n": notebook(answer(), check("pass"))})
    code, words = fairmark(course.root, "release", "ps1")
    assert code == 1
    assert "source/ps1/n.ipynb, mean-test: left blank, it scores 4" in words


def test_a_folder_that_is_no_course_is_told(tmp_path):
    """The message says what a course has."""
    code, words = fairmark(tmp_path, "grade", "ps1")
    assert code == 2
    assert "not a course folder" in words


def test_doctor_finds_this_machine_fit():
    """It tries to break out of each level of the sandbox, and says how that went and what grading will use."""
    code, words = fairmark("/", "doctor")
    assert code == 0, words
    assert "tried to break out and could not" in words
    assert "memory of a room" in words
    assert "ten times a second" in words
    for level in ("bubblewrap", "bubblewrap+landlock", "landlock"):
        assert f"level {level}" in words
    assert "Landlock and seccomp" in words or "namespaces of its own" in words


def hand_in(course, student="ann"):
    write(course.submitted(student, "ps1") / "numbers.ipynb", notebook(*cells()))


@pytest.mark.parametrize("level", ["landlock", "none"])
def test_the_level_of_the_sandbox_can_be_chosen_and_stands_in_the_result(course, level):
    """Only `none` has to be typed, and is warned of loudly."""
    hand_in(course)
    code, words = fairmark(course.root, "grade", "ps1", "--sandbox", level, "--workers", "1")
    assert code == 0, words
    result = json.loads((course.autograded("ann", "ps1") / "result.json").read_text())
    assert result["grader"]["sandbox"] == level
    assert ("WITHOUT A SANDBOX" in words) == (level == "none")
    assert result["items"][0]["score"] == 4


def test_nbgraders_own_command_takes_the_level_from_the_configuration(released):
    """`c.Fairmark.sandbox` is what `--sandbox` is elsewhere, warning and all."""
    with (released.root / "nbgrader_config.py").open("a") as config:
        config.write('\nc.Fairmark.sandbox = "none"\n')
    hand_in(released)
    assert "WITHOUT A SANDBOX" in run_nbgrader(released.root, "autograde", "ps1")
    result = json.loads((released.autograded("ann", "ps1") / "result.json").read_text())
    assert (result["grader"]["sandbox"], result["items"][0]["score"]) == ("none", 4)


def test_a_level_that_there_is_not_is_wrong_use(course):
    """The message lists the levels."""
    code, words = fairmark(course.root, "grade", "ps1", "--sandbox", "strong")
    assert code == 2
    assert "bubblewrap+landlock" in words


def test_the_demo_needs_a_class(course):
    """Without recipes it says where they belong, and makes nothing."""
    code, words = fairmark(course.root, "demo")
    assert code == 2
    assert "tests/class" in words
    assert not (course.root / "demo").exists()


def test_a_small_demo_runs_to_its_end(course):
    """Release, hand in, grade, feedback; a second run makes the folder anew."""
    folder = course.root / "tests" / "class"
    folder.mkdir(parents=True)
    (folder / "ann.toml").write_text('about = "Everything right."\n')
    (folder / "bob.toml").write_text('about = "Nothing done."\nstart = "blank"\n')
    for _ in range(2):
        code, words = fairmark(course.root, "demo", "--folder", "shown")
        assert code == 0, words
    assert "Everything right." in words
    code, told = fairmark(course.root, "demo", "--folder", "source")
    assert (code, "no earlier demo" in told) == (2, True)
    assert (course.root / "shown/feedback/ann/ps1/numbers.html").exists()
    shutil.rmtree(course.root / "shown")
