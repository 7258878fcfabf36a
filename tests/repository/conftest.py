"""What several modules share: a forge with a class on it."""

import pytest

from fairmark.repository.forge import Forge

from .scenarios import World


@pytest.fixture
def world(tmp_path):
    forge = Forge(tmp_path / "forge")
    yield World(forge, "w", tmp_path)
    forge.close()
