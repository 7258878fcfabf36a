"""Reads the attacks: one folder each, whose ``attack.toml`` tells what is handed in and what *defeated* means.

::

    family = "comparison"
    tries = "Returns an object that equals everything."
    start = "blank"                 # or "reference": what the other answers hold
    student = "…"                   # only where the student's name is the attack

    code = "..."                    # the first answer; all other code answers are left empty

    [answers]                       # by grade_id, as in the recipes of tests/class
    mean = '''def mean(numbers): ...'''

    [[acts]]                        # what was done to cells and files: as in the recipes, too
    act = "insert"
    text = "..."

    [files]                         # laid beside the notebook, or in its place
    "numpy.py" = "..."
    "exam.ipynb" = { link = "../../../source/ps1/exam.ipynb" }

    [notebook]                      # merged into the notebook's JSON
    nbformat_minor = 99

    [defeated]
    scores = { "*" = "full", mean-test = 0 }    # the last pattern that fits counts; by default all are 0
    tells = { mean-test = "stopped after" }     # a part of what the student is told
    notes = ["is a link"]
    status = "timeout"
    hides = ["SEEN"]                            # what may not be on the student's pages

Always asked for, whatever the file says: honest students before and after it keep their full marks, no canary
is in what students get or on the listening sockets, nothing outside of the grader's own folders is new or
changed, no process, socket or file is left, no page holds anything that runs, and none is enormous.

``@COURSE@`` in the text stands for the course's folder, ``@LEFT@`` for a name that nothing may bear afterwards,
``@PORT@`` and ``@SOCKET@`` for places where somebody listens whom nothing may reach.
"""

from __future__ import annotations

import json
import os
import tomllib
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat

from fairmark.simulation import ACTS, Act, Recipe

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path(__file__).parent
_TARGETS = {
    "cell": ("cell", ""),
    "notebook": ("notebook", "*"),
    "file": ("notebook", "*"),
    "folder": ("assignment", "*"),
}
_SAVED = {"version", "minor", "mark", "crlf", "same_ids"}
_WORDS = {
    "about",
    "deserves",
    "saved",
    "family",
    "tries",
    "start",
    "student",
    "code",
    "answers",
    "unanswered",
    "acts",
    "files",
    "notebook",
    "defeated",
}
_CODE = ("mean", "normalise", "total", "stack", "count", "record", "triple")
_DEFEATED = {"scores", "tells", "notes", "status", "hides"}


@dataclass(frozen=True, slots=True)
class Attack:
    """One hostile hand-in.

    Parameters
    ----------
    name : str
        Of its folder.
    family, tries : str
        What kind of attack it is, and in one sentence what it does.
    recipe : Recipe
        What is handed in; its student's name begins with a number, which keeps the order.
    files : mapping of str to object
        What is laid beside the notebook afterwards.
    notebook : mapping
        What is merged into the notebook's JSON.
    saved : mapping
        How the notebook's file was written: format, byte-order mark, line ends, cell ids.
    scores : mapping of str to float or "full"
        By patterns of `grade_id`.
    tells : mapping of str to str
    notes : tuple of str
    status : str
    hides : tuple of str
        What may not be on the student's pages.
    """

    name: str
    family: str
    tries: str
    recipe: Recipe
    files: dict[str, Any] = field(default_factory=dict)
    notebook: dict[str, Any] = field(default_factory=dict)
    saved: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, Any] = field(default_factory=dict)
    tells: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    status: str = ""
    hides: tuple[str, ...] = ()

    @property
    def student(self) -> str:
        """Who hands it in."""
        return self.recipe.student

    def wanted(self, grade_id: str, points: float) -> float | None:
        """Return the points that a cell has to have; None where that is left open."""
        fitting = [value for pattern, value in self.scores.items() if fnmatchcase(grade_id, pattern)]
        if not fitting or fitting[-1] == "any":
            return None
        return points if fitting[-1] == "full" else float(fitting[-1])


def find_attacks(
    patterns: tuple[str, ...] = ("*",), folder: Path = FOLDER, file: str = "attack.toml"
) -> list[Path]:
    """Return the folders of the attacks whose name or family fits one of the patterns, sorted by name."""
    found = []
    for path in sorted(folder.glob(f"*/{file}")):
        names = (path.parent.name, read_family(path))
        if any(fnmatchcase(name, pattern) for pattern in patterns for name in names):
            found.append(path)
    return found


def read_family(path: Path) -> str:
    """Return the family that an attack says it is of."""
    return str(tomllib.loads(path.read_text(encoding="utf-8"))["family"])


def read_attack(path: Path, number: int, places: dict[str, str]) -> Attack:
    """Read one attack.

    Parameters
    ----------
    path : Path
        Its ``attack.toml``.
    number : int
        Its place in the batch.
    places : dict of str to str
        What the words between at signs stand for.

    Raises
    ------
    ValueError
        Where it holds a word that is none.
    """
    text = path.read_text(encoding="utf-8")
    for word, meaning in places.items():
        text = text.replace(f"@{word}@", meaning)
    document = tomllib.loads(text)
    document["tries"] = document.get("tries") or document.pop("about", "")
    defeated = document.get("defeated") or document.get("deserves", {})
    unknown = sorted(
        (document.keys() - _WORDS)
        | (defeated.keys() - _DEFEATED)
        | (document.get("saved", {}).keys() - _SAVED)
    )
    if unknown or not document.get("family") or not document.get("tries"):
        raise ValueError(f"{path}: unknown or missing words: {', '.join(unknown) or 'family, tries'}")
    start = document.get("start", "blank")
    name = path.parent.name
    answers = document.get("answers", {})
    if "code" in document:
        answers = dict.fromkeys(_CODE, "# nothing") | {"mean": document["code"]} | answers
    recipe = Recipe(
        student=document.get("student") or f"{number:04}-{name}",
        about=document["tries"],
        file=str(path),
        start=start,
        answers=answers,
        unanswered=tuple(document.get("unanswered", ())),
        acts=tuple(_read_act(entries) for entries in document.get("acts", ())),
    )
    return Attack(
        name=name,
        family=document["family"],
        tries=document["tries"],
        recipe=recipe,
        files=document.get("files", {}),
        notebook=document.get("notebook", {}),
        saved=document.get("saved", {}),
        scores=defeated.get("scores", {"*": 0} if start == "blank" else {"*": "full"}),
        tells=defeated.get("tells", {}),
        notes=tuple(defeated.get("notes", ())),
        status=defeated.get("status", ""),
        hides=tuple(defeated.get("hides", ())),
    )


def _read_act(entries: dict[str, Any]) -> Act:
    options = dict(entries)
    name = options.pop("act")
    key, everything = _TARGETS[ACTS[name][1]]
    return Act(name, options.pop(key, everything), options)


def finish(attack: Attack, folder: Path) -> None:
    """Do to a student's folder what recipes have no words for."""
    path = folder / "exam.ipynb"
    if attack.notebook:
        node = json.loads(path.read_text(encoding="utf-8"))
        _merge(node, attack.notebook)
        path.write_text(json.dumps(node), encoding="utf-8")
    if attack.saved:
        _save(path, **attack.saved)
    for name, what in attack.files.items():
        _lay(folder / name, what)


def _save(  # noqa: PLR0913 - what editors differ in
    path: Path,
    *,
    version: int = 4,
    minor: int = 5,
    mark: bool = False,
    crlf: bool = False,
    same_ids: bool = False,
) -> None:
    """Write a notebook as another editor does."""
    node = nbformat.read(path, as_version=4)
    if version == 3:
        node = nbformat.convert(node, 3)
    else:
        node["nbformat_minor"] = minor
        for cell in node["cells"]:
            if minor < 5:
                cell.pop("id", None)
            elif same_ids:
                cell["id"] = "same"
    text = json.dumps(nbformat.versions[version].rwbase.split_lines(node), indent=1 if not crlf else 4)
    text = text.replace("\n", "\r\n") if crlf else text
    path.write_bytes(text.encode("utf-8-sig" if mark else "utf-8"))


def _merge(old: dict[str, Any], new: dict[str, Any]) -> None:
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(old.get(key), dict):
            _merge(old[key], value)
        else:
            old[key] = value


def _lay(path: Path, what: str | dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_file() or path.is_symlink():
        path.unlink()
    if isinstance(what, str):
        path.write_text(what, encoding="utf-8")
        return
    kind = next(iter(what))
    _MAKERS[kind](path, **what)


def _write_text(  # noqa: PLR0913 - what texts are made of
    path: Path, text: str, *, times: int = 1, before: str = "", after: str = "", encoding: str = "utf-8"
) -> None:
    path.write_text(before + text * times + after, encoding=encoding)


def _write_numbered(path: Path, numbered: int, text: str) -> None:
    path.mkdir()
    for number in range(numbered):
        (path / f"{number}.txt").write_text(text)


def _write_deep(path: Path, deep: int) -> None:
    path = path.joinpath(*["d"] * deep)
    path.mkdir(parents=True)
    (path / "end.txt").write_text("x")


_MAKERS: dict[str, Callable[..., Any]] = {
    "link": lambda path, link: path.symlink_to(link),
    "hard": lambda path, hard: os.link(hard, path),
    "pipe": lambda path, pipe: os.mkfifo(path) if pipe else None,
    "folder": lambda path, folder: path.mkdir() if folder else None,
    "hex": lambda path, hex, times=1: path.write_bytes(bytes.fromhex(hex) * times),  # noqa: A006
    "size": lambda path, size: (path.touch(), os.truncate(path, size)),
    "text": _write_text,
    "numbered": _write_numbered,
    "deep": _write_deep,
}
