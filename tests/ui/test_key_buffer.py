"""Keys that arrive in one burst, while the dialog that the first of them opens is not there yet."""

from pathlib import Path
from typing import Any, ClassVar

import pytest
from textual import events
from textual.binding import Binding, BindingType
from textual.pilot import Pilot
from textual.widgets import Input
from ui_pilot import drive, until

from workbench.ui.app import WorkbenchApp
from workbench.ui.base import WorkbenchScreen
from workbench.ui.dialogs import Confirm, Prompt


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


def test_a_burst_goes_whole_into_the_dialog_that_it_opens(tmp_path: Path) -> None:
    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
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

    drive(tmp_path, play)


def test_keys_pressed_in_one_go_are_taken_whole(tmp_path: Path) -> None:
    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        screen = await below(app, pilot)
        await pilot.press(*"noxo", "enter")
        await until(pilot, lambda: screen.answers, "the answer")
        assert (screen.answers, screen.hits) == (["oxo"], 0)

    drive(tmp_path, play)


@pytest.mark.parametrize(("keys", "answer"), [("cxo\r", False), ("cxn", False), ("cxoy", True)])
def test_a_burst_answers_a_question_as_slow_keys_would(
    tmp_path: Path, keys: str, answer: bool
) -> None:
    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        screen = await below(app, pilot)
        burst(app, keys)
        await until(pilot, lambda: screen.answers, "the answer")
        assert (screen.answers, screen.hits) == ([answer], 0)

    drive(tmp_path, play)
