"""What the person looks at: size, colours and letters of the terminal."""

import os
from collections.abc import Mapping
from typing import Any

from workbench.machine.facts import Terminal
from workbench.printable import encodes_all

TRUE_COLOUR = 1 << 24
_FEW = 8  # what a terminal that nobody knows can be trusted with


def look_at_terminal(environment: Mapping[str, str], stream: Any) -> Terminal:
    """Asks the stream and the variables; sends nothing to the terminal and never raises.

    Args:
        environment: for TERM, COLORTERM, NO_COLOR, the locale, tmux, screen and ssh.
        stream: where is written, such as sys.stdout.
    """
    descriptor = _descriptor(stream)
    interactive = descriptor is not None and os.isatty(descriptor)
    size = _size(descriptor)
    return Terminal(
        interactive=interactive,
        columns=size[0],
        rows=size[1],
        colors=_colours(environment, descriptor),
        utf8=_is_utf8(environment) and encodes_all(stream),
        multiplexer=_multiplexer(environment),
        ssh="SSH_CONNECTION" in environment or "SSH_TTY" in environment,
        name=environment.get("TERM", ""),
    )


def _descriptor(stream: Any) -> int | None:
    try:
        return int(stream.fileno())
    except (OSError, ValueError, AttributeError):  # closed, or no file at all
        return None


def _size(descriptor: int | None) -> tuple[int, int]:
    """Columns and rows; 80 and 24 where they are not told."""
    try:
        columns, rows = os.get_terminal_size(-1 if descriptor is None else descriptor)
    except OSError:
        return 80, 24
    return columns or 80, rows or 24  # a serial line says 0


def _colours(environment: Mapping[str, str], descriptor: int | None) -> int:
    name = environment.get("TERM", "")
    if environment.get("NO_COLOR") or name in ("", "dumb", "unknown"):
        return 0
    if environment.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return TRUE_COLOUR
    known = _from_terminfo(name, descriptor)
    if known is not None:
        return known
    return 256 if "256color" in name else _FEW


def _from_terminfo(name: str, descriptor: int | None) -> int | None:
    """The colours in the system's table of terminals; None where it does not hold this one.

    A process can look up one terminal only: the first.
    """
    try:
        import curses

        curses.setupterm(name, 1 if descriptor is None else descriptor)
        return max(curses.tigetnum("colors"), 0)
    except Exception:  # no curses in this Python, no such terminal, a name that is none
        return None


def _is_utf8(environment: Mapping[str, str]) -> bool:
    """By the first of the variables that is set, as the C library decides.

    Python itself sets LC_CTYPE at its start where they name no language, so that it counts here.
    """
    names = ("LC_ALL", "LC_CTYPE", "LANG")
    locale = next(filter(None, map(environment.get, names)), "")
    coding = locale.partition(".")[2].partition("@")[0]
    return coding.lower().replace("-", "") == "utf8"


def _multiplexer(environment: Mapping[str, str]) -> str:
    if environment.get("TMUX"):
        return "tmux"
    return "screen" if environment.get("STY") else ""
