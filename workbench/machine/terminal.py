"""The user's terminal: size, colours and characters."""

import os
from collections.abc import Mapping
from typing import Any

from workbench.machine.host_facts import Terminal
from workbench.streams import supports_unicode, supports_utf8

TRUE_COLOUR = 1 << 24
_FEW = 8  # for an unknown terminal


def inspect_terminal(environment: Mapping[str, str], stream: Any) -> Terminal:
    """Inspect the stream and the variables; send nothing to the terminal and never raise.

    Args:
        environment: for TERM, COLORTERM, NO_COLOR, the locale, tmux, screen and ssh.
        stream: the output, such as sys.stdout.
    """
    descriptor = _descriptor(stream)
    interactive = descriptor is not None and os.isatty(descriptor)
    size = _size(descriptor)
    return Terminal(
        interactive=interactive,
        columns=size[0],
        rows=size[1],
        colors=_colours(environment, descriptor),
        utf8=supports_utf8(environment) and supports_unicode(stream),
        multiplexer=_multiplexer(environment),
        ssh="SSH_CONNECTION" in environment or "SSH_TTY" in environment,
        name=environment.get("TERM", ""),
    )


def _descriptor(stream: Any) -> int | None:
    try:
        return int(stream.fileno())
    except (OSError, ValueError, AttributeError):  # closed, or not a file
        return None


def _size(descriptor: int | None) -> tuple[int, int]:
    """Return columns and rows; 80 and 24 where they are not known."""
    try:
        columns, rows = os.get_terminal_size(-1 if descriptor is None else descriptor)
    except OSError:
        return 80, 24
    return columns or 80, rows or 24  # a serial line reports 0


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
    """Return the colours in the system's terminal database; None for an unknown terminal.

    A process can look up only one terminal: the first.
    """
    try:
        import curses

        curses.setupterm(name, 1 if descriptor is None else descriptor)
        return max(curses.tigetnum("colors"), 0)
    except Exception:  # no curses in this Python, no such terminal, an invalid name
        return None


def _multiplexer(environment: Mapping[str, str]) -> str:
    if environment.get("TMUX"):
        return "tmux"
    return "screen" if environment.get("STY") else ""
