"""``fairmark ci``: pipelines that grade without giving the tests away."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from fairmark.cli.arguments import add_course
from fairmark.cli.terminal import FAILED, GOOD, complaints, console
from fairmark.errors import FairmarkError, UsageError

if TYPE_CHECKING:
    import argparse

    from fairmark.cli.arguments import Commands
    from fairmark.pipelines.posting import Post

_FORGES = ("github", "gitlab")


def add_command(commands: Commands) -> None:
    """Declare the command's arguments."""
    command = commands.add_parser("ci", help="grade in pipelines of GitHub, GitLab and Gradescope")
    parts = command.add_subparsers(title="what to do", required=True, metavar="ACT")
    write = parts.add_parser("write", help="write the pipelines' files")
    write.add_argument("forge", choices=_FORGES)
    write.add_argument(
        "--for", dest="role", choices=("course", "instructor", "student", "teachers"), default="teachers",
        help="default: both that belong into the course's own repository",
    )  # fmt: skip
    write.add_argument("--folder", metavar="DIR", type=Path, help="the repository (default: the course)")
    write.add_argument("--package", metavar="SPEC", default="fairmark", help="what pip installs")
    write.add_argument("--force", action="store_true", help="replace files that are there")
    add_course(write)
    write.set_defaults(act=_write)
    check = parts.add_parser("check", help="refuse to go on where a stranger started this pipeline")
    check.set_defaults(act=_check)
    visible = parts.add_parser("try", help="run the visible tests of notebooks (for students)")
    visible.add_argument("notebook", metavar="NOTEBOOK", type=Path, nargs="*", help="default: all below here")
    visible.set_defaults(act=_try)
    _add_post(parts)
    scope = parts.add_parser("gradescope", help="build Gradescope's autograder, or run inside of it")
    scope.add_argument("assignment", metavar="ASSIGNMENT", nargs="?")
    scope.add_argument("--output", "-o", metavar="ZIP", type=Path, help="default: ASSIGNMENT-gradescope.zip")
    scope.add_argument(
        "--run", metavar="ROOT", type=Path, help="grade in this folder: Gradescope's /autograder"
    )
    add_course(scope)
    scope.set_defaults(act=_gradescope)


def _add_post(parts: Commands) -> None:
    post = parts.add_parser("post", help="show, or send, statuses and comments to the students' repositories")
    post.add_argument("assignment", metavar="ASSIGNMENT")
    post.add_argument("--forge", choices=_FORGES, required=True)
    post.add_argument(
        "--targets", metavar="CSV", type=Path, default=Path("targets.csv"),
        help="columns student, repository, commit, pull (default: targets.csv)",
    )  # fmt: skip
    post.add_argument(
        "--api", metavar="ADDRESS", help="the forge's API (default: the pipeline's own, or the public one)"
    )
    post.add_argument("--really", action="store_true", help="send; the token is in FAIRMARK_TOKEN")
    post.add_argument("--public-too", action="store_true", help="also where everybody can read the points")
    add_course(post)
    post.set_defaults(act=_post)


def _write(options: argparse.Namespace) -> int:
    from fairmark.course import open_course  # noqa: PLC0415
    from fairmark.pipelines.files import Role, make_pipelines, write_pipelines  # noqa: PLC0415

    folder = (options.folder or options.course).resolve()
    assignments: tuple[str, ...] = ()
    if options.role != "student":
        assignments = open_course(options.course).assignments()
    roles: tuple[Role, ...] = ("course", "instructor") if options.role == "teachers" else (options.role,)
    for role in roles:
        files = make_pipelines(options.forge, role, assignments, package=options.package)
        for path in write_pipelines(folder, role, files, force=options.force):
            console.print(f"Wrote {path}", soft_wrap=True, highlight=False, markup=False)
    return GOOD


def _check(options: argparse.Namespace) -> int:  # noqa: ARG001
    from fairmark.pipelines.guard import refuse_unsafe_pipeline  # noqa: PLC0415

    refuse_unsafe_pipeline(os.environ)
    console.print("Nothing speaks against grading here.")
    return GOOD


def _try(options: argparse.Namespace) -> int:
    from fairmark.pipelines.visible import find_notebooks, try_notebook  # noqa: PLC0415

    paths = options.notebook or list(find_notebooks(Path()))
    if not paths:
        raise UsageError("There is no notebook here.")
    bad = 0
    for path in paths:
        if not path.is_file():
            raise UsageError(f"There is no notebook {path}.")
        trial = try_notebook(path)
        bad += bool(trial.failed)
        words = f"{len(trial.failed)} tests or answers fail" if trial.failed else "all visible tests pass"
        console.print(f"{path}: {words}", markup=False, highlight=False)
        for source, error in trial.failed:
            console.print(f"{source}\n{error}\n", markup=False, highlight=False)
    return FAILED if bad else GOOD


def _post(options: argparse.Namespace) -> int:
    from fairmark.course import open_course  # noqa: PLC0415
    from fairmark.pipelines.posting import make_posts, read_targets  # noqa: PLC0415
    from fairmark.standings import read_standings  # noqa: PLC0415

    course = open_course(options.course)
    course.find_source(options.assignment)
    table = course.root / options.targets
    if not table.is_file():
        console.print(f"Nothing to post: there is no {table}.", soft_wrap=True, markup=False)
        return GOOD
    targets = read_targets(table.read_text(encoding="utf-8"))
    posts = tuple(make_posts(read_standings(course, options.assignment), targets))
    if not options.really:
        for post in posts:
            place = post.target.pull if post.kind == "comment" else post.target.commit
            console.rule(f"{post.kind} in {post.target.repository}, {place}: {post.state}")
            console.print(post.text, markup=False, highlight=False)
        console.print(f"{len(posts)} posts were shown and nothing was sent; --really sends them.")
        return GOOD
    return _send(posts, options)


def _send(posts: tuple[Post, ...], options: argparse.Namespace) -> int:
    from fairmark.pipelines.guard import refuse_unsafe_pipeline  # noqa: PLC0415
    from fairmark.pipelines.posting import API, Sender  # noqa: PLC0415

    refuse_unsafe_pipeline(os.environ)
    token = os.environ.get("FAIRMARK_TOKEN", "")
    if not token:
        raise UsageError("FAIRMARK_TOKEN is not set: a token that may write statuses and comments.")
    own = os.environ.get({"github": "GITHUB_API_URL", "gitlab": "CI_API_V4_URL"}[options.forge])
    sender = Sender(
        options.forge, options.api or own or API[options.forge], token, public_too=options.public_too
    )
    failed = 0
    for post in posts:
        try:
            words = sender.send(post)
        except OSError as error:
            failed += 1
            words = f"not posted: {error}"
        console.print(f"{post.target.student}: {words}", markup=False, highlight=False)
    return FAILED if failed else GOOD


def _gradescope(options: argparse.Namespace) -> int:
    from fairmark.pipelines.gradescope import build_autograder, run_autograder  # noqa: PLC0415

    if options.run is not None:
        try:
            path = run_autograder(options.run)
        except FairmarkError as error:
            complaints.print(f"The autograder failed; nobody is given a 0 for it: {error}", markup=False)
            return FAILED
        console.print(f"Wrote {path}", markup=False)
        return GOOD
    if options.assignment is None:
        raise UsageError("Name the assignment whose autograder is to be built.")
    from fairmark.course import open_course  # noqa: PLC0415

    course = open_course(options.course)
    path = options.output or Path(f"{options.assignment}-gradescope.zip")
    build_autograder(course, options.assignment, path)
    console.print(f"Wrote {path}: upload it as the assignment's autograder.", markup=False, soft_wrap=True)
    return GOOD
