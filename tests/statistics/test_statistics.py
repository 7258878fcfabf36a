"""The class report's figures: counted by hand here, and shown without harm."""

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from fairmark.results import (
    AssignmentStamp,
    CheckResult,
    GraderStamp,
    Item,
    Move,
    Outcome,
    QuizAnswer,
    SubmissionResult,
    SubmissionStamp,
)
from fairmark.statistics import ClassWork, count, list_tables, make_report, to_csv, to_document
from fairmark.statistics.likeness import find_alike_pairs, find_equal_cells

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LOOP = """def mean(image, size):
    # the usual loops
    result = np.zeros(image.shape)
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            window = image[row : row + size, column : column + size]
            result[row, column] = window.sum() / window.size
    return result
"""
RENAMED = LOOP.replace("result", "out").replace("window", "w").replace("# the usual loops", "# mine")
OTHER = """def mean(image, size):
    padded = np.pad(image, size // 2, mode="symmetric")
    views = np.lib.stride_tricks.sliding_window_view(padded, (size, size))
    total = np.add.reduce(views.reshape(*views.shape[:2], -1), axis=-1, dtype=float)
    return total / (size * size) if size else padded.astype(float)
"""


def quiz(option, share):
    outcomes = tuple(
        Outcome(text, chosen=text == option, right=text == "median", explanation="")
        for text in ("mean", "median", "<b>sobel</b>")
    )
    answer = QuizAnswer("one", "Which?", answered=True, outcomes=outcomes)
    return Item("q", "n", "quiz", "Which one?", "passed" if share else "failed", 2 * share, 2, answer=answer)


def code(share, diagnosis="", **more):
    check = CheckResult("Border.", "failed" if diagnosis else "passed", 0, 1, diagnosis=diagnosis)
    status = "passed" if share == 1 else "partial"
    return Item("c", "n", "code", "Mean", status, 4 * share, 4, checks=(check,), **more)


def submission(student, *items, status="graded", commit="", notes=()):
    return SubmissionResult(
        AssignmentStamp("ps1", ""),
        SubmissionStamp(student, "2026-11-20T10:00:00+00:00", commit=commit),
        GraderStamp("0.1.0", "3.12", "", 1, "bubblewrap", ""),
        status,
        items,
        notes,
    )


def small_class():
    """Give six students: four who know more, two who know less."""
    constant = "Your result is exactly what comes out when the function uses constant borders."
    return ClassWork(
        "ps1",
        (
            submission("ann", quiz("median", 1), code(1), commit="abc"),
            submission("bob", quiz("median", 1), code(1, duration_s=3.0), commit="abc"),
            submission("cem", quiz("median", 1), code(0.75)),
            submission("dora", quiz("median", 1), code(0.5, constant)),
            submission("emil", quiz("mean", 0), code(0.25, constant)),
            submission("fay", quiz("mean", 0), code(0, needs_review=True), status="error", notes=("x",)),
        ),
        roster=("ann", "bob", "cem", "dora", "emil", "fay", "gil"),
        penalties={"cem": 1.0},
        works={"ann": {"mean": LOOP}, "bob": {"mean": RENAMED}, "cem": {"mean": OTHER}},
        moves=(Move("ann", "n", "q", 0, 2, 2, ("the key changed",), "2026-11-21T00:00:00+00:00"),),
    )


def test_students_and_distribution_are_counted():
    """Points after the penalty; who handed in nothing; tenths of the points."""
    figures = count(small_class())
    assert [each.score for each in figures.students] == [6, 6, 4, 4, 1, 0]
    assert figures.missing == ("gil",)
    assert figures.bins == (1, 1, 0, 0, 0, 0, 2, 0, 0, 2)
    assert figures.mean == pytest.approx(100 * 21 / 36)


def test_difficulty_and_discrimination_are_those_of_the_definition():
    """Means of parts; the correlation with all other points; answers that wait do not count."""
    question, task = count(small_class()).questions
    assert question.difficulty == pytest.approx(4 / 6)
    assert (question.full, question.none) == (4, 2)
    assert task.difficulty == pytest.approx((1 + 1 + 0.75 + 0.5 + 0.25) / 5)
    assert task.waiting == 1
    assert (task.slowest, task.slowest_student) == (3.0, "bob")
    # correlation of (1,1,1,1,0,0) with (1,1,.75,.5,.25,0), by hand
    assert question.discrimination == pytest.approx(0.15278 / (0.47140 * 0.37268), abs=1e-4)


def test_discrimination_is_left_out_where_it_says_nothing():
    """Fewer than five students, or all alike."""
    work = small_class()
    assert count(replace(work, results=work.results[:4])).questions[0].discrimination is None
    same = tuple(submission(f"s{n}", quiz("median", 1), code(1)) for n in range(9))
    assert count(replace(work, results=same)).questions[0].discrimination is None


def test_wrong_options_and_diagnoses_are_grouped():
    """Popular wrong options by share; a mistake with everybody who made it."""
    figures = count(small_class())
    (wrong,) = figures.wrong_options
    assert (wrong.option, wrong.chosen, wrong.answers) == ("mean", 2, 6)
    (diagnosis,) = figures.diagnoses
    assert diagnosis.students == ("dora", "emil")


def test_what_needs_a_person_is_listed_with_the_reason():
    """Cells that wait, and submissions that did not simply come to their end."""
    assert [(each.student, each.question) for each in count(small_class()).waiting] == [
        ("fay", ""),
        ("fay", "c"),
    ]


def test_equal_work_is_found_through_new_names_and_comments():
    """Another solution of the same task is not; neither are short answers; the same commit is told."""
    figures = count(small_class())
    assert [each.students for each in figures.equal] == [("ann", "bob")]
    assert [(pair.first, pair.second, pair.share) for pair in figures.alike] == [("ann", "bob", 1.0)]
    assert figures.same_commit == (("abc", ("ann", "bob")),)
    short = {name: {"x": "def f(x):\n    return x + 1"} for name in ("a", "b", "c", "d", "e")}
    assert find_equal_cells(short) == ()
    assert find_alike_pairs(short) == ()


def test_what_the_whole_class_has_in_common_is_not_suspicious():
    """Twelve students with the lecture's solution are no pairs; two with the same odd one are."""
    works = {f"s{n:02}": {"mean": LOOP} for n in range(12)} | {"x": {"mean": OTHER}, "y": {"mean": OTHER}}
    assert find_equal_cells(works) == find_equal_cells({"x": works["x"], "y": works["y"]})
    assert [(pair.first, pair.second) for pair in find_alike_pairs(works)] == [("x", "y")]


def test_csv_is_quoted_and_defused():
    """A spreadsheet must not run what a student wrote; numbers stay numbers."""
    work = replace(small_class(), roster=('=cmd|"x"!A1', "+1", "\uff1d1", " @x", "gil"))
    tables = {table.name: table for table in list_tables(count(work))}
    rows = list(csv.reader(io.StringIO(to_csv(tables["missing"]))))
    assert rows == [["student"], ["' @x"], ["'+1"], ['\'=cmd|"x"!A1'], ["gil"], ["'\uff1d1"]]
    assert float(list(csv.reader(io.StringIO(to_csv(tables["students"]))))[3][2]) == 4


def test_json_holds_the_same_figures():
    """Everything is plain data."""
    document = json.loads(json.dumps(to_document(count(small_class()))))
    assert document["schema"] == "fairmark/report/v1"
    assert document["questions"][0]["difficulty"] == pytest.approx(4 / 6)
    assert document["moves"][0]["why"] == ["the key changed"]


def test_the_page_holds_tables_and_plots_and_no_address():
    """Bundled, with what students wrote as text."""
    work = small_class()
    hostile = submission("</script><script>alert(1)</script>", quiz("<b>sobel</b>", 0), code(1))
    html = make_report("course", [count(replace(work, results=(*work.results, hostile)))], NOW)
    assert html.count("data-plot=") == 3
    assert "&lt;b&gt;sobel&lt;/b&gt;" in html
    assert "<script>alert" not in html
    assert 'src="http' not in html
    assert "proves nothing" in html
    assert len(html) < 1_500_000


def test_a_class_that_handed_in_nothing_has_figures_as_well():
    """No division by zero."""
    figures = count(ClassWork("ps1", (), ("ann",)))
    assert (figures.mean, figures.missing) == (0.0, ("ann",))


def test_a_thousand_students_are_no_trouble():
    """Figures and page of 1,000 students with 30 questions: the page stays below 2 MB."""
    results, works = [], {}
    for number in range(1_000):
        items = [
            replace(
                quiz("median" if (number + place) % 3 else "mean", (number + place) % 3 > 0), id=f"q{place}"
            )
            for place in range(30)
        ]
        results.append(submission(f"student{number:04}", *items))
        works[f"student{number:04}"] = {"mean": f"{LOOP}\nx = {number}\n", "other": OTHER}
    figures = count(ClassWork("ps1", tuple(results), (), {}, works))
    assert len(figures.students) == 1_000
    assert len(make_report("course", [figures], NOW)) < 2_000_000
