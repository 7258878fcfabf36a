"""The students' pages as files: written, published, released by nbgrader's own exchange."""

import json
import re

import pytest
from courses import cells, check, make_course, notebook, question, run_nbgrader, write
from nbgrader.api import Gradebook

from fairmark.batch import grade_assignment
from fairmark.cli import main
from fairmark.errors import UsageError
from fairmark.gradebook.reading import read_marks
from fairmark.publishing import RESULT, read_result, write_feedback
from fairmark.results import CellMarks


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A course with two graded students; one question waits for the grades to be published."""
    later = question(grade_id="later")
    later.metadata["fairmark"] = {"visibility": "after_published"}
    secret = check("assert mean([1, 2, 3]) == 7, 'told late'", grade_id="secret")
    secret.metadata["fairmark"] = {"visibility": "after_published"}
    own = [*cells(), later, secret]
    course = make_course(tmp_path_factory.mktemp("course"), {"numbers": notebook(*own)})
    for student in ("ann", "bob"):
        write(course.submitted(student, "ps1") / "numbers.ipynb", notebook(*own))
    broken = course.submitted("broken", "ps1") / "numbers.ipynb"
    broken.parent.mkdir(parents=True)
    broken.write_text("{")
    (course.submitted("ann", "ps1") / "timestamp.txt").write_text("2026-05-01 12:00:00 UTC")
    assert not grade_assignment(course, "ps1", workers=1).failures
    return course


def test_pages_are_written_for_all_or_for_some(graded):
    """One page a notebook, with what nbgrader's exchange asks for beside it."""
    assert [path.name for path in write_feedback(graded, "ps1", ("ann",)).written] == ["numbers.html"]
    assert len(write_feedback(graded, "ps1").written) == 3
    names = sorted(path.name for path in graded.feedback("ann", "ps1").iterdir())
    assert names == ["numbers.html", "timestamp.txt"]


def test_nbgraders_command_writes_the_same_page(graded):
    """So formgrader's button and the exchange deliver it."""
    write_feedback(graded, "ps1")
    path = graded.feedback("bob", "ps1") / "numbers.html"
    ours = path.read_text()
    run_nbgrader(graded.root, "generate_feedback", "ps1", "--force")
    assert path.read_text() == ours
    assert sorted(path.name for path in path.parent.iterdir()) == ["numbers.html"]


def test_what_people_give_in_formgrader_is_on_the_page(graded):
    """Manual scores and comments, by cell."""
    with Gradebook(graded.db_url, "numbers") as book:
        book.find_grade("why", "numbers", "ps1", "bob").manual_score = 2.5
        book.find_grade("why", "numbers", "ps1", "bob").extra_credit = 0.25
        book.find_grade("why", "numbers", "ps1", "bob").needs_manual_grade = False
        book.find_comment("why", "numbers", "ps1", "bob").manual_comment = "Well <b>said</b>."
        book.db.commit()
    marks = read_marks(graded, "ps1")[("bob", "numbers")]
    assert CellMarks("why", 2.75, manual=True, extra_credit=0.25, comment="Well <b>said</b>.") in marks.cells
    write_feedback(graded, "ps1")
    html = (graded.feedback("bob", "ps1") / "numbers.html").read_text()
    assert "Well &lt;b&gt;said&lt;/b&gt;." in html
    assert "2.75 of 3" in html


def test_what_waits_for_publishing_is_shown_from_then_on(graded):
    """`--publish` and `--withdraw`, from the command line."""
    page = graded.feedback("ann", "ps1") / "numbers.html"
    shown = []
    for option in ("--withdraw", "--publish", "--withdraw"):
        assert main(["feedback", "ps1", option, "--course", str(graded.root)]) == 0
        shown.append(len(re.findall("Seven is a number", page.read_text())))
    assert shown == [1, 2, 1]


def test_nobody_learns_a_key_early_by_handing_in_a_broken_file(graded):
    """The page of a notebook that cannot be read keeps back what everybody else's does."""
    write_feedback(graded, "ps1")
    html = (graded.feedback("broken", "ps1") / "numbers.html").read_text()
    assert "could not be read" in html
    assert html.count("Seven is a number") == 1
    assert "told later" in html
    html = (graded.feedback("ann", "ps1") / "numbers.html").read_text()
    assert "told late" not in html.replace("told later", "")


def test_a_damaged_result_is_told_and_stops_nobody(graded, capsys):
    """With the student's name and what to do; the others have their pages."""
    path = graded.autograded("ann", "ps1") / RESULT
    whole = path.read_text()
    path.write_text("{")
    try:
        pages = write_feedback(graded, "ps1")
        assert [student for student, _ in pages.failed] == ["ann"]
        assert len(pages.written) == 2
        assert main(["feedback", "--course", str(graded.root)]) == 1
        assert "fairmark grade ps1 --student ann" in capsys.readouterr().err
    finally:
        path.write_text(whole)


def test_results_of_earlier_versions_are_read(graded, tmp_path):
    """Fields that came later have defaults."""
    document = json.loads((graded.autograded("ann", "ps1") / RESULT).read_text())
    for item in document["items"]:
        del item["answer"]
    (tmp_path / RESULT).write_text(json.dumps(document))
    assert read_result(tmp_path).items[0].answer is None


def test_nothing_graded_is_told(tmp_path):
    """With the command that helps."""
    course = make_course(tmp_path)
    with pytest.raises(UsageError, match="fairmark grade ps1"):
        write_feedback(course, "ps1")
    with pytest.raises(UsageError, match="no assignment 'ps2'"):
        write_feedback(course, "ps2")
    assert main(["feedback", "--course", str(tmp_path)]) == 2
