"""Runs the attacks and prints a table: ``python -m tests.attacks [NAME or FAMILY ...] --door DOOR``."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from fairmark.rooms.policy import LEVELS
from tests.attacks.cases import FOLDER, find_attacks, read_family
from tests.attacks.doors import DOORS, Door
from tests.attacks.runner import Round, Stage, Verdict

# For one cell: kernels of stock nbgrader import everything anew.
_SECONDS: dict[Door, int] = {"fairmark": 5, "nbgrader": 5, "stock": 20}
_DAMAGING = ("harm", "broken files", "breaking out", "persistence", "pages")


def main() -> int:
    """Run from the command line; the exit status is 0 where every attack was defeated."""
    parser = argparse.ArgumentParser(prog="python -m tests.attacks", description=__doc__)
    parser.add_argument(
        "which", nargs="*", default=["*"], help="names or families, with * for anything; default: all"
    )
    parser.add_argument("--door", choices=DOORS, action="append", help="default: fairmark and nbgrader")
    parser.add_argument("--together", type=int, help="attacks in one course; default: all; for stock 8, or 1")
    parser.add_argument("--each", type=int, help="so many attacks of each family; default: all")
    parser.add_argument("--between", type=int, default=5, help="attacks between two honest students")
    parser.add_argument("--workers", type=int, default=2, help="of fairmark grade")
    parser.add_argument("--sandbox", choices=LEVELS, help="the level of the sandbox; default: the best")
    parser.add_argument(
        "--honest", action="store_true", help="grade the honest hand-ins of tests/honest instead"
    )
    parser.add_argument("--keep", type=Path, help="a new folder in which the graded course is kept")
    options = parser.parse_args()
    where = (FOLDER.parent / "honest", "honest.toml") if options.honest else (FOLDER, "attack.toml")
    paths = find_attacks(tuple(options.which), *where)
    console = Console()
    if not paths:
        console.print(f"There is no attack named {' '.join(options.which)}.")
        return 2
    with tempfile.TemporaryDirectory(prefix="fairmark-stage-") as folder:
        good = True
        for door in options.door or DOORS[:2]:
            seconds = 15 if options.honest else _SECONDS[door]
            stage = Stage(Path(folder, door), seconds=seconds, sandbox=options.sandbox)
            groups = _group(_choose(paths, options.each), door, options.together)
            rounds = []
            while groups:
                group = groups.pop(0)
                keep = options.keep / f"{door}-{len(rounds)}" if options.keep else None
                played = stage.play(door, group, between=options.between, workers=options.workers, keep=keep)
                if door == "stock" and len(group) > 1 and (played.bystanders or played.harm):
                    groups += [[path] for path in group]  # whose damage it is shows when each is alone
                    continue
                rounds.append(played)
                if len(rounds) > 1 or groups:
                    _tell_each(console, played)
            good = _tell(console, door, rounds) and good
    return 0 if good else 1


def _choose(paths: list[Path], most: int | None) -> list[Path]:
    """Return at most so many of each family: those that come first by name."""
    families: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        families[read_family(path)].append(path)
    return [path for family in families.values() for path in family[:most]]


def _group(paths: list[Path], door: Door, together: int | None) -> list[list[Path]]:
    """Part the attacks into those that are graded in one course.

    What stock nbgrader does not withstand may end the batch: an attack that can is graded alone, so that the
    damage is known to be its own. Those on marks and on secrets are told by their own marks and pages.
    """
    alone = [path for path in paths if door == "stock" and read_family(path).startswith(_DAMAGING)]
    others = [path for path in paths if path not in alone]
    size = together or (8 if door == "stock" else max(len(paths), 1))
    groups = [others[start : start + size] for start in range(0, len(others), size)]
    return [*groups, *([path] for path in alone)]


def _reasons(one: Round, verdict: Verdict) -> list[str]:
    """Return why an attack counts as not defeated: alone in its course, it answers for everything."""
    alone = len(one.verdicts) == 1
    return [*verdict.reasons, *((*one.bystanders, *one.harm) if alone else ())]


def _tell_each(console: Console, one: Round) -> None:
    for verdict in one.verdicts:
        reasons = _reasons(one, verdict)
        words = "; ".join(reason.strip().split("\n")[0][:160] for reason in reasons[:4]) or "defeated"
        console.print(f"{verdict.attack.name:32} {words}", markup=False, highlight=False, soft_wrap=True)


def _tell(console: Console, door: str, rounds: list[Round]) -> bool:
    families: dict[str, list[tuple[str, list[str]]]] = defaultdict(list)
    for one in rounds:
        for verdict in one.verdicts:
            families[verdict.attack.family].append((verdict.attack.name, _reasons(one, verdict)))
    table = Table(title=f"Attacks through the door: {door}", title_justify="left")
    for column in ("family", "attacks", "defeated", "not defeated"):
        table.add_column(column, justify="right" if column in ("attacks", "defeated") else "left")
    total = beaten = 0
    for family, found in sorted(families.items()):
        lost = [name for name, reasons in found if reasons]
        total, beaten = total + len(found), beaten + len(found) - len(lost)
        table.add_row(family, str(len(found)), str(len(found) - len(lost)), ", ".join(lost))
    table.add_section()
    table.add_row("all", str(total), str(beaten), "")
    console.print(table)
    together = [one for one in rounds if len(one.verdicts) > 1]
    told = [words for one in together for words in (*one.bystanders, *one.harm)]
    if len(rounds) == 1:
        told += [
            f"{name}: {reason}"
            for found in families.values()
            for name, reasons in found
            for reason in reasons
        ]
    for words in told:
        console.print(words, markup=False, style="red", soft_wrap=True)
    console.print(f"{sum(one.seconds for one in rounds):.0f} s of grading.")
    return beaten == total and not any(one.bystanders or one.harm for one in together)


if __name__ == "__main__":
    sys.exit(main())
