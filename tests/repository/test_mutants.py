"""Each naive idea about git work, put in place of ours, is refuted by a state that a student's work can be in."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from fairmark.repository import checking, rules
from fairmark.repository.evidence import Register, Scene
from fairmark.repository.forge import Forge
from fairmark.repository.history import History
from fairmark.repository.ledger import Ledger

from .scenarios import SCENARIOS, World


def wrong_word_absent(patch):
    patch.setattr(
        rules,
        "fault_of_page",
        lambda page, task: "left" if any(w.encode() in (page.after or b"") for w in task.wrong) else "",
    )


def merged_is_ancestor_of_main(patch):
    patch.setattr(
        Scene,
        "_find_merge",
        lambda self, core, *_: "merge" if self.history.contains(self.history.main, core.head) else "",
    )


def mine_is_my_forks_default_head(patch):
    patch.setattr(
        Scene, "is_theirs", lambda _, core, __, fork: bool(fork and fork.heads.get(fork.default) == core.head)
    )


def author_is_the_exact_address(patch):
    real = Register.__init__

    def know_first_addresses(self, roster):
        real(self, [replace(student, emails=student.emails[:1], login="") for student in roster])

    patch.setattr(Register, "__init__", know_first_addresses)


def authors_alone_without_coauthors(patch):
    patch.setattr(Register, "find_named", lambda self, commit: self.find(commit.author))


def merge_base_with_main(patch):
    def base(self, head):
        common = self.ancestors(head) & self.ancestors(self.main)
        return max(common, key=lambda each: len(self.ancestors(each)), default="")

    patch.setattr(History, "find_base", base)


def every_commit_counts(patch):
    patch.setattr(Scene, "_is_plain_sync", lambda *_: False)
    patch.setattr(History, "is_empty", lambda *_: False)


def no_merge_counts(patch):
    patch.setattr(Scene, "_is_plain_sync", lambda _, commit: len(commit.parents) > 1)


def todays_path_alone(patch):
    patch.setattr(rules, "judge", _with_task(rules.judge, former_paths=()))
    patch.setattr(checking, "judge", _with_task(checking.judge, former_paths=()))


def _with_task(judge, **changes):
    return lambda evidence: judge(replace(evidence, task=replace(evidence.task, **changes)))


def any_reachable_repository_is_a_fork(patch):
    patch.setattr(Scene, "find_kinship", lambda *_, **__: "fork")


def no_ledger(patch):
    patch.setattr(Ledger, "read", lambda *_: ())


def dates_are_believed(patch):
    real = rules.RULES["on_time"]

    def on_time(evidence):
        work = evidence.work
        at = min((commit.committed for commit in work.own), default=0) if work else 0
        return real(replace(evidence, work=work and replace(work, seen_at=at)))

    patch.setitem(rules.RULES, "on_time", on_time)


def equal_changes_are_merged(patch):
    def find(self, core, *_):
        mine = self.history.since(core.base)
        same = (
            c
            for c in mine
            if self._changed_lines(c.parents[0], c.id) == self._changed_lines(core.base, core.head)
        )
        return "squash" if any(same) else ""

    patch.setattr(Scene, "_find_merge", find)


def lines_are_compared_as_text(patch):
    real = rules.is_minimal_edit
    patch.setattr(
        rules,
        "is_minimal_edit",
        lambda before, after, task: real(before.replace(b"\r", b""), after.replace(b"\r", b""), task),
    )


MUTANTS = {
    wrong_word_absent: ["deleted_file", "deleted_sentence"],
    merged_is_ancestor_of_main: ["squashed"],
    mine_is_my_forks_default_head: ["unknown_author"],
    author_is_the_exact_address: ["web_editor", "second_address"],
    authors_alone_without_coauthors: ["co_author"],
    merge_base_with_main: ["merged"],
    every_commit_counts: ["only_empty_commits"],
    no_merge_counts: ["all_work_in_a_merge"],
    todays_path_alone: ["former_path"],
    any_reachable_repository_is_a_fork: ["template_copy", "re_upload", "unrelated_repository"],
    no_ledger: ["head_reset_to_upstream", "fork_deleted_after_it_was_seen", "seen_in_time_looked_at_later"],
    dates_are_believed: ["backdated"],
    equal_changes_are_merged: ["classmates_equal_fix_was_squashed"],
    lines_are_compared_as_text: ["line_ends_rewritten"],
}
PAIRS = [(mutant, name) for mutant, names in MUTANTS.items() for name in names]


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mutants")
    forge = Forge(folder / "forge")
    made = {}
    for number, name in enumerate(dict.fromkeys(name for _, name in PAIRS)):
        scenario = SCENARIOS[name]
        made[name] = World(forge, f"m{number}", folder, scenario.default)
        scenario.build(made[name])
    yield made
    forge.close()


@pytest.mark.parametrize(
    ("mutant", "name"), PAIRS, ids=[f"{mutant.__name__}-{name}" for mutant, name in PAIRS]
)
def test_a_naive_idea_is_refuted(worlds, monkeypatch, tmp_path, mutant, name):
    """At least one rule gives another verdict than the state deserves."""
    world = worlds[name]
    ledger = world.ledger and Path(shutil.copy(world.ledger, tmp_path))
    mutant(monkeypatch)
    found = {each.rule: each.verdict for each in world.look(ledger=ledger).findings}
    assert found != SCENARIOS[name].expected
