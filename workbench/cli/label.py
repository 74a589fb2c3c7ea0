"""`workbench label RUN FOLDER`: label a folder of images, the most informative first."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from workbench.cli.app import can_open, open_app
from workbench.cli.group import command_line, in_workspace
from workbench.cli.options import PathArgument, examples, run_argument
from workbench.cli.output import echo, print_notice, progress_bar
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.text import plural, safe_text, table

if TYPE_CHECKING:
    from workbench.app.labelling import Labelling

NEAREST = 3  # labelled images that are named beside an image


@click.command(
    epilog=examples(
        "workbench label flowers-1 ~/new-photos               label them in the app",
        "workbench label flowers-1 ~/new-photos --list        which would be asked first",
        "workbench train --preset linear-probe --data FILE    then, on the table that was written",
    )
)
@run_argument
@click.argument("folder", type=PathArgument())
@click.option(
    "--batch",
    type=click.IntRange(1, 100),
    default=10,
    show_default=True,
    help="Answers after which the head is solved again.",
)
@click.option("--list", "as_list", is_flag=True, help="Only print what would be asked next.")
@click.option(
    "--csv",
    "file",
    type=PathArgument(new=True, dir_okay=False),
    metavar="FILE",
    help="Write the table of the run's images and those labelled since there, instead of "
    "labelled.csv in the data folder.",
)
@in_workspace
def label(
    workspace: Workspace, run: str, folder: Path, batch: int, as_list: bool, file: Path | None
) -> None:
    """Label a folder of images, the most informative first.

    A classifier on features of the run's base is solved on the run's images and on every batch of
    answers; asked next is what it is unsure of and what is unlike the images it knows. Answers are
    kept as they are given, and written as a table that `workbench train --data` reads. No image is
    changed or moved.

    In a terminal the app opens; with --list, or elsewhere, the next images are printed.
    """
    from workbench.app.labelling import Labelling
    from workbench.runs.folder import find_run

    found = find_run(workspace, run)
    labelling = Labelling(workspace, found, folder, batch)
    if file:
        labelling.check_table(file)
    shows = not as_list and can_open()
    if shows:
        slow = click.get_current_context().find_root().params.get("low_bandwidth", False)
        code = open_app(workspace, slow, ("label", found.name, folder, batch))
        labelling = Labelling(workspace, found, folder, batch)
        if code:
            click.get_current_context().exit(code)
    else:
        _print_next(labelling)
    if (shows or file) and labelling.given:
        _write(labelling, file)
    elif file:
        echo(tr("Nothing was labelled yet, so no table was written."), err=True)


def _print_next(labelling: "Labelling") -> None:
    with progress_bar() as progress:
        ranking = labelling.rank(progress, print_notice)
    labelling.take(ranking)
    lines = [*labelling.summary(), ""]
    if labelling.queue:
        lines.append(tr("to label next, the most informative first"))
        rows = [
            (
                *(f"{name} {probability:.2f}" for name, probability in one.opinion[:2]),
                labelling.shown_path(one.images[0]),
                ", ".join(near.label for near in one.neighbours[:NEAREST]),
            )
            for one in labelling.queue[: labelling.batch]
        ]
        lines.append(
            table((tr("probably"), tr("or"), tr("file"), tr("labels of the nearest images")), rows)
        )
    else:
        lines.append(labelling.why_done)
    for path, reason in ranking.unreadable:
        echo(f"{safe_text(path, 1000)}: {safe_text(reason, 300)}", err=True)
    echo("\n".join([*lines, *ranking.notes]))


def _write(labelling: "Labelling", file: Path | None) -> None:
    written = labelling.write_table(file)
    images = plural(len(labelling.given), "image")
    echo(
        tr(
            "{images} labelled in {folder}; with those of the run in {file}",
            images=images,
            folder=safe_text(labelling.root, 1000),
            file=safe_text(written, 1000),
        )
    )
    command = command_line(labelling.workspace, *labelling.train_arguments(written))
    echo(tr("Train on them: {command}", command=command))
