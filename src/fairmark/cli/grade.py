"""``fairmark grade``: grades what was handed in, and shows everybody's points."""

from __future__ import annotations

import contextlib
import os
from functools import partial
from typing import TYPE_CHECKING

from rich.markup import escape

from fairmark.cli.arguments import add_course, add_sandbox, choose_sandbox, positive
from fairmark.cli.terminal import (
    FAILED,
    GOOD,
    GradingProgress,
    console,
    show_batch,
    show_forecast,
    show_progress,
)
from fairmark.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from fairmark.cli.arguments import Commands
    from fairmark.course import Course


def add_command(commands: Commands) -> None:
    """Declare the command's arguments."""
    command = commands.add_parser("grade", help="grade what was handed in for an assignment")
    command.add_argument("assignment", metavar="ASSIGNMENT")
    command.add_argument(
        "--student", metavar="ID", action="append", default=[], help="only this one; may be repeated"
    )
    command.add_argument("--force", action="store_true", help="grade again also where nothing has changed")
    command.add_argument(
        "--dry-run", action="store_true", help="show whose points would move and why; write nothing"
    )
    command.add_argument(
        "--watch", action="store_true", help="go on: grade what is handed in within seconds, until Ctrl-C"
    )
    where = command.add_mutually_exclusive_group()
    where.add_argument(
        "--workers", metavar="N", type=positive, help="processes at a time (default: one a core)"
    )
    where.add_argument(
        "--dask", metavar="ADDRESS", default="", help="grade on the Dask cluster with this scheduler"
    )
    add_course(command)
    add_sandbox(command)
    command.set_defaults(act=_grade)


def _grade(options: argparse.Namespace) -> int:
    from fairmark.course import open_course  # noqa: PLC0415
    from fairmark.pipelines.guard import refuse_unsafe_pipeline  # noqa: PLC0415

    refuse_unsafe_pipeline(os.environ)
    course = open_course(options.course)
    choose_sandbox(course, options.sandbox)
    if options.watch:
        return _watch(course, options)
    if options.dry_run:
        return _forecast(course, options)
    from fairmark.batch import grade_assignment  # noqa: PLC0415

    with show_progress(options.assignment) as progress:
        batch = grade_assignment(
            course,
            options.assignment,
            tuple(options.student),
            workers=options.workers,
            dask=options.dask,
            force=options.force,
            announce=progress.begin,
            tell=progress.tell,
        )
    if not batch.results and not batch.failures:
        console.print(f"Nothing was handed in: there is no {course.submitted('*', options.assignment)}.")
    show_batch(batch)
    console.print(f"Gradebook: {escape(course.db_url)}", soft_wrap=True)
    console.print(
        f"Notebooks and result.json: {escape(str(course.autograded('*', options.assignment)))}",
        soft_wrap=True,
    )
    return FAILED if batch.failures or any(result.status == "error" for result in batch.results) else GOOD


def _forecast(course: Course, options: argparse.Namespace) -> int:
    from fairmark.regrading import forecast  # noqa: PLC0415

    with show_progress(options.assignment) as progress:
        found = forecast(
            course,
            options.assignment,
            tuple(options.student),
            workers=options.workers,
            dask=options.dask,
            force=options.force,
            announce=progress.begin,
            tell=progress.tell,
        )
    show_forecast(options.assignment, found)
    return FAILED if found.failures else GOOD


def _watch(course: Course, options: argparse.Namespace) -> int:
    from fairmark.batch import open_session  # noqa: PLC0415
    from fairmark.watch import Watch  # noqa: PLC0415

    if options.student or options.force or options.dry_run:
        raise UsageError(
            "--watch grades everybody whose work changes: leave out --student, --force and --dry-run."
        )
    course.find_source(options.assignment)
    folder = course.submitted("*", options.assignment)
    console.print(f"Watching {escape(str(folder))}. Ctrl-C ends.", soft_wrap=True)
    begin = partial(open_session, workers=options.workers, dask=options.dask)
    with contextlib.suppress(KeyboardInterrupt):
        Watch(course, options.assignment, GradingProgress(options.assignment, moving=False), begin).run()
    return GOOD
