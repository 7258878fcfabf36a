"""Makes what a room sent as a cell's outputs into valid, bounded and harmless nbformat outputs."""

from __future__ import annotations

import re
from typing import Any

import nh3

MAX_OUTPUTS = 250
MAX_BYTES = 8 * 2**20
_MAX_TEXT = 2**20
_TEXTS = ("text/plain", "text/markdown", "text/latex")
_PICTURES = ("image/png", "image/jpeg", "image/gif")
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")
# What a data frame, a styled table or a report needs; no address, no script, no form.
_TAGS = frozenset(
    [
        "a",
        "abbr",
        "b",
        "blockquote",
        "br",
        "caption",
        "code",
        "col",
        "colgroup",
        "dd",
        "del",
        "div",
        "dl",
        "dt",
        "em",
        "figcaption",
        "figure",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "li",
        "mark",
        "ol",
        "p",
        "pre",
        "s",
        "samp",
        "small",
        "span",
        "strong",
        "sub",
        "summary",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "u",
        "ul",
        "var",
    ]
)
_ATTRIBUTES = {"*": {"class", "title"}, "td": {"colspan", "rowspan"}, "th": {"colspan", "rowspan", "scope"}}


def clean_html(html: str) -> str:
    """Return `html` with nothing left in it that runs, loads or leads anywhere."""
    return nh3.clean(html, tags=set(_TAGS), attributes=_ATTRIBUTES, url_schemes=set(), link_rel=None)


def _text(value: object) -> str:
    if isinstance(value, list):
        value = "".join(part for part in value if isinstance(part, str))
    if not isinstance(value, str):
        return ""
    # Lone surrogates cannot be written to a file.
    return value[:_MAX_TEXT].encode("utf-8", "replace").decode()


def _clean_data(data: object) -> dict[str, str]:
    if not isinstance(data, dict):
        return {}
    clean = {kind: _text(data[kind]) for kind in _TEXTS if isinstance(data.get(kind), str)}
    if isinstance(data.get("text/html"), str):
        clean["text/html"] = clean_html(_text(data["text/html"]))
    for kind in _PICTURES:
        picture = data.get(kind)
        if isinstance(picture, str) and len(picture) < MAX_BYTES and _BASE64.fullmatch(picture):
            clean[kind] = picture
    return clean


def _clean(output: dict[str, Any]) -> dict[str, Any] | None:
    kind = output.get("output_type")
    if kind == "stream":
        name = "stderr" if output.get("name") == "stderr" else "stdout"
        return {"output_type": "stream", "name": name, "text": _text(output.get("text"))}
    if kind == "error":
        lines = output.get("traceback")
        return {
            "output_type": "error",
            "ename": _text(output.get("ename"))[:200],
            "evalue": _text(output.get("evalue"))[:5000],
            "traceback": [_text(line) for line in lines[:1000]] if isinstance(lines, list) else [],
        }
    if kind in ("execute_result", "display_data"):
        data = _clean_data(output.get("data"))
        if not data:  # nothing of it can be shown
            return None
        clean = {"output_type": kind, "data": data, "metadata": {}}
        if kind == "execute_result":
            count = output.get("execution_count")
            clean["execution_count"] = count if type(count) is int and 0 <= count < 10**6 else None
        return clean
    return None


def _size(output: dict[str, Any]) -> int:
    texts = output.get("data", {}).values() if "data" in output else (output.get("text", ""),)
    return sum(map(len, texts)) + sum(map(len, output.get("traceback", ())))


def clean_outputs(outputs: tuple[Any, ...]) -> list[dict[str, Any]]:
    """Return a cell's outputs in nbformat's shape.

    Parameters
    ----------
    outputs : tuple
        Plain data from a room; nothing of it is believed.

    Returns
    -------
    list of dict
        At most `MAX_OUTPUTS`, together at most about `MAX_BYTES`; HTML without scripts, styles and
        addresses, no SVG and no JavaScript.
    """
    kept: list[dict[str, Any]] = []
    left = MAX_BYTES
    for output in outputs[:MAX_OUTPUTS]:
        clean = _clean(output) if isinstance(output, dict) else None
        if clean is None:
            continue
        left -= _size(clean)
        if left < 0:
            note = "[the rest of the output was left out: it is too long]\n"
            kept.append({"output_type": "stream", "name": "stderr", "text": note})
            break
        kept.append(clean)
    return kept
