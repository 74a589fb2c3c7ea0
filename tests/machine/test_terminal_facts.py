"""The user's terminal, from a real pseudo terminal and from variables."""

import io
import json
import os
import pty
import subprocess
import sys
import termios
from collections.abc import Iterator
from typing import Any

import pytest

from workbench.machine import terminal as module
from workbench.machine.host_facts import Terminal
from workbench.machine.terminal import inspect_terminal


@pytest.fixture
def screen() -> Iterator[Any]:
    """The file that a program in a terminal of 132 x 43 writes to."""
    outer, inner = pty.openpty()
    termios.tcsetwinsize(inner, (43, 132))
    with os.fdopen(inner, "w") as stream:
        yield stream
    os.close(outer)


@pytest.fixture
def no_terminfo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_from_terminfo", lambda name, descriptor: None)


def test_a_terminal(screen: Any) -> None:
    environment = {"TERM": "xterm", "COLORTERM": "truecolor", "LANG": "de_DE.UTF-8"}
    assert inspect_terminal(environment, screen) == Terminal(
        interactive=True, columns=132, rows=43, colors=1 << 24, utf8=True, name="xterm"
    )


def test_a_terminal_of_unknown_size(screen: Any) -> None:
    termios.tcsetwinsize(screen.fileno(), (0, 0))
    found = inspect_terminal({}, screen)
    assert (found.interactive, found.columns, found.rows) == (True, 80, 24)


@pytest.mark.parametrize("stream", [io.StringIO(), None, object()])
def test_what_is_no_terminal(stream: Any) -> None:
    assert inspect_terminal({}, stream) == Terminal()


def test_a_closed_file(screen: Any) -> None:
    closed = io.open(os.dup(screen.fileno()), "w")  # noqa: UP020, SIM115 - of a descriptor
    closed.close()
    assert not inspect_terminal({}, closed).interactive


def test_a_file_on_disk(tmp_path: Any) -> None:
    with (tmp_path / "log").open("w") as stream:
        assert not inspect_terminal({"TERM": "xterm"}, stream).interactive


@pytest.mark.usefixtures("no_terminfo")
@pytest.mark.parametrize(
    ("environment", "colours"),
    [
        ({"TERM": "xterm-256color"}, 256),
        ({"TERM": "xterm-kitty"}, 8),
        ({"TERM": "xterm-256color", "COLORTERM": "24bit"}, 1 << 24),
        ({"TERM": "xterm-256color", "COLORTERM": "yes"}, 256),
        ({"TERM": "dumb", "COLORTERM": "truecolor"}, 0),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, 0),
        ({"TERM": "xterm-256color", "NO_COLOR": ""}, 256),
        ({}, 0),
    ],
)
def test_colours(environment: dict[str, str], colours: int, screen: Any) -> None:
    assert inspect_terminal(environment, screen).colors == colours


def test_the_systems_table_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_from_terminfo", lambda name, descriptor: 16)
    assert inspect_terminal({"TERM": "some-256color"}, None).colors == 16


def colours_in_a_process(name: str) -> int | None:
    """A process can look up only one terminal, so each has its own."""
    script = (
        "import json, sys; from workbench.machine.terminal import _from_terminfo; "
        "print(json.dumps(_from_terminfo(sys.argv[1], None)))"
    )
    command = [sys.executable, "-c", script, name]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return None if found is None else int(found)


def test_the_systems_table() -> None:
    assert colours_in_a_process("no-such-terminal") is None
    assert colours_in_a_process("xterm-256color") in (256, None)  # a small host has no database
    assert colours_in_a_process("vt100") in (0, None)


@pytest.mark.parametrize(
    ("environment", "utf8"),
    [
        ({"LANG": "en_US.UTF-8"}, True),
        ({"LANG": "en_US.utf8"}, True),
        ({"LANG": "de_DE.UTF-8@euro"}, True),
        ({"LC_CTYPE": "C.UTF-8"}, True),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "C"}, False),
        ({"LANG": "en_US.UTF-8", "LC_ALL": ""}, True),
        ({"LANG": "en_US.ISO-8859-1", "LC_CTYPE": "en_US.UTF-8"}, True),
        ({"LANG": "en_US"}, False),
        ({}, False),
    ],
)
def test_encodings(environment: dict[str, str], utf8: bool) -> None:
    assert inspect_terminal(environment, None).utf8 is utf8


def test_tmux_screen_and_ssh() -> None:
    def found(**environment: str) -> tuple[str, bool]:
        terminal = inspect_terminal(environment, None)
        return terminal.multiplexer, terminal.ssh

    assert found() == ("", False)
    assert found(TMUX="/tmp/tmux-0/default,1,0", STY="1.pts") == ("tmux", False)
    assert found(STY="1.pts-0.box") == ("screen", False)
    assert found(SSH_CONNECTION="10.0.0.1 5 10.0.0.2 22") == ("", True)
    assert found(SSH_TTY="/dev/pts/0") == ("", True)
