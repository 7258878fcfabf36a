"""What is fuzzed: each target takes bytes, feeds them to a reader of hostile data, and states what must hold.

A target raises where fairmark does: an error that is not the reader's own, a mark outside its bounds, a round trip
that changes something. The bytes of `wire` and `notebook` are JSON where they are anything, so that a corpus can be
read and the mutator can work on the tree.
"""

from __future__ import annotations

import contextlib
import functools
import json
import sys
import tempfile
from pathlib import Path

import nbformat
import numpy as np

from fairmark import quiz
from fairmark.assembly import assemble, to_notebook
from fairmark.errors import AuthorError, Ungradable
from fairmark.intake import read_notebook
from fairmark.rooms.wire import WireError, pack_frame, unpack_head, unpack_value

sys.path.append(str(Path(__file__).parent.parent))

_PREFIX = 16  # bytes before the head of a frame
SOURCES = {
    "one": "**Which one?** Choose.\n\n- [ ] a $x$\n- [x] b `code`\n  > Why.\n- [ ] c\n\n> General.",
    "any": "Which?\n\n- [x] a\n- [x] b\n- [ ] c\n- [ ] none of these",
    "number": "How much?\n\nAnswer: 28.3 ± 0.1 px\n\nMind the unit.",
    "text": "Which mode?\n\nAnswer: reflect\nOr: mirror\n\n> See the lecture.",
    "command": "Push.\n\nAnswer: `git push origin main`\nOr: git push",
    "match": "Match.\n\nA. alpha\nB. beta\n\n| term | letter |\n|---|---|\n| a | A |\n| b | B |",
    "order": "Sort.\n\n1. init\n2. add\n   all\n3. commit\n4. push\n\nEnd.",
}
KINDS = tuple(SOURCES)


def wire(data: bytes) -> None:
    """Bytes from a student's room are plain data or a `WireError`; plain data crosses back unchanged."""
    head, _, body = data.partition(b"\n")
    try:
        _, tree = unpack_head(head)
        value = unpack_value(tree, body)
    except WireError:
        return
    frame = pack_frame(["again"], value)
    size = int.from_bytes(frame[4:8])
    _, tree = unpack_head(frame[_PREFIX : _PREFIX + size])
    again = unpack_value(tree, frame[_PREFIX + size :])
    if not _same(value, again):
        raise AssertionError(f"{value!r} came back as {again!r}")


def _same(left: object, right: object) -> bool:  # noqa: PLR0911 - one a type
    if type(left) is not type(right):
        return False
    if isinstance(left, np.ndarray | np.generic):
        return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(_same, left, right))
    if isinstance(left, dict):
        return _same(list(left.items()), list(right.items()))
    if isinstance(left, slice):
        return _same([left.start, left.stop, left.step], [right.start, right.stop, right.step])
    if isinstance(left, set | frozenset):
        return len(left) == len(right) and sorted(map(repr, left)) == sorted(map(repr, right))
    return repr(left) == repr(right)


@functools.cache
def _question(kind: str) -> quiz.Question:
    return quiz.read_question(SOURCES[kind], id="q", points=6, settings={"kind": kind})


def answer(data: bytes) -> None:
    """Whatever stands in a quiz cell: the mark is within its bounds, and the assembled cell says the same."""
    if not data:
        return
    question = _question(KINDS[data[0] % len(KINDS)])
    text = data[1:].decode("utf-8", "replace")
    mark = quiz.mark(question, quiz.read_answer(question, text))
    if not 0 <= mark.score <= mark.max_score == question.points:
        raise AssertionError(f"{mark.score} of {mark.max_score} points")
    assembled = quiz.assemble(question, text)
    if quiz.assemble(question, assembled) != assembled:
        raise AssertionError("assembling twice is not assembling once")
    again = quiz.mark(question, quiz.read_answer(question, assembled))
    if again.score != mark.score:
        raise AssertionError(f"{mark.score} points, and {again.score} when read from the assembled cell")
    quiz.explain(question, mark)


def author(data: bytes) -> None:
    """Whatever an author writes: a question or a list of faults, and a release that gives nothing away."""
    if not data:
        return
    kind = (*KINDS, None)[data[0] % (len(KINDS) + 1)]
    source = data[1:].decode("utf-8", "replace")
    settings = {"kind": kind} if kind else None
    blank = quiz.blank(source, id="q", settings=settings)
    if quiz.blank(blank, id="q", settings=settings) != blank:
        raise AssertionError("blanking twice is not blanking once")
    try:
        question = quiz.read_question(source, id="q", points=2, settings=settings)
    except AuthorError as error:
        if not error.faults:
            raise AssertionError("refused without a reason") from error
        return
    mark = quiz.mark(question, quiz.read_answer(question, question.released))
    if mark.answered and mark.score:
        raise AssertionError(f"the released question gives {mark.score} points")
    quiz.explain(question, mark)


@functools.cache
def _place() -> Path:
    return Path(tempfile.mkdtemp(prefix="fairmark-fuzz-")) / "numbers.ipynb"


@functools.cache
def instructor() -> object:
    """Return an instructor's notebook with a cell of each kind."""
    from courses import make_course  # noqa: PLC0415 - beside the tests

    from fairmark.authoring import read_assignment  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        (found,) = read_assignment(make_course(Path(folder)), "ps1").notebooks
    return found


def notebook(data: bytes) -> None:
    """Whatever is handed in: `Ungradable`, or each of the instructor's cells once, in order, in a valid notebook."""
    path = _place()
    path.write_bytes(data)
    source = instructor()
    try:
        assembled = assemble(source, read_notebook(path))
    except Ungradable:
        return
    ours = [cell.id for cell in source.released.cells]
    made = to_notebook(assembled)
    nbformat.validate(made)
    text = nbformat.writes(made)
    text.encode("utf-8")
    if [cell.id for cell in made.cells if cell.id in ours] != ours:
        raise AssertionError("the instructor's cells are not there once and in order")
    if to_notebook(assemble(source, made)) != made:
        raise AssertionError("assembling twice is not assembling once")


TARGETS = {each.__name__: each for each in (wire, answer, author, notebook)}


# --- mutation of JSON ----------------------------------------------------------------------------------------

_ATOMS = (
    None, True, False, 0, 1, -1, 2**31, 2**63, 1e308, "", "a", "\ud800", "\u202e", "code", "markdown", "raw",
    "mean", "mean-test", "colours", "why", "draw", "grade_id", "a", "n", "i", "c", "b", "d", "s", "z", "t", "l",
    ":", "...", "r", "f", "k", "<f8", "|b1", "<U7", "|S3", ">c16", "|O", "<M8", [], {}, [[]], "- [x] seven",
    {"nbgrader": {"grade_id": "colours"}}, {"nbgrader": []}, ["l", 1], ["a", "<f8", [1], 0, 8],
)  # fmt: skip


def mutate_json(data: bytes, max_size: int, seed: int, mutate_bytes: object) -> bytes:
    """Change one node of the JSON in the first line of `data`; other data is mutated as bytes."""
    import random  # noqa: PLC0415

    chance = random.Random(seed)
    head, newline, body = data.partition(b"\n") if data.startswith(b"[") else (data, b"", b"")
    try:
        tree = json.loads(head)
    except (ValueError, RecursionError):
        tree = None
    if tree is None or chance.random() < 0.1:
        return mutate_bytes(data, max_size)
    nodes = list(_containers(tree))
    if nodes:
        _change(chance, chance.choice(nodes))
    if body and chance.random() < 0.2:
        body = mutate_bytes(body, max(1, max_size - len(head) - 1))
    with contextlib.suppress(ValueError, RecursionError):
        made = json.dumps(tree).encode() + newline + body
        if len(made) <= max_size:
            return made
    return mutate_bytes(data, max_size)


def _containers(tree: object) -> list:
    found, waiting = [], [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list | dict):
            found.append(node)
            waiting += node.values() if isinstance(node, dict) else node
    return found


def _change(chance: object, node: list | dict) -> None:
    keys = list(node) if isinstance(node, dict) else list(range(len(node)))
    atom = json.loads(json.dumps(chance.choice(_ATOMS)))
    if not keys or chance.random() < 0.15:
        if isinstance(node, list):
            node.insert(chance.randint(0, len(node)), atom)
        else:
            node[str(chance.choice(_ATOMS))] = atom
        return
    key = chance.choice(keys)
    how = chance.random()
    if how < 0.5:
        node[key] = atom
    elif how < 0.65:
        del node[key]
    elif how < 0.8 and isinstance(node, list):
        node.insert(chance.randint(0, len(node)), json.loads(json.dumps(node[key])))
    elif isinstance(node[key], str):
        text = node[key]
        cut = chance.randint(0, len(text))
        node[key] = (
            text[:cut]
            + chance.choice(("\n", "x", "- [x] ", "`", "|", "\x00", "Answer: ", "\u2028"))
            + text[cut:]
        )
    else:
        other = chance.choice(keys)
        node[key], node[other] = node[other], node[key]
