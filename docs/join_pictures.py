"""Join screenshots into one picture that moves: called by docs/draw_screens.py."""

import re
from pathlib import Path

SECONDS = 3.0  # that each screen is shown
ORDER = ("home", "machine", "data", "strategy", "layers", "train", "results")
_ROOT = re.compile(r'<svg[^>]*viewBox="([^"]+)"')


def join(folder: Path, names: tuple[str, ...] = ORDER) -> str:
    """Return an SVG that shows the pictures of a folder one after the other, forever."""
    pictures = [(folder / f"{name}.svg").read_text("utf-8") for name in names]
    boxes = {_ROOT.search(picture)[1] for picture in pictures}  # type: ignore[index]
    (box,) = boxes  # all of one size
    share = 100 / len(names)
    total = SECONDS * len(names)
    style = (
        "@keyframes turn { 0% { visibility: visible; } "
        f"{share:.4f}% {{ visibility: hidden; }} 100% {{ visibility: hidden; }} }}\n"
        f".turn {{ visibility: hidden; animation: turn {total:g}s step-end infinite; }}\n"
    )
    style += "".join(
        f".turn-{number} {{ animation-delay: {number * SECONDS:g}s; }}\n"
        for number in range(len(names))
    )
    parts = [f'<g class="turn turn-{n}">\n{picture}</g>' for n, picture in enumerate(pictures)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}">\n<style>\n{style}</style>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )
