"""Find what tells the answer in a released text although no key is left: pictures' names and comments."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote

from fairmark.quiz.markup import fold, parse_fully

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

_TELLING = {"correct", "incorrect", "right", "wrong", "true", "false"}
_TELLING |= {"answer", "answers", "key", "solution", "solutions"}
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")


class _Html(HTMLParser):
    """Collects the pictures (address and alternative text) and the comments of HTML."""

    def __init__(self) -> None:
        super().__init__()
        self.pictures: list[tuple[str, str]] = []
        self.comments: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            found = dict(attrs)
            self.pictures.append((found.get("src") or "", found.get("alt") or ""))

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


def find_giveaways(released: str, key: AbstractSet[str]) -> Iterator[str]:
    """Yield a sentence for each picture or comment of a released text that may tell the answer.

    Parameters
    ----------
    released : str
        The cell as students get it.
    key : set of str
        The texts of the key, folded and without case.
    """
    html = _Html()
    pictures = html.pictures
    for token in parse_fully(released):
        for part in (token, *(token.children or ())):
            if part.type == "image":
                pictures.append((str(part.attrs.get("src", "")), part.content))
            elif part.type in ("html_block", "html_inline"):
                html.feed(part.content.replace("<![", "&lt;!["))  # an unknown section would raise
    html.close()
    for address, alternative in pictures:
        yield from _find_telling_picture(unquote(address).rsplit("/", 1)[-1], alternative, key)
    for comment in html.comments:
        if _tells(comment):
            yield f"The comment {fold(comment)!r} stays in the release and may tell the answer: take it out."


def _find_telling_picture(name: str, alternative: str, key: AbstractSet[str]) -> Iterator[str]:
    name = name.removeprefix("attachment:")
    if _tells(name):
        yield f"The picture's file name {name!r} may give the answer away: change it."
    if _tells(alternative):
        yield f"The picture's alternative text {alternative!r} may give the answer away: change it."
    if {name.rsplit(".", 1)[0].casefold(), fold(alternative).casefold()} & key:
        yield f"The picture {name!r} ({alternative!r}) is called like the key: change its name or text."


def _tells(text: str) -> bool:
    return any(word.lower() in _TELLING for word in _WORD.findall(text))
