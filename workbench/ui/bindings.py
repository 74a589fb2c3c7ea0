"""Keys by the ids of their bindings: all that there are, and the changes of a person.

A key has one meaning in the whole app, see `MEANINGS`; a modal dialog and a text field have keys of
their own. Every other binding has an id, by which the settings can give it other keys.
"""

import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache

from textual.binding import Binding
from textual.dom import DOMNode
from textual.keys import Keys, _character_to_key, format_key, key_to_character
from textual.screen import ModalScreen, Screen
from textual.widgets import DirectoryTree, Input

from workbench import ui
from workbench.messages import tr
from workbench.ui.keys import is_of_another_script

ANY: frozenset[str] = frozenset()
# What a key means, and the names of the actions that do it; ANY for a key whose effect depends on
# what has the focus. A new binding takes a key of this table, or a new line of it.
MEANINGS: Mapping[str, tuple[str, Set[str]]] = {
    "enter": (tr("open or continue"), ANY),
    "escape": (tr("back"), {"back", "detach", "end_reading"}),
    "q": (tr("quit or detach"), {"quit", "detach", "back"}),
    "question_mark": (tr("concepts"), {"show_concepts", "back"}),  # back from the explanation
    "slash": (tr("filter"), {"filter"}),
    "n": (tr("new or next"), {"new", "next", "next_step", "next_error", "later"}),
    "x": (tr("stop or cancel"), {"stop", "cancel"}),
    "r": (tr("resume or retry"), {"resume", "retry", "rescan", "redraw", "restart"}),
    "c": (tr("compare"), {"compare", "overlay"}),
    "d": (tr("delete or exclude"), {"delete", "exclude"}),
    "delete": (tr("delete or exclude"), {"delete", "exclude"}),
    "u": (tr("undo"), {"undo"}),
    "e": (tr("export"), {"export"}),
    "l": (tr("layers"), {"layers"}),
    "p": (tr("predict"), {"predict"}),
    "s": (tr("settings"), {"settings", "options", "augment", "folder", "seeds", "count"}),
    "y": (tr("copy"), {"copy"}),
    "space": (tr("toggle"), {"toggle_row", "mark"}),
    "o": (tr("sort order"), {"sort"}),
    **{str(step): (tr("step of the rail"), {"step", "choose"}) for step in range(1, 7)},
    # Move
    **{
        key: (tr("move"), {"press", "choose", "move", "step", "field", "open", "close", "cursor"})
        for key in ("j", "k", "g", "G", "up", "down", "left", "right")
    },
    "home": (tr("the first"), {"scroll_top", "read_at"}),
    "end": (tr("the last"), {"scroll_bottom", "read_at"}),
    "pagedown": (tr("scroll"), {"page"}),
    "pageup": (tr("scroll"), {"page"}),
    # One screen or a few
    "a": (tr("analyze"), {"analyze"}),
    "A": (tr("ladder: all strategies"), {"ladders", "ladder"}),
    "b": (tr("the book's values"), {"book"}),
    "D": (tr("demo"), {"demo"}),
    "E": (tr("lessons"), {"lessons"}),
    "f": (tr("learning rate finder"), {"lr_find"}),
    "F": (tr("filters of a layer"), {"explain"}),
    "h": (tr("explain the model"), {"explain"}),
    "i": (tr("other images"), {"image", "images"}),
    "L": (tr("another label"), {"label", "pick"}),
    "m": (tr("machine check"), {"machine"}),
    "M": (tr("map of the images"), {"map"}),
    "N": (tr("write a note"), {"note"}),
    "number_sign": (tr("tags"), {"tag"}),
    "R": (tr("review"), {"review"}),
    "S": (tr("settings"), {"settings_screen"}),
    "t": (tr("train"), {"train"}),
    "T": (tr("tune"), {"tune"}),
    "U": (tr("train the upper blocks only"), {"upper"}),
    "v": (tr("the next view of the same thing"), {"details", "curves", "next_view", "next_stage",
                                              "back"}),
    "w": (tr("measure"), {"measure"}),
    "W": (tr("weights from a file"), {"weights"}),
    "z": (tr("zoom"), {"zoom", "style"}),
    "plus": (tr("more"), {"step", "window"}),
    "equals_sign": (tr("more"), {"step", "window"}),  # the plus key without shift
    "minus": (tr("less"), {"step", "window"}),
    "0": (tr("all off"), {"off", "window"}),
    **{
        str(number): (tr("take a piece of advice"), {"take_advice", "choose"})
        for number in (7, 8, 9)
    },
    "asterisk": (tr("expand or collapse all"), {"all"}),
    "ctrl+t": (tr("folder tree"), {"tree"}),
    "ctrl+p": (tr("palette"), {"command_palette"}),
    "ctrl+q": (tr("quit"), {"quit"}),
    "ctrl+z": (tr("suspend"), {"suspend_process"}),
}  # fmt: skip
OWN_KEYS = (ModalScreen, Input, DirectoryTree)
# They move, confirm and close in lists, text fields and dialogs, whatever the settings say.
FIXED = frozenset(
    ("enter", "escape", "tab", "shift+tab", "space", "up", "down", "left", "right", "home", "end",
     "pageup", "pagedown", "backspace", "ctrl+c", "ctrl+i", "ctrl+m", "ctrl+j", "ctrl+h")
)  # fmt: skip
_SHARED = ("widgets", "base", "app")  # modules whose keys are on several screens
_KEY_NAMES = frozenset(key.value for key in Keys)
_MODIFIERS = re.compile(r"(?:(?:ctrl|shift|alt)\+)*")


@dataclass(frozen=True)
class KeyAction:
    """What a key does.

    Attributes:
        id: of the binding; the name of its key in the settings.
        keys: without settings, with commas between several.
        title: what it does.
        places: names of the screens and widgets that have it.
        priority: whether it comes before text fields, which a letter could not be typed into then.
    """

    id: str
    keys: str
    title: str
    places: tuple[str, ...]
    priority: bool

    @property
    def short(self) -> str:
        """The title without its explanation: "Sort"."""
        return self.title.split(": ")[0]


def import_screens() -> None:
    """Import every screen and widget."""
    for module in pkgutil.walk_packages(ui.__path__, f"{ui.__name__}."):
        importlib.import_module(module.name)


def binding_owners() -> list[type[DOMNode]]:
    """Return the imported screens and widgets of the app that have no keys of their own."""
    found = {one for one in _subclasses(DOMNode) if not issubclass(one, OWN_KEYS)}
    return sorted(found, key=lambda one: (one.__module__, one.__name__))


def own_bindings(owner: type[DOMNode]) -> Iterator[Binding]:
    """Yield the bindings that a class adds to those of its bases."""
    for one in owner.__dict__.get("BINDINGS", ()):
        yield one if isinstance(one, Binding) else Binding(*one)


@cache
def list_actions() -> tuple[KeyAction, ...]:
    """Return what all keys do, one entry for each id, those of most screens first."""
    import_screens()
    found: dict[str, list[tuple[str, Binding]]] = {}
    for owner in binding_owners():
        for binding in own_bindings(owner):
            if binding.id:
                found.setdefault(binding.id, []).append((_feature(owner), binding))
    actions = [_join(name, uses) for name, uses in found.items()]
    return tuple(sorted(actions, key=lambda one: ("." in one.id, one.id)))


def _join(name: str, uses: Sequence[tuple[str, Binding]]) -> KeyAction:
    keys = dict.fromkeys(key for _, one in uses for key in one.key.split(","))
    places = dict.fromkeys(place for place, _ in uses)
    meanings = (MEANINGS[key][0] for key in keys if key in MEANINGS)
    described = [one for _, one in uses if one.description]
    title = described[0].description if described else next(meanings, name)
    if described and described[0].tooltip:
        title = f"{title}: {described[0].tooltip}"
    return KeyAction(
        name, ",".join(keys), title, tuple(places), any(one.priority for _, one in uses)
    )


def check_keys(wanted: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the changes of keys that can be made, and a sentence on each of the others.

    Imports all screens: half a second, once.

    Args:
        wanted: new keys by the id of the binding, with commas between several.
    """
    known = {one.id: one for one in list_actions()}
    good: dict[str, str] = {}
    notes: list[str] = []
    for name, keys in wanted.items():
        if name not in known:
            notes.append(tr("keys.{id}: there is no such id", id=name))
        elif problem := _problem(keys, known[name]):
            notes.append(tr("keys.{id}: {problem}", id=name, problem=problem))
        else:
            good[name] = ",".join(normalize_key(key) for key in keys.split(","))
    while clash := _find_clash(good):
        name, key, other = clash
        notes.append(
            tr(
                "keys.{id}: {key} is already the key of “{title}” (keys.{other}) "
                "on the same screen",
                id=name,
                key=format_key(key),
                title=known[other].short if other in known else other,
                other=other,
            )
        )
        del good[name]
    return good, tuple(notes)


def keymap(good: Mapping[str, str]) -> dict[str, str]:
    """Return checked changes as Textual needs them.

    It removes the old key of a changed binding from all bindings that share the key, so these get
    their own keys once more.
    """
    changed = dict(good)
    for owner in binding_owners() if good else ():
        bindings = _effective(owner)
        keys = {key for one in bindings if one.id in good for key in one.key.split(",")}
        for one in bindings:
            if one.id and one.id not in good and keys & set(one.key.split(",")):
                changed[one.id] = one.key
    return changed


def normalize_key(key: str) -> str:
    """Return a key by Textual's name: "question_mark" for "?"."""
    return _character_to_key(key) if len(key) == 1 else key


def _problem(keys: str, action: KeyAction) -> str:
    """Return why keys cannot be those of an action, "" if they can."""
    for key in keys.split(","):
        if not _is_key(key):
            return tr("{key} is no key; such as: r, R, ?, f5, ctrl+r", key=repr(key))
        name = normalize_key(key)
        if name in FIXED and name not in action.keys.split(","):
            return tr("{key} moves or confirms and cannot be changed", key=key)
        function_key = re.fullmatch(r"f\d+", name)
        if (
            action.priority
            and not function_key
            and name not in FIXED
            and not name.startswith(("ctrl+", "alt+"))
        ):
            return tr("{key} could not be typed any more; take ctrl+ or a function key", key=key)
    return ""


def _is_key(key: str) -> bool:
    if len(key) == 1:
        return key.isprintable() and not (key.isspace() or is_of_another_script(key))
    last = key[_MODIFIERS.match(key).end() :]  # type: ignore[union-attr]
    if len(last) == 1:
        return last.isalnum() or last in "@^_\\]"
    return last in _KEY_NAMES or key_to_character(last) is not None


def _find_clash(good: Mapping[str, str]) -> tuple[str, str, str] | None:
    """Return id, key and the other id of the last change whose key is taken, None if none is."""
    for name in reversed([*good]):
        for scope in _scopes():
            if name not in scope:
                continue
            for other, keys in scope.items():
                taken = set(good.get(other, keys).split(","))
                if other != name and (shared := taken & set(good[name].split(","))):
                    return name, min(shared), other
    return None


@cache
def _scopes() -> tuple[Mapping[str, str], ...]:
    """Return the keys by id that can be pressed together, for every screen."""
    list_actions()
    owners = binding_owners()
    scopes = []
    for screen in owners:
        if not issubclass(screen, Screen):
            continue
        beside = [
            one
            for one in owners
            if not issubclass(one, Screen) and _feature(one) in (_feature(screen), *_SHARED)
        ]
        bindings = [one for owner in (screen, *beside) for one in _effective(owner)]
        scope: dict[str, str] = {}
        for one in bindings:
            name = one.id or one.description or one.action
            scope[name] = ",".join(filter(None, (scope.get(name), one.key)))
        scopes.append(scope)
    return tuple(scopes)


def _effective(owner: type[DOMNode]) -> list[Binding]:
    """Return the bindings of a class and its bases in this app; the key of a class hides others."""
    found: list[Binding] = []
    taken: set[str] = set()
    for base in owner.__mro__:
        if base.__module__.startswith(f"{ui.__name__}."):
            bindings = [*own_bindings(base)]
            for one in bindings:
                if keys := [key for key in one.key.split(",") if key not in taken]:
                    found.append(one.with_key(",".join(keys)))
            taken |= {key for one in bindings for key in one.key.split(",")}
    return found


def _feature(owner: type[DOMNode]) -> str:
    return owner.__module__.removeprefix(f"{ui.__name__}.").split(".")[0]


def _subclasses(base: type[DOMNode]) -> Iterator[type[DOMNode]]:
    for found in base.__subclasses__():
        if found.__module__.startswith(f"{ui.__name__}."):
            yield found
        yield from _subclasses(found)
