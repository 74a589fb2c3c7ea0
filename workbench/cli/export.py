"""`workbench export`: a run's model in other formats, its script, its scalars."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from workbench.cli.group import in_workspace
from workbench.cli.paths import GivenPath
from workbench.cli.runs import json_option, latest_argument
from workbench.cli.show import progress_bar, say, table
from workbench.errors import UserError
from workbench.export.formats import BOUND, FORMATS
from workbench.paths import Workspace
from workbench.text import safe_text

if TYPE_CHECKING:
    from workbench.app.export_run import Exported
    from workbench.runs.folder import RunFolder


@click.command()
@latest_argument
@click.option(
    "--format",
    "formats",
    type=click.Choice(list(FORMATS)),
    multiple=True,
    help="Of the model, keras where none is named; may be given several times.",
)
@click.option("--script", is_flag=True, help="A plain Keras script that trains the same.")
@click.option(
    "--tensorboard",
    type=GivenPath(new=True),
    metavar="DIR",
    help="The run's figures as event files in DIR/RUN.",
)
@click.option(
    "--out",
    type=GivenPath(new=True),
    metavar="PATH",
    help="Where to: a folder, else RUN-export; with --script a file, else train_RUN.py.",
)
@click.option("--force", is_flag=True, help="Replace an earlier export.")
@json_option
@in_workspace
def export(
    workspace: Workspace,
    run: str,
    formats: tuple[str, ...],
    script: bool,
    tensorboard: Path | None,
    out: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Take a finished run home: its model with labels, preprocessing and a model card.

    Each file is loaded again in a fresh process and has to give the same answers as the
    original. --script writes a Keras script instead, --tensorboard the figures of every epoch.
    """
    from workbench.runs.folder import find_run

    if script + (tensorboard is not None) + bool(formats) > 1:
        raise UserError("Give one of --format, --script and --tensorboard at a time.")
    if tensorboard and out:
        raise UserError("--out has no effect with --tensorboard DIR, which says where to.")
    folder = find_run(workspace, run)
    if script:
        _script(workspace, folder, out, force, as_json)
    elif tensorboard:
        _scalars(folder, tensorboard, force, as_json)
    else:
        _model(workspace, folder, formats or ("keras",), out, force, as_json)


def _model(
    workspace: Workspace,
    run: "RunFolder",
    formats: tuple[str, ...],
    out: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    from workbench.app.export_run import export_run
    from workbench.runs.folder import safe_stem

    target = out or Path(f"{safe_stem(run.name)}-export")
    chosen = tuple(dict.fromkeys(formats))
    with ended_with_care(), progress_bar() as progress:
        made = export_run(workspace, run, chosen, target, force, progress)
    click.echo(json.dumps(_plain(made), indent=1)) if as_json else _tell(made)


def _tell(made: "Exported") -> None:
    rows = [(one.format.title, one.format.file, f"{one.difference:.2g}") for one in made.tried]
    say(table(("format", "file", "differs by"), rows, "llr"))
    one = made.tried[0]
    kind = "of the run's images" if one.own else "made-up images (the run's are not here any more)"
    say(
        f"Loaded again in fresh processes and tried on {one.images} {kind}: no probability differs "
        f"by more than {BOUND:g} from the original's."
    )
    say(f"{safe_text(made.folder, 1000)}: README.md tells how to load it.")


def _plain(made: "Exported") -> dict[str, object]:
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
    return {"folder": str(made.folder), "formats": tried}


def _script(
    workspace: Workspace, run: "RunFolder", out: Path | None, force: bool, as_json: bool
) -> None:
    from workbench.export.pictures import RunPictures
    from workbench.export.run_data import checked_spec, run_facts
    from workbench.export.script_folder import write_script
    from workbench.runs.folder import safe_stem

    target = out or Path(f"train_{safe_stem(run.name)}.py")
    facts = run_facts(run)
    script, images = write_script(facts, target, force)
    if as_json:
        click.echo(json.dumps({"script": str(script), "images": str(images)}))
        return
    say(f"{safe_text(script, 1000)}, and beside it {safe_text(images.name)} with the images.")
    root = RunPictures(workspace, checked_spec(facts).data.source).root
    say(f"Here: python {safe_text(script, 1000)} {safe_text(root or 'IMAGES', 1000)}")


def _scalars(run: "RunFolder", folder: Path, force: bool, as_json: bool) -> None:
    from workbench.export.tensorboard import write_scalars

    written = write_scalars(run, folder, force)
    if as_json:
        click.echo(json.dumps({"folder": str(written)}))
        return
    say(f"{safe_text(written, 1000)} holds loss, accuracy and learning rate of every epoch.")
    say(f"Where TensorBoard is installed: tensorboard --logdir {safe_text(folder, 1000)}")


@contextmanager
def ended_with_care() -> Iterator[None]:
    """Has a lost connection or a polite kill end the block as Ctrl-C does: with its clearing up."""

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
