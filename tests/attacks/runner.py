"""Grades attacks in a throw-away course, honest students between them, and says which were defeated."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fairmark.course import open_course
from fairmark.simulation import hand_in
from tests.attacks import doors, evidence
from tests.attacks.cases import Attack, finish, read_attack
from tests.attacks.exam import bystander, make_canaries, make_exam

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_BY_HAND = ("why", "draw")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one attack: nothing in `reasons` means that it was defeated."""

    attack: Attack
    reasons: tuple[str, ...]
    points: float

    @property
    def defeated(self) -> bool:
        """Tell whether everything that the attack's meaning of *defeated* asks for is so."""
        return not self.reasons


@dataclass(frozen=True, slots=True)
class Round:
    """What came of a batch of attacks.

    Parameters
    ----------
    door : str
    verdicts : tuple of Verdict
    bystanders : tuple of str
        What happened to honest students; nothing where all have full marks.
    harm : tuple of str
        What was left, changed or reached, and cannot be told to be one attack's.
    seconds : float
    """

    door: str
    verdicts: tuple[Verdict, ...]
    bystanders: tuple[str, ...]
    harm: tuple[str, ...]
    seconds: float
    log: str = ""

    @property
    def defeated(self) -> bool:
        """Tell whether every attack was defeated and nobody was harmed."""
        return all(verdict.defeated for verdict in self.verdicts) and not self.bystanders and not self.harm


class Stage:
    """A released course that copies are made of: making it costs more than grading it."""

    def __init__(self, folder: Path, *, seconds: int = 5, sandbox: str | None = None) -> None:
        self.folder = folder
        self.canaries = make_canaries()
        make_exam(folder / "exam", self.canaries, seconds=seconds, sandbox=sandbox)

    def play(
        self,
        door: doors.Door,
        paths: Sequence[Path],
        *,
        between: int = 5,
        workers: int = 2,
        keep: Path | None = None,
    ) -> Round:
        """Hand in attacks with an honest student before and after each few of them, grade, and look.

        Parameters
        ----------
        door : {'fairmark', 'nbgrader', 'stock'}
        paths : sequence of Path
            The attacks' files.
        between : int
            So many attacks lie between two honest students.
        workers : int
            Of ``fairmark grade``.
        keep : Path, optional
            Where the graded course is kept.
        """
        with _folder(keep) as folder:
            root = folder / "exam"
            shutil.copytree(self.folder / "exam", root, symlinks=True)
            (folder / "home").mkdir()
            (folder / "home" / "private.txt").write_text(self.canaries["PRIVATE"])
            places = {
                "COURSE": str(root),
                "HOME": str(folder / "home"),
                "LEFT": f"left-{self.canaries['HIDDEN'][-12:]}",
                "PORT": str(doors.free_port()),
                "SOCKET": f"door-{self.canaries['HIDDEN'][-12:]}",
            }
            attacks, honest = self._hand_in(root, paths, places, between)
            if door == "stock":
                config = root / "nbgrader_config.py"
                config.write_text(config.read_text().replace("fairmark.enable(c)", ""))
            before = evidence.fingerprint(root)
            run = doors.grade(
                door,
                root,
                places,
                {"FAIRMARK_CANARY": self.canaries["ENVIRONMENT"]},
                seconds=(60 if door != "stock" else 240) + 20 * len(attacks),
                workers=workers,
            )
            pages = doors.write_feedback(root) if door != "stock" else ""
            return self._look(door, root, attacks, honest, run, before, pages)

    def _hand_in(
        self, root: Path, paths: Sequence[Path], places: dict[str, str], between: int
    ) -> tuple[list[Attack], list[str]]:
        attacks, honest = [], [bystander(0, self.canaries)]
        for number, path in enumerate(paths, 1):
            attacks.append(read_attack(path, 10 * number, places))
            if number % between == 0 or number == len(paths):
                honest.append(bystander(10 * number + 5, self.canaries))
        hand_in(open_course(root), *honest, *(attack.recipe for attack in attacks))
        for attack in attacks:
            finish(attack, root / "submitted" / attack.student / "ps1")
        for one in honest:
            (root / "submitted" / one.student / "ps1" / "notes.txt").write_text(self.canaries["PEER"])
        return attacks, [one.student for one in honest]

    def _look(  # noqa: PLR0913, PLR0917 - all that there is to look at
        self,
        door: doors.Door,
        root: Path,
        attacks: list[Attack],
        honest: list[str],
        run: doors.Run,
        before: dict[str, str],
        pages: str,
    ) -> Round:
        ours = door != "stock"
        marks = evidence.read_marks(root)
        canaries = dict(self.canaries)
        secret = root / ".fairmark" / "secret"
        canaries["SECRET"] = secret.read_bytes().hex() if secret.exists() else canaries["SECRET"]
        usual = {
            what
            for student in honest
            for page in (root / "feedback" / student / "ps1").rglob("*.html")
            for what in evidence.what_runs(page)
        }
        verdicts = []
        for attack in attacks:
            mark = marks.get(attack.student)
            reasons = [
                *evidence.judge(attack, root, mark, ours=ours),
                *(
                    f"leaked: {leak}"
                    for leak in evidence.find_leaks(root, attack.student, _secrets_of(attack, canaries))
                ),
                *(
                    f"shows: {word}"
                    for word in attack.hides
                    if word in evidence.read_pages(root, attack.student)
                ),
                *(f"runs: {what}" for what in evidence.find_active(root, attack.student, usual)),
                *(f"is served: {what}" for what in evidence.find_served(root, attack.student) if ours),
            ]
            if ours:
                reasons += [f"is too large: {file}" for file in evidence.find_bulk(root, attack.student)]
            if ours and attack.family == "pages" and mark:
                controls = evidence.find_controls(root, attack.student, mark.given)
                reasons += [f"acts on the instructor's page: {what}" for what in controls]
            if ours and not list((root / "feedback" / attack.student / "ps1").glob("*.html")):
                reasons.append("there is no feedback page")
            verdicts.append(Verdict(attack, tuple(reasons), sum(mark.given.values()) if mark else 0.0))
        students = {attack.student for attack in attacks} | set(honest)
        harm = [
            *(f"still running: {process}" for process in run.processes),
            *(f"was reached: {guest}" for guest in run.guests),
            *(f"still listening: {socket}" for socket in run.sockets),
            *(f"left behind: {file}" for file in run.files),
            *(f"changed: {name}" for name in evidence.changes(before, evidence.fingerprint(root))),
            *(f"a student who does not exist: {name}" for name in sorted(marks.keys() - students)),
            *(
                f"a folder of nobody: {path.name}"
                for path in (root / "autograded").glob("*")
                if path.name not in students
            ),
        ]
        if run.status is None:
            harm.append(f"grading did not end within its time\n{run.log[-2000:]}")
        elif run.status and ours:
            harm.append(f"grading failed with status {run.status}\n{run.log[-3000:]}")
        if pages:
            harm.append(f"feedback failed: {pages}")
        return Round(
            door,
            tuple(verdicts),
            tuple(_harmed(honest, marks, _BY_HAND if ours else (*_BY_HAND, "colours"))),
            tuple(harm),
            run.seconds,
            run.log,
        )


def _secrets_of(attack: Attack, canaries: dict[str, str]) -> dict[str, str]:
    """Return what a student may not get; the one who hands in the reference solution has it already."""
    if attack.recipe.start == "blank":
        return canaries
    return {kind: word for kind, word in canaries.items() if kind != "SOLUTION"}


def _harmed(honest: list[str], marks: dict[str, evidence.Marks], by_hand: tuple[str, ...]) -> Iterator[str]:
    for student in honest:
        mark = marks.get(student)
        if mark is None:
            yield f"{student}: no marks"
            continue
        for cell, most in mark.most.items():
            if cell not in by_hand and mark.given[cell] != most:
                yield f"{student}: {cell} {mark.given[cell]:g} of {most:g}"
        if mark.manual:
            yield f"{student}: marked by hand"


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True)
        yield keep
        return
    folder = Path(tempfile.mkdtemp(prefix="fairmark-attacks-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
