"""Every screen by its name, imported when it is first opened, or before a key waits for it."""

import gc
import importlib
import pkgutil
import time
from contextlib import suppress
from typing import Any

from textual import _styles_cache
from textual.screen import Screen

from workbench import ui
from workbench.ui.base import Route, WorkbenchScreen

NEVER = 1_000_000  # full collections that the garbage collector starts by itself
IDLE_SECONDS = 1.0  # after a key: the screen that it opened is drawn
LONGEST_PAUSE = 60.0  # seconds between two collections while nobody presses a key
COLLECT_SECONDS = 0.2  # between two polls of the collector
ROUTES: dict[Route, str] = {
    "analyze": "workbench.ui.analyze.screen:AnalyzeScreen",
    "augmentation": "workbench.ui.augmentation.screen:AugmentationScreen",
    "compare": "workbench.ui.compare:CompareScreen",
    "concepts": "workbench.ui.concepts:ConceptsScreen",
    "data": "workbench.ui.data.screen:DataScreen",
    "explain": "workbench.ui.explain.screen:ExplainScreen",
    "export": "workbench.ui.export:ExportScreen",
    "home": "workbench.ui.home.screen:HomeScreen",
    "label": "workbench.ui.label:LabelScreen",
    "ladder": "workbench.ui.ladder.screen:LadderScreen",
    "ladder-start": "workbench.ui.ladder.start:LadderStart",
    "layers": "workbench.ui.layers.screen:LayersScreen",
    "layers-step": "workbench.ui.layers.step:LayersStep",
    "lessons": "workbench.ui.lessons.screen:LessonsScreen",
    "lr-find": "workbench.ui.tune.screens:LrFindScreen",
    "machine": "workbench.ui.machine.screen:MachineScreen",
    "machine-step": "workbench.ui.machine.screen:MachineStep",
    "map": "workbench.ui.feature_map:FeatureMapScreen",
    "results": "workbench.ui.results.screen:ResultsScreen",
    "review": "workbench.ui.review:ReviewScreen",
    "settings": "workbench.ui.settings:SettingsScreen",
    "strategy": "workbench.ui.strategy.screen:StrategyScreen",
    "sweep": "workbench.ui.ladder.sweep:SweepScreen",
    "train": "workbench.ui.train.screen:TrainScreen",
    "tune": "workbench.ui.tune.screens:TuneHeadScreen",
}


def make_screen(route: Route, *arguments: Any) -> Screen[Any]:
    """Return a new screen.

    Args:
        route: its name.
        arguments: of its class.
    """
    screen: Screen[Any] = pkgutil.resolve_name(ROUTES[route])(*arguments)
    if isinstance(screen, WorkbenchScreen):
        screen.route = route
    return screen


def preload_screens() -> None:
    """Import every screen, and exclude all objects of now from garbage collection.

    Modules are never garbage.
    """
    for module in pkgutil.walk_packages(ui.__path__, f"{ui.__name__}."):
        importlib.import_module(module.name)
    gc.freeze()


def postpone_collections() -> None:
    """Start no full garbage collection but those of `IdleCollector`.

    One takes a quarter of a second over what a few closed screens leave, and would start when a
    key opens the next; while a thousand runs are read, several would.
    """
    youngest, middle, _ = gc.get_threshold()
    gc.set_threshold(youngest, middle, NEVER)


class IdleCollector:
    """Runs full garbage collections soon after each key and never during one."""

    def __init__(self) -> None:
        self.last_key = self.last_collection = time.monotonic()

    def key_pressed(self) -> None:
        """Put the next collection off."""
        self.last_key = time.monotonic()

    def poll(self) -> None:
        """Collect if it is due; call this a few times a second."""
        now = time.monotonic()
        new = self.last_key > self.last_collection
        if now - self.last_key >= IDLE_SECONDS and (
            new or now - self.last_collection >= LONGEST_PAUSE
        ):
            _forget_closed_widgets()
            gc.collect()
            self.last_collection = now


def _forget_closed_widgets() -> None:
    """Clear a small cache of Textual's that keeps all that the last thousand widgets drew."""
    with suppress(AttributeError):  # not in every version
        _styles_cache.StylesCache.get_inner_outer.cache_clear()
