"""What a terminal does beside drawing: clipboard, desktop notifications, its title.

A terminal never says whether it did so. Inside tmux the sequences go no further than tmux allows.
"""

import base64
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence

from workbench.messages import tr

LIMIT = 2.0  # seconds for tmux
BELL = "\a"
PUSH_TITLE, POP_TITLE = "\x1b[22;2t", "\x1b[23;2t"
_NO_SEQUENCES = ("", "dumb", "linux")  # kinds of terminals that may print them
Tmux = Callable[[Sequence[str], str], str | None]


def run_tmux(arguments: Sequence[str], text: str = "") -> str | None:
    """Return what a command of tmux printed, None if it failed or took too long."""
    try:
        done = subprocess.run(
            ["tmux", *arguments],
            input=text.encode("utf-8", "replace"),
            capture_output=True,
            timeout=LIMIT,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace").strip()


def understands(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether the terminal ignores sequences that it does not know."""
    return environment.get("TERM", "") not in _NO_SEQUENCES


def copy_text(
    text: str,
    write: Callable[[str], object],
    environment: Mapping[str, str] = os.environ,
    tmux: Tmux = run_tmux,
) -> str:
    """Put a text into the clipboard of the person's own computer; return how far it can have come.

    Inside tmux it may take a moment: call it in a thread.

    Args:
        text: of any characters; it is encoded.
        write: sends characters to the terminal.
        environment: os.environ.
        tmux: runs a command of tmux with an input.

    Returns:
        A sentence, for example that the terminal may refuse it.
    """
    sequence = f"\x1b]52;c;{base64.b64encode(text.encode('utf-8', 'replace')).decode()}\a"
    if environment.get("TMUX"):
        allowed = tmux(("show", "-gv", "set-clipboard"), "")
        if allowed in ("on", "external") and tmux(("load-buffer", "-w", "-"), text) is not None:
            return tr("Handed to tmux, which passes it on if your terminal takes it.")
        if _passes_through(tmux):
            write(_wrapped(sequence))
            return tr("Sent through tmux; whether your terminal took it cannot be seen.")
        if tmux(("load-buffer", "-"), text) is not None:
            return tr("In tmux's buffer alone, its set-clipboard is off; prefix ] pastes it.")
        return tr("Not copied: tmux does not answer.")
    if not understands(environment):
        return tr("Not copied: this terminal has no clipboard.")
    write(sequence)
    return tr("Sent to your terminal; whether it took it cannot be seen.")


def notification(
    title: str,
    body: str,
    environment: Mapping[str, str] = os.environ,
    tmux: Tmux = run_tmux,
) -> str:
    """Return the sequence that asks for a desktop notification, "" where none can arrive.

    Args:
        title: safe to print; only some terminals show it.
        body: safe to print.
        environment: os.environ.
        tmux: runs a command of tmux.
    """
    if not understands(environment):
        return ""
    term = environment.get("TERM", "")
    if term.startswith(("rxvt", "foot")) or environment.get("VTE_VERSION"):
        sequence = f"\x1b]777;notify;{title.replace(';', ',')};{body}\a"
    else:
        sequence = f"\x1b]9;{body}\a"
    if environment.get("TMUX"):
        return _wrapped(sequence) if _passes_through(tmux) else ""
    return sequence


def title_sequence(title: str) -> str:
    """Return the sequence that sets the terminal's title."""
    return f"\x1b]2;{title}\x1b\\"


def restore_title() -> str:
    """Return the sequence that restores the title of before; "" where it cannot be remembered."""
    return title_sequence("") + POP_TITLE


def _passes_through(tmux: Tmux) -> bool:
    return tmux(("show", "-gv", "allow-passthrough"), "") in ("on", "all")


def _wrapped(sequence: str) -> str:
    return f"\x1bPtmux;{sequence.replace(chr(27), chr(27) * 2)}\x1b\\"
