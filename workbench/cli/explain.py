"""`workbench explain`: what a trained network responds to. A worker process does the work."""

import base64
import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.complete import complete_runs
from workbench.cli.group import in_workspace
from workbench.cli.options import (
    PathArgument,
)
from workbench.cli.output import echo, run_job, terminal
from workbench.errors import UserError
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.text import format_count, format_shape, safe_text, table

if TYPE_CHECKING:
    import numpy as np
    from rich.table import Table

    from workbench.experiment.receptive_field import LayerField

JOB = "explain"  # of the worker
WIDTH = 80  # cells of a picture at most
BESIDE, GAP = 3, 2  # patterns in a row, and the cells between them
MIN_COLORS = 256  # for half blocks; with fewer, ten characters show more greys

run_argument = click.argument("run", shell_complete=complete_runs, metavar="RUN|FILE")
image_argument = click.argument("image", type=PathArgument())
layer_option = click.option(
    "--layer", metavar="NAME", help="See: workbench explain layers RUN. Default: a suitable one."
)
out_option = click.option(
    "--out",
    type=PathArgument(new=True),
    metavar="FILE.png",
    help="File of the picture. Default: in the folder inside/ beside the model.",
)


@click.group()
def explain() -> None:
    """Explain a trained network: activations, patterns of filters, Grad-CAM, receptive fields.

    A terminal shows the pictures in half blocks; each is also written as a PNG.
    """


@explain.command()
@run_argument
@image_argument
@layer_option
@out_option
@in_workspace
def activations(
    workspace: Workspace, run: str, image: Path, layer: str | None, out: Path | None
) -> None:
    """Show the activations of a layer for an image, each channel scaled by itself.

    All channels are in the PNG; the terminal shows the 15 with the largest mean.
    """
    request = {"image": str(_find_image(workspace, run, image)), "layer": layer}
    result = _run(workspace, run, "activations", out, request)
    if strongest := result["strongest"]:
        numbers = ", ".join(map(str, strongest))
        _show([result["preview"]], [tr("the strongest channels: {numbers}", numbers=numbers)])
    else:
        _show([result["preview"]])
    _print_result(result)


@explain.command()
@run_argument
@layer_option
@click.option("--filters", metavar="0,1,5", help="Default: the first twelve.")
@click.option("--steps", type=click.IntRange(1, 10_000), default=40, show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=1, show_default=True)
@out_option
@in_workspace
def filters(
    workspace: Workspace,
    run: str,
    layer: str | None,
    filters: str | None,
    steps: int,
    seed: int,
    out: Path | None,
) -> None:
    """Show the patterns that activate filters most: gradient ascent on the image.

    It starts at grey noise from the seed; each step moves one grey level, on average, along the
    gradient of the filter's mean activation.
    """
    pending: list[dict[str, Any]] = []

    def on_pattern(event: dict[str, Any]) -> None:
        echo(event["words"])
        pending.append(event)
        if len(pending) == BESIDE:
            _show_patterns(pending)

    request = {"layer": layer, "filters": _numbers(filters), "steps": steps, "seed": seed}
    result = _run(workspace, run, "filters", out, request, on_pattern)
    _show_patterns(pending)
    _print_result(result)


@explain.command()
@run_argument
@image_argument
@click.option("--class", "--label", "label", metavar="LABEL", help="Default: the most likely one.")
@layer_option
@out_option
@in_workspace
def gradcam(
    workspace: Workspace,
    run: str,
    image: Path,
    label: str | None,
    layer: str | None,
    out: Path | None,
) -> None:
    """Show which parts of an image support a label, by Grad-CAM (Selvaraju and others, 2017).

    Left the input image, right the heat map over it: dark red is little, bright yellow much. Each
    picture is scaled by itself, so colours compare parts of an image, not images.
    """
    image = _find_image(workspace, run, image)
    request = {
        "image": str(image),
        "label": label,
        "layer": None if layer == "auto" else layer,
    }
    result = _run(workspace, run, "gradcam", out, request)
    _show([result["preview"]])
    if true := label_in_run(workspace, run, image):
        echo(tr("labelled {label} among the images of the run", label=safe_text(true, 60)))
    _print_result(result)


def label_in_run(workspace: Workspace, run: str, image: Path) -> str:
    """Return the label that an image has among those of a run; "" if it is none of them."""
    from workbench.app.run_files import find_model
    from workbench.datasets.manifest import read_manifest
    from workbench.runs.folder import RunFolder

    folder = RunFolder(find_model(workspace, run).parent)
    try:
        rows = read_manifest(folder.manifest_path)
    except UserError:  # the model of an export, or of a run that lost it
        return ""
    root = _data_root(workspace, run)
    if root is None or not image.resolve().is_relative_to(root.resolve()):
        return ""
    path = image.resolve().relative_to(root.resolve()).as_posix()
    return next((row.label for row in rows if row.path == path), "")


_COLUMNS = tr(
    "\noperations   multiply-adds of one image\n"
    "field        pixels of the image that each value of the layer depends on\n"
    "apart        pixels between the fields of two neighbouring values\n"
    "start        first pixel of the first field (down, right); below 0 it is padding"
)


@explain.command()
@click.argument("run", default="latest", shell_complete=complete_runs)
@in_workspace
def layers(workspace: Workspace, run: str) -> None:
    """Show operations and receptive field of each layer."""
    from workbench.experiment.receptive_field import receptive_fields
    from workbench.experiment.toml import read_spec
    from workbench.runs.folder import find_run

    folder = find_run(workspace, run)
    spec = read_spec(folder.spec_path)
    echo(
        tr(
            "{folder_name}: images of {input_shape}",
            folder_name=folder.name,
            input_shape=format_shape(spec.data.input_shape),
        )
    )
    echo(sight_table(receptive_fields(spec, _label_count(folder))))
    echo(_COLUMNS)


def sight_table(sights: "Sequence[LayerField]") -> str:
    """Format a line per layer."""
    rows = []
    for sight in sights:
        row, field = sight.row, sight.field
        adds = format_count(row.multiply_adds) if row.multiply_adds else "-"
        first = (row.name, format_shape(row.output_shape), adds)
        if field is None:
            rows.append((*first, "-", "-", "-", sight.why))
            continue
        down, right = field.start
        start = f"{down}" if down == right else f"{down}, {right}"
        size = f"{field.size}x{field.size}"
        rows.append((*first, size, f"{field.jump}", start, ""))
    titles = tr("layer"), tr("output"), tr("operations"), tr("field"), tr("apart"), tr("start"), ""
    return table(titles, rows, "lrrrrrl")


def _label_count(folder: Any) -> int:
    """Return the number of labels in the run's events; two if they do not record it."""
    from workbench.runs.event_log import read_events
    from workbench.runs.history import fold

    return max(len(fold(read_events(folder.events_path)).labels), 2)


def _numbers(given: str | None) -> list[int] | None:
    if given is None:
        return None
    try:
        return [int(part) for part in given.split(",")]
    except ValueError:
        raise UserError(
            tr(
                "--filters: received {given}; allowed are numbers with commas "
                "between, such as 0,1,5.",
                given=safe_text(repr(given)),
            )
        ) from None


def _run(
    workspace: Workspace,
    run: str,
    what: str,
    out: Path | None,
    request: dict[str, Any],
    on_pattern: Callable[[dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Let a worker do it; with `on_pattern`, patterns are shown as they come and no bar."""
    from workbench.app import jobs
    from workbench.app.run_files import find_model

    request = {
        "what": what,
        "model": str(find_model(workspace, run)),
        "out": str(out.absolute()) if out else None,
        **request,
    }
    if on_pattern:
        return jobs.run_job(JOB, request, _pattern_handler(on_pattern))
    return run_job(JOB, request)


def _find_image(workspace: Workspace, run: str, image: Path) -> Path:
    """Return an image, named by its path or, as `evaluate` lists them, among those of the run."""
    if image.exists():
        return image.absolute()
    root = _data_root(workspace, run)
    among = root / image if root else image
    return among if root and among.exists() else image.absolute()


def _data_root(workspace: Workspace, run: str) -> Path | None:
    """Return the folder of a run's images; None for an export, or if it is unknown."""
    from workbench.app.run_files import find_model
    from workbench.export.run_data import RunImages
    from workbench.runs.fields import spec_table
    from workbench.runs.folder import RunFolder, read_tables

    folder = RunFolder(find_model(workspace, run).parent)
    source = str(spec_table(read_tables(folder), "data").get("source", ""))
    return RunImages(workspace, source).root


def _pattern_handler(
    on_pattern: Callable[[dict[str, Any]], None],
) -> Callable[[dict[str, Any]], None]:
    """Pass on each pattern; in between, show progress in one line of a terminal."""
    is_terminal = sys.stderr.isatty()

    def on_event(event: dict[str, Any]) -> None:
        if is_terminal:
            click.echo("\r\x1b[K", nl=False, err=True)  # clears the line before
        if event.get("event") == "pattern":
            on_pattern(event)
        elif is_terminal and event.get("event") == "progress":
            text = str(event["phase"])
            if event["total"]:
                text = tr(
                    "{phase}, step {done:,} of {total:,}",
                    phase=text,
                    done=event["done"],
                    total=event["total"],
                )
            click.echo(safe_text(text), nl=False, err=True)

    return on_event


def _print_result(result: dict[str, Any]) -> None:
    for line in result["words"]:
        echo(line)
    echo(result["out"])


def _show_patterns(pending: list[dict[str, Any]]) -> None:
    """Show the patterns side by side and remove them from the list."""
    titles = [tr("filter {filter}", filter=event["filter"]) for event in pending]
    _show([event["picture"] for event in pending], titles, BESIDE)
    pending.clear()


def _show(pictures: Sequence[str], titles: Sequence[str] = (), places: int = 1) -> None:
    """Show pictures of events side by side, `places` in a row; on a terminal only."""
    if not pictures or not sys.stdout.isatty():
        return
    from rich.console import Console

    shown = terminal()
    blocks = shown.utf8 and shown.colors >= MIN_COLORS
    width = min(WIDTH, shown.columns)
    drawn = side_by_side([_pixels(one) for one in pictures], titles, places, width, blocks)
    Console(highlight=False, width=width).print(drawn)


def side_by_side(
    pictures: "Sequence[np.ndarray]", titles: Sequence[str], places: int, width: int, utf8: bool
) -> "Table":
    """Draw pictures, uint8 (h, w, 3), with a title above each, `places` in a row of `width` cells.

    Without `utf8` in ASCII.
    """
    from rich.table import Table
    from rich.text import Text

    from workbench.render.half_blocks import half_blocks

    cells = max(1, (width - GAP * (places - 1)) // places)
    grid = Table.grid(padding=(0, GAP, 0, 0))
    if titles:
        grid.add_row(*(Text(title, overflow="fold") for title in titles))
    grid.add_row(*(half_blocks(picture, cells, utf8) for picture in pictures))
    return grid


def _pixels(picture: str) -> "np.ndarray":
    import numpy as np
    from PIL import Image

    with Image.open(io.BytesIO(base64.b64decode(picture)), formats=("PNG",)) as image:
        return np.asarray(image.convert("RGB"))
