"""Every hostile hand-in is defeated through both doors, and harms nobody."""

from collections import Counter

import pytest

from tests.attacks.cases import find_attacks, read_family
from tests.attacks.runner import Stage

# nbgrader's own intake, copying and pages decide over these; behind the doors the grading is the same.
OF_THE_DOOR = ("broken files", "pages", "results", "tampering", "persistence", "breaking out")


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """The course that the attacks are handed in to."""
    return Stage(tmp_path_factory.mktemp("stage"), seconds=2)


def choose_for_nbgrader():
    """Return all attacks that the door itself has to withstand, and two of each other family."""
    seen = Counter()
    chosen = []
    for path in find_attacks():
        family = read_family(path)
        seen[family] += 1
        if family in OF_THE_DOOR or seen[family] <= 2:
            chosen.append(path)
    return chosen


# nbgrader grades one hand-in after the other, in the time in which fairmark grades twice as many.
@pytest.mark.parametrize(("door", "choose"), [("nbgrader", choose_for_nbgrader), ("fairmark", find_attacks)])
def test_every_attack_is_defeated(stage, door, choose):
    """Each one's own meaning of defeated, and what is asked for of all of them, holds."""
    result = stage.play(door, choose(), between=12)
    lost = [f"{each.attack.name}: {reason}" for each in result.verdicts for reason in each.reasons]
    assert result.defeated, "\n".join([*result.bystanders, *result.harm, *lost])
