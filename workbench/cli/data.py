"""`workbench data`: look at images before training on them; keep the data folder small."""

import json
from pathlib import Path

import click

from workbench.cli.group import command_line, in_workspace
from workbench.cli.show import progress_bar, table
from workbench.paths import Workspace
from workbench.text import human_bytes, safe_text

FILES_SHOWN = 10  # of a finding, unless all are asked for


@click.group()
def data() -> None:
    """Scan, list, fetch and clean image data."""


@data.command()
@click.argument("source", metavar="PATH|NAME")
@click.option("--all", "show_all", is_flag=True, help="Name every file of every finding.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@in_workspace
def scan(workspace: Workspace, source: str, show_all: bool, as_json: bool) -> None:
    """Look at every image: classes, sizes, damaged files, duplicates, odd formats.

    Nothing is changed; what cannot be used is left out of training and listed here.
    """
    from workbench.cli.sources import find_source
    from workbench.datasets.prepare import scan_and_audit

    path = find_source(workspace, source)
    with progress_bar() as progress:
        found = scan_and_audit(path, workspace, progress)
    if as_json:
        click.echo(found.to_json())
        return
    for line in found.lines():
        click.echo(line)
    if show_all:
        for finding in found.findings:
            click.echo(f"\n{finding.message}")
            for group in finding.groups or tuple((file,) for file in finding.files):
                click.echo("  " + "   ".join(safe_text(file, 1000) for file in group))
    elif any(len(f.files) + len(f.groups) > 3 for f in found.findings):
        click.echo(f"Every file by name: {command_line(workspace, 'data', 'scan', source, '--all')}")


@data.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@in_workspace
def list_command(workspace: Workspace, as_json: bool) -> None:
    """List the data sets: size, images, which runs use them."""
    from workbench.datasets.store import list_datasets

    users = runs_by_data(workspace)
    found = list_datasets(workspace)
    if as_json:
        told = [{**d.as_dict(), "runs": users.get(d.name, [])} for d in found]
        click.echo(json.dumps(told, indent=1))
        return
    if not found:
        click.echo(f"No data sets yet in {workspace.data}. Look at one: workbench data scan FOLDER")
        return
    rows = [
        (
            d.name,
            f"{d.images:,}" if d.images else "-",
            d.classes or "-",
            human_bytes(d.bytes),
            _names(users.get(d.name, [])),
            d.source,
        )
        for d in found
    ]
    click.echo(table(("name", "images", "classes", "on disk", "runs", "source"), rows, "lrrr"))
