"""Asks servers over http what repositories hold: many questions over few connections, without a process each.

git needs two processes, a new connection and two requests to list the heads of one fork. For a class that is
nearly all of the time, so the first of git's own requests is sent here, and its answer read. Whatever is not
exactly as expected is left to git.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import ssl
import threading
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairmark.repository.address import Address
    from fairmark.repository.process import Bounds, Running

_SILENCE = 20.0  # seconds, as git's own http.lowSpeedTime
_MOST_OF_A_PAGE = 2**16  # that tells of an error: read, so that the connection can be kept
_HEADERS = {"User-Agent": "git/2 (fairmark)", "Accept": "*/*", "Pragma": "no-cache"}
_LENGTH = re.compile(rb"[0-9a-f]{4}")
_KIND = "application/x-git-upload-pack-advertisement"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server said.

    Parameters
    ----------
    status : int
        Of http; 0 where there was no whole answer.
    body : bytes
        Where the answer is in git's words.
    late : bool
        The time was up.
    """

    status: int = 0
    body: bytes = b""
    late: bool = False


class Inquirer:
    """Keeps connections for as long as questions come; several threads may ask at once.

    Parameters
    ----------
    running : Running
        Can end all questions from another thread.
    """

    def __init__(self, running: Running) -> None:
        self._running = running
        self._idle: dict[tuple[str, str], list[http.client.HTTPConnection]] = {}
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None

    def ask(self, address: Address, bounds: Bounds) -> Reply:
        """Send the first request that git sends to list a repository.

        No redirect is followed, no password sent, and nothing read beyond the bounds.
        """
        for connection, fresh in self._connections(address):
            reply = self._ask_over(connection, address, bounds)
            if reply is not None:
                return reply
            if fresh:
                break
        return Reply()

    def _connections(self, address: Address) -> Iterator[tuple[http.client.HTTPConnection, bool]]:
        """Yield a kept connection, which the server may have closed meanwhile, and a fresh one."""
        with self._lock:
            kept = self._idle.get((address.transport, address.host))
            connection = kept.pop() if kept else None
            if self._context is None and address.transport == "https":
                self._context = ssl.create_default_context()
        if connection is not None:
            yield connection, False
        place = urlsplit(address.url).netloc
        if address.transport == "https":
            yield http.client.HTTPSConnection(place, timeout=_SILENCE, context=self._context), True
        else:
            yield http.client.HTTPConnection(place, timeout=_SILENCE), True

    def _ask_over(
        self, connection: http.client.HTTPConnection, address: Address, bounds: Bounds
    ) -> Reply | None:
        """Ask over one connection; None where it broke before there was an answer."""
        late = threading.Event()

        held: list[socket.socket] = []  # http.client forgets it while the last of an answer comes

        def stop() -> None:
            late.set()
            _hang_up(held)

        timer = threading.Timer(bounds.seconds, stop)
        timer.daemon = True
        timer.start()
        self._running.add(connection, lambda _: _hang_up(held))
        try:
            if connection.sock is None:
                connection.connect()
            held.append(connection.sock)
            if late.is_set() or self._running.ended:  # while there was nothing to hang up yet
                raise TimeoutError
            path = f"{urlsplit(address.url).path}/info/refs?service=git-upload-pack"
            connection.request("GET", path, headers=_HEADERS)
            answer = connection.getresponse()
            kind = answer.headers.get("Content-Type", "").partition(";")[0].strip()
            good = answer.status == 200 and kind == _KIND
            body = answer.read(bounds.output + 1 if good else _MOST_OF_A_PAGE)
        except (OSError, http.client.HTTPException, ValueError) as error:
            connection.close()
            given_up = late.is_set() or self._running.ended or isinstance(error, TimeoutError)
            return Reply(late=True) if given_up else None
        finally:
            timer.cancel()
            self._running.discard(connection)
        if late.is_set():
            connection.close()
            return Reply(late=True)
        if answer.isclosed() and not answer.will_close:
            with self._lock:
                self._idle.setdefault((address.transport, address.host), []).append(connection)
        else:
            connection.close()  # there is more of it, which nobody wants
        return Reply(answer.status, body if good and len(body) <= bounds.output else b"")

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for connections in self._idle.values():
                for connection in connections:
                    connection.close()
            self._idle.clear()


def is_direct(address: Address) -> bool:
    """Tell whether a server is asked over http, and without a proxy between, which is left to git."""
    if address.transport == "http":
        return True
    proxied = urllib.request.getproxies_environment().keys() & {"https", "all"}
    return address.transport == "https" and not proxied


def _hang_up(lines: list[socket.socket]) -> None:
    """Let whoever reads from a connection, or writes to it, find that it has ended."""
    for line in lines:
        with contextlib.suppress(OSError):
            socket.socket.shutdown(line, socket.SHUT_RDWR)


def read_advertisement(body: bytes) -> bytes | None:
    """Return what a server advertises, in the form that ``git ls-remote --symref`` prints; None for nonsense.

    Source: git's documentation, gitprotocol-http and gitprotocol-pack, "Reference Discovery".
    """
    lines = _split_lines(body)
    if lines[:2] != [b"# service=git-upload-pack", b""] or lines[2:].count(b"") != 1:
        return None
    listed = []
    for number, line in enumerate(lines[2:-1]):
        shown, _, abilities = line.partition(b"\0")
        if number == 0:
            listed += [
                b"ref: %b\tHEAD" % word.removeprefix(b"symref=HEAD:")
                for word in abilities.split(b" ")
                if word.startswith(b"symref=HEAD:")
            ]
        commit, _, name = shown.partition(b" ")
        if name == b"HEAD" or name.startswith(b"refs/heads/"):
            listed.append(commit + b"\t" + name)
        elif len(commit) not in (40, 64) and commit != b"shallow":
            return None
    return b"\n".join(listed)


def _split_lines(body: bytes) -> list[bytes]:
    """Return git's packet lines, an empty one for a mark of end; none at all where one is nonsense."""
    lines = []
    place = 0
    while place < len(body):
        length = body[place : place + 4]
        size = int(length, 16) if _LENGTH.fullmatch(length) else -1
        if size and not 4 < size <= len(body) - place:
            return []
        lines.append(body[place + 4 : place + size].removesuffix(b"\n"))
        place += size or 4
    return lines if lines[-1:] == [b""] else []
