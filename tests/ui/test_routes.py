"""Every screen by its name; what is imported and collected so that no key waits for it."""

import pkgutil
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any, get_args

import pytest
from fake_runs import training
from textual.screen import Screen
from ui_pilot import driven, until

from workbench import ui
from workbench.paths import Workspace
from workbench.ui import routes
from workbench.ui.base import Route
from workbench.ui.concepts import ConceptsScreen
from workbench.ui.layers.screen import LayersScreen
from workbench.ui.results.screen import ResultsScreen
from workbench.ui.routes import ROUTES
from workbench.ui.train.screen import TrainScreen


def test_every_route_has_a_screen() -> None:
    assert set(ROUTES) == set(get_args(Route))


@pytest.mark.parametrize("route", ROUTES)
def test_a_route_leads_to_a_class(route: Route) -> None:
    assert issubclass(pkgutil.resolve_name(ROUTES[route]), Screen)


NAME = "cats-dogs-12"

SCRIPT = f"""
import gc, sys
from workbench.ui.app import WorkbenchApp
from workbench.ui.routes import preload_screens
assert "workbench.ui.concepts" not in sys.modules
preload_screens()
found = [name for name in sys.modules if name.startswith("{ui.__name__}.")]
print(len(found), "workbench.ui.concepts" in found, gc.get_freeze_count() > 10_000)
print([name for name in ("keras", "tensorflow", "sklearn") if name in sys.modules])
"""


def test_all_screens_are_imported_and_excluded_from_collection() -> None:
    """In a process of its own, for what is imported and frozen stays so."""
    command = [sys.executable, "-c", SCRIPT]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\n")
    count = len(list(Path(ui.__file__ or "").parent.rglob("*.py"))) - 1  # itself
    assert output[0] == f"{count} True True"
    assert output[1] == "[]"


@pytest.mark.parametrize(
    ("since_round", "since_key", "rounds"),
    [
        (5.0, 0.75, 0),  # it may still draw
        (5.0, 1.0, 1),
        (61.0, 0.75, 0),
        (59.5, None, 0),
        (60.0, None, 1),
    ],
)
def test_garbage_is_collected_when_idle(
    since_round: float, since_key: float | None, rounds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    monkeypatch.setattr(routes.gc, "collect", lambda: made.append(1))
    clock = [1000.0]
    monkeypatch.setattr(routes.time, "monotonic", lambda: clock[0])
    collector = routes.IdleCollector()
    clock[0] += since_round
    if since_key is not None:
        collector.last_key = clock[0] - since_key
    collector.poll()
    collector.poll()
    assert len(made) == rounds


async def test_a_closed_screen_is_freed(tmp_path: Path) -> None:
    """Neither by who tells it of runs and colours, nor by a cache of what it drew."""
    opened = {
        "train": lambda: TrainScreen(NAME),
        "results": lambda: ResultsScreen(NAME),
        "layers": lambda: LayersScreen(NAME),
        "why": lambda: ConceptsScreen(("border-effect",)),
    }
    times = 3

    with training(Workspace(tmp_path), NAME):
        async with driven(tmp_path) as (app, pilot):
            await until(pilot, lambda: app.runs, "the run")
            collector = routes.IdleCollector()
            for name, make in opened.items():
                closed = []
                for _ in range(times):
                    screen = make()
                    await app.push_screen(screen)
                    await pilot.pause()
                    closed.append(weakref.ref(screen))
                    del screen
                    app.pop_screen()

                def left(closed: list[Any] = closed) -> int:
                    collector.last_collection -= routes.LONGEST_PAUSE
                    collector.last_key = collector.last_collection
                    collector.poll()
                    return sum(screen() is not None for screen in closed)

                # Textual itself holds on to the last for a while.
                await until(
                    pilot, lambda left=left: left() <= 1, f"{name}: {left()} of {times} left"
                )
