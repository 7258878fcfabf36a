"""Whatever is killed at whatever moment, and when the disk is full: starting again finishes the batch."""

import io
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import crashes
import pytest


def test_killed_at_random_moments_grading_loses_and_doubles_nothing(tmp_path):
    """A few times here; `python tests/crashes.py` does it for hours, and writes a log."""
    course, expected = crashes.make_class(tmp_path, 6)
    log = io.StringIO()
    seed = int(time.time())
    faults = crashes.repeat(course, expected, 3, seed, log)
    assert faults == 0, f"seed {seed}\n{log.getvalue()}"


FULL = """
import os, shutil, subprocess, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import crashes
place = Path(sys.argv[2])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m,mode=755", "none", place], check=True)
course, expected = crashes.make_class(place, 6)
command = [sys.executable, "-m", "fairmark.cli", "grade", "ps1", "--workers", "1"]

def grade(*more):
    done = subprocess.run([*command, *more], cwd=place, capture_output=True, text=True)
    print(done.returncode, done.stdout[-3000:], done.stderr[-3000:])
    return done

def fill(left):
    with (place / "filler").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(2000))
        except OSError:
            pass
    os.truncate(place / "filler", max(0, (place / "filler").stat().st_size - left))

assert grade("--student", "student000").returncode == 0
for left in (0, 60_000, 110_000):
    fill(left)
    done = grade("--force")
    (place / "filler").unlink()
    assert done.returncode in ((1,) if left < 60_000 else (0, 1)), (left, done.returncode)
    found = crashes.find_faults(course, expected, finished=False)
    assert not found, (left, found)
assert grade().returncode == 0
found = crashes.find_faults(course, expected, finished=True)
assert not found, found
print("finished")
"""


def test_a_full_disk_replaces_nothing_whole_and_starting_again_finishes(tmp_path):
    """It is told as our failure; what was there stays, and nobody's marks change."""
    if not shutil.which("unshare"):
        pytest.skip("unshare is missing: it is part of util-linux")
    alone = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    place = tmp_path / "small"
    place.mkdir()
    command = [*alone, sys.executable, "-c", FULL, str(Path(__file__).parent), str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("finished\n")
