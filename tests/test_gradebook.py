"""Results go into nbgrader's gradebook whole, and what people marked there stays."""

import json
import os
import shutil
import sqlite3
from dataclasses import replace

import pytest
from courses import answer, cells, check, make_course, markdown, notebook, question, write, written
from nbgrader.api import Gradebook

from fairmark.assembly import assemble, to_notebook
from fairmark.authoring import read_assignment
from fairmark.course import open_course
from fairmark.errors import GraderError, UsageError
from fairmark.gradebook import ensure_assignment, read_due_date, read_scores, save_result
from fairmark.results import AssignmentStamp, GraderStamp, Item, SubmissionResult, SubmissionStamp

GRADER = GraderStamp("0", "3.11", "", 1, "none", "2026-05-04T10:00:00+00:00")
TEST = Item("mean-test", "numbers", "code", "Mean", "partial", 2.5, 4)
QUIZ = Item("colours", "numbers", "quiz", "Colours", "passed", 2, 2)
WRITTEN = Item("why", "numbers", "written", "Why", "skipped", 0, 3, needs_review=True)
TASK = Item("draw", "numbers", "written", "Draw", "skipped", 0, 5, needs_review=True)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A course folder whose gradebook knows the assignment."""
    course = make_course(tmp_path_factory.mktemp("prepared"))
    ensure_assignment(course, read_assignment(course, "ps1"))
    return course.root


@pytest.fixture
def course(prepared, tmp_path):
    """A course of one's own with that gradebook."""
    return open_course(shutil.copytree(prepared, tmp_path / "course"))


def result(*items, student="ann", at=None):
    return SubmissionResult(
        AssignmentStamp("ps1", ""),
        SubmissionStamp(student, at),
        GRADER,
        "graded",
        items or (TEST, QUIZ, WRITTEN, TASK),
    )


def save(course, *items, student="ann", at=None, text="def mean(numbers): return 1"):
    assignment = read_assignment(course, "ps1")
    (source,) = assignment.notebooks
    handed = assemble(source, notebook(answer(text)))
    write(course.autograded(student, "ps1") / "numbers.ipynb", to_notebook(handed))
    save_result(course, assignment, result(*items, student=student, at=at))


def opened(course):
    return Gradebook(course.db_url, course.directory.course_id)


def grade(course, name, student="ann"):
    with opened(course) as book:
        row = book.find_grade(name, "numbers", "ps1", student)
        return row.auto_score, row.manual_score, row.needs_manual_grade


def comment(course, name):
    with opened(course) as book:
        return book.find_comment(name, "numbers", "ps1", "ann").auto_comment


def mark_by_hand(course, name, score, words="Well done."):
    with opened(course) as book:
        row = book.find_grade(name, "numbers", "ps1", "ann")
        row.manual_score, row.needs_manual_grade, row.extra_credit = score, False, 0.5
        book.find_comment("why", "numbers", "ps1", "ann").manual_comment = words
        book.db.commit()


def test_the_gradebook_is_made_although_alembic_is_not_on_the_path(tmp_path, monkeypatch):
    """nbgrader calls a command that lies beside the interpreter; it is found there."""
    monkeypatch.setenv("PATH", "/usr/bin")
    course = make_course(tmp_path)
    ensure_assignment(course, read_assignment(course, "ps1"))
    assert (tmp_path / "gradebook.db").exists()
    assert os.environ["PATH"] == "/usr/bin"


def test_the_gradebook_knows_what_nbgrader_would_have_written(course):
    """Points, kinds and texts of all cells, with hidden tests and without solutions."""
    with opened(course) as book:
        row = book.find_notebook("numbers", "ps1")
        assert {cell.name: cell.max_score for cell in row.grade_cells} == {
            "mean-test": 4,
            "colours": 2,
            "why": 3,
        }
        assert {cell.name for cell in row.solution_cells} == {"mean", "colours", "why"}
        assert {cell.name for cell in row.task_cells} == {"draw"}
        sources = {cell.name: cell.source for cell in row.source_cells}
        assert "7.5" in sources["mean-test"]
        assert "fmean" not in sources["mean"]
        assert "[x]" not in sources["colours"]
        assert json.loads(row.kernelspec)["name"] == "python3"


def test_nothing_is_written_when_nothing_changed(course):
    """A second run leaves the file as it is."""
    before = (course.root / "gradebook.db").read_bytes()
    ensure_assignment(course, read_assignment(course, "ps1"))
    assert (course.root / "gradebook.db").read_bytes() == before


def test_a_corrected_key_and_new_points_reach_the_gradebook_after_grading(course):
    """Texts and points may change while submissions are there; marks stay."""
    save(course)
    changed = cells()
    changed[5] = check("assert mean([1]) == 1", points=8)
    write(course.source("ps1") / "numbers.ipynb", notebook(*changed))
    ensure_assignment(course, read_assignment(course, "ps1"))
    with opened(course) as book:
        assert book.find_grade_cell("mean-test", "numbers", "ps1").max_score == 8
    assert grade(course, "mean-test") == (2.5, None, False)


def test_cells_and_notebooks_may_come_and_go_before_anybody_is_graded(course):
    """Without submissions the gradebook simply follows the source."""
    write(course.source("ps1") / "numbers.ipynb", notebook(question()))
    write(course.source("ps1") / "more.ipynb", notebook(written()))
    ensure_assignment(course, read_assignment(course, "ps1"))
    (course.source("ps1") / "numbers.ipynb").unlink()
    ensure_assignment(course, read_assignment(course, "ps1"))
    with opened(course) as book:
        assert [row.name for row in book.find_assignment("ps1").notebooks] == ["more"]


@pytest.mark.parametrize("change", ["cell", "notebook"])
def test_nbgraders_refusal_is_told_with_a_way_out(course, change):
    """Cells and notebooks cannot come or go once submissions are there."""
    save(course)
    if change == "cell":
        write(course.source("ps1") / "numbers.ipynb", notebook(*cells(), question(grade_id="late")))
    else:
        write(course.source("ps1") / "more.ipynb", notebook(written()))
    with pytest.raises(UsageError, match="nbgrader db assignment remove ps1"):
        ensure_assignment(course, read_assignment(course, "ps1"))


def test_scores_are_written_and_people_are_called_where_they_are_needed(course):
    """Tests and quizzes are done; written answers and tasks wait for a person."""
    save(course)
    assert grade(course, "mean-test") == (2.5, None, False)
    assert grade(course, "colours") == (2, None, False)
    assert grade(course, "why") == (None, None, True)
    assert grade(course, "draw") == (None, None, True)


def test_an_unanswered_written_cell_is_zero_and_done(course):
    """As in nbgrader, nobody has to look at what was left blank."""
    save(course, replace(WRITTEN, status="failed", needs_review=False))
    assert grade(course, "why") == (0, None, False)


def test_our_own_failure_is_nobodys_zero(course):
    """A test that broke leaves the score empty and calls a person."""
    save(course, replace(TEST, status="error", score=0, needs_review=True))
    assert grade(course, "mean-test") == (None, None, True)


def test_manual_marks_comments_and_extra_credit_stay(course):
    """A regrade marks a hand-marked test for a second look, but not a quiz."""
    save(course)
    for name in ("mean-test", "colours", "draw"):
        mark_by_hand(course, name, 1)
    save(course, replace(TEST, score=4), QUIZ, WRITTEN, TASK)
    assert grade(course, "mean-test") == (4, 1, True)
    assert grade(course, "colours") == (2, 1, False)
    assert grade(course, "draw") == (None, 1, False)
    with opened(course) as book:
        assert book.find_grade("mean-test", "numbers", "ps1", "ann").extra_credit == 0.5
        assert book.find_comment("why", "numbers", "ps1", "ann").manual_comment == "Well done."


def test_untouched_answers_get_nbgraders_comment(course):
    """ "No response." is taken back once there is one."""
    save(course, text="")
    assert comment(course, "mean") == comment(course, "why") == comment(course, "colours") == "No response."
    assert comment(course, "draw") is None
    save(course)
    assert comment(course, "mean") is None
    assert comment(course, "why") == "No response."


def test_late_work_loses_what_the_course_says(tmp_path):
    """The penalty is nbgrader's own plug-in with the course's setting; an extension takes it back."""
    course = make_course(tmp_path, config='c.LateSubmissionPlugin.penalty_method = "zero"')
    ensure_assignment(course, read_assignment(course, "ps1"))
    with opened(course) as book:
        book.update_or_create_assignment("ps1", duedate="2026-05-01 12:00:00 UTC")
    save(course, at="2026-05-01T14:00:01+02:00")
    (ann,) = read_scores(course, "ps1")
    assert (ann.score, ann.late_penalty, ann.max_score, ann.needs_review) == (4.5, 4.5, 14, True)
    assert ann.timestamp.isoformat() == "2026-05-01T12:00:01+00:00"
    assert read_due_date(course, "ps1").isoformat() == "2026-05-01T12:00:00+00:00"
    save(course, at="2026-05-01T12:00:00+00:00")
    assert read_scores(course, "ps1")[0].late_penalty == 0


def test_a_resubmission_without_a_time_keeps_the_old_one(course):
    """As in nbgrader, a missing timestamp says nothing."""
    save(course, at="2026-05-01T12:00:00+00:00")
    save(course)
    assert read_scores(course, "ps1")[0].timestamp.year == 2026


def test_cells_without_an_item_are_left_alone(course):
    """Grading one notebook does not touch the marks of another."""
    save(course)
    save(course, replace(TEST, score=1))
    assert grade(course, "mean-test")[0] == 1
    assert grade(course, "colours")[0] == 2


def test_a_cell_that_the_gradebook_does_not_know_is_told_and_nothing_is_written(course):
    """Either all of a submission is in the gradebook or nothing."""
    with pytest.raises(UsageError, match="stranger"):
        save(course, TEST, replace(QUIZ, id="stranger"))
    assert read_scores(course, "ps1") == ()


def test_a_locked_gradebook_is_our_failure_and_nothing_is_written(course):
    """Another program that writes for long is named as the likely cause."""
    other = sqlite3.connect(course.root / "gradebook.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(GraderError, match="locked"):
        save(course)
    other.execute("ROLLBACK")
    other.close()
    assert read_scores(course, "ps1") == ()


def test_students_are_added_unless_the_course_forbids_it(tmp_path):
    """``c.Autograde.create_student`` holds for us, too."""
    course = make_course(tmp_path, config="c.Autograde.create_student = False")
    ensure_assignment(course, read_assignment(course, "ps1"))
    with pytest.raises(UsageError, match="no student 'ann'"):
        save(course)


def test_an_unknown_assignment_is_told(course):
    """Nothing is invented for an assignment that was never released."""
    with opened(course) as book:
        book.remove_assignment("ps1")
    with pytest.raises(UsageError, match="no assignment 'ps1'"):
        save(course)


def test_scores_are_sorted_by_student(course):
    """One line per student."""
    for student in ("cy", "ann", "bob"):
        save(course, student=student)
    assert [score.student for score in read_scores(course, "ps1")] == ["ann", "bob", "cy"]
    assert {score.score for score in read_scores(course, "ps1")} == {4.5}


def test_markdown_without_nbgrader_is_no_cell_of_the_gradebook(tmp_path):
    """Plain text has no row."""
    course = make_course(tmp_path, {"numbers": notebook(markdown("Text", "text"), question())})
    ensure_assignment(course, read_assignment(course, "ps1"))
    with opened(course) as book:
        assert [cell.name for cell in book.find_notebook("numbers", "ps1").source_cells] == ["colours"]
