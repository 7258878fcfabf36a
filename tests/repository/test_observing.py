"""A look at a whole class: one transfer, few forks, a ledger, and what a forge's API adds."""

import json
import shutil

import pytest

from fairmark.cli import main
from fairmark.course import open_course
from fairmark.intake import find_submissions, read_parcel
from fairmark.repository.address import read_address
from fairmark.repository.api import api_address, ask_forge
from fairmark.repository.assignment import read_task
from fairmark.repository.exercise import read_exercise
from fairmark.repository.forge import Forge
from fairmark.repository.ledger import Ledger
from fairmark.repository.observing import observe_class
from fairmark.repository.practice import forge_folder, practise
from fairmark.repository.serving import serving

from .test_exercise import NAME, ROOT

DUE = 1_770_000_000
DAY = 86400
STATES = {
    "ada": "perfect",
    "bo": "no-pull-request",
    "cem": "late",
    "dana": "reset",
    "eva": "unknown-author",
    "finn": "nothing",
}


@pytest.fixture
def course(tmp_path):
    for part in (f"source/{NAME}", f"autograder/{NAME}"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / ".fairmark").mkdir()
    course = open_course(tmp_path)
    forge = Forge(forge_folder(course))
    with serving(forge) as url:
        practise(course, NAME, STATES, DUE, url)
        yield course
    forge.close()


def test_the_class_is_remembered_and_few_forks_are_asked(course):
    """A fork whose pull request was proved to come from it is not asked again."""
    exercise = read_exercise(course, NAME)
    before = exercise.ledger.read_bytes()
    found = observe_class(exercise, DUE + DAY)
    assert exercise.ledger.read_bytes().startswith(before)
    assert found.remarks == ()
    assert found.asked == 5  # not Ada's
    verdicts = {
        name: {each.rule: each.verdict for each in checked.findings}
        for name, checked in found.checked.items()
    }
    assert (
        verdicts["ada"]["on_time"] == verdicts["dana"]["fix_present"] == verdicts["dana"]["on_time"] == "pass"
    )
    assert (verdicts["bo"]["pr_opened"], verdicts["bo"]["pushed"]) == ("fail", "pass")
    assert (verdicts["cem"]["pr_opened"], verdicts["cem"]["on_time"]) == ("pass", "fail")
    assert (verdicts["eva"]["pr_opened"], verdicts["eva"]["author_matches"]) == ("pass", "fail")
    assert verdicts["finn"]["fork_reachable"] == "fail"
    size = exercise.ledger.stat().st_size
    observe_class(exercise, DUE + 2 * DAY)
    assert exercise.ledger.stat().st_size == size  # nothing is new


def test_the_forge_tells_when_a_pull_request_was_opened(course):
    """Its API's time counts where nobody looked in time; the marks do not depend on its answer."""
    exercise = read_exercise(course, NAME)
    openings, trouble = ask_forge(exercise.address())
    assert trouble == ""
    assert {opening.login for opening in openings.values()} >= {"ada-codes", "cem-codes"}
    exercise.ledger.unlink()
    verdicts = {}
    for name, ask in (("without", None), ("with", ask_forge), ("broken", lambda _: ({}, "it is down"))):
        found = observe_class(exercise, DUE + DAY, ask_forge=ask)
        verdicts[name] = {each.rule: each.verdict for each in found.checked["ada"].findings}["on_time"]
        exercise.ledger.unlink()
    assert verdicts == {"without": "fail", "with": "pass", "broken": "fail"}


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://github.com/o/r", "https://api.github.com/repos/o/r/pulls?state=all&per_page=100"),
        ("https://codeberg.org/o/r", "https://codeberg.org/api/v1/repos/o/r/pulls?state=all&limit=100"),
        (
            "https://gitlab.com/g/s/r",
            "https://gitlab.com/api/v4/projects/g%2Fs%2Fr/merge_requests?state=all&per_page=100",
        ),
    ],
)
def test_each_kind_of_forge_has_its_own_api(address, expected):
    """GitHub, Gitea and Forgejo, GitLab with subgroups."""
    assert api_address(read_address(address)) == expected


def test_the_command_shows_the_class(course, capsys):
    """`fairmark repository observe` prints a line a student and ends well."""
    assert (
        main(["repository", "observe", NAME, "--course", str(course.root), "--now", str(DUE + DAY), "--api"])
        == 0
    )
    shown = capsys.readouterr().out
    assert all(name in shown for name in STATES)


def test_notebooks_are_collected_from_forks_as_they_were_when_due(course, capsys):
    """What was pushed later is kept as a version, and does not count; a second time nothing changes."""
    forge = Forge(forge_folder(course))
    fork = forge.repository("ada-codes/notes")
    notebook = (ROOT / "release" / NAME / f"{NAME}.ipynb").read_bytes()
    commit = fork.commit("main", {f"work/{NAME}.ipynb": notebook, "work/data.csv": "1,2\n"}, "Answer it")
    words = ["collect", NAME, "--forks", "--course", str(course.root), "--now"]
    assert main([*words, str(DUE - 100)]) == 0
    handed = course.submitted("ada", NAME)
    assert (handed / f"{NAME}.ipynb").read_bytes() == notebook
    assert (handed / "data.csv").exists()
    assert (handed / "timestamp.txt").read_text().startswith("2026-02-02 02:38:20")
    fork.commit("main", {f"work/{NAME}.ipynb": notebook + b"\n"}, "Answer once more")
    assert main([*words, str(DUE + 100)]) == 0
    assert (handed / f"{NAME}.ipynb").read_bytes() == notebook
    shown = capsys.readouterr().out
    source = course.list_source(NAME)
    (submission,) = find_submissions(course, NAME, ["ada"])
    assert read_parcel(course, source, submission).submission.commit == commit
    (handed / f"{NAME}.ipynb").write_bytes(notebook + b" ")
    assert read_parcel(course, source, submission).submission.commit == ""
    assert "no notebook" in shown
    assert "same" in shown
    forge.close()


def test_the_ledger_is_readable_for_people(course):
    """One JSON document a line, with the verdicts by rule."""
    exercise = read_exercise(course, NAME)
    lines = [json.loads(line) for line in exercise.ledger.read_text().splitlines()]
    assert {line["student"] for line in lines} >= {"ada", "bo"}
    assert all(set(line["verdicts"].values()) <= {"pass", "fail", "unknown", "na"} for line in lines)
    assert Ledger(exercise.ledger).read("ada")[0].works[0].head == next(
        line["works"][0]["head"] for line in lines if line["student"] == "ada"
    )


def test_the_course_task_can_be_read():
    """The exercise's own task has no fault."""
    assert read_task(ROOT / "autograder" / NAME / "task.toml").path == "docs/noise.md"
