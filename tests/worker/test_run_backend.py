"""Which backend a worker uses: that of the spec, else of the run, else what Keras chooses."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import parse_spec
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder, create_run
from workbench.worker import startup
from workbench.worker.startup import (
    WarmState,
    backend_of_request,
    backend_of_session,
    use_backend,
)

SPEC = '[data]\nsource = "/photos"\n[model]\nstrategy = "dense"\n[training]\nbackend = "{}"\n'
Make = Callable[..., RunFolder]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Return a function that makes a run by its setting, its earlier backend, and a checkpoint."""

    def run(setting: str, earlier: object = None, begun: bool = True) -> RunFolder:
        folder = create_run(Workspace(tmp_path), SPEC.format(setting), "run", "run")
        if earlier is not None:
            folder.worker_path.write_text(json.dumps({"backend": earlier}))
        folder.checkpoints.mkdir(exist_ok=True)
        if begun:
            (folder.checkpoints / "last.npz").touch()
        return folder

    return run


@pytest.mark.parametrize(
    ("setting", "earlier", "begun", "resume", "expected"),
    [
        ("auto", None, False, False, "auto"),
        ("jax", None, False, False, "jax"),
        ("auto", "jax", True, True, "jax"),
        ("auto", "jax", False, True, "auto"),  # nothing depends on it yet
        ("auto", None, True, True, "auto"),  # of a version that did not record it
        ("auto", "../x", True, True, "auto"),
        ("tensorflow", "jax", True, True, "tensorflow"),
    ],
)
def test_of_a_session(
    make: Make, setting: str, earlier: str | None, begun: bool, resume: bool, expected: str
) -> None:
    assert backend_of_session(make(setting, earlier, begun), resume) == expected


def test_a_spec_that_cannot_be_read_is_reported_by_the_run(make: Make) -> None:
    run = make("theano")
    assert backend_of_session(run, resume=True) == "auto"


def test_of_a_job(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup.importlib.util, "find_spec", lambda name: name == "jax" or None)
    run = make("auto", "jax")
    model = str(run.model_path)

    def backend(**request: Any) -> str:
        return backend_of_request(request)

    assert backend(model=model, paths=[]) == "jax"
    assert backend(run=str(run.path), workspace="/w") == "jax"
    assert backend(model=model, formats=["keras"]) == "jax"
    assert backend(model=model, formats=["keras", "savedmodel"]) == "tensorflow"
    assert backend(model=model, format="litert", path="/x") == "tensorflow"
    assert backend(spec={"training": {"backend": "jax"}}) == "jax"
    assert backend(spec={}) == backend(experiment="pooling") == "auto"
    assert backend(model="/elsewhere/model.keras") == "auto"
    run.worker_path.write_text('{"backend": "torch"}')  # which is not installed here
    assert backend(model=model) == "auto"


def test_it_becomes_keras_own_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    use_backend("auto")
    assert os.environ["KERAS_BACKEND"] == "torch"
    use_backend("jax")
    assert os.environ["KERAS_BACKEND"] == "jax"


def test_a_process_on_standby_of_another_backend_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    tree = {"data": {"source": "/photos"}, "model": {"strategy": "dense"}}
    spec: ExperimentSpec = parse_spec(tree, "test")
    fits = [WarmState().suits(spec, name) for name in ("auto", "tensorflow", "jax")]
    assert fits == [True, True, False]
