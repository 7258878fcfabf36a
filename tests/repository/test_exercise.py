"""The assignment ``pull_request`` from the forks to the marks, through both rooms."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fairmark.batch import grade_assignment
from fairmark.course import open_course
from fairmark.quality import Snapshot
from fairmark.quality.asking import answer_snapshot
from fairmark.repository.assignment import read_task
from fairmark.repository.exercise import read_exercise
from fairmark.repository.practice import forge_folder
from fairmark.simulation import hand_in, read_recipes

ROOT = Path(__file__).parents[2]
NAME = "pull_request"
DUE = datetime(2026, 3, 20, 18, tzinfo=UTC)
RECIPES = {
    recipe.student: recipe for recipe in read_recipes(ROOT / "tests" / "class") if NAME in recipe.expected
}


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    root = tmp_path_factory.mktemp("exercise") / "course"
    for part in (f"source/{NAME}", f"release/{NAME}", f"autograder/{NAME}"):
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "autograder" / "__init__.py", root / "autograder")
    shutil.copy(ROOT / "nbgrader_config.py", root)
    (root / ".fairmark").mkdir()
    course = open_course(root)
    hand_in(course, *RECIPES.values(), due=DUE)
    return course


@pytest.fixture(scope="module")
def results(course):
    batch = grade_assignment(course, NAME, workers=2)
    assert batch.failures == ()
    return {result.submission.student: result for result in batch.results}


def told(item):
    return " ".join([item.message, *(f"{check.message} {check.hint}" for check in item.checks)])


@pytest.mark.parametrize("student", RECIPES)
def test_each_state_gets_its_points(results, student):
    """Points by rule, through the examiner's room, with what the student reads."""
    result, expected = results[student], RECIPES[student].expected[NAME]
    (item,) = [item for item in result.items if item.kind == "git"]
    assert (result.score, told(item)) == (pytest.approx(expected.score), told(item))
    assert not item.needs_review
    assert expected.says.get(item.id, "") in told(item)


def test_an_exercise_that_cannot_be_looked_at_waits_for_a_person(course):
    """Without a network and without a ledger nobody gets a silent zero."""
    ledger = read_exercise(course, NAME).ledger
    kept = ledger.with_suffix(".kept")
    ledger.rename(kept)
    forge, away = forge_folder(course), forge_folder(course).with_name("away")
    forge.rename(away)
    for stamp in course.root.glob(".fairmark/mirror.git/fairmark-upstream.json"):
        stamp.unlink()
    try:
        batch = grade_assignment(course, NAME, ("yara",), workers=1)
    finally:
        away.rename(forge)
        kept.rename(ledger)
    (item,) = [item for item in batch.results[0].items if item.kind == "git"]
    assert (item.status, item.needs_review) == ("error", True)


def test_what_was_seen_is_enough_when_the_forge_is_gone(course):
    """The ledger alone gives the marks."""
    forge, away = forge_folder(course), forge_folder(course).with_name("away")
    forge.rename(away)
    for stamp in course.root.glob(".fairmark/mirror.git/fairmark-upstream.json"):
        stamp.unlink()
    try:
        batch = grade_assignment(course, NAME, ("yara",), workers=1)
    finally:
        away.rename(forge)
    assert batch.results[0].score == 37


def test_nobody_is_late_because_nobody_looked(course):
    """Without any look before the work was due, a person decides whether it was in time."""
    ledger = read_exercise(course, NAME).ledger
    kept = ledger.with_suffix(".kept")
    ledger.rename(kept)
    for stamp in course.root.glob(".fairmark/mirror.git/fairmark-upstream.json"):
        stamp.unlink()
    try:
        batch = grade_assignment(course, NAME, ("yara",), workers=1)
    finally:
        kept.replace(ledger)
    (item,) = [item for item in batch.results[0].items if item.kind == "git"]
    assert item.needs_review
    assert [check.title for check in item.checks if check.status == "error"] == [
        "The work was there in time."
    ]


def test_a_checklist_sees_the_head_that_the_rules_choose(course, results):  # noqa: ARG001 - seen when graded
    """The repository can be asked for its habits too, also when its branch was reset: it had been seen."""
    fork = str(forge_folder(course) / "zora-codes" / "notes.git")
    answer = answer_snapshot(course, NAME, "zora", fork)
    snapshot = Snapshot.from_plain(answer["snapshot"])
    page = next(blob for blob in snapshot.blobs if blob.path == "docs/noise.md")
    assert b"A detector receives photons" in page.content
    assert [commit.message.strip() for commit in snapshot.commits] == [
        "Correct the spelling in docs/noise.md"
    ]
    proof = answer_snapshot(course, NAME, "", read_task(ROOT / "autograder" / NAME / "task.toml").reference)
    assert len(proof["snapshot"]["commits"]) == 1
