"""`workbench export` and `workbench report`: a run's model, script, scalars, HTML page."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, ClassVar

import click

from workbench.cli.group import in_workspace
from workbench.cli.options import PathArgument, json_option, latest_argument, mirror_option
from workbench.cli.output import echo, echo_json, progress_bar
from workbench.errors import UserError
from workbench.export.formats import FORMATS
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.text import safe_text, table

if TYPE_CHECKING:
    from workbench.app.export import ExportedModel
    from workbench.runs.folder import RunFolder


class FormatChoice(click.Choice[str]):
    """The formats; also by names that they had, or that their files have."""

    OTHER_NAMES: ClassVar = {"tflite": "litert", "saved-model": "savedmodel", "h5": "keras"}

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name of the format that is meant."""
        return super().convert(self.OTHER_NAMES.get(str(value).lower(), value), param, ctx)


@click.command()
@latest_argument
@click.option(
    "--format",
    "formats",
    type=FormatChoice(list(FORMATS)),
    multiple=True,
    help="Of the model; may be given several times. Default: keras.",
)
@mirror_option
@click.option("--script", is_flag=True, help="A plain Keras script of the same training.")
@click.option(
    "--out",
    type=PathArgument(new=True),
    metavar="PATH",
    help="A folder, or with --script a file. Default: RUN-keras, by the format, or train_RUN.py.",
)
@click.option("--force", is_flag=True, help="Replace an earlier export.")
@json_option
@in_workspace
def export(
    workspace: Workspace,
    run: str,
    formats: tuple[str, ...],
    mirror: bool | None,
    script: bool,
    out: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Export a finished run: its model with labels, preprocessing and a model card.

    Each file is loaded again in a fresh process and must give the same predictions as the
    original. With --mirror it averages the probabilities of an image and its mirror image by
    itself. --script writes a Keras script instead. `workbench mirror` sends the
    metrics of every epoch to TensorBoard, MLflow or W&B.
    """
    from workbench.runs.folder import find_run

    if script and formats:
        raise UserError(tr("Give one of --format and --script at a time."))
    if mirror is not None and script:
        raise UserError(tr("--mirror and --no-mirror only have an effect on an exported model."))
    folder = find_run(workspace, run)
    if script:
        _script(workspace, folder, out, force, as_json)
    else:
        _model(workspace, folder, formats or ("keras",), mirror, out, force, as_json)


def _model(
    workspace: Workspace,
    run: "RunFolder",
    formats: tuple[str, ...],
    mirror: bool | None,
    out: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    from workbench.app.export import export_name, export_run

    chosen = tuple(dict.fromkeys(formats))
    target = out or Path(export_name(run, chosen))
    with exit_cleanly_on_signals(), progress_bar() as progress:
        made = export_run(workspace, run, chosen, target, force, progress, mirror=mirror)
    if as_json:
        echo_json(_values(made))
    else:
        _print(made)


def _print(made: "ExportedModel") -> None:
    from workbench.app.export import describe_difference

    rows = [(one.format.title, one.format.file, f"{one.difference:.2g}") for one in made.tried]
    echo(table((tr("format"), tr("file"), tr("differs by")), rows, "llr"))
    one = made.tried[0]
    if one.own:
        images = tr("{count} of the run's images", count=one.images)
    else:
        images = tr("{count} random images (the run's are gone)", count=one.images)
    worst = max(each.difference for each in made.tried)
    echo(tr("Loaded again in fresh processes and tried on {images}.", images=images))
    echo(describe_difference(worst))
    if made.mirrored:
        echo(tr("It averages the probabilities of each image and its mirror image by itself."))
    echo(tr("{folder}: README.md shows how to load it.", folder=safe_text(made.folder, 1000)))


def _values(made: "ExportedModel") -> dict[str, object]:
    tried = [
        {
            "format": one.format.name,
            "file": str(made.folder / one.format.file),
            "difference": one.difference,
            "images": one.images,
            "images_of_the_run": one.own,
        }
        for one in made.tried
    ]
    return {"folder": str(made.folder), "mirrored": made.mirrored, "formats": tried}


def _script(
    workspace: Workspace, run: "RunFolder", out: Path | None, force: bool, as_json: bool
) -> None:
    from workbench.export.run_data import RunImages, checked_spec, read_run_data
    from workbench.export.script import write_script
    from workbench.runs.folder import safe_stem

    target = out or Path(f"train_{safe_stem(run.name)}.py")
    facts = read_run_data(run)
    script, images = write_script(facts, target, force)
    if as_json:
        click.echo(json.dumps({"script": str(script), "images": str(images)}))
        return
    echo(
        tr(
            "{script}, and beside it {images_name} with the images.",
            script=safe_text(script, 1000),
            images_name=safe_text(images.name),
        )
    )
    root = RunImages(workspace, checked_spec(facts).data.source).root
    echo(
        tr(
            "Here: python {script} {root}",
            script=safe_text(script, 1000),
            root=safe_text(root or "IMAGES", 1000),
        )
    )


@click.command()
@latest_argument
@click.option(
    "--out",
    type=PathArgument(new=True, dir_okay=False),
    metavar="FILE",
    help="The page. Default: RUN.html.",
)
@click.option("--force", is_flag=True, help="Replace an existing page.")
@in_workspace
def report(workspace: Workspace, run: str, out: Path | None, force: bool) -> None:
    """Write a run as one HTML page: curves, layers, confusions, worst errors with pictures.

    The page contains everything it shows and loads nothing: send it, print it.
    """
    from workbench.export.report import write_report
    from workbench.runs.folder import find_run, safe_stem

    folder = find_run(workspace, run)
    target = write_report(workspace, folder, out or Path(f"{safe_stem(folder.name)}.html"), force)
    echo(safe_text(target, 1000))


@contextmanager
def exit_cleanly_on_signals() -> Iterator[None]:
    """End the block with its cleanup on SIGHUP and SIGTERM too, as Ctrl-C does."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    ending = (signal.SIGHUP, signal.SIGTERM)
    before = {
        number: signal.signal(number, end)
        for number in ending
        if signal.getsignal(number) is not signal.SIG_IGN  # under nohup
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
