"""How long does a key wait while a training uses every core?

    python benchmarks/key_latency.py [--rounds 3]

Trains a network on made-up photographs to its end, and a convnet without end, and opens the app
beside it in a pseudo-terminal of 80 x 24. A person's way through all screens is then gone round
after round. Each key is sent and the time taken until a word that only its effect draws has arrived
(anything, where nothing else is drawn on that screen); medians and the longest are printed by
screen, first openings among them. The training is stopped then.
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
from random import Random
from statistics import median

from estimates import make_photographs

from workbench.app.draft import Draft
from workbench.datasets.prepare import survey
from workbench.paths import Workspace

PATIENCE = 30.0  # seconds
# Seconds without a key, drawn anew each time: shorter, and the last one might still be drawn;
# always the same, and what the app does after a while would meet every key or none.
SETTLE = (0.4, 2.5)
ESCAPE, DOWN, UP, RIGHT, LEFT = "\x1b", "\x1b[B", "\x1b[A", "\x1b[C", "\x1b[D"
# Once around: the screen that a key is counted to (none where the wait is for more than the app),
# the key, and the word that it draws.
AROUND = (
    ("home", DOWN, ""), ("home", UP, ""),
    ("why", "?", "concepts"), ("why", RIGHT, "2 of"), ("why", LEFT, "1 of"),
    ("home", ESCAPE, "at work"),
    ("machine", "m", "Details"), ("home", ESCAPE, "at work"),
    ("compare", "c", "which runs"), ("compare", "\r", "Curves"), ("home", ESCAPE, "at work"),
    ("train", "\r", "Zoom"), ("train", "l", "log scale"), ("train", "l", ""),
    ("train", "s", "smoothed"), ("train", "s", ""),
    ("layers of a run", "L", "requested"), ("layers of a run", DOWN, ""),
    ("layers of a run", UP, ""), ("why", "?", "concepts"),
    ("layers of a run", ESCAPE, "requested"), ("train", ESCAPE, "Zoom"),
    ("home", ESCAPE, "at work"), ("home", DOWN, ""),
    ("train", "\r", "Results"), ("results", "R", "Matrix"), ("results", "c", "recall"),
    ("results", "m", ""), ("train", ESCAPE, "Results"), ("home", ESCAPE, "at work"),
    ("home", UP, ""),
    ("home", "n", "not started"), ("", "g", "begin with"),
    ("strategy", DOWN, ""), ("strategy", UP, ""), ("strategy", "o", "Change"),
    ("strategy", "\r", "preset:"), ("strategy", ESCAPE, ""),
    ("strategy", ESCAPE, "Go on"), ("why", "?", "concepts"), ("strategy", ESCAPE, "Go on"),
    ("layers", "\r", "Toggle"), ("layers", DOWN, ""), ("layers", " ", ""), ("layers", " ", ""),
    ("layers", "a", "conv1"), ("layers", "a", ""), ("strategy", ESCAPE, "Go on"),
    ("data", ESCAPE, "Other images"), ("why", "?", "concepts"), ("data", ESCAPE, "Other images"),
    ("home", ESCAPE, "at work"),
)  # fmt: skip


class Terminal:
    """The app in a pseudo-terminal."""

    def __init__(self, workspace: Path) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "workbench", "--workspace", str(workspace)],
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
        os.close(slave)

    def settle(self, seconds: float) -> None:
        """Reads what comes for a while."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self.master], [], [], left)[0]:
                os.read(self.master, 65536)

    def press(self, key: str, word: str = "") -> float:
        """Seconds from a key until a word arrives (anything, where there is none)."""
        started = time.perf_counter()
        os.write(self.master, key.encode())
        seen = b""
        while not seen or word.encode() not in seen:
            if not select.select([self.master], [], [], PATIENCE)[0]:
                raise SystemExit(f"{key!r} drew no {word!r} in {PATIENCE:g} s")
            seen += os.read(self.master, 65536)
            if time.perf_counter() - started > PATIENCE:
                raise SystemExit(f"{key!r} drew no {word!r} in {PATIENCE:g} s")
        return time.perf_counter() - started

    def close(self) -> None:
        """Ends the app."""
        self.process.kill()
        self.process.wait()
        os.close(self.master)


def command(workspace: Path, *words: str) -> None:
    """Runs a command of the workbench."""
    environment = {**os.environ, "WORKBENCH_HOME": str(workspace)}
    full = [sys.executable, "-m", "workbench", *words]
    subprocess.run(full, check=True, env=environment, capture_output=True)


def prepare(workspace: Path) -> None:
    """Trains a run to its end, begins a draft, and starts a training that uses every core."""
    images = make_photographs(workspace / "photographs", 60)
    given = ("train", "--data", str(images), "--set")
    command(workspace, *given, "training.epochs=2", "--preset", "convnet", "--name", "done")
    draft = Draft(Workspace(workspace))
    draft.set_source(images, survey(images))
    draft.set_preset("fine-tuning")
    for step in ("machine", "data"):
        draft.complete_step(step)
    endless = ("training.epochs=100000", "--set", "training.early_stopping=0", "--detach")
    command(workspace, *given, *endless, "--preset", "convnet", "--name", "busy")
    log = workspace / "saved_models" / "busy" / "events.jsonl"
    while log.read_text().count('"epoch_finished"') < 2:
        time.sleep(0.5)


def go_around(
    terminal: Terminal, taken: dict[str, list[tuple[float, str]]], pauses: Random
) -> None:
    """Once through all screens; what a key took is added to its screen's."""
    for screen, key, word in AROUND:
        seconds = terminal.press(key, word)
        if screen:
            name = "escape, of which 100 ms wait for more of an arrow key"
            taken.setdefault(name if key == ESCAPE else screen, []).append((seconds, key))
        terminal.settle(pauses.uniform(*SETTLE))


def main() -> None:
    """Measures every screen and prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    taken: dict[str, list[tuple[float, str]]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        workspace = Path(scratch)
        prepare(workspace)
        terminal = Terminal(workspace)
        try:
            terminal.settle(5.0)
            pauses = Random(1)
            for _ in range(given.rounds):
                go_around(terminal, taken, pauses)
        finally:
            terminal.close()
            command(workspace, "stop", "busy")
    for screen, times in taken.items():
        longest, key = max(times)
        print(
            f"{screen}: median {median(seconds for seconds, _ in times) * 1e3:.0f} ms, "
            f"longest {longest * 1e3:.0f} ms ({key!r}) of {len(times)} keys"
        )


if __name__ == "__main__":
    main()
