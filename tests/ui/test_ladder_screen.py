"""A ladder: from the strategy step to its runs, and its rungs as cells."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_runs import CONVNET, FakeRun
from made_sweeps import made_ladder
from rich.text import Text
from textual.pilot import Pilot
from textual.widgets import DataTable, OptionList
from ui_pilot import FIGURES, driven, notices, text_of, until

from workbench.app.draft import Draft
from workbench.app.ladder import (
    LadderRow,
    PlannedRun,
    describe_ladder,
    describe_planned,
    plan_ladder,
)
from workbench.errors import UserError
from workbench.experiment.presets import BOOK_FACTS, LADDER
from workbench.experiment.toml import read_spec
from workbench.paths import Workspace
from workbench.runs import sweep as runs_sweep
from workbench.runs import sweep_queue
from workbench.runs.folder import RunFolder
from workbench.runs.launch import stop_requested
from workbench.runs.sweep import find_sweep
from workbench.runs.sweep_record import LADDER as LADDERS
from workbench.runs.sweep_record import list_records
from workbench.ui.app import WorkbenchApp
from workbench.ui.base import WIDE_COLUMNS
from workbench.ui.compare import CompareScreen
from workbench.ui.dialogs import Confirm, PickName
from workbench.ui.home.screen import HomeScreen
from workbench.ui.ladder import screen as ladder_screen
from workbench.ui.ladder.screen import LadderScreen
from workbench.ui.ladder.start import LadderStart
from workbench.ui.ladder.text import (
    BORDERS,
    NARROW_COLUMNS,
    WIDE_TABLE_COLUMNS,
    cells,
    columns,
    format_detail,
    format_heading,
)
from workbench.ui.results.screen import ResultsScreen
from workbench.ui.strategy.screen import StrategyScreen
from workbench.ui.train.screen import TrainScreen
from workbench.ui.widgets.run_curves import RunCurves

SPEC = CONVNET.format(epochs=30)
PRESETS = ("dense", "convnet", "convnet-augmented", "feature-extraction")


@pytest.fixture
def draft(tmp_path: Path, measured_machine: None) -> Draft:
    """Images that were scanned."""
    made = Draft(Workspace(tmp_path))
    made.set_source(tmp_path / "pets", replace(BOOK_FACTS, smallest_class=300, images=600))
    made.complete_step("data")
    return made


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool, bool]]:
    """What the launcher, which starts nothing, was asked for; no weights are looked for."""
    asked: list[tuple[str, bool, bool]] = []

    def launch(folder: RunFolder, resume: bool, queue: bool, **more: Any) -> None:
        asked.append((folder.name, resume, queue))

    monkeypatch.setattr(sweep_queue, "launch", launch)
    monkeypatch.setattr(runs_sweep, "find_weights", lambda *asked: None)
    return asked


@pytest.fixture
def ladder_run(tmp_path: Path) -> Iterator[FakeRun]:
    """The ladder p-ladder-1: finished, training (the one given), failed, and gone."""
    workspace = Workspace(tmp_path)
    made_ladder(workspace, "p-ladder-1", "p", [(preset, SPEC) for preset in PRESETS])
    for preset in PRESETS:
        shutil.rmtree(workspace.runs / f"p-{preset}-1")
    first = FakeRun(workspace, "p-dense-1", SPEC)
    first.stage(0, "train all", 30)
    first.epochs(0, 30)
    first.emit("evaluated", split="test", accuracy=0.75, interval=[0.7, 0.8], images=100)
    first.emit("finished", seconds=5)
    second = FakeRun(workspace, "p-convnet-1", SPEC)
    second.live()
    second.stage(0, "train all", 30)
    second.epochs(0, 16)
    third = FakeRun(workspace, "p-convnet-augmented-1", SPEC)
    third.emit("failed", message="no [room]\x1b[2J for it")
    yield second
    second.die()


def table(app: WorkbenchApp) -> list[list[str]]:
    found = app.screen.query(DataTable)
    rows = range(found.first().row_count if found else 0)
    return [[str(cell).strip() for cell in found.first().get_row_at(row)] for row in rows]


def keys(app: WorkbenchApp) -> set[str]:
    return {one.binding.key for one in app.screen.active_bindings.values() if one.binding.show}


async def ask(app: WorkbenchApp, pilot: Pilot[Any], draft: Draft) -> LadderStart:
    """From the strategy step to the question."""
    await app.push_screen(StrategyScreen(draft))
    await until(
        pilot,
        lambda: "on the CPU" in text_of(app.screen, "#strategy-details"),
        "the measured figures",
    )
    await pilot.press("A")
    await until(pilot, lambda: isinstance(app.screen, LadderStart), "the question")
    assert isinstance(app.screen, LadderStart)
    return app.screen


async def open_ladder(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    await until(pilot, lambda: len(app.runs) == 3 and app.sweeps, "runs and ladder")
    app.open("ladder", "p-ladder-1")
    await until(pilot, lambda: len(table(app)) == 4, "four rungs")


async def test_from_the_strategy_step_to_the_ladder(
    tmp_path: Path, draft: Draft, launched: list[tuple[str, bool, bool]]
) -> None:
    async with driven(tmp_path) as (app, pilot):
        await ask(app, pilot, draft)
        assert text_of(app.screen, "#summary").startswith(
            "Train 7 strategies on pets, one after the other: about "
        )
        assert text_of(app.screen, "#summary").endswith(" in all on the CPU.")
        await pilot.press("down", "space")
        assert "Train 6 strategies" in text_of(app.screen, "#summary")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, LadderScreen), "the ladder")
        assert [type(one) for one in app.screen_stack[1:]] == [HomeScreen, LadderScreen]
        await until(pilot, lambda: len(table(app)) == 6, "six rungs")
        assert [row[0] for row in table(app)] == [
            "dense", "convnet-augmented", "linear-probe", "feature-extraction", "+ augmentation",
            "fine-tuning",
        ]  # fmt: skip
    chosen = [preset for preset in LADDER if preset != "convnet"]
    assert launched == [(f"pets-{preset}-1", False, True) for preset in chosen]
    ladder = find_sweep(draft.workspace, "pets-ladder-1", LADDERS)
    assert [rung.preset for rung in ladder.trials] == chosen
    for rung in ladder.trials:
        spec = read_spec(draft.workspace.runs / rung.run / "spec.toml")
        assert (spec.preset, spec.data.source) == (rung.preset, str(draft.source))


async def test_a_ladder_can_be_cancelled_and_needs_a_strategy(
    tmp_path: Path, draft: Draft, launched: list[tuple[str, bool, bool]]
) -> None:
    async with driven(tmp_path) as (app, pilot):
        asking = await ask(app, pilot, draft)
        for _ in LADDER:
            await pilot.press("space", "down")
        assert "Train 0 strategies" in text_of(app.screen, "#summary")
        await pilot.press("enter")
        await until(pilot, lambda: "No strategy is marked" in notices(app), "the hint")
        assert app.screen is asking
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, StrategyScreen), "the strategy step")
    assert list_records(draft.workspace) == []
    assert launched == []


async def test_an_error_is_shown_and_another_try_is_possible(
    tmp_path: Path,
    draft: Draft,
    launched: list[tuple[str, bool, bool]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_network(*asked: Any) -> None:
        raise UserError("No network for [vgg16]\x1b[2J.")

    async with driven(tmp_path) as (app, pilot):
        asking = await ask(app, pilot, draft)
        with monkeypatch.context() as patch:
            patch.setattr(runs_sweep, "find_weights", no_network)
            await pilot.press("enter")
            await until(pilot, lambda: "No network for [vgg16]\\e[2J." in notices(app), "why not")
        await until(pilot, lambda: not asking._starting, "ready again")
        assert app.screen is asking
        assert list_records(draft.workspace) == []
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, LadderScreen), "the ladder")
    assert len(launched) == len(LADDER)


async def test_runs_that_cannot_be_started_are_shown_with_the_reason(
    tmp_path: Path, draft: Draft, launched: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: RunFolder, **options: Any) -> None:
        raise UserError("No process could be started.")

    monkeypatch.setattr(sweep_queue, "launch", refuse)

    async with driven(tmp_path) as (app, pilot):
        await ask(app, pilot, draft)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, LadderScreen), "the ladder")
        await until(pilot, lambda: "No process could be started." in notices(app), "why not")
        await until(pilot, lambda: len(table(app)) == 7 and "r" in keys(app), "a way to go on")


async def test_the_lead_of_the_best_run_is_shown_once_there_are_two(
    tmp_path: Path, ladder_run: FakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def lead(workspace: Workspace, best: list[LadderRow]) -> str:
        asked.append([row.preset for row in best])
        return "The lead is chance." if len(best) == 2 else ""

    monkeypatch.setattr(ladder_screen, "describe_lead", lead)

    async with driven(tmp_path) as (app, pilot):
        await open_ladder(app, pilot)
        await until(pilot, lambda: asked == [["dense"]], "a question about one rung")
        assert "The lead" not in text_of(app.screen, "#note")
        ladder_run.emit("evaluated", split="test", accuracy=0.8, interval=[0.7, 0.9], images=100)
        await until(
            pilot, lambda: "The lead is chance." in text_of(app.screen, "#note"), "the words"
        )
        assert asked[-1] == ["convnet", "dense"]


async def test_rows_show_the_state_of_their_runs(tmp_path: Path, ladder_run: FakeRun) -> None:
    async with driven(tmp_path) as (app, pilot):
        await open_ladder(app, pilot)
        rows = table(app)
        assert rows[0][:4] == ["dense", "finished ✓", "0.750", "0.700-0.800"]
        assert rows[1][:4] == ["convnet", "training ▶ 16/30", "-", "-"]
        assert rows[1][5:] == ["0.724", "-"]
        assert rows[2][:2] == ["+ augmentation", "failed ✗"]
        assert rows[3] == ["feature-extraction", "gone ?", "-", "-", "-", "0.903", "0.97"]
        assert "1 of 4 runs finished, 1 running" in text_of(app.screen, "#heading")
        assert "where the book's text says 0.96" in text_of(app.screen, "#note")
        await pilot.press("down", "down")
        failed = "failed: no [room]\\e[2J for it"
        await until(pilot, lambda: failed in text_of(app.screen, "#detail"), failed)
        ladder_run.emit("epoch_finished", stage=0, epoch=17, val_accuracy=0.9, seconds=1.0)
        await until(pilot, lambda: table(app)[1][1] == "training ▶ 17/30", "the next epoch")
        shutil.rmtree(tmp_path / "saved_models" / "p-dense-1")
        await until(pilot, lambda: table(app)[0][1] == "gone ?", "the run is missed")
        assert app.screen.query_one(DataTable).cursor_row == 2
        assert not app.screen.query_one(RunCurves).display
        await pilot.resize_terminal(120, 40)
        await until(pilot, lambda: len(table(app)[0]) == 9, "the wide columns")
        assert table(app)[1][2] == "17/30"
        assert app.screen.query_one(RunCurves).display
        await until(pilot, lambda: ladder_run.folder.name in text_of(app.screen, "#legend"))
        assert app.screen.query_one(DataTable).cursor_row == 2


async def test_enter_opens_results_or_the_training(tmp_path: Path, ladder_run: FakeRun) -> None:
    async with driven(tmp_path) as (app, pilot):
        await open_ladder(app, pilot)
        ladder = app.screen
        for row, kind in enumerate((ResultsScreen, TrainScreen, TrainScreen)):
            ladder.query_one(DataTable).move_cursor(row=row)
            await pilot.press("enter")
            await until(pilot, lambda: app.screen is not ladder, kind.__name__)
            assert isinstance(app.screen, kind)
            app.pop_screen()
            await until(pilot, lambda: app.screen is ladder, "the ladder")
        await pilot.press("down", "enter")
        await until(
            pilot, lambda: "feature-extraction" in text_of(app.screen, "#detail"), "the last"
        )
        assert app.screen is ladder  # its run is gone
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen), "the comparison")
        assert isinstance(app.screen, CompareScreen)
        assert app.screen.names == ("p-dense-1", "p-convnet-1", "p-convnet-augmented-1")


async def test_stop_asks_and_resume_queues_the_rest(
    tmp_path: Path, ladder_run: FakeRun, launched: list[tuple[str, bool, bool]]
) -> None:
    async with driven(tmp_path) as (app, pilot):
        await open_ladder(app, pilot)
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, Confirm), "the question")
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, LadderScreen), "the ladder")
        assert not stop_requested(ladder_run.folder)
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, Confirm), "the question")
        await pilot.press("y")
        await until(pilot, lambda: "Stop requested for 1 run" in notices(app), "the stop")
        assert stop_requested(ladder_run.folder)
        ladder_run.emit("stopped", stage=0, epoch=17, step=0)
        ladder_run.die()
        await until(pilot, lambda: table(app)[1][1] == "stopped ■", "the run has stopped")
        assert "x" not in keys(app)
        await pilot.press("r")
        await until(pilot, lambda: "2 runs queued." in notices(app), "the rest is queued")
    assert launched == [("p-convnet-1", True, True), ("p-convnet-augmented-1", True, True)]


async def test_home_and_the_palette_find_a_ladder_again(
    tmp_path: Path, ladder_run: FakeRun
) -> None:
    async with driven(tmp_path) as (app, pilot):
        await until(
            pilot, lambda: "1 ladder (A)" in text_of(app.screen, "#heading"), "home tells of it"
        )
        await pilot.press("A")
        await until(pilot, lambda: isinstance(app.screen, LadderScreen), "the only ladder")
        await pilot.press("escape")
        made_ladder(app.workspace, "second", "q", [("dense", SPEC)])
        await until(pilot, lambda: len(app.sweeps) == 2, "two ladders")
        await pilot.press("A")
        await until(pilot, lambda: isinstance(app.screen, PickName), "which")
        names = [str(one.prompt) for one in app.screen.query_one(OptionList).options]
        assert names == ["p-ladder-1", "second"]
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(app.screen, LadderScreen), "the second")
        commands = {one.title: one.callback for one in app.get_system_commands(app.screen)}
        commands["Open ladder p-ladder-1"]()
        await until(pilot, lambda: len(table(app)) == 4, "the first ladder's rungs")


async def test_without_a_ladder_home_offers_none(tmp_path: Path) -> None:
    FakeRun(Workspace(tmp_path), "alone", SPEC)

    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: "1 run" in text_of(app.screen, "#heading"), "home")
        assert "ladder (A)" not in text_of(app.screen, "#heading")
        await pilot.press("A")
        await pilot.pause()
        assert isinstance(app.screen, HomeScreen)


async def test_a_damaged_record_is_reported(tmp_path: Path, ladder_run: FakeRun) -> None:
    (tmp_path / "saved_models" / "p-ladder-1.ladder.json").write_text("[oops", encoding="ascii")

    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: app.sweeps, "the ladder")
        app.open("ladder", "p-ladder-1")
        await until(pilot, lambda: "is damaged" in notices(app), "what is wrong")
        await pilot.press("x", "r", "c", "enter")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen), "home")


# Which specs, and what they cost


def test_every_strategy_has_the_chosen_base(draft: Draft) -> None:
    draft.set_preset("fine-tuning")
    draft.update({"base.name": "mobilenetv2-1.0", "base.weights": "random", "name": "mine",
                "training.seed": 7, "training.epochs": 3})  # fmt: skip
    rungs = {rung.preset: rung.spec for rung in plan_ladder(draft, LADDER, FIGURES)}
    bases = {preset: spec.base and (spec.base.name, spec.base.weights)
             for preset, spec in rungs.items() if spec}  # fmt: skip
    chosen = ("mobilenetv2-1.0", "random")
    assert bases == {
        "dense": None, "convnet": None, "convnet-augmented": None, "linear-probe": chosen,
        "feature-extraction": chosen,
        "feature-extraction-augmented": chosen, "fine-tuning": chosen,
    }  # fmt: skip
    assert {spec.training.seed for spec in rungs.values() if spec} == {7}
    assert {spec.name for spec in rungs.values() if spec} == {None}
    epochs = {preset: spec.training.epochs for preset, spec in rungs.items() if spec}
    assert epochs["fine-tuning"] == 3
    assert epochs["dense"] != 3  # as the strategy step shows it


def test_a_strategy_that_does_not_fit_gives_the_reason(draft: Draft) -> None:
    draft.settings = {"training.epochs": 0}
    (rung,) = plan_ladder(draft, [draft.chosen_preset], FIGURES)
    assert rung.spec is None
    assert "training.epochs" in rung.error
    assert describe_planned(rung) == f"! {rung.error}"


def test_the_question_adds_up_what_is_known(draft: Draft) -> None:
    spec = draft.spec()
    two = [PlannedRun("dense", spec, "", 30.0, "the CPU"), PlannedRun("b", spec, "", 90.0)]
    assert describe_ladder("pets", two) == (
        "Train 2 strategies on pets, one after the other: about 2 min in all on the CPU."
    )
    unknown = plan_ladder(draft, ["dense"], None)
    assert describe_ladder("pets", unknown) == "Train 1 strategy on pets, one after the other."
    assert [describe_planned(rung) for rung in (*two, *unknown)] == [
        "about 30 s", "about 1 min 30 s", "not measured yet by the machine check",
    ]  # fmt: skip


HOSTILE = "[/oops]\x1b[31m\n"
THEME = {"success": "#00ff00", "accent": "#0000ff", "foreground": "#ffffff"}
FINISHED = LadderRow(
    "convnet", "p-convnet-1", "finished", "", "test", 0.9514, (0.936, 0.963), 1234.4,
    book=0.724, epochs_done=20, epochs_total=20,
)  # fmt: skip
TRAINING = LadderRow(
    "feature-extraction", "p-f-1", "training", "epoch 17 of 30", seconds=9.0, book=0.903,
    readers=0.97, epochs_done=26, epochs_total=40,
)  # fmt: skip
AUGMENTED = LadderRow("feature-extraction-augmented", "p-f-a-1", "waiting", "wait for p-f-1")


def row(rung: LadderRow, below: str = "", room: int = 80, utf8: bool = True) -> list[str]:
    return [cell.plain.strip() for cell in cells(rung, below, (0.5, 0.9), room, utf8, THEME)]


def test_a_narrow_terminal_shows_epochs_of_training_runs_beside_the_state() -> None:
    assert row(FINISHED) == [
        "convnet", "finished ✓", "0.951", "0.936-0.963", "1,234", "0.724", "-",
    ]  # fmt: skip
    assert row(TRAINING) == [
        "feature-extraction", "training ▶ 26/40", "-", "-", "9", "0.903", "0.97",
    ]  # fmt: skip
    assert row(TRAINING, utf8=False)[1] == "training > 26/40"


def test_a_wide_terminal_has_curves_and_epochs_of_all() -> None:
    assert row(FINISHED, room=WIDE_COLUMNS) == [
        "convnet", "finished ✓", "20/20", "▁█", "0.951", "0.936 to 0.963", "1,234", "0.724", "-",
    ]  # fmt: skip
    assert row(AUGMENTED, room=WIDE_COLUMNS)[2] == "-"
    assert len(row(FINISHED, room=WIDE_COLUMNS - 1)) == len(NARROW_COLUMNS)


def test_a_strategy_that_augments_the_one_before_shows_only_that() -> None:
    below = "feature-extraction"
    assert row(AUGMENTED, below)[0] == "+ augmentation"
    assert row(AUGMENTED, "dense")[0] == "feature-ext…mented"
    assert row(AUGMENTED, below, room=WIDE_COLUMNS)[0] == "feature-extraction-augmented"


def test_random_weights_are_shown_in_the_row() -> None:
    random = LadderRow("fine-tuning", "p", "finished", random_weights=True)
    assert row(random)[0] == "fine-tuning random"
    long = LadderRow("feature-extraction", "p", "finished", random_weights=True)
    assert row(long)[0] == "feature…ion random"


@pytest.mark.parametrize("room", [80, 109, 110, 120, 200])
def test_rows_fit_and_their_cells_do_not_touch(room: int) -> None:
    widths = columns(room)
    assert sum(widths.values()) <= room - BORDERS
    assert widths.keys() == (WIDE_TABLE_COLUMNS if room >= WIDE_COLUMNS else NARROW_COLUMNS).keys()
    fullest = LadderRow(
        "feature-extraction-augmented", "r", "interrupted", "", "test", 1.0, (0.999, 1.0),
        99_999.0, True, 0.9913, 0.9913, 100, 100,
    )  # fmt: skip
    training = LadderRow("dense", "r", "training", epochs_done=100, epochs_total=100)
    for rung in (fullest, training):
        shown = cells(rung, "", (0.1, 0.9) * 99, room, True, THEME)
        for cell, width in zip(shown, widths.values(), strict=True):
            assert cell.cell_len <= width
            assert cell.justify == "left" or cell.cell_len < width


def test_colours_follow_the_state() -> None:
    def style(rung: LadderRow) -> str:
        return str(cells(rung, "", (), 80, True, THEME)[1].style)

    assert style(FINISHED) == "#00ff00"
    assert style(TRAINING) == "#0000ff"
    assert style(LadderRow("dense", "d", "gone")) == "#ffffff"


def test_the_heading_counts() -> None:
    assert format_heading("pets", []).plain == "pets"
    rows = [FINISHED, TRAINING, AUGMENTED, LadderRow("dense", "d", "failed")]
    expected = "pets  1 of 4 runs finished, 1 running, 1 waiting"
    assert format_heading("pets", [row.state for row in rows]).plain == expected
    assert format_heading("pets", ["finished"]).plain == "pets  1 of 1 run finished"


def test_the_selected_run_is_shown_in_full() -> None:
    assert format_detail(TRAINING, 0.81234).plain == (
        "feature-extraction: p-f-1, validation 0.8123\ntraining: epoch 17 of 30"
    )
    random = LadderRow("dense", "d-1", "finished", random_weights=True)
    assert format_detail(random, None).plain == "dense: d-1, random weights"


def test_names_from_files_do_no_harm() -> None:
    odd = LadderRow(HOSTILE, "r", "finished", random_weights=True)
    words: list[Text] = [
        *cells(odd, "", (), 80, True, THEME),
        format_detail(odd, None),
        format_heading(HOSTILE, ["finished"]),
    ]
    assert not {"\x1b", "\n"} & set("".join(text.plain for text in words))
