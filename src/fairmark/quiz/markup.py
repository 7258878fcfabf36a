"""The structure of a Markdown cell: which of its lines are list items, quotes, table rows and text."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import Enum
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.dollarmath.index import math_block_dollar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from markdown_it.token import Token

_LINE_END = re.compile(r"\r\n?|\n")
_BOX = re.compile(r"\[([ \txX]{0,4})\](?![(\[:])(\s*)")
_NORMALISED = 4_000  # longer runs are not normalised: Unicode's reordering of marks takes quadratic time


class Box(Enum):
    """What stands in the box at the start of a list item; only `TICKED` is a tick."""

    EMPTY = "[ ]"
    TICKED = "[x]"
    UNCLEAR = "[x ]"


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a list: its lines, the raw text of its first paragraph (the box left out) and its place.

    `group` counts the lists of the cell; `number` and `mark` are what a numbered list wrote (3 and ``.``).
    """

    lines: range
    text: str
    text_line: int
    box: Box | None
    number: int | None
    mark: str
    depth: int
    group: int


@dataclass(frozen=True, slots=True)
class Text:
    """Lines of a paragraph or heading, without the marks of the blocks around it."""

    first: int
    lines: tuple[str, ...]
    depth: int


@dataclass(frozen=True, slots=True)
class Quote:
    """A block of quoted lines; a quote within a quote belongs to the outer one."""

    lines: range
    text: str
    depth: int


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its number of columns and the lines of its body."""

    lines: range
    body: tuple[int, ...]
    columns: int
    depth: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """A Markdown cell, cut into lines (their ends kept apart) and read as blocks."""

    lines: tuple[str, ...]
    ends: tuple[str, ...]
    items: tuple[Item, ...]
    texts: tuple[Text, ...]
    quotes: tuple[Quote, ...]
    tables: tuple[Table, ...]

    @property
    def task_items(self) -> tuple[Item, ...]:
        """All items of the lists in which at least one item has a proper box."""
        groups = {item.group for item in self.items if item.box in (Box.EMPTY, Box.TICKED)}
        return tuple(item for item in self.items if item.group in groups)

    @property
    def numbered_items(self) -> tuple[Item, ...]:
        """The items of the last numbered list that is not inside another block."""
        numbered = [item for item in self.items if item.number is not None and item.depth == 0]
        return tuple(item for item in numbered if item.group == numbered[-1].group)

    def is_blank(self, line: int) -> bool:
        """Tell whether `line` is empty; what lies outside the cell counts as empty."""
        return not 0 <= line < len(self.lines) or not self.lines[line].strip()

    def rewrite(self, edits: Mapping[int, str | None]) -> str:
        """Return the cell's text with some lines replaced, or taken out where the new text is None.

        The blank lines above a removed block go with it where they would be left over.
        """
        edits = dict(edits)
        for line in [
            line for line, new in edits.items() if new is None and edits.get(line - 1, "") is not None
        ]:
            end = line
            while end < len(self.lines) and edits.get(end, "") is None:
                end += 1
            above = line - 1
            while self.is_blank(end) and above >= 0 and self.is_blank(above) and above not in edits:
                edits[above] = None
                above -= 1
        kept = [line for line in range(len(self.lines)) if edits.get(line, "") is not None]
        pieces = [(edits.get(line, self.lines[line]) or "") + self.ends[line] for line in kept]
        if kept and kept[-1] != len(self.lines) - 1:
            pieces[-1] = pieces[-1].removesuffix(self.ends[kept[-1]])
        return "".join(pieces)


def fold(text: str) -> str:
    """Return `text` with white space folded and, where it is short enough, in Unicode's composed form."""
    folded = " ".join(text.split())
    return unicodedata.normalize("NFC", folded) if len(folded) <= _NORMALISED else folded


def code_span(text: str) -> str:
    """Return `text` as Markdown code, in which nothing is markup, HTML or a formula."""
    runs = {len(run) for run in re.findall("`+", text)}
    fence = "`" * next(size for size in range(1, len(runs) + 2) if size not in runs)
    return f"{fence} {text} {fence}" if "`" in text else f"{fence}{text}{fence}"


def without_code_span(text: str) -> str:
    """Return what stands inside, where the whole of `text` is one code span."""
    text = text.strip()
    size = len(text) - len(text.lstrip("`"))
    inner = text[size:-size] if size else ""
    if not inner.strip() or inner.endswith("`") or not text.endswith("`" * size):
        return text
    if size in {len(run) for run in re.findall("`+", inner)}:
        return text
    return inner.strip()


def cells_of(line: str) -> tuple[range, ...]:
    """Return where the cells of a table's `line` stand; what follows the last bar counts as a cell, too."""
    start = len(line) - len(line.lstrip())
    if line.startswith("|", start):
        start += 1
    cells, escaped = [], False
    for place in range(start, len(line)):
        if line[place] == "|" and not escaped:
            cells.append(range(start, place))
            start = place + 1
        escaped = line[place] == "\\"
    return (*cells, range(start, len(line)))


def read_box(content: str) -> tuple[Box | None, str]:
    """Return the box that `content` begins with, None where it begins with none, and the text after it."""
    found = _BOX.match(content)
    if found is None:
        return None, content
    inside, space = found.groups()
    proper = space and inside in (" ", "x", "X")
    box = (Box.EMPTY if inside == " " else Box.TICKED) if proper else Box.UNCLEAR
    return box, content[found.end() :]


def read_sheet(text: str, *, lenient: bool = False) -> Sheet:
    """Read a Markdown cell as blocks.

    Parameters
    ----------
    text : str
        The cell's text; any text is valid.
    lenient : bool
        Read a student's text: lines count at any indentation, and no rule is used whose time could grow
        with the square of the text's length.
    """
    tokens = _parser(lenient=lenient).parse(text)
    lines = tuple(_LINE_END.split(text))
    ends = (*_LINE_END.findall(text), "")
    return Sheet(
        lines,
        ends,
        _read_items(tokens, lines),
        tuple(
            Text(_first_line(token, lines), tuple(token.content.split("\n")), token.level - 1)
            for before, token in pairwise(tokens)
            if token.type == "inline" and before.type in ("paragraph_open", "heading_open")
        ),
        _read_quotes(tokens, lines),
        _read_tables(tokens),
    )


def parse_fully(text: str) -> list[Token]:
    """Return the tokens of an author's text, with what stands inside its lines; not for a student's text."""
    return _full_parser().parse(text)


@cache
def _full_parser() -> MarkdownIt:
    return MarkdownIt("commonmark").enable("table").use(dollarmath_plugin, allow_labels=False)


@cache
def _parser(*, lenient: bool) -> MarkdownIt:
    markdown = MarkdownIt("commonmark").enable("table")
    markdown.core.ruler.disable(["inline", "text_join"])  # blocks are enough
    if lenient:
        return markdown.disable(["code", "lheading", "reference"])
    formula = math_block_dollar(allow_labels=False, allow_blank_lines=False)
    interrupted = ["paragraph", "reference", "blockquote", "list"]
    markdown.block.ruler.before("fence", "math_block", formula, {"alt": interrupted})
    return markdown


def _range(token: Token) -> range:
    return range(*(token.map or (0, 0)))


def _first_line(token: Token, lines: Sequence[str]) -> int:
    """Return the line on which the token's text begins; lines of odd white space may precede it."""
    block = _range(token)
    begin = token.content.partition("\n")[0].strip()
    same = (line for line in block if lines[line].replace("\0", "\ufffd").strip().endswith(begin))
    return next(same, block.start)


def _without_blank_end(lines: Sequence[str], block: range) -> range:
    end = min(block.stop, len(lines))
    while end > block.start + 1 and not lines[end - 1].strip():
        end -= 1
    return range(block.start, end)


def _read_items(tokens: Sequence[Token], lines: Sequence[str]) -> tuple[Item, ...]:
    items, groups, count = [], [0], 0
    for place, token in enumerate(tokens):
        if token.type in ("bullet_list_open", "ordered_list_open"):
            count += 1
            groups.append(count)
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            groups.pop()
        elif token.type == "list_item_open":
            block = _without_blank_end(lines, _range(token))
            has_text = tokens[place + 1].type == "paragraph_open"
            content = tokens[place + 2].content if has_text else ""
            box, text = read_box(content)
            items.append(
                Item(
                    block,
                    text,
                    _first_line(tokens[place + 2], lines) if has_text else block.start,
                    box,
                    int(token.info) if token.info else None,
                    token.markup,
                    token.level - 1,
                    groups[-1],
                )
            )
    return tuple(items)


def _read_quotes(tokens: Sequence[Token], lines: Sequence[str]) -> tuple[Quote, ...]:
    quotes: list[Quote] = []
    nesting = 0
    for token in tokens:
        if token.type == "blockquote_open":
            if not nesting:
                block = _without_blank_end(lines, _range(token))
                text = "\n".join(_unquoted(lines[line]) for line in block).strip()
                quotes.append(Quote(block, text, token.level))
            nesting += 1
        elif token.type == "blockquote_close":
            nesting -= 1
    return tuple(quotes)


def _unquoted(line: str) -> str:
    bare = line.lstrip()
    return bare[1:].removeprefix(" ") if bare.startswith(">") else bare


def _read_tables(tokens: Sequence[Token]) -> tuple[Table, ...]:
    tables: list[Table] = []
    rows: list[int] = []
    opened = columns = 0
    for place, token in enumerate(tokens):
        if token.type == "table_open":
            rows, opened, columns = [], place, 0
        elif token.type == "tr_open":
            rows.append(_range(token).start)
        elif token.type == "th_open":
            columns += 1
        elif token.type == "table_close":
            table = tokens[opened]
            tables.append(Table(_range(table), tuple(rows[1:]), columns, table.level))
    return tuple(tables)
