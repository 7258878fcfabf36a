"""Writes the map of the course from its notebooks: ``python -m autograder.course_map`` makes it anew."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat

from fairmark import quiz

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbformat import NotebookNode

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "course.md"

# The order in which the assignments build on each other, and why.
ORDER = {
    "research_software": "what good research software is; no programming needed",
    "environments": "builds on the part on environments of the first one",
    "pull_request": "builds on its part on git",
    "images": "the first one with code; numpy alone",
    "filters": "builds on arrays and dtypes",
    "segmentation": "builds on images, and on the idea of a blur",
}
_KINDS = {
    "one": "one answer",
    "any": "several answers",
    "number": "number",
    "text": "short text",
    "command": "command",
    "match": "matching",
    "order": "ordering",
}
_GOALS = re.compile(
    r"(?:what you will be able to do|after this notebook you can)[ *]*\n+((?:\* .*\n?)+)", re.IGNORECASE
)
_TIME = re.compile(r"\*\*Time[.:]\*\* (?:About|about) (.*?)\.")
_DEFINED = re.compile(r"^def (\w+)\(", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a notebook as the map shows it: nothing of its key."""

    title: str
    kind: str
    points: float
    variants: int
    has_picture: bool
    explanation: str


@dataclass(frozen=True, slots=True)
class Notebook:
    """What a notebook teaches and asks."""

    assignment: str
    name: str
    title: str
    goals: tuple[str, ...]
    time: str
    points: float
    functions: tuple[str, ...]
    questions: tuple[Question, ...]


def read_notebook(path: Path) -> Notebook:
    """Read one of the course's source notebooks."""
    cells = nbformat.read(path, as_version=4).cells
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    goals = _GOALS.search(text)
    time = _TIME.search(text)
    graded = [cell.metadata.nbgrader for cell in cells if cell.metadata.get("nbgrader", {}).get("grade")]
    written = [
        name
        for cell in cells
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("solution")
        for name in _DEFINED.findall(cell.source.partition("### BEGIN SOLUTION")[0])
    ]
    tested = "\n".join(
        cell.source for cell in cells if cell.cell_type == "code" and "nbgrader" in cell.metadata
    )
    return Notebook(
        assignment=path.parent.name,
        name=path.stem,
        title=re.findall(r"^# (.*)", text, re.MULTILINE)[0],
        goals=tuple(goals[1].strip().removeprefix("* ").split("\n* ")) if goals else (),
        time=time[1] if time else "",
        points=sum(each["points"] for each in graded),
        functions=tuple(name for name in dict.fromkeys(written) if f"grade({name})" in tested),
        questions=tuple(_read_questions(cells)),
    )


def _read_questions(cells: list[NotebookNode]) -> Iterator[Question]:
    for cell in cells:
        if quiz.is_question(cell.cell_type, cell.source, cell.metadata):
            settings = cell.metadata.nbgrader
            read = quiz.read_question(
                cell.source,
                id=settings.grade_id,
                points=settings.points,
                settings=cell.metadata.get("fairmark"),
            )
            yield Question(
                title=read.title,
                kind=read.kind,
                points=settings.points,
                variants=len(read.all_variants),
                has_picture="![" in cell.source,
                explanation=" ".join(variant.explanation for variant in read.all_variants),
            )


def read_course() -> tuple[Notebook, ...]:
    """Read all notebooks in the order of the course."""
    paths = sorted((ROOT / "source").glob("*/*.ipynb"), key=lambda path: (*_place(path), path.name))
    return tuple(read_notebook(path) for path in paths)


def _place(path: Path) -> tuple[int, str]:
    names = list(ORDER)
    name = path.parent.name
    return (names.index(name) if name in names else len(names)), name


def write_map(notebooks: tuple[Notebook, ...]) -> str:
    """Return the page."""
    questions = [question for notebook in notebooks for question in notebook.questions]
    kinds = Counter(question.kind for question in questions)
    functions = sum(len(notebook.functions) for notebook in notebooks)
    size = (
        f"{len(notebooks)} notebooks with {len(questions)} questions "
        f"({sum(question.has_picture for question in questions)} with a picture, "
        f"{sum(question.variants > 1 for question in questions)} with variants) and {functions} functions "
        "with hidden tests."
    )
    lines = [
        "# The course at a glance",
        "",
        "This page is made from the notebooks by `python -m autograder.course_map`; do not edit it.",
        "",
        size,
        "",
        "| order | assignment | why here | notebooks | points |",
        "|---|---|---|---|---|",
    ]
    for number, (name, why) in enumerate(ORDER.items(), 1):
        mine = [notebook for notebook in notebooks if notebook.assignment == name]
        if mine:
            points = sum(notebook.points for notebook in mine)
            links = ", ".join(f"[{notebook.name}](#{_anchor(notebook)})" for notebook in mine)
            lines.append(f"| {number} | `{name}` | {why} | {links} | {points:g} |")
    lines += ["", "Questions by kind: " + ", ".join(f"{_KINDS[kind]} {kinds[kind]}" for kind in _KINDS) + "."]
    for notebook in notebooks:
        lines += ["", *_write_notebook(notebook)]
    return "\n".join(lines) + "\n"


def _heading(notebook: Notebook) -> str:
    return f"{notebook.assignment} / {notebook.name}"


def _anchor(notebook: Notebook) -> str:
    return _heading(notebook).replace(" / ", "--")


def _write_notebook(notebook: Notebook) -> Iterator[str]:
    yield f"## {_heading(notebook)}"
    yield ""
    yield f"*{notebook.title}.* About {notebook.time}, {notebook.points:g} points."
    yield ""
    yield "Afterwards, students can"
    yield ""
    for goal in notebook.goals:
        yield f"* {goal}"
    if notebook.functions:
        yield ""
        yield "Functions with hidden tests: " + ", ".join(f"`{name}`" for name in notebook.functions) + "."
    if notebook.questions:
        yield ""
        yield "| question | kind | points |"
        yield "|---|---|---|"
        for question in notebook.questions:
            title = question.title.replace("|", "\\|")
            extra = ", with a picture" if question.has_picture else ""
            extra += f", {question.variants} variants" if question.variants > 1 else ""
            yield f"| {title} | {_KINDS[question.kind]}{extra} | {question.points:g} |"


if __name__ == "__main__":
    PAGE.write_text(write_map(read_course()), encoding="utf-8")
