"""How much later than an empty Textual app does the workbench paint?

    python benchmarks/first_paint.py [--rounds 7] [--workspace DIR]

Starts both in a pseudo-terminal of 80 x 24, in turns, and measures the seconds until a word of
their first screen was drawn. Prints medians and their difference.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from pseudo_terminal import PseudoTerminal, workbench
from side_by_side import in_turns

EMPTY = """
from textual.app import App
from textual.widgets import Static

class Empty(App):
    def compose(self):
        yield Static("painted")

Empty().run()
"""
PATIENCE = 60.0  # seconds


def first_paint(command: list[str], word: str) -> float:
    """Return the seconds from the start of a process until it has drawn a word."""
    started = time.perf_counter()
    with PseudoTerminal(command) as terminal:
        terminal.read_until(word, PATIENCE)
        return time.perf_counter() - started


def main() -> None:
    """Measure in turns and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--workspace", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        ours = workbench(given.workspace or scratch)
        taken = in_turns(
            {
                "empty": lambda: first_paint([sys.executable, "-c", EMPTY], "painted"),
                "workbench": lambda: first_paint(ours, "Machine"),
            },
            given.rounds,
        )
    empty, own = taken["empty"], taken["workbench"]
    print(f"empty Textual app {empty:.2f} s, workbench {own:.2f} s")
    print(f"difference {own - empty:.2f} s, ratio {own / empty:.2f}")


if __name__ == "__main__":
    main()
