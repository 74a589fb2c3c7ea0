"""The command palette: what it finds by which words, and that it offers only what is possible."""

import os
from pathlib import Path
from typing import Any

import pytest
from finished_run import make_run, open_results, results_json
from screen_text import lines
from test_home_screen import make_run as make_plain_run
from textual.command import CommandList, Hit
from textual.content import Content
from textual.pilot import Pilot
from textual.widgets import OptionList
from ui_pilot import driven, until

from workbench.app.draft import Draft
from workbench.content.concepts import CONCEPTS
from workbench.paths import Workspace
from workbench.runs.lock import take_lock
from workbench.ui.analyze.screen import AnalyzeScreen
from workbench.ui.app import WorkbenchApp
from workbench.ui.commands import TITLES
from workbench.ui.concepts import ConceptsScreen
from workbench.ui.dialogs import Confirm, Prompt
from workbench.ui.explain.screen import ExplainScreen
from workbench.ui.export import ExportScreen
from workbench.ui.home.screen import HomeScreen
from workbench.ui.lessons.screen import LessonsScreen
from workbench.ui.palette import CommandProvider
from workbench.ui.pick_run import PickRuns
from workbench.ui.results.screen import ResultsScreen
from workbench.ui.strategy.screen import StrategyScreen
from workbench.ui.widgets import job_part
from workbench.ui.widgets.path_field import PathField


def offers(app: WorkbenchApp) -> dict[str, str]:
    """What can be done now: the help by the title; no title twice."""
    found = [(one.title, one.help) for one in app.get_system_commands(app.screen)]
    assert len(dict(found)) == len(found)
    return dict(found)


def panel(app: WorkbenchApp) -> list[list[str]]:
    """What stands in the panel: key and words, line by line."""
    strips = app.screen._compositor.render_strips()[:-1]
    lines = [strip.text.partition("▏")[2].strip() for strip in strips]
    return [line.split(maxsplit=1) for line in lines if line]


async def found(app: WorkbenchApp, query: str) -> list[str]:
    """The titles that a query finds, the best first."""
    hits = [hit async for hit in CommandProvider(app.screen).search(query)]
    ranked = sorted(hits, key=lambda hit: hit.score, reverse=True)
    return [str(hit.match_display) for hit in ranked if isinstance(hit, Hit)]


async def choose(app: WorkbenchApp, pilot: Pilot[Any], query: str, title: str) -> None:
    """Types a query and takes what is found first."""
    await pilot.press("ctrl+p", *query)
    commands = app.screen.query_one(CommandList)

    def first() -> str:
        return str(commands.options[0].prompt) if commands.option_count else ""

    await until(pilot, lambda: first().startswith(title), title)
    await pilot.press("enter")


async def see(app: WorkbenchApp, pilot: Pilot[Any], *names: str) -> None:
    """Waits until home shows the runs, the cursor on the first."""
    await until(pilot, lambda: app.screen.run == names[0], names[0])  # type: ignore[attr-defined]
    assert {view.name for view in app.runs} == set(names)


@pytest.mark.parametrize("query", ["calibration", "roc", "threshold"])
async def test_calibration_is_found_by_common_words(tmp_path: Path, query: str) -> None:
    make_run(tmp_path, results_json())

    async with driven(tmp_path) as (app, pilot):
        await open_results(app, pilot, "test 0.9000")
        await choose(app, pilot, query, TITLES["analyze"])
        await until(pilot, lambda: isinstance(app.screen, AnalyzeScreen), "the screen")


@pytest.mark.parametrize("query", ["onnx", "report", "tensorboard", "litert keras", "export"])
async def test_export_is_found_by_format(tmp_path: Path, query: str) -> None:
    make_run(tmp_path, results_json())

    async with driven(tmp_path) as (app, pilot):
        await open_results(app, pilot, "test 0.9000")
        await choose(app, pilot, query, TITLES["export"])
        await until(pilot, lambda: isinstance(app.screen, ExportScreen), "the screen")


async def test_an_explanation_of_the_model_is_found_before_its_concept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_part, "run_job", lambda *_, **__: {"words": [], "out": ""})
    make_run(tmp_path, results_json())

    async with driven(tmp_path) as (app, pilot):
        await open_results(app, pilot, "test 0.9000")
        for query in ("grad", "Grad-CAM", "gradcam", "cam filters"):
            assert (await found(app, query))[0] == TITLES["explain"]
        assert "Explain: grad cam" in await found(app, "grad cam")
        assert (await found(app, "check"))[0] == TITLES["machine"]
        await choose(app, pilot, "grad", TITLES["explain"])
        await until(pilot, lambda: isinstance(app.screen, ExplainScreen), "the screen")


async def test_runs_are_compared_from_home(tmp_path: Path) -> None:
    for name in ("first", "second"):
        make_plain_run(tmp_path, name, 0.5)

    async with driven(tmp_path) as (app, pilot):
        await see(app, pilot, "second", "first")
        await choose(app, pilot, "compare", TITLES["compare"])
        await until(pilot, lambda: isinstance(app.screen, PickRuns), "the question")
        assert app.screen.query_one(OptionList).option_count == 1


async def test_a_concept_is_explained(tmp_path: Path) -> None:
    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: isinstance(app.screen, HomeScreen), "home")
        await choose(app, pilot, "augmentation", "Explain: augmentation")
        await until(pilot, lambda: isinstance(app.screen, ConceptsScreen), "the screen")
        title = CONCEPTS["augmentation"].title
        shown = app.screen.query_one("#title")
        await until(pilot, lambda: str(shown.render()) == title, title)
        assert await found(app, "epochs batches generator") == ["Explain: batches"]  # in its text
        assert await found(app, "no-such-word") == []
        assert await found(app, "-") == []


async def test_only_what_can_be_done_with_the_run_is_offered(tmp_path: Path) -> None:
    make_plain_run(tmp_path, "over", 0.5)

    async with driven(tmp_path) as (app, pilot):
        finished = {"results", "export", "explain", "predict", "review"}
        await see(app, pilot, "over")
        assert {TITLES[name] for name in ("layers", *finished)} <= set(offers(app))
        assert offers(app)[TITLES["export"]] == "run over"
        assert not {TITLES[name] for name in ("compare", "resume", "stop")} & set(offers(app))

        make_plain_run(tmp_path, "halted", 0.5, end="stopped")
        await until(pilot, lambda: len(app.runs) == 2, "another run")
        await until(pilot, lambda: TITLES["compare"] in offers(app), "two to compare")
        assert offers(app)[TITLES["resume"]] == "run halted"  # by the first run that allows it
        assert TITLES["stop"] not in offers(app)
        app.open("train", "halted")
        await until(pilot, lambda: TITLES["resume"] in offers(app), "its keys")
        assert offers(app)[TITLES["resume"]] == "key r"
        assert not {TITLES[name] for name in finished} & set(offers(app))


async def test_a_running_run_is_stopped_from_any_screen_about_it(tmp_path: Path) -> None:
    busy = make_plain_run(tmp_path, "busy", 0.5, end="")
    lock = take_lock(busy.lock_path)

    async with driven(tmp_path) as (app, pilot):
        await see(app, pilot, "busy")
        app.open("train", "busy")
        await choose(app, pilot, "freeze", TITLES["layers"])
        await until(pilot, lambda: type(app.screen).__name__ == "LayersScreen", "its layers")
        assert not {TITLES["layers"], TITLES["results"], TITLES["resume"]} & set(offers(app))
        await choose(app, pilot, "stop", TITLES["stop"])
        await until(pilot, lambda: isinstance(app.screen, Confirm), "the question")
        assert list(offers(app)) == ["No", "Yes"]  # a question is there to be answered
        await pilot.press("y")
        await until(pilot, lambda: (busy.control / "stop").exists(), "the request")
    os.close(lock)


async def test_hidden_keys_are_offered_and_pressed(tmp_path: Path) -> None:
    make_plain_run(tmp_path, "over", 0.5)

    async with driven(tmp_path) as (app, pilot):
        await see(app, pilot, "over")
        assert {
            "Filter: by words, or such as acc>0.9 base:vgg16 tag:night state:failed",
            "Quit",
        } <= set(offers(app))
        assert "Open" not in offers(app)  # which is a line of its own for every run
        assert offers(app)["Open over"] == "finished"
        app.open("train", "over")
        await until(pilot, lambda: "More epochs" in offers(app), "the keys")
        assert "Open over" not in offers(app)
        await choose(app, pilot, "note", "Note: kept with the run")
        await until(pilot, lambda: isinstance(app.screen, Prompt), "the question")


async def test_predicting_leads_to_the_line_for_a_path(tmp_path: Path) -> None:
    run = make_run(tmp_path, results_json())
    run.model_path.write_bytes(b"a model")

    async with driven(tmp_path) as (app, pilot):
        await see(app, pilot, "birds")
        await choose(app, pilot, "predict", TITLES["predict"])
        await until(pilot, lambda: isinstance(app.focused, PathField), "the line")
        assert isinstance(app.screen, ResultsScreen)


async def test_the_learning_rate_finder_is_offered_everywhere(tmp_path: Path) -> None:
    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: isinstance(app.screen, HomeScreen), "home")
        rate = TITLES["strategy.lr-find"]
        assert offers(app)[rate] == "at the strategy step of a new experiment"
        assert (await found(app, "learning rate"))[0] == rate
        app.open("strategy", Draft(Workspace(tmp_path)))
        await until(pilot, lambda: isinstance(app.screen, StrategyScreen), "the step")
        assert offers(app).get(rate, "key f") == "key f"
        app.open("concepts", ("learning-rate",))  # the step is one key back
        await until(pilot, lambda: isinstance(app.screen, ConceptsScreen), "the concepts")
        assert rate not in offers(app)


async def test_a_screen_is_not_offered_where_it_is_in_front(tmp_path: Path) -> None:
    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: isinstance(app.screen, HomeScreen), "home")
        await choose(app, pilot, "lessons", TITLES["lessons"])
        await until(pilot, lambda: isinstance(app.screen, LessonsScreen), "the screen")
        assert TITLES["lessons"] not in offers(app)
        assert TITLES["machine"] in offers(app)


async def test_results_have_one_line_each_and_no_markup(tmp_path: Path) -> None:
    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: isinstance(app.screen, HomeScreen), "home")
        helps = {hit.help async for hit in CommandProvider(app.screen).discover()}
        plain = [Content.from_markup(one).plain for one in helps]
        assert max(map(len, plain)) == 80 - 8
        assert max(map(len, offers(app))) <= 80 - 8


async def test_the_panel_lists_only_the_keys_of_the_screen(tmp_path: Path) -> None:
    make_plain_run(tmp_path, "over", 0.5)

    async with driven(tmp_path) as (app, pilot):
        await see(app, pilot, "over")
        await choose(app, pilot, "keys", "Keys: list them all")
        keys = ["⏎", "?", "y", "n", "q", "S", "m", "o", "#", "/", "d", "E", "D", "s", "N"]
        await until(pilot, lambda: [line[0] for line in panel(app)] == keys, "the keys")
        assert panel(app)[11] == ["E", "Lessons"]
        make_plain_run(tmp_path, "other", 0.5)
        await until(pilot, lambda: ["c", "Compare"] in panel(app), "another key")
        await choose(app, pilot, "keys", "Keys: hide them")
        await until(pilot, lambda: not panel(app), "their end")


@pytest.mark.parametrize(("size", "over"), [((109, 30), True), ((110, 30), False)])
async def test_the_panel_is_over_a_narrow_screen_and_escape_closes_it(
    tmp_path: Path, size: tuple[int, int], over: bool
) -> None:
    make_plain_run(tmp_path, "over", 0.5)

    async with driven(tmp_path, size) as (app, pilot):
        await see(app, pilot, "over")
        app.action_show_help_panel()
        await until(pilot, lambda: bool(panel(app)), "the keys")
        assert (app.screen.query_one("#heading").region.width == size[0]) is over
        await pilot.press("escape")
        await until(pilot, lambda: not panel(app), "their end")


async def test_enter_takes_what_the_whole_text_finds_however_fast_it_comes(tmp_path: Path) -> None:
    make_plain_run(tmp_path, "over", 0.5)

    async with driven(tmp_path) as (app, pilot):
        await see(app, pilot, "over")
        assert [(await found(app, one))[0].split(":")[0] for one in ("tag", "sort")] == [
            "Tag", "Sort"
        ]  # fmt: skip
        await pilot.press("ctrl+p", *"tag", "enter")
        await until(pilot, lambda: isinstance(app.screen, Prompt), "the question")


async def test_over_a_dialog_there_is_no_palette_and_it_is_said_why(tmp_path: Path) -> None:
    make_plain_run(tmp_path, "birds")

    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: app.find_run("birds"), "the run is seen")
        await pilot.press("number_sign")
        await until(pilot, lambda: isinstance(app.screen, Prompt), "the question")
        await pilot.press("ctrl+p")
        said = "Answer this dialog first; esc closes it."
        await until(pilot, lambda: said in [one.message for one in app._notifications], "why")
        assert isinstance(app.screen, Prompt)


async def test_words_that_no_command_has_are_answered(tmp_path: Path) -> None:
    async with driven(tmp_path) as (app, pilot):
        await pilot.press("ctrl+p", *"zzz")
        said = "No command of this screen has these words."
        await until(pilot, lambda: said in "\n".join(lines(app.screen)), "the line")
