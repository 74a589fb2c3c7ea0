"""`workbench train`: from a spec or a preset to a detached worker."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from workbench.cli.complete import complete_keys, complete_presets, complete_sources
from workbench.cli.group import command_line, in_workspace
from workbench.cli.show import progress_bar, say
from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.text import safe_text

if TYPE_CHECKING:
    from workbench.experiment.spec import ExperimentSpec
    from workbench.runs.folder import RunFolder


@click.command()
@click.argument("spec", required=False, type=click.Path(path_type=Path))
@click.option(
    "--preset",
    shell_complete=complete_presets,
    metavar="NAME",
    help="Start from a preset instead of a file (see `workbench presets`).",
)
@click.option(
    "--data",
    "source",
    shell_complete=complete_sources,
    metavar="PATH|NAME",
    help="Images: a path or a catalogue set.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    shell_complete=complete_keys,
    metavar="KEY=VALUE",
    help="Change any key.",
)
@click.option("--base", metavar="NAME", help="Pretrained network: vgg16, mobilenetv2-0.35, ...")
@click.option("--weights", metavar="imagenet|random|FILE", help="Weights of the base.")
@click.option("--name", help="Name of the run's folder.")
@click.option("--json", "as_json", is_flag=True, help="Print the events as they come.")
@click.option("--detach", is_flag=True, help="Start the run and return at once.")
@in_workspace
def train(
    workspace: Workspace,
    spec: Path | None,
    preset: str | None,
    source: str | None,
    settings: tuple[str, ...],
    base: str | None,
    weights: str | None,
    name: str | None,
    as_json: bool,
    detach: bool,
) -> None:
    """Train in a process of its own and watch it; Ctrl-C ends the watching only.

    \b
    workbench train --preset convnet --data photos
    workbench train spec.toml --set training.batch_size=64 --set training.epochs=5
    """
    from workbench.cli.sources import file_spec, preset_spec

    if (spec is None) == (preset is None):
        raise UserError(
            "Give either a spec file or --preset NAME.",
            "workbench train spec.toml, or workbench train --preset convnet --data FOLDER",
        )
    if spec is not None and spec.is_dir():
        raise UserError(
            f"{safe_text(spec)} is a folder, not a spec.",
            f"To train on images in it: workbench train --preset convnet --data {safe_text(spec)}",
        )
    if spec is not None:
        checked = file_spec(workspace, spec, source, settings, name, base, weights)
    else:
        checked = preset_spec(workspace, str(preset), source, settings, name, base, weights)
    start_run(workspace, checked, as_json, detach)


def start_run(workspace: Workspace, spec: "ExperimentSpec", as_json: bool, detach: bool) -> None:
    """Starts the run and watches it, unless detached."""
    from workbench.cli.follow import watch

    folder = launch_run(workspace, spec, _stem(workspace, spec))
    if detach:
        say(f"{folder.name} trains. Watch: {command_line(workspace, 'attach', folder.name)}")
        return
    if not as_json:
        say(f"run    {folder.name} ({spec.model.strategy}); Ctrl-C leaves it training")
    watch(workspace, folder, as_json)


def launch_run(workspace: Workspace, spec: "ExperimentSpec", stem: str) -> "RunFolder":
    """Makes the run's folder, named by the spec or else numbered, and starts its worker.

    Raises:
        UserError: the data is none that the workbench knows, or the name is taken; nothing has
            been made then.
    """
    from workbench.datasets.layout import recognise
    from workbench.experiment.toml import dump_spec
    from workbench.runs.folder import create_run, list_runs
    from workbench.runs.launch import launch
    from workbench.runs.lock import is_locked

    with progress_bar() as progress:
        recognise(spec.data.source, progress)
    for other in list_runs(workspace):
        if is_locked(other.lock_path):
            say(f"note   {other.name} is training here too; both will be slower", err=True)
    folder = create_run(workspace, dump_spec(spec), name=spec.name, stem=stem)
    launch(folder)
    return folder


def _stem(workspace: Workspace, spec: "ExperimentSpec") -> str:
    """What a nameless run is called after: its data, by the name people know it by."""
    source = Path(spec.data.source)
    if source.is_relative_to(workspace.data):  # a set of the catalogue: data/digits/source
        return source.relative_to(workspace.data).parts[0]
    return source.stem
