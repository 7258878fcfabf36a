"""Makes the pipelines' files: who runs what, and where."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from string import Template
from typing import TYPE_CHECKING, Literal

from fairmark.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Forge = Literal["github", "gitlab"]
Role = Literal["course", "instructor", "student"]
_PLACES: dict[tuple[Forge, Role], str] = {
    ("github", "course"): ".github/workflows/prove.yml",
    ("github", "instructor"): ".github/workflows/grade.yml",
    ("github", "student"): ".github/workflows/visible-tests.yml",
    ("gitlab", "course"): ".gitlab/prove.yml",
    ("gitlab", "instructor"): ".gitlab/grade.yml",
    ("gitlab", "student"): ".gitlab-ci.yml",
}
_GITLAB_INDEX = "include:\n  - local: .gitlab/prove.yml\n  - local: .gitlab/grade.yml\n"


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One file: `place` counts from the repository's root."""

    place: str
    text: str


def make_pipelines(
    forge: Forge, role: Role, assignments: Sequence[str] = (), *, package: str = "fairmark"
) -> tuple[Pipeline, ...]:
    """Return the files of a role.

    Parameters
    ----------
    forge : {'github', 'gitlab'}
    role : {'course', 'instructor', 'student'}
        ``course`` proves the release whenever it changes; ``instructor`` collects, grades and posts, by a
        timer or by hand; ``student`` runs the visible tests.
    assignments : sequence of str
        What is released and graded.
    package : str
        What pip is to install.
    """
    template = (resources.files("fairmark.pipelines") / "templates" / f"{forge}-{role}.yml").read_text(
        "utf-8"
    )
    names = " ".join(assignments)
    text = _Yaml(template).substitute(assignments=names, first=next(iter(assignments), ""), package=package)
    files = [Pipeline(_PLACES[forge, role], text)]
    if forge == "gitlab" and role != "student":
        files.append(Pipeline(".gitlab-ci.yml", _GITLAB_INDEX))
    return tuple(files)


class _Yaml(Template):
    """Leaves the dollar signs of shells and forges alone."""

    delimiter = "%%"


def write_pipelines(
    folder: Path, role: Role, files: Sequence[Pipeline], *, force: bool = False
) -> tuple[Path, ...]:
    """Write a role's files into a repository that it belongs into.

    Raises
    ------
    UsageError
        Where the repository is the wrong one, or a file is there already and differs.
    """
    has_sources = any((folder / "source").glob("*/*.ipynb"))
    if role == "student" and (has_sources or (folder / "autograder").exists()):
        raise UsageError(
            f"{folder} is the course's own repository: the students' pipeline belongs into theirs (--folder)."
        )
    if role != "student" and not has_sources:
        raise UsageError(
            f"{folder} has no source notebooks, so it may be a repository that students control. Grading "
            "there would hand them the hidden tests: the pipeline that grades belongs into the course's own "
            "repository."
        )
    there = [
        folder / file.place
        for file in files
        if (folder / file.place).exists() and (folder / file.place).read_text("utf-8") != file.text
    ]
    if there and not force:
        raise UsageError(f"{', '.join(map(str, there))} is there already and differs; --force replaces it.")
    written = []
    for file in files:
        path = folder / file.place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text, encoding="utf-8")
        written.append(path)
    return tuple(written)
