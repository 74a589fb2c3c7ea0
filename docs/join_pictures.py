"""Join screenshots into one picture that moves: called by docs/draw_screens.py."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_ROOT = re.compile(r'<svg[^>]*viewBox="([^"]+)"')


@dataclass(frozen=True)
class Frame:
    """A screenshot as SVG, and the seconds that it is shown."""

    svg: str
    seconds: float


def join(frames: Sequence[Frame]) -> str:
    """Return an SVG that shows the frames one after the other, forever.

    Raises:
        ValueError: they differ in size.
    """
    boxes = {found[1] for frame in frames if (found := _ROOT.search(frame.svg))}
    if len(boxes) != 1:
        raise ValueError(f"screenshots of one size are expected, received {sorted(boxes)}")
    total = sum(frame.seconds for frame in frames)
    style = [f".frame {{ visibility: hidden; animation: {total:g}s step-end infinite; }}"]
    parts, begin = [], 0.0
    for number, frame in enumerate(frames):
        first, last = 100 * begin / total, 100 * (begin + frame.seconds) / total
        hidden = "0% { visibility: hidden; } " if number else ""
        style.append(
            f"@keyframes frame-{number} {{ {hidden}{first:.3f}% {{ visibility: visible; }} "
            f"{last:.3f}% {{ visibility: hidden; }} }}\n"
            f".frame-{number} {{ animation-name: frame-{number}; }}"
        )
        parts.append(f'<g class="frame frame-{number}">\n{frame.svg}</g>')
        begin += frame.seconds
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{boxes.pop()}">',
            "<style>", *style, "</style>", *parts, "</svg>\n",
        ]
    )  # fmt: skip
