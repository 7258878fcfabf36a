"""Rooms' shell makes of each cell what IPython makes of it."""

import json
from pathlib import Path

import pytest
from IPython.core.inputtransformer2 import TokenTransformBase, TransformerManager

from fairmark.rooms.shell import Shell

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def ours():
    """Return what makes Python of cells in rooms."""
    return Shell.input_transformer_manager.make_dynamic_default()


def read_cells():
    """Yield the text of all code cells of the course and of the honest hand-ins."""
    for folder in ("source", "tests/honest"):
        for path in sorted((ROOT / folder).rglob("*.ipynb")):
            for cell in json.loads(path.read_text("utf-8-sig")).get("cells", ()):
                if cell["cell_type"] == "code":
                    yield "".join(cell["source"])


def test_all_cells_of_the_course_are_read_as_ipython_reads_them(ours):
    """Whether they are plain Python or not."""
    theirs = TransformerManager()
    cells = list(read_cells())
    assert len(cells) > 100
    assert [ours.transform_cell(cell) for cell in cells] == [theirs.transform_cell(cell) for cell in cells]


@pytest.mark.parametrize(
    "cell",
    [
        "",
        "\n\n  x = 1\n  y = 2",
        "x = 7\n%timeit x",
        "%%time\nx = 1",
        "files = !ls\nlen(files)",
        "x = %who_ls",
        "?print",
        "print?",
        "print('what?')\nprint??",
        ">>> x = 1\n... y = 2",
        "x = 1\n...\ny = 2",
        "In [1]: x = 1",
        "x = (17\n% 5)",
        "x = 17 \\\n% 5",
        "'''\n   \n%time\n'''",
        'f"{x!r:%}"',
        "await thing()",
        "x = '\\d'",
        "x = (1",
        "x = '\0'",
        "!echo hi",
        "/print 1",
        ",print a b",
    ],
)
def test_odd_cells_are_read_as_ipython_reads_them(ours, cell):
    """Magics, shell commands, help, prompts, and Python that looks like one of these."""
    assert ours.transform_cell(cell) == TransformerManager().transform_cell(cell)


def test_syntax_that_a_cell_adds_is_looked_for(ours, monkeypatch):
    """Extensions may bring their own, which is valid Python besides."""

    class Shout(TokenTransformBase):
        @classmethod
        def find(cls, tokens_by_line):
            found = (token for line in tokens_by_line for token in line if token.string == "shout")
            return next((cls(token.start) for token in found), None)

        def transform(self, lines):
            return [line.replace("shout", "SHOUT") for line in lines]

    monkeypatch.setattr(ours, "token_transformers", [*ours.token_transformers, Shout])
    assert ours.transform_cell("shout(1)") == "SHOUT(1)\n"
