"""Makes what a room sent as a cell's outputs into valid, bounded and harmless nbformat outputs."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

import nh3

if TYPE_CHECKING:
    from fairmark.results import Limit

MAX_OUTPUTS = 250
MAX_BYTES = 8 * 2**20
_MAX_TEXT = 2**20
_MAX_TRACEBACK = 40_000
_LEAST_TRACEBACK = 2_000
_OUTPUT_ITSELF = 500  # bytes that an output takes, whatever is in it
_TEXTS = ("text/plain", "text/markdown", "text/latex")
_PICTURES = ("image/png", "image/jpeg", "image/gif")
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")
# What lecture text, a data frame or a report needs: no script, no form, no frame.
# fmt: off
_TAGS = {
    "a", "abbr", "b", "blockquote", "br", "caption", "code", "col", "colgroup", "dd", "del", "details", "div",
    "dl", "dt", "em", "figcaption", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "input",
    "ins", "kbd", "li", "mark", "ol", "p", "pre", "s", "samp", "small", "span", "strong", "sub", "summary",
    "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul", "var",
}
_STYLES = {
    "background-color", "border", "border-collapse", "border-color", "border-style", "border-width", "color",
    "font-family", "font-size", "font-style", "font-weight", "height", "max-width", "padding", "text-align",
    "text-decoration", "vertical-align", "white-space", "width",
}
_ATTRIBUTES = {
    "*": {"align", "border", "class", "dir", "height", "lang", "style", "title", "valign", "width"},
    "a": {"href"}, "details": {"open"}, "img": {"alt", "src"}, "input": {"checked", "disabled", "type"},
    "ol": {"start"},
    "td": {"colspan", "rowspan"}, "th": {"colspan", "rowspan", "scope"},
    **{f"h{level}": {"id"} for level in range(1, 7)},
}
# fmt: on
_SCHEMES = {"http", "https", "mailto", "data"}
_LEADS_OUT = re.compile(r"(https?:|mailto:|#)", re.IGNORECASE)
_EMBEDDED = re.compile(r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*")
_BESIDE = re.compile(r"[\w./ %-]+", re.ASCII)
# What MathJax makes links, styles and scripts of; a letter of no width behind the stroke makes it plain text.
_FORMULA_COMMANDS = re.compile(
    r"\\(?=(href|cssId|class|style|require|unicode|data|toggle|action|mmlToken)(?![a-zA-Z]))"
)
# What data frames, highlighted code and colours of a terminal bear. On an instructor's page a class, or an
# id, also says which button gives full credit, and to which field a mark belongs.
_CLASS = re.compile(r"dataframe|highlight|hl-[a-z0-9-]+|ansi-[a-z-]+|[a-z]{1,2}\d?|err|esc|hll", re.ASCII)
_ANCHOR = "text:"  # no grade_id has a colon
_TAG = re.compile(
    r"""(/?)([a-zA-Z][a-zA-Z0-9-]*)((?:\s+[\w:-]+(?:=(?:"[^"<>]*"|'[^'<>]*'|[^\s"'<>=`]+))?)*)\s*/?>""",
    re.ASCII,
)
_EMPTY_TAGS = frozenset(("br", "hr", "img", "col", "input", "wbr", "meta", "link"))
# Cleaning takes a time that grows with the square of the nesting. Tags that are not closed where they should
# be are opened anew in each paragraph: then what comes out grows with the square of what comes in, too.
MAX_HTML = 500_000
MAX_NESTING = 100
MAX_LOOSE = 20_000_000  # tags times characters, of HTML that is not nested strictly


def clean_html(markup: str) -> str:
    """Return HTML with nothing left in it that runs, submits, or loads from elsewhere.

    Pictures are embedded ones, or files beside the page; links lead to the web, or to a place on the page.
    What is too long or nested too deeply to be cleaned quickly is shown as text.
    """
    if len(markup) > MAX_HTML or not (_is_small(markup) or _is_nested_well(markup)):
        return f"<pre>{html.escape(markup[:10_000])}</pre>"
    clean = nh3.clean(
        markup,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=_filter_attribute,
        url_schemes=_SCHEMES,
        filter_style_properties=_STYLES,
        link_rel="noopener noreferrer",
    )
    return _defuse_formulas(clean)


def _filter_attribute(_tag: str, name: str, value: str) -> str | None:
    if name == "href":
        place = f"#{_anchor(value[1:])}" if value.startswith("#") else value
        return place if _LEADS_OUT.match(value) else None
    if name == "id":
        return _anchor(value)
    if name == "class":
        return " ".join(word for word in value.split() if _CLASS.fullmatch(word)) or None
    if name == "type":  # the boxes of a task list
        return value if value == "checkbox" else None
    if name == "src":
        beside = _BESIDE.fullmatch(value) and not value.startswith("/")
        return value if beside or _EMBEDDED.fullmatch(value) else None
    return value


def _defuse_formulas(text: str) -> str:
    return _FORMULA_COMMANDS.sub("\\\\\u200b", text)


def _anchor(place: str) -> str:
    return place if place.startswith(_ANCHOR) else _ANCHOR + place


def _is_small(markup: str) -> bool:
    """Tell whether cleaning is quick, whatever the tags are."""
    return markup.count("<") * len(markup) <= MAX_LOOSE


def _is_nested_well(markup: str) -> bool:
    """Tell whether each tag is closed by its own, in order, and none is nested too deeply.

    Where it is not plain what a browser takes for a tag (comments, signs in attributes), it is not.
    """
    above: list[str] = []
    for piece in markup.split("<")[1:]:
        tag = _TAG.match(piece)
        if tag is None:
            return False
        name = tag[2].lower()
        if name in _EMPTY_TAGS:
            continue
        if not tag[1]:
            above.append(name)
        elif not above or above.pop() != name:
            return False
        if len(above) > MAX_NESTING:
            return False
    return True


def _text(value: object, most: int = _MAX_TEXT) -> str:
    if isinstance(value, list):
        value = "".join(part for part in value if isinstance(part, str))
    if not isinstance(value, str):
        return ""
    # Lone surrogates cannot be written to a file.
    return value[:most].encode("utf-8", "replace").decode()


def _clean_data(data: object) -> dict[str, str]:
    if not isinstance(data, dict):
        return {}
    clean = {kind: _text(data[kind]) for kind in _TEXTS if isinstance(data.get(kind), str)}
    if "text/latex" in clean:
        clean["text/latex"] = _defuse_formulas(clean["text/latex"])
    if isinstance(data.get("text/html"), str):
        clean["text/html"] = clean_html(_text(data["text/html"]))
    for kind in _PICTURES:
        picture = data.get(kind)
        if isinstance(picture, str) and len(picture) < MAX_BYTES and _BASE64.fullmatch(picture):
            clean[kind] = picture
    return clean


def _clean(output: dict[str, Any], left: int) -> dict[str, Any] | None:
    kind = _text(output.get("output_type"))
    if kind == "stream":
        name = "stderr" if _text(output.get("name")) == "stderr" else "stdout"
        return {"output_type": "stream", "name": name, "text": _text(output.get("text"), left)}
    if kind == "error":
        return {
            "output_type": "error",
            "ename": _text(output.get("ename"))[:200],
            "evalue": _text(output.get("evalue"))[:5000],
            "traceback": _clean_traceback(output.get("traceback"), left),
        }
    if kind in ("execute_result", "display_data"):
        data = _clean_data(output.get("data"))
        if not data:  # nothing of it can be shown
            return None
        clean: dict[str, Any] = {"output_type": kind, "data": data, "metadata": {}}
        if kind == "execute_result":
            count = output.get("execution_count")
            clean["execution_count"] = count if type(count) is int and 0 <= count < 10**6 else None
        return clean
    return None


def _clean_traceback(lines: object, left: int) -> list[str]:
    """Return the first lines: there is always room for some, because they tell why a cell ended."""
    left = min(max(left, _LEAST_TRACEBACK), _MAX_TRACEBACK)
    clean = []
    for line in lines[:1000] if isinstance(lines, list) else ():
        clean.append(_text(line, left))
        left -= len(clean[-1])
        if left <= 0:
            break
    return clean


def measure(outputs: list[dict[str, Any]]) -> int:
    """Return about how many bytes outputs take that were cleaned."""
    return sum(_OUTPUT_ITSELF + _size(output) for output in outputs)


def _size(output: dict[str, Any]) -> int:
    texts = output.get("data", {}).values() if "data" in output else (output.get("text", ""),)
    return sum(map(len, texts)) + sum(map(len, output.get("traceback", ())))


def clean_outputs(
    outputs: tuple[Any, ...], size: int = MAX_BYTES, count: int = MAX_OUTPUTS
) -> tuple[list[dict[str, Any]], Limit]:
    """Return a cell's outputs in nbformat's shape.

    Parameters
    ----------
    outputs : tuple
        Plain data from a room; nothing of it is believed.
    size, count : int
        How many characters, and how many outputs, are kept; of a text that is too long its beginning. The
        exception that ended the cell is kept beyond both.

    Returns
    -------
    list of dict
        HTML without scripts, styles and addresses, no SVG and no JavaScript.
    {"", "output_size", "outputs"}
        Which limit was met.
    """
    kept: list[dict[str, Any]] = []
    met: Limit = ""
    left = size
    known = [output for output in outputs[: count + MAX_OUTPUTS] if isinstance(output, dict)]
    errors = [place for place, output in enumerate(known) if _text(output.get("output_type")) == "error"]
    for place, output in enumerate(known):
        ends = place == max(errors, default=-1)
        clean = None if met and not ends else _clean(output, max(left, 0) + 1)
        if clean is None:
            continue
        left -= _size(clean)
        if ends:
            kept.append(clean)
        elif len(kept) >= count:
            met = "outputs"
        elif left >= 0:
            kept.append(clean)
        else:
            met = "output_size"
            if clean["output_type"] == "stream" and clean["text"][:left]:
                kept.append(clean | {"text": clean["text"][:left]})
    return kept, met
