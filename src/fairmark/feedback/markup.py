"""Turns Markdown, outputs and messages into HTML that neither runs, nor loads, nor breaks a page."""

from __future__ import annotations

import base64
import html
import re
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import nh3
from latex2mathml.converter import convert
from markdown_it import MarkdownIt
from markupsafe import Markup, escape
from mdit_py_plugins.dollarmath import dollarmath_plugin

from fairmark.outputs import clean_html

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from markdown_it.renderer import RendererHTML
    from markdown_it.token import Token

    # Returns a file that lies beside the notebook, None where there is none.
    ReadFile = Callable[[str], bytes | None]

MAX_MARKDOWN = 20_000  # some texts take a time that grows with the square of their length
MAX_PICTURE = 300_000
MAX_TEXT = 20_000
# fmt: off
_TAGS = {
    "abbr", "b", "blockquote", "br", "caption", "code", "dd", "del", "div", "dl", "dt", "em", "hr", "i",
    "ins", "kbd", "li", "mark", "ol", "p", "pre", "s", "samp", "small", "span", "strong", "sub", "sup",
    "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul", "var",
}
_CELL = {"colspan", "rowspan"}
_KINDS = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif",
          "webp": "image/webp", "svg": "image/svg+xml"}
# fmt: on
_SIGNS = re.compile(r"[\ue000\ue001]")
_PLACE = re.compile("\ue000([0-9]+)\ue001")
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_EMPTY_HEAD = re.compile(r"<th[^>]*>\s*</th>")  # a data frame has them; screen readers stumble over them
_CODE = re.compile(r"`([^`\n]+)`")
_RASTER = ("image/png", "image/jpeg", "image/gif")
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]+")


def write_inline(text: str) -> Markup:
    """Return one plain line as HTML, with what stands between backticks as code."""
    pieces = _CODE.split(printable(text))
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if number % 2 else escape(piece)
        for number, piece in enumerate(pieces)
    )


def printable(text: str) -> str:
    """Return `text` without characters that steer a terminal or turn the reading."""
    shown = _ANSI.sub("", text)
    return "".join(
        char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in shown
    )


def shorten(text: str, limit: int = MAX_TEXT) -> str:
    """Return `text`, cut where it is too long, with a note that says so."""
    return text if len(text) <= limit else f"{text[:limit]}\n[… {len(text) - limit} more characters]"


# --- Markdown ----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Parts:
    """What is put into a text after it was cleaned, because cleaning would take it out."""

    read: ReadFile
    attachments: Mapping[str, Any]
    trusted: bool
    made: list[str] = field(default_factory=list)

    def keep(self, markup: str) -> str:
        self.made.append(markup)
        return f"\ue000{len(self.made) - 1}\ue001"

    def fill(self, text: str) -> str:
        return _PLACE.sub(lambda found: self.made[int(found[1])], text)


def write_author_markdown(text: str, read: ReadFile, *, inline: bool = False) -> Markup:
    """Return an author's Markdown as HTML: formulas as MathML, pictures embedded, links to the web kept."""
    return _write(text, _Parts(read, {}, trusted=True), inline=inline)


def write_student_markdown(text: str, attachments: Mapping[str, Any]) -> Markup:
    """Return a student's Markdown as HTML: no link, no picture but attached ones, formulas as code."""
    return _write(text, _Parts(lambda _: None, attachments, trusted=False), inline=False)


def _write(text: str, parts: _Parts, *, inline: bool) -> Markup:
    text = _SIGNS.sub("", shorten(text, MAX_MARKDOWN))
    text = text if parts.trusted else printable(text)
    parser = _parser(trusted=parts.trusted)
    environment = {"parts": parts}
    rendered = parser.renderInline(text, environment) if inline else parser.render(text, environment)
    return Markup(parts.fill(_clean(rendered, links=parts.trusted)))  # noqa: S704 - it was cleaned


@cache
def _parser(*, trusted: bool) -> MarkdownIt:
    parser = (
        MarkdownIt("commonmark", {"html": trusted}).enable("table").use(dollarmath_plugin, allow_labels=False)
    )
    if not trusted:
        parser.disable(["code", "reference"])
    for rule in ("math_inline", "math_inline_double", "math_block"):
        parser.add_render_rule(rule, _render_math)
    parser.add_render_rule("image", _render_picture)
    parser.add_render_rule("heading_open", _render_heading)
    parser.add_render_rule("heading_close", _render_heading)
    return parser


def _render_math(_: RendererHTML, tokens: Sequence[Token], place: int, __: Any, environment: Any) -> str:
    parts: _Parts = environment["parts"]
    formula, block = tokens[place].content, tokens[place].type != "math_inline"
    if parts.trusted:
        with suppress(Exception):  # what it cannot read is shown as it was written
            return parts.keep(convert(formula, display="block" if block else "inline"))
    written = f"<code>{html.escape(formula)}</code>"
    return f"<p>{written}</p>" if tokens[place].type == "math_block" else written


def _render_picture(_: RendererHTML, tokens: Sequence[Token], place: int, __: Any, environment: Any) -> str:
    parts: _Parts = environment["parts"]
    token = tokens[place]
    source, words = str(token.attrGet("src") or ""), token.content or "picture"
    name = source.removeprefix("attachment:")
    bundle = parts.attachments.get(name) if name != source else None
    for kind in _RASTER:
        if isinstance(bundle, dict) and kind in bundle:
            return parts.keep(embed(kind, join(bundle[kind]), words))
    kind = _KINDS.get(source.rpartition(".")[2].lower(), "")
    data = parts.read(source) if kind and parts.trusted else None
    if data is None or len(data) > MAX_PICTURE:
        return f"<em>[{html.escape(words)}]</em>"
    return parts.keep(embed(kind, base64.b64encode(data).decode("ascii"), words))


def _render_heading(_: RendererHTML, tokens: Sequence[Token], place: int, *__: Any) -> str:
    return "<p><strong>" if tokens[place].nesting > 0 else "</strong></p>"


def embed(kind: str, data: str, words: str) -> str:
    """Return a picture that lies in the page itself; words in its place where it is none or too large."""
    if len(data) > MAX_PICTURE * 4 // 3 or not _BASE64.fullmatch(data):
        return f"<em>[{html.escape(words)}: too large for this page]</em>"
    return f'<img src="data:{kind};base64,{"".join(data.split())}" alt="{html.escape(words)}">'


def _clean(markup: str, *, links: bool) -> str:
    attributes = {"td": _CELL, "th": _CELL | {"scope"}, "ol": {"start"}}
    if links:
        attributes["a"] = {"href"}
    return nh3.clean(
        markup,
        tags=_TAGS | {"a"} if links else _TAGS,
        attributes=attributes,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer",
    )


# --- code and outputs --------------------------------------------------------------------------------------


def write_code(source: str) -> Markup:
    """Return code as HTML."""
    return Markup("<pre><code>{}</code></pre>").format(printable(shorten(source)))


def write_output(output: Mapping[str, Any]) -> Markup:
    """Return one output of a cell, in nbformat's shape, as HTML."""
    kind = output.get("output_type")
    if kind == "stream":
        return _write_text(join(output.get("text")))
    if kind == "error":
        words = f"{join(output.get('ename'))}: {join(output.get('evalue'))}"
        return Markup('<pre class="error">{}</pre>').format(printable(shorten(words, 2_000)))
    data = output.get("data")
    if not isinstance(data, dict):
        return Markup("")
    for picture in _RASTER:
        if picture in data:
            return Markup(embed(picture, join(data[picture]), "a picture that your code made"))  # noqa: S704 - checked there
    markup = join(data.get("text/html"))
    if "<table" in markup and len(markup) < MAX_TEXT:
        cleaned = _clean(clean_html(printable(markup)), links=False)
        table = Markup(_EMPTY_HEAD.sub("<td></td>", cleaned))  # noqa: S704 - it was cleaned
        return Markup('<div class="wide" tabindex="0" role="group" aria-label="Table">{}</div>').format(table)
    return _write_text(join(data.get("text/plain")))


def _write_text(text: str) -> Markup:
    return Markup("<pre>{}</pre>").format(printable(shorten(text, 5_000))) if text.strip() else Markup("")


def join(value: object) -> str:
    """Return a text that a notebook file may hold as a list of lines."""
    if isinstance(value, list):
        return "".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""
