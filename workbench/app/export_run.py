"""Takes a run's model home: a folder that appears whole, once each file in it was tried."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workbench.downloads.folders import disk_faults
from workbench.errors import UserError
from workbench.experiment.spec import ExperimentSpec
from workbench.export.formats import BOUND, FORMATS, check_formats
from workbench.export.model_card import Tried, model_card
from workbench.export.pictures import RunPictures
from workbench.export.preparation import CARD, LABELS, PREPROCESSING
from workbench.export.run_data import RunFacts, checked_spec, run_facts
from workbench.export.target import check_target, whole_folder
from workbench.files import write_atomic
from workbench.paths import Workspace
from workbench.progress import Progress, silent
from workbench.runs.folder import RunFolder
from workbench.runs.jobs import run_job
from workbench.text import safe_text

OURS = (CARD, LABELS, PREPROCESSING, *(one.file for one in FORMATS.values()))
_NOISE = 16  # made-up images, where none of the run's can be had

Event = dict[str, Any]
RunJob = Callable[[str, dict[str, Any], Callable[[Event], None]], dict[str, Any]]


@dataclass(frozen=True)
class Exported:
    """What was made, and how each format fared."""

    folder: Path
    tried: tuple[Tried, ...]


def export_run(
    workspace: Workspace,
    run: RunFolder,
    formats: Sequence[str],
    target: Path,
    force: bool = False,
    progress: Progress = silent,
    do: RunJob = run_job,
) -> Exported:
    """Writes a run's model, and all that is needed to use it, to a new folder.

    Each file is loaded in a fresh process, and its predictions on up to 64 of the run's test
    images are compared with the original's. When anything goes wrong, nothing is left.

    Args:
        formats: names of `formats.FORMATS`.
        target: the folder to make.
        force: True to replace an earlier export there; nothing else is ever replaced.
        do: has a worker do a job; tests have one of their own.

    Raises:
        UserError: there is no model yet, a package is missing, the target is taken, the disk, or
            a file gives other predictions than the original.
    """
    check_formats(formats)
    if not run.model_path.exists():
        raise UserError(
            f"{safe_text(run.name)} has no model yet: it is not finished.", "See: workbench runs"
        )
    facts = run_facts(run)
    spec = checked_spec(facts)
    target = target.absolute()
    check_target(target, force, OURS)
    with disk_faults(target, "Nothing was left there.", "name another folder with --out DIR"):
        target.parent.mkdir(parents=True, exist_ok=True)
        with whole_folder(target) as folder:
            tried = _fill(workspace, facts, spec, formats, folder, progress, do)
    return Exported(target, tried)


def _fill(
    workspace: Workspace,
    facts: RunFacts,
    spec: ExperimentSpec,
    formats: Sequence[str],
    folder: Path,
    progress: Progress,
    do: RunJob,
) -> tuple[Tried, ...]:
    images = RunPictures(workspace, spec.data.source).sample(facts.rows, spec.data)
    own = images is not None
    if images is None:
        shape = (_NOISE, *spec.data.input_shape)
        images = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)

    def on_event(event: Event) -> None:
        if event.get("event") == "progress":
            progress(str(event["phase"]), event["done"], event["total"])

    with tempfile.TemporaryDirectory(prefix="workbench-") as scratch:
        shared = {"images": f"{scratch}/images.npy", "answers": f"{scratch}/answers.npy"}
        np.save(shared["images"], images)
        model = str(facts.folder.model_path.absolute())
        request = {"model": model, "folder": str(folder), "formats": list(formats), **shared}
        labels = tuple(do("export", request, on_event)["labels"])
        tried = []
        for name in formats:
            progress(f"try {name}", 0, 0)
            request = {"format": name, "path": str(folder / FORMATS[name].file), **shared}
            difference = do("check-export", request, on_event)["difference"]
            tried.append(Tried(FORMATS[name], _accepted(name, difference), len(images), own))
    write_atomic(folder / CARD, model_card(facts, spec, labels, tried))
    return tuple(tried)


def _accepted(name: str, difference: float | None) -> float:
    """The difference, where it is small enough; raises UserError where it is not."""
    if difference is not None and difference <= BOUND:
        return difference
    shown = "no number" if difference is None else f"{difference:.2g}"
    raise UserError(
        f"{FORMATS[name].title}: loaded again, the model gives other predictions. The largest "
        f"difference of a probability is {shown}, allowed is {BOUND:g}. Nothing was exported.",
        "Try another format with --format; keras is the model's own.",
    )
