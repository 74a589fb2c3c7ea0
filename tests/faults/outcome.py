"""The outcome of a finished run without times, which has to be the same bit by bit."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from workbench.runs.event_log import read_events
from workbench.runs.events import Event
from workbench.runs.folder import RunFolder
from workbench.runs.history import History, fold

Outcome = dict[str, Any]
Reference = Callable[[str], Outcome]  # from a spec to the outcome of its undisturbed run
TIMES = {"t", "n", "v", "seconds"}


def outcome(run: RunFolder) -> Outcome:
    """Collect weights, checkpoint, history, results, predictions; arrays as bytes with type."""
    model, last = _model(run.model_path), _arrays(run.checkpoints / "last.npz")
    return {
        **{f"model {name}": part for name, part in model.items()},
        **{f"last {name}": array for name, array in last.items()},
        **_history(fold(read_events(run.events_path))),
        "results": json.loads(run.results_path.read_text()),
        "predictions": run.predictions_path.read_bytes(),
    }


def differences(one: Outcome, other: Outcome) -> list[str]:
    """Describe what differs between two outcomes."""
    return [
        f"{key}: {str(one.get(key))[:200]} is not {str(other.get(key))[:200]}"
        for key in sorted({*one, *other})
        if one.get(key) != other.get(key)
    ]


def _model(path: Path) -> Outcome:
    """Collect every array of the weights, and the contract without its date."""
    found: Outcome = {}
    with zipfile.ZipFile(path) as archive:
        weights = io.BytesIO(archive.read("model.weights.h5"))
        contract = json.loads(archive.read("workbench.json"))
    del contract["made"]
    contract["spec"]["data"].pop("source")

    def keep(name: str, thing: Any) -> None:
        if isinstance(thing, h5py.Dataset):
            found[name] = _bytes(thing[()])

    with h5py.File(weights) as file:
        file.visititems(keep)
    return {**found, "contract": contract}


def _arrays(path: Path) -> Outcome:
    with np.load(path, allow_pickle=False) as stored:
        return {name: _bytes(stored[name]) for name in stored.files}


def _bytes(array: Any) -> tuple[str, tuple[int, ...], bytes]:
    array = np.asarray(array)
    return str(array.dtype), array.shape, array.tobytes()


def _history(history: History) -> Outcome:
    found: Outcome = {"epochs": len(history.epochs), "phase": history.phase}
    for row in history.epochs:
        found[f"epoch {row.stage + 1}.{row.epoch}"] = _without_times(row)
    for index, stage in history.stages.items():
        found[f"stage {index + 1} ends"] = _without_times(stage.end)
    for index, layers in history.layers.items():
        found[f"layers {index + 1}"] = _without_times(layers)
    found["evaluation"] = _without_times(history.evaluation)
    return found


def _without_times(event: Event | None) -> dict[str, Any]:
    fields = event.as_dict() if event else {}
    return {key: value for key, value in fields.items() if key not in TIMES}
