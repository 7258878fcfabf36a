"""Each state that a student's git work can be in gets its verdicts, by path and over http."""

import shutil
from pathlib import Path

import pytest

from fairmark.repository.forge import Forge
from fairmark.repository.serving import serving

from .scenarios import SCENARIOS, World

WAYS = ("path", "http")


@pytest.fixture(scope="session")
def worlds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenarios")
    forge = Forge(folder / "forge")
    made = {}
    for number, scenario in enumerate(SCENARIOS.values()):
        world = made[scenario.name] = World(forge, f"w{number}", folder, scenario.default)
        scenario.build(world)
    yield made
    forge.close()


@pytest.fixture(scope="session")
def server(worlds):
    with serving(next(iter(worlds.values())).forge) as url:
        yield url


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_every_rule_says_what_the_state_deserves(worlds, server, tmp_path, name, way):
    """All 18 rules, in every state."""
    world = worlds[name]
    ledger = world.ledger and Path(shutil.copy(world.ledger, tmp_path))
    checked = world.look(url=server if way == "http" else "", ledger=ledger)
    assert checked.evidence.upstream == ""
    found = {finding.rule: finding.verdict for finding in checked.findings}
    told = {finding.rule: finding.message for finding in checked.findings}
    expected = SCENARIOS[name].expected
    wrong = {
        rule: (found[rule], expected[rule], told[rule]) for rule in expected if found[rule] != expected[rule]
    }
    assert wrong == {}


def test_there_are_enough_states():
    """At least forty."""
    assert len(SCENARIOS) >= 40
