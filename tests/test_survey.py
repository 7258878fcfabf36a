"""Nothing is graded twice that would come out the same, and everything is that would not."""

import shutil
import subprocess
import sys

import nbformat
import pytest
from courses import HIDDEN, RIGHT_ANSWER, cells, check, hand_in, make_course, notebook, write
from scores import read_scores

from fairmark.batch import grade_assignment
from fairmark.course import open_course
from fairmark.results import from_document, to_document
from fairmark.survey import survey_assignment


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A course folder in which two students are graded."""
    course = make_course(tmp_path_factory.mktemp("survey"))
    (course.root / "autograder").mkdir()
    (course.root / "autograder" / "checks.py").write_text("LIMIT = 1\n")
    for student in ("ann", "bob"):
        hand_in(course, student)
    assert not grade_assignment(course, "ps1", workers=1).failures
    return course.root


@pytest.fixture
def graded(original, tmp_path):
    """A copy of it at another place, where it is as good."""
    return open_course(shutil.copytree(original, tmp_path / "course"))


def todo(course, *students):
    found = survey_assignment(open_course(course.root), "ps1", students)
    return [submission.student for submission in found.todo], " | ".join(found.reasons)


def test_nothing_is_left_to_do_after_grading(graded):
    """Both are unchanged, and their results are those that were written; looking imports no nbgrader."""
    found = survey_assignment(graded, "ps1")
    assert (found.todo, found.reasons) == ((), {})
    assert [result.score for result in found.unchanged] == [6, 6]
    batch = grade_assignment(graded, "ps1")
    assert batch.unchanged == {"ann", "bob"}
    assert batch.results == found.unchanged
    program = (
        "import sys; from fairmark.cli import main; main(['grade', 'ps1']); "
        "print({'nbgrader', 'nbformat', 'IPython', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=graded.root, capture_output=True, text=True, check=True
    )
    assert "2 submissions: unchanged" in done.stdout
    assert done.stdout.strip().endswith("set()")


def test_what_a_killed_grader_has_left_is_swept_away_also_where_nothing_is_left_to_do(graded):
    """It was killed when the graded folder was in its place, and the one before not yet removed."""
    left = graded.autograded("ann", "ps1").parent / ".draft-ps1.left"
    shutil.copytree(graded.autograded("ann", "ps1"), left)
    assert grade_assignment(graded, "ps1").unchanged == {"ann", "bob"}
    assert [path.name for path in left.parent.iterdir()] == ["ps1"]


def test_each_change_is_seen_and_named(graded):
    """A submission, a test, a reference, a setting: who is graded again, and why."""
    hand_in(graded, "bob", RIGHT_ANSWER + "\n")
    assert todo(graded) == (["bob"], "what was handed in changed")
    hand_in(graded, "bob")
    assert todo(graded) == ([], "")
    (graded.root / "submitted/ann/ps1/data.csv").write_text("1")
    assert todo(graded)[0] == ["ann"]
    (graded.root / "submitted/ann/ps1/data.csv").unlink()
    path = graded.root / "source/ps1/numbers.ipynb"
    before = path.read_text()
    changed = cells()
    changed[5] = check(HIDDEN + "\nassert mean([0]) == 0")
    write(path, notebook(*changed))
    assert todo(graded) == (["ann", "bob"], "changed: source/ps1/numbers.ipynb, mean-test")
    path.write_text(before)
    (graded.root / "autograder/checks.py").write_text("LIMIT = 2\n")
    assert todo(graded) == (["ann", "bob"], "the folder autograder changed")
    (graded.root / "autograder/checks.py").write_text("LIMIT = 1\n")
    with (graded.root / "nbgrader_config.py").open("a") as file:
        file.write("c.Execute.timeout = 7\n")
    assert todo(graded) == (["ann", "bob"], "the course's settings changed")


def test_what_no_grade_depends_on_changes_nothing(graded):
    """Outputs in the source, comments in the configuration, where pages go."""
    node = notebook(*cells())
    node.cells[4].outputs = [nbformat.v4.new_output("stream", text="1.5")]
    node.cells[4].execution_count = 3
    write(graded.root / "source/ps1/numbers.ipynb", node)
    with (graded.root / "nbgrader_config.py").open("a") as file:
        file.write("# a comment\nc.CourseDirectory.feedback_directory = 'pages'\nc.Exchange.root = '/tmp'\n")
    assert todo(graded) == ([], "")


def test_a_grade_that_the_gradebook_does_not_hold_is_made_again(graded):
    """The marks of a gradebook that was lost or emptied come back; the same marks."""
    (graded.root / "gradebook.db").unlink()
    assert todo(graded) == (["ann", "bob"], "the gradebook does not hold the grade")
    grade_assignment(graded, "ps1", ("ann",), workers=1)
    assert todo(graded)[0] == ["bob"]
    assert [(score.student, score.score) for score in read_scores(graded, "ps1")] == [("ann", 6)]


def test_a_result_that_cannot_be_read_is_made_again(graded):
    """Half a file is no file."""
    for text in ("", "{", "[]", "{}", '{"schema": "another"}'):
        (graded.autograded("ann", "ps1") / "result.json").write_text(text)
        assert todo(graded) == (["ann"], "not graded yet")


def test_results_written_before_there_were_fingerprints_still_load(graded):
    """And they are made again once."""
    (result, _) = survey_assignment(graded, "ps1").unchanged
    document = to_document(result)
    del document["fingerprint"]
    assert from_document(document).fingerprint is None
    assert from_document(to_document(result)) == result


def test_force_grades_everything_and_a_single_student_alone(graded):
    """As asked for."""
    assert [each.student for each in survey_assignment(graded, "ps1", force=True).todo] == ["ann", "bob"]
    assert [each.student for each in survey_assignment(graded, "ps1", ("bob",), force=True).todo] == ["bob"]
