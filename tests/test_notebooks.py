"""The course's notebooks are clean, run in a real kernel, and open in a real JupyterLab."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbgrader.nbgraderformat import MetadataValidator

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "source").glob("*/*.ipynb"))
RELEASES = sorted((ROOT / "release").glob("*/*.ipynb"))


def name(path):
    return str(path.relative_to(ROOT))


def own_sockets(folder):
    """Return options that let a kernel talk over files: a port may be taken before the kernel takes it."""
    return ["--KernelManager.transport=ipc", f"--KernelManager.ip={folder / 'kernel'}"]


def copy_assignment(path, folder):
    """Return the notebook in a copy of its folder: its cells may write files beside it."""
    shutil.copytree(path.parent, folder / path.parent.name)
    return folder / path.parent.name / path.name


@pytest.mark.parametrize("path", SOURCES + RELEASES, ids=name)
def test_notebooks_are_valid_and_carry_no_outputs(path):
    """For nbformat and for nbgrader; nothing was run before it was committed."""
    node = nbformat.read(path, as_version=4)
    nbformat.validate(node)
    MetadataValidator().validate_nb(node)
    code = [cell for cell in node.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)


@pytest.mark.parametrize("path", RELEASES, ids=name)
def test_the_release_gives_nothing_away(path):
    """No key, no solution, no hidden test, no explanation, in no part of the file."""
    text = path.read_text()
    for word in ("HIDDEN TESTS", "BEGIN SOLUTION", "autograder"):
        assert word not in text
    source = nbformat.read(ROOT / "source" / path.parent.name / path.name, as_version=4)
    release = nbformat.read(path, as_version=4)
    for full, blank in zip(source.cells, release.cells, strict=True):
        if full.metadata.get("nbgrader", {}).get("grade") and full.cell_type == "markdown":
            assert "[x]" not in blank.source
            assert "\nOr:" not in blank.source
            quotes = [line.strip(" >") for line in full.source.split("\n") if line.lstrip().startswith("> ")]
            assert not [quote for quote in quotes if len(quote) > 20 and json.dumps(quote)[1:-1] in text]


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_the_reference_runs_from_top_to_bottom_in_a_kernel(path, tmp_path):
    """With stock Jupyter, as an instructor runs it: every test passes, every number of points is the whole."""
    path = copy_assignment(path, tmp_path)
    command = [
        sys.executable,
        "-m",
        "jupyter",
        "nbconvert",
        "--to",
        "notebook",
        "--execute",
        "--output-dir",
        str(tmp_path),
        *own_sockets(tmp_path),
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*command, str(path)], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for cell in nbformat.read(tmp_path / path.name, as_version=4).cells:
        settings = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "code" and settings.get("grade"):
            results = [output for output in cell.outputs if output.output_type == "execute_result"]
            assert all(float(output.data["text/plain"]) == settings["points"] for output in results)


@pytest.mark.parametrize("path", RELEASES, ids=name)
def test_a_blank_release_runs_as_far_as_it_can(path, tmp_path):
    """Only cells that need an answer raise, and nothing but that it is missing."""
    path = copy_assignment(path, tmp_path)
    command = [
        sys.executable,
        "-m",
        "jupyter",
        "nbconvert",
        "--to",
        "notebook",
        "--execute",
        "--allow-errors",
        *own_sockets(tmp_path),
    ]
    done = subprocess.run(
        [*command, "--output-dir", str(tmp_path), str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for cell in nbformat.read(tmp_path / path.name, as_version=4).cells:
        for output in cell.get("outputs", ()):
            if output.output_type == "error":
                assert output.ename == "NotImplementedError", cell.source
