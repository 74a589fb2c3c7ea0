"""A run as one HTML page, which asks for nothing from anywhere."""

from collections import Counter
from collections.abc import Sequence

from workbench import __version__
from workbench.datasets.names import SPLITS
from workbench.export.confusion import confusion_parts
from workbench.export.curves import curve_figure
from workbench.export.html import (
    bullets,
    facts_list,
    folded,
    paragraph,
    section,
    shown,
    shown_lines,
    table,
)
from workbench.export.layers import layer_parts
from workbench.export.pictures import RunPictures
from workbench.export.run_data import RunFacts, day, moment
from workbench.export.style import CSS
from workbench.export.thumbnails import error_gallery
from workbench.runs.confusion import worst_classes
from workbench.runs.history import History
from workbench.runs.results import cautions, figures_beside, next_rung
from workbench.runs.rows import EpochRow
from workbench.text import accuracy, human_gib, human_seconds, plural

_MOST_EPOCHS, _MOST_LABELS = 500, 200  # told one by one
# No request to anywhere, whatever a browser makes of the page.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def report_page(facts: RunFacts, pictures: RunPictures, spec_text: str, now: float) -> str:
    """The page.

    Args:
        pictures: where the worst errors' images are.
        spec_text: of spec.toml.
        now: unix seconds.
    """
    sections = {
        "worth": ("What it is worth", _worth(facts)),
        "curves": ("Curves", _curves(facts.history)),
        "layers": ("Layers", layer_parts(facts)),
        "confusion": ("Confusions", confusion_parts(facts.results)),
        "errors": ("Worst errors", _errors(facts, pictures)),
        "data": ("Data", _data(facts)),
        "happened": ("What happened", _happened(facts)),
        "machine": ("Machine and versions", _machine(facts)),
        "spec": ("Spec", [f"<pre>{shown_lines(spec_text)}</pre>"] if spec_text else []),
    }
    filled = {anchor: one for anchor, one in sections.items() if any(one[1])}
    links = "".join(f'<li><a href="#{a}">{title}</a></li>' for a, (title, _) in filled.items())
    body = "\n".join(section(a, title, *parts) for a, (title, parts) in filled.items())
    name = shown(facts.name)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{name} - workbench</title>
<style>{CSS}</style>
</head>
<body>
<header>
<h1>{name}</h1>
{_lead(facts)}
<nav aria-label="Parts of this page"><ul>{links}</ul></nav>
</header>
<main>
{body}
</main>
<footer>{paragraph(f"Made by workbench {shown(__version__)} on {day(now)}.")}</footer>
</body>
</html>
"""


def _lead(facts: RunFacts) -> str:
    summary = facts.summary
    weights = ", random weights" if summary.random_weights else ""
    told = f"{shown(summary.recipe)}{weights} on {shown(summary.data)}: {shown(summary.state.word)}"
    detail = shown(summary.state.detail, 1000)
    return paragraph(told + (f" ({detail})" if detail else "") + ".", "lead")


def _worth(facts: RunFacts) -> list[str]:
    results = facts.results
    if results is None:
        kept = facts.history.kept
        best = accuracy(kept.val_accuracy if kept else None)
        return [paragraph(f"It was not measured. Validation accuracy of the kept epoch: {best}.")]
    low, high = results.interval
    beside = figures_beside(facts.summary.preset)
    shifted = results.shifted
    figures = [
        (f"{shown(results.split)} accuracy", f"<strong>{results.accuracy:.4f}</strong>"),
        ("with 95 % confidence", f"{low:.4f} to {high:.4f}"),
        ("loss", accuracy(results.loss)),
        ("images", f"{results.images:,}"),
        (
            f"shifted by {shifted[0]} pixels" if shifted else "",
            f"{shifted[1]:.4f}" if shifted else "",
        ),
        ("with this preset", shown(beside)),
    ]
    following = next_rung(facts.tables, facts.history, results)
    classes, caption = results.classes, "By label"
    if len(classes) > _MOST_LABELS:
        caption = f"The {_MOST_LABELS} of {len(classes):,} labels with the lowest recall"
        classes = tuple(worst_classes(classes, _MOST_LABELS))
    rows = [
        (shown(one.label), f"{one.images:,}", accuracy(one.precision), accuracy(one.recall))
        for one in classes
    ]
    headers = ("label", "images", "precision", "recall")
    return [
        facts_list(figures),
        bullets(f'<span class="bad">{shown(line, 1000)}</span>' for line in cautions(results)),
        table(caption, headers, rows),
        paragraph(f"Next: {shown(following.words, 1000)}") if following else "",
    ]


def _curves(history: History) -> list[str]:
    drawn = [curve_figure(history, "loss"), curve_figure(history, "accuracy")]
    headers = ("epoch", "stage", "loss", "accuracy", "val loss", "val accuracy", "rate", "time")
    rows = [_epoch(row) for row in history.epochs[:_MOST_EPOCHS]]
    hidden = len(history.epochs) - len(rows)
    caption = "Every epoch" + (f", without the last {hidden:,}" if hidden else "")
    return [*drawn, folded("All figures", table(caption, headers, rows))]


def _epoch(row: EpochRow) -> Sequence[str]:
    return (
        f"{row.epoch}{' best' if row.best else ''}",
        str(row.stage + 1),
        *map(accuracy, (row.loss, row.accuracy, row.val_loss, row.val_accuracy)),
        "-" if row.learning_rate is None else f"{row.learning_rate:.3g}",
        "-" if row.seconds is None else human_seconds(row.seconds),
    )


def _errors(facts: RunFacts, pictures: RunPictures) -> list[str]:
    if facts.results is None or not facts.results.worst:
        return []
    about = "Wrong predictions with the largest loss: the least probable true label first."
    return [paragraph(about), error_gallery(facts.results.worst, pictures)]


def _data(facts: RunFacts) -> list[str]:
    images = ", ".join(f"{n:,} {shown(split)}" for split, n in facts.history.images.items())
    counts = Counter((row.label, row.split) for row in facts.rows)
    rows = [
        (shown(label), *(f"{counts[label, split]:,}" for split in SPLITS))
        for label in facts.labels[:_MOST_LABELS]
        if facts.rows
    ]
    told = f"{shown(facts.summary.data)}: {images} images." if images else ""
    hidden = len(facts.labels) - len(rows) if rows else 0
    caption = "Images by label" + (f", without the last {hidden:,} labels" if hidden else "")
    return [paragraph(told) if told else "", table(caption, ("label", *SPLITS), rows)]


def _happened(facts: RunFacts) -> list[str]:
    history = facts.history
    worked = history.seconds_worked
    figures = [
        ("began", moment(history.started)),
        ("ended", moment(history.ended) or "not yet"),
        ("time at work", "" if worked is None else human_seconds(worked)),
        ("resumed", plural(history.resumed, "time") if history.resumed else "never"),
    ]
    told = [shown(notice.message, 2000) for notice in history.notices]
    if history.message:
        told.append(f'<span class="bad">{shown(history.message, 2000)}</span>')
    return [facts_list(figures), bullets(told)]


def _machine(facts: RunFacts) -> list[str]:
    history = facts.history
    newest = history.stages[max(history.stages)].event if history.stages else {}
    gpu = history.gpu.get("gpu")
    memory = gpu.get("memory_total") if isinstance(gpu, dict) else None
    card = ""
    if isinstance(gpu, dict):
        size = f", {human_gib(memory)}" if isinstance(memory, int) else ""
        card = shown(gpu.get("name", "")) + size
    jit = newest.get("jit")
    figures = [
        ("machine", shown(history.worker.get("host", ""))),
        ("device", card or shown(newest.get("device", ""))),
        ("precision", shown(newest.get("precision", ""))),
        ("XLA", "" if jit is None else "on" if jit is True else "off"),
        *((shown(name), shown(version)) for name, version in facts.versions.items()),
    ]
    return [facts_list(figures)]
