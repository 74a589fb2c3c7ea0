"""The trials of `tune` are kept, and not trained again."""

from pathlib import Path
from typing import Any

import pytest

from workbench.analysis.trials import trial_rows
from workbench.app import jobs
from workbench.app.tune import Search, find_search, run_search
from workbench.errors import UserError
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import parse_spec
from workbench.paths import Workspace
from workbench.runs.sweep_record import TUNE, SweepRecord, list_names

FINGERPRINT = "same images"


@pytest.fixture
def spec(tmp_path: Path) -> ExperimentSpec:
    tree = {
        "data": {"source": str(tmp_path / "photos"), "image_size": [32, 32]},
        "model": {"strategy": "feature-extraction"},
        "base": {"name": "mobilenetv2-0.35", "weights": "random"},
    }
    return parse_spec(tree, "test")


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A worker that trains the trials that were not kept, and is killed before one of them."""
    told: dict[str, Any] = {"fingerprint": FINGERPRINT, "killed before": 0, "trained": []}

    def run_job(job: str, request: dict[str, Any], on_event: Any, **_: Any) -> dict[str, Any]:
        same = request["fingerprint"] == told["fingerprint"]
        kept = {trial["number"]: trial for trial in request["kept"]} if same else {}
        for number in range(1, request["trials"] + 1):
            event = {"event": "trial", "images": 40, "fingerprint": told["fingerprint"]}
            if number in kept:
                on_event({**event, "kept": True, **kept[number]})
                continue
            if number == told["killed before"]:
                raise UserError("The worker for tune ended by signal SIGKILL.")
            told["trained"].append(number)
            candidate = {"dense_units": [number], "dropout": 0.5, "learning_rate": 0.01}
            accuracy = None if number == 2 else 0.5 + number / 100
            on_event({**event, "number": number, "candidate": candidate, "epoch": 3,
                      "accuracy": accuracy, "loss": accuracy and 0.4, "seconds": 2.0})  # fmt: skip
        return {}

    monkeypatch.setattr(jobs, "run_job", run_job)
    monkeypatch.setattr(jobs, "check_before_training", lambda spec: None)
    return told


def search(workspace: Workspace, spec: ExperimentSpec, trials: int, seed: int = 1) -> list[int]:
    """Search; return the numbers of the trials that are reported."""
    found: list[int] = []
    request = {"trials": trials, "seed": seed}
    run_search(workspace, spec, request, lambda event: found.append(event["number"]))
    return found


def test_a_search_that_was_killed_goes_on_where_it_was(
    workspace: Workspace, spec: ExperimentSpec, worker: dict[str, Any]
) -> None:
    worker["killed before"] = 3
    with pytest.raises(UserError, match="SIGKILL"):
        search(workspace, spec, 4)
    kept = Search(workspace, SweepRecord("photos-tune-1", TUNE))
    assert [trial.number for trial in kept.trials] == [1, 2]
    worker["killed before"] = 0
    assert search(workspace, spec, 4) == [1, 2, 3, 4]
    assert worker["trained"] == [1, 2, 3, 4]
    assert search(workspace, spec, 5) == [1, 2, 3, 4, 5]  # one is added
    assert worker["trained"] == [1, 2, 3, 4, 5]
    assert list_names(workspace, TUNE) == ["photos-tune-1"]


def test_another_seed_spec_or_images_are_another_search(
    workspace: Workspace, spec: ExperimentSpec, worker: dict[str, Any]
) -> None:
    search(workspace, spec, 2)
    search(workspace, spec, 2, seed=2)
    other = spec.model_copy(update={"model": spec.model.model_copy(update={"dropout": 0.1})})
    search(workspace, other, 2)
    assert worker["trained"] == [1, 2] * 3
    assert len(list_names(workspace, TUNE)) == 3
    worker["fingerprint"] = "a label was corrected"
    search(workspace, spec, 1)
    found = find_search(workspace, spec, 1)
    assert found is not None
    assert [trial.number for trial in found.trials] == [1]  # trials on other images are dropped


def test_its_trials_have_the_table_and_the_best_spec_of_a_sweep(
    workspace: Workspace, spec: ExperimentSpec, worker: dict[str, Any]
) -> None:
    named = spec.model_copy(update={"name": "heads"})
    search(workspace, named, 3)
    found = Search(workspace, SweepRecord("heads", TUNE))
    rows = trial_rows(found.results)
    assert [(row.settings["model.dense_units"], row.mean) for row in rows] == [
        ([3], 0.53), ([1], 0.51), ([2], None),
    ]  # fmt: skip
    assert rows[2].states == {"failed": 1}
    assert "dense_units = [3]" in found.best_spec(rows)


def test_a_damaged_record_is_reported_and_left_alone(
    workspace: Workspace, spec: ExperimentSpec, worker: dict[str, Any]
) -> None:
    search(workspace, spec, 1)
    record = workspace.runs / "photos-tune-1.tune.json"
    for damage in ("", "{}", '{"spec": 3, "seed": 1, "images": 1, "trials": [{}]}'):
        record.write_text(damage)
        with pytest.raises(UserError, match=r"photos-tune-1.tune.json is damaged"):
            Search(workspace, SweepRecord("photos-tune-1", TUNE))
        assert find_search(workspace, spec, 1) is None
    assert search(workspace, spec, 1) == [1]
    assert list_names(workspace, TUNE) == ["photos-tune-1", "photos-tune-2"]
