"""Every hostile hand-in is defeated through both doors, and harms nobody."""

import pytest

from tests.attacks.cases import find_attacks
from tests.attacks.runner import Stage


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """The course that the attacks are handed in to."""
    return Stage(tmp_path_factory.mktemp("stage"), seconds=3)


# nbgrader grades one hand-in after the other: halves let two processors share its work.
@pytest.mark.parametrize(
    ("door", "first", "step"), [("nbgrader", 0, 2), ("nbgrader", 1, 2), ("fairmark", 0, 1)]
)
def test_every_attack_is_defeated(stage, door, first, step):
    """Each one's own meaning of defeated, and what is asked for of all of them, holds."""
    result = stage.play(door, find_attacks()[first::step], between=12)
    lost = [f"{each.attack.name}: {reason}" for each in result.verdicts for reason in each.reasons]
    assert result.defeated, "\n".join([*result.bystanders, *result.harm, *lost])
