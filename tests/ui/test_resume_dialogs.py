"""One key goes on with a run; a question comes only where a person has to decide."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from fake_runs import FakeRun
from textual.pilot import Pilot
from textual.widgets import Button, Input, Static
from ui_pilot import driven, refusal, until

from workbench.app import run_control
from workbench.experiment.presets import BOOK_FACTS, preset_tree
from workbench.experiment.toml import dump_spec, parse_spec
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder
from workbench.runs.lock import this_host
from workbench.ui.app import WorkbenchApp
from workbench.ui.dialogs import Choose, Confirm, Prompt
from workbench.ui.home.screen import HomeScreen
from workbench.ui.train.screen import TrainScreen

FAR = {"host": "far", "boot_id": "another"}
Asked = list[dict[str, Any] | None]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """The training tables that the launcher, which starts nothing, was given; None for none."""
    specs: Asked = []

    def launch(folder: RunFolder, resume: bool, spec: str | None, **_: object) -> None:
        assert resume
        specs.append(None if spec is None else tomllib.loads(spec)["training"])

    monkeypatch.setattr(run_control, "launch", launch)
    return specs


def a_run(root: Path, **worker: str) -> FakeRun:
    spec = dump_spec(parse_spec(preset_tree("convnet", "/photos", BOOK_FACTS), ""))
    run = FakeRun(Workspace(root), "night", spec)
    run.emit("worker_started", **(worker or this_host()))
    run.emit("stage_started", stage=0, epochs=30, learning_rate=0.001)
    return run


def question(app: WorkbenchApp) -> str:
    return str(app.screen.query(Static).first().content)


async def ready(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    await until(pilot, lambda: app.find_run("night"), "the run")
    await until(pilot, lambda: app.screen.query("#runs"), "home")


@pytest.mark.parametrize("ending", ["stopped", "disk", "interrupted"])
async def test_nothing_is_asked_where_nothing_is_to_decide(
    tmp_path: Path, asked: Asked, ending: str
) -> None:
    run = a_run(tmp_path)
    if ending == "stopped":
        run.emit("stopped", stage=0, epoch=1, step=0)
    elif ending == "disk":
        run.emit("failed", kind="disk", message="full", hint="")

    async with driven(tmp_path) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, TrainScreen), "the run itself")
    assert asked == [None]


@pytest.mark.parametrize(
    ("key", "answer"),
    [("h", 16), ("enter", 16), ("a", None), ("escape", 0)],
)
async def test_after_too_little_memory_half_the_batch_is_offered(
    tmp_path: Path, asked: Asked, key: str, answer: int | None
) -> None:
    a_run(tmp_path).emit("failed", kind="memory", message="no room", hint="")

    async with driven(tmp_path) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, Choose), "the question")
        assert question(app) == (
            "night ran out of memory. Resume with half the batch, 16, or with the batch as it is?"
        )
        assert [str(one.label) for one in app.screen.query(Button)] == [
            "Half, 16 (h)", "As it is (a)", "Cancel (esc)",
        ]  # fmt: skip
        await pilot.press(key)
        wanted = HomeScreen if key == "escape" else TrainScreen
        await until(pilot, lambda: isinstance(app.screen, wanted), "the way on")
    sizes = [training and training["batch_size"] for training in asked]
    assert sizes == ([] if answer == 0 else [answer])


async def test_a_batch_of_one_is_not_halved(tmp_path: Path, asked: Asked) -> None:
    run = a_run(tmp_path)
    spec = run.folder.spec_path.read_text().replace("batch_size = 32", "batch_size = 1")
    run.folder.spec_path.write_text(spec)
    run.emit("failed", kind="memory", message="no room", hint="")

    async with driven(tmp_path) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, TrainScreen), "the run itself")
    assert asked == [None]


@pytest.mark.parametrize(
    ("typed", "deadline"), [("never", None), ("2100-01-01T00:00Z", 4_102_444_800), ("7", 0)]
)
async def test_after_its_deadline_a_new_one_is_asked_for(
    tmp_path: Path, asked: Asked, typed: str, deadline: int | None
) -> None:
    run = a_run(tmp_path)
    spec = run.folder.spec_path.read_text().replace("\nepochs = ", "\ndeadline = 5\nepochs = ")
    run.folder.spec_path.write_text(spec)
    run.emit("stopped", stage=0, epoch=1, step=0)

    async with driven(tmp_path) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, Prompt), "the question")
        assert question(app) == (
            "The deadline of night is over. A new one, 07:00, 2026-12-01T07:00 or never:"
        )
        field = app.screen.query_one(Input)
        assert field.value == "never"
        field.value = typed
        await pilot.press("enter")
        if typed == "7":  # neither
            await until(pilot, lambda: refusal(app), "the error")
            assert "--by: received '7'; allowed: 07:00, " in refusal(app)
            assert (asked, field.value) == ([], "7")
            return
        await until(pilot, lambda: isinstance(app.screen, TrainScreen), "the run itself")
    (training,) = asked
    assert training is not None
    assert training.get("deadline") == deadline


async def test_after_divergence_a_tenth_of_the_rate_is_offered(
    tmp_path: Path, asked: Asked
) -> None:
    a_run(tmp_path).emit("failed", kind="diverged", message="no number", hint="")

    async with driven(tmp_path) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, TrainScreen), "the run")
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, Prompt), "the question")
        assert question(app) == "night has diverged. Resume with which training.learning_rate?"
        assert app.screen.query_one(Input).value == "0.0001"
        await pilot.press("enter")
        await until(pilot, lambda: bool(asked), "the start")
    (training,) = asked
    assert training
    assert training["learning_rate"] == 0.0001


async def test_an_invalid_rate_is_reported_and_starts_nothing(tmp_path: Path, asked: Asked) -> None:
    a_run(tmp_path).emit("failed", kind="diverged", message="no number", hint="")

    async with driven(tmp_path) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, Prompt), "the question")
        field = app.screen.query_one(Input)
        field.value = "-1"
        await pilot.press("enter")
        await until(pilot, lambda: refusal(app), "why not")
        assert "training.learning_rate: received -1" in refusal(app)
        assert (asked, field.value) == ([], "-1")


@pytest.mark.parametrize(("key", "answer"), [("y", [None]), ("n", []), ("enter", [])])
async def test_a_worker_on_another_machine_has_to_be_known_to_have_ended(
    tmp_path: Path, asked: Asked, key: str, answer: Asked
) -> None:
    run = a_run(tmp_path, **FAR)
    old = [line.replace('"t": 17', '"t": 16') for line in run.folder.events_path.open()]
    run.folder.events_path.write_text("".join(old))  # years ago

    async with driven(tmp_path) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, Confirm), "the question")
        assert question(app).startswith("night was last running on far, last sign of life ")
        assert "Has it ended?" in question(app)
        await pilot.press(key)
        wanted = TrainScreen if answer else HomeScreen
        await until(pilot, lambda: isinstance(app.screen, wanted), "the way on")
    assert asked == answer


async def test_a_run_with_a_recent_sign_of_life_is_not_offered(tmp_path: Path) -> None:
    a_run(tmp_path, **FAR)

    async with driven(tmp_path) as (app, pilot):
        await ready(app, pilot)
        view = app.find_run("night")
        assert view
        assert not view.summary.state.resumable
        offered = {one.binding.action for one in app.screen.active_bindings.values()}
        assert "resume" not in offered
