"""`workbench inside`: what a trained network sees. The work is done by a worker process."""

import base64
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.complete import complete_runs
from workbench.cli.group import in_workspace
from workbench.cli.paths import GivenPath
from workbench.cli.results import finished_model
from workbench.cli.show import progress_bar, say, table
from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.text import human_size, safe_text

if TYPE_CHECKING:
    import numpy as np
    from rich.table import Table

    from workbench.experiment.receptive import LayerSight

WIDTH = 80  # cells that a picture takes at most
BESIDE, GAP = 3, 2  # patterns in a row, and the cells between them
FEWEST_COLOURS = 256  # for half blocks; below, ten characters tell more greys

run_argument = click.argument("run", shell_complete=complete_runs, metavar="RUN|FILE")
image_argument = click.argument("image", type=GivenPath())
layer_option = click.option(
    "--layer", metavar="NAME", help="See: workbench inside layers RUN. Left out: a fitting one."
)
out_option = click.option(
    "--out",
    type=GivenPath(new=True),
    metavar="FILE.png",
    help="Where the picture goes; left out: the folder inside/ beside the model.",
)


@click.group()
def inside() -> None:
    """Look inside a trained network: answers of its layers, wishes of its filters, where it looks.

    On a terminal pictures are shown in half blocks; each is written as a PNG, too.
    """


@inside.command()
@run_argument
@image_argument
@layer_option
@out_option
@in_workspace
def activations(
    workspace: Workspace, run: str, image: Path, layer: str | None, out: Path | None
) -> None:
    """Show what a layer answers to an image, each channel scaled by itself.

    All channels are in the PNG; the terminal shows the 15 with the largest mean.
    """
    request = {"image": str(image.absolute()), "layer": layer}
    result = _ask(workspace, run, "activations", out, request)
    if strongest := result["strongest"]:
        numbers = ", ".join(map(str, strongest))
        _show([result["preview"]], [f"the strongest channels: {numbers}"])
    else:
        _show([result["preview"]])
    _tell(result)


@inside.command()
@run_argument
@layer_option
@click.option("--filters", metavar="0,1,5", help="Which; left out: the first twelve.")
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
    """Show the patterns that filters answer to most: gradient ascent on the image.

    It starts at grey noise that follows from the seed; each step goes one grey level, on average,
    along the gradient of the filter's mean activation.
    """
    waiting: list[dict[str, Any]] = []

    def on_pattern(event: dict[str, Any]) -> None:
        say(event["words"])
        waiting.append(event)
        if len(waiting) == BESIDE:
            _show_patterns(waiting)

    request = {"layer": layer, "filters": _numbers(filters), "steps": steps, "seed": seed}
    result = _ask(workspace, run, "filters", out, request, on_pattern)
    _show_patterns(waiting)
    _tell(result)


@inside.command()
@run_argument
@image_argument
@click.option("--class", "label", metavar="LABEL", help="Left out: the most likely one.")
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
    """Show which places of an image speak for a label (Grad-CAM, Selvaraju et al. 2017).

    Left the image as the network gets it, right with the heat over it: dark red little, bright
    yellow much. Every picture is scaled by itself, so its colours compare places, not images.
    """
    request = {
        "image": str(image.absolute()),
        "label": label,
        "layer": None if layer == "auto" else layer,
    }
    result = _ask(workspace, run, "gradcam", out, request)
    _show([result["preview"]])
    _tell(result)


_COLUMNS = """
sees    pixels of the image that each value of the layer depends on
apart   pixels between what two neighbouring values see
start   first pixel that the first value sees (down, right); below 0 it is padding"""


@inside.command()
@click.argument("run", default="latest", shell_complete=complete_runs)
@in_workspace
def layers(workspace: Workspace, run: str) -> None:
    """Show what each layer sees of the image: its receptive field."""
    from workbench.experiment.receptive import layer_sights
    from workbench.experiment.toml import read_spec
    from workbench.runs.folder import find_run

    folder = find_run(workspace, run)
    spec = read_spec(folder.spec_path)
    say(f"{folder.name}: images of {human_size(spec.data.input_shape)}")
    say(sight_table(layer_sights(spec, _label_count(folder))))
    say(_COLUMNS)


def sight_table(sights: "Sequence[LayerSight]") -> str:
    """A line a layer."""
    rows = []
    for sight in sights:
        shape, field = human_size(sight.row.output_shape), sight.field
        if field is None:
            rows.append((sight.row.name, shape, "-", "-", "-", sight.why))
            continue
        down, right = field.start
        start = f"{down}" if down == right else f"{down}, {right}"
        sees = f"{field.size}x{field.size}"
        rows.append((sight.row.name, shape, sees, f"{field.jump}", start, ""))
    return table(("layer", "output", "sees", "apart", "start", ""), rows, "lrrrrl")


def _label_count(folder: Any) -> int:
    """How many labels the run's data has, as it told; two before it did."""
    from workbench.runs.reader import read_events

    for event in reversed(read_events(folder.events_path)):
        if event["event"] == "data_ready" and isinstance(event.get("labels"), list):
            return max(len(event["labels"]), 2)
    return 2


def _numbers(given: str | None) -> list[int] | None:
    if given is None:
        return None
    try:
        return [int(part) for part in given.split(",")]
    except ValueError:
        raise UserError(
            f"--filters: received {safe_text(repr(given))}; allowed are numbers with commas "
            "between, such as 0,1,5."
        ) from None


def _ask(
    workspace: Workspace,
    run: str,
    what: str,
    out: Path | None,
    request: dict[str, Any],
    on_pattern: Any = None,
) -> dict[str, Any]:
    """Has a worker look; patterns are told as they come, and instead of a bar."""
    from workbench.runs.jobs import run_job

    model = finished_model(workspace, run)
    request = {
        "what": what,
        "model": str(model),
        "out": str(out.absolute()) if out else None,
        **request,
    }
    if on_pattern:
        return run_job("inside", request, _pattern_teller(on_pattern))
    with progress_bar() as progress:

        def on_event(event: dict[str, Any]) -> None:
            if event.get("event") == "progress":
                progress(event["phase"], event["done"], event["total"])

        return run_job("inside", request, on_event)


def _pattern_teller(on_pattern: Any) -> Any:
    """Hands on each pattern as it comes; in between, a terminal has a line that says how far."""
    lively = sys.stderr.isatty()

    def on_event(event: dict[str, Any]) -> None:
        if lively:
            click.echo("\r\x1b[K", nl=False, err=True)  # away with the line before
        if event.get("event") == "pattern":
            on_pattern(event)
        elif lively and event.get("event") == "progress":
            of = f", step {event['done']:,} of {event['total']:,}" if event["total"] else ""
            click.echo(safe_text(f"{event['phase']}{of}"), nl=False, err=True)

    return on_event


def _tell(result: dict[str, Any]) -> None:
    for line in result["words"]:
        say(line)
    say(result["out"])


def _show_patterns(waiting: list[dict[str, Any]]) -> None:
    """The patterns side by side; they wait no longer then."""
    titles = [f"filter {event['filter']}" for event in waiting]
    _show([event["picture"] for event in waiting], titles, BESIDE)
    waiting.clear()


def _show(pictures: Sequence[str], titles: Sequence[str] = (), places: int = 1) -> None:
    """Pictures of events on a terminal; nothing where none looks on.

    Args:
        places: how many there is room for in a row.
    """
    if not pictures or not sys.stdout.isatty():
        return
    from rich.console import Console

    from workbench.machine.terminal import look_at_terminal

    terminal = look_at_terminal(os.environ, sys.stdout)
    blocks = terminal.utf8 and terminal.colors >= FEWEST_COLOURS
    width = min(WIDTH, terminal.columns)
    drawn = side_by_side([_pixels(one) for one in pictures], titles, places, width, blocks)
    Console(highlight=False, width=width).print(drawn)


def side_by_side(
    pictures: "Sequence[np.ndarray]", titles: Sequence[str], places: int, width: int, utf8: bool
) -> "Table":
    """Pictures in cells, a title above each.

    Args:
        pictures: uint8 (h, w, 3).
        places: in a row of `width` cells.
        utf8: False for ASCII.
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
