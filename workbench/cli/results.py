"""Commands on finished models: evaluate, predict. The work is done by a worker process."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.complete import complete_runs
from workbench.cli.group import in_workspace
from workbench.cli.runs import json_option, latest_argument
from workbench.cli.show import evaluation_report, progress_bar, say, table
from workbench.errors import UserError
from workbench.paths import Workspace, given_path
from workbench.text import safe_text

if TYPE_CHECKING:
    from workbench.runs.folder import RunFolder

EXIT_SOME_UNREADABLE = 1


@click.command()
@latest_argument
@click.option("--split", type=click.Choice(["train", "validation", "test"]), default="test")
@click.option("--shift", type=click.IntRange(0, 64), default=0, help="Also with shifted images.")
@click.option("--again", is_flag=True, help="Measure again what was measured before.")
@json_option
@in_workspace
def evaluate(
    workspace: Workspace, run: str, split: str, shift: int, again: bool, as_json: bool
) -> None:
    """Show what a finished run is worth: accuracy, labels, confusions, worst errors by name.

    Its test figures are shown as they were measured at its end; other splits, shifted images, or
    --again, are measured now.
    """
    from workbench.runs.folder import find_run

    folder = find_run(workspace, run)
    place = _shown_path(str(folder.path))
    if split == "test" and not shift and not again and (stored := _stored(folder)):
        click.echo(json.dumps(stored, indent=1) if as_json else evaluation_report(stored, place))
        return
    request = {
        "model": str(model_of(folder)),
        "manifest": str(folder.manifest_path),
        "workspace": str(workspace.root),
        "split": split,
        "shift": shift,
    }
    figures = _ask("evaluate", request)
    click.echo(json.dumps(figures, indent=1) if as_json else evaluation_report(figures, place))


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--model",
    default="latest",
    shell_complete=complete_runs,
    metavar="RUN|FILE",
    help="A run, or a model.keras file; else the newest finished run.",
)
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@in_workspace
def predict(
    workspace: Workspace, paths: tuple[str, ...], model: str, as_json: bool, as_csv: bool
) -> None:
    """Say what is in images: files, or folders of them.

    Sizes and labels are the model's own. Files that cannot be read are listed, those in folders by
    kind, and make the exit code 1; the others are predicted all the same.
    """
    request = {
        "model": str(finished_model(workspace, model)),
        "paths": [str(given_path(path).absolute()) for path in paths],
    }
    result = {"model": request["model"], **_ask("predict", request)}
    labels = ", ".join(result["labels"])
    say(
        f"model {safe_text(_shown_path(str(request['model'])), 1000)} ({safe_text(labels)})",
        err=True,
    )
    if as_json:
        click.echo(json.dumps(result, indent=1))
    elif as_csv:
        # As bytes: a file name need not be UTF-8, and a script wants it as it is.
        _print_csv(_csv(result))
    else:
        click.echo(_table(result))
    unreadable = [p for p in result["predictions"] if p["problem"]]
    for prediction in unreadable:
        say(f"{safe_text(prediction['path'], 1000)}: {prediction['problem']}", err=True)
    if words := result["not_read"]["words"]:
        say(f"not read: {words}", err=True)
    if unreadable or words:
        click.get_current_context().exit(EXIT_SOME_UNREADABLE)


def finished_model(workspace: Workspace, given: str) -> Path:
    """The model file of a run, or a file itself.

    Raises:
        UserError: no such run or file, or the run has no model yet.
    """
    from workbench.runs.folder import find_run, list_runs

    path = given_path(given)
    if "/" in given or path.is_file() or given.endswith(".keras"):
        if (path / "model.keras").is_file():
            return (path / "model.keras").absolute()
        if not path.is_file():
            raise UserError(f"There is no model file {safe_text(given)}.")
        return path.absolute()
    if given == "latest":
        for folder in list_runs(workspace):
            if folder.model_path.exists():
                return folder.model_path
        raise UserError(f"No run in {workspace.runs} has a finished model yet.")
    return model_of(find_run(workspace, given))


def model_of(folder: "RunFolder") -> Path:
    """The model file of a run.

    Raises:
        UserError: there is none yet.
    """
    if not folder.model_path.exists():
        raise UserError(
            f"{folder.name} has no model yet: it is not finished.", "See: workbench runs"
        )
    return folder.model_path


def _stored(folder: "RunFolder") -> dict[str, Any] | None:
    """The figures of results.json, without a matrix that is too large to be shown.

    None where they are missing or damaged.
    """
    from workbench.runs.confusion import bounded

    try:
        figures = bounded(json.loads(folder.results_path.read_text(encoding="utf-8")))
        evaluation_report(figures)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return figures


def _ask(job: str, request: dict[str, Any]) -> dict[str, Any]:
    from workbench.runs.jobs import run_job

    with progress_bar() as progress:

        def on_event(event: dict[str, Any]) -> None:
            if event.get("event") == "progress":
                progress(event["phase"], event["done"], event["total"])

        return run_job(job, request, on_event)


def _table(result: dict[str, Any]) -> str:
    rows = [
        (p["label"], f"{p['probability']:.3f}", _shown_path(p["path"]))
        for p in result["predictions"]
        if not p["problem"]
    ]
    return table(("label", "probability", "file"), rows, "lr") if rows else "nothing to predict"


def _print_csv(text: str) -> None:
    """As it is for files and pipes; a terminal is shown nothing that it would obey."""
    if sys.stdout.isatty():
        say(text.rstrip("\n"))
    else:
        click.echo(text.encode("utf-8", "surrogateescape"), nl=False)


def _shown_path(path: str) -> str:
    """Relative to the current folder where it lies below it."""
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
