"""How long from a key to the next picture, and in how many bytes, with each kind of graphics?

    python benchmarks/pictures.py FOLDER [--rounds 10] [--idle] [--ssh]

Shows images of a folder in a pseudo-terminal of 80 x 24 cells of 10 x 20 pixels, a large one beside
eight small ones, while two processes keep two cores busy (not with --idle). Presses a key for the
next nine; measures the time until all of them and the line below have arrived, decoding and
encoding included. The kinds take turns, so that other load meets all alike; prints medians, the
longest, bytes, and the ratio to half blocks. Then one picture that fills the terminal, in bytes,
without a limit and over SSH.
"""

import argparse
import multiprocessing
import os
import re
import select
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from pseudo_terminal import CHUNK, PseudoTerminal
from textual.app import ComposeResult
from textual.containers import Grid, Horizontal
from textual.screen import Screen
from textual.widgets import Static

from workbench.machine.terminal_graphics import Graphics
from workbench.machine.terminal_probe import SSH_BYTES, TerminalProbe
from workbench.paths import Workspace
from workbench.render.graphics import encode_picture
from workbench.render.half_blocks import read_picture
from workbench.ui.app import WorkbenchApp
from workbench.ui.widgets.picture import Picture

KINDS = ("blocks", "kitty", "sixel", "iterm2")
CELL = (10, 20)
SHOWN = 9
PATIENCE = 60.0  # seconds
SETTLE = 0.3  # seconds without a key
ENDS = {"kitty": rb"\x1b_G[^;]*m=0;", "sixel": rb"\x1bP0;1;0q[^\x1b]*\x1b\\", "iterm2": rb"\x07"}


class Viewer(Screen[None]):
    """One large picture beside eight small ones."""

    CSS = """
    #large { width: 48; height: 1fr; }
    Grid { grid-size: 2 4; height: 1fr; }
    #line { height: 1; dock: bottom; }
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._files = sorted(folder.rglob("*.jpg"))
        self._page = 0

    def compose(self) -> ComposeResult:
        """Yield boxes for the pictures above a line."""
        with Horizontal():
            yield Picture(id="large")
            with Grid():
                for _ in range(SHOWN - 1):
                    yield Picture()
        yield Static(id="line")

    def key_space(self) -> None:
        """Show the next pictures."""
        layer = self.query_one("#large", Picture)._layer
        first = self._page * SHOWN % (len(self._files) - SHOWN)
        self._page += 1
        for picture, file in zip(self.query(Picture), self._files[first:], strict=False):
            at_least = layer.resolution(picture.size.width, picture.size.height)
            picture.picture = read_picture(file, at_least)
        self.query_one("#line", Static).update(f"page {self._page}.")


class Viewing(WorkbenchApp):
    """The app with that screen alone."""

    CSS_PATH = []  # noqa: RUF012 - as Textual has it
    folder: Path

    def open(self, *_: Any, **__: Any) -> None:
        """Show the viewer instead of any screen."""
        self.push_screen(Viewer(self.folder))

    def _watch_runs(self) -> None:  # type: ignore[override]
        """There are none."""

    def _preload(self) -> None:  # type: ignore[override]
        """There are no other screens."""


def view(folder: Path) -> None:
    """Run the viewer in this terminal."""
    with TerminalProbe(os.environ, sys.stdin, sys.stderr) as probe:
        app = Viewing(Workspace(folder), graphics=probe.graphics())
    app.folder = folder
    app.run()


def measure(terminal: PseudoTerminal, kind: str, page: int) -> tuple[float, int]:
    """Press the key; return seconds and bytes until all is drawn."""
    terminal.read_for(SETTLE)
    begun = time.perf_counter()
    terminal.type(" ")
    seen = b""
    while f"page {page}.".encode() not in seen or (
        kind in ENDS and len(re.findall(ENDS[kind], seen)) < SHOWN
    ):
        if not select.select([terminal.master], [], [], PATIENCE)[0]:
            raise SystemExit(f"{kind}: page {page} was not drawn")
        seen += os.read(terminal.master, CHUNK)
    return time.perf_counter() - begun, len(seen)


def busy() -> None:
    """Keep a core busy."""
    while True:
        pass


def full_terminal(folder: Path) -> None:
    """Print the bytes of a picture that fills the terminal."""
    files = sorted(folder.rglob("*.jpg"))[:50:5]
    for kind in KINDS[1:]:
        sizes: list[list[int]] = [[], []]
        for limit, found in zip((0, SSH_BYTES), sizes, strict=True):
            for file in files:
                pixels = read_picture(file, (24 * CELL[1], 80 * CELL[0]))
                graphics = Graphics(kind, cell=CELL, max_bytes=limit)  # type: ignore[arg-type]
                found.append(len(encode_picture(graphics, pixels, (80, 24), 1).sequence))  # type: ignore[arg-type]
        shown = [f"{median(found) / 1024:.0f} (most {max(found) / 1024:.0f})" for found in sizes]
        print(f"{kind:<8} 80x24 cells: {shown[0]} KiB, over SSH {shown[1]} KiB")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--idle", action="store_true")
    parser.add_argument("--ssh", action="store_true", help="with the limit of bytes over SSH")
    parser.add_argument("--view", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.view:
        view(given.folder)
        return
    load = [multiprocessing.Process(target=busy, daemon=True) for _ in range(2 - 2 * given.idle)]
    for one in load:
        one.start()
    command = [sys.executable, __file__, str(given.folder), "--view"]
    terminals = {
        kind: PseudoTerminal(
            command,
            cell=CELL,
            WORKBENCH_GRAPHICS=kind,
            COLORTERM="truecolor",
            SSH_TTY="/dev/pts/0" if given.ssh else "",
        )
        for kind in KINDS
    }
    found: dict[str, list[tuple[float, int]]] = {kind: [] for kind in KINDS}
    try:
        for kind, terminal in terminals.items():
            terminal.read_until("\x1b[?1049h", PATIENCE)
            terminal.read_for(3.0)
            measure(terminal, kind, 1)
        for page in range(2, given.rounds + 2):
            for kind, terminal in terminals.items():
                found[kind].append(measure(terminal, kind, page))
    finally:
        for terminal in terminals.values():
            terminal.__exit__()
        for one in load:
            one.kill()
    usual = median(seconds for seconds, _ in found["blocks"])
    for kind, pairs in found.items():
        seconds, sizes = zip(*pairs, strict=True)
        print(
            f"{kind:<8} {median(seconds) * 1000:.0f} ms (longest {max(seconds) * 1000:.0f}), "
            f"{median(sizes) / 1024:.0f} KiB, {median(seconds) / usual:.2f} times half blocks"
        )
    full_terminal(given.folder)


if __name__ == "__main__":
    main()
