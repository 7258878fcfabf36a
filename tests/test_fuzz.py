"""Readers of hostile data withstand what fuzzing has found, and a little more of it."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from fairmark import quiz
from tests.fuzz.targets import TARGETS, mutate_json

ROOT = Path(__file__).parent.parent
CORPUS = ROOT / "tests" / "fuzz" / "corpus"
RUNS = {"wire": 5_000, "answer": 200, "author": 200, "notebook": 60}


@pytest.mark.parametrize("target", TARGETS)
def test_the_corpus_does_no_harm(target):
    """All that was ever found, and the seeds, keep what the target states."""
    files = sorted((CORPUS / target).iterdir())
    assert files
    for file in files:
        TARGETS[target](file.read_bytes())


@pytest.mark.parametrize("target", TARGETS)
def test_a_short_search_finds_nothing(target, tmp_path):
    """Coverage leads the search; `make fuzz` searches longer."""
    pytest.importorskip("atheris")
    words = [sys.executable, "-m", "tests.fuzz", target, f"-runs={RUNS[target]}", "-seed=1"]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    assert f"Done {RUNS[target]} runs" in done.stderr


def test_a_reader_that_lies_is_found_out(monkeypatch):
    """The targets state something: a mark beyond the points does not pass."""
    right = quiz.mark
    monkeypatch.setattr(quiz, "mark", lambda *given: replace(right(*given), score=7.0))
    with pytest.raises(AssertionError, match="points"):
        TARGETS["answer"]((CORPUS / "answer" / "one").read_bytes())


def test_mutations_change_json_and_keep_it_json():
    """The tree is changed in one place, so that a search gets past the parser."""
    seed = (CORPUS / "notebook" / "released").read_bytes()
    changed = [mutate_json(seed, 16_384, number, lambda data, _: data) for number in range(50)]
    assert len(set(changed)) > 40
    assert all(each.startswith(b"{") for each in changed)
