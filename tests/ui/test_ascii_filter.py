"""A terminal without UTF-8 gets ASCII, cell for cell, and keys by names that it can show."""

from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from textual.binding import Binding
from textual.pilot import Pilot
from textual.widgets import Static
from ui_pilot import drive, until

from workbench.ui.app import WorkbenchApp
from workbench.ui.terminal import to_ascii


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("cat-0.bmp", "cat-0.bmp"),
        ("2 ….bmp, 58 °C", "2 ~.bmp, 58  C"),
        ("╭─╮│╰─╯", "+-+|+-+"),
        ("▁▂▇█", "    "),
        ("é", "?"),
        ("e\u0301", "e"),  # a mark on the letter before has no cell of its own
        ("猫.png", "??.png"),  # two cells wide
    ],
)
def test_every_character_has_a_stand_in_as_wide(text: str, expected: str) -> None:
    assert to_ascii(text) == expected
    assert cell_len(to_ascii(text)) == cell_len(text)


@pytest.mark.parametrize(("utf8", "shown"), [(True, "猫…"), (False, "??~")])
def test_what_is_drawn_goes_through_it_where_there_is_no_utf8(
    tmp_path: Path, utf8: bool, shown: str
) -> None:
    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        app.utf8 = utf8
        app.screen.query_one("#heading", Static).update("猫…")
        await until(pilot, lambda: app.screen._compositor.render_strips()[0].text.strip(), "it")
        await until(pilot, lambda: shown in app.screen._compositor.render_strips()[0].text, shown)

    drive(tmp_path, play)


@pytest.mark.parametrize(
    ("key", "utf8", "shown"),
    [
        ("enter", True, "⏎"),
        ("enter", False, "enter"),
        ("right", True, "→"),
        ("right", False, "->"),
        ("left", False, "<-"),
        ("up", False, "up"),
        ("down", False, "down"),
        ("backspace", False, "backspace"),
        ("escape", False, "esc"),
        ("ctrl+p", False, "^p"),
    ],
)
def test_keys_have_names_in_ascii(tmp_path: Path, key: str, utf8: bool, shown: str) -> None:
    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        app.utf8 = utf8
        assert app.get_key_display(Binding(key, "nothing")) == shown

    drive(tmp_path, play)


def test_a_name_given_to_a_key_is_in_ascii_too(tmp_path: Path) -> None:
    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        app.utf8 = False
        assert app.get_key_display(Binding("right", "nothing", key_display="→")) == "->"

    drive(tmp_path, play)
