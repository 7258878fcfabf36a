"""Reads the address of a repository that somebody wrote, and rebuilds it from its parts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, urlsplit

PUBLIC_HOSTS = ("github.com", "gitlab.com", "codeberg.org", "gitea.com", "bitbucket.org")
_LOOPBACK = frozenset(("127.0.0.1", "localhost", "::1"))
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_HOST = re.compile(r"[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?)+")
_SCP = re.compile(r"(?:[A-Za-z0-9._-]+@)?([A-Za-z0-9.-]+):(?!//)(?!\d+/)([^/].*)")
_WRAPPED = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|<([^>\s]+)>|`([^`]+)`|\"([^\"]+)\"|'([^']+)'")
# What a forge's pages have behind owner and repository; GitLab puts a dash before it.
_PAGES = frozenset(
    [
        "-",
        "tree",
        "blob",
        "raw",
        "commit",
        "commits",
        "branches",
        "tags",
        "pull",
        "pulls",
        "issues",
        "compare",
        "src",
        "settings",
        "network",
        "actions",
        "wiki",
        "merge_requests",
        "releases",
    ]
)
_LONGEST = 500
_MOST_SEGMENTS = 20

Transport = Literal["https", "http", "file", "bundle"]


class AddressError(ValueError):
    """The text is no address that may be asked; the message is for whoever wrote it."""


@dataclass(frozen=True, slots=True)
class Address:
    """A repository's address, rebuilt from checked parts.

    Parameters
    ----------
    url : str
        What git is given.
    transport : {'https', 'http', 'file', 'bundle'}
        The one protocol that git may use for it.
    host, owner, name : str
        Empty for a local path.
    """

    url: str
    transport: Transport
    host: str = ""
    owner: str = ""
    name: str = ""

    @property
    def key(self) -> str:
        """What two ways to write the same address have in common."""
        return self.url.removesuffix("/").removesuffix(".git").casefold()


def read_address(text: str, hosts: tuple[str, ...] = PUBLIC_HOSTS, *, local: bool = False) -> Address:
    """Return the repository that a text names.

    The parts are taken out of the text and checked; the address is then built anew, so nothing else of the
    text is ever given to git. Addresses that people copy from a browser or from ``git remote -v`` are
    understood: ``git@host:owner/name.git``, ``https://host/owner/name/tree/branch``, with or without scheme.

    Parameters
    ----------
    text : str
        What the student, or the instructor, wrote.
    hosts : tuple of str
        Servers that may be asked; ``host:port`` allows a port other than the usual one.
    local : bool
        Allow paths on this machine, and http to it: for tests, practice, and work by ``git bundle``.

    Raises
    ------
    AddressError
        With a sentence for the writer.
    """
    words = text.strip() if isinstance(text, str) else ""
    if not words:
        raise AddressError("there is no address of a repository")
    if len(words) > _LONGEST or not words.isprintable():
        raise AddressError("this is no address: it is too long, or has characters that cannot be seen")
    wrapped = _WRAPPED.fullmatch(words)
    if wrapped:
        words = next(group for group in wrapped.groups() if group is not None).strip()
    if words.startswith("-"):
        raise AddressError("an address does not begin with a dash")
    is_path = words.startswith(("/", "./", "../", "~/", "file:"))
    if is_path or (local and "://" not in words and Path(words).exists()):
        return _read_path(words, local=local)
    if re.match(r"https?://(127\.0\.0\.1|localhost|\[::1\])(:|/|$)", words, re.IGNORECASE):
        return _read_loopback(words, hosts, local=local)
    return _read_remote(words, hosts)


def _read_path(words: str, *, local: bool) -> Address:
    if not local:
        raise AddressError("this is a path on one computer; give the address of the repository on the server")
    path = words.removeprefix("file://") if words.startswith("file://") else words.removeprefix("file:")
    place = Path(path).expanduser().absolute()
    if place.is_file():
        return Address(str(place), "bundle", name=place.name)
    return Address(f"file://{str(place).replace('%', '%25')}", "file", name=place.name)


def _read_loopback(words: str, hosts: tuple[str, ...], *, local: bool) -> Address:
    parts, port = _split(words)
    host = (parts.hostname or "").lower()
    place = f"{host}:{port}" if port else host
    if not local and place not in hosts:
        raise AddressError("this address leads to one's own computer; give the address on the server")
    segments = _check_segments([part for part in parts.path.split("/") if part], 1)
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}{f':{port}' if port else ''}/{'/'.join(segments)}"
    owner = "/".join(segments[:-1])
    return Address(url, "http", place, owner, segments[-1].removesuffix(".git"))


def _read_remote(words: str, hosts: tuple[str, ...]) -> Address:
    scp = _SCP.fullmatch(words)
    if scp and "://" not in words:
        words = f"https://{scp[1]}/{scp[2]}"
    elif "://" not in words:
        words = f"https://{words}"
    parts, port = _split(words)
    if parts.scheme not in ("https", "http", "ssh", "git"):
        raise AddressError(f"an address begins with https://, not with {parts.scheme[:20]}://")
    host = (parts.hostname or "").lower().removesuffix(".")
    if parts.scheme in ("ssh", "git"):
        port = None
    known = {each.lower() for each in hosts}
    if host.startswith("www.") and host not in known:
        host = host.removeprefix("www.")
    place = f"{host}:{port}" if port and port != 443 else host
    if not _HOST.fullmatch(host) or place not in known:
        names = ", ".join(sorted(known)) or "none"
        raise AddressError(
            f"repositories on {place[:80] or 'no server'!r} are not looked at, but on: {names}"
        )
    segments = _read_segments(parts.path, least=2)
    name = segments[-1].removesuffix(".git")
    owner = "/".join(segments[:-1])
    return Address(f"https://{place}/{owner}/{name}.git", "https", place, owner, name)


def _split(words: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(words)
        port = parts.port
    except ValueError:
        raise AddressError("this is no address: server and port cannot be read") from None
    return parts, port


def _read_segments(path: str, *, least: int) -> tuple[str, ...]:
    """Return the checked parts of a path, without what a forge's pages add to it."""
    segments = [part for part in path.split("/") if part]
    for place, part in enumerate(segments):
        if place >= least and part in _PAGES:
            segments = segments[:place]
            break
    return _check_segments(segments, least)


def _check_segments(segments: list[str], least: int) -> tuple[str, ...]:
    if len(segments) < least:
        raise AddressError("the address has to name the owner and the repository")
    if len(segments) > _MOST_SEGMENTS:
        raise AddressError("the address has too many parts")
    for part in segments:
        if not _SEGMENT.fullmatch(part) or part in (".git", ".", ".."):
            raise AddressError(f"the address has a part that is no name: {part[:40]!r}")
    return tuple(segments)


def spell_host(text: str) -> tuple[str, ...]:
    """Return the server of an https address that an instructor wrote: it may be asked, whatever it is."""
    parts = urlsplit(text if "://" in text else f"https://{text}")
    return (parts.netloc.rpartition("@")[2].lower(),) if parts.scheme == "https" else ()
