"""Options that several commands share: which experiment is meant, when it is its turn."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from workbench.cli.complete import complete_keys, complete_presets, complete_sources
from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.text import safe_text

GPU_KEY = "training.gpu"

gpu_option = click.option(
    "--gpu",
    metavar="N|auto|none",
    help="GPU as nvidia-smi counts; auto: the freest; none: the CPU.",
)

_OPTIONS = (
    click.argument("file", metavar="[SPEC]", required=False, type=click.Path(path_type=Path)),
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
    click.option("--name", help="Name of the run's folder."),
)

queue_option = click.option(
    "--queue", is_flag=True, help="Wait for the runs that are training or queued here."
)


def with_spec(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options, and the checked spec as its second argument."""

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
        name: str | None,
        **rest: Any,
    ) -> None:
        from workbench.cli.sources import file_spec, preset_spec

        if gpu is not None:
            settings = (*settings, f"{GPU_KEY}={gpu}")
        if file is not None and preset is None:
            _refuse_folder(file)
            spec = file_spec(workspace, file, source, settings, name, base, weights)
        elif preset is not None and file is None:
            spec = preset_spec(workspace, preset, source, settings, name, base, weights)
        else:
            raise UserError(
                "Give either a spec file or --preset NAME.",
                "workbench train spec.toml, or workbench train --preset convnet --data FOLDER",
            )
        command(workspace, spec, **rest)

    for option in reversed(_OPTIONS):
        choose = option(choose)
    return choose


def _refuse_folder(file: Path) -> None:
    if file.is_dir():
        raise UserError(
            f"{safe_text(file)} is a folder, not a spec.",
            f"To train on images in it: workbench train --preset convnet --data {safe_text(file)}",
        )
