"""Starting a run: all of it, or nothing."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from workbench.errors import UserError
from workbench.experiment.presets import BOOK_FACTS, preset_tree
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import parse_spec, read_spec
from workbench.paths import Workspace
from workbench.runs import folder as folder_module
from workbench.runs import launch as launch_module
from workbench.runs import start as start_module
from workbench.runs.folder import RunFolder
from workbench.runs.start import start


@pytest.fixture
def spec() -> ExperimentSpec:
    return parse_spec(preset_tree("dense", "/photos", BOOK_FACTS), "dense")


def refuse(*arguments: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("module", [folder_module, launch_module])
def test_a_full_disk_leaves_nothing_of_a_new_run(
    workspace: Workspace, spec: ExperimentSpec, monkeypatch: pytest.MonkeyPatch, module: Any
) -> None:
    """Full before the folder is made whole, or just after it."""
    monkeypatch.setattr(module, "write_atomic", refuse)
    monkeypatch.setattr(launch_module, "EventWriter", refuse)
    with pytest.raises(UserError, match=r"cannot be written.*: No space left on device"):
        start(workspace, spec, "pets")
    assert list(workspace.runs.iterdir()) == []


def test_a_workspace_that_cannot_be_made_is_told(tmp_path: Path, spec: ExperimentSpec) -> None:
    (tmp_path / "saved_models").touch()
    with pytest.raises(UserError, match=r"The run cannot be written in .*saved_models"):
        start(Workspace(tmp_path), spec, "pets")


def test_a_run_has_its_spec_and_its_worker_the_variables(
    workspace: Workspace, spec: ExperimentSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, dict[str, Any]]] = []

    def launch(folder: RunFolder, **options: Any) -> None:
        asked.append((folder.name, options))

    monkeypatch.setattr(start_module, "launch", launch)
    variables = {"WORKBENCH_ON_FINISH": "true"}
    folder = start(workspace, spec, "pets", queue=True, environment=variables)
    assert read_spec(folder.spec_path) == spec
    assert asked == [("pets-1", {"queue": True, "warm": None, "environment": variables})]


@pytest.mark.parametrize("stem", ["pets", "x" * 80])
def test_a_run_on_corrected_data_says_so_in_its_name(
    workspace: Workspace, spec: ExperimentSpec, monkeypatch: pytest.MonkeyPatch, stem: str
) -> None:
    monkeypatch.setattr(start_module, "launch", lambda *_, **__: None)
    data = spec.data.model_copy(update={"corrections": "/corrections.csv"})
    corrected = spec.model_copy(update={"data": data})
    assert start(workspace, corrected, stem).name == f"{stem[:46]}-corrected-1"
    named = corrected.model_copy(update={"name": "night"})
    assert start(workspace, named, stem).name == "night"
