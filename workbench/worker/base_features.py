"""Features of images by a run's pretrained base, without keras where they are kept already.

What a file of features is named after is known only once keras runs (see `training.features`).
`features-<key>.json` beside it names the file by what is known before: reading features then takes
no longer than opening a file.
"""

import importlib.metadata
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from workbench.bases.weights import fingerprint
from workbench.datasets.pack import open_pack
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.stack import AVERAGE, FEATURES
from workbench.files import write_atomic
from workbench.machine.backends import chosen_backend
from workbench.messages import tr
from workbench.worker.jobs import JobEvents
from workbench.worker.startup import claim_device, start_keras

_FORMAT = 1
_PACKAGES = ("keras", "tensorflow", "jax", "torch", "numpy")


@dataclass(frozen=True)
class Packed:
    """Images that are packed: the data folder, and its pack."""

    folder: Path
    pack: Path


def features_of(
    spec: ExperimentSpec,
    sets: Sequence[Packed],
    classes: int,
    weights: Path | None,
    events: JobEvents,
) -> list[np.ndarray]:
    """Return the features of all images of each set, float (n, d), memory-mapped.

    Missing ones are computed, and all are kept in the data folders. The caller must not have
    imported keras.

    Args:
        spec: a linear probe on the base.
        sets: packed as the spec says.
        classes: of the network.
        weights: file of the base's weights; None for random ones.
        events: receive progress and notices.
    """
    device = claim_device(spec.training.gpu).device_name
    notes = [_note_path(spec, one, weights, device) for one in sets]
    known = [_read(note, open_pack(one.pack)) for note, one in zip(notes, sets, strict=True)]
    found = [features for features in known if features is not None]
    if len(found) == len(sets):
        return found
    computed = _compute(spec, sets, classes, weights, events)
    for note, features in zip(notes, computed, strict=True):
        write_atomic(note, json.dumps({"file": Path(str(features.filename)).name}))
    return list(computed)


def _compute(
    spec: ExperimentSpec,
    sets: Sequence[Packed],
    classes: int,
    weights: Path | None,
    events: JobEvents,
) -> list[np.memmap[Any, Any]]:
    events(tr("start Keras"), 0, 0)
    device = start_keras(spec.training.deterministic)
    from workbench.training.features import make_feature_store
    from workbench.training.models import build_network
    from workbench.training.prefix import Prefix
    from workbench.training.stage_solver import store_of_maps

    model = build_network(spec, classes, device, weights)
    assert spec.base is not None
    cut = FEATURES if len(spec.base_table.widest(spec.probe.blocks)) > 1 else AVERAGE
    prefix = Prefix(model, cut, device.kind == "cpu")
    found: list[np.memmap[Any, Any]] = []
    for one in sets:
        store = make_feature_store(
            spec, one.folder, weights, events, events.notice, pack=one.pack.name
        )
        assert store is not None
        store = store_of_maps(store, spec, cut)
        images = open_pack(one.pack)
        everything = np.arange(len(images))
        if missing := store.count_missing(prefix, everything):
            store.announce(prefix, missing, views=False)
        features = store.features(prefix, images, everything)
        assert isinstance(features, np.memmap)
        found.append(features)
    return found


def _note_path(spec: ExperimentSpec, one: Packed, weights: Path | None, device: str) -> Path:
    """Return the note on the features of a set: its name covers all that they depend on."""
    assert spec.base is not None
    versions = {}
    for package in _PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    parts = {
        "format": _FORMAT,
        "pack": one.pack.name,
        "base": spec.base.name,
        "weights": fingerprint(weights) if weights else f"random {spec.training.seed}",
        "preprocessing": spec.base.preprocessing,
        "dtype": spec.base.prefix_dtype,
        "maps": [layer.name for layer in spec.base_table.widest(spec.probe.blocks)],
        "precision": spec.training.precision,
        "device": device,
        "backend": chosen_backend(os.environ),
        "versions": versions,
    }
    digest = blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=8)
    return one.folder / f"features-{digest.hexdigest()}.json"


def _read(note: Path, images: np.ndarray) -> np.ndarray | None:
    """Return the features that a note names; None without both, or if they are damaged."""
    with suppress(OSError, ValueError, KeyError, TypeError, EOFError, RecursionError):
        name = Path(json.loads(note.read_text(encoding="ascii"))["file"]).name
        features: np.ndarray = np.load(note.parent / name, mmap_mode="r")
        return features if len(features) == len(images) else None
    return None
