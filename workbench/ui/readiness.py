"""What a key would else wait for, done once behind the first paint."""

import gc
import importlib
import pkgutil

from workbench.ui import screens

RARELY = 50  # full rounds of the garbage collector are a fifth as frequent as by default


def make_ready() -> None:
    """Imports every screen, and takes what is there now out of the garbage collector's rounds.

    A round over all that was imported stops every key for a tenth of a second and more, again
    and again; modules live as long as the app and are never garbage.
    """
    for module in pkgutil.iter_modules(screens.__path__, f"{screens.__name__}."):
        importlib.import_module(module.name)
    gc.freeze()
    youngest, middle, _ = gc.get_threshold()
    gc.set_threshold(youngest, middle, RARELY)
