"""`workbench data`: inspect images before training; keep the data folder small."""

from dataclasses import dataclass

import click

from workbench.cli.complete import (
    complete_catalogue,
    complete_datasets,
    complete_sources,
)
from workbench.cli.group import command_line, in_workspace
from workbench.cli.options import (
    group_option,
    json_option,
)
from workbench.cli.output import echo, echo_json, progress_bar
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.text import format_bytes, pad_cells, plural, safe_text, table
from workbench.words import shown


@dataclass(frozen=True)
class PackUse:
    """The pack that a run uses, its data set, and whether the run still needs it."""

    run: str
    dataset: str
    pack: str
    unfinished: bool


@click.group()
def data() -> None:
    """Scan, list, fetch and clean image data."""


@data.command()
@click.argument("source", metavar="PATH|NAME", shell_complete=complete_sources)
@click.option(
    "--all", "show_all", is_flag=True, help="Name every class, and every file of every finding."
)
@group_option
@json_option
@in_workspace
def scan(
    workspace: Workspace, source: str, show_all: bool, group: str | None, as_json: bool
) -> None:
    """Scan every image: classes, sizes, damaged files, duplicates, unusual formats.

    With --group the groups are listed that a training with this pattern would keep together.

    No image is changed. Files that cannot be used are listed, and training ignores them. What is
    decoded is kept for a training in the recommended size, until `data clean`.
    """
    from workbench.cli.sources import resolve_source
    from workbench.datasets.prepare import inspect

    path = resolve_source(workspace, source)
    with progress_bar() as progress:
        found = inspect(path, workspace, progress, group or "")
    if as_json:
        click.echo(found.to_json())
        return
    for line in found.lines(every_class=show_all):
        echo(line)
    if not found.findings:
        echo(tr("no problems found"))
    elif show_all:
        for finding in found.findings:
            echo(f"\n{shown(finding.severity)}: {finding.message}")
            for files in finding.groups or tuple((file,) for file in finding.files):
                echo("  " + "   ".join(safe_text(file, 1000) for file in files))
    else:
        every = command_line(workspace, "data", "scan", source, "--all")
        echo(tr("All files: {every}", every=every))


@data.command("list")
@json_option
@in_workspace
def list_command(workspace: Workspace, as_json: bool) -> None:
    """List the data sets: images, size on disk, runs that use them."""
    from workbench.datasets.store import list_datasets

    found = list_datasets(workspace)
    users: dict[str, list[str]] = {}
    for use in pack_uses(workspace):
        users.setdefault(use.dataset, []).append(use.run)
    if as_json:
        values = [
            {
                "name": d.name,
                "source": d.source,
                "kind": d.kind,
                "images": d.images,
                "classes": d.classes,
                "packs": d.packs,
                "features": d.features,
                "runs": users.get(d.name, []),
            }
            for d in found
        ]
        echo_json(values)
        return
    if not found:
        echo(tr("No data sets yet in {data}.", data=safe_text(workspace.data)))
        echo(tr("Scan one: workbench data scan FOLDER    Download one: workbench data get"))
        return
    rows = [
        (
            d.name,
            "-" if d.images is None else f"{d.images:,}",
            "-" if d.classes is None else d.classes,
            format_bytes(sum(d.packs.values()) + sum(d.features.values())),
            len(users.get(d.name, [])),
            d.source,
        )
        for d in found
    ]
    echo(
        table(
            (tr("name"), tr("images"), tr("classes"), tr("on disk"), tr("runs"), tr("source")),
            rows,
            "lrrrr",
        )
    )


@data.command()
@click.argument("name", shell_complete=complete_datasets)
@in_workspace
def show(workspace: Workspace, name: str) -> None:
    """Show a data set: its source, its packs and their runs, the result of the scan."""
    from workbench.datasets.sources.source import kind_title
    from workbench.datasets.store import describe

    summary, audit = describe(workspace, name)
    kind = kind_title(summary.kind) if summary.kind else tr("fetched")
    uses = [use for use in pack_uses(workspace) if use.dataset == name]
    echo(f"{summary.name}: {safe_text(summary.source, 1000)} ({kind})")
    for pack, size in summary.packs.items():
        runs = [use.run for use in uses if use.pack == pack]
        used = tr("used by {runs}", runs=", ".join(runs)) if runs else tr("used by no run")
        echo(f"{pack}  {format_bytes(size)}  {used}")
    if summary.features:
        total = format_bytes(sum(summary.features.values()))
        echo(
            tr(
                "{files} of cached features  {total}",
                files=plural(len(summary.features), "file"),
                total=total,
            )
        )
    for line in audit.lines() if audit else [tr("not scanned yet")]:
        echo(line)


@data.command()
@click.argument("name", required=False, shell_complete=complete_datasets)
@click.option("--scan", "scan_too", is_flag=True, help="Also remove the result of the scan.")
@in_workspace
def clean(workspace: Workspace, name: str | None, scan_too: bool) -> None:
    """Remove packs and cached features that no unfinished run needs, of one data set or all.

    They are made again when needed. Images are never touched.
    """
    from workbench.datasets.store import clean as clean_dataset
    from workbench.datasets.store import list_datasets

    needed = {use.pack for use in pack_uses(workspace) if use.unfinished}
    names = [name] if name else [d.name for d in list_datasets(workspace)]
    freed = 0
    for each in names:
        cleaned = clean_dataset(workspace, each, keep=needed, scan=scan_too)
        freed += cleaned.freed
        for file in cleaned.removed:
            echo(tr("removed {file}", file=f"{each}/{safe_text(file)}"))
    kept = (
        tr("; {packs} kept for unfinished runs", packs=plural(len(needed), "pack"))
        if needed
        else ""
    )
    echo(tr("{freed} freed{kept}", freed=format_bytes(freed), kept=kept))


@data.command()
@click.argument("name", required=False, shell_complete=complete_catalogue)
@in_workspace
def get(workspace: Workspace, name: str | None) -> None:
    """Download a set of the catalogue; without a name, list the catalogue."""
    from workbench.datasets.sources.catalogue import CATALOGUE, fetch

    if name is None:
        for key, entry in CATALOGUE.items():
            size = format_bytes(entry.download_size) if entry.files else tr("no download")
            images = pad_cells(plural(entry.images, "image"), 13, "r")
            classes = pad_cells(plural(len(entry.classes), "class", "classes"), 10, "r")
            echo(f"{key:<14} {pad_cells(size, 11, 'r')}  {images}, {classes}")
            echo(f"{'':<14} {entry.about}")
            for check in dict.fromkeys(file.verification for file in entry.files):
                echo(f"{'':<14} " + tr("checked: {check}", check=check))
        return
    with progress_bar() as progress:
        path = fetch(name, workspace, progress)
    echo(f"{name}: {safe_text(path, 1000)}")
    echo(
        tr(
            "Train on it: {command} --data {name}",
            command=command_line(workspace, "train", "--preset", "convnet"),
            name=name,
        )
    )


def pack_uses(workspace: Workspace) -> list[PackUse]:
    """Return which run uses which pack, from the logs of the runs."""
    from workbench.runs.event_log import EventReader
    from workbench.runs.folder import list_runs
    from workbench.runs.history import fold

    uses = []
    for folder in list_runs(workspace):
        history = fold(EventReader(folder.events_path).drain())
        dataset, pack = history.data.name, history.data.pack
        if dataset and pack:
            unfinished = history.phase != "finished"
            uses.append(PackUse(folder.name, dataset, pack, unfinished))
    return uses
