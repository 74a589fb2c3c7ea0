"""Work done before a key would wait for it: imports after the first paint, garbage when idle."""

import gc
import importlib
import pkgutil
import time
from contextlib import suppress

from textual import _styles_cache

from workbench import ui

NEVER = 1_000_000  # full collections that the garbage collector starts by itself
IDLE_SECONDS = 1.0  # after a key: the screen that it opened is drawn
LONGEST_PAUSE = 60.0  # seconds between two collections while nobody presses a key
POLL_SECONDS = 0.2


def preload_screens() -> None:
    """Import every screen, and exclude all objects of now from garbage collection.

    Modules are never garbage. A full collection over what a few closed screens leave takes a
    quarter of a second, and would start when a key opens the next: `IdleCollector` starts it
    instead.
    """
    for module in pkgutil.walk_packages(ui.__path__, f"{ui.__name__}."):
        importlib.import_module(module.name)
    gc.freeze()
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
