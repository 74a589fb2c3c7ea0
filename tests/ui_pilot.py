"""Driving the app in tests: a workspace, and waiting for what has to come."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from patience import GUARD, looks
from textual.pilot import Pilot

from workbench.paths import Workspace
from workbench.ui.app import WorkbenchApp

LOOK_SECONDS = 0.05  # between two looks of the app at its runs: no test has to wait for one
MOMENT = 0.02  # seconds between two looks, beside what the app takes until it is idle

# A key press waits until all widgets have heard of it; Textual itself gives up after half a minute.
Pilot._wait_for_screen.__defaults__ = (GUARD,)

Play = Callable[[WorkbenchApp, Pilot[Any]], Awaitable[None]]


class FakeWarmWorker:
    """Stands for a worker that has imported keras; waits until it is closed."""

    made: list["FakeWarmWorker"]

    def __init__(self) -> None:
        self.waits = True
        self.made.append(self)

    def close(self) -> None:
        self.waits = False


def drive(folder: Path, play: Play, size: tuple[int, int] = (80, 24), **options: Any) -> None:
    """Runs the app in a workspace while `play` uses it."""

    async def scene() -> None:
        app = WorkbenchApp(Workspace(folder), **options)
        app.look_seconds = min(app.look_seconds, LOOK_SECONDS)
        async with app.run_test(size=size) as pilot:
            await play(app, pilot)

    asyncio.run(scene())


async def until(
    pilot: Pilot[Any], condition: Callable[[], object], what: str = "what was waited for"
) -> None:
    """Waits until a condition holds, and until the screen in front has all its widgets.

    An app that ends while a screen is being built would leave it looking for the rest.
    """
    for _ in looks():
        await pilot.pause(MOMENT)
        if condition() and pilot.app.screen.is_mounted:
            return
    raise AssertionError(f"in vain: {what}")
