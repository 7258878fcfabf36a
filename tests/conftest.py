"""Zygotes for the tests of rooms: started once, since starting takes a second."""

import pytest

from fairmark.rooms.policy import MIB, Limits, Policy
from fairmark.rooms.room import Zygote

LIMITS = Limits(
    cell_seconds=3,
    submission_seconds=60,
    memory=400 * MIB,
    file_size=20 * MIB,
    disk=30 * MIB,
    files=200,
    processes=40,
    output=200_000,
    outputs=30,
)


@pytest.fixture(scope="session")
def student_zygote():
    with Zygote(Policy("student", LIMITS, preload=("import numpy as np",))) as zygote:
        yield zygote


@pytest.fixture(scope="session")
def examiner_zygote():
    with Zygote(Policy("examiner", LIMITS, preload=("import numpy as np",))) as zygote:
        yield zygote
