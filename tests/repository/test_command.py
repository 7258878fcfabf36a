"""The command ``fairmark repository check``: verdicts as JSON, wrong use told, faults told at once."""

import json

import pytest

from fairmark.cli import main
from fairmark.repository.forge import Forge
from fairmark.repository.process import run_git
from fairmark.repository.records import RULE_IDS

from .scenarios import CORRECT, DUE, FORMER, LATE, LOOKED, OPENS, PATH, WRONG, World

TASK = f"""
path = "{PATH}"
former_paths = ["{FORMER}"]
wrong_word = "{WRONG}"
corrected_sentence = "{CORRECT}"
size_limit = 100000
opening_time = {OPENS}
due_time = {DUE}
"""
ROSTER = """student_id,name,emails,login,fork
anna,Anna Berg,anna@uni.example;a.berg@home.example,anna-b,
ben,Ben Carl,ben@uni.example,ben-c,
"""


@pytest.fixture
def world(tmp_path):
    forge = Forge(tmp_path / "forge")
    world = World(forge, "w", tmp_path)
    world.work()
    world.propose()
    (tmp_path / "TASK.toml").write_text(TASK)
    (tmp_path / "ROSTER.csv").write_text(ROSTER)
    yield world
    forge.close()


def check(world, *more, student="anna"):
    folder = world.folder
    papers = ["--task", str(folder / "TASK.toml"), "--roster", str(folder / "ROSTER.csv")]
    places = ["--upstream", str(world.upstream.folder), "--fork", str(world.anna.folder)]
    return main(["repository", "check", *papers, "--student", student, *places, *more])


def test_the_json_holds_every_rule(world, capsys):
    """Verdict and message by rule id, in the order of the table."""
    assert check(world, "--allow-local", "--json", "--now", str(LOOKED)) == 0
    document = json.loads(capsys.readouterr().out)
    assert tuple(document["rules"]) == RULE_IDS
    assert {rule["verdict"] for name, rule in document["rules"].items() if name != "pr_merged"} == {"pass"}
    assert all(rule["message"] for rule in document["rules"].values())
    assert document["pull_request"] == 1


def test_the_table_shows_every_rule(world, capsys):
    """Without --json there is a table for people."""
    assert check(world, "--allow-local", "--now", str(LOOKED)) == 0
    shown = capsys.readouterr().out
    assert all(rule in shown for rule in RULE_IDS)


def test_a_path_needs_the_switch(world, capsys):
    """The message names it."""
    assert check(world) == 2
    assert "--allow-local" in capsys.readouterr().err


def test_a_student_who_is_not_in_the_roster_is_wrong_use(world, capsys):
    """A near name is offered."""
    assert check(world, "--allow-local", student="ana") == 2
    assert "Did you mean 'anna'" in capsys.readouterr().err


def test_all_faults_of_both_files_are_told_at_once(world, capsys):
    """Each with its file and its place."""
    (world.folder / "TASK.toml").write_text(
        'path = "/etc/passwd"\ncorrect = 3\ndue = "soon"\nmax_bytes = -1\n'
    )
    (world.folder / "ROSTER.csv").write_text("id,email\nanna,anna\nben,b@x.org\nben2,B@X.org\n,c@x.org\n")
    assert check(world, "--allow-local") == 1
    told = capsys.readouterr().err
    for place in ("path", "correct", "wrong", "due", "max_bytes", "line 2", "ben2", "line 5"):
        assert f", {place}: " in told


def test_the_ledger_remembers_and_is_only_appended_to(world, capsys):
    """A second look adds nothing where nothing changed; what was seen survives a reset and a deletion."""
    ledger = world.folder / "seen.jsonl"
    more = ("--allow-local", "--json", "--ledger", str(ledger))
    check(world, *more, "--now", str(LOOKED))
    first = ledger.read_bytes()
    check(world, *more, "--now", str(LOOKED + 60))
    assert ledger.read_bytes() == first
    world.anna.point("fix-typo", world.upstream.head())
    world.forge.delete(world.anna)
    capsys.readouterr()
    assert check(world, *more, "--now", str(LATE)) == 0
    rules = json.loads(capsys.readouterr().out)["rules"]
    assert {name for name, rule in rules.items() if rule["verdict"] != "pass"} == {"pr_merged"}
    assert ledger.read_bytes().startswith(first)


def test_a_ledger_that_was_cut_off_still_counts(world, capsys):
    """The broken line is passed over, and the next one is written below it."""
    ledger = world.folder / "seen.jsonl"
    more = ("--allow-local", "--json", "--ledger", str(ledger), "--now")
    check(world, *more, str(LOOKED))
    with ledger.open("a") as file:
        file.write('{"schema": "fairmark/sigh')
    world.anna.point("fix-typo", world.upstream.head())
    capsys.readouterr()
    assert check(world, *more, str(LATE)) == 0
    assert json.loads(capsys.readouterr().out)["rules"]["on_time"]["verdict"] == "pass"


def test_an_upstream_that_does_not_answer_fails_nobody(world, capsys):
    """Everything that rests on it is unknown, and the command says so."""
    world.forge.delete(world.upstream)
    assert check(world, "--allow-local", "--json") == 1
    shown = capsys.readouterr()
    verdicts = {name: rule["verdict"] for name, rule in json.loads(shown.out)["rules"].items()}
    assert verdicts.pop("fork_reachable") == "pass"
    assert set(verdicts.values()) == {"unknown"}
    assert "original" in shown.err


def test_a_bundle_is_work_that_is_not_pushed(world, capsys, tmp_path):
    """Offline work is judged from the bundle; it is on no server."""
    bundle = tmp_path / "work.bundle"
    fork = world.anna.folder
    run_git(fork, "bundle", "create", "--quiet", str(bundle), "--branches")
    world.upstream.point("refs/pull/1/head", None)
    world.forge.delete(world.anna)
    papers = ["--task", str(tmp_path / "TASK.toml"), "--roster", str(tmp_path / "ROSTER.csv")]
    places = ["--upstream", str(world.upstream.folder), "--fork", str(bundle), "--now", str(LOOKED)]
    assert (
        main(["repository", "check", *papers, "--student", "anna", *places, "--allow-local", "--json"]) == 0
    )
    verdicts = {n: rule["verdict"] for n, rule in json.loads(capsys.readouterr().out)["rules"].items()}
    assert (verdicts["has_own_commits"], verdicts["pushed"], verdicts["fix_present"]) == (
        "pass",
        "fail",
        "pass",
    )
