"""Runs as jobs of SLURM from the app: started, shown while they wait, stopped, resumed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fake_slurm import FakeSlurm, job, make_run
from image_files import class_folders
from textual.pilot import Pilot
from textual.widgets import Button, Static
from ui_pilot import driven, notices, refusal, text_of, until

from workbench.app.draft import Draft
from workbench.datasets.prepare import survey
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder
from workbench.runs.slurm import read_job, submit
from workbench.settings import Settings, SlurmProfile, read_settings, write_settings
from workbench.ui.app import WorkbenchApp
from workbench.ui.dialogs import Choose, Confirm, PickName, Prompt
from workbench.ui.home.screen import HomeScreen
from workbench.ui.strategy.screen import StrategyScreen
from workbench.ui.strategy.start import StartScreen
from workbench.ui.train.screen import TrainScreen

pytestmark = pytest.mark.usefixtures("measured_machine")


@pytest.fixture(autouse=True)
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "bin").mkdir()
    made = FakeSlurm(tmp_path / "bin", monkeypatch)
    made.queue(job("PENDING", state_reason="Priority"))
    return made


@asynccontextmanager
async def asked_to_start(
    tmp_path: Path, there: bool = True
) -> AsyncIterator[tuple[WorkbenchApp, Pilot[Any]]]:
    """The question before the start of a dense network."""
    photos = class_folders(tmp_path / "pets", a=10, b=10)
    draft = Draft(Workspace(tmp_path / "ws"))
    draft.set_source(photos, survey(photos))
    draft.set_preset("dense")
    draft.complete_step("data")
    async with driven(draft.workspace.root) as (app, pilot):
        strategy = StrategyScreen(draft)
        await app.push_screen(strategy)
        await until(pilot, lambda: strategy._starter.has_slurm == there, "the answer of SLURM")
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, StartScreen), "the question")
        yield app, pilot


def options(run: RunFolder) -> list[str]:
    lines = (run.path / "job.sh").read_text().splitlines()
    return [line.removeprefix("#SBATCH --") for line in lines if line.startswith("#SBATCH")][6:]


def the_run(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "ws" / "saved_models" / "pets-1")


async def test_the_first_job_asks_for_its_settings_and_keeps_them(tmp_path: Path) -> None:
    async with asked_to_start(tmp_path) as (app, pilot):
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, Prompt), "the settings")
        await pilot.press(*"gres=gpu:1 time=60", "enter")
        await until(pilot, lambda: isinstance(app.screen, TrainScreen), "the run")
        await until(pilot, lambda: app.find_run("pets-1"), "its state")
        state = app.find_run("pets-1").summary.state
        assert (state.phase, state.description) == ("waiting", "wait for SLURM job 7: Priority")
        await until(pilot, lambda: "Waiting for SLURM job 7: Priority" in shown(app), "the reason")
    assert options(the_run(tmp_path)) == ["gres=gpu:1", "time=60"]
    assert read_settings()[0].slurm == {"default": SlurmProfile(gres="gpu:1", time="60")}


def shown(app: WorkbenchApp) -> str:
    return "\n".join(str(one.content) for one in app.screen.query(Static))


async def test_wrong_settings_are_explained_and_start_nothing(tmp_path: Path) -> None:
    async with asked_to_start(tmp_path) as (app, pilot):
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, Prompt), "the settings")
        await pilot.press(*"gress=1", "enter")
        wrong = "'gress=1' is no setting of a job."
        await until(pilot, lambda: wrong in refusal(app), "the error")
    assert not the_run(tmp_path).path.exists()
    assert read_settings()[0] == Settings()


async def test_one_of_several_profiles_is_picked(tmp_path: Path) -> None:
    profiles = {"big": SlurmProfile(gres="gpu:4"), "default": SlurmProfile(gres="gpu:1")}
    write_settings(Settings(slurm=profiles))
    async with asked_to_start(tmp_path) as (app, pilot):
        await pilot.click("#slurm")
        await until(pilot, lambda: isinstance(app.screen, PickName), "the profiles")
        await pilot.press("up", "enter")  # the default is marked at first
        await until(pilot, lambda: isinstance(app.screen, TrainScreen), "the run")
    assert options(the_run(tmp_path)) == ["gres=gpu:4"]
    made = read_job(the_run(tmp_path))
    assert made
    assert made.profile == "big"


async def test_a_refusal_of_slurm_keeps_the_draft(tmp_path: Path, slurm: FakeSlurm) -> None:
    slurm.prints("sbatch", "", "sbatch: error: invalid partition", 1)
    async with asked_to_start(tmp_path) as (app, pilot):
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, Prompt), "the settings")
        await pilot.press("enter")
        refused = "SLURM refused: sbatch: error: invalid partition"
        await until(pilot, lambda: refused in notices(app) + shown(app), "the error")
    assert not the_run(tmp_path).path.exists()


async def test_without_slurm_it_is_not_offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    async with asked_to_start(tmp_path, there=False) as (app, pilot):
        assert [button.id for button in app.screen.query(Button)] == ["here", "no"]
        await pilot.press("s")
        assert isinstance(app.screen, StartScreen)


async def test_a_job_in_the_queue_is_cancelled_and_submitted_again(
    tmp_path: Path, slurm: FakeSlurm
) -> None:
    run = make_run(tmp_path)
    submit([run], SlurmProfile(gres="gpu:2"))
    (slurm.folder / "scancel").write_text(
        f"#!/bin/sh\nsed -i s/PENDING/CANCELLED/ {slurm.folder}/squeue.out\n"
    )
    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: app.runs and app.runs[0].running, "the run")
        await until(pilot, lambda: "wait for SLURM job 7: Priority" in detail(app), "the reason")
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, Confirm), "the question")
        await pilot.press("y")
        await until(pilot, lambda: "The job of night is cancelled." in notices(app), "the answer")
        await until(pilot, lambda: "SLURM job 7 was cancelled" in detail(app), "the end")
        slurm.prints("sbatch", "8\n")
        slurm.queue(job("PENDING", number=8))
        await pilot.press("r", "r")  # an impatient person is asked once
        await until(pilot, lambda: isinstance(app.screen, Choose), "where to resume")
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, TrainScreen), "the run")
        assert not any(isinstance(one, Choose) for one in app.screen_stack)
    made = read_job(run)
    assert made
    assert made.id == "8"


def detail(app: WorkbenchApp) -> str:
    if not isinstance(app.screen, HomeScreen):
        return ""
    return text_of(app.screen, "#detail")
