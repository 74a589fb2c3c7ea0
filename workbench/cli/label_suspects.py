"""What `workbench analyze RUN --folds N` prints: accuracy over all images, and label suspects."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from workbench.bases.architectures import BASES
from workbench.cli.group import command_line
from workbench.cli.output import echo, echo_json, print_notice, progress_bar
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.text import percent, plural, safe_text, table

if TYPE_CHECKING:
    from workbench.app.label_suspects import SuspectReport
    from workbench.runs.folder import RunFolder

MOST = 20  # suspects, and pairs of labels
NEAREST = 3  # neighbours of a suspect


def show_suspects(
    workspace: Workspace, folder: "RunFolder", folds: int, repeats: int, as_json: bool
) -> None:
    """Predict all images of a run out of fold, and print what that found.

    Raises:
        UserError: as `find_suspects`.
    """
    from workbench.app.label_suspects import find_suspects

    with progress_bar() as progress:
        report = find_suspects(workspace, folder, folds, repeats, progress, print_notice)
    if as_json:
        echo_json(_values(report))
    else:
        echo("\n".join(_lines(workspace, folder, report)))


def _values(report: "SuspectReport") -> dict[str, Any]:
    return {
        "images": len(report.predictions.paths),
        "accuracy": report.accuracy,
        "interval": report.interval,
        "folds": report.folds,
        "repeats": report.repeats,
        "groups": report.groups,
        "base": report.base,
        "random_weights": report.random_weights,
        "seconds": report.seconds,
        "wrong_labels": sum(one.count for one in report.wrong),
        "pairs": [asdict(one) for one in report.wrong],
        "suspects": [
            {
                **asdict(one),
                "neighbours": [asdict(other) for other in report.neighbours.get(one.path, ())],
            }
            for one in report.suspects
        ],
    }


def _lines(workspace: Workspace, folder: "RunFolder", report: "SuspectReport") -> list[str]:
    low, high = report.interval
    images = len(report.predictions.paths)
    wrong = sum(one.count for one in report.wrong)
    title = BASES[report.base].title if report.base in BASES else safe_text(report.base)
    lines = [
        tr(
            "{run}: all {images}, each predicted by classifiers fitted without it "
            "({folds} folds, {repeats}), on features of {base}",
            run=folder.name,
            images=plural(images, "image"),
            folds=report.folds,
            repeats=plural(report.repeats, "repeat"),
            base=title,
        ),
        tr(
            "accuracy {accuracy:.4f} ({low:.4f} to {high:.4f} with 95 % confidence)",
            accuracy=report.accuracy,
            low=low,
            high=high,
        ),
    ]
    if report.random_weights:
        lines.append(tr("The base has random weights: its features say little about labels."))
    lines.append(
        tr(
            "about {wrong:,.0f} of {images:,} labels are estimated to be wrong, or of images that "
            "look like another class",
            wrong=wrong,
            images=images,
        )
    )
    if report.wrong:
        rows = [
            (one.label, one.suggested, f"{one.count:,.1f}", percent(one.share, 1))
            for one in report.wrong[:MOST]
        ]
        headers = (tr("label"), tr("probably"), tr("images"), tr("of the label"))
        lines += ["", table(headers, rows, "llrr")]
    lines += ["", tr("label suspects, the least likely label first"), _suspects(report)]
    labels = report.labels
    lines += ["", tr("their nearest images, with their labels")]
    for one in report.suspects[:MOST]:
        near = ", ".join(
            f"{safe_text(other.path, 40)} ({safe_text(labels.get(other.path, '?'), 20)})"
            for other in report.neighbours.get(one.path, ())[:NEAREST]
        )
        lines.append(f"{one.rank:>4}  {near}")
    name = safe_text(folder.name)
    command = command_line(workspace, "relabel", name, "IMAGE...", "--label", "L")
    return [*lines, "", tr("Look at each image, then: {command}", command=command)]


def _suspects(report: "SuspectReport") -> str:
    rows = [
        (
            str(one.rank),
            one.label,
            f"{one.probability:.3f}",
            one.suggested,
            f"{one.suggested_probability:.3f}",
            one.path,
        )
        for one in report.suspects[:MOST]
    ]
    headers = ("", tr("label"), tr("p(label)"), tr("probably"), "p", tr("file"))
    return table(headers, rows, "rlrlrl")
