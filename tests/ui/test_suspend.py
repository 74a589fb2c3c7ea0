"""ctrl+z in the app: the shell has the terminal, and `fg` brings the app back."""

import os
import signal
import sys
from pathlib import Path

import psutil
import pytest
from terminal import APP, PROMPT, Terminal
from waiting import wait_until

NOTHING_YET = "No runs yet"


def open_app(terminal: Terminal) -> psutil.Process:
    terminal.until(PROMPT)
    terminal.types(f"{APP}\n")
    terminal.until(NOTHING_YET)
    return terminal.app()


def assert_stopped(terminal: Terminal, app: psutil.Process) -> None:
    """The shell has the terminal back as it was, and what is typed is for it."""
    terminal.await_state(app, psutil.STATUS_STOPPED)
    terminal.until(PROMPT)
    terminal.types("echo shell-$((40 + 2))\n")
    assert "shell-42" in terminal.until("shell-42")
    terminal.until(PROMPT)


def assert_back(terminal: Terminal, app: psutil.Process) -> None:
    """The app draws all of its screen anew, and takes keys."""
    terminal.until(NOTHING_YET)
    # Output from before a stop from outside may come late: the app takes the terminal after it.
    wait_until(lambda: app.status() != psutil.STATUS_STOPPED and not terminal.is_canonical())
    terminal.types("?")
    terminal.until("concepts")
    terminal.types("\x1b")
    terminal.until(NOTHING_YET)


def test_ctrl_z_gives_the_shell_the_terminal_and_fg_brings_the_app_back(tmp_path: Path) -> None:
    with Terminal(tmp_path) as terminal:
        app = open_app(terminal)
        for _ in range(2):  # what was changed for the first stop is changed for the second
            terminal.types("\x1a")
            assert_stopped(terminal, app)
            terminal.types("fg\n")
            assert_back(terminal, app)


def test_the_app_comes_back_at_the_size_that_the_terminal_has_now(tmp_path: Path) -> None:
    with Terminal(tmp_path, 100, 30) as terminal:
        app = open_app(terminal)
        terminal.types("\x1a")
        assert_stopped(terminal, app)
        terminal.resize(60, 20)
        terminal.types("fg\n")
        terminal.until("The terminal has 60 x 20 cells")
        terminal.resize(100, 30)
        terminal.until(NOTHING_YET)


def test_a_text_field_does_not_keep_ctrl_z(tmp_path: Path) -> None:
    with Terminal(tmp_path) as terminal:
        app = open_app(terminal)
        terminal.types("\x10")  # ctrl+p
        terminal.until("Search for commands")
        terminal.types("\x1a")
        assert_stopped(terminal, app)


@pytest.mark.parametrize("number", [signal.SIGTSTP, signal.SIGSTOP], ids=lambda n: n.name)
def test_a_stop_from_outside_is_one_too(tmp_path: Path, number: signal.Signals) -> None:
    with Terminal(tmp_path) as terminal:
        app = open_app(terminal)
        os.kill(app.pid, number)
        terminal.await_state(app, psutil.STATUS_STOPPED)
        terminal.until(PROMPT)
        terminal.types("fg\n")
        assert_back(terminal, app)


def test_in_the_background_it_waits_for_the_terminal(tmp_path: Path) -> None:
    with Terminal(tmp_path) as terminal:
        app = open_app(terminal)
        terminal.types("\x1a")
        assert_stopped(terminal, app)
        terminal.types("bg\n")
        terminal.until(PROMPT)
        terminal.types("wait %1\n")  # until its state changes
        assert_stopped(terminal, app)
        terminal.types("fg\n")
        assert_back(terminal, app)


def test_a_script_around_the_app_stops_with_it(tmp_path: Path) -> None:
    """Else the script would wait for an app that nobody can bring back."""
    script = tmp_path / "app.sh"
    script.write_text(f"{APP}\necho ended\n")
    with Terminal(tmp_path) as terminal:
        terminal.until(PROMPT)
        terminal.types(f"sh {script}\n")
        terminal.until(NOTHING_YET)
        around = terminal.app()
        app = around.children()[0]
        terminal.types("\x1a")
        assert_stopped(terminal, app)
        assert around.status() == psutil.STATUS_STOPPED
        terminal.types("fg\n")
        assert_back(terminal, app)


@pytest.mark.parametrize("outside", [False, True])
def test_without_a_shell_it_does_not_stop(tmp_path: Path, outside: bool) -> None:
    """Nothing could bring back what is all that a connection or a container runs."""
    command = [sys.executable, "-m", "workbench"]
    with Terminal(tmp_path, command=command) as terminal:
        terminal.until(NOTHING_YET)
        if outside:
            os.kill(terminal.process.pid, signal.SIGTSTP)
        else:
            terminal.types("\x1a")
        terminal.until("There is no shell here")
        terminal.types("?")
        terminal.until("concepts")
