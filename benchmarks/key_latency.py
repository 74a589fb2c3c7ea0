"""How long does a key wait while a training uses every core?

    python benchmarks/key_latency.py [--rounds 3]

Trains a network on made-up photographs to its end, and a convnet without end, and opens the app
beside it in a pseudo-terminal of 80 x 24. Goes through the screens round after round, as a person
would. Measures for each key the time until a word that only its effect draws has arrived (anything,
where nothing else is drawn on that screen); prints medians and the longest by screen, first
openings among them. The training is stopped then.
"""

import argparse
import subprocess
import tempfile
import time
from pathlib import Path
from random import Random
from statistics import median

from estimates import make_photographs
from pseudo_terminal import PseudoTerminal, workbench

from workbench.app.draft import Draft
from workbench.datasets.prepare import survey
from workbench.paths import Workspace

PATIENCE = 30.0  # seconds
# Seconds without a key, drawn again each time: shorter, and the last one might still be drawn;
# always the same, and what the app does after a while would meet every key or none.
SETTLE = (0.4, 2.5)
ESCAPE, DOWN, UP, RIGHT, LEFT = "\x1b", "\x1b[B", "\x1b[A", "\x1b[C", "\x1b[D"
# One round: the screen that a key is counted to (none where the wait is for more than the app), the
# key, and the word that it draws.
ROUND = (
    ("home", DOWN, ""), ("home", UP, ""),
    ("concepts", "?", "Scroll"), ("concepts", RIGHT, "2 of"), ("concepts", LEFT, "1 of"),
    ("home", ESCAPE, "running"),
    ("machine", "m", "Details"), ("home", ESCAPE, "running"),
    ("compare", "c", "which runs"), ("compare", "\r", "Curves"), ("home", ESCAPE, "running"),
    ("train", "\r", "Zoom"), ("train", "z", ""), ("train", "z", ""),
    ("train", "s", "Draw the curves"), ("train", ESCAPE, ""),
    ("layers of a run", "l", "requested"), ("layers of a run", DOWN, ""),
    ("layers of a run", UP, ""), ("concepts", "?", "Scroll"),
    ("layers of a run", ESCAPE, "requested"), ("train", ESCAPE, "Zoom"),
    ("home", ESCAPE, "running"), ("home", DOWN, ""),
    ("train", "\r", "Results"), ("results", "\r", "confusion"), ("results", "v", ""),
    ("results", "v", ""), ("train", ESCAPE, "Zoom"), ("home", ESCAPE, "running"),
    ("home", UP, ""),
    ("home", "n", "not started"), ("", "c", "begin with"),
    ("strategy", DOWN, ""), ("strategy", UP, ""), ("strategy", "s", ""),
    ("strategy", "\r", "ctrl+r"), ("strategy", ESCAPE, ""), ("strategy", ESCAPE, ""),
    ("concepts", "?", "Scroll"), ("strategy", ESCAPE, "begin with"),
    ("layers", "\r", "Toggle"), ("layers", DOWN, ""), ("layers", " ", ""), ("layers", " ", ""),
    ("layers", "*", "conv1"), ("layers", "*", ""), ("strategy", ESCAPE, "begin with"),
    ("data", ESCAPE, "Augmentation"), ("concepts", "?", "Scroll"),
    ("data", ESCAPE, "Augmentation"), ("home", ESCAPE, "running"),
)  # fmt: skip


def press(terminal: PseudoTerminal, key: str, word: str) -> float:
    """Return the seconds from a key until a word was drawn."""
    started = time.perf_counter()
    terminal.type(key)
    terminal.read_until(word, PATIENCE)
    return time.perf_counter() - started


def command(workspace: Path, *words: str) -> None:
    """Run a command of the workbench."""
    subprocess.run(workbench(workspace, *words), check=True, capture_output=True)


def prepare(workspace: Path) -> None:
    """Train a run to its end, begin a draft, and start a training that uses every core."""
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
    terminal: PseudoTerminal, taken: dict[str, list[tuple[float, str]]], pauses: Random
) -> None:
    """Go once through all screens; add the seconds of each key to its screen's."""
    for screen, key, word in ROUND:
        seconds = press(terminal, key, word)
        if screen:
            name = "escape, of which 100 ms wait for more of an arrow key"
            taken.setdefault(name if key == ESCAPE else screen, []).append((seconds, key))
        terminal.read_for(pauses.uniform(*SETTLE))


def main() -> None:
    """Measure every screen and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    taken: dict[str, list[tuple[float, str]]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        workspace = Path(scratch)
        prepare(workspace)
        try:
            with PseudoTerminal(workbench(workspace)) as terminal:
                terminal.read_for(5.0)
                pauses = Random(1)
                for _ in range(given.rounds):
                    go_around(terminal, taken, pauses)
        finally:
            command(workspace, "stop", "busy")
    for screen, times in taken.items():
        longest, key = max(times)
        print(
            f"{screen}: median {median(seconds for seconds, _ in times) * 1e3:.0f} ms, "
            f"longest {longest * 1e3:.0f} ms ({key!r}) of {len(times)} keys"
        )


if __name__ == "__main__":
    main()
