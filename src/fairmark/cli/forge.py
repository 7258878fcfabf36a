"""``fairmark forge``: a stand-in forge on which a class can practise offline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape

from fairmark.cli.terminal import GOOD, console

if TYPE_CHECKING:
    import argparse

    from fairmark.cli.arguments import Commands


def add_command(commands: Commands) -> None:
    """Declare the command's arguments."""
    command = commands.add_parser("forge", help="a stand-in forge to practise forks and pull requests on")
    parts = command.add_subparsers(title="what to do", required=True, metavar="ACT")
    serve = parts.add_parser("serve", help="serve it on this machine until interrupted")
    serve.add_argument("--folder", metavar="DIR", type=Path, default=Path("forge"), help="default: forge")
    serve.add_argument(
        "--original", metavar="DIR", type=Path, help="files that the repository course/notes begins with"
    )
    serve.add_argument(
        "--port", metavar="N", type=int, default=8080, help="default: 8080; 0 takes a free one"
    )
    serve.add_argument(
        "--host",
        metavar="NAME",
        default="127.0.0.1",
        help="default: 127.0.0.1, this machine alone; anybody who reaches another address may push",
    )
    serve.set_defaults(act=_serve)


def _serve(options: argparse.Namespace) -> int:
    import time  # noqa: PLC0415

    from fairmark.errors import UsageError  # noqa: PLC0415
    from fairmark.repository.forge import Forge  # noqa: PLC0415
    from fairmark.repository.rehearsal import ORIGINAL, found_upstream  # noqa: PLC0415
    from fairmark.repository.serving import ForgeServer  # noqa: PLC0415

    forge = Forge(options.folder.absolute())
    if options.original is not None and ORIGINAL not in forge.repositories():
        if not options.original.is_dir():
            raise UsageError(f"{options.original} is no folder of files.")
        found_upstream(forge, options.original, ORIGINAL, time.time())
    try:
        server = ForgeServer(forge, options.host, options.port)
    except OSError as error:
        raise UsageError(f"{options.host}:{options.port} cannot be served: {error.strerror}.") from error
    console.print(f"The forge is at {escape(server.url)}/ (Ctrl+C ends it).", soft_wrap=True, highlight=False)
    try:
        server.serve()
    except KeyboardInterrupt:
        console.print("Ended. Everything is kept in the folder.")
    forge.close()
    return GOOD
