"""How long does a key wait while a training uses every core?

    python benchmarks/key_latency.py [--rounds 10]

Trains a convnet on made-up photographs, without end, and opens the app beside it in a
pseudo-terminal of 80 x 24. Each key is sent and the time taken until a word that only its effect
draws has arrived; medians and the longest are printed by screen. The training is stopped then.
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

from estimates import make_photographs

PATIENCE = 30.0  # seconds
SETTLE = 1.0  # seconds without a key, so that nothing of the last one is still to be drawn
# By screen: the keys that lead to it, then pairs of key and the word that it draws.
SCREENS = {
    "home: help and back": ("", (("?", "concepts"), ("\x1b", "at work"))),
    "train: log scale, smoothing, zoom": (
        "\r",
        (("l", "log scale"), ("s", "smoothed"), ("z", "loss"), ("z", "accuracy"), ("z", "loss")),
    ),
    "layers: open and close": ("L", (("a", "conv1"),)),
}


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

    def settle(self, seconds: float = SETTLE) -> None:
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


def train(workspace: Path) -> None:
    """Starts a training that uses every core, and waits for its first epochs."""
    images = make_photographs(workspace / "photographs", 60)
    command(
        workspace, "train", "--preset", "convnet", "--data", str(images), "--name", "busy",
        "--set", "training.epochs=100000", "--set", "training.early_stopping=0", "--detach",
    )  # fmt: skip
    log = workspace / "saved_models" / "busy" / "events.jsonl"
    while log.read_text().count('"epoch_finished"') < 2:
        time.sleep(0.5)


def main() -> None:
    """Measures every screen and prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=10)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        workspace = Path(scratch)
        train(workspace)
        terminal = Terminal(workspace)
        try:
            terminal.settle(5.0)
            for name, (way, keys) in SCREENS.items():
                if way:
                    terminal.press(way)
                terminal.settle(2.0)
                taken = []
                for number in range(given.rounds):
                    for key, word in keys:
                        taken.append(terminal.press(key, word if number == 0 else ""))
                        terminal.settle()
                print(
                    f"{name}: median {median(taken) * 1e3:.0f} ms, "
                    f"longest {max(taken) * 1e3:.0f} ms of {len(taken)} keys"
                )
        finally:
            terminal.close()
            command(workspace, "stop", "busy")


if __name__ == "__main__":
    main()
