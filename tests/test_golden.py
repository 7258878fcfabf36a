"""The simulated class gets exactly the marks that it deserves, through both doors and from stock nbgrader."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from courses import run_nbgrader_commands
from nbgrader.api import Gradebook, MissingEntry

from fairmark.batch import grade_assignment
from fairmark.course import open_course
from fairmark.release import release_assignment
from fairmark.simulation import hand_in, read_recipes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairmark.results import Item, SubmissionResult
    from fairmark.simulation import Expected, Recipe

ROOT = Path(__file__).parents[1]
RECIPES = {recipe.student: recipe for recipe in read_recipes(Path(__file__).parent / "class")}
CASES = [(recipe, assignment) for recipe in RECIPES.values() for assignment in recipe.expected]
NAMES = [f"{recipe.student}-{assignment}" for recipe, assignment in CASES]
HONEST = [recipe.student for recipe in RECIPES.values() if recipe.honest]
DUE = datetime(2026, 3, 20, 18, tzinfo=UTC)
# The tests' seeds depend on it: everybody gets the same random images in every run.
SECRET = b"the golden class has this secret"
CANARY = "yellow-bird-in-a-cage"
# Endless loops cost this long for each cell that they are in; and there are machines whose kernel needs half of
# it to hand out for the first time the memory that somebody here takes.
LIMIT = "\nc.ExecutePreprocessor.timeout = 10\n"
ENABLE = "\nimport fairmark\nfairmark.enable(c)\n"
STOCK = "c = get_config()\nc.ExecutePreprocessor.timeout = 60\n"

each_hand_in = pytest.mark.parametrize(("recipe", "assignment"), CASES, ids=NAMES)


# --- the courses -------------------------------------------------------------------------------------------


def _copy_course(root: Path, config: str) -> Path:
    """Copy what instructors write; nobody may ever see the canary in `autograder`."""
    for name in ("source", "autograder"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    with (root / "autograder/filters.py").open("a") as file:
        file.write(f"\n# {CANARY}\n")
    (root / "nbgrader_config.py").write_text(config)
    (root / ".fairmark").mkdir()
    (root / ".fairmark/secret").write_bytes(SECRET)
    return root


@pytest.fixture(scope="session")
def handed_in(tmp_path_factory) -> Path:
    """Return a course whose class has handed in."""
    config = (ROOT / "nbgrader_config.py").read_text() + LIMIT
    root = _copy_course(tmp_path_factory.mktemp("golden") / "course", config)
    course = open_course(root)
    for assignment in course.assignments():
        if (ROOT / "release" / assignment).is_dir():
            shutil.copytree(ROOT / "release" / assignment, root / "release" / assignment)
        else:
            release_assignment(course, assignment)
    hand_in(course, *RECIPES.values(), due=DUE)
    return root


@pytest.fixture(scope="session")
def graded(handed_in) -> dict[tuple[str, str], SubmissionResult]:
    """Grade the class through `fairmark grade`'s door, two submissions at a time."""
    course = open_course(handed_in)
    os.environ["FAIRMARK_TEST_TOKEN"] = CANARY
    try:
        batches = [grade_assignment(course, name, workers=2) for name in course.assignments()]
    finally:
        del os.environ["FAIRMARK_TEST_TOKEN"]
    assert [batch.failures for batch in batches] == [()] * len(batches)
    return {
        (result.submission.student, batch.assignment): result for batch in batches for result in batch.results
    }


@pytest.fixture(scope="session")
def autograded(handed_in, graded, tmp_path_factory) -> dict[str, Path]:  # noqa: ARG001 - one after the other
    """Grade the class with nbgrader's own commands and fairmark switched on; return each student's course."""
    halves = {student: number % 2 for number, student in enumerate(sorted(RECIPES))}
    roots = [tmp_path_factory.mktemp("door") / "course" for _ in range(2)]
    config = (ROOT / "nbgrader_config.py").read_text() + LIMIT + ENABLE
    for number, root in enumerate(roots):
        shutil.copytree(
            handed_in, root, symlinks=True, ignore=shutil.ignore_patterns("autograded", "gradebook.db")
        )
        (root / "nbgrader_config.py").write_text(config)
        for student, half in halves.items():
            if half != number:
                shutil.rmtree(root / "submitted" / student)

    def autograde(root: Path) -> None:
        assignments = sorted(path.name for path in (root / "source").iterdir())
        run_nbgrader_commands(
            root,
            *(("generate_assignment", assignment, "--force") for assignment in assignments),
            *(("autograde", assignment) for assignment in assignments),
        )

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(autograde, roots))
    return {student: roots[half] for student, half in halves.items()}


@pytest.fixture(scope="session")
def stock(handed_in, tmp_path_factory) -> Path:
    """Grade the honest students with nbgrader alone: no fairmark in its configuration, no sandbox."""
    root = _copy_course(tmp_path_factory.mktemp("stock") / "course", STOCK)
    for student in HONEST:
        shutil.copytree(
            handed_in / "submitted" / student / "filters", root / "submitted" / student / "filters"
        )
    commands = ("generate_assignment", "filters"), ("autograde", "filters")
    # No figure is drawn: that takes longer than the tests, and gives no marks.
    run_nbgrader_commands(root, *commands, PYTHONPATH=str(root), FAIRMARK_SEED="1", MPLBACKEND="agg")
    return root


# --- what came out -----------------------------------------------------------------------------------------


def _expected_of(item: Item, expected: Expected) -> float | None:
    """Return the points that an item deserves, None where the recipe leaves it open."""
    others = {"full": item.max_score, "zero": 0.0, "": None}
    return expected.items.get(item.id, others[expected.others])


def _told(item: Item) -> str:
    """Return everything that the student reads about an item."""
    checks = (text for check in item.checks for text in (check.message, check.hint, check.diagnosis))
    return " ".join([item.message, item.hint, *checks])


def _read_marks(root: Path, student: str, assignment: str) -> dict[str, float | None]:
    """Return nbgrader's automatic marks of one submission by grade_id."""
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}") as book:
        submission = book.find_submission(assignment, student)
        return {
            grade.name: grade.auto_score for notebook in submission.notebooks for grade in notebook.grades
        }


def _differing(marks: dict[str, float | None], result: SubmissionResult) -> dict[str, Any]:
    """Return the items whose mark differs from the result's: the mark, and what it should be."""
    scores = {item.id: item.score for item in result.items}
    return {
        name: (marks.get(name), score)
        for name, score in scores.items()
        if marks.get(name) is None or marks[name] != pytest.approx(score)
    }


def _outputs(root: Path, student: str, assignment: str) -> Iterator[tuple[str, str]]:
    """Yield the cells' ids and outputs of a graded submission, as text."""
    for path in (root / "autograded" / student / assignment).glob("*.ipynb"):
        node = nbformat.read(path, as_version=4)
        nbformat.validate(node)
        for cell in node.cells:
            for output in cell.get("outputs", ()):
                yield cell.id, str(output)


def test_the_class_is_as_varied_as_a_class():
    """At least twelve students, some of them honest and some hostile."""
    assert len(RECIPES) >= 14
    assert len(HONEST) >= 4
    assert sum(recipe.about.startswith("Hostile") for recipe in RECIPES.values()) >= 2


@each_hand_in
def test_every_item_gets_what_it_deserves(graded, recipe: Recipe, assignment):
    """Points are exactly the expected ones, item by item."""
    result, expected = graded[recipe.student, assignment], recipe.expected[assignment]
    ids = {item.id for item in result.items}
    assert set(expected.items) | set(expected.says) <= ids
    wrong = {
        item.id: (item.score, _expected_of(item, expected), _told(item)[:600])
        for item in result.items
        if _expected_of(item, expected) not in (None, pytest.approx(item.score))
    }
    assert wrong == {}
    assert result.score == pytest.approx(expected.score)
    assert result.status == expected.status


@each_hand_in
def test_nothing_was_our_fault(graded, recipe, assignment):
    """No item waits for a person because of a failure of ours."""
    result = graded[recipe.student, assignment]
    assert [item for item in result.items if item.status == "error" or item.needs_review] == []


@each_hand_in
def test_students_are_told_what_helps(graded, recipe, assignment):
    """Messages, hints and diagnoses name what happened."""
    result, expected = graded[recipe.student, assignment], recipe.expected[assignment]
    told = {item.id: _told(item) for item in result.items}
    assert {name: told[name] for name, words in expected.says.items() if words not in told[name]} == {}
    missing = [words for words in expected.notes if not any(words in note for note in result.notes)]
    assert (missing, result.notes if missing else ()) == ([], ())


@each_hand_in
def test_both_doors_give_the_same_marks(graded, handed_in, autograded, recipe, assignment):
    """`fairmark grade` and `nbgrader autograde` write the same marks into the gradebook."""
    result = graded[recipe.student, assignment]
    first = _read_marks(handed_in, recipe.student, assignment)
    try:
        second = _read_marks(autograded[recipe.student], recipe.student, assignment)
    except MissingEntry:
        second = {}
    assert (_differing(first, result), _differing(second, result)) == ({}, {})


@pytest.mark.parametrize("student", HONEST)
def test_stock_nbgrader_gives_the_same_marks_for_code(graded, stock, student):
    """An honest student's code cells get the same marks without fairmark."""
    result = graded[student, "filters"]
    marks = _read_marks(stock, student, "filters")
    code = {item.id: item.score for item in result.items if item.kind == "code"}
    assert {name: marks[name] for name in code} == pytest.approx(code)


@each_hand_in
def test_the_tests_stay_secret(graded, handed_in, recipe, assignment):  # noqa: ARG001 - it has to be graded
    """Whatever a student's cells tried, no output holds a line of the tests or a secret of the grader."""
    shown = [cell for cell, text in _outputs(handed_in, recipe.student, assignment) if CANARY in text]
    assert shown == []


@pytest.mark.parametrize(
    "student", [name for name, recipe in RECIPES.items() if recipe.about.startswith("Hostile")]
)
def test_outputs_of_hostile_cells_are_inert(graded, handed_in, student):  # noqa: ARG001
    """No script, event handler, SVG or JavaScript is left in an output that a browser would run."""
    for path in (handed_in / "autograded" / student).rglob("*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            for output in cell.get("outputs", ()):
                data = output.get("data", {})
                assert not set(data) & {"image/svg+xml", "application/javascript"}
                html = data.get("text/html", "").lower()
                assert not any(word in html for word in ("<script", "onerror", "onload", "javascript:"))


def test_the_late_one_is_late(graded):
    """The time of handing in is kept."""
    at = graded["julia", "filters"].submission.submitted_at
    assert (datetime.fromisoformat(at) - DUE).total_seconds() == 30 * 3600


def test_the_instructors_files_are_as_before(graded, handed_in):  # noqa: ARG001
    """Nothing that was handed in changed the source."""
    for path in (ROOT / "source").rglob("*"):
        if path.is_file() and ".ipynb_checkpoints" not in path.parts:
            assert (handed_in / path.relative_to(ROOT)).read_bytes() == path.read_bytes()
