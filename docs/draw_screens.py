"""Makes the pictures of the screens anew: python docs/draw_screens.py

Writes docs/pictures/*.svg from a made-up workspace; two calls give the same files.
"""

import asyncio
import contextlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import example
from textual.pilot import Pilot
from textual.screen import Screen

from workbench.machine import check as machine_check
from workbench.machine import live
from workbench.machine.gpus import Choice
from workbench.paths import Workspace
from workbench.ui.app import WorkbenchApp
from workbench.ui.concepts.screen import WhyScreen
from workbench.ui.data.screen import DataScreen
from workbench.ui.layers.step import LayersStep
from workbench.ui.machine.screen import MachineScreen
from workbench.ui.results.screen import ResultsScreen
from workbench.ui.strategy import screen as strategy
from workbench.ui.strategy.screen import StrategyScreen
from workbench.ui.train.screen import TrainScreen

PICTURES = Path(__file__).parent / "pictures"
SIZE = (100, 30)
LOOKS, MOMENT, CALM = 400, 0.05, 5  # waits at most so often; still for so many looks is settled

Opener = Callable[[Workspace, Path], Screen[Any] | None]


def _strategy(workspace: Workspace, folder: Path) -> Screen[Any]:
    return StrategyScreen(example.draft_in(workspace, folder))


def _layers(workspace: Workspace, folder: Path) -> Screen[Any]:
    draft = example.draft_in(workspace, folder, "fine-tuning")
    return LayersStep(draft, draft.spec(), example.FIGURES, lambda spec: None)


def _data(workspace: Workspace, folder: Path) -> Screen[Any]:
    return DataScreen(example.draft_in(workspace, folder))


# Name of a picture: what opens its screen, and words that are there once it is drawn.
SCREENS: dict[str, tuple[Opener, str]] = {
    "home": (lambda workspace, folder: None, "1 at work"),
    "machine": (lambda workspace, folder: MachineScreen(), "grace python"),
    "data": (_data, "cat.0.jpg"),
    "strategy": (_strategy, "on NVIDIA H200"),
    "layers": (_layers, "block5"),
    "train": (lambda workspace, folder: TrainScreen("cats-dogs-12"), "coach"),
    "results": (lambda workspace, folder: ResultsScreen("flowers-3"), "tulip"),
    "why": (lambda workspace, folder: WhyScreen(("border-effect",)), "pixels"),
}
# Pressed before the picture is made, and the words that come of it.
KEYS = {"data": ("down", "dog.0.jpg")}


def characters(app: WorkbenchApp) -> str:
    """All that can be read on the screen."""
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text for strip in strips)


async def settled(app: WorkbenchApp, pilot: Pilot[Any], words: str) -> None:
    """Waits until the words are there and nothing changes any more."""
    before, calm = "", 0
    for _ in range(LOOKS):
        await pilot.pause(MOMENT)
        now = characters(app)
        calm = calm + 1 if now == before and words in now else 0
        before = now
        if calm == CALM:
            return
    raise SystemExit(f"The screen does not come to show {words!r}:\n{before}")


async def picture(name: str, workspace: Workspace, folder: Path) -> str:
    """One screen as SVG."""
    opener, words = SCREENS[name]
    app = WorkbenchApp(workspace)
    app.utf8, app.animation_level = True, "none"
    async with app.run_test(size=SIZE) as pilot:
        await settled(app, pilot, "1 at work")
        if screen := opener(workspace, folder):
            await app.push_screen(screen)
        await settled(app, pilot, words)
        if name in KEYS:
            key, words = KEYS[name]
            await pilot.press(key)
            await settled(app, pilot, words)
        return plain(app.export_screenshot(simplify=True), name)


def plain(svg: str, name: str) -> str:
    """Without fonts from elsewhere, and with names that are the same each time."""
    svg = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    svg = re.sub(r"terminal-\d+", f"terminal-{name}", svg)
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


@contextlib.contextmanager
def made_up_box() -> Iterator[None]:
    """Nothing is asked of the machine that this runs on."""

    def check(workspace: Workspace, **options: object) -> object:
        return example.report()

    with (
        mock.patch.object(machine_check, "check", check),
        mock.patch.object(live, "gauges", example.gauges),
        mock.patch.object(strategy, "look_at_gpus", lambda asked: Choice(asked)),
        mock.patch.object(strategy.Shelf, "load", return_value=example.FIGURES),
    ):
        yield


async def make_all(workspace: Workspace, folder: Path) -> None:
    """All pictures, one after the other."""
    for name in SCREENS:
        svg = await picture(name, workspace, folder)
        path = PICTURES / f"{name}.svg"
        path.write_text(svg, encoding="utf-8")
        print(f"{path.name}  {len(svg) / 1000:.0f} kB")


def main() -> None:
    """Builds the workspace in a temporary folder and makes the pictures."""
    PICTURES.mkdir(exist_ok=True)
    here, clock = Path.cwd(), example.Clock()
    with tempfile.TemporaryDirectory() as name, clock.running(), made_up_box():
        folder = Path(name)
        with example.workspace_in(folder, clock):
            os.chdir(folder)  # so that the app shows where the workspace is by its name alone
            try:
                asyncio.run(make_all(Workspace(Path(example.FOLDER)), folder))
            finally:
                os.chdir(here)


if __name__ == "__main__":
    main()
