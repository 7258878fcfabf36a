"""Draws a comparison: expected, yours and their difference, with the worst pixel ringed, as inline SVG."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup
from PIL import Image

from fairmark.results import NOT_FINITE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairmark.results import Comparison

_SIDE = 200.0  # the longer side of an image, in the drawing's units
_MARGIN = 30.0
_SPACE = 46.0  # below an image: its scale
_NOT_A_NUMBER = (200, 0, 120)
# brown for too dark, white for no difference, purple for too bright: told apart by the colour-blind, too
_DIVERGING = ((118, 58, 6), (232, 160, 66), (247, 247, 247), (164, 150, 208), (52, 12, 92))


@dataclass(frozen=True, slots=True)
class _Scale:
    """What the colours of a panel stand for."""

    palette: tuple[int, ...]
    low: str
    middle: str
    high: str
    unit: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One of the three pictures."""

    title: str
    svg: Markup


@dataclass(frozen=True, slots=True)
class Picture:
    """Three panels, how to read them, and the numbers around the worst pixel."""

    panels: tuple[Panel, ...]
    legend: str
    columns: tuple[int, ...]
    rows: tuple[tuple[int, tuple[tuple[str, str, bool], ...]], ...]


def draw(comparison: Comparison) -> Picture:
    """Return a comparison as three drawings on shared scales."""
    middle = (comparison.low + comparison.high) / 2
    grey = _Scale(_greys(), f"{comparison.low:.4g}", f"{middle:.4g}", f"{comparison.high:.4g}", "grey value")
    same = replace(grey, unit="grey value, same scale")
    span = f"{comparison.span:.4g}"
    colour = _Scale(_colours(), f"\N{MINUS SIGN}{span}", "0", span, "difference, 0 is none")
    panels = (
        Panel("Expected", _panel(comparison, "expected", grey, "The expected image")),
        Panel("Yours", _panel(comparison, "actual", same, "Your image")),
        Panel(
            "Yours \N{MINUS SIGN} expected",
            _panel(comparison, "difference", colour, "The difference of both images"),
        ),
    )
    return Picture(panels, _legend(comparison), *_table(comparison))


def _levels(comparison: Comparison, name: str) -> NDArray[np.uint8]:
    levels = np.frombuffer(comparison.levels(name), dtype=np.uint8)
    return levels.reshape(comparison.rows, comparison.columns)


def _legend(comparison: Comparison) -> str:
    words = [
        (
            f"Expected and yours share one grey scale, {comparison.low:.4g} to {comparison.high:.4g}. In the "
            "difference white is the same, brown is too dark, purple is too bright. The ring marks the "
            f"largest difference, at {_tell_place(comparison.worst)}."
        )
    ]
    if len(comparison.shape) > 2:
        place = ", ".join(map(str, comparison.worst[:-2]))
        words.append(f"Slice {place} of the stack is shown.")
    if max(comparison.shape[-2:]) > max(comparison.rows, comparison.columns):
        words.append("The pictures are made smaller; no difference is lost by that.")
    if NOT_FINITE in comparison.levels("actual"):
        words.append("Pink pixels are not a number, or infinite.")
    return " ".join(words)


def _tell_place(index: tuple[int, ...]) -> str:
    if len(index) == 1:
        return f"position {index[0]}"
    return f"row {index[-2]}, column {index[-1]}"


def _table(
    comparison: Comparison,
) -> tuple[tuple[int, ...], tuple[tuple[int, tuple[tuple[str, str, bool], ...]], ...]]:
    top, left = comparison.corner
    row, column = (comparison.worst if len(comparison.worst) > 1 else (0, *comparison.worst))[-2:]
    rows = tuple(
        (
            top + i,
            tuple(
                (wanted, given, (top + i, left + j) == (row, column))
                for j, (wanted, given) in enumerate(zip(*pair, strict=True))
            ),
        )
        for i, pair in enumerate(zip(comparison.expected_numbers, comparison.actual_numbers, strict=True))
    )
    return tuple(range(left, left + len(comparison.expected_numbers[0]))), rows


# --- drawing -----------------------------------------------------------------------------------------------


def _panel(comparison: Comparison, name: str, scale: _Scale, words: str) -> Markup:
    rows, columns = (1, *comparison.shape)[-2:]
    longer = max(rows, columns)
    height, width = max(rows / longer * _SIDE, 16.0), max(columns / longer * _SIDE, 16.0)
    row, column = (0, *comparison.worst)[-2:]
    x, y = (_SIDE - width) / 2 + _MARGIN + 6, 12.0
    ring = x + (column + 0.5) / columns * width, y + (row + 0.5) / rows * height
    total = y + height + _SPACE
    wide = _SIDE + _MARGIN + 24
    left, below = _MARGIN + 26, y + height + 24
    middle = _MARGIN + 6 + _SIDE / 2
    bar = _SIDE - 40
    said = f"{words}, {rows} by {columns} pixels, {scale.low} to {scale.high}"
    said = f"{said}; ring at {_tell_place(comparison.worst)}"
    text = '<text x="{}" y="{}" text-anchor="{}">{}</text>'
    pieces = [
        f'<svg viewBox="0 0 {wide:g} {total + 14:g}" role="img" aria-label="{Markup.escape(said)}">',
        _image(_png(_levels(comparison, name), scale.palette), x, y, width, height),
        f'<rect class="frame" x="{x:.1f}" y="{y:g}" width="{width:.1f}" height="{height:.1f}"/>',
        text.format(f"{x - 4:.1f}", f"{y + 8:g}", "end", 0),
        text.format(f"{x - 4:.1f}", f"{y + height:.1f}", "end", rows - 1) if rows > 1 else "",
        text.format(f"{x:.1f}", f"{y + height + 12:.1f}", "start", 0),
        text.format(f"{x + width:.1f}", f"{y + height + 12:.1f}", "end", columns - 1) if columns > 1 else "",
        *(
            f'<circle class="{kind}" cx="{ring[0]:.1f}" cy="{ring[1]:.1f}" r="7"/>'
            for kind in ("halo", "ring")
        ),
        _image(_scale_png(scale.palette), left, below, bar, 8),
        f'<rect class="frame" x="{left:g}" y="{below:.1f}" width="{bar:g}" height="8"/>',
        text.format(f"{left:g}", f"{below + 19:.1f}", "middle", scale.low),
        text.format(f"{middle:g}", f"{below + 19:.1f}", "middle", scale.middle),
        text.format(f"{left + bar:g}", f"{below + 19:.1f}", "middle", scale.high),
        text.format(f"{middle:g}", f"{below + 32:.1f}", "middle", scale.unit),
        "</svg>",
    ]
    return Markup("".join(pieces))  # noqa: S704 - numbers and words of our own


def _image(png: str, x: float, y: float, width: float, height: float) -> str:
    return (
        f'<image x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'preserveAspectRatio="none" href="data:image/png;base64,{png}"/>'
    )


@lru_cache(maxsize=8)  # the scales are the same on every page
def _scale_png(palette: tuple[int, ...]) -> str:
    return _png(np.arange(NOT_FINITE, dtype=np.uint8)[np.newaxis], palette)


def _png(levels: NDArray[np.uint8], palette: tuple[int, ...]) -> str:
    image = Image.frombytes("P", (levels.shape[1], levels.shape[0]), levels.tobytes())
    image.putpalette(palette)
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode("ascii")


@cache
def _greys() -> tuple[int, ...]:
    levels = np.rint(np.linspace(0, 255, NOT_FINITE)).astype(int)
    return (*np.repeat(levels, 3).tolist(), *_NOT_A_NUMBER)


@cache
def _colours() -> tuple[int, ...]:
    places = np.linspace(0, NOT_FINITE - 1, len(_DIVERGING))
    channels = [
        np.interp(np.arange(NOT_FINITE), places, channel) for channel in zip(*_DIVERGING, strict=True)
    ]
    return (*np.rint(np.stack(channels, axis=1)).astype(int).ravel().tolist(), *_NOT_A_NUMBER)
