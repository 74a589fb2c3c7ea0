"""Keys: one meaning each in the whole app, the line that names them, keys typed in a burst.

A modal dialog and a text field have keys of their own.
"""

import re
from pathlib import Path
from typing import Any, ClassVar

import pytest
from babel.messages.pofile import read_po
from textual import events
from textual.binding import Binding, BindingType
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Input
from ui_pilot import driven, notices, until

from workbench import messages
from workbench.content.concepts import CONCEPTS
from workbench.ui.app import WorkbenchApp
from workbench.ui.base import WorkbenchScreen
from workbench.ui.bindings import (
    MEANINGS,
    binding_owners,
    check_keys,
    import_screens,
    keymap,
    list_actions,
    own_bindings,
)
from workbench.ui.concepts import ConceptsScreen
from workbench.ui.dialogs import Confirm, Prompt
from workbench.ui.home.screen import HomeScreen
from workbench.ui.keys import KeyLine
from workbench.ui.results.screen import ResultsScreen
from workbench.ui.strategy.screen import StrategyScreen

CATALOGUE = Path(messages.__file__).parent / "content/locale/ko/LC_MESSAGES/workbench.po"


def bindings() -> list[tuple[str, str, str]]:
    """Return class, key and action of every binding outside dialogs and text fields."""
    import_screens()
    return sorted(
        (owner.__name__, key, binding.action.removeprefix("app.").partition("(")[0])
        for owner in binding_owners()
        for binding in own_bindings(owner)
        for key in binding.key.split(",")
    )


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


def test_the_keys_that_concepts_name_are_there() -> None:
    screens = {"Results": ResultsScreen, "Home": HomeScreen, "the strategy screen": StrategyScreen}
    named = re.compile(rf"\b(\w) on ({'|'.join(screens)})")
    found = [hit for concept in CONCEPTS.values() for hit in named.findall(concept.text)]
    assert len(found) >= 4
    for key, place in found:
        of_screen = [
            own_bindings(kind) for kind in screens[place].__mro__ if issubclass(kind, Widget)
        ]
        assert key in {one.key for some in of_screen for one in some}, (key, place)


def test_no_sentence_names_a_key_that_a_person_can_change() -> None:
    """Sentences get the key from `key_of`; a question's own y and n cannot be changed."""
    verbs = "closes|compares|copies|detaches|excludes|finds|goes|measures|names|opens|resumes"
    verbs += "|restores|saves|searches|shows|starts|stops|trains|tries|undoes"
    named = re.compile(rf"(?<![\w'(+-])[a-zA-Z] ({verbs})\b")
    with CATALOGUE.open("rb") as file:
        sentences = [one.id for one in read_po(file) if isinstance(one.id, str)]
    assert named.search("r resumes it")
    assert not [one for one in sentences if named.search(one)]


def test_every_key_has_an_id_that_the_settings_can_name() -> None:
    import_screens()
    nameless = [
        (owner.__name__, binding.key)
        for owner in binding_owners()
        for binding in own_bindings(owner)
        if not binding.id and not owner.__module__.startswith("tests")
    ]
    assert not nameless
    assert {"stop", "resume", "copy", "settings.screen"} <= {one.id for one in list_actions()}


@pytest.mark.parametrize(
    ("wanted", "good", "note"),
    [
        ({"stop": "f5"}, {"stop": "f5"}, ""),
        ({"stop": "r", "resume": "x"}, {"stop": "r", "resume": "x"}, ""),
        ({"concepts": "f1,?"}, {"concepts": "f1,question_mark"}, ""),
        ({"stop": "r"}, {}, "keys.stop: r is already the key of “Resume” (keys.resume)"),
        ({"stop": "ctrl+q"}, {}, "keys.stop: ctrl+q is already the key of “Quit” (keys.app.quit)"),
        ({"halt": "f5"}, {}, "keys.halt: there is no such id"),
        ({"stop": "f5,nokey"}, {}, "keys.stop: 'nokey' is no key; such as: r, R, ?, f5, ctrl+r"),
        ({"stop": "ㅌ"}, {}, "keys.stop: 'ㅌ' is no key"),
        ({"stop": "enter"}, {}, "keys.stop: enter moves or confirms and cannot be changed"),
        ({"palette": "m"}, {}, "keys.palette: m could not be typed any more"),
    ],
)
def test_a_changed_key_is_checked(wanted: dict[str, str], good: dict[str, str], note: str) -> None:
    found, notes = check_keys(wanted)
    assert found == good
    assert [one.startswith(note) for one in notes] == [True] * bool(note), notes


def test_a_changed_key_leaves_the_others_of_the_same_key() -> None:
    assert keymap({"detach": "f5"}) == {"detach": "f5", "train.back": "q"}


@pytest.mark.parametrize("verb", ["stop", "resume", "compare", "delete", "layers", "export",
                                  "predict", "copy", "undo", "filter", "train"])  # fmt: skip
def test_every_verb_has_one_key(verb: str) -> None:
    keys = {key for _, key, action in bindings() if action == verb} - {"delete"}
    assert len(keys) == 1, keys


# For a description beside its key, two others and the palette's, in 80 columns.
ROOM = 80 - len("esc Back ? Concepts l ") - len(" ▏… ^p All ")


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
        (ROOM, ["Back", "Concepts", "x" * ROOM]),
        (
            ROOM + 1,
            ["Back", "Concepts", "First", "Second"],
        ),  # which leaves room for others
        (ROOM - len(" f First"), ["Back", "Concepts", "x" * (ROOM - len(" f First")), "First"]),
    ],
    ids=["fits", "one too many", "two fit"],
)
async def test_what_has_no_room_is_left_out(tmp_path: Path, cells: int, shown: list[str]) -> None:
    class Screen(WorkbenchScreen):
        CONCEPTS = ("flatten",)  # "? Concepts" is offered
        BINDINGS: ClassVar[list[BindingType]] = [
            Binding("l", "app.bell", "x" * cells),
            Binding("f", "app.quit", "First"),
            Binding("s", "app.theme", "Second"),
        ]

    async with driven(tmp_path) as (app, pilot):
        await app.push_screen(Screen())
        await until(pilot, lambda: line(app).endswith(" ▏… ^p All "), "that there are others")
        assert [one.binding.description for one in app.screen.query_one(KeyLine).shown] == shown
        assert all(words in line(app) for words in shown)
        assert len(line(app)) == 80


async def test_a_letter_of_another_script_is_no_key_but_can_be_typed(tmp_path: Path) -> None:
    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: isinstance(app.screen, HomeScreen), "home")
        await pilot.press("ㅡ")  # m, where the keyboard is set to Hangul
        await until(pilot, lambda: "switch the keyboard" in notices(app), "the notice")
        app.clear_notifications()
        await pilot.press("ㅜ")
        await app.push_screen(Prompt("A name?"))
        await until(pilot, lambda: isinstance(app.focused, Input), "the field")
        await pilot.press("꽃")
        assert app.screen.query_one(Input).value == "꽃"
        assert notices(app) == ""  # said once for some seconds


async def test_a_letter_that_does_nothing_here_says_what_it_does_elsewhere(tmp_path: Path) -> None:
    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: isinstance(app.screen, HomeScreen), "home")
        await pilot.press("e")
        await until(pilot, lambda: "e does nothing here now" in notices(app), "the notice")
        assert "elsewhere: export." in notices(app)
        app.clear_notifications()
        await pilot.press("j")  # it moves the cursor
        await pilot.pause()
        assert notices(app) == ""


@pytest.mark.parametrize(("harmless", "answer"), [(False, False), (True, True)])
async def test_enter_is_yes_where_nothing_is_lost(
    tmp_path: Path, harmless: bool, answer: bool
) -> None:
    answers: list[bool | None] = []
    async with driven(tmp_path) as (app, pilot):
        await app.push_screen(Confirm("Sure?", "Do it", harmless=harmless), answers.append)
        await pilot.press("enter")
        await until(pilot, lambda: answers, "the answer")
    assert answers == [answer]


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
