"""The line of keys at the bottom of every screen."""

from pathlib import Path
from typing import Any, ClassVar

import pytest
from textual.binding import Binding, BindingType
from textual.pilot import Pilot
from ui_pilot import drive, until

from workbench.ui.app import WorkbenchApp
from workbench.ui.base import WorkbenchScreen
from workbench.ui.concepts import ConceptsScreen
from workbench.ui.keys import KeyLine

# For a description beside its key, two others and the palette's, in 80 columns.
ROOM = 80 - len("esc Back ? Explain l ") - len(" ▏^p Menu ")


def line(app: WorkbenchApp) -> str:
    return app.screen._compositor.render_strips()[-1].text


@pytest.mark.parametrize(
    ("utf8", "end"), [(True, " ▏^p Menu "), (False, "  ^p Menu ")], ids=["utf8", "ascii"]
)
@pytest.mark.parametrize("columns", [80, 120])
def test_the_palette_is_named_at_the_right(
    tmp_path: Path, columns: int, utf8: bool, end: str
) -> None:
    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        app.utf8 = utf8
        await app.push_screen(ConceptsScreen(("flatten",)))
        await until(pilot, lambda: line(app).endswith(end), end)
        assert len(line(app)) == columns

    drive(tmp_path, play, (columns, 24))


def test_keys_are_those_that_do_something_now(tmp_path: Path) -> None:
    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        await app.push_screen(ConceptsScreen(("border-effect", "flatten")))
        await until(pilot, lambda: "⏎ Try it" in line(app), "the key of the playground")
        await pilot.press("right")
        await until(pilot, lambda: "Try it" not in line(app), "nothing to try")

    drive(tmp_path, play)


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
def test_what_has_no_room_is_left_out(tmp_path: Path, cells: int, shown: list[str]) -> None:
    class Screen(WorkbenchScreen):
        BINDINGS: ClassVar[list[BindingType]] = [
            Binding("l", "app.bell", "x" * cells),
            Binding("f", "app.quit", "First"),
            Binding("s", "app.theme", "Second"),
        ]

    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        await app.push_screen(Screen())
        await until(pilot, lambda: line(app).endswith(" ▏^p Menu "), "the line")
        assert [one.binding.description for one in app.screen.query_one(KeyLine).shown] == shown
        assert all(words in line(app) for words in shown)
        assert len(line(app)) == 80

    drive(tmp_path, play)


def test_a_click_on_a_key_presses_it(tmp_path: Path) -> None:
    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        why = ConceptsScreen(("flatten",))
        await app.push_screen(why)
        await until(pilot, lambda: "Back" in line(app), "the keys")
        await pilot.click(KeyLine, offset=(line(app).index("Back"), 0))
        await until(pilot, lambda: app.screen is not why, "the screen before")

    drive(tmp_path, play)
