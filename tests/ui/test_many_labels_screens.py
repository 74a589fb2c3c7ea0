"""Screens of a run with very many labels: rows and cells are counted, no clock is asked."""

import json
from pathlib import Path

import pytest
from event_lines import LogWriter
from fake_runs import fake_results
from rich.text import Text
from textual.widgets import DataTable, Input, OptionList, Static
from ui_pilot import driven, until

from workbench.paths import Workspace
from workbench.runs.folder import create_run
from workbench.ui.app import WorkbenchApp
from workbench.ui.dialogs import PickName
from workbench.ui.explain.screen import ExplainScreen
from workbench.ui.results.screen import ResultsScreen


def make_run(folder: Path, labels: int) -> None:
    text = '[data]\nsource = "/photos"\nimage_size = [32, 32]\n[model]\nstrategy = "dense"\n'
    run = create_run(Workspace(folder), text, "birds", "")
    LogWriter(run.events_path).write("finished", seconds=3)
    run.results_path.write_text(json.dumps(fake_results(labels)))


def cells(table: DataTable[Text]) -> list[list[str]]:
    return [[cell.plain.strip() for cell in table.get_row_at(at)] for at in range(table.row_count)]


@pytest.mark.parametrize(
    ("labels", "matrix", "title"),
    [
        (60, (60, 61), "confusion: true label in rows, predicted in columns"),
        (61, (12, 4), "most confused of 61 labels; the whole matrix: results.json"),
        (1200, (100, 4), "most confused of 1,200 labels; the whole matrix: results.json"),
    ],
)
async def test_results_mount_a_bounded_number_of_cells(
    tmp_path: Path, labels: int, matrix: tuple[int, int], title: str
) -> None:
    make_run(tmp_path, labels)

    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: app.find_run("birds"), "the run is seen")
        await app.push_screen(ResultsScreen("birds"))
        pairs, classes = (app.screen.query_one(f"#{one}", DataTable) for one in VIEWS)
        shown = app.screen.query_one("#view-title", Static)
        await until(pilot, lambda: str(shown.render()).startswith(title), title)
        assert (pairs.row_count, len(pairs.columns)) == matrix
        assert classes.row_count == min(labels, 100)
        if labels > 60:
            assert cells(pairs)[:2] == [["l5", "l6", "3", "100 %"], ["l0", "l1", "2", "67 %"]]
        if labels > 100:
            await pilot.press("v")
            assert str(shown.render()) == "the 100 of 1,200 labels with the lowest recall"
            assert [row[0] for row in cells(classes)[:3]] == ["l5", "l0", "l10"]


VIEWS = ("matrix", "classes")


async def test_no_error_at_all_is_said_in_the_place_of_pairs(tmp_path: Path) -> None:
    results = fake_results(61)
    results["confusion"] = [[3 * (row == column) for column in range(61)] for row in range(61)]
    results["accuracy"] = 1.0
    make_run(tmp_path, 61)
    (tmp_path / "saved_models" / "birds" / "results.json").write_text(json.dumps(results))

    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: app.find_run("birds"), "the run is seen")
        await app.push_screen(ResultsScreen("birds"))
        shown = app.screen.query_one("#view-title", Static)
        await until(pilot, lambda: str(shown.render()) == "not one image was wrong", "it is said")


LABELS = tuple(f"l{number}" for number in range(1200))


def options(app: WorkbenchApp) -> list[str]:
    found = app.screen.query_one(OptionList)
    return [str(found.get_option_at_index(at).prompt) for at in range(found.option_count)]


async def test_one_of_many_labels_is_found_by_a_part_of_its_name(tmp_path: Path) -> None:
    chosen: list[str | None] = []

    async with driven(tmp_path) as (app, pilot):
        app.push_screen(PickName("What is it?", LABELS, "l77"), chosen.append)
        await until(pilot, lambda: isinstance(app.screen, PickName), "the labels")
        assert len(options(app)) == 50
        assert options(app)[:2] == ["l77", "l0"]  # what the network said comes first
        line = app.screen.query_one("#more", Static)
        assert str(line.render()) == "and 1,150 more: type a part of the name"
        await pilot.press("1", "1", "9")
        await until(pilot, lambda: len(options(app)) == 12, "what has 119 in its name")
        assert str(line.render()) == ""
        assert options(app)[:2] == ["l119", "l1119"]
        await pilot.press("down", "enter")
        await until(pilot, lambda: chosen, "one is chosen")
    assert chosen == ["l1119"]


@pytest.mark.parametrize(("count", "typed"), [(50, False), (51, True)])
async def test_few_labels_are_a_list_alone(tmp_path: Path, count: int, typed: bool) -> None:
    async with driven(tmp_path) as (app, pilot):
        app.push_screen(PickName("What is it?", LABELS[:count], "l7"))
        await until(pilot, lambda: isinstance(app.screen, PickName), "the labels")
        assert len(options(app)) == 50
        assert bool(app.screen.query(Input)) is typed
        assert app.screen.query_one(OptionList).highlighted == (0 if typed else 7)


async def test_a_name_that_no_label_has_chooses_nothing(tmp_path: Path) -> None:
    chosen: list[str | None] = []

    async with driven(tmp_path) as (app, pilot):
        app.push_screen(PickName("What is it?", LABELS), chosen.append)
        await until(pilot, lambda: isinstance(app.screen, PickName), "the labels")
        await pilot.press("x", "enter")
        line = app.screen.query_one("#more", Static)
        await until(pilot, lambda: "no name" in str(line.render()), "that there is none")
        assert options(app) == []
        await pilot.press("escape")
        await until(pilot, lambda: chosen, "it is left")
    assert chosen == [None]


@pytest.mark.parametrize(("labels", "listed"), [(12, False), (13, True)])
async def test_the_class_of_a_heatmap_is_chosen_from_a_list_of_many(
    tmp_path: Path, labels: int, listed: bool
) -> None:
    make_run(tmp_path, labels)

    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: app.find_run("birds"), "the run is seen")
        screen = ExplainScreen("birds")
        await app.push_screen(screen)
        of = screen.query_one("#of", Static)
        await until(pilot, lambda: "the predicted one" in str(of.render()), "what is known")
        await pilot.press("L")
        if listed:
            await until(pilot, lambda: isinstance(app.screen, PickName), "the labels")
            await pilot.press("down", "enter")
        await until(pilot, lambda: str(of.render()).endswith("l0"), "the first class")
