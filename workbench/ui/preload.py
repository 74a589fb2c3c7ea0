"""What a key would else wait for: imports behind the first paint, garbage taken when it is calm."""

import gc
import importlib
import pkgutil
import time
from contextlib import suppress

from textual import _styles_cache

from workbench import ui

NEVER = 1_000_000  # full rounds of the garbage collector of its own accord
QUIET_SECONDS = 1.0  # after a key: what it opened is drawn, and whoever goes on has gone on
SELDOM_SECONDS = 60.0  # between two rounds while nobody presses a key
LOOK_SECONDS = 0.2


def make_ready() -> None:
    """Import every screen, and takes what is there now out of the garbage collector's rounds.

    Modules live as long as the app and are never garbage. A round over what a few closed screens
    leave takes a quarter of a second, and begins by itself when a key opens the next: `QuietRounds`
    make them instead.
    """
    for module in pkgutil.walk_packages(ui.__path__, f"{ui.__name__}."):
        importlib.import_module(module.name)
    gc.freeze()
    youngest, middle, _ = gc.get_threshold()
    gc.set_threshold(youngest, middle, NEVER)


class QuietRounds:
    """Full rounds of the garbage collector, soon after each key and never during one."""

    def __init__(self) -> None:
        self.last_key = self.last_round = time.monotonic()

    def key_pressed(self) -> None:
        """Puts the next round off."""
        self.last_key = time.monotonic()

    def look(self) -> None:
        """Makes a round where one is due; call it a few times a second."""
        now = time.monotonic()
        new = self.last_key > self.last_round
        if now - self.last_key >= QUIET_SECONDS and (
            new or now - self.last_round >= SELDOM_SECONDS
        ):
            _forget_closed_widgets()
            gc.collect()
            self.last_round = now


def _forget_closed_widgets() -> None:
    """Textual keeps all that the last thousand widgets drew, by the key of a small cache."""
    with suppress(AttributeError):  # not in every version
        _styles_cache.StylesCache.get_inner_outer.cache_clear()
