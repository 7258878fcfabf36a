"""Every hostile hand-in is defeated through both doors, and harms nobody."""

import pytest

from tests.attacks.cases import find_attacks
from tests.attacks.runner import Stage


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """The course that the attacks are handed in to."""
    return Stage(tmp_path_factory.mktemp("stage"))


@pytest.mark.parametrize("door", ["fairmark", "nbgrader"])
def test_every_attack_is_defeated(stage, door):
    """Each one's own meaning of defeated, and what is asked for of all of them, holds."""
    result = stage.play(door, find_attacks(), between=8)
    lost = [f"{each.attack.name}: {reason}" for each in result.verdicts for reason in each.reasons]
    assert result.defeated, "\n".join([*result.bystanders, *result.harm, *lost])
