"""Grading again: what a change would move, who moved and why, and whether the same comes out."""

import json
import shutil

import pytest
from courses import answer, cells, check, make_course, notebook, question, write
from nbgrader.api import Gradebook

from fairmark.batch import grade_assignment
from fairmark.cli import main
from fairmark.course import open_course
from fairmark.errors import UsageError
from fairmark.moves import read_moves
from fairmark.regrading import forecast, verify
from fairmark.reporting import read_report

GOOD = "def mean(numbers):\n    return sum(numbers) / len(numbers)"
RED = question().source.replace("[x] seven", "[ ] seven").replace("[ ] red", "[x] red")


def hand_in(course, student, chosen):
    own = cells()
    own[3] = answer(GOOD)
    own[6] = question(f"**Which of these is not a colour?** (one answer)\n\n{chosen}")
    write(course.submitted(student, "ps1") / "numbers.ipynb", notebook(*own))


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A graded course: ann chose red, bob seven (which is the key), cem has a manual score for red."""
    course = make_course(tmp_path_factory.mktemp("course"))
    red = "- [x] red\n- [ ] seven\n- [ ] blue"
    seven = "- [ ] red\n- [x] seven\n- [ ] blue"
    for student, chosen in (("ann", red), ("bob", seven), ("cem", red)):
        hand_in(course, student, chosen)
    assert not grade_assignment(course, "ps1", workers=1).failures
    with Gradebook(course.db_url, "numbers") as book:
        book.find_grade("colours", "numbers", "ps1", "cem").manual_score = 1.5
        book.find_comment("mean", "numbers", "ps1", "cem").manual_comment = "Good names."
        book.db.commit()
    return course.root


@pytest.fixture
def course(first, tmp_path):
    return open_course(shutil.copytree(first, tmp_path / "course"))


def change_source(course, place, cell):
    own = cells()
    own[place] = cell
    write(course.source("ps1") / "numbers.ipynb", notebook(*own))


def files_of(course):
    """Read all files but what is kept to be quicker the next time."""
    return {
        path.relative_to(course.root): path.read_bytes()
        for path in course.root.rglob("*")
        if path.is_file() and not {"__pycache__", "prepared"} & {*path.parts}
    }


def test_a_dry_run_says_who_would_gain_and_lose_and_writes_nothing(course):
    """A corrected key: per student and question, with the cell that changed; a manual score stands."""
    change_source(course, 6, question(RED))
    before = files_of(course)
    found = forecast(course, "ps1", workers=1)
    assert files_of(course) == before
    moves = {move.student: move for move in found.moves}
    assert [(moves[each].before, moves[each].after, moves[each].kept) for each in ("ann", "bob", "cem")] == [
        (0, 2, False),
        (2, 0, False),
        (0, 2, True),
    ]
    assert moves["ann"].why == ("this question's cell changed",)
    assert (found.still, found.fresh, found.failures) == (0, (), ())


def test_applying_it_keeps_what_people_gave_and_records_who_moved(course):
    """The log has the same moves; the report shows them; scores and comments of people stay."""
    change_source(course, 6, question(RED))
    expected = [
        (move.student, move.id, move.before, move.after) for move in forecast(course, "ps1", workers=1).moves
    ]
    assert not grade_assignment(course, "ps1", workers=1).failures
    logged = read_moves(course, "ps1")
    assert sorted((move.student, move.id, move.before, move.after) for move in logged) == expected
    assert all(move.at and move.why == ("this question's cell changed",) for move in logged)
    with Gradebook(course.db_url, "numbers") as book:
        grade = book.find_grade("colours", "numbers", "ps1", "cem")
        assert (grade.auto_score, grade.manual_score, grade.score) == (2, 1.5, 1.5)
        assert book.find_comment("mean", "numbers", "ps1", "cem").comment == "Good names."
    (figures,) = read_report(course).assignments
    assert {(move.student, move.kept) for move in figures.moves} == {
        ("ann", False),
        ("bob", False),
        ("cem", True),
    }
    assert not forecast(course, "ps1", workers=1).moves


def test_a_changed_test_and_changed_work_are_told_apart(course):
    """Each with its own words."""
    change_source(course, 5, check("assert mean([1, 2, 3]) == 2\nassert mean([0]) == 1"))
    found = forecast(course, "ps1", ("ann",), workers=1)
    assert [(move.id, move.after, move.why) for move in found.moves] == [
        ("mean-test", 0, ("this question's cell changed",))
    ]
    change_source(course, 5, check())
    hand_in(course, "ann", "- [ ] red\n- [x] seven\n- [ ] blue")
    (move,) = forecast(course, "ps1", ("ann",), workers=1).moves
    assert (move.id, move.why) == ("colours", ("what was handed in changed",))


def test_the_command_shows_the_forecast(course, capsys):
    """With a summary, and says that nothing was written."""
    change_source(course, 6, question(RED))
    assert main(["grade", "ps1", "--dry-run", "--workers", "1", "--course", str(course.root)]) == 0
    words = " ".join(capsys.readouterr().out.split())
    for part in ("1 student would gain, 1 would lose", "Nothing was written", "a person's score stands"):
        assert part in words


def test_verify_shows_that_the_same_comes_out(course, capsys):
    """With every part that the grade rests on."""
    found = verify(course, "bob", "ps1")
    assert (found.differences, found.why) == ((), ())
    assert {part for part, then, now in found.parts if then == now} == {
        "source", "submission", "autograder", "packages", "config", "grader", "seed", "evidence",
    }  # fmt: skip
    assert main(["verify", "bob", "ps1", "--course", str(course.root)]) == 0
    assert "The same comes out" in capsys.readouterr().out


def test_verify_shows_what_differs_and_why(course, capsys):
    """A changed key is named; the exit code tells it; nothing is written."""
    change_source(course, 6, question(RED))
    before = files_of(course)
    found = verify(course, "bob", "ps1")
    assert found.differences == ("colours: 2 points then, 0 now",)
    assert found.why == ("the assignment's source changed",)
    assert main(["verify", "bob", "ps1", "--course", str(course.root)]) == 1
    assert "Something else comes out" in capsys.readouterr().out
    assert files_of(course) == before


def test_a_forged_record_is_found(course):
    """Points that somebody wrote into result.json do not come out again."""
    path = course.autograded("ann", "ps1") / "result.json"
    document = json.loads(path.read_text())
    next(item for item in document["items"] if item["id"] == "colours")["score"] = 2.0
    path.write_text(json.dumps(document))
    found = verify(course, "ann", "ps1")
    assert found.differences == ("colours: 2 points then, 0 now",)
    assert "left to chance" in found.why[0]


def test_what_has_no_grade_cannot_be_verified(course):
    """And that is said."""
    shutil.rmtree(course.autograded("ann", "ps1"))
    with pytest.raises(UsageError, match="no grade"):
        verify(course, "ann", "ps1")
    with pytest.raises(UsageError, match="Nothing was handed in"):
        verify(course, "zoe", "ps1")


def test_a_log_line_that_was_cut_off_costs_nothing_else(course):
    """The others are read."""
    change_source(course, 6, question(RED))
    grade_assignment(course, "ps1", ("ann",), workers=1)
    path = course.root / ".fairmark" / "moves" / "ps1.jsonl"
    path.write_text(path.read_text() + '{"student": "b')
    assert [move.student for move in read_moves(course, "ps1")] == ["ann"]
