"""Honest hand-ins of odd but legitimate style get the marks they deserve, through both doors."""

from pathlib import Path

import pytest

from tests.attacks.cases import find_attacks
from tests.attacks.runner import Stage

HONEST = Path(__file__).parent / "honest"


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """The course that they hand in to."""
    return Stage(tmp_path_factory.mktemp("stage"), seconds=15)


@pytest.mark.parametrize("door", ["fairmark", "nbgrader"])
def test_everybody_gets_the_marks_they_deserve(stage, door):
    """Full marks, except where an answer is of a kind that cannot cross: that is told in words."""
    result = stage.play(door, find_attacks(folder=HONEST, file="honest.toml"), between=50)
    lost = [f"{each.attack.name}: {reason}" for each in result.verdicts for reason in each.reasons]
    assert result.defeated, "\n".join([*result.bystanders, *result.harm, *lost])
