"""Asking the terminal which pictures it draws, within a time limit."""

import fcntl
import os
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Self

from workbench.errors import UserError
from workbench.machine.terminal_graphics import (
    ATTRIBUTES,
    LIMIT,
    TMUX_FACTS,
    USUAL_CELL,
    Graphics,
    choose_graphics,
    graphics_in_tmux,
    parse_answers,
    valid_cell,
)
from workbench.messages import tr
from workbench.text import safe_text

VARIABLE = "WORKBENCH_GRAPHICS"
CHOICES = ("auto", "kitty", "sixel", "iterm2", "blocks")
SSH_BYTES = 256 * 1024  # of pictures that fill a small terminal; about a second over 2 Mbit/s
_MOST_READ = 1 << 16  # bytes; no terminal answers more
# The questions: a picture of kitty that is not stored, name, size of a cell, sixel's colors, and
# last the attributes, which every terminal answers. Then what one printed instead is erased.
QUESTIONS = b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[>0q\x1b[16t\x1b[?1;1;0S\x1b[c\r\x1b[K"
_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[_P\]^X][^\x1b\x07]*(?:\x1b\\|\x07))")


def read_cell(descriptor: int) -> tuple[int, int] | None:
    """Return width and height of a cell in pixels as the kernel knows them, None if it does not."""
    try:
        size = fcntl.ioctl(descriptor, termios.TIOCGWINSZ, bytes(8))
    except OSError:
        return None
    rows, columns, width, height = struct.unpack("HHHH", size)
    return valid_cell(width // columns, height // rows) if rows and columns else None


def _ask_tmux() -> str:
    """Return what tmux knows; "" if it does not answer in time."""
    command = ["tmux", "display-message", "-p", "-t", os.environ.get("TMUX_PANE", ""), TMUX_FACTS]
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
        ask_tmux: returns `TMUX_FACTS` filled in.

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
        return any(self._environment.get(name) for name in ("SSH_CONNECTION", "SSH_TTY"))

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
            if not part or ATTRIBUTES.search(content.decode("utf-8", "replace")):
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
