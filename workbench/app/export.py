"""Export from a run: its model, a report, a script, TensorBoard files."""

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workbench.app.jobs import JobEvent, report_progress, run_job
from workbench.app.run_files import require_model
from workbench.downloads.disk import disk_errors
from workbench.errors import UserError
from workbench.experiment.spec import ExperimentSpec
from workbench.export.formats import FORMATS, MAX_DIFFERENCE, ExportFormat, check_formats
from workbench.export.model_card import CARD, LABELS, PREPROCESSING, VerifiedExport, model_card
from workbench.export.report import write_report
from workbench.export.run_data import RunData, RunImages, checked_spec, read_run_data
from workbench.export.script import write_script
from workbench.export.target import check_target, staged_folder
from workbench.files import write_atomic
from workbench.messages import tr
from workbench.paths import Workspace, parse_path
from workbench.progress import Progress, silent
from workbench.runs.folder import RunFolder, safe_stem
from workbench.text import plural, safe_text
from workbench.trackers.mirroring import mirror_runs
from workbench.trackers.tracker import Destination

OWN_FILES = (CARD, LABELS, PREPROCESSING, *(one.file for one in FORMATS.values()))
_NOISE_IMAGES = 16  # to compare predictions on if the images of the run are gone

RunJob = Callable[[str, dict[str, Any], Callable[[JobEvent], None]], dict[str, Any]]
Make = Callable[[Workspace, RunFolder, Path, Progress], str]


@dataclass(frozen=True)
class ExportedModel:
    """What was written, and how each format compared with the original.

    Attributes:
        mirrored: whether it averages the probabilities of an image and its mirror image.
    """

    folder: Path
    tried: tuple[VerifiedExport, ...]
    mirrored: bool = False


def export_run(
    workspace: Workspace,
    run: RunFolder,
    formats: Sequence[str],
    target: Path,
    force: bool = False,
    progress: Progress = silent,
    do: RunJob = run_job,
    mirror: bool | None = None,
) -> ExportedModel:
    """Export a run's model, and all that is needed to use it, to a new folder.

    Each file is loaded in a fresh process, and its predictions on up to 64 of the run's test
    images are compared with the original's. After an error nothing is left of the folder.

    Args:
        workspace: of the run.
        run: a finished run.
        formats: names of `formats.FORMATS`.
        target: the folder to make.
        force: True to replace an earlier export there; nothing else is ever replaced.
        progress: called while the worker runs.
        do: runs a job in a worker.
        mirror: whether the exported model averages the probabilities of an image and its mirror
            image; None: as in the spec.

    Raises:
        UserError: there is no model yet, a package is missing, the target exists, the disk cannot
            be written, or a file gives other predictions than the original.
    """
    check_formats(formats)
    require_model(run)
    facts = read_run_data(run)
    spec = checked_spec(facts)
    if mirror is not None:
        spec = spec.with_mirror(mirror)
    target = target.absolute()
    check_target(target, force, OWN_FILES)
    with disk_errors(
        target, tr("Nothing was left there."), tr("name another folder with --out DIR")
    ):
        target.parent.mkdir(parents=True, exist_ok=True)
        with staged_folder(target) as folder:
            tried = _fill(workspace, facts, spec, formats, folder, progress, do)
    return ExportedModel(target, tried, spec.evaluation.mirror)


def _fill(
    workspace: Workspace,
    facts: RunData,
    spec: ExperimentSpec,
    formats: Sequence[str],
    folder: Path,
    progress: Progress,
    do: RunJob,
) -> tuple[VerifiedExport, ...]:
    images = RunImages(workspace, spec.data.source).sample(facts.rows, spec.data)
    own = images is not None
    if images is None:
        shape = (_NOISE_IMAGES, *spec.data.input_shape)
        images = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    on_event = report_progress(progress)
    with tempfile.TemporaryDirectory(prefix="workbench-") as scratch:
        shared = {"images": f"{scratch}/images.npy", "answers": f"{scratch}/answers.npy"}
        np.save(shared["images"], images)
        model = str(facts.folder.model_path.absolute())
        request = {"model": model, "folder": str(folder), "mirror": spec.evaluation.mirror}
        request |= {"formats": list(formats), **shared}
        labels = tuple(do("export", request, on_event)["labels"])
        tried = []
        for name in formats:
            title = FORMATS[name].title
            progress(tr("load the {title} file again and compare", title=title), 0, 0)
            path = str(folder / FORMATS[name].file)
            request = {"model": model, "format": name, "path": path, **shared}
            difference = do("check-export", request, on_event)["difference"]
            tried.append(
                VerifiedExport(FORMATS[name], _accepted(name, difference), len(images), own)
            )
    write_atomic(folder / CARD, model_card(facts, spec, labels, tried))
    return tuple(tried)


def _accepted(name: str, difference: float | None) -> float:
    """Return the difference if it is small enough; else raise UserError."""
    if difference is not None and difference <= MAX_DIFFERENCE:
        return difference
    shown = tr("no number") if difference is None else f"{difference:.2g}"
    raise UserError(
        tr(
            "{title}: loaded again, the model gives other predictions. The "
            "largest difference of a probability is {shown}, allowed is "
            "{max_difference:g}. Nothing was exported.",
            title=FORMATS[name].title,
            shown=shown,
            max_difference=MAX_DIFFERENCE,
        ),
        tr("Try another format with --format; keras is the model's own."),
    )


@dataclass(frozen=True)
class ExportItem:
    """Something that can be exported from a run.

    Attributes:
        title: a few words.
        description: a sentence.
        make: writes it below a folder, under a free name; returns what was written, safe to
            print. Raises UserError.
        words: of the command that does the same, with RUN for the run; "" for none.
        format: of a model.
    """

    title: str
    description: str
    make: Make
    words: str = ""
    format: ExportFormat | None = None

    def command(self, run: str) -> str:
        """Return the command that does the same for a run."""
        return f"workbench {self.words.replace('RUN', run)}" if self.words else ""


def folder_to_write(typed: str) -> Path:
    """Return the folder that was typed, made if it does not exist.

    Raises:
        UserError: it cannot be made, or cannot be written.
    """
    folder = parse_path(typed.strip(), new=True).absolute()
    with disk_errors(folder, tr("Nothing was made."), tr("name another folder")):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder


def free_path(path: Path) -> Path:
    """Return the path, or the first of path-2, path-3, ... that does not exist."""
    number, found = 1, path
    while os.path.lexists(found):
        number += 1
        found = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return found


def export_name(run: RunFolder, formats: Sequence[str]) -> str:
    """Return the name of an export's folder where none is given: "photos-1-keras"."""
    return "-".join([safe_stem(run.name), *formats])


def describe_difference(difference: float) -> str:
    """Return how far the probabilities of exported files are from the original's."""
    if not difference:
        return tr("They give the same probabilities as the original.")
    return tr(
        "No probability differs by more than {difference:.2g} from the original's.",
        difference=difference,
    )


def _report(workspace: Workspace, run: RunFolder, into: Path, progress: Progress) -> str:
    page = free_path(into / f"{safe_stem(run.name)}.html")
    return safe_text(write_report(workspace, run, page), 1000)


def _model(name: str) -> Make:
    def make(workspace: Workspace, run: RunFolder, into: Path, progress: Progress) -> str:
        target = free_path(into / export_name(run, (name,)))
        made = export_run(workspace, run, (name,), target, progress=progress)
        [tried] = made.tried
        return tr(
            "{folder}\nLoaded again in a fresh process and tried on {images}. {compared} "
            "README.md in it shows how to load it.",
            folder=safe_text(made.folder, 1000),
            images=plural(tried.images, "image"),
            compared=describe_difference(tried.difference),
        )

    return make


def _script(workspace: Workspace, run: RunFolder, into: Path, progress: Progress) -> str:
    script, images = write_script(
        read_run_data(run), free_path(into / f"train_{safe_stem(run.name)}.py")
    )
    return tr(
        "{script}\nand beside it {images}, the list of images.",
        script=safe_text(script, 1000),
        images=safe_text(images.name),
    )


def _scalars(workspace: Workspace, run: RunFolder, into: Path, progress: Progress) -> str:
    folder = free_path(into / f"{safe_stem(run.name)}-tensorboard")
    (result,) = mirror_runs(lambda: [run], Destination("tensorboard", str(folder), ""), False)
    if result.error:
        raise UserError(result.error)
    if not result.epochs:
        raise UserError(tr("{run_name} has no finished epoch.", run_name=safe_text(run.name)))
    return tr("{place}\nSee: tensorboard --logdir with it.", place=safe_text(result.place, 1000))


EXPORT_ITEMS = (
    *(
        ExportItem(
            one.title,
            tr(
                "The model as {title}, labels and preprocessing inside, with a "
                "model card; loaded again and tried on test images before it is "
                "called done.",
                title=one.title,
            ),
            _model(one.name),
            f"export RUN --format {one.name}",
            one,
        )
        for one in FORMATS.values()
    ),
    ExportItem(
        tr("Report"),
        tr(
            "One HTML page: curves, layers, confusions and the worst errors as "
            "pictures. It loads nothing from elsewhere: send it, print it."
        ),
        _report,
        "report RUN",
    ),
    ExportItem(
        tr("Keras script"),
        tr("The same training as plain code: only Keras, numpy and Pillow."),
        _script,
        "export RUN --script",
    ),
    ExportItem(
        "TensorBoard",
        tr("Loss, accuracy and learning rate of every epoch."),
        _scalars,
        "mirror RUN --to tensorboard",
    ),
)
