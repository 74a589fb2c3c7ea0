"""Drive the app in tests, and wait for conditions."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from waiting import GUARD, poll

from workbench.paths import Workspace
from workbench.ui.app import WorkbenchApp

LOOK_SECONDS = 0.05  # between two polls of the runs by the app, so that no test waits long
MOMENT = 0.02  # seconds between two polls, beside the time until the app is idle

# A key press waits until all widgets have processed it; Textual gives up after half a minute.
Pilot._wait_for_screen.__defaults__ = (GUARD,)

Play = Callable[[WorkbenchApp, Pilot[Any]], Awaitable[None]]


class FakeWarmWorker:
    """Stands in for a worker that has imported keras; waits until it is closed."""

    made: list["FakeWarmWorker"]

    def __init__(self) -> None:
        self.is_waiting = True
        self.made.append(self)

    def close(self) -> None:
        self.is_waiting = False


def drive(folder: Path, play: Play, size: tuple[int, int] = (80, 24), **options: Any) -> None:
    """Run the app in a workspace while `play` uses it."""

    async def scene() -> None:
        app = WorkbenchApp(Workspace(folder), **options)
        app.poll_seconds = min(app.poll_seconds, LOOK_SECONDS)
        async with app.run_test(size=size) as pilot:
            await play(app, pilot)

    asyncio.run(scene())


async def until(
    pilot: Pilot[Any], condition: Callable[[], object], what: str = "condition"
) -> None:
    """Wait until a condition holds and the current screen has all its widgets.

    An app that exits while a screen is being built would leave it searching for the rest.
    """
    for _ in poll():
        await pilot.pause(MOMENT)
        if condition() and pilot.app.screen.is_mounted:
            return
    raise AssertionError(f"never happened: {what}")
