"""The line of keys at the bottom of every screen."""

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from ui_pilot import drive, until

from workbench.ui.app import WorkbenchApp
from workbench.ui.screens.why import WhyScreen
from workbench.ui.widgets.key_line import KeyLine


def line(app: WorkbenchApp) -> str:
    return app.screen._compositor.render_strips()[-1].text


@pytest.mark.parametrize(
    ("utf8", "end"), [(True, " ▏^p palette "), (False, "  ^p palette ")], ids=["utf8", "ascii"]
)
def test_a_wide_terminal_names_the_palette_at_the_right(
    tmp_path: Path, utf8: bool, end: str
) -> None:
    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        app.utf8 = utf8
        await app.push_screen(WhyScreen(("flatten",)))
        await until(pilot, lambda: line(app).endswith(end), end)
        assert len(line(app)) == 120

    drive(tmp_path, play, (120, 40))


def test_keys_are_those_that_do_something_now(tmp_path: Path) -> None:
    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        await app.push_screen(WhyScreen(("border-effect", "flatten")))
        await until(pilot, lambda: "t Try it" in line(app), "the key of the playground")
        await pilot.press("right")
        await until(pilot, lambda: "Try it" not in line(app), "nothing to try")
        assert "palette" not in line(app)  # there is no room for it

    drive(tmp_path, play)


def test_a_click_on_a_key_presses_it(tmp_path: Path) -> None:
    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        why = WhyScreen(("flatten",))
        await app.push_screen(why)
        await until(pilot, lambda: "Back" in line(app), "the keys")
        await pilot.click(KeyLine, offset=(line(app).index("Back"), 0))
        await until(pilot, lambda: app.screen is not why, "the screen before")

    drive(tmp_path, play)
