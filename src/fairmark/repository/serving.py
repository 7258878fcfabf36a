"""Serves a stand-in forge over HTTP: git's ``http-backend``, and plain pages to fork and to propose."""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
import threading
import time
from datetime import UTC, datetime
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from fairmark.errors import UsageError
from fairmark.repository.process import Bounds, git_command, started

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairmark.repository.forge import Forge, Pull, Repository

_GIT = re.compile(
    r"/([A-Za-z0-9._-]+/[A-Za-z0-9._-]+?)(\.git)?(/info/refs|/git-upload-pack|/git-receive-pack)"
)
_PAGE = re.compile(r"/([A-Za-z0-9._-]+/[A-Za-z0-9._-]+?)(\.git)?(/fork|/pull)?/?")
_API = re.compile(r"/api/v1/repos/([^/]+/[^/]+)/pulls")
_MOST_BODY = 64 * 2**20
_STYLE = "body{font:1rem/1.5 sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}code{background:#eee}"


class ForgeServer:
    """A running server.

    Parameters
    ----------
    forge : Forge
    host, port : str, int
        Where it listens; port 0 takes a free one.
    """

    def __init__(self, forge: Forge, host: str = "127.0.0.1", port: int = 0) -> None:
        self.forge = forge
        self.lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"server_": self})
        self._http = ThreadingHTTPServer((host, port), handler)
        self._http.daemon_threads = True
        self.url = f"http://{host}:{self._http.server_port}"
        self.names = {f"{name}:{self._http.server_port}" for name in (host, "localhost", "127.0.0.1")}

    def serve(self) -> None:
        """Answer until the process ends."""
        self._http.serve_forever()

    def close(self) -> None:
        """Stop answering."""
        self._http.shutdown()
        self._http.server_close()

    def __enter__(self) -> ForgeServer:
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server_: ForgeServer

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer git, the API, or a page."""
        self._answer(b"")

    def do_POST(self) -> None:
        """Answer git, or do what a form asks for."""
        try:
            body = self._read_body()
        except ValueError:
            self._say(413, "text/plain", b"too large\n")
            return
        self._answer(body)

    def _read_body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            body = bytearray()
            while size := int(self.rfile.readline(20).split(b";")[0], 16):
                if len(body) + size > _MOST_BODY:
                    raise ValueError(size)
                body += self.rfile.read(size)
                self.rfile.readline(4)
            self.rfile.readline(4)
            return bytes(body)
        size = int(self.headers.get("Content-Length") or 0)
        if not 0 <= size <= _MOST_BODY:
            raise ValueError(size)
        return self.rfile.read(size)

    def _answer(self, body: bytes) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        if (
            self.headers.get("Host", "").lower() not in self.server_.names
        ):  # another site's page, or its name for us
            self._say(403, "text/plain", b"this server answers to its own name alone\n")
            return
        self.server_.forge.refresh()
        try:
            if match := _GIT.fullmatch(path):
                self._serve_git(match[1], match[3], parts.query, body)
            elif match := _API.fullmatch(path):
                self._serve_api(match[1], parse_qs(parts.query))
            elif self.command == "POST":
                self._act(path, parse_qs(body.decode("utf-8", "replace")))
            elif match := _PAGE.fullmatch(path):
                self._say(200, "text/html", _page(match[1], self._describe(match[1])))
            elif path == "/":
                names = self.server_.forge.repositories()
                links = "".join(f'<li><a href="/{name}">{escape(name)}</a></li>' for name in names)
                self._say(200, "text/html", _page("Repositories", f"<ul>{links}</ul>"))
            else:
                self._say(404, "text/plain", b"not found\n")
        except UsageError as error:
            self._say(404, "text/html", _page("This does not work", f"<p>{escape(str(error))}</p>"))

    def _say(self, status: int, kind: str, body: bytes, headers: tuple[tuple[str, str], ...] = ()) -> None:
        self.send_response(status)
        for name, value in (
            *headers,
            ("Content-Type", f"{kind}; charset=utf-8"),
            ("Content-Length", str(len(body))),
        ):
            self.send_header(name, value)
        if kind == "text/html":
            self.send_header(
                "Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"
            )
        self.end_headers()
        self.wfile.write(body)

    # --- git -----------------------------------------------------------------------------------------------

    def _serve_git(self, name: str, service: str, query: str, body: bytes) -> None:
        forge = self.server_.forge
        repository = forge.repository(name)
        writes = "receive-pack" in service or "receive-pack" in query
        more = {
            "GIT_PROJECT_ROOT": str(forge.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": f"/{name}.git{service}",
            "REQUEST_METHOD": self.command,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "REMOTE_ADDR": "127.0.0.1",
            "REMOTE_USER": "student",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", "")[:100],
        }
        if encoding := self.headers.get("Content-Encoding"):
            more["HTTP_CONTENT_ENCODING"] = encoding
        command = git_command(["http-backend"], bounds=Bounds(seconds=300), home=str(forge.folder), more=more)
        with self.server_.lock if writes else contextlib.nullcontext(), tempfile.TemporaryFile() as sent:
            sent.write(body)
            sent.seek(0)
            with started(command, forge.folder, istream=sent) as process:
                self._pass_on(process.stdout)
            if service == "/git-receive-pack":
                forge.follow(repository)
        # The last: who has pushed finds that the pull requests have followed.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(b"0\r\n\r\n")

    def _pass_on(self, stream: Any) -> None:
        """Send what git answers as it comes, but for the mark that it is all."""
        status, headers = 200, []
        while (line := stream.readline().strip()) != b"":
            name, _, value = line.decode("latin-1").partition(": ")
            if name == "Status":
                status = int(value.split()[0])
            else:
                headers.append((name, value))
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while chunk := stream.read1(65536):
                self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")

    # --- pages and API -------------------------------------------------------------------------------------

    def _serve_api(self, name: str, query: dict[str, list[str]]) -> None:
        """Answer as Gitea's and Forgejo's API does for a list of pull requests, as far as it is read here."""
        pulls = [pull for pull in self.server_.forge.pulls if pull.upstream == name]
        number, size = int(query.get("page", ["1"])[0]), int(query.get("limit", ["30"])[0])
        shown = pulls[(number - 1) * size : number * size]
        body = json.dumps([_pull_document(pull) for pull in shown]).encode()
        self._say(200, "application/json", body, (("X-RateLimit-Remaining", "50"),))

    def _describe(self, name: str) -> str:
        forge = self.server_.forge
        repository = forge.repository(name)
        url = f"{self.server_.url}/{name}.git"
        branches = "".join(
            f"<li><code>{escape(branch)}</code> {commit[:10]}"
            f"{_pull_form(name, branch) if self._upstream_of(repository) else ''}</li>"
            for branch, commit in sorted(repository.branches().items())
        )
        pulls = "".join(
            f"<li>#{pull.number} {escape(pull.title)} ({escape(pull.fork)}, {pull.state})</li>"
            for pull in forge.pulls
            if pull.upstream == name
        )
        form = (
            f'<form method="post" action="/{name}/fork"><label>Your login '
            '<input name="owner" required pattern="[A-Za-z0-9_.-]+"></label> <button>Fork</button></form>'
        )
        return (
            f"<p><code>git clone {escape(url)}</code></p>{form}<h2>Branches</h2><ul>{branches}</ul>"
            f"<h2>Pull requests</h2><ul>{pulls or '<li>none</li>'}</ul>"
        )

    def _upstream_of(self, repository: Repository) -> str:
        return repository.forge.origins().get(repository.name, "")

    def _act(self, path: str, form: dict[str, list[str]]) -> None:
        match = _PAGE.fullmatch(path)
        if match is None or match[3] is None:
            self._say(404, "text/plain", b"not found\n")
            return
        forge = self.server_.forge
        with self.server_.lock:
            repository = forge.repository(match[1])
            if match[3] == "/fork":
                goal = forge.fork(repository, form.get("owner", [""])[0]).name
            else:
                upstream = forge.repository(self._upstream_of(repository))
                title = form.get("title", [""])[0][:200]
                forge.open_pull(upstream, repository, form.get("branch", [""])[0], title=title)
                goal = upstream.name
        self._say(303, "text/plain", b"", (("Location", f"/{goal}"),))


def _pull_form(name: str, branch: str) -> str:
    return (
        f' <form style="display:inline" method="post" action="/{name}/pull">'
        f'<input type="hidden" name="branch" value="{escape(branch)}">'
        '<input name="title" placeholder="title" aria-label="title of the pull request"> '
        "<button>Open pull request</button></form>"
    )


def _page(title: str, body: str) -> bytes:
    head = "<!doctype html><html lang=en><meta charset=utf-8>"
    head += f"<title>{escape(title)}</title><style>{_STYLE}</style>"
    return f'{head}<p><a href="/">all repositories</a></p><h1>{escape(title)}</h1>{body}'.encode()


def _pull_document(pull: Pull) -> dict[str, Any]:
    return {
        "number": pull.number,
        "title": pull.title,
        "state": "open" if pull.state == "open" else "closed",
        "merged_at": None,
        "user": {"login": pull.opener},
        "created_at": f"{datetime.fromtimestamp(pull.created_at or time.time(), UTC):%Y-%m-%dT%H:%M:%SZ}",
        "head": {"ref": pull.branch, "repo": {"full_name": pull.fork}},
        "base": {"ref": "main"},
    }


@contextlib.contextmanager
def serving(forge: Forge, port: int = 0) -> Iterator[str]:
    """Serve a forge on this machine for as long as the block runs; give its address."""
    with ForgeServer(forge, port=port) as server:
        yield server.url
