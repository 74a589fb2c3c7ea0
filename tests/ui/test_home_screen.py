"""Home: the runs as they change, and what can be done with them."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
from event_lines import LogWriter
from rich.text import Text
from screen_text import lines
from textual.command import CommandList
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, OptionList, Static
from ui_pilot import driven, notices, refusal, until
from waiting import wait_until

from workbench.app.table_settings import TableSettings, read_table_settings
from workbench.paths import Workspace
from workbench.render.run_table import run_cells
from workbench.runs.folder import RunFolder, create_run
from workbench.runs.lock import take_lock
from workbench.runs.trash import move_to_trash
from workbench.runs.watch import RunView
from workbench.ui.app import WorkbenchApp
from workbench.ui.compare import CompareScreen
from workbench.ui.dialogs import Confirm, PickName, Prompt
from workbench.ui.home import table as home_table
from workbench.ui.home.options import TableOptions
from workbench.ui.home.screen import HomeScreen
from workbench.ui.home.table import RunTable
from workbench.ui.keys import KeyLine
from workbench.ui.machine.screen import MachineStep
from workbench.ui.train.screen import TrainScreen

SPEC = '[model]\nstrategy = "convnet"\n[data]\nsource = "photos"\n'
HOSTILE = "[/oops] \x1b[31mred"


def make_run(root: Path, name: str, *accuracies: float, end: str = "finished") -> RunFolder:
    began = round(time.time(), 3)
    wait_until(lambda: round(time.time(), 3) > began)  # runs are told apart by the millisecond
    folder = create_run(Workspace(root), SPEC, name, "")
    events = LogWriter(folder.events_path)
    events.write("launched", job="train")
    events.write("data_ready", name=HOSTILE, images={"train": 10}, labels=["a", "b"])
    events.write("stage_started", stage=0, epochs=9)
    for number, accuracy in enumerate(accuracies, start=1):
        events.write("epoch_finished", stage=0, epoch=number, val_accuracy=accuracy, best=True)
    if end == "failed":
        events.write("failed", kind="user", message=f"no room for {HOSTILE}", hint="make some")
    elif end:
        events.write(end, seconds=1.0, stage=0, epoch=1, step=0)
    return folder


def table(app: WorkbenchApp) -> list[list[str]]:
    """The cells as text."""
    widget = app.screen.query_one(DataTable)
    return [[str(cell) for cell in widget.get_row_at(row)] for row in range(widget.row_count)]


def names(app: WorkbenchApp) -> list[str]:
    return [row[1] for row in table(app)]


def text(app: WorkbenchApp, selector: str) -> str:
    return str(app.screen.query_one(selector, Static).content)


async def test_an_empty_workspace_shows_how_to_start(tmp_path: Path) -> None:
    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: app.screen.query("#nothing"), "home")
        shown = text(app, "#nothing").splitlines()
        assert shown[0] == f"No runs yet in {tmp_path}/saved_models."
        assert shown[1] == "Runs of another folder: start there, or workbench --workspace DIR."
        line = app.screen.query_one(KeyLine)
        keys = "? Concepts n New q Quit S Settings m Machine E Lessons D Demo"
        await until(pilot, lambda: line.keys.plain == keys, keys)
        for key in ("enter", "r", "x", "d"):  # nothing to do it with, no harm done
            await pilot.press(key)
        assert not list(tmp_path.iterdir())


async def test_the_footer_shows_that_enter_opens_a_run(tmp_path: Path) -> None:
    for name in ("first", "second"):
        make_run(tmp_path, name, 0.5, end="stopped")
    gone = make_run(tmp_path, "gone", 0.5)
    move_to_trash(Workspace(tmp_path), gone)

    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: {"undo", "resume"} <= offered(app), "all that can be done")
        line = app.screen.query_one(KeyLine)
        assert "Open" in [one.binding.description for one in line.shown]
        assert line.keys.plain.endswith("c Compare r Resume q Quit S Settings o Sort")
        app.utf8 = False  # keys have longer names
        assert line.keys.plain.startswith("enter Open ")
        assert line.keys.plain.endswith(" q Quit S Settings")  # there is no room for the machine


async def test_keys_work_on_an_empty_home_after_another_screen(tmp_path: Path) -> None:
    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: app.screen.query("#nothing"), "home")
        await pilot.press("question_mark")
        await until(pilot, lambda: not isinstance(app.screen, HomeScreen), "what all this is")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen), "home again")
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, MachineStep), "the first step")


async def test_running_ones_on_top_then_the_newest(tmp_path: Path) -> None:
    alive = make_run(tmp_path, "alive", 0.5, 0.6, end="")
    lock = take_lock(alive.lock_path)
    make_run(tmp_path, "older", 0.7)
    make_run(tmp_path, "newer", 0.8, end="stopped")

    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: len(table(app)) == 3, "three runs")
        assert names(app) == ["alive", "newer", "older"]
        rows = table(app)
        assert rows[0][0].split() == ["training", "▶"]
        assert rows[0][3:] == ["0.600 v", "▁█", "2/9"]
        assert rows[1][0].split() == ["stopped", "■"]
        assert "1 running" in text(app, "#heading")
        LogWriter(alive.events_path).write(
            "epoch_finished", stage=0, epoch=3, val_accuracy=0.9, best=True
        )
        await until(pilot, lambda: table(app)[0][3] == "0.900 v", "the new epoch")
    os.close(lock)


async def test_hostile_text_is_made_safe(tmp_path: Path) -> None:
    make_run(tmp_path, "bad", end="failed")

    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: names(app) == ["bad"], "the run")
        await until(pilot, lambda: "no room for" in text(app, "#detail"), "the detail")
        assert "failed: no room for [/oops] \\e[31mred (at " in text(app, "#detail")


async def test_the_filter_keeps_what_fits(tmp_path: Path) -> None:
    make_run(tmp_path, "cats-1", 0.5)
    make_run(tmp_path, "dogs-1", 0.5)

    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: len(table(app)) == 2, "two runs")
        assert "back" not in offered(app)
        await pilot.press("slash", *"dog")
        assert "back" in offered(app)
        await until(pilot, lambda: names(app) == ["dogs-1"], "the one that fits")
        await pilot.press("escape")
        await until(pilot, lambda: len(table(app)) == 2, "all again")
        assert "back" not in offered(app)


async def test_only_rows_in_view_are_formatted_of_all_that_are_sorted_and_filtered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(home_table, "ROWS_AT_ONCE", 30)
    for number in range(1, 71):
        create_run(Workspace(tmp_path), SPEC, f"run-{number}", "")
    formatted: list[str] = []

    def counting(view: RunView, *given: Any) -> tuple[Text, ...]:
        formatted.append(view.name)
        return run_cells(view, *given)

    monkeypatch.setattr(home_table, "run_cells", counting)
    async with driven(tmp_path) as (app, pilot):
        runs = app.screen.query_one(RunTable)
        await until(pilot, lambda: runs.row_count == 70, "rows that follow the first ones")
        assert set(formatted) <= {f"run-{number}" for number in range(70, 70 - 24, -1)}
        formatted.clear()
        await pilot.press("end")
        await until(pilot, lambda: runs.chosen == "run-1", "the last row")
        await until(pilot, lambda: "run-1" in formatted, "its cells")
        formatted.clear()
        await pilot.press("slash", *"run-1")
        await until(pilot, lambda: runs.row_count == 11, "what matches")
        assert runs.names == [f"run-{number}" for number in (*range(19, 9, -1), 1)]
        assert runs.chosen == "run-1"  # the cursor stays on its run
        runs.focus()
        await sort(app, pilot, "down", "down")
        await until(pilot, lambda: runs.names[:3] == ["run-1", "run-10", "run-11"], "by name")
        assert "run-50" not in formatted


def offered(app: WorkbenchApp) -> set[str]:
    return {one.binding.action for one in app.screen.active_bindings.values()}


async def delete(app: WorkbenchApp, pilot: Pilot[Any], folder: RunFolder) -> None:
    """Deletes the run under the cursor, and waits until home has seen it."""
    await pilot.press("d", "y")
    await until(pilot, lambda: not app.find_run(folder.name), "deleted")
    await until(pilot, lambda: "undo" in offered(app), "it can be taken back")


def scored_run(root: Path, name: str, accuracy: float, macro_f1: float | None) -> None:
    folder = make_run(root, name, accuracy, end="")
    events = LogWriter(folder.events_path)
    score = {"value": macro_f1, "interval": [0.1, 0.9]}
    events.write("evaluated", split="test", accuracy=accuracy, macro_f1=macro_f1 and score)
    events.write("finished", seconds=1.0)


async def test_another_metric_is_shown_and_kept(tmp_path: Path) -> None:
    scored_run(tmp_path, "old", 0.9, None)  # evaluated by an earlier version
    scored_run(tmp_path, "rare", 0.8, 0.75)
    scored_run(tmp_path, "often", 0.95, 0.5)
    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: names(app) == ["often", "rare", "old"], "newest first")
        assert [row[3] for row in table(app)] == ["0.950", "0.800", "0.900"]
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, TableOptions), "the options")
        await pilot.press("enter", "escape")
        await until(
            pilot, lambda: [row[3] for row in table(app)] == ["0.500", "0.750", "-"], "macro F1"
        )
        labels = [column.label.plain for column in app.screen.query_one(RunTable).columns.values()]
        assert labels == ["state", "run", "strategy", "F1", "curve", "when"]
        await sort(app, pilot, "down")
        await until(pilot, lambda: names(app) == ["rare", "often", "old"], "best first")
        order = "3 runs, best macro F1 first, tested runs before others"
        await until(pilot, lambda: text(app, "#heading").endswith(order), order)
        assert order in lines(app.screen)[0]  # the path of the workspace is cut, not what follows
        app.draft_writer.flush()
    assert read_table_settings(Workspace(tmp_path)) == TableSettings("macro_f1", "metric")
    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: names(app) == ["rare", "often", "old"], "as before")
        await sort(app, pilot)  # the same again: the other way round, what is unknown last
        await until(pilot, lambda: names(app) == ["often", "rare", "old"], "lowest first")
        await sort(app, pilot, "up")
        await until(pilot, lambda: text(app, "#heading").endswith("3 runs"), "newest first")


async def sort(app: WorkbenchApp, pilot: Pilot[Any], *keys: str) -> None:
    """Take the order that is offered first, or the one that other keys lead to."""
    await pilot.press("o")
    await until(pilot, lambda: isinstance(app.screen, PickName), "the orders")
    orders = app.screen.query_one(OptionList)
    marked = [str(one.prompt).startswith("● ") for one in orders.options]
    assert [at for at, mark in enumerate(marked) if mark] == [orders.highlighted]  # the present one
    await pilot.press(*keys, "enter")


async def test_a_run_is_tagged_noted_and_found_by_both(tmp_path: Path) -> None:
    for name in ("one", "two"):
        make_run(tmp_path, name, 0.5)
    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: names(app) == ["two", "one"], "the runs")
        await pilot.press("number_sign")
        await until(pilot, lambda: isinstance(app.screen, Prompt), "the question")
        await pilot.press(*"-night", "enter")
        allowed = "Allowed: up to 32 letters, digits, dots, dashes and underscores"
        blank = "between several tags a blank, no comma."
        wrong = f"! '-night' cannot be a tag.\n{allowed}, beginning with a letter or digit; {blank}"
        await until(pilot, lambda: refusal(app) == wrong, "why not")
        assert app.screen.query_one(Input).value == "-night"
        await pilot.press("home", "delete")
        await until(pilot, lambda: not refusal(app), "another text")
        await pilot.press("enter")
        await until(pilot, lambda: app.runs[0].tags == ("night",), "the tag")
        await until(pilot, lambda: "tagged night" in text(app, "#detail"), "it is shown")
        assert "two has the tags: night" in [one.message for one in app._notifications]
        await pilot.press("number_sign")
        await until(pilot, lambda: isinstance(app.screen, Prompt), "the question")
        await pilot.press(*"good", "enter")  # is added
        await until(pilot, lambda: set(app.runs[0].tags) == {"night", "good"}, "both tags")
        await pilot.press("down", "N")
        await until(pilot, lambda: isinstance(app.screen, Prompt), "the question")
        await pilot.press(*"rose", "enter")
        await until(pilot, lambda: app.runs[1].note.endswith("  rose"), "the note")
        for query, found in (("tag:night", ["two"]), ("rose", ["one"]), ("acc>0.4 -rose", ["two"])):
            await pilot.press("slash")
            app.screen.query_one("#filter", Input).value = query
            await until(pilot, lambda found=found: names(app) == found, query)
        app.screen.query_one("#filter", Input).value = "acc>x"
        error = "! acc>x: received 'x'; allowed: a number, such as acc>0.9"
        await until(pilot, lambda: text(app, "#query-error") == error, "what is wrong")
        assert names(app) == ["two"]  # as before


async def test_groups_fold_and_a_click_on_a_column_sorts(tmp_path: Path) -> None:
    for name, accuracy in (("a", 0.5), ("b", 0.9), ("c", 0.7)):
        make_run(tmp_path, name, accuracy)
    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: names(app) == ["c", "b", "a"], "newest first")
        await pilot.click(RunTable, offset=(46, 0))  # its accuracy
        await until(pilot, lambda: names(app) == ["b", "c", "a"], "best first")
        await pilot.press("s", "down", "enter", "enter", "escape")
        heading = "▾ 3 runs"
        await until(pilot, lambda: table(app)[0][0] == heading, "the heading of the data")
        assert names(app)[1:] == ["b", "c", "a"]
        await pilot.press("home", "space")
        await until(pilot, lambda: len(table(app)) == 1, "folded")
        await pilot.press("space")
        await until(pilot, lambda: len(table(app)) == 4, "unfolded")


async def test_deleting_asks_and_can_be_undone(tmp_path: Path) -> None:
    folder = make_run(tmp_path, "old", 0.5)

    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: names(app) == ["old"], "the run")
        assert "undo" not in offered(app)
        await pilot.press("delete")  # as d does
        await pilot.press("enter")  # the default loses nothing
        assert folder.path.exists()
        await delete(app, pilot, folder)
        gone = "old is in the trash; u restores it."
        await until(pilot, lambda: notices(app) == gone, "where it is")
        assert "u  restore the run that was deleted last" in text(app, "#nothing")
        (trashed,) = (tmp_path / "saved_models" / ".trash").iterdir()
        assert (trashed / "spec.toml").read_text() == SPEC
        await pilot.press("u")
        await until(pilot, lambda: names(app) == ["old"], "the run again")
        assert app.screen.focused is app.screen.query_one(DataTable)
        await until(pilot, lambda: notices(app).endswith("old is restored."), "that it is restored")
        await until(pilot, lambda: "undo" not in offered(app), "nothing to take back")
    assert folder.spec_path.read_text() == SPEC


async def test_deletions_are_undone_one_by_one_the_last_first(tmp_path: Path) -> None:
    runs = {name: make_run(tmp_path, name, 0.5) for name in ("one", "two", "three", "four")}

    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: len(names(app)) == 4, "four runs")
        await pilot.press("down")
        await delete(app, pilot, runs["three"])
        assert app.screen.query_one(DataTable).cursor_row == 1  # the next took its place
        await pilot.press("d", "y")
        await until(pilot, lambda: names(app) == ["four", "one"], "two are gone")
        trash = tmp_path / "saved_models" / ".trash"
        for path in trash.glob("three.*"):  # deleted earlier, though in the same second
            path.rename(trash / "three.20200101-000000")
        await pilot.press("u")
        await until(pilot, lambda: names(app) == ["four", "two", "one"], "the last")
        await pilot.press("u")
        await until(pilot, lambda: len(names(app)) == 4, "the one before")


async def test_a_name_that_is_taken_by_now_is_asked_for(tmp_path: Path) -> None:
    folder = make_run(tmp_path, "old", 0.5)

    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: names(app) == ["old"], "the run")
        await delete(app, pilot, folder)
        make_run(tmp_path, "old", 0.75)
        await until(pilot, lambda: names(app) == ["old"], "another of the name")
        await pilot.press("u")
        await until(pilot, lambda: isinstance(app.screen, Prompt), "the question")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen), "home")
        assert "undo" in offered(app)  # nothing was done, so it still can be
        await pilot.press("u")
        await until(pilot, lambda: isinstance(app.screen, Prompt), "the question again")
        assert "There is another run old now." in str(app.screen.query(Static)[0].content)
        await pilot.press("enter")
        await until(pilot, lambda: set(names(app)) == {"old", "old-old"}, "both")
        accuracies = {row[1]: row[3] for row in table(app)}
        assert accuracies == {"old": "0.750 v", "old-old": "0.500 v"}


async def test_the_palette_restores_any_deleted_run(tmp_path: Path) -> None:
    for name in ("first", "second"):
        folder = make_run(tmp_path, name, 0.5)
        move_to_trash(Workspace(tmp_path), folder)

    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: "undo" in offered(app), "the trash was looked at")
        await pilot.press("ctrl+p", *"restore first")
        commands = app.screen.query_one(CommandList)
        await until(pilot, lambda: commands.has_class("--visible"), "the list")
        await until(pilot, lambda: "first" in str(commands.options[0].prompt), "the command")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen), "home")
        await until(pilot, lambda: names(app) == ["first"], "the run")


async def test_a_running_run_is_not_deleted(tmp_path: Path) -> None:
    busy = make_run(tmp_path, "busy", 0.5, end="")
    lock = take_lock(busy.lock_path)

    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: names(app) == ["busy"], "the run")
        await pilot.press("delete")
        assert isinstance(app.screen, HomeScreen)  # nothing is asked
        why = "busy is running: x stops it, and then it can be deleted."
        await until(pilot, lambda: notices(app) == why, "why not")
    os.close(lock)
    assert busy.path.exists()


async def test_a_worker_that_starts_during_the_question_keeps_its_run(tmp_path: Path) -> None:
    folder = make_run(tmp_path, "old", 0.5)

    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: names(app) == ["old"], "the run")
        await pilot.press("delete")
        lock = take_lock(folder.lock_path)
        await pilot.press("y")
        await until(pilot, lambda: "old is running: a worker holds it" in notices(app), "why not")
        os.close(lock)
    assert folder.path.exists()


async def test_stopping_asks_and_leaves_a_request(tmp_path: Path) -> None:
    folder = make_run(tmp_path, "busy", 0.5, end="")
    lock = take_lock(folder.lock_path)

    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: names(app) == ["busy"], "the run")
        await pilot.press("x", "n")
        assert not (folder.control / "stop").exists()
        await pilot.press("x", "y")
        await until(pilot, lambda: (folder.control / "stop").exists(), "the request")
    os.close(lock)


async def test_only_what_can_be_done_with_a_run_is_offered(tmp_path: Path) -> None:
    busy = make_run(tmp_path, "busy", 0.5, end="")
    lock = take_lock(busy.lock_path)
    make_run(tmp_path, "done", 0.5)

    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: names(app) == ["busy", "done"], "two runs")
        assert "stop" in offered(app)
        await pilot.press("down")
        await until(pilot, lambda: "stop" not in offered(app), "nothing to stop")
        assert {"new", "compare", "delete", "app.quit"} <= offered(app)
    os.close(lock)


async def test_comparing_takes_two_runs(tmp_path: Path) -> None:
    make_run(tmp_path, "only", 0.5)

    async with driven(tmp_path) as (app, pilot):
        await pilot.press("c")  # there is no run yet, or only one
        await until(pilot, lambda: names(app) == ["only"], "the run")
        await pilot.press("c")
        assert isinstance(app.screen, HomeScreen)


async def test_runs_are_marked_and_compared(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        make_run(tmp_path, name, 0.5)

    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: names(app) == ["three", "two", "one"], "three runs")
        await pilot.press("c", "escape")
        assert isinstance(app.screen, HomeScreen)
        await pilot.press("c", "space", "space", "space", "down", "space", "enter")
        assert isinstance(app.screen, CompareScreen)
        assert app.screen.names == ("three", "two", "one")
        await pilot.press("escape", "c", "down", "enter")  # without marks: the one at the cursor
        assert isinstance(app.screen, CompareScreen)
        assert app.screen.names == ("three", "one")


async def test_the_cursor_moves_to_a_run_that_was_started_here(tmp_path: Path) -> None:
    for name in ("first", "second"):
        make_run(tmp_path, name, 0.5)

    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: names(app) == ["second", "first"], "two runs")
        table = app.screen.query_one(RunTable)
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(app.screen, TrainScreen), "another screen")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen), "home")
        assert table.chosen == "first"  # nothing has begun
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, TrainScreen), "another screen")
        for name in ("elsewhere", "begun"):
            make_run(tmp_path, name, 0.5)
            await until(pilot, lambda name=name: app.find_run(name), "the run")
            if name == "begun":
                app.open_instead("train", name)
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, HomeScreen), "home")
            await until(pilot, lambda name=name: name in names(app), "it is listed")
            assert table.chosen == ("begun" if name == "begun" else "first")
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(app.screen, TrainScreen), "another screen")


async def test_the_cursor_stays_when_a_run_starts_behind_a_question(tmp_path: Path) -> None:
    for name in ("first", "second"):
        make_run(tmp_path, name, 0.5)

    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: names(app) == ["second", "first"], "two runs")
        await pilot.press("down", "d")
        await until(pilot, lambda: isinstance(app.screen, Confirm), "the question")
        make_run(tmp_path, "begun", 0.5)
        await until(pilot, lambda: app.find_run("begun"), "the run")
        await pilot.press("n")
        await until(pilot, lambda: names(app) == ["begun", "second", "first"], "all three")
        assert app.screen.query_one(RunTable).chosen == "first"


async def test_home_and_end_go_to_the_first_and_the_last_run(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        make_run(tmp_path, name, 0.5)

    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: len(names(app)) == 3, "three runs")
        table = app.screen.query_one(RunTable)
        await pilot.press("end")
        assert table.chosen == "one"
        await pilot.press("home")
        assert table.chosen == "three"


async def test_the_focus_returns_when_the_terminal_is_large_enough_again(tmp_path: Path) -> None:
    make_run(tmp_path, "one", 0.5)
    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: isinstance(app.focused, RunTable), "the keys of the table")
        await pilot.resize_terminal(60, 20)
        await until(pilot, lambda: app.screen.has_class("-too-small"), "the message")
        await until(pilot, lambda: app.focused is None, "nothing has it")
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: isinstance(app.focused, RunTable), "the table again")


async def test_a_terminal_that_is_too_small_is_reported(tmp_path: Path) -> None:
    async with driven(tmp_path, size=(79, 24)) as (app, pilot):
        await until(pilot, lambda: app.screen.query("#too-small"), "home")
        assert app.screen.has_class("-too-small")
        assert "79 x 24 cells; the workbench needs 80 x 24" in text(app, "#too-small")
        home = app.screen
        for key in ("n", "S", "m", "ctrl+p", "question_mark", "q", "enter"):  # behind the message
            await pilot.press(key)
            await pilot.pause()
            assert app.screen is home
            assert app.is_running
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: not app.screen.has_class("-too-small"), "room enough")
        await pilot.press("S")
        await until(pilot, lambda: app.screen is not home, "the settings")
        await pilot.resize_terminal(80, 23)
        await pilot.press("escape", "ctrl+q")
        await until(pilot, lambda: app._exit, "the end")
