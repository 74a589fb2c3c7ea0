"""`workbench correct`: labels set right and images left out, without touching an image."""

import click

from workbench.cli.group import command_line, in_workspace
from workbench.cli.runs import run_argument
from workbench.cli.show import say, table
from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.text import plural, safe_text


@click.command()
@run_argument
@click.argument("images", nargs=-1, metavar="IMAGE...")
@click.option("--label", metavar="L", help="The images are mislabelled; this is what they are.")
@click.option("--exclude", is_flag=True, help="Leave the images out.")
@click.option("--undo", is_flag=True, help="Take back what was said of the images.")
@click.option("--list", "as_list", is_flag=True, help="Show what was said so far.")
@in_workspace
def correct(
    workspace: Workspace,
    run: str,
    images: tuple[str, ...],
    label: str | None,
    exclude: bool,
    undo: bool,
    as_list: bool,
) -> None:
    """Say that images of a run are mislabelled, or are to be left out.

    It is kept in data/NAME/corrections.csv by the images' pixels; the images stay as they are.
    A new run heeds it: workbench train --corrected RUN. Mind: where only errors of a network are
    set right, its figures rise by that alone; look at right answers too.

    \b
    workbench correct photos-1 cat/7.jpg dog/3.jpg --label dog
    workbench correct photos-1 cat/blurred.jpg --exclude
    workbench correct photos-1 --list
    """
    from workbench.app.relabel import Marking, said_in_words
    from workbench.runs.folder import find_run

    if sum((label is not None, exclude, undo, as_list)) != 1 or bool(images) == as_list:
        raise UserError(
            "Name images and one of --label L, --exclude or --undo; or --list alone.",
            f"Their names: {command_line(workspace, 'errors', safe_text(run))}",
        )
    if label == "":
        raise UserError("--label is empty.", "To leave images out: --exclude")
    marking = Marking(workspace, find_run(workspace, run))
    if undo:
        say(f"Taken back: {plural(marking.undo(images), 'correction')}.")
    elif not as_list:
        rows = marking.find(images)
        if already := len(rows) - marking.mark(rows, label or ""):
            say(f"Labelled {safe_text(label)} in the data anyway: {plural(already, 'image')}.")
    entries = marking.entries()
    if as_list and entries:
        say(table(("now", "file"), [(one.label or "left out", one.path) for one in entries]))
    say(f"{safe_text(marking.path, 1000)}: {said_in_words(entries)}.")
    if entries and not as_list:
        say(f"A run that heeds it: {command_line(workspace, 'train', '--corrected', run)}")
