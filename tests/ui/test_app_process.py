"""The app as a process: what it imports, its size, where it opens, and how it ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from terminal import APP, PROMPT, Terminal

WORKBENCH = [sys.executable, "-m", "workbench"]
NOTHING_YET = "No runs yet"


def test_opening_the_app_imports_no_training() -> None:
    script = (
        "import sys\n"
        "import workbench.ui.app, workbench.ui.home, workbench.cli.group\n"
        "heavy = {'tensorflow', 'keras', 'sklearn', 'torch', 'jax', 'scipy', 'plotext', 'numpy',\n"
        "         'markdown_it'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_without_a_terminal_help_is_printed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "workbench"],
        cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert done.returncode == 0
    assert "Usage: workbench" in done.stdout


def test_a_hang_up_ends_the_app(tmp_path: Path) -> None:
    """The terminal goes away, as when ssh breaks off: nothing is left running."""
    with Terminal(tmp_path, 80, 24, WORKBENCH) as terminal:
        terminal.until(NOTHING_YET)
        assert terminal.hang_up() == 128 + signal.SIGHUP


@pytest.mark.parametrize("left_over", [("60", "20"), ("300", "90")])
def test_the_app_has_the_size_of_the_terminal(tmp_path: Path, left_over: tuple[str, str]) -> None:
    columns, lines = left_over
    with Terminal(tmp_path, 90, 30, WORKBENCH, COLUMNS=columns, LINES=lines) as terminal:
        terminal.until(NOTHING_YET)
        terminal.resize(79, 24)
        terminal.until("The terminal has 79 x 24 cells")
        terminal.resize(80, 24)
        terminal.until(NOTHING_YET)


@pytest.mark.parametrize("left_over", ["40", "300"])
def test_help_has_the_width_of_the_terminal(tmp_path: Path, left_over: str) -> None:
    def widest(**environment: str) -> int:
        with Terminal(
            tmp_path, 70, 30, [*WORKBENCH, "predict", "--help"], **environment
        ) as terminal:
            output = terminal.until("Show this message")
            return max(map(len, output.splitlines()))

    assert widest(COLUMNS=left_over, LINES="9") == widest()
    assert 60 < widest() <= 70


def test_a_terminal_that_tells_no_size_has_that_of_the_variables(tmp_path: Path) -> None:
    with Terminal(tmp_path, 0, 0, WORKBENCH, COLUMNS="79", LINES="24") as terminal:
        terminal.until("The terminal has 79 x 24 cells")


@pytest.mark.parametrize("away", ["2>file", "</dev/null", "2>&-", "<&-", "2>file </dev/null"])
def test_where_a_stream_is_no_terminal_help_is_printed(tmp_path: Path, away: str) -> None:
    with Terminal(tmp_path) as terminal:
        terminal.until(PROMPT)
        terminal.types(f"{APP} {away}; echo code-$?\n")
        terminal.until("Usage: workbench")
        terminal.until("code-0")


def test_where_nothing_is_printed_on_the_terminal_help_goes_where_it_was_sent(
    tmp_path: Path,
) -> None:
    with Terminal(tmp_path) as terminal:
        terminal.until(PROMPT)
        terminal.types(f"{APP} >file; echo code-$?\n")
        terminal.until("code-0")
    assert "Usage: workbench" in (tmp_path / "file").read_text()
