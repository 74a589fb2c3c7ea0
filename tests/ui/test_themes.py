"""Themes: what has to be told apart is another colour, with 16 of them too."""

from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from rich.color import ColorSystem
from textual.color import Color
from textual.pilot import Pilot
from textual.theme import Theme
from textual.widgets import DataTable, OptionList
from ui_pilot import drive, until

from workbench.ui.app import WorkbenchApp
from workbench.ui.terminal import DARK, DARK_16, LIGHT, LIGHT_16, THEMES, themes_for

SIXTEEN = (DARK_16, LIGHT_16)
GROUNDS = ("background", "surface", "panel")
WORDS = ("foreground", "secondary", "success", "warning", "error", "primary", "accent")


def ansi(color: str) -> int | None:
    """Which of the 16 colours a terminal shows."""
    return Color.parse(color).rich_color.downgrade(ColorSystem.STANDARD).number


def variables(theme: Theme) -> dict[str, str]:
    return {**theme.to_color_system().generate(), **theme.variables}


@pytest.mark.parametrize(
    ("color_system", "themes"),
    [
        ("standard", (DARK_16, LIGHT_16)),
        ("256", (DARK, LIGHT)),
        ("truecolor", (DARK, LIGHT)),
        (None, (DARK, LIGHT)),
    ],
)
def test_a_terminal_of_16_colours_has_themes_of_its_own(
    color_system: str | None, themes: tuple[Theme, Theme]
) -> None:
    assert themes_for(color_system) == themes
    assert [theme.dark for theme in themes] == [True, False]


@pytest.mark.parametrize("theme", SIXTEEN, ids=lambda theme: theme.name)
def test_words_are_read_on_every_ground_at_16_colours(theme: Theme) -> None:
    shown = variables(theme)
    grounds = {ansi(shown[name]) for name in GROUNDS}
    assert not grounds & {ansi(shown[name]) for name in WORDS}


@pytest.mark.parametrize("theme", SIXTEEN, ids=lambda theme: theme.name)
def test_words_are_read_under_the_cursor_and_it_is_seen_at_16_colours(theme: Theme) -> None:
    shown = variables(theme)
    for which in ("block-cursor", "block-cursor-blurred"):
        cursor = ansi(shown[f"{which}-background"])
        assert cursor not in {ansi(shown[name]) for name in (*WORDS, f"{which}-foreground")}
        assert cursor not in {ansi(shown["background"]), ansi(shown["surface"])}


@pytest.mark.parametrize("theme", SIXTEEN, ids=lambda theme: theme.name)
def test_colours_with_a_meaning_are_told_apart_at_16_colours(theme: Theme) -> None:
    shown = variables(theme)
    names = ("success", "warning", "error", "primary", "accent", "foreground")
    alike = [pair for pair in combinations(names, 2) if len({ansi(shown[n]) for n in pair}) == 1]
    assert alike == []


@pytest.mark.parametrize("theme", SIXTEEN, ids=lambda theme: theme.name)
def test_curves_and_what_they_were_before_smoothing_are_seen_at_16_colours(theme: Theme) -> None:
    ground, shown = Color.parse(theme.background or ""), variables(theme)
    pale = {ground.blend(Color.parse(shown[name]), 0.6).hex6 for name in ("primary", "warning")}
    drawn = [ansi(color) for color in (shown["primary"], shown["warning"], *pale)]
    assert len({*drawn, ansi(shown["background"])}) == 5


def test_the_dark_ground_at_16_colours_is_one_that_the_linux_console_has() -> None:
    shown = variables(DARK_16)
    grounds = [shown[name] for name in (*GROUNDS, "block-cursor-background")]
    assert all((ansi(color) or 0) < 8 for color in grounds)


@pytest.mark.parametrize("first", [DARK, DARK_16], ids=lambda theme: theme.name)
def test_the_key_for_light_and_dark_keeps_to_the_pair(
    tmp_path: Path, first: Theme, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = (DARK_16, LIGHT_16) if first is DARK_16 else (DARK, LIGHT)
    monkeypatch.setattr("workbench.ui.app.themes_for", lambda color_system: pair)

    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        seen = [app.theme]
        for _ in range(2):
            app.action_theme()
            seen.append(app.theme)
        assert seen == [pair[0].name, pair[1].name, pair[0].name]

    drive(tmp_path, play)


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_without_colours_the_chosen_row_is_marked_by_its_style(
    tmp_path: Path, theme: Theme, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        app.theme = theme.name
        table, options = DataTable[str](cursor_type="row"), OptionList("one", "two")
        await app.screen.query_one("#body").mount(table, options)
        table.focus()
        await until(pilot, lambda: app.focused is table, "the focus")
        assert table.get_component_styles("datatable--cursor").text_style.reverse
        highlighted = options.get_component_styles("option-list--option-highlighted")
        assert highlighted.text_style.underline

    drive(tmp_path, play)
