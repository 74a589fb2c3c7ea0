"""Options that several commands share: which experiment is meant, when it is its turn."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.complete import complete_keys, complete_presets, complete_sources
from workbench.cli.paths import GivenPath
from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.text import safe_text

if TYPE_CHECKING:
    from workbench.experiment.spec import ExperimentSpec

GPU_KEY = "training.gpu"
OOM_KEY = "training.out_of_memory"

gpu_option = click.option(
    "--gpu",
    metavar="N|auto|none",
    help="GPU as nvidia-smi counts; auto: the freest; none: the CPU.",
)

oom_option = click.option(
    "--oom",
    type=click.Choice(["retry", "stop"]),
    help="Out of memory: retry goes on by itself with half the batch, stop ends the run.",
)

on_finish_option = click.option(
    "--on-finish",
    metavar="CMD",
    help="Shell command that the worker runs when the run has ended, however it ends.",
)

_OPTIONS = (
    click.argument("file", metavar="[SPEC]", required=False, type=GivenPath()),
    click.option(
        "--preset",
        shell_complete=complete_presets,
        metavar="NAME",
        help="Start from a preset instead of a file (see `workbench presets`).",
    ),
    click.option(
        "--data",
        "source",
        shell_complete=complete_sources,
        metavar="PATH|NAME",
        help="Images: a path or a catalogue set.",
    ),
    click.option(
        "--set",
        "settings",
        multiple=True,
        shell_complete=complete_keys,
        metavar="KEY=VALUE",
        help="Change any key.",
    ),
    click.option("--base", metavar="NAME", help="Pretrained network: vgg16, mobilenetv2-0.35, ..."),
    click.option("--weights", metavar="imagenet|random|FILE", help="Weights of the base."),
    gpu_option,
    oom_option,
    click.option("--name", help="Name of the run's folder."),
)

queue_option = click.option(
    "--queue", is_flag=True, help="Wait for the runs that are training or queued here."
)


@dataclass(frozen=True)
class Given:
    """Which experiment a command line means."""

    file: Path | None
    preset: str | None
    source: str | None
    settings: tuple[str, ...]
    base: str | None
    weights: str | None
    name: str | None

    def spec(self, workspace: Workspace) -> "ExperimentSpec":
        """The checked spec; images of the catalogue are fetched where they are missing.

        Raises:
            UserError: there is no such experiment, or it cannot be.
        """
        from workbench.cli.sources import file_spec, preset_spec

        rest = (self.source, self.settings, self.name, self.base, self.weights)
        if self.file is not None and self.preset is None:
            _refuse_folder(self.file)
            return file_spec(workspace, self.file, *rest)
        if self.preset is not None and self.file is None:
            return preset_spec(workspace, self.preset, *rest)
        raise UserError(
            "Give either a spec file or --preset NAME.",
            "workbench train spec.toml, or workbench train --preset convnet --data FOLDER",
        )


def with_given(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options, and what they say as its second argument."""

    @functools.wraps(command)
    def choose(
        workspace: Workspace,
        file: Path | None,
        preset: str | None,
        source: str | None,
        settings: tuple[str, ...],
        base: str | None,
        weights: str | None,
        gpu: str | None,
        oom: str | None,
        name: str | None,
        **rest: Any,
    ) -> None:
        settings += shortcuts(gpu, oom)
        given = Given(file, preset, source, settings, base, weights, name)
        command(workspace, given, **rest)

    for option in reversed(_OPTIONS):
        choose = option(choose)
    return choose


def with_spec(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options, and the checked spec as its second argument."""

    @functools.wraps(command)
    def choose(workspace: Workspace, given: Given, **rest: Any) -> None:
        command(workspace, given.spec(workspace), **rest)

    return with_given(choose)


def shortcuts(gpu: str | None, oom: str | None) -> tuple[str, ...]:
    """Options that stand for keys of the spec, as settings."""
    told = {GPU_KEY: gpu, OOM_KEY: oom}
    return tuple(f"{key}={value}" for key, value in told.items() if value is not None)


def finish_environment(command: str | None) -> dict[str, str]:
    """The variables by which a worker knows what to run at its end."""
    from workbench.runs.process import ON_FINISH

    return {ON_FINISH: command} if command else {}


def _refuse_folder(file: Path) -> None:
    if file.is_dir():
        raise UserError(
            f"{safe_text(file)} is a folder, not a spec.",
            f"To train on images in it: workbench train --preset convnet --data {safe_text(file)}",
        )
