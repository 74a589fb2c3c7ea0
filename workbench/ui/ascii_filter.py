"""What a terminal without UTF-8 is sent: ASCII alone, whoever drew it."""

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from workbench.printable import STAND_INS

# Blocks are drawn as blanks: their ground shows where they are.
_STAND_INS = {**STAND_INS, "🔎": " ", **dict.fromkeys("▁▂▃▄▅▆▇█▉▊▋▌▍▎▏▐▔▕▀", " ")}


def in_ascii(text: str) -> str:
    """The same in ASCII, as many cells wide; a "?" for what has no stand-in."""
    if text.isascii():
        return text
    width = cell_len(text)
    told = (c if c.isascii() else _STAND_INS.get(c, "?") * cell_len(c) for c in text)
    return "".join(told)[:width].ljust(width)


class AsciiFilter(LineFilter):
    """The last step before the terminal, after every widget."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Replaces what is not ASCII."""
        return [Segment(in_ascii(text), style, control) for text, style, control in segments]
