"""One verb, one key, on every screen: each key has one meaning in the whole app.

A modal dialog and a text field have keys of their own.
"""

import importlib
import pkgutil
from collections.abc import Iterator

import pytest
from textual.binding import Binding
from textual.dom import DOMNode
from textual.screen import ModalScreen
from textual.widgets import DirectoryTree, Input

from workbench import ui
from workbench.ui.app import WorkbenchApp
from workbench.ui.routes import ROUTES

ANY: set[str] = set()
# What a key means, and the names of the actions that do it; ANY for a key whose effect depends on
# what has the focus. A new binding takes a key of this table, or a new line of it.
MEANINGS: dict[str, tuple[str, set[str]]] = {
    "enter": ("open or go on", ANY),
    "escape": ("back", {"back", "detach"}),
    "q": ("quit or detach", {"quit", "detach", "back"}),
    "question_mark": ("explain", {"show_concepts", "back"}),  # back from the explanation
    "slash": ("filter", {"filter"}),
    "n": ("new or next", {"new", "next", "next_step", "next_error"}),
    "x": ("stop or cancel", {"stop", "cancel"}),
    "r": ("resume or retry", {"resume", "retry", "rescan", "redraw", "restart"}),
    "c": ("compare", {"compare", "overlay"}),
    "d": ("delete or exclude", {"delete", "exclude"}),
    "delete": ("delete or exclude", {"delete", "exclude"}),
    "u": ("undo", {"undo"}),
    "e": ("export", {"export"}),
    "l": ("layers", {"layers"}),
    "p": ("predict", {"predict"}),
    "s": ("settings", {"settings", "options", "augment", "folder", "seeds", "count"}),
    "y": ("copy", {"copy"}),
    "space": ("toggle", {"toggle_row", "mark"}),
    "o": ("sort order", {"sort"}),
    **{str(step): ("step of the rail", {"step"}) for step in range(1, 7)},
    # Move
    **{
        key: ("move", {"press", "choose", "move", "step", "field", "open", "close"})
        for key in ("j", "k", "g", "G", "up", "down", "left", "right")
    },
    "home": ("the first", {"scroll_top"}),
    "end": ("the last", {"scroll_bottom"}),
    "pagedown": ("scroll", {"page"}),
    "pageup": ("scroll", {"page"}),
    # One screen or a few
    "a": ("analyze", {"analyze"}),
    "A": ("ladder: all strategies", {"ladders", "ladder"}),
    "b": ("the book's values", {"book"}),
    "D": ("demo", {"demo"}),
    "E": ("lessons", {"lessons"}),
    "f": ("learning rate finder", {"lr_find"}),
    "F": ("filters of a layer", {"explain"}),
    "h": ("explain the model", {"explain"}),
    "i": ("other images", {"image", "images"}),
    "L": ("the next label", {"label"}),
    "m": ("machine check", {"machine"}),
    "N": ("note", {"note"}),
    "t": ("train", {"train"}),
    "T": ("tune", {"tune"}),
    "U": ("train the upper blocks only", {"upper"}),
    "v": ("the next view of the same thing", {"details", "curves", "next_view", "next_stage",
                                              "back"}),
    "w": ("measure the machine", {"measure"}),
    "W": ("weights from a file", {"weights"}),
    "z": ("zoom", {"zoom", "style"}),
    "plus": ("more", {"style", "step"}),
    "equals_sign": ("more", {"step"}),  # the plus key without shift
    "minus": ("less", {"style", "step"}),
    "0": ("all off", {"off"}),
    **{str(number): ("take a piece of advice", {"take_advice"}) for number in (7, 8, 9)},
    "asterisk": ("expand or collapse all", {"all"}),
    "ctrl+t": ("folder tree", {"tree"}),
    "ctrl+p": ("palette", {"command_palette"}),
    "ctrl+q": ("quit", {"quit"}),
    "ctrl+z": ("suspend", {"suspend_process"}),
}  # fmt: skip
OWN_KEYS = (ModalScreen, Input, DirectoryTree)


def classes(base: type[DOMNode] = DOMNode) -> Iterator[type[DOMNode]]:
    """Yield the screens and widgets of the app."""
    for found in base.__subclasses__():
        if found.__module__.startswith(f"{ui.__name__}."):
            yield found
        yield from classes(found)


def bindings() -> list[tuple[str, str, str]]:
    """Return class, key and action of every binding outside dialogs and text fields."""
    for module in pkgutil.walk_packages(ui.__path__, f"{ui.__name__}."):
        importlib.import_module(module.name)
    for path in ROUTES.values():
        pkgutil.resolve_name(path)
    found = []
    for owner in {one for one in classes() if not issubclass(one, OWN_KEYS)}:
        for one in owner.__dict__.get("BINDINGS", ()):
            binding = one if isinstance(one, Binding) else Binding(*one)
            action = binding.action.removeprefix("app.").partition("(")[0]
            found += [(owner.__name__, key, action) for key in binding.key.split(",")]
    return sorted(found)


def test_every_key_has_one_meaning() -> None:
    found = bindings()
    assert WorkbenchApp.__name__ in {owner for owner, _, _ in found}
    unknown = [one for one in found if one[1] not in MEANINGS]
    assert not unknown, "not in the table of keys"
    others = [
        (owner, key, action, MEANINGS[key][0])
        for owner, key, action in found
        if MEANINGS[key][1] and action not in MEANINGS[key][1]
    ]
    assert not others, "keys with another meaning"


@pytest.mark.parametrize("verb", ["stop", "resume", "compare", "delete", "layers", "export",
                                  "predict", "copy", "undo", "filter", "train"])  # fmt: skip
def test_every_verb_has_one_key(verb: str) -> None:
    keys = {key for _, key, action in bindings() if action == verb} - {"delete"}
    assert len(keys) == 1, keys
