"""Repositories that are right and wrong: what is well is passed, and what is not is told with what to do."""

import json
from dataclasses import replace

import pytest
from identify.vendor.licenses import LICENSES

from fairmark.quality import HABITS, Blob, Checklist, Commit, Snapshot, snapshot_of_folder
from fairmark.quality.habits import (
    documents_dependencies,
    has_citation,
    has_licence,
    has_no_generated_files,
    has_no_large_files,
    has_readme,
    writes_telling_messages,
)

TEXTS = dict(LICENSES)
CITATION = """cff-version: 1.2.0
message: Please cite this software.
title: Spots
version: 1.0
date-released: 2026-03-01
authors:
  - family-names: Lovelace
    given-names: Ada
    orcid: https://orcid.org/0000-0002-1825-0097
"""
README = """# Spots

Counts spots in images.

## Installation

Type `pip install spots` in a terminal.

## Usage

### From Python

`spots.count(image)` returns a number.
"""


def repository(files, commits=None):
    """Return a snapshot of these files."""
    blobs = [
        Blob(path, len(text.encode()), text.encode()) if isinstance(text, str) else Blob(path, text)
        for path, text in files.items()
    ]
    return Snapshot(tuple(blobs), commits)


GOOD = {
    "LICENSE": TEXTS["MIT"].replace("[year]", "2026").replace("[fullname]", "Ada Lovelace"),
    "CITATION.cff": CITATION,
    "README.md": README,
    "requirements.txt": "numpy\nscikit-image<0.27\n",
    "spots/count.py": "import os\nimport numpy as np\nfrom skimage import filters\nfrom spots import more\nfrom . import x\n",
    "spots/more.py": "",
    ".gitignore": "__pycache__/\n",
}
COMMITS = (
    Commit("c" * 40, "Count touching spots as two\n\nA watershed parts them."),
    Commit("b" * 40, "Merge branch 'main'", merges=True),
    Commit("a" * 40, "Initial commit"),
)
ALL = Checklist("Your repository", dict.fromkeys(HABITS, 1))


def test_a_good_repository_gets_everything():
    """And the report is about a repository."""
    report = ALL.grade(repository(GOOD, COMMITS))
    assert [check.message for check in report.checks if check.status != "passed"] == []
    assert (report.score, report.max_score, report.kind) == (7, 7, "git")


def test_an_empty_repository_gets_nothing_for_what_is_not_there():
    """No file is no merit; that no large file was committed is true."""
    report = ALL.grade(repository({}, ()))
    passed = [name for name, check in zip(HABITS, report.checks, strict=True) if check.status == "passed"]
    assert passed == ["large_files", "generated_files"]
    assert all(check.message and (check.hint or check.status == "passed") for check in report.checks)


def test_points_and_options_are_the_authors():
    """Order, points, and what is asked for."""
    asked = Checklist("t", {"readme": 0.5, "licence": 2}, {"licence": {"allowed": ["Apache-2.0"]}})
    report = asked.grade(repository(GOOD))
    assert [(check.score, check.max_score) for check in report.checks] == [(0.5, 0.5), (0, 2)]
    assert report.checks[1].hint == "Asked for is Apache-2.0."
    for wrong in ({"points": {"licnce": 1}}, {"points": {}, "options": {"licnce": {}}}):
        with pytest.raises(ValueError, match="licnce; there are licence, citation"):
            Checklist("t", **wrong)


def test_what_cannot_be_seen_is_nobodys_fault():
    """Files that were not read, and a history that is not known, are marked for a person."""
    unread = dict.fromkeys(("LICENSE", "CITATION.cff", "README.md", "requirements.txt"), 10**6)
    report = ALL.grade(repository(unread))
    status = dict(zip(HABITS, (check.status for check in report.checks), strict=True))
    assert status == {
        "licence": "error",
        "citation": "error",
        "readme": "error",
        "dependencies": "error",
        "large_files": "passed",
        "generated_files": "passed",
        "messages": "error",
    }


# --- licence -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["LICENSE", "LICENCE.txt", "license.md", "COPYING", "LICENSES/MIT.txt", "LICENSE-MIT"]
)
def test_licences_are_found_by_their_usual_names(name):
    """And recognised whoever holds the rights."""
    assert has_licence(repository({name: GOOD["LICENSE"]})).message == "The licence is MIT."


@pytest.mark.parametrize(
    "spdx", ["BSD-3-Clause", "Apache-2.0", "GPL-3.0", "CC-BY-4.0", "MPL-2.0", "Unlicense"]
)
def test_known_licences_are_told_apart(spdx):
    """By their text alone, with other line breaks."""
    text = " ".join(TEXTS[spdx].split())
    verdict = has_licence(repository({"LICENSE": text}), [f"{spdx}-or-later", "none"])
    assert verdict.status == "pass", verdict
    assert spdx in verdict.message
    assert has_licence(repository({"LICENSE": text}), ["ISC"]).status == "fail"


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({}, "all rights are reserved"),
        ({"docs/LICENSE": GOOD["LICENSE"]}, "no file LICENSE at the top"),
        ({"LICENSE": ""}, "LICENSE is empty"),
        ({"LICENSE": "MIT"}, "not that of a licence that is known"),
        ({"LICENSE": "All rights reserved. Nobody may use this."}, "not that of a licence"),
        ({"LICENSE": GOOD["LICENSE"][:400]}, "not that of a licence"),
        ({"licensee.md": "x"}, "no file LICENSE"),
    ],
)
def test_what_is_no_licence_is_told(files, told):
    """The name alone is no licence."""
    verdict = has_licence(repository(files))
    assert verdict.status == "fail"
    assert told in verdict.message
    assert "choosealicense.com" in verdict.hint


def test_one_fitting_licence_of_several_is_enough():
    """As where text and code have their own."""
    files = {"LICENSE": GOOD["LICENSE"], "LICENSE-docs": TEXTS["CC-BY-4.0"], "COPYING": "?"}
    assert has_licence(repository(files), ["CC-BY-4.0"]).message == "The licence is CC-BY-4.0."
    assert has_licence(repository(files)).message == "The licence is CC-BY-4.0, MIT."
    assert "The licence is CC-BY-4.0, MIT" in has_licence(repository(files), ["ISC", "0BSD"]).message
    assert has_licence(repository(files), ["ISC", "0BSD"]).hint == "Asked for is ISC or 0BSD."


# --- citation ----------------------------------------------------------------------------------------------


def cite(text):
    return has_citation(repository({"CITATION.cff": text}))


def test_a_valid_citation_is_passed_with_its_title():
    """Dates and versions without quotes are texts."""
    assert cite(CITATION).message == "'Spots' can be cited."
    assert cite(CITATION).status == "pass"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (CITATION.replace("title: Spots\n", ""), "the file lacks title"),
        (CITATION.replace("title", "tittle"), "key that is not known: tittle"),
        (CITATION.replace("1.2.0", "1.1.0"), "cff-version cannot be '1.1.0'"),
        (CITATION.replace("2026-03-01", "1 March 2026"), "date-released cannot be '1 March 2026'"),
        ("cff-version: 1.2.0\nmessage: m\ntitle: t\nauthors: []", "authors is an empty list"),
        ("cff-version: 1.2.0\nmessage: m\ntitle: t\nauthors: Ada", "authors is not what belongs there"),
        (CITATION.replace("family-names", "surname"), "authors.0"),
        (CITATION.replace("0000-0002-1825-0097", "12"), "authors.0"),
        ("- a\n- b", "the file is not what belongs there"),
        ("", "the file is not what belongs there"),
        ("title: 'x", "not valid YAML"),
        ("a: &a [x]\nb: [*a, *a]", "line 1: anchors"),
        ("x: !!python/name:os.system", "line 1: tags"),
        ("a: 1\na: 2", "stands there twice"),
    ],
)
def test_faults_of_a_citation_are_told_with_their_place(text, told):
    """By the schema of the format; hostile YAML builds nothing."""
    verdict = cite(text)
    assert verdict.status == "fail"
    assert told in verdict.message
    assert verdict.hint


def test_a_citation_file_has_one_place_and_one_name():
    """Forges look at the top, for this writing."""
    assert "no CITATION.cff" in has_citation(repository({"docs/CITATION.cff": CITATION})).message
    assert "is called citation.cff" in has_citation(repository({"citation.cff": CITATION})).message


# --- README ------------------------------------------------------------------------------------------------

RST = """Spots
=====

Install
-------

Type pip install spots in a terminal.

How to use it
-------------

spots.count(image) returns a number.
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("README.md", README),
        (
            "readme.markdown",
            README.replace("## Usage", "## An example").replace("Installation", "Getting started"),
        ),
        ("README.rst", RST),
        ("README", README),
        ("README.md", README.replace("## Usage\n", "Usage\n-----\n")),
    ],
)
def test_readmes_of_several_kinds_are_read(name, text):
    """Headings in both writings of Markdown, and in reStructuredText; text below a smaller heading counts."""
    assert has_readme(repository({name: text})).status == "pass"


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({}, "no README at the top"),
        ({"docs/README.md": README}, "no README at the top"),
        ({"README.md": README.replace("## Usage", "## Authors")}, "no section on 'usage'"),
        ({"README.md": README.replace("## Installation", "## Authors")}, "no section on 'install'"),
        (
            {"README.md": README.replace("Type `pip install spots` in a terminal.", "TODO")},
            "'install' in README.md is empty",
        ),
        ({"README.md": "```\n## Installation\n## Usage\n```"}, "no section on 'install'"),
        ({"README.md": "Installation and usage are told elsewhere."}, "no section on 'install'"),
        ({"README.rst": RST.replace("-------------\n", "---\n")}, "no section on 'usage'"),
        (
            {"README.rst": RST.replace("spots.count(image) returns a number.\n", "")},
            "'usage' in README.rst is empty",
        ),
        ({"README.md": README.replace("## Usage", "## Because")}, "no section on 'usage'"),
    ],
)
def test_what_a_readme_lacks_is_told(files, told):
    """A heading in a piece of code, and a word inside of another one, is none."""
    verdict = has_readme(repository(files))
    assert verdict.status == "fail"
    assert told in verdict.message


def test_the_author_names_the_sections():
    """Each with the words that its heading may have."""
    sections = (("how to cite", "citing"),)
    assert "no section on 'how to cite'" in has_readme(repository(GOOD), sections).message
    text = "# Citing\nUse the DOI of the newest release."
    assert has_readme(repository({"README.md": text}), sections).status == "pass"


# --- dependencies ------------------------------------------------------------------------------------------

CODE = {
    "a.py": "import numpy\nimport skimage.filters\nfrom PIL import Image\nimport os.path, b\n",
    "src/b.py": "",
}
NOTEBOOK = json.dumps(
    {
        "cells": [
            {"cell_type": "markdown", "source": ["import nothing"]},
            {"cell_type": "code", "source": ["%matplotlib inline\n", "!pip list\n", "import pandas as pd"]},
        ]
    }
)


@pytest.mark.parametrize(
    "files",
    [
        {"requirements.txt": "numpy\nscikit_image\npillow"},
        {"environment.yml": "dependencies:\n- numpy=1.26\n- scikit-image>=0.20\n- pip:\n  - Pillow"},
        {
            "pyproject.toml": '[project]\nname="n"\nversion="1"\ndependencies=["numpy<3", "scikit-image", "pillow"]'
        },
        {
            "pyproject.toml": "[tool.ruff]\nline-length = 99",
            "requirements.txt": "numpy\nscikit-image\npillow",
        },
        {"pyproject.toml": "[tool.poetry.dependencies]\nnumpy = '*'"},
        {"setup.cfg": "[options]\ninstall_requires = numpy"},
    ],
)
def test_files_that_name_what_is_imported_are_passed(files):
    """Under the name that it is installed by; the standard library and own modules need no mention."""
    assert documents_dependencies(repository(CODE | files)).status == "pass"


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({}, "No file says what has to be installed"),
        ({"pyproject.toml": "[tool.ruff]"}, "No file says"),
        ({"docs/requirements.txt": "numpy"}, "No file says"),
        (
            {"requirements.txt": "numpy"},
            "The code imports PIL, skimage, and requirements.txt does not name it",
        ),
        ({"requirements.txt": "numpy\nskimage\npillow"}, None),
        ({"requirements.txt": "-r other.txt"}, "options such as -r"),
        ({"environment.yml": "name: x"}, "no list `dependencies:`"),
        (
            {"requirements.txt": "numpy\nscikit-image\npillow", "note.ipynb": NOTEBOOK},
            "The code imports pandas",
        ),
    ],
)
def test_what_is_not_named_is_told(files, told):
    """By its import name; code in notebooks counts, text does not."""
    verdict = documents_dependencies(repository(CODE | files))
    assert verdict.status == ("fail" if told else "pass")
    assert (told or "says what") in verdict.message


@pytest.mark.parametrize("broken", ["def f(:", "\0", "(" * 100_000, "é" * 10])
def test_code_that_cannot_be_parsed_does_no_harm(broken):
    """It is passed over: here the file of dependencies is judged."""
    files = {"a.py": broken, "b.ipynb": broken, "c.ipynb": "[]", "requirements.txt": "numpy"}
    assert documents_dependencies(repository(files)).status == "pass"


# --- files and messages ------------------------------------------------------------------------------------


def test_large_files_are_found_in_the_newest_commit_and_before():
    """What was deleted is still in the history."""
    assert has_no_large_files(repository({"a.tif": 1_000_000})).status == "pass"
    verdict = has_no_large_files(repository({"a.tif": 1_000_001, "b.py": "x"}))
    assert verdict.message == "Larger than 1 MB: a.tif (1 MB)."
    commit = replace(COMMITS[0], added=(Blob("raw.tif", 5_200_000), Blob("x", 1)))
    verdict = has_no_large_files(repository({}, (COMMITS[1], commit)))
    assert (verdict.status, "Commit ccccccc brought raw.tif (5.2 MB)" in verdict.message) == ("fail", True)
    assert has_no_large_files(repository({}, (commit,)), limit=6_000_000).status == "pass"
    assert has_no_large_files(repository({"a": 2_000}), limit=1_999).message == "Larger than 2 kB: a (2 kB)."


@pytest.mark.parametrize(
    "path",
    [
        *(
            "__pycache__/a.cpython-311.pyc",
            "src/__pycache__/a.txt",
            "a.pyc",
            ".ipynb_checkpoints/x.ipynb",
            ".DS_Store",
        ),
        *(
            "docs/.DS_Store",
            "spots.egg-info/PKG-INFO",
            ".venv/bin/python",
            "node_modules/x/y.js",
            "build/lib/a.py",
        ),
        *("dist/a.whl", ".env", "~$report.docx", "main.o", ".idea/x.xml", "notes.txt~"),
    ],
)
def test_generated_files_are_found(path):
    """At the top and below, with what to do."""
    verdict = has_no_generated_files(repository(GOOD | {path: "x"}))
    assert verdict.status == "fail"
    assert path in verdict.message
    assert ".gitignore" in verdict.hint


@pytest.mark.parametrize(
    "path",
    [
        "build.py",
        "docs/build/index.md",
        "src/dist/a.py",
        "environment.yml",
        "pycache.py",
        "a.py",
        "venv.md",
        "my.env",
    ],
)
def test_ordinary_files_are_not_taken_for_generated_ones(path):
    """The whole name decides."""
    assert has_no_generated_files(repository({path: "x"})).status == "pass"


@pytest.mark.parametrize(
    ("messages", "told"),
    [
        ([], "no commit of yours"),
        (["update"], "too short"),
        (
            ["Correct the scale bar", "changes made."],
            "Commit 1111111: The message 'changes made.' fits any commit",
        ),
        (["Work in progress", "my changes", "Count spots"], "(2 of 3 commits are like this.)"),
        (["Initial commit"], "fits any commit"),
        (["Initial commit", "Count spots twice"], "Commit 0000000"),
    ],
)
def test_messages_that_tell_nothing_are_told(messages, told):
    """By git's rules for messages; a forge's first commit is nobody's."""
    commits = tuple(Commit(str(number) * 40, text) for number, text in enumerate(messages))
    verdict = writes_telling_messages(Snapshot((), commits))
    assert verdict.status == "fail"
    assert told in verdict.message
    assert verdict.hint


def test_messages_are_judged_by_their_first_line_without_merges():
    """A merge's message is git's; a long body helps no poor first line."""
    good = writes_telling_messages(Snapshot((), COMMITS))
    assert good.message == "1 commit says what was changed."
    poor = Commit("d" * 40, "fix\n\nThe scale bar was twice as long as it should have been.")
    assert writes_telling_messages(Snapshot((), (poor,))).status == "fail"
    merge = Commit("e" * 40, "x", merges=True)
    two = Commit("f" * 40, "\nMeasure on the original image\n")
    assert (
        writes_telling_messages(Snapshot((), (merge, two, *COMMITS))).message
        == "2 commits say what was changed."
    )


# --- snapshots ---------------------------------------------------------------------------------------------


def test_a_snapshot_crosses_as_plain_data():
    """And is the same afterwards."""
    commit = replace(COMMITS[0], added=(Blob("a", 1, b"x"),))
    for snapshot in (repository(GOOD, (commit, COMMITS[1])), repository({"large": 10**7})):
        assert Snapshot.from_plain(snapshot.to_plain()) == snapshot


def test_a_folder_is_a_snapshot_without_commits(tmp_path):
    """Links and git's own folder are left out, large files are not read."""
    for path, text in GOOD.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("x")
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "large.bin").write_bytes(bytes(300_000))
    snapshot = snapshot_of_folder(tmp_path)
    assert {blob.path: blob.content for blob in snapshot.blobs} == {
        **{path: text.encode() for path, text in GOOD.items()},
        "large.bin": None,
    }
    assert snapshot.commits is None
    report = Checklist("t", dict.fromkeys(set(HABITS) - {"messages"}, 1)).grade(snapshot)
    assert report.score == 6
