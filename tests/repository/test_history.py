"""What a head holds is found without walking all that heads have in common again."""

import random

import pytest

from fairmark.repository.history import History
from fairmark.repository.records import Commit, Person


def make_commits(seed):
    """Return a random tangle of forty commits, with several roots and merges of up to three."""
    chance = random.Random(seed)
    commits, names = {}, []
    for number in range(40):
        chosen = chance.sample(names, min(len(names), chance.choice((0, 1, 1, 1, 1, 2, 3)))) if names else []
        commits[f"c{number}"] = Commit(f"c{number}", f"t{number}", tuple(chosen), Person("", ""), 0, 0, "")
        names.append(f"c{number}")
    return commits


def walk(commits, head):
    """Return everything that a head builds on, the plain way."""
    return {head}.union(*(walk(commits, parent) for parent in commits[head].parents))


@pytest.mark.parametrize("seed", range(20))
def test_reachability_is_what_a_plain_walk_finds(seed):
    """For every pair of commits, and for roots, wherever main is; also of commits that were added later."""
    commits = make_commits(seed)
    early = {name: commits[name] for name in list(commits)[:30]}
    history = History(early, f"c{random.Random(seed).randrange(30)}")
    for stage in (early, commits):
        history.extend(stage)
        for head in stage:
            held = walk(commits, head)
            assert history.ancestors(head) == held
            assert {each for each in stage if history.contains(head, each)} == held
            assert history.roots(head) == {each for each in held if not commits[each].parents}


def test_hostile_histories_do_not_fill_the_memory(monkeypatch):
    """What can be found again is forgotten when it becomes too much; the answers stay right."""
    monkeypatch.setattr("fairmark.repository.history._MOST_KEPT", 50)
    commits = make_commits(3)
    history = History(commits, "c20")
    for head in commits:
        assert {each for each in commits if history.contains(head, each)} == walk(commits, head)
    assert history._kept <= 50 + len(commits)
