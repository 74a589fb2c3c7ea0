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
from workbench.experiment.facts import SPLITS
from workbench.experiment.metrics import METRICS, VALIDATION
from workbench.export.curves import curve_figure
from workbench.export.run_data import RunData, RunImages, class_table, day, moment, read_run_data
from workbench.export.target import check_free
from workbench.export.templating import render
from workbench.files import ENCODING, write_atomic
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.runs.events import EpochFinished
from workbench.runs.folder import RunFolder
from workbench.runs.freeze_check import (
    ERROR,
    Layer,
    Verdict,
    group_by_block,
    layers_of_stage,
    verdict,
)
from workbench.runs.history import (
    StageRow,
    describe_cross_validation,
    describe_kept,
    monitored_scores,
)
from workbench.runs.results import MIRRORED, caveats, describe_reference, suggest_next
from workbench.runs.score import format_scores
from workbench.text import (
    format_accuracy,
    format_gib,
    format_moved,
    format_seconds,
    format_shape,
    percent,
    plural,
    safe_text,
)

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
        "results": ("Results", lambda: _results(data)),
        "curves": ("Curves", lambda: _curves(data)),
        "layers": ("Layers", lambda: {"stages": _stages(data)}),
        "confusion": ("Confusions", lambda: _confusion(data)),
        "errors": ("Worst errors", lambda: {"errors": _errors(data, images)}),
        "data": ("Data", lambda: _data(data)),
        "events": ("Events", lambda: _events(data)),
        "machine": ("Machine and versions", lambda: {"pairs": _machine(data)}),
        "spec": ("Spec", lambda: {"text": spec_text}),
    }
    bodies = [
        (anchor, title, Markup(render(f"report/{anchor}.html.j2", **values())))
        for anchor, (title, values) in sections.items()
    ]
    summary = data.summary
    return render(
        "report/page.html.j2",
        name=data.name,
        recipe=summary.recipe,
        random_weights=summary.random_weights,
        data=summary.data,
        state=summary.state.phase,
        detail=summary.state.detail,
        sections=[one for one in bodies if one[2].strip()],
        version=__version__,
        day=day(now),
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
        ("with 95 % confidence", f"{low:.4f} to {high:.4f}"),
        *format_scores(results.scores),
        ("loss", format_accuracy(results.loss)),
        ("images", f"{results.images:,}"),
        (
            "with this preset",
            describe_reference(data.summary.preset, results.labels),
        ),
    ]
    if results.shifted:
        pixels, shifted = results.shifted
        details.insert(-1, (f"shifted by {pixels} pixels", f"{shifted:.4f}"))
    if results.mirrored:
        details.insert(-1, ("mirror images", MIRRORED))
    return {
        "split": results.split,
        "accuracy": f"{results.accuracy:.4f}",
        "details": details,
        "cautions": caveats(results),
        "caption": caption or "By label",
        "classes": classes,
        "next_step": following.text if following else "",
    }


def _curves(data: RunData) -> Values:
    history = data.history
    scores = monitored_scores(history)
    figures = [curve_figure(history, metric) for metric in ("loss", "accuracy", *scores)]
    shown = history.epochs[:_MAX_EPOCHS]
    hidden = len(history.epochs) - len(shown)
    return {
        "figures": [figure for figure in figures if figure],
        "headers": [
            *("epoch", "stage", "loss", "accuracy", "val loss", "val accuracy"),
            *(f"val {METRICS[name]}" for name in scores),
            *("rate", "time"),
        ],
        "epochs": [_epoch(row, scores) for row in shown],
        "hidden": f"{hidden:,}" if hidden else "",
    }


def _epoch(row: EpochFinished, scores: Sequence[str]) -> Sequence[str]:
    measured = [getattr(row, f"{VALIDATION}{name}") for name in scores]
    return (
        f"{row.epoch}{' best' if row.best else ''}",
        str(row.stage + 1),
        *map(format_accuracy, (row.loss, row.accuracy, row.val_loss, row.val_accuracy, *measured)),
        "-" if row.learning_rate is None else f"{row.learning_rate:.3g}",
        "-" if row.seconds is None else format_seconds(row.seconds),
    )


def _stages(data: RunData) -> list[Values]:
    """Return each stage's blocks and, where these hold several layers, its layers."""
    stages = []
    for index, stage in sorted(data.history.stages.items()):
        layers = layers_of_stage(stage.started, data.history.layers.get(index))
        groups = group_by_block(layers)
        every = [_layer(layer, verdict(layer)) for layer in layers]
        stages.append(
            {
                "number": index + 1,
                "name": stage.name,
                "about": _stage(data, stage),
                "blocks": [_layer(group.combined, group.verdict) for group in groups],
                "layers": every if len(layers) > len(groups) else [],
            }
        )
    return stages


def _stage(data: RunData, stage: StageRow) -> str:
    if stage.started.is_solved:
        return describe_cross_validation(data.history.cross_validated.get(stage.index))
    done = sum(row.stage == stage.index for row in data.history.epochs)
    rate = stage.started.learning_rate
    parts = [
        f"{plural(done, 'epoch')} of {stage.epochs} at most",
        f"{safe_text(stage.started.optimizer)} {'' if rate is None else f'{rate:g}'}",
    ]
    if stage.end:
        parts.append(safe_text(stage.end.reason))
        parts += [] if stage.end.kept_epoch is None else [describe_kept(stage.end)]
    return ", ".join(part.strip() for part in parts if part.strip())


def _layer(layer: Layer, found: Verdict | None) -> tuple[str, ...]:
    note: str = safe_text(found.message) if found else ""
    if found and found.kind == ERROR:
        note = Markup('<span class="bad">{}</span>').format(note)
    return (
        layer.name,
        format_shape(layer.output_shape) or "-",
        f"{layer.parameters:,}" if layer.parameters else "-",
        layer.requested or "-",
        layer.compiled or "-",
        _moved(layer.moved),
        note,
    )


def _moved(share: float | None) -> str:
    """Return a percentage; a change, however small, is never shown as 0."""
    if share is None:
        return "-"
    if not share:
        return "0"
    return format_moved(share, 2) if share >= 0.0001 else f"{100 * share:.1e} %"


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
        "images": ", ".join(f"{n:,} {safe_text(s)}" for s, n in data.history.images.items()),
        "headers": ("label", *SPLITS),
        "rows": rows,
        "hidden": f"{len(labels) - len(rows):,}" if len(labels) > len(rows) else "",
    }


def _events(data: RunData) -> Values:
    history = data.history
    worked = history.seconds_worked
    return {
        "pairs": [
            ("started", moment(history.started)),
            ("ended", moment(history.ended) or "not yet"),
            ("time running", "" if worked is None else format_seconds(worked)),
            ("resumed", plural(history.resumed, "time") if history.resumed else "never"),
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
        ("machine", history.worker.host if history.worker else ""),
        ("device", device),
        ("precision", newest.precision if newest else ""),
        ("XLA", "" if newest is None else "on" if newest.jit else "off"),
        *data.versions.items(),
    ]
