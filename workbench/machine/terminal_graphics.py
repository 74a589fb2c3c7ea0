"""Which pictures a terminal draws, from its answers: half blocks on any doubt."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from workbench.messages import tr
from workbench.streams import supports_utf8
from workbench.text import safe_text

LIMIT = 0.3  # seconds from the questions to the last answer
USUAL_CELL = (10, 20)  # width and height in pixels, of the VT340 and of sixel emulators
TMUX_FACTS = "\t".join(
    f"#{{{name}}}"
    for name in ("allow-passthrough", "client_termtype", "client_termname", "client_termfeatures")
)
_MIN_KITTY = (0, 28)  # the first with placeholders
_KITTY = re.compile(r"\x1b_Gi=31;(?P<kitty>[^\x1b]{0,200})\x1b\\")
_NAME = re.compile(r"\x1bP>\|([^\x1b]{0,200})\x1b\\")
_CELL = re.compile(r"\x1b\[6;(\d{1,4});(\d{1,4})t")
_COLORS = re.compile(r"\x1b\[\?1;0;(\d{1,7})S")
ATTRIBUTES = re.compile(r"\x1b\[\?([\d;]{0,100})c")
ANSWER = re.compile(
    r"\x1b_G[^\x1b]{0,200}\x1b\\|\x1bP>\|[^\x1b]{0,200}\x1b\\|"
    r"\x1b\[6;[\d;]{1,20}t|\x1b\[[?>=][\d;]{0,100}[Sc]"
)
# The beginning of an answer at the end of what was read.
ANSWER_BEGUN = re.compile(
    r"\x1b(?:_(?:G[^\x1b]{0,200}\x1b?)?|P(?:>(?:\|[^\x1b]{0,200}\x1b?)?)?|"
    r"\[(?:6(?:;[\d;]{0,20})?|[?>=][\d;]{0,100})?)?\Z"
)

Protocol = Literal["kitty", "sixel", "iterm2", "blocks"]


@dataclass(frozen=True)
class Graphics:
    """How pictures are drawn.

    Attributes:
        protocol: of the terminal; "blocks" for half blocks of text.
        reason: why, for a person.
        cell: width and height of a cell in pixels.
        colors: that a sixel picture may have.
        max_bytes: of pictures that fill 80 x 24 cells as they are sent, a smaller one has its
            share; 0 for no limit.
        tmux: whether sequences must pass through tmux.
    """

    protocol: Protocol = "blocks"
    reason: str = ""
    cell: tuple[int, int] = USUAL_CELL
    colors: int = 256
    max_bytes: int = 0
    tmux: bool = False

    def describe(self) -> str:
        """Return protocol, size of a cell, and reason."""
        if self.protocol == "blocks":
            return tr("half blocks: {reason}", reason=self.reason)
        width, height = self.cell
        name = {"kitty": "kitty", "sixel": "sixel", "iterm2": "iTerm2"}[self.protocol]
        return tr(
            "{name}, {width}x{height} pixels a cell: {reason}",
            name=name, width=width, height=height, reason=self.reason,
        )  # fmt: skip


@dataclass(frozen=True)
class Answers:
    """What a terminal said about itself.

    Attributes:
        attributes: of DA1, of which 4 is sixel; None if it did not answer in time.
        kitty: whether it would have drawn the picture.
        name: of the terminal, with its version; "" if it did not say.
        cell: width and height in pixels; None if it did not say.
        colors: of sixel's palette; 256 if it did not say.
    """

    attributes: frozenset[str] | None = None
    kitty: bool = False
    name: str = ""
    cell: tuple[int, int] | None = None
    colors: int = 256


def parse_answers(text: str) -> Answers:
    """Read the answers in what came from a terminal; what is none is ignored."""
    kitty, name, cell = _KITTY.search(text), _NAME.search(text), _CELL.search(text)
    colors, attributes = _COLORS.search(text), ATTRIBUTES.search(text)
    return Answers(
        frozenset(attributes[1].split(";")) if attributes else None,
        kitty is not None and kitty[1] == "OK",
        name[1] if name else "",
        valid_cell(int(cell[2]), int(cell[1])) if cell else None,
        min(max(int(colors[1]), 2), 256) if colors else 256,
    )


def choose_graphics(answers: Answers, environment: Mapping[str, str]) -> Graphics:
    """Return how to draw on a terminal that gave these answers."""
    if answers.attributes is None:
        return Graphics(reason=tr("the terminal did not answer within {limit} s", limit=LIMIT))
    name = answers.name or _name_in(environment)
    shown = safe_text(name, 40) if name else tr("without a name")
    found = Graphics(
        reason=tr("the terminal ({name}) draws none of kitty, sixel, iTerm2", name=shown),
        cell=answers.cell or USUAL_CELL,
        colors=answers.colors,
    )
    known = name.lower()
    if known.startswith(("tmux", "screen")):
        return replace(found, reason=tr("{name} of another machine is in between", name=shown))
    # WezTerm and Konsole answer kitty's question but know no placeholders, so its name counts too.
    if answers.kitty and has_placeholders(name):
        return _if_colors_arrive(replace(found, protocol="kitty", reason=_says(shown)), environment)
    if known.startswith(("iterm", "wezterm")):
        return replace(found, protocol="iterm2", reason=_says(shown))
    if "4" in answers.attributes and answers.cell is not None:
        return replace(found, protocol="sixel", reason=_says(shown))
    if "4" in answers.attributes:
        return replace(found, reason=tr("sixel, but the size of a cell in pixels is not known"))
    return found


def has_placeholders(name: str) -> bool:
    """Return whether a terminal of this name shows kitty's pictures by placeholders."""
    if "ghostty" in name.lower():
        return True
    version = re.match(r"(?:xterm-)?kitty(?:\D+(\d{1,4})\.(\d{1,4}))?", name)
    return version is not None and (
        version[1] is None or (int(version[1]), int(version[2])) >= _MIN_KITTY
    )


def graphics_in_tmux(facts: str, environment: Mapping[str, str]) -> Graphics:
    """Return how to draw through tmux: by kitty's placeholders, which tmux holds as text.

    Sixel and iTerm2 draw at the cursor of tmux's own terminal, which is anywhere.

    Args:
        facts: what tmux made of `TMUX_FACTS`; "" if it did not answer.
        environment: of this process.
    """
    passthrough, kind, name, features = (*facts.strip("\n").split("\t"), "", "", "")[:4]
    shown = safe_text(kind or name or "?", 40)
    if passthrough not in ("1", "2", "on", "all"):
        return Graphics(reason=tr("tmux: run `tmux set -g allow-passthrough on`, if it knows that"))
    if not has_placeholders(kind or name):
        return Graphics(reason=tr("tmux: its own terminal ({name}) is no kitty", name=shown))
    if "RGB" not in features.split(","):
        return Graphics(
            reason=tr("tmux: run `tmux set -as terminal-features ',*:RGB'` and attach again")
        )
    graphics = Graphics("kitty", tr("through tmux to {name}", name=shown), tmux=True)
    return _if_colors_arrive(graphics, environment)


def _if_colors_arrive(graphics: Graphics, environment: Mapping[str, str]) -> Graphics:
    """Return half blocks where placeholders would lose their marks or colors."""
    if not supports_utf8(environment):
        return replace(graphics, protocol="blocks", reason=tr("kitty, but the locale is no UTF-8"))
    if environment.get("NO_COLOR"):
        return replace(graphics, protocol="blocks", reason=tr("kitty, but NO_COLOR is set"))
    return graphics


def _says(name: str) -> str:
    return tr("the terminal ({name}) says so", name=name)


def _name_in(environment: Mapping[str, str]) -> str:
    """Return the terminal's name; iTerm2 sets LC_TERMINAL, which ssh carries over."""
    return environment.get("LC_TERMINAL") or environment.get("TERM_PROGRAM", "")


def valid_cell(width: int, height: int) -> tuple[int, int] | None:
    """Return a size of a cell in pixels if it can be one."""
    return (width, height) if 2 <= width <= 200 and 4 <= height <= 400 else None


def pass_through_tmux(sequences: str) -> str:
    """Wrap each sequence of kitty so that tmux gives it to its own terminal."""
    parts = sequences.split("\x1b\\")[:-1]
    return "".join(f"\x1bPtmux;\x1b{part}\x1b\x1b\\\x1b\\" for part in parts)
