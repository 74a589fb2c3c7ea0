"""The settings in the app: changed in place, kept, used at once; keys changed by a press."""

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList, Static
from ui_pilot import driven, keys_offered, notices, refusal, text_of, until

from workbench.content.concepts import CONCEPTS
from workbench.settings import change_settings, read_settings
from workbench.ui.app import WorkbenchApp
from workbench.ui.concepts import ConceptsScreen
from workbench.ui.dialogs import Confirm, PickName
from workbench.ui.key_dialog import KeyDialog
from workbench.ui.keys import key_of
from workbench.ui.settings import SettingsScreen


async def opened(app: WorkbenchApp, pilot: Pilot[Any]) -> OptionList:
    await until(pilot, lambda: "Settings" in keys_offered(app), "home")
    await pilot.press("S")
    await until(pilot, lambda: isinstance(app.screen, SettingsScreen), "the settings")
    return app.screen.query_one(OptionList)


async def test_a_change_is_kept_and_used(tmp_path: Path) -> None:
    async with driven(tmp_path) as (app, pilot):
        await opened(app, pilot)
        await pilot.press("down", "enter")
        await until(pilot, lambda: app.theme == "workbench-light", "the other theme")
        assert read_settings()[0].theme == "light"
        assert "allowed: dark, light; default: dark" in text_of(app.screen, "#about")
        await pilot.press("d")
        await until(pilot, lambda: app.theme == "workbench-dark", "the default")
    change_settings({("theme",): "light"})
    async with driven(tmp_path) as (app, pilot):
        assert app.theme == "workbench-light"


async def test_another_language_asks_to_start_again(tmp_path: Path) -> None:
    async with driven(tmp_path) as (app, pilot):
        await opened(app, pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, PickName), "the languages")
        names = app.screen.query_one(OptionList)
        shown = [str(one.prompt)[2:] for one in names.options]
        assert shown == ["the system's", "English (en)", "한국어 (ko)"]
        for typed, at in (("e", 1), ("k", 2), ("s", 0), ("ko", 2)):
            await pilot.press(*typed)
            assert names.highlighted == at
        names.highlighted = 0
        await pilot.press("enter")  # the one there is
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, PickName), "no question")
        await pilot.press("k", "enter")
        await until(pilot, lambda: isinstance(app.screen, Confirm), "the question")
        assert read_settings()[0].language == "ko"
        await pilot.press("n")
        await until(pilot, lambda: "starts again" in text_of(app.screen, "#about"), "that it waits")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, PickName), "the languages again")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Confirm), "the same question")
        await pilot.press("y")
        await until(pilot, lambda: app.restarting, "the end")


async def test_a_key_is_found_by_its_name_changed_and_works_at_once(tmp_path: Path) -> None:
    async with driven(tmp_path) as (app, pilot):
        options = await opened(app, pilot)
        await pilot.press("v", "slash", *"demo", "enter")  # the only one that is left
        await until(pilot, lambda: isinstance(app.screen, KeyDialog), "the dialog")
        shown = [str(one.content) for one in app.screen.query(Static)]
        assert "free letters, such as: B C H I J K" in shown
        await pilot.press("n")
        clash = "! n is already the key of “New” (keys.new) on the same screen"
        await until(pilot, lambda: refusal(app) == clash, "the clash")
        await pilot.press("enter")
        await until(pilot, lambda: refusal(app) != clash, "another one")
        assert isinstance(app.screen, KeyDialog)
        assert refusal(app).startswith("! enter ")
        await pilot.press("f5")
        await until(pilot, lambda: read_settings()[0].keys == {"demo": "f5"}, "the key")
        await until(pilot, lambda: notices(app) == "f5 is now the key of “Demo”.", "that alone")
        assert options.option_count == 1
        await pilot.press("escape", "escape", "escape")  # the filter, the keys, the settings
        await until(pilot, lambda: app.screen.id != "settings", "home")
        await until(pilot, lambda: "f5" in app.screen.active_bindings, "the new key")
        assert "D" not in app.screen.active_bindings


async def test_hints_name_the_keys_of_the_person(tmp_path: Path) -> None:
    change_settings({("keys", "undo"): "f6"})
    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: key_of(app.screen, "undo") == "f6", "the key")
        assert (key_of(app.screen, "delete"), key_of(app.screen, "demo")) == ("d", "D")


async def test_keys_that_cannot_be_are_named_at_the_start(tmp_path: Path) -> None:
    change_settings({("keys", "stop"): "r", ("keys", "demo"): "f6"})
    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: "keys.stop: r is already the key" in notices(app), "a note")
        await until(pilot, lambda: "f6" in app.screen.active_bindings, "the good one")


async def test_a_path_is_copied_by_one_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    async with driven(tmp_path) as (app, pilot):
        sent: list[str] = []
        monkeypatch.setattr(app, "write", sent.append)
        await until(pilot, lambda: "Settings" in keys_offered(app), "home")
        await pilot.press("y")
        await until(pilot, lambda: "Sent to your terminal" in notices(app), "the copy")
        assert [one[:7] for one in sent] == ["\x1b]52;c;"]


async def test_concepts_are_explained_here_too(tmp_path: Path) -> None:
    async with driven(tmp_path) as (app, pilot):
        await opened(app, pilot)
        allowed = "allowed: the system's, English (en), 한국어 (ko); "
        assert text_of(app.screen, "#about") == f"{allowed}default: the system's"
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, ConceptsScreen), "the concepts")
        await until(
            pilot,
            lambda: f"   1 of {len(CONCEPTS)} concepts" in text_of(app.screen, "#heading"),
            "all",
        )
