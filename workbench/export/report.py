"""A run as one HTML page that loads nothing from anywhere.

Each section has a template `report/ANCHOR.html.j2` and a function here that returns its values.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from workbench import __version__
from workbench.datasets.image_files import ImageError
from workbench.downloads.disk import disk_errors
from workbench.experiment.facts import list_splits
from workbench.experiment.metrics import VALIDATION, describe_monitor
from workbench.experiment.sections import SPLITS
from workbench.export.curves import curve_figure, probe_figure
from workbench.export.report_stages import describe_stages
from workbench.export.run_data import RunData, RunImages, class_table, day, moment, read_run_data
from workbench.export.target import check_free
from workbench.export.templating import render
from workbench.files import ENCODING, write_atomic
from workbench.messages import current_language, tr
from workbench.paths import Workspace
from workbench.runs.events import EpochFinished
from workbench.runs.folder import RunFolder
from workbench.runs.history import (
    monitored_scores,
)
from workbench.runs.next_step import suggest_next
from workbench.runs.results import MIRRORED, caveats, describe_reference
from workbench.runs.score import format_scores
from workbench.runs.summary import RunSummary
from workbench.text import (
    format_accuracy,
    format_gib,
    format_seconds,
    percent,
    plural,
    safe_text,
)
from workbench.words import shown

_MAX_SPEC = 1 << 16  # characters of a spec that are shown
Values = dict[str, Any]
_MAX_EPOCHS, _MAX_LABELS = 500, 200  # shown one by one
_MATRIX_ONLY = 8  # labels up to which the matrix alone shows the confusions
_PAIRS = 20


def write_report(workspace: Workspace, run: RunFolder, target: Path, force: bool = False) -> Path:
    """Write the page whole or not at all; of an unfinished run, what there is so far.

    Args:
        workspace: of the run.
        run: the run.
        target: the file.
        force: True to replace an existing file.

    Returns:
        `target`.

    Raises:
        UserError: the file exists already, or the disk failed.
    """
    check_free(target, force)
    data = read_run_data(run)
    images = data.tables.get("data")
    source = str(images.get("source", "")) if isinstance(images, dict) else ""
    page = report_page(data, RunImages(workspace, source), _spec_text(run), time.time())
    with disk_errors(target, tr("No report was written."), tr("name another file with --out FILE")):
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(target, page)
    return target


def _spec_text(run: RunFolder) -> str:
    try:
        with run.spec_path.open(encoding=ENCODING, errors="replace") as file:
            return file.read(_MAX_SPEC)
    except OSError:
        return ""


def report_page(data: RunData, images: RunImages, spec_text: str, now: float) -> str:
    """Return the page.

    Args:
        data: of the run.
        images: where the worst errors' images are.
        spec_text: content of spec.toml.
        now: unix seconds.
    """
    sections: dict[str, tuple[str, Callable[[], Values]]] = {
        "results": (tr("Results"), lambda: _results(data)),
        "curves": (tr("Curves"), lambda: _curves(data)),
        "layers": (tr("Layers"), lambda: {"stages": describe_stages(data)}),
        "confusion": (tr("Confusions"), lambda: _confusion(data)),
        "errors": (tr("Worst errors"), lambda: {"errors": _errors(data, images)}),
        "data": (tr("Data"), lambda: _data(data)),
        "events": (tr("Events"), lambda: _events(data)),
        "machine": (tr("Machine and versions"), lambda: {"pairs": _machine(data)}),
        "spec": (tr("Spec"), lambda: {"text": spec_text}),
    }
    bodies = [
        (anchor, title, Markup(render(f"report/{anchor}.html.j2", **values())))
        for anchor, (title, values) in sections.items()
    ]
    summary = data.summary
    return render(
        "report/page.html.j2",
        name=data.name,
        language=current_language(),
        lead=_lead(summary),
        sections=[one for one in bodies if one[2].strip()],
        version=__version__,
        day=day(now),
    )


def _lead(summary: RunSummary) -> str:
    """Return what was trained on what, and how far it came."""
    names = safe_text(summary.recipe), safe_text(summary.data)
    recipe = tr("{recipe}, random weights", recipe=names[0]) if summary.random_weights else names[0]
    detail = f" ({safe_text(summary.state.detail, 1000)})" if summary.state.detail else ""
    return tr(
        "{recipe} on {data}: {state}{detail}.",
        recipe=recipe,
        data=names[1],
        state=shown(summary.state.phase),
        detail=detail,
    )


def _results(data: RunData) -> Values:
    results = data.results
    if results is None:
        kept = data.history.kept
        return {
            "split": "",
            "validation_accuracy": format_accuracy(kept.val_accuracy if kept else None),
        }
    low, high = results.interval
    following = suggest_next(data.tables, data.history, results)
    caption, classes = class_table(results, _MAX_LABELS)
    details = [
        (
            tr("with 95 % confidence"),
            tr("{low:.4f} to {high:.4f}", low=low, high=high),
        ),
        *format_scores(results.scores),
        (tr("loss"), format_accuracy(results.loss)),
        (tr("images"), f"{results.images:,}"),
        (tr("with this preset"), describe_reference(data.summary.preset, results.labels)),
    ]
    if results.shifted:
        pixels, shifted = results.shifted
        moved = tr("shifted by {pixels} pixels", pixels=pixels)
        details.insert(-1, (moved, f"{shifted:.4f}"))
    if results.mirrored:
        details.insert(-1, (tr("mirror images"), MIRRORED))
    return {
        "split": shown(results.split),
        "accuracy": f"{results.accuracy:.4f}",
        "details": details,
        "cautions": caveats(results),
        "caption": caption or tr("By label"),
        "classes": classes,
        "next_step": following.text if following else "",
    }


def _curves(data: RunData) -> Values:
    history = data.history
    scores = monitored_scores(history)
    figures = (
        [probe_figure(history.probe, metric) for metric in ("loss", "accuracy")]
        if history.probe
        else [curve_figure(history, metric) for metric in ("loss", "accuracy", *scores)]
    )
    listed = history.epochs[:_MAX_EPOCHS]
    hidden = len(history.epochs) - len(listed)
    return {
        "figures": [figure for figure in figures if figure],
        "headers": [
            *(tr("epoch"), tr("stage"), tr("loss"), tr("accuracy")),
            *(tr("val loss"), tr("val accuracy")),
            *(describe_monitor(f"{VALIDATION}{name}") for name in scores),
            *(tr("rate"), tr("time")),
        ],
        "epochs": [_epoch(row, scores) for row in listed],
        "hidden": f"{hidden:,}" if hidden else "",
    }


def _epoch(row: EpochFinished, scores: Sequence[str]) -> Sequence[str]:
    measured = [getattr(row, f"{VALIDATION}{name}") for name in scores]
    return (
        tr("{epoch} best", epoch=row.epoch) if row.best else str(row.epoch),
        str(row.stage + 1),
        *map(format_accuracy, (row.loss, row.accuracy, row.val_loss, row.val_accuracy, *measured)),
        "-" if row.learning_rate is None else f"{row.learning_rate:.3g}",
        "-" if row.seconds is None else format_seconds(row.seconds),
    )


def _confusion(data: RunData) -> Values:
    results = data.results
    if results is None:
        return {"matrix": (), "pairs": (), "file": ""}
    found, many = results.confusion, len(results.labels) > _MATRIX_ONLY
    return {
        "images": plural(results.images, "image"),
        "labels": results.labels,
        "matrix": [_shades(row, own) for own, row in enumerate(found.matrix)],
        "pairs": [
            (one.label, one.predicted, f"{one.count:,}")
            for one in found.pairs[: _PAIRS if many else 0]
        ],
        "file": found.file,
    }


def _shades(row: tuple[int, ...], own: int) -> list[tuple[str, float, str]]:
    """Return the cells of a matrix row: kind, opacity by the share of the row, images."""
    total = sum(row) or 1
    return [
        ("hit" if column == own else "miss", round(0.6 * count / total, 3), f"{count:,}")
        for column, count in enumerate(row)
    ]


def _errors(data: RunData, images: RunImages) -> list[Values]:
    """Return the worst errors, each with a thumbnail or the reason why there is none."""
    errors = []
    for error in data.results.worst if data.results else ():
        values: Values = {
            "path": error.path,
            "label": error.label,
            "predicted": error.predicted,
            "probability": percent(error.probability),
            "problem": "",
        }
        try:
            values["source"], values["small"] = images.thumbnail(error.path)
        except ImageError as problem:
            values["problem"] = problem.reason
        errors.append(values)
    return errors


def _data(data: RunData) -> Values:
    counts = Counter((row.label, row.split) for row in data.rows)
    labels = data.labels if data.rows else ()
    rows = [
        (label, *(f"{counts[label, split]:,}" for split in SPLITS))
        for label in labels[:_MAX_LABELS]
    ]
    return {
        "name": data.summary.data,
        "images": list_splits(data.history.images),
        "headers": (tr("label"), *map(shown, SPLITS)),
        "rows": rows,
        "hidden": f"{len(labels) - len(rows):,}" if len(labels) > len(rows) else "",
    }


def _events(data: RunData) -> Values:
    history = data.history
    worked = history.seconds_worked
    return {
        "pairs": [
            (tr("started"), moment(history.started)),
            (tr("ended"), moment(history.ended) or tr("not yet")),
            (tr("time running"), "" if worked is None else format_seconds(worked)),
            (tr("resumed"), plural(history.resumed, "time") if history.resumed else tr("never")),
        ],
        "notices": [notice.message for notice in history.notices],
        "failure": history.message,
    }


def _machine(data: RunData) -> list[tuple[str, str]]:
    history = data.history
    newest = history.stages[max(history.stages)].started if history.stages else None
    gpu, device = history.gpu, newest.device if newest else ""
    if gpu:
        size = "" if gpu.memory_total is None else f", {format_gib(gpu.memory_total)}"
        device = safe_text(gpu.name) + size or device
    return [
        (tr("machine"), history.worker.host if history.worker else ""),
        (tr("device"), device),
        (tr("number format"), newest.precision if newest else ""),
        ("XLA", "" if newest is None else tr("yes") if newest.jit else tr("no")),
        *data.versions.items(),
    ]
