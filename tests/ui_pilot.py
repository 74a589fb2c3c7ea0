"""Drive the app in tests, and wait for conditions."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Static
from waiting import GUARD, poll

from workbench.experiment.throughput import ThroughputModel
from workbench.machine.benchmark_store import BenchmarkResult
from workbench.paths import Workspace
from workbench.ui.app import WorkbenchApp
from workbench.ui.keys import KeyLine

LOOK_SECONDS = 0.05  # between two polls of the runs by the app, so that no test waits long
MOMENT = 0.02  # seconds between two polls, beside the time until the app is idle

FIGURES = BenchmarkResult(  # of a machine that was measured
    device="CPU",
    kind="cpu",
    precision="float32",
    jit=False,
    speed=ThroughputModel(
        forward_flops=2e11,
        training_flops=1.5e11,
        forward_bytes=1e9,
        training_bytes=8e8,
        forward_step=0.002,
        training_step=0.005,
        update=2e-9,
    ),
)

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


@asynccontextmanager
async def driven(
    folder: Path, size: tuple[int, int] = (80, 24), **options: Any
) -> AsyncIterator[tuple[WorkbenchApp, Pilot[Any]]]:
    """Run the app in a workspace; give it, and what presses its keys."""
    app = WorkbenchApp(Workspace(folder), **options)
    app.poll_seconds = min(app.poll_seconds, LOOK_SECONDS)
    async with app.run_test(size=size) as pilot:
        yield app, pilot


def drive(folder: Path, play: Play, size: tuple[int, int] = (80, 24), **options: Any) -> None:
    """Run the app in a workspace while `play` uses it."""

    async def scene() -> None:
        async with driven(folder, size, **options) as (app, pilot):
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
        assert pilot.app._exception is None, f"the app crashed before: {what}"
        if condition() and pilot.app.screen.is_mounted:
            return
    raise AssertionError(f"never happened: {what}")


def text_of(screen: Screen[Any], selector: str) -> str:
    """Return the text of a `Static`."""
    return str(screen.query_one(selector, Static).content)


def messages(app: App[Any]) -> list[str]:
    """Return the notifications, the oldest first."""
    return [one.message for one in app._notifications]


def notices(app: App[Any]) -> str:
    """Return the notifications as one text."""
    return "\n".join(messages(app))


def refusal(app: App[Any]) -> str:
    """Return why the dialog in front did not take an answer."""
    line = app.screen.query_one("#error", Static)
    return str(line.content) if line.display else ""


def keys_offered(app: App[Any]) -> set[str]:
    """Return the descriptions of the keys in the line at the bottom."""
    return {active.binding.description for active in app.screen.query_one(KeyLine).shown}
