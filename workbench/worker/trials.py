"""The jobs that train without keeping a run: `lessons`, `lr-find` and `tune`.

`lessons` trains the variants of a lesson on a part of the images. The others look for settings;
their requests: spec, workspace, scratch (see `training_setup`), and stage and steps (`lr-find`), or
trials and seed (`tune`), with the trials that were kept of the same search and the fingerprint of
their images. Events: progress, notices, and from `tune` a `trial` for each that is finished: images
(validated on), their fingerprint, whether it was kept, and the fields of a `Trial`.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from workbench.datasets.manifest import ImageRecord, make_manifest_rows
from workbench.datasets.names import natural_sorted
from workbench.datasets.pack import build_pack
from workbench.datasets.scan import scan
from workbench.datasets.scan_pack import ScanPack
from workbench.datasets.sources.opening import open_source
from workbench.datasets.sources.source import Item, Source
from workbench.datasets.split import assign
from workbench.errors import UserError
from workbench.experiment.lr_find import lr_find_stage
from workbench.experiment.search_space import draw_candidates, parse_trial
from workbench.experiment.sections import DataSpec
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import parse_spec
from workbench.lessons.catalogue import find_lesson
from workbench.lessons.variants import Variant
from workbench.messages import tr
from workbench.progress import Progress
from workbench.runs.events import Event, Notice, StepProgress
from workbench.training.data import TrainingData
from workbench.worker.jobs import JobEvents, Request
from workbench.worker.startup import claim_device, start_keras
from workbench.worker.training_setup import base_weights, make_training_setup, training_data

# Images of a lesson, over all classes; None: of a source without a split.
MAX_IMAGES = {None: 2400, "train": 1500, "validation": 480, "test": 720}


def learn(request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Train and evaluate the variants of a lesson.

    Request: experiment, seeds, variants (name, spec, per_class), scratch (a folder that the caller
    removes). Result: images (of each split), runs (see `lessons.results`).

    Raises:
        UserError: Images or weights are not available, or training diverged.
    """
    experiment = find_lesson(request["experiment"])
    variants = [
        Variant(v["name"], parse_spec(v["spec"], v["name"]), v["per_class"])
        for v in request["variants"]
    ]
    spec, scratch = variants[0].spec, Path(request["scratch"])
    weights = _weights(spec, progress)
    data = part_of_source(spec.data, scratch, progress)
    claim_device()
    progress(tr("start Keras"), 0, 0)
    device = start_keras()
    from workbench.evaluation.lessons import (
        LessonSetup,
        recompile_runs,
        run_variants,
        training_subset,
    )

    if experiment.name == "recompile":
        runs = recompile_runs(spec, data, request["seeds"])
    else:
        setup = LessonSetup(data, device, scratch, weights, progress)
        runs = run_variants(experiment, variants, request["seeds"], setup)
    most = training_subset(data, max(v.per_class for v in variants), seed=0)
    return {"images": {part: len(rows) for part, rows in most.rows.items()}, "runs": runs}


def part_of_source(data: DataSpec, scratch: Path, progress: Progress) -> TrainingData:
    """Decode some images, spread over a source, into a pack in the scratch folder.

    Raises:
        UserError: As `prepare`; or there are no images to validate on.
    """
    complete = open_source(data.source, progress)
    source = replace(complete, items=_spread(complete))
    records = scan(source, scratch, progress, ScanPack(scratch, data))
    rows = make_manifest_rows(records, assign(records, data.split).splits)
    labels = natural_sorted({row.label for row in rows})
    if all(row.split != "validation" for row in rows):
        raise UserError(
            tr("There are too few images to set some aside for validation."),
            tr("Give more images with --data, or leave it out for the digits."),
        )
    pack = build_pack(source.root, rows, data, scratch, progress, records)
    return training_data(rows, labels, pack)


def _spread(source: Source) -> tuple[Item, ...]:
    """Return some items of each class and split, evenly spread."""
    groups: dict[tuple[str | None, str], list[Item]] = defaultdict(list)
    for item in source.items:
        groups[item.split, item.label].append(item)
    chosen: list[Item] = []
    for (split, _), items in groups.items():
        most = max(MAX_IMAGES[split] // len(source.labels), 20)
        step = max(len(items) / most, 1)
        chosen += [items[int(i * step)] for i in range(min(len(items), most))]
    return tuple(sorted(chosen, key=lambda item: item.path))


def _weights(spec: ExperimentSpec, progress: Progress) -> Path | None:
    try:
        return base_weights(spec, progress, notice=lambda message: None)
    except UserError as error:
        hint = tr("Random weights would not show what this lesson is about (--weights random).")
        raise UserError(error.message, f"{error.hint}\n{hint}".strip()) from None


def tune(request: Request, events: JobEvents) -> dict[str, Any]:
    """Train the candidates one after the other; the result is empty, the trials are events.

    Raises:
        UserError: As `make_training_setup`; or there are no images to validate on.
    """
    setup, scratch = make_training_setup(request, events)
    images = len(setup.data.rows["validation"])
    if not images:
        raise UserError(tr("A search compares validation metrics, and there are no such images."))
    from workbench.training.tune import run_trials

    tried = draw_candidates(setup.spec, request["trials"], request["seed"])
    fingerprint = fingerprint_of(setup.prepared.rows)
    kept = {}
    if request.get("fingerprint") == fingerprint:
        kept = {trial.number: trial for trial in map(parse_trial, request["kept"])}
    left = {}
    for number, candidate in enumerate(tried, start=1):
        if number in kept and kept[number].candidate == candidate:
            same = {"images": images, "fingerprint": fingerprint, "kept": True}
            events.send("trial", **same, **asdict(kept[number]))
        else:
            left[number] = candidate
    for trial in run_trials(setup.spec, left, setup.make_trainer, scratch):
        events.send("trial", images=images, fingerprint=fingerprint, **asdict(trial))
        events("trials", trial.number, len(tried))
    return {}


def fingerprint_of(rows: Iterable[ImageRecord]) -> str:
    """Return what changes with the pixels, the label or the split of any image."""
    lines = sorted(f"{row.pixel_hash} {row.split} {row.label}\n" for row in rows)
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def find_learning_rate(request: Request, events: JobEvents) -> dict[str, Any]:
    """Train with rising rates.

    Result: losses, one a step until the loss diverges.

    Raises:
        UserError: As `make_training_setup`.
    """

    def emit(event: Event) -> None:
        match event:
            case StepProgress():
                events("train", event.step, event.steps)
            case Notice():
                events.notice(event.message)

    setup, scratch = make_training_setup(request, events)
    from workbench.training.tune import RangeTest

    stage = lr_find_stage(setup.spec, request["stage"], request["steps"])
    trainer = setup.make_trainer(setup.spec, scratch / "checkpoints", emit)
    return {"losses": RangeTest(trainer, stage).measure()}
