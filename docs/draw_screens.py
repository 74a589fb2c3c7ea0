"""Draw the screenshots of the documentation: python docs/draw_screens.py.

Writes docs/pictures/*.svg from a simulated workspace; two calls give the same files.
"""

import asyncio
import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

sys.path.append(str(Path(__file__).parents[1] / "tests"))

import example
from join_pictures import Frame, join
from textual.pilot import Pilot
from textual.screen import Screen

from workbench.machine import check as machine_check
from workbench.machine import live
from workbench.paths import Workspace
from workbench.ui.app import WorkbenchApp
from workbench.ui.concepts import ConceptsScreen
from workbench.ui.data.screen import DataScreen
from workbench.ui.layers.step import LayersStep
from workbench.ui.machine.screen import MachineScreen
from workbench.ui.results.screen import ResultsScreen
from workbench.ui.strategy import screen as strategy
from workbench.ui.strategy.screen import StrategyScreen
from workbench.ui.train.screen import TrainScreen

PICTURES = Path(__file__).parent / "pictures"
SIZE = (100, 30)
MAX_POLLS, PAUSE, STABLE_POLLS = 400, 0.05, 5  # a screen is settled after so many equal polls

Opener = Callable[[Workspace, Path], Screen[Any] | None]


def _strategy(workspace: Workspace, folder: Path) -> Screen[Any]:
    return StrategyScreen(example.draft_in(workspace, folder))


def _layers(workspace: Workspace, folder: Path) -> Screen[Any]:
    draft = example.draft_in(workspace, folder, "fine-tuning")
    return LayersStep(draft, draft.spec(), example.FIGURES, lambda spec: None)


def _data(workspace: Workspace, folder: Path) -> Screen[Any]:
    return DataScreen(example.draft_in(workspace, folder))


# Name of a picture: what opens its screen, and text that is shown once it is drawn.
SCREENS: dict[str, tuple[Opener, str]] = {
    "home": (lambda workspace, folder: None, "1 running"),
    "machine": (lambda workspace, folder: MachineScreen(), "grace python"),
    "data": (_data, "cat.0.jpg"),
    "strategy": (_strategy, "on NVIDIA H200"),
    "layers": (_layers, "block5"),
    "train": (lambda workspace, folder: TrainScreen("cats-dogs-12"), "coach"),
    "results": (lambda workspace, folder: ResultsScreen("flowers-3"), "tulip"),
    "why": (lambda workspace, folder: ConceptsScreen(("border-effect",)), "pixels"),
}
# The session that README shows: screens with the seconds each is shown.
SESSION: tuple[tuple[str, float], ...] = (
    ("home", 2.5), ("machine", 2.5), ("data", 3), ("strategy", 3), ("layers", 3), ("train", 0.8),
    ("results", 3.5),
)  # fmt: skip
TRAINING = (1, 4, 7, 10, 13, 16)  # epochs of the stage, a screenshot each
# Key to press before the picture is taken, and the text that it shows.
KEYS = {"data": ("down", "dog.0.jpg")}


def characters(app: WorkbenchApp) -> str:
    """Return the text of the screen."""
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text for strip in strips)


async def settled(app: WorkbenchApp, pilot: Pilot[Any], text: str) -> None:
    """Wait until the text is shown and nothing changes any more."""
    before, stable = "", 0
    for _ in range(MAX_POLLS):
        await pilot.pause(PAUSE)
        now = characters(app)
        stable = stable + 1 if now == before and text in now else 0
        before = now
        if stable == STABLE_POLLS:
            return
    raise SystemExit(f"The screen does not show {text!r}:\n{before}")


async def picture(name: str, workspace: Workspace, folder: Path) -> str:
    """Return one screen as SVG."""
    opener, text = SCREENS[name]
    app = WorkbenchApp(workspace)
    app.utf8, app.animation_level = True, "none"
    async with app.run_test(size=SIZE) as pilot:
        await settled(app, pilot, "1 running")
        if screen := opener(workspace, folder):
            await app.push_screen(screen)
        await settled(app, pilot, text)
        if name in KEYS:
            key, text = KEYS[name]
            await pilot.press(key)
            await settled(app, pilot, text)
        return plain(app.export_screenshot(simplify=True), name)


def plain(svg: str, name: str) -> str:
    """Remove external fonts, and make names the same each time."""
    svg = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    svg = re.sub(r"terminal-\d+", f"terminal-{name}", svg)
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


@contextlib.contextmanager
def simulated_machine() -> Iterator[None]:
    """Replace every probe of the machine that this runs on."""

    def check(workspace: Workspace, **options: object) -> object:
        return example.report()

    with (
        mock.patch.object(machine_check, "check", check),
        mock.patch.object(live, "gauges", example.gauges),
        mock.patch.object(strategy, "expected_device", return_value="CPU"),
        mock.patch.object(strategy.BenchmarkStore, "load", return_value=example.FIGURES),
    ):
        yield


async def session(clock: example.Clock) -> str:
    """Return the way through the app as one SVG that moves; the curves grow."""
    frames = []
    for name, seconds in SESSION:
        if name != "train":
            frames.append(Frame((PICTURES / f"{name}.svg").read_text("utf-8"), seconds))
            continue
        for epochs in TRAINING:
            with tempfile.TemporaryDirectory() as folder:
                os.chdir(folder)
                with example.training_in(Path(), clock, epochs) as workspace:
                    svg = await picture(name, workspace, Path())
                # Each with styles of its own.
                frames.append(Frame(svg.replace("terminal-", f"terminal-{epochs}-"), seconds))
        frames[-1] = replace(frames[-1], seconds=3.0)
    return join(frames)


async def make_all(workspace: Workspace, folder: Path, clock: example.Clock) -> None:
    """Write all pictures."""
    for name in SCREENS:
        svg = await picture(name, workspace, folder)
        path = PICTURES / f"{name}.svg"
        path.write_text(svg, encoding="utf-8")
        print(f"{path.name}  {len(svg) / 1000:.0f} kB")
    (PICTURES / "session.svg").write_text(await session(clock), encoding="utf-8")


def main() -> None:
    """Build the workspace in a temporary folder and draw the pictures."""
    PICTURES.mkdir(exist_ok=True)
    here, clock = Path.cwd(), example.Clock()
    with tempfile.TemporaryDirectory() as name, clock.running(), simulated_machine():
        folder = Path(name)
        with example.workspace_in(folder, clock):
            os.chdir(folder)  # so that the app shows the workspace by its name only
            try:
                asyncio.run(make_all(Workspace(Path(example.FOLDER)), folder, clock))
            finally:
                os.chdir(here)


if __name__ == "__main__":
    main()
