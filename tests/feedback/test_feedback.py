"""The student's page: what it says, what it keeps back, and that nothing in it runs."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import nbformat
import numpy as np
import pytest

from fairmark.checks import Task, agree
from fairmark.feedback import Occasion, Sheet, make_page
from fairmark.feedback.page import MAX_PAGE
from fairmark.previews import preview
from fairmark.results import (
    AssignmentStamp,
    CellMarks,
    CheckResult,
    GraderStamp,
    Item,
    NotebookMarks,
    Outcome,
    QuizAnswer,
    Row,
    SubmissionResult,
    SubmissionStamp,
    from_document,
    read_checks,
    to_json,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
AFTER = Occasion(NOW, NOW - timedelta(days=1))
BEFORE = Occasion(NOW, NOW + timedelta(days=1))
QUIZ = QuizAnswer(
    "one",
    "Which one has *no* formula like $x^2$?",
    answered=True,
    outcomes=(
        Outcome("Gaussian", chosen=True, right=False, explanation="It averages."),
        Outcome("Median", chosen=False, right=True, explanation="It ignores single outliers."),
    ),
    explanation="Read [more](https://example.org/filters).",
)
NUMBER = QuizAnswer("number", "How many?", answered=True, rows=(Row("", "6<b>00</b>", "200", right=False),))


def comparison():
    """Give what a failed check of a picture with a wrong border carries."""
    task = Task("Smooth", reference=lambda image: image)

    @task.check(points=2, hint="Read what `mode` does.")
    def values(function):
        """The values agree."""
        image = np.add.outer(np.arange(40.0), np.arange(30.0))
        agree(function(image), image)

    def student(image):
        image[0] = 200
        image[3, 4] = np.nan
        return image

    (check,) = task.grade(student, seed=1).checks
    return check


CHECK = comparison()
CODE = Item(
    "smooth-test",
    "filters",
    "code",
    "Smooth a picture",
    "partial",
    2,
    4,
    message="1 of 2 checks failed.",
    checks=(CheckResult("It runs.", "passed", 2, 2), CHECK),
)


def result(*items, **more):
    """Give a result with these items."""
    return SubmissionResult(
        AssignmentStamp("filters", ""),
        SubmissionStamp("ann<script>alert(1)</script>", "2026-11-20T10:00:00+00:00", commit="3f2a9c1d"),
        GraderStamp("0.1.0", "3.12", "", 1, "bubblewrap", "2026-11-22T10:00:00+00:00"),
        more.pop("status", "graded"),
        items,
        **more,
    )


def cell(grade_id="", source="", kind="code", outputs=(), **settings):
    """Give a graded notebook's cell as it lies in the file."""
    nbgrader = {"nbgrader": {"grade_id": grade_id, **settings}} if grade_id else {}
    return {
        "cell_type": kind,
        "metadata": nbgrader,
        "source": source.splitlines(keepends=True),
        "outputs": list(outputs),
    }


CELLS = [
    cell("smooth", "def smooth(im):\n    return im", solution=True),
    cell(
        "smooth-test", "### BEGIN HIDDEN TESTS\nassert secret_of_the_test\n### END HIDDEN TESTS", grade=True
    ),
    cell("noise", "- [x] Gaussian", "markdown", grade=True, solution=True),
]


def page(*items, cells=CELLS, marks=None, occasion=AFTER, read=lambda _: None, **more):
    return make_page(Sheet(result(*items, **more), "filters", cells, marks, occasion, read))


def quiz_item(answer=QUIZ, **more):
    return Item("noise", "filters", "quiz", "Which one?", "failed", 0, 1, answer=answer, **more)


# --- what it says


def test_a_page_says_what_works_what_not_why_and_what_next():
    """Points, passed checks, message, hint, and links from the overview."""
    html = page(CODE, quiz_item())
    for part in (
        "2 of 5 points",
        'href="#q1"',
        "It runs.",
        "The values agree.",
        "Read what <code>mode</code> does.",
        "commit <code>3f2a9c1d</code>",
        "handed in 20 November 2026, 10:00 UTC",
    ):
        assert part in html, part


def test_a_wrong_picture_is_shown_beside_the_right_one():
    """Three embedded pictures, the ring's place in words, and the numbers around it."""
    html = page(CODE)
    assert html.count('role="img"') == 3
    assert "at row 3, column 4" in html
    assert '<td class="worst">7<br><span class="yours other">nan</span></td>' in html
    assert "Pink pixels are not a number" in html


def test_quiz_options_say_what_was_chosen_and_what_is_right():
    """With the explanations, formulas as MathML, and the author's links."""
    html = page(quiz_item())
    for part in (
        "you chose it, not right",
        "right, you did not choose it",
        "It ignores single outliers.",
        "<msup><mi>x</mi><mn>2</mn></msup>",
        'href="https://example.org/filters"',
    ):
        assert part in html, part


def test_a_written_answer_of_a_quiz_is_shown_as_text():
    """What the student wrote beside what is right."""
    html = page(quiz_item(NUMBER))
    assert "you: <code>6&lt;b&gt;00&lt;/b&gt;</code>" in html
    assert "right: 200" in html


def test_what_a_person_gave_counts_and_is_shown():
    """Manual points, extra credit, comments and the late penalty come from the gradebook."""
    marks = NotebookMarks(
        "filters",
        0.5,
        (CellMarks("smooth-test", 3.5, manual=True), CellMarks("smooth", comment="Nice\nnames!")),
    )
    html = page(CODE, marks=marks)
    assert "3 of 4 points" in html
    assert "0.5 points were taken off because it was late." in html
    assert "Nice\nnames!" in html
    assert "A person gave the points." in html


def test_a_comment_on_the_last_cell_is_not_lost():
    """Also where no graded cell follows it."""
    marks = NotebookMarks("filters", 0.0, (CellMarks("end", comment="Last word."),))
    html = page(CODE, cells=[*CELLS, cell("end", "x = 1", solution=True)], marks=marks)
    assert "Last word." in html


def test_what_waits_for_a_person_is_no_zero():
    """Neither a written answer nor a failure of ours is shown as wrong."""
    item = Item("why", "filters", "written", "Why?", "skipped", 0, 3, needs_review=True)
    answer = cell("why", "Because **of** $x$.", "markdown", grade=True, solution=True)
    html = page(item, cells=[answer])
    assert "a person looks at it, of 3" in html
    assert "not yet" not in html
    assert "Because <strong>of</strong> <code>x</code>." in html


def test_limits_that_were_hit_are_told():
    """With the cell and the limit."""
    stop = {"output_type": "error", "ename": "Stopped", "evalue": "stopped after 10 s", "traceback": []}
    html = page(CODE, cells=[cell(source="while True:\n    pass", outputs=[stop]), *CELLS], status="timeout")
    assert "<code>while True:</code>: stopped after 10 s" in html
    assert "ran for too long" in html


def test_what_was_stopped_in_another_notebook_is_told_there():
    """A page speaks of its own notebook."""
    assert "ran for too long" not in page(CODE, status="timeout")
    assert "ran for too long" in page(replace(CODE, limit="cell_time"), status="timeout")


def test_git_and_environment_verdicts_say_what_to_do():
    """Failed, unknown and passed rules, each with its next step."""
    checks = (
        CheckResult("Your work is pushed.", "passed", 1, 1),
        CheckResult(
            "No big files.", "failed", 0, 1, "`stack.tif` has 38 MB.", "Run `git rm --cached stack.tif`."
        ),
        CheckResult("A pull request is open.", "skipped", 0, 0, "The forge was not asked."),
    )
    item = Item("git", "filters", "git", "Version control", "partial", 1, 2, checks=checks)
    html = page(item, cells=[cell("git", "evidence()", grade=True)])
    for part in (
        "<code>git rm --cached stack.tif</code>",
        "The forge was not asked.",
        "Your work is pushed.",
    ):
        assert part in html


def test_our_own_failure_is_told_as_ours():
    """Not as the student's mistake."""
    check = CheckResult("Values.", "error", 0, 1, "This check could not be carried out.")
    item = Item("t", "filters", "code", "T", "error", 0, 1, needs_review=True, checks=(check,))
    html = page(item, cells=[cell("t", grade=True)], status="error")
    assert "could not be judged" in html
    assert "It costs you no points" in html


# --- what it keeps back


def test_no_source_of_a_test_is_in_a_page():
    """Neither hidden nor visible."""
    assert "secret_of_the_test" not in page(CODE, quiz_item())


@pytest.mark.parametrize(
    ("visibility", "occasion", "points", "details"),
    [
        ("visible", BEFORE, True, True),
        ("hidden", BEFORE, False, False),
        ("hidden", AFTER, True, False),
        ("after_due_date", BEFORE, False, False),
        ("after_due_date", AFTER, True, True),
        ("after_due_date", Occasion(NOW), True, True),
        ("after_published", AFTER, False, False),
        ("after_published", Occasion(NOW, NOW, published=True), True, True),
    ],
)
def test_the_author_chooses_what_is_shown_when(visibility, occasion, points, details):
    """Points can give an answer away as well: they wait together with the details."""
    html = page(quiz_item(visibility=visibility), occasion=occasion)
    assert ("0 of 1 points" in html) is points
    assert ("told later" in html) is not points
    assert ("It ignores single outliers." in html) is details
    assert ("right, you did not choose it" in html) is details


def test_expected_pictures_wait_for_the_due_date_by_default():
    """The words of the check are shown before."""
    html = page(CODE, occasion=BEFORE)
    assert "The values agree." in html
    assert "<svg" not in html
    assert "23 november 2026" in html


def test_an_author_may_show_or_withhold_expected_pictures():
    """`Task(expected=...)` takes the words of visibility, and no others."""
    with pytest.raises(ValueError, match="expected='never'"):
        Task("T", reference=abs, expected="never")
    hidden = CheckResult(**{**vars_of(CHECK), "comparison": with_visibility("hidden")})
    item = Item("smooth-test", "filters", "code", "S", "failed", 0, 2, checks=(hidden,))
    assert "<svg" not in page(item)


def vars_of(check):
    return {name: getattr(check, name) for name in check.__slots__}


def with_visibility(word):
    return replace(CHECK.comparison, visibility=word)


# --- nothing in it runs, and it is never too large

ATTACKS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "[x](javascript:alert(1))",
    "![x](http://evil.example/x.png)",
    "</style><script>alert(1)</script>",
    "`</code><script>alert(1)</script>`",
    "$</code><script>alert(1)</script>$",
    "\ue0000\ue001<script>alert(1)</script>",
    "\x1b[31mred \u202e turned",
)


@pytest.mark.parametrize("attack", ATTACKS)
def test_whatever_a_student_writes_is_inert(attack):
    """In answers, code, outputs, messages, names of cells and comments."""
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": attack},
        {"output_type": "error", "ename": attack, "evalue": attack, "traceback": [attack]},
        {"output_type": "display_data", "data": {"text/html": f"<table><td>{attack}</td></table>"}},
        {"output_type": "display_data", "data": {"image/png": attack}},
        {"output_type": "display_data", "data": {"text/plain": attack}},
    ]
    item = Item(
        "why", "filters", "written", attack, "failed", 0, 1, message=attack,
        checks=(CheckResult(attack, "failed", 0, 1, attack, attack, attack),),
    )  # fmt: skip
    answer = cell("why", attack, "markdown", grade=True, solution=True)
    answer["attachments"] = {attack: {"image/png": attack}}
    row = QuizAnswer("text", "Q", answered=True, rows=(Row("", attack, "x", right=False),))
    html = page(
        item,
        quiz_item(row),
        cells=[cell("code", attack, outputs=outputs, solution=True), answer, *CELLS],
        marks=NotebookMarks("filters", 0.0, (CellMarks("why", 1.0, comment=attack),)),
        notes=(attack,),
    )
    body = html.split("<body>", 1)[1]
    assert "<script" not in body.lower()
    assert "<img" not in body
    assert "evil.example" not in body or 'src="http' not in body
    assert "\x1b" not in body
    assert "\u202e" not in body


def test_no_page_is_larger_than_a_megabyte():
    """However much a student writes and prints, and however many pictures there are."""
    png = base64.b64encode(bytes(250_000)).decode()
    outputs = [{"output_type": "display_data", "data": {"image/png": png}}] * 20
    loud = [{"output_type": "stream", "name": "stdout", "text": "'<" * 10_000}] * 20
    items, cells = [], []
    for number in range(60):
        name = f"t{number}"
        items.append(Item(name, "filters", "code", "T", "failed", 0, 2, checks=(CHECK,) * 3))
        cells += [
            cell(f"a{number}", "'<" * 9_000, outputs=outputs if number % 2 else loud, solution=True),
            cell(name, grade=True),
        ]
    html = page(*items, cells=cells)
    assert len(html.encode()) < MAX_PAGE
    assert "this page would become too large" in html


# --- the data behind the pictures


def test_a_comparison_survives_the_result_document():
    """Written as JSON and read again it is the same."""
    given = result(CODE, quiz_item())
    assert from_document(json.loads(to_json(given))) == given


@pytest.mark.parametrize(
    "change",
    [
        {"rows": 97},
        {"rows": 0},
        {"rows": 2.5},
        {"low": float("nan")},
        {"low": "0"},
        {"expected": "AA=="},
        {"expected": "<script>"},
        {"difference": None},
        {"shape": ()},
        {"shape": (-1, 2)},
        {"worst": (1,)},
        {"expected_numbers": (("7" * 17,),)},
        {"actual_numbers": ()},
        {"visibility": "always"},
    ],
)
def test_a_report_of_another_form_is_refused(change):
    """The grader believes nothing of what a room sends: types and sizes are looked at."""
    document = {"checks": [{**vars_of(CHECK)}]}
    document["checks"][0]["comparison"] = {
        name: getattr(CHECK.comparison, name) for name in CHECK.comparison.__slots__
    } | change
    with pytest.raises(ValueError, match="not of the right form"):
        read_checks(document)


@pytest.mark.parametrize(
    "report", [None, [], {}, {"checks": 3}, {"checks": [3]}, {"checks": [{"title": "x"}]}]
)
def test_a_report_that_is_none_is_refused(report):
    """With words, and no other exception."""
    with pytest.raises(ValueError, match="right form"):
        read_checks(report)


def test_large_pictures_are_made_smaller_and_thin_differences_stay():
    """A line of one wrong pixel is not lost; a stack shows the slice with the worst pixel."""
    image = np.zeros((3, 500, 400))
    wrong = image.copy()
    wrong[2, :, 399] = 5.0
    small = preview(wrong, image)
    assert (small.rows, small.columns) == (84, 67)
    difference = np.frombuffer(small.levels("difference"), np.uint8).reshape(84, 67)
    assert (difference[:, -1] == 254).all()
    assert (difference[:, :-1] == 127).all()
    assert small.worst[0] == 2
    assert len(small.expected) < 10_000


@pytest.mark.parametrize(
    "value", [3.0, None, "text", np.zeros((2, 3)), np.zeros((2, 2), complex), [[1], [2, 3]]]
)
def test_what_is_no_picture_has_no_preview(value):
    """Numbers, texts, other shapes and complex numbers are told in words alone."""
    assert preview(value, np.ones((2, 2))) is None


def test_pictures_of_the_author_are_embedded_and_others_are_not():
    """A question's picture comes from the instructor's folder; a student's address leads nowhere."""
    svg = b"<svg xmlns='http://www.w3.org/2000/svg'/>"
    asked = QuizAnswer("one", "![a window](pictures/window.svg)", answered=False)
    html = page(quiz_item(asked), read=lambda name: svg if name == "pictures/window.svg" else None)
    assert "data:image/svg+xml;base64," in html
    own = cell("why", "![x](pictures/window.svg)", "markdown", grade=True, solution=True)
    item = Item("why", "filters", "written", "Why?", "skipped", 0, 3)
    assert "data:image" not in page(item, cells=[own], read=lambda _: svg).split("<body>")[1]


def test_nbformat_reads_the_cells_that_the_tests_use():
    """The cells above are cells of a notebook."""
    node = nbformat.from_dict({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": CELLS})
    assert len(node.cells) == 3
