"""`workbench compare`: runs side by side."""

import itertools
import json
import textwrap
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.complete import complete_runs
from workbench.cli.group import in_workspace
from workbench.cli.runs import json_option
from workbench.cli.show import accuracy, say, table
from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.text import human_seconds, plural, safe_text

if TYPE_CHECKING:
    from workbench.runs.compare import Comparison, Difference, Images, Result, StageFigures
    from workbench.runs.folder import RunFolder

VALUE_WIDTH = 30  # characters; longer values are cut in the middle


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN...", shell_complete=complete_runs)
@json_option
@in_workspace
def compare(workspace: Workspace, runs: tuple[str, ...], as_json: bool) -> None:
    """Hold runs side by side: what differs in their specs, what was frozen, stages, results."""
    from workbench.runs.compare import compare, load_facts
    from workbench.runs.folder import find_run

    folders = list(dict.fromkeys(find_run(workspace, run) for run in runs))
    if len(folders) < 2:
        raise UserError("Name at least two different runs.", "See: workbench runs")
    comparison = compare([load_facts(folder, test_images(folder)) for folder in folders])
    if as_json:
        click.echo(json.dumps(comparison.as_dict(), indent=1))
    else:
        say(comparison_text(comparison))


def test_images(folder: "RunFolder") -> "Images | None":
    """The test images that a run's manifest names; None where it cannot be read."""
    from workbench.datasets.manifest import read_manifest

    try:
        rows = read_manifest(folder.manifest_path)
    except UserError:
        return None
    return Counter((row.pixel_hash, row.label) for row in rows if row.split == "test")


def comparison_text(comparison: "Comparison") -> str:
    """The whole comparison for people."""
    runs = comparison.runs
    told = "\n".join(textwrap.fill(line, 79) for line in verdicts(comparison))
    parts = ["results\n" + _results(comparison.results), told]
    if comparison.spec:
        parts.append("spec\n" + _differences("key", runs, comparison.spec))
    else:
        parts.append("The specs are the same.")
    if comparison.layers:
        parts.append("layers\n" + _differences("layer", runs, _grouped(comparison.layers)))
    if comparison.stages:
        parts.append("stages\n" + _stages(comparison.stages))
    return "\n\n".join(parts)


def verdicts(comparison: "Comparison") -> list[str]:
    """What may be concluded from the accuracies, and what may not."""
    told = []
    measured = [r for r in comparison.results if r.accuracy is not None and r.interval]
    if comparison.same_test_images:
        images = plural(comparison.shared_test_images or 0, "test image")
        told.append(f"All were measured on the same {images}.")
        if len(measured) == len(comparison.results):
            told.append(_ahead(measured))
    elif comparison.same_test_images is False:
        told.append(
            f"Their test images differ (in common: {comparison.shared_test_images:,}), so the "
            "accuracies are not of the same examination."
        )
    else:
        told.append("Whether their test images are the same cannot be told.")
    if any(r.split == "validation" for r in measured):
        told.append("Validation images chose the best epoch: such an accuracy is a little high.")
    return told


def _ahead(measured: "list[Result]") -> str:
    best, *others = sorted(measured, key=lambda r: r.accuracy or 0, reverse=True)
    assert best.interval
    close = [r.run for r in others if r.interval and r.interval[1] >= best.interval[0]]
    if close:
        return f"{best.run} and {', '.join(close)}: too close to call, their intervals overlap."
    return f"{best.run} is better, beyond chance: its interval overlaps with no other."


def _results(results: "list[Result]") -> str:
    headers = ("run", "accuracy", "95 % interval", "parameters", "time", "best epoch")
    rows = [
        (
            r.run + (" (random weights)" if r.random_weights else ""),
            _accuracy(r),
            f"{r.interval[0]:.3f} to {r.interval[1]:.3f}" if r.interval else "-",
            _known(r.parameters),
            "-" if r.seconds is None else human_seconds(r.seconds),
            _known(r.best_epoch),
        )
        for r in results
    ]
    return table(headers, rows, "lrrrrr")


def _stages(stages: "list[StageFigures]") -> str:
    headers = ("", "run", "epochs", "best", "val", "trains", "optimizer", "what")
    rows = [
        (
            s.stage + 1,
            s.run,
            f"{s.epochs}/{s.planned}",
            _known(s.best_epoch),
            accuracy(s.val_accuracy),
            _known(s.trainable_parameters),
            f"{s.optimizer} {'-' if s.learning_rate is None else f'{s.learning_rate:g}'}",
            s.name,
        )
        for s in stages
    ]
    return table(headers, rows, "llrrrrl")


def _accuracy(r: "Result") -> str:
    """The accuracy; before there is one, how the run stands."""
    if r.accuracy is None:
        return r.state
    return accuracy(r.accuracy) + ("" if r.split == "test" else f" ({r.split})")


def _differences(what: str, runs: tuple[str, ...], rows: "list[Difference]") -> str:
    cells = [(row.key, *map(_value, row.values)) for row in rows]
    return table((what, *(safe_text(run, VALUE_WIDTH) for run in runs)), cells)


def _grouped(layers: "list[Difference]") -> "list[Difference]":
    """Layers that follow one another and differ alike, as one row."""
    from workbench.runs.compare import Difference

    rows = []
    for values, group in itertools.groupby(layers, key=lambda row: row.values):
        names = [row.key for row in group]
        key = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]} ({len(names)})"
        rows.append(Difference(key, values))
    return rows


def _value(value: Any) -> str:
    """As TOML has it, but for text, which goes without quotes; cut where it is long."""
    if value is None:
        return "-"
    return safe_text(value if isinstance(value, str) else json.dumps(value), VALUE_WIDTH)


def _known(count: int | None) -> str:
    return "-" if count is None else f"{count:,}"
