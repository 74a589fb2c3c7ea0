"""Start a run, completely or not at all; change the spec of one that is resumed."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workbench.app import run_control
from workbench.app.run_control import changed_spec, launch_new_run
from workbench.errors import UserError
from workbench.experiment.presets import BOOK_FACTS, preset_tree
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import apply_settings, parse_spec, read_spec
from workbench.machine.facts import NvmlReport
from workbench.paths import Workspace
from workbench.runs import folder as folder_module
from workbench.runs import launch as launch_module
from workbench.runs.folder import RunFolder


@pytest.fixture
def spec() -> ExperimentSpec:
    return parse_spec(preset_tree("dense", "/photos", BOOK_FACTS), "dense")


@pytest.fixture
def resumable() -> ExperimentSpec:
    settings = ("training.batch_size=32", "training.steps_per_epoch=10")
    return parse_spec(apply_settings(preset_tree("convnet", "/photos", BOOK_FACTS), settings), "")


@pytest.mark.parametrize("module", [folder_module, launch_module])
def test_full_disk_leaves_nothing_of_a_new_run(
    workspace: Workspace, spec: ExperimentSpec, fail: Callable[..., None], module: Any
) -> None:
    """The disk is full before the folder is complete, or just after."""
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    fail(module, "write_atomic", full)
    fail(launch_module, "EventWriter", full)
    with pytest.raises(UserError, match=r"cannot be written.*: No space left on device"):
        launch_new_run(workspace, spec, "pets")
    assert list(workspace.runs.iterdir()) == []


def test_unwritable_workspace_is_reported(tmp_path: Path, spec: ExperimentSpec) -> None:
    (tmp_path / "saved_models").touch()
    with pytest.raises(UserError, match=r"The run cannot be written in .*saved_models"):
        launch_new_run(Workspace(tmp_path), spec, "pets")


def test_start_writes_the_spec_and_passes_variables(
    workspace: Workspace, spec: ExperimentSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, dict[str, Any]]] = []

    def launch(folder: RunFolder, **options: Any) -> None:
        asked.append((folder.name, options))

    monkeypatch.setattr(run_control, "launch", launch)
    variables = {"WORKBENCH_ON_FINISH": "true"}
    folder = launch_new_run(workspace, spec, "pets", queue=True, environment=variables)
    assert read_spec(folder.spec_path) == spec
    options = {"queue": True, "warm": None, "environment": variables, "gpu_report": None}
    assert asked == [("pets-1", options)]
    report = NvmlReport(nvml=None, asked=1.5)
    launch_new_run(workspace, spec, "pets", report=report)
    assert asked[1][1]["gpu_report"] == '{"nvml":null,"asked":1.5}'


@pytest.mark.parametrize("stem", ["pets", "x" * 80])
def test_run_on_corrected_data_is_named_so(
    workspace: Workspace, spec: ExperimentSpec, monkeypatch: pytest.MonkeyPatch, stem: str
) -> None:
    monkeypatch.setattr(run_control, "launch", lambda *_, **__: None)
    data = spec.data.model_copy(update={"corrections": "/corrections.csv"})
    corrected = spec.model_copy(update={"data": data})
    assert launch_new_run(workspace, corrected, stem).name == f"{stem[:46]}-corrected-1"
    named = corrected.model_copy(update={"name": "night"})
    assert launch_new_run(workspace, named, stem).name == "night"


def test_resume_without_changes_keeps_the_spec(resumable: ExperimentSpec) -> None:
    assert changed_spec(resumable) == resumable


def test_half_batch_doubles_steps(resumable: ExperimentSpec) -> None:
    training = changed_spec(resumable, half_batch=True).training
    assert (training.batch_size, training.steps_per_epoch) == (16, 20)


def test_divisor_of_batch_size_can_be_set(resumable: ExperimentSpec) -> None:
    training = changed_spec(resumable, ("training.batch_size=8", "training.epochs=99")).training
    assert (training.batch_size, training.steps_per_epoch, training.epochs) == (8, 40, 99)


@pytest.mark.parametrize("size", [5, 64])
def test_other_batch_sizes_are_refused(resumable: ExperimentSpec, size: int) -> None:
    with pytest.raises(UserError, match=f"received {size}, and the run began with 32"):
        changed_spec(resumable, (f"training.batch_size={size}",))


def test_batch_of_one_cannot_be_halved(resumable: ExperimentSpec) -> None:
    one = changed_spec(resumable, ("training.batch_size=1",))
    with pytest.raises(UserError, match="one image already"):
        changed_spec(one, half_batch=True)


def test_half_batch_excludes_batch_size(resumable: ExperimentSpec) -> None:
    with pytest.raises(UserError, match="not both"):
        changed_spec(resumable, ("training.batch_size=16",), half_batch=True)


@pytest.mark.parametrize("setting", ["training.seed=2", "model.dropout=0.1"])
def test_settings_of_positions_cannot_change(resumable: ExperimentSpec, setting: str) -> None:
    with pytest.raises(UserError, match="cannot change once a run has started") as error:
        changed_spec(resumable, (setting,))
    assert "training.learning_rate" in error.value.hint


def test_invalid_setting_is_refused(resumable: ExperimentSpec) -> None:
    with pytest.raises(UserError, match=r"--set: training.epochs: received 0"):
        changed_spec(resumable, ("training.epochs=0",))
