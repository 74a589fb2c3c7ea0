"""Which pictures the terminal draws: asked of it within a time limit; half blocks on any doubt."""

import fcntl
import os
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from workbench.errors import UserError
from workbench.machine.terminal import is_utf8
from workbench.messages import tr
from workbench.text import safe_text

VARIABLE = "WORKBENCH_GRAPHICS"
CHOICES = ("auto", "kitty", "sixel", "iterm2", "blocks")
LIMIT = 0.3  # seconds from the questions to the last answer
SSH_BYTES = 256 * 1024  # of a picture; about a second over 2 Mbit/s
USUAL_CELL = (10, 20)  # width and height in pixels, of the VT340 and of sixel emulators
_MOST_READ = 1 << 16  # bytes; no terminal answers more
_MIN_KITTY = (0, 28)  # the first with placeholders
_TMUX_FORMAT = "\t".join(
    f"#{{{name}}}"
    for name in ("allow-passthrough", "client_termtype", "client_termname", "client_termfeatures")
)
# The questions: a picture of kitty that is not stored, name, size of a cell, sixel's colors, and
# last the attributes, which every terminal answers. Then what one printed instead is erased.
QUESTIONS = b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[>0q\x1b[16t\x1b[?1;1;0S\x1b[c\r\x1b[K"
_KITTY = re.compile(r"\x1b_Gi=31;(?P<kitty>[^\x1b]{0,200})\x1b\\")
_NAME = re.compile(r"\x1bP>\|([^\x1b]{0,200})\x1b\\")
_CELL = re.compile(r"\x1b\[6;(\d{1,4});(\d{1,4})t")
_COLORS = re.compile(r"\x1b\[\?1;0;(\d{1,7})S")
_ATTRIBUTES = re.compile(r"\x1b\[\?([\d;]{0,100})c")
ANSWER = re.compile(
    r"\x1b_G[^\x1b]{0,200}\x1b\\|\x1bP>\|[^\x1b]{0,200}\x1b\\|"
    r"\x1b\[6;[\d;]{1,20}t|\x1b\[[?>=][\d;]{0,100}[Sc]"
)
_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[_P\]^X][^\x1b\x07]*(?:\x1b\\|\x07))")
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
        max_bytes: of a picture as it is sent; 0 for no limit.
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
    colors, attributes = _COLORS.search(text), _ATTRIBUTES.search(text)
    return Answers(
        frozenset(attributes[1].split(";")) if attributes else None,
        kitty is not None and kitty[1] == "OK",
        name[1] if name else "",
        _valid_cell(int(cell[2]), int(cell[1])) if cell else None,
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
        facts: what tmux made of `_TMUX_FORMAT`; "" if it did not answer.
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
    if not is_utf8(environment):
        return replace(graphics, protocol="blocks", reason=tr("kitty, but the locale is no UTF-8"))
    if environment.get("NO_COLOR"):
        return replace(graphics, protocol="blocks", reason=tr("kitty, but NO_COLOR is set"))
    return graphics


def _says(name: str) -> str:
    return tr("the terminal ({name}) says so", name=name)


def _name_in(environment: Mapping[str, str]) -> str:
    """Return the terminal's name; iTerm2 sets LC_TERMINAL, which ssh carries over."""
    return environment.get("LC_TERMINAL") or environment.get("TERM_PROGRAM", "")


def _valid_cell(width: int, height: int) -> tuple[int, int] | None:
    """Return a size of a cell in pixels if it can be one."""
    return (width, height) if 2 <= width <= 200 and 4 <= height <= 400 else None


def pass_through_tmux(sequences: str) -> str:
    """Wrap each sequence of kitty so that tmux gives it to its own terminal."""
    parts = sequences.split("\x1b\\")[:-1]
    return "".join(f"\x1bPtmux;\x1b{part}\x1b\x1b\\\x1b\\" for part in parts)


def read_cell(descriptor: int) -> tuple[int, int] | None:
    """Return width and height of a cell in pixels as the kernel knows them, None if it does not."""
    try:
        size = fcntl.ioctl(descriptor, termios.TIOCGWINSZ, bytes(8))
    except OSError:
        return None
    rows, columns, width, height = struct.unpack("HHHH", size)
    return _valid_cell(width // columns, height // rows) if rows and columns else None


def _ask_tmux() -> str:
    """Return what tmux knows; "" if it does not answer in time."""
    command = ["tmux", "display-message", "-p", "-t", os.environ.get("TMUX_PANE", ""), _TMUX_FORMAT]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace")


class TerminalProbe:
    """Asks the terminal in a `with` block, at whose end its mode is as before.

    The questions are sent at the beginning of the block, so that slow imports in the block cost no
    more time than the answers do.

    Args:
        environment: os.environ.
        source: file of the terminal's input, such as sys.stdin.
        output: file of its output.
        low_bandwidth: whether a person has asked for few bytes; nothing is asked then.
        limit: seconds from the questions to the last answer.
        clock: in seconds.
        ask_tmux: returns `_TMUX_FORMAT` filled in.

    Attributes:
        unread: characters that came but are no answers: keys that a person typed, and perhaps the
            beginning of an answer.
        silent: whether answers may still arrive.

    Raises:
        UserError: the variable has a value that is not in `CHOICES`.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        source: Any,
        output: Any,
        low_bandwidth: bool = False,
        limit: float = LIMIT,
        clock: Callable[[], float] = time.monotonic,
        ask_tmux: Callable[[], str] = _ask_tmux,
    ) -> None:
        self._environment = environment
        self._source, self._output = _descriptor(source), _descriptor(output)
        self._limit, self._clock, self._ask_tmux = limit, clock, ask_tmux
        self._low_bandwidth = low_bandwidth
        self._mode: list[Any] | None = None
        self._asked_at = 0.0
        self.unread = ""
        self.silent = False
        self._found = self._without_asking()

    def __enter__(self) -> Self:
        """Send the questions, if there is anything to ask."""
        if self._found is None:
            try:
                self._mode = termios.tcgetattr(self._source)
                quiet = list(self._mode)
                quiet[0] &= ~termios.ICRNL  # enter stays what it is in the app
                quiet[3] &= ~(termios.ECHO | termios.ICANON)
                termios.tcsetattr(self._source, termios.TCSANOW, quiet)
                self._asked_at = self._clock()
                os.write(self._output, QUESTIONS)
            except (OSError, termios.error):
                self.__exit__()
                self._found = Graphics(reason=tr("the terminal cannot be asked"))
        return self

    def __exit__(self, *_: object) -> None:
        """Restore the mode of the terminal."""
        if self._mode is not None:
            mode, self._mode = self._mode, None
            try:
                termios.tcsetattr(self._source, termios.TCSANOW, mode)
            except (OSError, termios.error):  # it is gone, and its mode with it
                return

    def graphics(self) -> Graphics:
        """Return how to draw; wait for the answers until the time limit, once."""
        if self._found is None:
            answers = parse_answers(text := self._read())
            self.silent = answers.attributes is None
            self.unread = _SEQUENCE.sub("", text)
            cell = read_cell(self._output)
            self._found = choose_graphics(
                replace(answers, cell=answers.cell or cell), self._environment
            )
        limit = SSH_BYTES if self._over_ssh else 0
        return replace(self._found, max_bytes=limit)

    @property
    def _over_ssh(self) -> bool:
        return "SSH_CONNECTION" in self._environment or "SSH_TTY" in self._environment

    def _read(self) -> str:
        content = b""
        while len(content) < _MOST_READ:
            left = max(0.0, self._asked_at + self._limit - self._clock())
            if not select.select([self._source], [], [], left)[0]:
                break
            try:
                content += (part := os.read(self._source, 4096))
            except OSError:
                break
            if not part or _ATTRIBUTES.search(content.decode("utf-8", "replace")):
                break
        return content.decode("utf-8", "replace")

    def _without_asking(self) -> Graphics | None:
        """Return the graphics where nothing has to be asked, else None."""
        given = self._environment.get(VARIABLE, "").strip().lower() or "auto"
        if given not in CHOICES:
            raise UserError(
                tr(
                    "{variable} is {given}, which is no kind of graphics.",
                    variable=VARIABLE, given=safe_text(given, 40),
                ),
                tr("Use one of {choices}.", choices=", ".join(CHOICES)),
            )  # fmt: skip
        tmux = bool(self._environment.get("TMUX"))
        if given != "auto":
            cell = read_cell(self._output) or USUAL_CELL
            reason = f"{VARIABLE}={given}"
            return Graphics(given, reason, cell, tmux=tmux and given == "kitty")  # type: ignore[arg-type]
        if refusal := self._refusal():
            return Graphics(reason=refusal)
        if tmux:
            found = graphics_in_tmux(self._ask_tmux(), self._environment)
            return replace(found, cell=read_cell(self._output) or USUAL_CELL)
        return None

    def _refusal(self) -> str:
        """Return why this terminal is not even asked, "" if it is."""
        environment = self._environment
        term = environment.get("TERM", "")
        if not (_is_ours(self._source) and _is_ours(self._output)):
            return tr("not a terminal")
        if self._low_bandwidth:
            return tr("--low-bandwidth")
        if environment.get("CI"):
            return tr("CI is set")
        if term in ("", "dumb", "unknown", "linux"):
            return tr("TERM={term} draws none", term=term)
        if environment.get("STY"):
            return tr("screen draws none")
        if environment.get("TERM_PROGRAM") == "Apple_Terminal":  # it prints what it does not know
            return tr("Apple's Terminal draws none")
        return ""


def _descriptor(file: Any) -> int:
    try:
        return int(file.fileno())
    except (OSError, ValueError, AttributeError):  # closed, or not a file
        return -1


def _is_ours(descriptor: int) -> bool:
    """Return whether it is a terminal and this process is in its foreground."""
    try:
        return os.isatty(descriptor) and os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        return False
