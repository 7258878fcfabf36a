"""The class report, from graded submissions to files."""

import csv
import json

import pytest
from courses import answer, cells, make_course, notebook, write
from nbgrader.api import Gradebook

from fairmark.batch import grade_assignment
from fairmark.cli import main
from fairmark.errors import UsageError
from fairmark.reporting import read_report


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A course with two graded students, one of whom has a manual score, and one who handed in nothing."""
    course = make_course(tmp_path_factory.mktemp("course"))
    own = cells()
    own[3] = answer("def mean(numbers):\n    return sum(numbers) / len(numbers)")
    for student in ("ann", "bob"):
        write(course.submitted(student, "ps1") / "numbers.ipynb", notebook(*own))
    assert not grade_assignment(course, "ps1", workers=1).failures
    with Gradebook(course.db_url, "numbers") as book:
        book.add_student("carl")
        book.find_grade("why", "numbers", "ps1", "ann").manual_score = 3
        book.db.commit()
    return course


def test_points_that_people_gave_count(graded):
    """And who is in the course and handed in nothing is named."""
    (figures,) = read_report(graded).assignments
    by_name = {each.student: each for each in figures.students}
    assert by_name["ann"].score == by_name["bob"].score + 3
    assert figures.missing == ("carl",)
    assert {each.question for each in figures.waiting if each.student == "bob"} == {"why", "draw"}


def test_the_command_writes_page_json_and_csv(graded, capsys):
    """And says where."""
    root = graded.root
    for options in ((), ("--json", "--csv")):
        assert main(["report", "ps1", *options, "--course", str(root)]) == 0
    words = capsys.readouterr().out
    for name in ("ps1.html", "ps1.json"):
        assert name in words
        assert (root / "report" / name).stat().st_size > 1_000
    (document,) = json.loads((root / "report" / "ps1.json").read_text())
    assert document["assignment"] == "ps1"
    with (root / "report" / "ps1" / "students.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [row[0] for row in csv.reader(file)] == ["student", "ann", "bob"]


def test_a_damaged_result_is_told_and_left_out(graded):
    """The others are counted."""
    path = graded.autograded("ann", "ps1") / "result.json"
    whole = path.read_text()
    path.write_text("[]")
    try:
        report = read_report(graded)
        assert [student for student, _ in report.failed] == ["ann"]
        assert [each.student for each in report.assignments[0].students] == ["bob"]
        assert main(["report", "--course", str(graded.root)]) == 1
    finally:
        path.write_text(whole)


def test_nothing_graded_is_told(tmp_path):
    """With the command that helps."""
    with pytest.raises(UsageError, match="fairmark grade ps1"):
        read_report(make_course(tmp_path))
