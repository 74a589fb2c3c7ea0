"""`workbench relabel`: fix labels and exclude images without touching an image."""

import click

from workbench.cli.group import command_line, in_workspace
from workbench.cli.options import examples, run_argument
from workbench.cli.output import echo
from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.text import plural, safe_text, table


@click.command(
    epilog=examples(
        "workbench relabel photos-1 cat/7.jpg dog/3.jpg --label dog",
        "workbench relabel photos-1 cat/blurred.jpg --exclude",
        "workbench relabel photos-1 --list",
    )
)
@run_argument
@click.argument("images", nargs=-1, metavar="IMAGE...")
@click.option("--label", metavar="L", help="The right label of the images.")
@click.option("--exclude", is_flag=True, help="Exclude the images.")
@click.option("--undo", is_flag=True, help="Remove the fixes of the images.")
@click.option("--list", "as_list", is_flag=True, help="List all fixes.")
@in_workspace
def relabel(
    workspace: Workspace,
    run: str,
    images: tuple[str, ...],
    label: str | None,
    exclude: bool,
    undo: bool,
    as_list: bool,
) -> None:
    """Give images of a run another label, or exclude them.

    The fixes are kept in data/NAME/corrections.csv by the images' pixels; the images stay as they
    are. A new run uses them: workbench train --corrected RUN. Note: if only errors of a network
    are fixed, its accuracy rises without a better network; check right predictions too.
    """
    from workbench.app.relabel import Relabeling, describe_fixes
    from workbench.runs.folder import find_run

    if sum((label is not None, exclude, undo, as_list)) != 1 or bool(images) == as_list:
        raise UserError(
            "Name images and one of --label L, --exclude or --undo; or only --list.",
            f"Their names: {command_line(workspace, 'analyze', safe_text(run))}",
        )
    if label == "":
        raise UserError("--label is empty.", "To exclude images: --exclude")
    relabeling = Relabeling(workspace, find_run(workspace, run))
    if undo:
        echo(f"Removed: {plural(relabeling.undo(images), 'fix', 'fixes')}.")
    elif not as_list:
        rows = relabeling.find(images)
        if already := len(rows) - relabeling.relabel(rows, label or ""):
            echo(f"Already labelled {safe_text(label)} in the data: {plural(already, 'image')}.")
    entries = relabeling.entries()
    if as_list and entries:
        echo(table(("now", "file"), [(one.label or "excluded", one.path) for one in entries]))
    echo(f"{safe_text(relabeling.path, 1000)}: {describe_fixes(entries)}.")
    if entries and not as_list:
        echo(f"Train on it: {command_line(workspace, 'train', '--corrected', run)}")
