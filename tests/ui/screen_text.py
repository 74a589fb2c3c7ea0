"""A screen as text: its characters, and below them the styles of each row, to be read in a diff.

A row of styles is `row  from-to style | from-to style`, with the names of theme variables:
`03  0-9 bold primary on panel | 20-31 warning 60%`. Cells in the default style are left out. A
picture of half blocks is one run with a checksum of its colors.
"""

import zlib
from collections.abc import Iterator
from itertools import groupby

from rich.segment import Segment
from rich.style import Style
from textual.app import App
from textual.color import Color
from textual.screen import Screen

NAMES = (
    "background", "foreground", "panel", "surface", "primary", "secondary", "accent", "success",
    "warning", "error", "block-cursor-background",
)  # fmt: skip
GROUNDS = ("background", "panel", "surface")
SHARES = (5, 10, 20, 30, 38, 50, 60, 66, 80)  # of a color over another, in percent
ATTRIBUTES = ("bold", "dim", "italic", "underline", "reverse", "strike")
HALF_BLOCKS = {"▀", "▄"}


def lines(screen: Screen[None]) -> list[str]:
    """Return the lines of a screen as a terminal shows them."""
    return [strip.text for strip in screen._compositor.render_strips()]


def screen_text(app: App[None]) -> str:
    """Return characters and styles."""
    names = color_names(app)
    rows = []
    for number, strip in enumerate(app.screen._compositor.render_strips()):
        runs = [f"{first}-{last} {name}" for first, last, name in styled_runs(strip, names)]
        if runs:
            rows.append(f"{number:02}  {' | '.join(runs)}")
    text = [line.rstrip() for line in lines(app.screen)]
    return "\n".join([*text, "-" * 80, *rows]) + "\n"


def color_names(app: App[None]) -> dict[str, str]:
    """Return names of the theme's colors, and of their blends, by their hexadecimal values."""
    variables = app.theme_variables
    ground = Color.parse(variables["background"])
    solid = {name: theme_color(variables[name], ground) for name in NAMES}
    tint = ground.blend(solid["foreground"], 0.05)  # of lists
    grounds = [*(solid[name] for name in GROUNDS), tint]
    found: dict[str, str] = {}
    for name, color in solid.items():
        found.setdefault(color.hex6, name)
    for below in grounds:
        for name, color in solid.items():
            for share in SHARES if name not in GROUNDS else ():
                found.setdefault(below.blend(color, share / 100).hex6, f"{name} {share}%")
    for name, value in variables.items():
        if value.startswith("#") and len(value) == 7:
            found.setdefault(value.upper(), name)
    return found


def theme_color(value: str, ground: Color) -> Color:
    """Return the color of a theme variable, "#5fafd7" or "#5fafd7 30%", over a ground."""
    color, _, share = value.partition(" ")
    return ground.blend(Color.parse(color), int(share.rstrip("%")) / 100 if share else 1.0)


def styled_runs(strip: list[Segment], names: dict[str, str]) -> Iterator[tuple[int, int, str]]:
    """Yield first cell, last cell and style of each run that is not in the default style."""
    cells = [
        (style_name(segment, names), character)
        for segment in strip
        for character in segment.text
        for _ in range(max(Segment(character).cell_length, 0))
    ]
    at = 0
    for picture, group in groupby(cells, key=lambda cell: is_picture(*cell)):
        found = list(group)
        if picture:
            colors = zlib.crc32(" ".join(name for name, _ in found).encode())
            yield at, at + len(found) - 1, f"picture {colors:08x}"
            at += len(found)
            continue
        for name, run in groupby(found, key=lambda cell: cell[0]):
            count = len(list(run))
            if name:
                yield at, at + count - 1, name
            at += count


def is_picture(style: str, character: str) -> bool:
    """Return whether a cell belongs to a picture: two colors of an image."""
    return character in HALF_BLOCKS and style.count("#") == 2


def style_name(segment: Segment, names: dict[str, str]) -> str:
    """Return the style of a segment by names of the theme; "" for the default."""
    style = segment.style or Style()
    words = [name for name in ATTRIBUTES if getattr(style, name)]
    front, back = (color_name(color, names) for color in (style.color, style.bgcolor))
    if front and front != "foreground" and segment.text.strip():
        words.append(front)
    if back and back != "background":
        words.append(f"on {back}")
    return " ".join(words)


def color_name(color: object, names: dict[str, str]) -> str:
    """Return the name of a color, or its hexadecimal value."""
    triplet = getattr(color, "triplet", None)
    if triplet is None:
        return getattr(color, "name", "")
    value = triplet.hex.upper()
    return names.get(value, value)
