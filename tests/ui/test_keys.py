"""Keys: one meaning each in the whole app, the line that names them, keys typed in a burst.

A modal dialog and a text field have keys of their own.
"""

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from textual import events
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.pilot import Pilot
from textual.screen import ModalScreen
from textual.widgets import DirectoryTree, Input
from ui_pilot import driven, until

from workbench import ui
from workbench.ui.app import WorkbenchApp
from workbench.ui.base import WorkbenchScreen
from workbench.ui.concepts import ConceptsScreen
from workbench.ui.dialogs import Confirm, Prompt
from workbench.ui.keys import KeyLine
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
    "n": ("new or next", {"new", "next", "next_step", "next_error", "later"}),
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
    **{str(step): ("step of the rail", {"step", "choose"}) for step in range(1, 7)},
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
    "L": ("another label", {"label", "pick"}),
    "m": ("machine check", {"machine"}),
    "M": ("map of the images", {"map"}),
    "N": ("note", {"note"}),
    "number_sign": ("tags", {"tag"}),
    "R": ("review", {"review"}),
    "t": ("train", {"train"}),
    "T": ("tune", {"tune"}),
    "U": ("train the upper blocks only", {"upper"}),
    "v": ("the next view of the same thing", {"details", "curves", "next_view", "next_stage",
                                              "back"}),
    "w": ("measure", {"measure"}),
    "W": ("weights from a file", {"weights"}),
    "z": ("zoom", {"zoom", "style"}),
    "plus": ("more", {"style", "step"}),
    "equals_sign": ("more", {"step"}),  # the plus key without shift
    "minus": ("less", {"style", "step"}),
    "0": ("all off", {"off"}),
    **{str(number): ("take a piece of advice", {"take_advice", "choose"}) for number in (7, 8, 9)},
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


# For a description beside its key, two others and the palette's, in 80 columns.
ROOM = 80 - len("esc Back ? Explain l ") - len(" ▏^p Menu ")


def line(app: WorkbenchApp) -> str:
    return app.screen._compositor.render_strips()[-1].text


@pytest.mark.parametrize(
    ("utf8", "end"), [(True, " ▏^p Menu "), (False, "  ^p Menu ")], ids=["utf8", "ascii"]
)
@pytest.mark.parametrize("columns", [80, 120])
async def test_the_palette_is_named_at_the_right(
    tmp_path: Path, columns: int, utf8: bool, end: str
) -> None:
    async with driven(tmp_path, (columns, 24)) as (app, pilot):
        app.utf8 = utf8
        await app.push_screen(ConceptsScreen(("flatten",)))
        await until(pilot, lambda: line(app).endswith(end), end)
        assert len(line(app)) == columns


async def test_keys_are_those_that_do_something_now(tmp_path: Path) -> None:
    async with driven(tmp_path) as (app, pilot):
        await app.push_screen(ConceptsScreen(("border-effect", "flatten")))
        await until(pilot, lambda: "⏎ Try it" in line(app), "the key of the playground")
        await pilot.press("right")
        await until(pilot, lambda: "Try it" not in line(app), "nothing to try")


@pytest.mark.parametrize(
    ("cells", "shown"),
    [
        (ROOM, ["Back", "Explain", "x" * ROOM]),
        (
            ROOM + 1,
            ["Back", "Explain", "First", "Second"],
        ),  # which leaves room for others
        (ROOM - len(" f First"), ["Back", "Explain", "x" * (ROOM - len(" f First")), "First"]),
    ],
    ids=["fits", "one too many", "two fit"],
)
async def test_what_has_no_room_is_left_out(tmp_path: Path, cells: int, shown: list[str]) -> None:
    class Screen(WorkbenchScreen):
        BINDINGS: ClassVar[list[BindingType]] = [
            Binding("l", "app.bell", "x" * cells),
            Binding("f", "app.quit", "First"),
            Binding("s", "app.theme", "Second"),
        ]

    async with driven(tmp_path) as (app, pilot):
        await app.push_screen(Screen())
        await until(pilot, lambda: line(app).endswith(" ▏^p Menu "), "the line")
        assert [one.binding.description for one in app.screen.query_one(KeyLine).shown] == shown
        assert all(words in line(app) for words in shown)
        assert len(line(app)) == 80


async def test_a_click_on_a_key_presses_it(tmp_path: Path) -> None:
    async with driven(tmp_path) as (app, pilot):
        why = ConceptsScreen(("flatten",))
        await app.push_screen(why)
        await until(pilot, lambda: "Back" in line(app), "the keys")
        await pilot.click(KeyLine, offset=(line(app).index("Back"), 0))
        await until(pilot, lambda: app.screen is not why, "the screen before")


class Below(WorkbenchScreen):
    """Opens dialogs, and has keys of its own that must not be hit from within one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "ask"),
        Binding("c", "confirm"),
        Binding("x,o,y", "hit"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.hits = 0
        self.answers: list[object] = []

    def action_ask(self) -> None:
        self.app.push_screen(Prompt("A note"), self.answers.append)

    def action_confirm(self) -> None:
        self.app.push_screen(Confirm("Stop?", "Stop"), self.answers.append)

    def action_hit(self) -> None:
        self.hits += 1


def burst(app: WorkbenchApp, keys: str) -> None:
    """All keys at once, as a terminal hands over what was pasted or typed on a slow line."""
    names = {"/": "slash", ".": "full_stop", "\r": "enter"}
    for key in keys:
        app.post_message(events.Key(names.get(key, key), key))


async def below(app: WorkbenchApp, pilot: Pilot[Any]) -> Below:
    screen = Below()
    await app.push_screen(screen)
    await until(pilot, lambda: screen.is_current, "the screen")
    return screen


async def test_a_burst_goes_whole_into_the_dialog_that_it_opens(tmp_path: Path) -> None:
    async with driven(tmp_path) as (app, pilot):
        screen = await below(app, pilot)
        burst(app, "xnope/x.jpg")
        await until(pilot, lambda: isinstance(app.screen, Prompt), "the dialog")
        field = app.screen.query_one(Input)
        await until(pilot, lambda: field.value, "what was typed")
        assert field.value == "ope/x.jpg"
        assert screen.hits == 1  # by the x before the dialog
        burst(app, "/more\r")
        await until(pilot, lambda: screen.answers, "the answer")
        assert screen.answers == ["ope/x.jpg/more"]


async def test_keys_pressed_in_one_go_are_taken_whole(tmp_path: Path) -> None:
    async with driven(tmp_path) as (app, pilot):
        screen = await below(app, pilot)
        await pilot.press(*"noxo", "enter")
        await until(pilot, lambda: screen.answers, "the answer")
        assert (screen.answers, screen.hits) == (["oxo"], 0)


@pytest.mark.parametrize(("keys", "answer"), [("cxo\r", False), ("cxn", False), ("cxoy", True)])
async def test_a_burst_answers_a_question_as_slow_keys_would(
    tmp_path: Path, keys: str, answer: bool
) -> None:
    async with driven(tmp_path) as (app, pilot):
        screen = await below(app, pilot)
        burst(app, keys)
        await until(pilot, lambda: screen.answers, "the answer")
        assert (screen.answers, screen.hits) == ([answer], 0)
