"""The range test and the search in the app: their description, and what they apply."""

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static
from ui_pilot import driven, keys_offered, notices, refusal, text_of, until
from waiting import GUARD

from workbench.app.draft import Draft
from workbench.content.concepts import CONCEPTS
from workbench.errors import UserError
from workbench.experiment.presets import BOOK_FACTS
from workbench.ui.app import WorkbenchApp
from workbench.ui.dialogs import ErrorDialog, Prompt
from workbench.ui.strategy import screen as strategy
from workbench.ui.strategy.screen import StrategyScreen
from workbench.ui.tune.screens import LrFindScreen, TrialTable, TuneHeadScreen
from workbench.ui.tune.trial import TrialScreen
from workbench.ui.widgets.concept_notes import ConceptNotes
from workbench.ui.widgets.lines import LinePlot

PHOTOS = replace(BOOK_FACTS, smallest_class=300, images=600)
FALLING = [2.0] * 40 + [2.0 - 0.05 * i for i in range(30)] + [0.6, 5.0, 900.0]
Answer = Callable[..., dict[str, Any]]
Opened = tuple[WorkbenchApp, Pilot[Any], TrialScreen, Draft]
OpenTrial = Callable[..., AbstractAsyncContextManager[Opened]]


class FakeProcess:
    """Stands for the worker's process."""

    def __init__(self) -> None:
        self.ended = threading.Event()

    def terminate(self) -> None:
        self.ended.set()


def trial_event(number: int, accuracy: float | None, units: list[int]) -> dict[str, Any]:
    candidate = {"dense_units": units, "dropout": 0.2, "learning_rate": 0.002}
    return {
        "event": "trial",
        "images": 90,
        "fingerprint": "f",
        "number": number,
        "candidate": candidate,
        "epoch": 3,
        "accuracy": accuracy,
        "loss": accuracy and 0.4,
        "seconds": 2.0,
    }


@pytest.fixture
def tune(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OpenTrial:
    """Open a trial screen over the strategy screen; the worker returns `answer`."""
    monkeypatch.setattr(strategy, "expected_device", lambda gpu: "CPU")
    monkeypatch.setattr(strategy.BenchmarkStore, "load", lambda self: None)

    @asynccontextmanager
    async def open_trial(
        key: str, preset: str, answer: Answer, size: tuple[int, int] = (80, 24)
    ) -> AsyncIterator[Opened]:
        monkeypatch.setattr("workbench.app.jobs.run_job", answer)
        async with driven(tmp_path, size) as (app, pilot):
            draft = Draft(app.workspace)
            draft.set_source(tmp_path / "photos", PHOTOS)
            draft.set_preset(preset)
            await app.push_screen(StrategyScreen(draft))
            await pilot.press(key)
            await until(pilot, lambda: isinstance(app.screen, TrialScreen), "the screen")
            assert isinstance(app.screen, TrialScreen)
            yield app, pilot, app.screen, draft

    return open_trial


def rate_shown(screen: TrialScreen) -> bool:
    """Whether the suggested rate is below the curve."""
    rate = next(iter(screen.chosen().values()))
    return f"{rate:g}" in screen.query_one(LinePlot).render().plain.splitlines()[-1]


async def test_a_rate_that_stands_out_is_applied_by_one_key(tune: OpenTrial) -> None:
    requests: list[dict[str, Any]] = []

    def answer(job: str, request: dict[str, Any], on_event: Any, **_: Any) -> dict[str, Any]:
        assert job == "lr-find"
        requests.append(request)
        return {"losses": FALLING}

    async with tune("f", "convnet", answer) as (app, pilot, screen, draft):
        assert isinstance(screen, LrFindScreen)
        assert "100 steps" in text_of(screen, "#about")
        assert "now 0.0005" in text_of(screen, "#about")
        assert "not measured yet" in text_of(screen, "#about")  # the time: nothing was measured
        assert not requests
        assert "Use" not in keys_offered(app)
        await pilot.press("enter")
        await until(pilot, lambda: "falls most steeply" in text_of(screen, "#about"), "the answer")
        await until(pilot, lambda: rate_shown(screen), "the curve")
        rate = screen.chosen()["training.learning_rate"]
        assert f"enter uses {rate:g}" in text_of(screen, "#about")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, StrategyScreen), "the options")
        assert draft.settings == {"training.learning_rate": rate}
        taken = f"Applied: training.learning_rate {rate:g}."
        await until(pilot, lambda: notices(app) == taken, "the message")
    assert (requests[0]["stage"], requests[0]["steps"]) == (1, 100)
    assert requests[0]["spec"]["model"]["strategy"] == "convnet"


async def test_where_no_rate_stands_out_there_is_nothing_to_use(tune: OpenTrial) -> None:
    async with tune("f", "convnet", lambda *_, **__: {"losses": [0.7] * 100}) as (
        app,
        pilot,
        screen,
        draft,
    ):
        await pilot.press("enter")
        await until(pilot, lambda: "No rate stands out" in text_of(screen, "#about"), "the answer")
        assert screen.chosen() == {}
        assert {"Start", "Use"}.isdisjoint(keys_offered(app))
        assert "Again" in keys_offered(app)
        await pilot.press("enter")
        assert app.screen is screen
        assert draft.settings == {}


@pytest.mark.parametrize(("typed", "count"), [("29", 100), ("30", 30), ("10,000", 10_000),
                                              ("10,001", 100), ("many", 100)])  # fmt: skip
async def test_the_steps_are_typed_within_bounds(tune: OpenTrial, typed: str, count: int) -> None:
    async with tune("f", "convnet", lambda *_, **__: {}) as (app, pilot, screen, _draft):
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, Prompt), "the question")
        app.screen.query_one(Input).value = typed
        await pilot.press("enter")
        if count == 100:
            await until(pilot, lambda: "from 30 to 10,000" in refusal(app), "why not")
            await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen, "the answer")
        assert screen.count == count
        assert f"Trains {count:,} steps" in text_of(screen, "#about")


async def test_trials_are_sorted_and_the_selected_one_is_applied(
    tune: OpenTrial,
) -> None:
    def answer(job: str, request: dict[str, Any], on_event: Any, **_: Any) -> dict[str, Any]:
        assert (job, request["trials"], request["seed"]) == ("tune", 20, 1)
        for number, accuracy, units in ((1, 0.7, [64]), (2, None, []), (3, 0.9, [256])):
            on_event(trial_event(number, accuracy, units))
        return {}

    async with tune("T", "feature-extraction", answer) as (app, pilot, screen, draft):
        assert isinstance(screen, TuneHeadScreen)
        assert "20 heads" in text_of(screen, "#about")
        await pilot.press("enter")
        await until(pilot, lambda: "optimistic" in text_of(screen, "#about"), "the answer")
        table = screen.query_one(TrialTable)
        assert [table.get_row_at(row)[0] for row in range(3)] == ["3", "1 as given", "2"]
        assert screen.chosen()["model.dense_units"] == [256]
        await pilot.press("down", "down")  # to the one that diverged
        await until(pilot, lambda: table.cursor_row == 2, "the last row")
        await pilot.press("enter")
        assert app.screen is screen
        await pilot.press("up", "up", "enter")
        await until(pilot, lambda: isinstance(app.screen, StrategyScreen), "the options")
        assert draft.settings["model.dense_units"] == [256]
        assert draft.settings["training.learning_rate"] == 0.002
        assert draft.spec().model.dropout == 0.2


async def test_the_trials_before_a_stop_can_be_used(tune: OpenTrial) -> None:
    process = FakeProcess()

    def answer(
        job: str, request: dict[str, Any], on_event: Any, on_start: Any
    ) -> dict[str, Any]:  # fmt: skip
        on_start(process)
        on_event({"event": "progress", "phase": "trials", "done": 1, "total": 20})
        on_event(trial_event(1, 0.7, [64]))
        assert process.ended.wait(GUARD)
        raise UserError("The worker for search ended by a signal.")

    async with tune("T", "feature-extraction", answer) as (app, pilot, screen, _draft):
        await pilot.press("enter")
        await until(pilot, lambda: screen.query_one(TrialTable).row_count == 1, "a trial")
        await pilot.press("enter")
        await until(pilot, lambda: "x stops it" in notices(app), "the message")
        app.clear_notifications()
        assert "trials 1 of 20" in text_of(screen, "#progress")
        assert "Stop" in keys_offered(app)
        assert "Again" not in keys_offered(app)
        await pilot.press("x")
        await until(pilot, lambda: not screen.running, "the end")
        assert text_of(screen, "#progress") == "Stopped."
        assert notices(app) == ""  # no error: it was stopped
        assert {"Again", "Use this"} <= keys_offered(app)
        assert screen.chosen()["model.dense_units"] == [64]


async def test_leaving_ends_the_worker(tune: OpenTrial) -> None:
    process = FakeProcess()

    def answer(
        job: str, request: dict[str, Any], on_event: Any, on_start: Any
    ) -> dict[str, Any]:  # fmt: skip
        on_start(process)
        assert process.ended.wait(GUARD)
        raise UserError("The worker for lr-find ended by a signal.")

    async with tune("f", "convnet", answer) as (app, pilot, screen, _draft):
        await pilot.press("enter")
        await until(pilot, lambda: screen.running, "a worker")
        await pilot.press("escape")
        await until(pilot, process.ended.is_set, "the end of the worker")
        assert notices(app) == ""


async def test_the_error_of_a_worker_is_shown(tune: OpenTrial) -> None:
    def answer(*_: Any, **__: Any) -> dict[str, Any]:
        raise UserError("No image can be read.\x1b[2J", "Look at photos.")

    async with tune("f", "convnet", answer) as (app, pilot, _screen, _draft):
        await pilot.press("enter")
        await until(pilot, lambda: "No image can be read." in notices(app), "the reason")
        assert "\x1b" not in notices(app)
        assert "Start" in keys_offered(app)  # it can be tried again


WITHOUT_VALIDATION = {
    "data.split.validation": 0,
    "training.early_stopping": 0,
    "training.keep": "last",
}


@pytest.mark.parametrize(
    ("settings", "why", "is_long"),
    [
        ({"base.prefix": "streamed"}, "computes them in every epoch", False),
        (WITHOUT_VALIDATION, "data.split.validation is 0", True),
    ],
)
async def test_a_search_that_is_impossible_reports_why(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, Any],
    why: str,
    is_long: bool,
) -> None:
    monkeypatch.setattr(strategy, "expected_device", lambda gpu: "CPU")

    async with driven(tmp_path) as (app, pilot):
        draft = Draft(app.workspace)
        draft.set_source(tmp_path / "photos", PHOTOS)
        draft.set_preset("feature-extraction")
        draft.update(settings)
        draft.spec()  # is valid
        await app.push_screen(StrategyScreen(draft))
        await pilot.press("T")
        if is_long:
            await until(pilot, lambda: isinstance(app.screen, ErrorDialog), "the reason")
            assert why in str(app.screen.query_one("#words", Static).content)
            await pilot.press("escape")
        else:
            await until(pilot, lambda: why in notices(app), "the reason")
        await until(pilot, lambda: isinstance(app.screen, StrategyScreen), "back")


async def test_a_stage_that_is_solved_has_no_rate_to_find(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strategy, "expected_device", lambda gpu: "CPU")

    async with driven(tmp_path) as (app, pilot):
        draft = Draft(app.workspace)
        draft.set_source(tmp_path / "photos", PHOTOS)
        draft.set_preset("linear-probe")
        await app.push_screen(StrategyScreen(draft))
        await until(pilot, lambda: app.screen.is_mounted)
        actions = {one.binding.action for one in app.screen.active_bindings.values()}
        assert "train" in actions
        assert "lr_find" not in actions


@pytest.mark.parametrize(("preset", "offered"), [("feature-extraction", True), ("convnet", False),
                                                 ("fine-tuning", False)])  # fmt: skip
async def test_a_search_is_offered_where_there_is_a_head_on_a_frozen_base(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preset: str, offered: bool
) -> None:
    monkeypatch.setattr(strategy, "expected_device", lambda gpu: "CPU")

    async with driven(tmp_path) as (app, pilot):
        draft = Draft(app.workspace)
        draft.set_source(tmp_path / "photos", PHOTOS)
        draft.set_preset(preset)
        await app.push_screen(StrategyScreen(draft))
        await until(pilot, lambda: app.screen.is_mounted)
        assert app.screen.check_action("tune", ()) is offered
        assert app.screen.check_action("lr_find", ()) is True


async def test_a_wide_terminal_explains_what_the_trials_rest_on(tune: OpenTrial) -> None:
    rates = "\n".join(CONCEPTS["learning-rate"].picture.split("\n"))
    async with tune("f", "convnet", lambda *_, **__: {"losses": FALLING}, (200, 50)) as (
        _app,
        pilot,
        screen,
        _draft,
    ):
        notes = screen.query_one(ConceptNotes)
        await until(pilot, lambda: notes.size.height > 30, "the room")
        first, _, *rest = [line[:60].rstrip() for line in notes.render().plain.splitlines()]
        assert first == "How large a step is"
        assert rates in "\n".join(rest)
        await pilot.press("enter")
        await until(pilot, lambda: rate_shown(screen), "the curve, in the whole room")
        assert not notes.display
        assert screen.query_one(LinePlot).size.width == 198
        await pilot.resize_terminal(80, 24)
        await pilot.press("r")
        await until(pilot, lambda: rate_shown(screen), "the curve")
        assert not notes.display


async def test_no_trial_is_hidden_where_the_columns_are_wider_than_the_terminal(
    tune: OpenTrial,
) -> None:
    def answer(job: str, request: dict[str, Any], on_event: Any, **_: Any) -> dict[str, Any]:
        for number in range(1, 5):
            on_event(trial_event(number, 0.8, [1024, 512, 256, 128]))
        return {}

    async with tune("T", "feature-extraction", answer) as (_app, pilot, screen, _draft):
        table = screen.query_one(TrialTable)
        await pilot.press("enter")
        await until(pilot, lambda: table.row_count == 4 and table.max_scroll_x > 0, "all trials")
        assert table.scrollable_content_region.height == 5  # with the titles


async def test_notes_take_the_room_that_the_trials_leave(tune: OpenTrial) -> None:
    def answer(job: str, request: dict[str, Any], on_event: Any, **_: Any) -> dict[str, Any]:
        for number in range(1, 31):
            on_event(trial_event(number, 0.8, [64]))
        return {}

    async with tune("T", "feature-extraction", answer, (200, 50)) as (_app, pilot, screen, _draft):
        notes, table = screen.query_one(ConceptNotes), screen.query_one(TrialTable)
        await until(pilot, lambda: "Two ways to use a frozen base" in notes.render(), "the notes")
        await pilot.press("enter")
        await until(pilot, lambda: table.row_count == 30 and table.size.height == 31, "all trials")
        assert notes.render().plain == ""  # no concept is cut
