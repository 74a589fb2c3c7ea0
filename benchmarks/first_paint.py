"""How much later than an empty Textual app does the workbench paint?

    python benchmarks/first_paint.py [--rounds 7] [--workspace DIR]

Starts both in a pseudo-terminal of 80 x 24, in turns, and takes the seconds until a word of their
first screen arrives. Prints medians and their difference.
"""

import argparse
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path
from statistics import median

EMPTY = """
from textual.app import App
from textual.widgets import Static

class Empty(App):
    def compose(self):
        yield Static("painted")

Empty().run()
"""
PATIENCE = 60.0  # seconds


def first_paint(command: list[str], word: bytes) -> float:
    """Seconds from the start of a process until it has drawn a word."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color"}
    started = time.perf_counter()
    process = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
    )
    os.close(slave)
    seen = b""
    try:
        while word not in seen:
            if not select.select([master], [], [], PATIENCE)[0]:
                raise SystemExit(f"{command} painted nothing in {PATIENCE:g} s")
            seen += os.read(master, 65536)
        return time.perf_counter() - started
    finally:
        process.kill()
        process.wait()
        os.close(master)


def main() -> None:
    """Measures in turns and prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--workspace", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        workspace = str(given.workspace or scratch)
        commands = {
            "empty": ([sys.executable, "-c", EMPTY], b"painted"),
            "workbench": (
                [sys.executable, "-m", "workbench", "--workspace", workspace],
                b"Machine",
            ),
        }
        taken: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(given.rounds):
            for name, (command, word) in commands.items():
                taken[name].append(first_paint(command, word))
    empty, own = median(taken["empty"]), median(taken["workbench"])
    print(f"empty Textual app {empty:.2f} s, workbench {own:.2f} s")
    print(f"difference {own - empty:.2f} s, ratio {own / empty:.2f}")


if __name__ == "__main__":
    main()
