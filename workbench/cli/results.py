"""Commands on finished models: evaluate, predict. A worker process does the work."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.complete import complete_runs
from workbench.cli.group import in_workspace
from workbench.cli.options import (
    json_option,
    latest_argument,
    mirror_option,
)
from workbench.cli.output import echo, echo_json, evaluation_report, run_job
from workbench.messages import tr
from workbench.paths import Workspace, parse_path
from workbench.text import plural, safe_text, table

if TYPE_CHECKING:
    from workbench.runs.folder import RunFolder

EXIT_SOME_UNREADABLE = 1


@click.command()
@latest_argument
@click.option("--split", type=click.Choice(["train", "validation", "test"]), default="test")
@click.option("--shift", type=click.IntRange(0, 64), default=0, help="Also with shifted images.")
@mirror_option
@click.option("--again", is_flag=True, help="Measure again what was measured before.")
@json_option
@in_workspace
def evaluate(
    workspace: Workspace,
    run: str,
    split: str,
    shift: int,
    mirror: bool | None,
    again: bool,
    as_json: bool,
) -> None:
    """Evaluate a finished run: accuracy, other metrics, labels, confusions, worst errors by name.

    Test metrics are shown as they were measured at the end of the run; other splits, shifted
    images and --again are measured now.
    """
    from workbench.app.run_files import require_model
    from workbench.runs.folder import find_run

    folder = find_run(workspace, run)
    place = _shown_path(str(folder.path))
    metrics = _stored(folder) if split == "test" and not shift and not again else None
    if metrics and mirror is not None and mirror != metrics.get("mirrored", False):
        metrics = None
    metrics = metrics or run_job("evaluate", {
        "model": str(require_model(folder)),
        "manifest": str(folder.manifest_path),
        "workspace": str(workspace.root),
        "split": split,
        "shift": shift,
        "mirror": mirror,
    })  # fmt: skip
    click.echo(json.dumps(metrics, indent=1) if as_json else evaluation_report(metrics, place))


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--model",
    default="latest",
    shell_complete=complete_runs,
    metavar="RUN|FOLDER|FILE",
    help="A run, an exported folder or a model.keras file; else the newest finished run.",
)
@mirror_option
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option(
    "--sort-into",
    metavar="DIR",
    help="Also make a folder of links for each label in DIR, a new one. No image is moved.",
)
@in_workspace
def predict(
    workspace: Workspace,
    paths: tuple[str, ...],
    model: str,
    mirror: bool | None,
    as_json: bool,
    as_csv: bool,
    sort_into: str | None,
) -> None:
    """Predict the labels of images: files, or folders of them.

    Image size and labels are the model's own. Files that cannot be read are listed, those in
    folders by kind, and make the exit code 1; the others are predicted.
    """
    from workbench.app.run_files import find_model
    from workbench.app.sorted_links import link_by_label, make_folder

    file = str(find_model(workspace, model))
    folder = parse_path(sort_into).absolute() if sort_into else None
    if folder:
        make_folder(folder)
    absolute = [str(parse_path(path).absolute()) for path in paths]
    request = {"model": file, "paths": absolute, "mirror": mirror}
    result = {"model": file, **run_job("predict", request)}
    labels = safe_text(", ".join(result["labels"]))
    mirrored = tr(", averaged with mirror images") if result["mirrored"] else ""
    echo(
        tr(
            "model {file} ({labels}){mirrored}",
            file=safe_text(_shown_path(file), 1000),
            labels=labels,
            mirrored=mirrored,
        ),
        err=True,
    )
    if as_json:
        echo_json(result)
    elif as_csv:
        # As bytes: a file name need not be UTF-8, and a script needs it unchanged.
        _print_csv(_csv(result))
    else:
        click.echo(_table(result))
    if folder:
        read = [(p["path"], p["label"]) for p in result["predictions"] if not p["problem"]]
        links = plural(link_by_label(folder, read), "link")
        echo(tr("{links} in {folder}", links=links, folder=safe_text(folder, 1000)), err=True)
    unreadable = [p for p in result["predictions"] if p["problem"]]
    for prediction in unreadable:
        echo(f"{safe_text(prediction['path'], 1000)}: {prediction['problem']}", err=True)
    if skipped := result["not_read"]["words"]:
        echo(tr("not read: {skipped}", skipped=skipped), err=True)
    if unreadable or skipped:
        click.get_current_context().exit(EXIT_SOME_UNREADABLE)


def _stored(folder: "RunFolder") -> dict[str, Any] | None:
    """Return the metrics of results.json, without a matrix that is too large to show.

    Returns None if they are missing or damaged.
    """
    from workbench.runs.confusion import bounded

    try:
        metrics = bounded(json.loads(folder.results_path.read_text(encoding="utf-8")))
        evaluation_report(metrics)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return metrics


def _table(result: dict[str, Any]) -> str:
    rows = [
        (p["label"], f"{p['probability']:.3f}", _shown_path(p["path"]))
        for p in result["predictions"]
        if not p["problem"]
    ]
    return (
        table((tr("label"), tr("probability"), tr("file")), rows, "lr")
        if rows
        else tr("nothing to predict")
    )


def _print_csv(text: str) -> None:
    """Print it unchanged to files and pipes; without control characters to a terminal."""
    if sys.stdout.isatty():
        echo(text.rstrip("\n"))
    else:
        click.echo(text.encode("utf-8", "surrogateescape"), nl=False)


def _shown_path(path: str) -> str:
    """Return the path relative to the current folder if it is below it."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path


def _csv(result: dict[str, Any]) -> str:
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["path", "label", "probability", *result["labels"], "problem"])
    for p in result["predictions"]:
        if p["problem"]:
            empty = [""] * (2 + len(result["labels"]))
            writer.writerow([p["path"], *empty, p["problem"]])
        else:
            probabilities = [f"{value:.6f}" for value in p["probabilities"]]
            writer.writerow([p["path"], p["label"], f"{p['probability']:.6f}", *probabilities, ""])
    return text.getvalue()
