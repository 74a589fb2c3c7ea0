"""What is refused before anything is written, the same for every command and the app."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from click.testing import Result
from typist import Type

from workbench.app import run_control
from workbench.errors import UserError
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import dump_spec, parse_spec
from workbench.machine import preflight
from workbench.machine.gpus import GpuChoice
from workbench.paths import Workspace
from workbench.runs import launch, sweep_queue
from workbench.runs.folder import create_run, list_runs
from workbench.ui.ladder import start as ladder_start

HDF5 = b"\x89HDF\r\n\x1a\n"
BACKEND = "Keras is set to train with torch, which is not installed."
LOST = "Keras cannot start with its settings file {}/keras.json: backend is 3"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Workers and jobs that would have been started; no driver is queried."""
    found: list[str] = []

    def run_job(job: str, *_: Any, **__: Any) -> dict[str, Any]:
        found.append(job)
        raise UserError("a worker was started")

    def launched(folder: Any, *_: Any, **__: Any) -> int:
        found.append(folder.name)
        raise UserError("a worker was started")

    monkeypatch.setattr("workbench.app.jobs.run_job", run_job)
    for place in (launch, sweep_queue, run_control):
        monkeypatch.setattr(place, "launch", launched)
    monkeypatch.setattr("workbench.cli.scheduled.launch", launched)
    monkeypatch.setattr(preflight, "find_gpus", lambda *_: (GpuChoice(),))
    return found


@pytest.fixture(autouse=True)
def folder(types: Type, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of images, files of weights, and a valid settings file of Keras."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    (tmp_path / "text.h5").write_text("no weights at all")
    (tmp_path / "good.h5").write_bytes(HDF5)


def spec(weights: str) -> ExperimentSpec:
    return parse_spec(
        {
            "name": "night",
            "data": {"source": str(Path("photos").absolute()), "image_size": [32, 32]},
            "model": {"strategy": "feature-extraction"},
            "base": {"name": "mobilenetv2-0.35", "weights": weights},
        },
        "test",
    )


GIVEN = ("--preset", "feature-extraction", "--data", "photos")
TRAINING = {
    "train": ("train", *GIVEN),
    "detached": ("train", *GIVEN, "--detach", "--queue"),
    "scheduled": ("train", *GIVEN, "--name", "night", "--resume-on-start"),
    "lr-find": ("lr-find", *GIVEN),
    "tune": ("tune", *GIVEN),
    "ladder": ("ladder", "--data", "photos", "--presets", "dense,feature-extraction", "--detach"),
}
RESUMING = {
    "resume": ("resume", "night"),
    "ladder": ("ladder", "rungs", "--resume", "--detach"),
    "scheduled": ("train", *GIVEN, "--weights", "good.h5", "--name", "night", "--resume-on-start"),
}


def refused(result: Result) -> str:
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    return " ".join(result.output.split())


@pytest.mark.parametrize("command", [*TRAINING, "plan"])
@pytest.mark.parametrize(
    ("file", "words"),
    [("gone.h5", "There is no file of weights"), ("text.h5", "is not a weights file")],
)
def test_weights_that_are_none_are_refused(
    command: str, file: str, words: str, types: Type, started: list[str], tmp_path: Path
) -> None:
    given = TRAINING.get(command, ("plan", *GIVEN))
    output = refused(types(*given, "--weights", file))
    assert f"{tmp_path / file}" in output
    assert words in output
    assert started == []
    assert list_runs(Workspace(tmp_path)) == []


def test_a_lesson_refuses_them_too(types: Type, started: list[str], tmp_path: Path) -> None:
    output = refused(types("lessons", "two-ways", "--data", "photos", "--weights", "gone.h5"))
    assert f"The weights file {tmp_path / 'gone.h5'} cannot be read" in output
    assert started == []


@pytest.mark.parametrize("command", ["train", "lr-find", "tune"])
def test_weights_that_may_be_some_are_left_to_the_worker(
    command: str, types: Type, started: list[str]
) -> None:
    assert "a worker was started" in refused(types(*TRAINING[command], "--weights", "good.h5"))
    assert len(started) == 1


def interrupted(root: Path, weights: str) -> Workspace:
    """A workspace with a ladder of one run that was interrupted."""
    workspace = Workspace(root)
    folder = create_run(workspace, dump_spec(spec(weights)), "night", "photos")
    (workspace.runs / "rungs.ladder.json").write_text(
        '{"format": 1, "rungs": [{"preset": "feature-extraction", "run": "night"}]}'
    )
    assert folder.name == "night"
    return workspace


@pytest.mark.parametrize("command", RESUMING)
def test_a_run_whose_weights_are_gone_is_not_resumed(
    command: str, types: Type, started: list[str], tmp_path: Path
) -> None:
    gone = tmp_path / "gone.h5"
    interrupted(tmp_path, str(gone))
    assert f"There is no file of weights {gone}." in refused(types(*RESUMING[command]))
    assert started == []
    gone.write_bytes(HDF5)
    types(*RESUMING[command])
    assert started == ["night"]


def test_the_app_refuses_the_same(types: Type, started: list[str], tmp_path: Path) -> None:
    gone = str(tmp_path / "gone.h5")
    words = f"There is no file of weights {gone}"
    with pytest.raises(UserError, match=words):
        run_control.start_run(Workspace(tmp_path), spec(gone), "photos")
    rungs = [("feature-extraction", spec(gone))]
    name, problem = ladder_start.start_ladder(
        Workspace(tmp_path), "photos", rungs, lambda *output: None
    )
    assert name == ""
    assert problem.startswith(f"strategy feature-extraction: {words}")
    assert list_runs(Workspace(tmp_path)) == []
    interrupted(tmp_path, gone)
    view = SimpleNamespace(folder=list_runs(Workspace(tmp_path))[0])
    with pytest.raises(UserError, match=words):
        run_control.resume_run(cast(Any, view).folder)
    assert started == []


@pytest.mark.parametrize("command", TRAINING)
def test_a_backend_that_is_not_there_is_refused_in_the_checks_words(
    command: str, types: Type, started: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "is_importable", lambda backend: backend == "tensorflow")
    settings = tmp_path / "keras.json"
    settings.write_text('{"backend": "torch"}')
    output = refused(types(*TRAINING[command], "--weights", "random"))
    assert BACKEND.replace("torch", "PyTorch") in output
    assert f"It is named by the file {settings}" in output
    assert "pip install torch; or export KERAS_BACKEND=tensorflow" in output
    monkeypatch.setenv("KERAS_BACKEND", "theano")
    output = refused(types(*TRAINING[command], "--weights", "random"))
    assert "Keras is set to train with theano, which cannot train here." in output
    assert "unset KERAS_BACKEND" in output
    monkeypatch.delenv("KERAS_BACKEND")
    settings.write_text('{"backend": 3}')
    output = refused(types(*TRAINING[command], "--weights", "random"))
    assert LOST.format(tmp_path) in output
    assert f"mv {settings} {settings}.old" in output
    assert started == []
    assert list_runs(Workspace(tmp_path)) == []


@pytest.mark.parametrize("command", ["train", "tune"])
def test_a_backend_that_the_experiment_asks_for_has_to_be_there(
    command: str, types: Type, started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "is_importable", lambda backend: backend == "tensorflow")
    versions = {"tensorflow": "2.21.0", "keras": "3.15.1"}
    monkeypatch.setattr("workbench.machine.backends.installed_version", versions.get)
    on_jax = ("--weights", "random", "--set", "training.backend=jax")
    output = refused(types(*TRAINING[command], *on_jax))
    assert BACKEND.replace("torch", "JAX") in output
    assert "The experiment asks for it: training.backend." in output
    assert (
        "pip install -U 'jax[cuda12]' (on a CPU: pip install 'convnet-workbench[jax]'); or --set "
        "training.backend=auto" in output
    )
    assert started == []


def test_the_app_refuses_it_too(
    types: Type, started: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "theano")
    with pytest.raises(UserError, match="which cannot train here"):
        run_control.start_run(Workspace(tmp_path), spec("random"), "photos")
    assert started == []
    assert list_runs(Workspace(tmp_path)) == []


def test_packages_of_an_accelerator_are_looked_for_too(
    types: Type, started: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "ACCELERATOR_PACKAGES", {"fast": ("no_such_package",)})
    given = (*GIVEN, "--weights", "random", "--set", "base.accelerator=fast")
    output = refused(types("train", *given))
    assert "base.accelerator is fast, which needs no_such_package: not installed." in output
    assert started == []
    assert list_runs(Workspace(tmp_path)) == []
