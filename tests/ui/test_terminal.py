"""The terminal: 16 colours too, ASCII without UTF-8, and the shell that gets it back."""

import os
import signal
import sys
from itertools import combinations
from pathlib import Path

import psutil
import pytest
from rich.cells import cell_len
from rich.color import ColorSystem
from terminal import APP, PROMPT, Terminal
from textual.binding import Binding
from textual.color import Color
from textual.theme import Theme
from textual.widgets import DataTable, OptionList, Static
from ui_pilot import driven, until
from waiting import wait_until

from workbench.ui.terminal import DARK, DARK_16, LIGHT, LIGHT_16, THEMES, themes_for, to_ascii

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
async def test_the_key_for_light_and_dark_keeps_to_the_pair(
    tmp_path: Path, first: Theme, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = (DARK_16, LIGHT_16) if first is DARK_16 else (DARK, LIGHT)
    monkeypatch.setattr("workbench.ui.person.themes_for", lambda color_system: pair)

    async with driven(tmp_path) as (app, _pilot):
        seen = [app.theme]
        for _ in range(2):
            app.action_theme()
            seen.append(app.theme)
        assert seen == [pair[0].name, pair[1].name, pair[0].name]


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
async def test_without_colours_the_chosen_row_is_marked_by_its_style(
    tmp_path: Path, theme: Theme, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async with driven(tmp_path) as (app, pilot):
        app.theme = theme.name
        table, options = DataTable[str](cursor_type="row"), OptionList("one", "two")
        await app.screen.query_one("#body").mount(table, options)
        table.focus()
        await until(pilot, lambda: app.focused is table, "the focus")
        assert table.get_component_styles("datatable--cursor").text_style.reverse
        highlighted = options.get_component_styles("option-list--option-highlighted")
        assert highlighted.text_style.underline


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
async def test_what_is_drawn_goes_through_it_where_there_is_no_utf8(
    tmp_path: Path, utf8: bool, shown: str
) -> None:
    async with driven(tmp_path) as (app, pilot):
        app.utf8 = utf8
        app.screen.query_one("#heading", Static).update("猫…")
        await until(pilot, lambda: app.screen._compositor.render_strips()[0].text.strip(), "it")
        await until(pilot, lambda: shown in app.screen._compositor.render_strips()[0].text, shown)


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
async def test_keys_have_names_in_ascii(tmp_path: Path, key: str, utf8: bool, shown: str) -> None:
    async with driven(tmp_path) as (app, _pilot):
        app.utf8 = utf8
        assert app.get_key_display(Binding(key, "nothing")) == shown


async def test_a_name_given_to_a_key_is_in_ascii_too(tmp_path: Path) -> None:
    async with driven(tmp_path) as (app, _pilot):
        app.utf8 = False
        assert app.get_key_display(Binding("right", "nothing", key_display="→")) == "->"


NOTHING_YET = "No runs yet"


def open_app(terminal: Terminal) -> psutil.Process:
    terminal.until(PROMPT)
    terminal.types(f"{APP}\n")
    terminal.until(NOTHING_YET)
    return terminal.app()


def assert_stopped(terminal: Terminal, app: psutil.Process) -> None:
    """The shell has the terminal back as it was, and what is typed is for it."""
    terminal.await_state(app, psutil.STATUS_STOPPED)
    terminal.until(PROMPT)
    terminal.types("echo shell-$((40 + 2))\n")
    assert "shell-42" in terminal.until("shell-42")
    terminal.until(PROMPT)


def assert_back(terminal: Terminal, app: psutil.Process) -> None:
    """The app draws all of its screen anew, and takes keys."""
    terminal.until(NOTHING_YET)
    # Output from before a stop from outside may come late: the app takes the terminal after it.
    wait_until(lambda: app.status() != psutil.STATUS_STOPPED and not terminal.is_canonical())
    terminal.types("?")
    terminal.until("concepts")
    terminal.types("\x1b")
    terminal.until(NOTHING_YET)


def test_ctrl_z_gives_the_shell_the_terminal_and_fg_brings_the_app_back(tmp_path: Path) -> None:
    with Terminal(tmp_path) as terminal:
        app = open_app(terminal)
        for _ in range(2):  # what was changed for the first stop is changed for the second
            terminal.types("\x1a")
            assert_stopped(terminal, app)
            terminal.types("fg\n")
            assert_back(terminal, app)


def test_the_app_comes_back_at_the_size_that_the_terminal_has_now(tmp_path: Path) -> None:
    with Terminal(tmp_path, 100, 30) as terminal:
        app = open_app(terminal)
        terminal.types("\x1a")
        assert_stopped(terminal, app)
        terminal.resize(60, 20)
        terminal.types("fg\n")
        terminal.until("The terminal has 60 x 20 cells")
        terminal.resize(100, 30)
        terminal.until(NOTHING_YET)


def test_a_text_field_does_not_keep_ctrl_z(tmp_path: Path) -> None:
    with Terminal(tmp_path) as terminal:
        app = open_app(terminal)
        terminal.types("\x10")  # ctrl+p
        terminal.until("Search for commands")
        terminal.types("\x1a")
        assert_stopped(terminal, app)


@pytest.mark.parametrize("number", [signal.SIGTSTP, signal.SIGSTOP], ids=lambda n: n.name)
def test_a_stop_from_outside_is_one_too(tmp_path: Path, number: signal.Signals) -> None:
    with Terminal(tmp_path) as terminal:
        app = open_app(terminal)
        os.kill(app.pid, number)
        terminal.await_state(app, psutil.STATUS_STOPPED)
        terminal.until(PROMPT)
        terminal.types("fg\n")
        assert_back(terminal, app)


def test_in_the_background_it_waits_for_the_terminal(tmp_path: Path) -> None:
    with Terminal(tmp_path) as terminal:
        app = open_app(terminal)
        terminal.types("\x1a")
        assert_stopped(terminal, app)
        terminal.types("bg\n")
        terminal.until(PROMPT)
        terminal.types("wait %1\n")  # until its state changes
        assert_stopped(terminal, app)
        terminal.types("fg\n")
        assert_back(terminal, app)


def test_a_script_around_the_app_stops_with_it(tmp_path: Path) -> None:
    """Else the script would wait for an app that nobody can bring back."""
    script = tmp_path / "app.sh"
    script.write_text(f"{APP}\necho ended\n")
    with Terminal(tmp_path) as terminal:
        terminal.until(PROMPT)
        terminal.types(f"sh {script}\n")
        terminal.until(NOTHING_YET)
        around = terminal.app()
        app = around.children()[0]
        terminal.types("\x1a")
        assert_stopped(terminal, app)
        assert around.status() == psutil.STATUS_STOPPED
        terminal.types("fg\n")
        assert_back(terminal, app)


@pytest.mark.parametrize("outside", [False, True])
def test_without_a_shell_it_does_not_stop(tmp_path: Path, outside: bool) -> None:
    """Nothing could bring back what is all that a connection or a container runs."""
    command = [sys.executable, "-m", "workbench"]
    with Terminal(tmp_path, command=command) as terminal:
        terminal.until(NOTHING_YET)
        if outside:
            os.kill(terminal.process.pid, signal.SIGTSTP)
        else:
            terminal.types("\x1a")
        terminal.until("There is no shell here")
        terminal.types("?")
        terminal.until("concepts")
