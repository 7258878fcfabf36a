"""Results go into nbgrader's gradebook whole, and what people marked there stays."""

import json
import os
import shutil
import sqlite3
import sys
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from courses import answer, cells, check, make_course, markdown, notebook, question, write, written
from nbgrader.api import Gradebook
from nbgrader.plugins import LateSubmissionPlugin
from nbgrader.preprocessors import AssignLatePenalties
from scores import read_scores
from sqlalchemy import event

from fairmark.assembly import assemble, find_untouched, to_notebook
from fairmark.authoring import read_assignment
from fairmark.course import open_course
from fairmark.errors import GraderError, UsageError
from fairmark.gradebook import opening
from fairmark.gradebook.assignments import ensure_assignment, read_due_date
from fairmark.gradebook.opening import make_gradebook
from fairmark.gradebook.writing import Writer
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
    graded = to_notebook(assemble(source, notebook(answer(text))))
    with Writer(course) as writer:
        untouched = {"numbers": find_untouched(source, graded)}
        writer.save(result(*items, student=student, at=at), untouched)


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


def test_a_new_gradebook_has_the_tables_that_nbgrader_makes(tmp_path, monkeypatch):
    """And says the same of their version, for updates to come; no command is called for it."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
    Gradebook(f"sqlite:///{tmp_path}/theirs/gradebook.db", "numbers").close()
    monkeypatch.setenv("PATH", "/nowhere")
    make_gradebook(make_course(tmp_path / "ours")).close()

    def read(name, query):
        with closing(sqlite3.connect(tmp_path / name / "gradebook.db")) as connection:
            return set(connection.execute(query))

    for query in (
        "SELECT type, name, sql FROM sqlite_master WHERE tbl_name NOT LIKE 'fairmark%'",
        "SELECT version_num FROM alembic_version",
        "SELECT id FROM course",
    ):
        assert read("ours", query) == read("theirs", query) != set()


def test_a_gradebook_that_ended_while_it_was_begun_is_made_whole(tmp_path):
    """Whatever of it was written: nothing, or the version of its tables alone."""
    for name, words in (("nothing", ()), ("version", ("CREATE TABLE alembic_version (version_num TEXT)",))):
        course = make_course(tmp_path / name)
        with closing(sqlite3.connect(tmp_path / name / "gradebook.db")) as connection:
            for each in words:
                connection.execute(each)
        ensure_assignment(course, read_assignment(course, "ps1"))
        assert read_due_date(course, "ps1") is None


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


def rows_of(book, student):
    """Return all that nbgrader keeps of a submission, but for keys and what grading found."""
    submission = book.find_submission("ps1", student)
    return {
        (submission.timestamp, submission.extension),
        *((part.name, part.flagged, part.late_submission_penalty) for part in submission.notebooks),
        *(
            (part.name, kind, row.name, row.cell.type, *(getattr(row, name) for name in names))
            for part in submission.notebooks
            for kind, rows, names in (
                ("grade", part.grades, ("manual_score", "extra_credit")),
                ("comment", part.comments, ("manual_comment",)),
            )
            for row in rows
        ),
    }


@pytest.mark.filterwarnings("ignore:Object of type")  # SQLAlchemy, of how nbgrader adds a submission
def test_a_new_submission_has_the_rows_that_nbgrader_itself_gives_it(tmp_path):
    """One grade a graded cell and task, one comment a solution and task; notebooks without either as well."""
    notebooks = {
        "numbers": notebook(*cells()),
        "words": notebook(answer(grade_id="say", grade=True, points=1), question(grade_id="word")),
        "plain": notebook(markdown("Nothing to do.", "text")),
    }
    course = make_course(tmp_path, notebooks)
    ensure_assignment(course, read_assignment(course, "ps1"))
    with opened(course) as book:
        book.add_student("bob")
        book.add_submission("ps1", "bob")
    with Writer(course) as writer:
        writer.save(result(), {})
    with opened(course) as book:
        assert rows_of(book, "ann") == rows_of(book, "bob")
        assert len(rows_of(book, "ann")) == 1 + 3 + (4 + 2) + (4 + 2)
        waits = {
            row.needs_manual_grade for row in book.find_submission_notebook("words", "ps1", "ann").grades
        }
        assert waits == {True}


def test_saving_takes_a_dozen_statements_that_find_by_keys_what_grows_with_the_class(course):
    """However many cells there are: 4 grades and 4 comments here; and no table of all students' is gone through."""
    told, plans = [], set()

    def note(connection, _, statement, parameters, __, many):
        told.append(statement)
        if not many:
            plan = connection.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans.update(row[3] for row in plan)

    with Writer(course) as writer:
        writer.save(result(student="bob"), {})
        event.listen(writer._book.engine, "before_cursor_execute", note)
        writer.save(result(), {"numbers": ("mean",)})
        first = len(told)
        writer.save(result(), {"numbers": ("mean",)})
    assert first <= 15
    assert len(told) - first <= 7
    growing = ("student", "submitted_assignment", "submitted_notebook", "grade", "comment")
    assert not {plan for plan in plans if plan.startswith(tuple(f"SCAN {table}" for table in growing))}
    assert any(plan.startswith("SEARCH grade") for plan in plans)


def test_penalties_are_those_of_nbgraders_own_preprocessor(tmp_path):
    """A plug-in of the course's is asked; what it says is kept between nothing and the notebook's score."""
    asked, answers = [], []

    class Plugin(LateSubmissionPlugin):
        def late_submission_penalty(self, *question):
            asked.append(question)
            return answers[-1]

    course = make_course(tmp_path, {name: notebook(*cells()) for name in ("numbers", "words")})
    course.config.AssignLatePenalties.plugin_class = Plugin
    ensure_assignment(course, read_assignment(course, "ps1"))
    both = tuple(replace(item, notebook=name) for name in ("numbers", "words") for item in (TEST, QUIZ))
    with Writer(course) as writer:
        writer.save(result(*both), {})
        with opened(course) as book:
            book.update_or_create_assignment("ps1", duedate="2026-05-01 12:00:00 UTC")
            book.find_grade("mean-test", "words", "ps1", "ann").manual_score = 0.5
            book.find_grade("colours", "words", "ps1", "ann").extra_credit = 0.25
            book.find_submission("ps1", "ann").extension = timedelta(hours=1)
            book.db.commit()
        for penalty in (1.25, None, 99, -1):
            answers.append(penalty)
            writer.save(result(*both, at="2026-05-01T13:00:30+00:00"), {})
            ours = penalties_of(course)
            for name in ("numbers", "words"):
                place = {"notebook": name, "assignment": "ps1", "student": "ann", "db_url": course.db_url}
                AssignLatePenalties(config=course.config)(notebook(), {"nbgrader": place})
            assert penalties_of(course) == ours
            assert ours == {
                name: None if penalty is None else min(max(penalty, 0), score)
                for name, score in (("numbers", 4.5), ("words", 2.75))
            }
    assert sorted(set(asked)) == [("ann", 2.75, 30.0), ("ann", 4.5, 30.0)]
    assert len(asked) == 4 * 4


def penalties_of(course):
    with opened(course) as book:
        return {row.name: row.late_submission_penalty for row in book.find_submission("ps1", "ann").notebooks}


def test_late_work_loses_what_the_course_says(tmp_path):
    """The penalty is nbgrader's own plug-in with the course's setting; an extension takes it back."""
    course = make_course(tmp_path, config='c.LateSubmissionPlugin.penalty_method = "zero"')
    ensure_assignment(course, read_assignment(course, "ps1"))
    with opened(course) as book:
        book.update_or_create_assignment("ps1", duedate="2026-05-01 12:00:00 UTC")
    save(course, at="2026-05-01T14:00:01+02:00")
    (ann,) = read_scores(course, "ps1")
    assert (ann.score, ann.late_penalty) == (4.5, 4.5)
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


def test_a_locked_gradebook_is_our_failure_and_nothing_is_written(course, monkeypatch):
    """Another program that writes for long is named as the likely cause."""
    monkeypatch.setattr(opening, "PATIENCE_SECONDS", 0.2)
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
