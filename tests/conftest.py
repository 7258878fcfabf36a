"""What several test modules share: small courses, and zygotes, which take a second to start."""

import os
import shutil
import signal
import sys
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings

# jsonschema would build a grammar with it: that takes a second, for a format that no schema here uses.
sys.modules.setdefault("rfc3987_syntax", None)

from courses import make_course, run_nbgrader  # noqa: E402

from fairmark.course import open_course  # noqa: E402
from fairmark.rooms.policy import MIB, Limits, Policy  # noqa: E402
from fairmark.rooms.room import Zygote  # noqa: E402

# A pipeline that runs these tests may have been started by anybody's pull request; grading would refuse.
for _name in ("GITHUB_EVENT_NAME", "CI_PIPELINE_SOURCE"):
    os.environ.pop(_name, None)

# A shell that starts the tests in the background lets them, and all that they start, be deaf to Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says how busy the machine is, and nothing of the code.
settings.register_profile(
    "unhurried", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("unhurried")

LIMITS = Limits(
    cell_seconds=2,
    submission_seconds=60,
    memory=400 * MIB,
    file_size=20 * MIB,
    disk=30 * MIB,
    files=200,
    processes=40,
    shared_memory=30 * MIB,
    output=200_000,
    outputs=30,
)


def limit_cells(sitting, monkeypatch, seconds):
    """Give cells another time: a machine may need long for what is large."""
    for zygote in sitting._zygotes:
        limits = replace(zygote.policy.limits, cell_seconds=seconds)
        monkeypatch.setattr(zygote, "policy", replace(zygote.policy, limits=limits))


@pytest.fixture(scope="session")
def student_zygote():
    with Zygote(Policy("student", LIMITS, preload=("import numpy as np",))) as zygote:
        yield zygote


@pytest.fixture(scope="session")
def examiner_zygote():
    with Zygote(Policy("examiner", LIMITS, preload=("import numpy as np",))) as zygote:
        yield zygote


@pytest.fixture
def course(tmp_path):
    """A course whose one notebook has a cell of each kind."""
    return make_course(tmp_path)


@pytest.fixture(scope="session")
def generated(tmp_path_factory):
    """A course folder with its release made by nbgrader's own command."""
    course = make_course(tmp_path_factory.mktemp("generated"))
    run_nbgrader(course.root, "generate_assignment", "ps1")
    return course.root


@pytest.fixture
def released(generated, tmp_path):
    """A course of one's own with that release."""
    return open_course(shutil.copytree(generated, tmp_path / "course"))


# What takes longest: begun at the end, each would leave the other process without work.
FIRST = (
    "test_golden.py",
    "test_filters.py",
    "test_stock_autograde.py",
    "test_attacks.py",
    "test_labextension.py",
    "test_release.py",
    "test_sitting.py",
    "test_cli.py",
    "test_crashes.py",
    "test_scenarios.py",
    "test_levels.py",
    "test_preprocessors.py",
    "test_stock_release.py",
    "test_databases.py",
    "test_pages_in_browser.py",
    "test_pipelines.py",
    "test_honest.py",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Begin with the files that take longest."""
    place = {name: number for number, name in enumerate(FIRST)}
    items.sort(key=lambda item: place.get(item.path.name, len(FIRST)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """In CI nothing is skipped: a part that is missing there is a failure."""
    report = yield
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, which CI does not allow: {report.longrepr}"
    return report
