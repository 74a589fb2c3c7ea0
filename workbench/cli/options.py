"""Arguments and options of several commands."""

import functools
import json
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.complete import (
    Complete,
    complete_bases,
    complete_job_settings,
    complete_keys,
    complete_presets,
    complete_profiles,
    complete_runs,
    complete_sources,
)
from workbench.errors import UserError
from workbench.experiment.group_pattern import EXAMPLE
from workbench.experiment.int_range import GPU_SHARE
from workbench.messages import tr
from workbench.paths import Workspace, parse_path
from workbench.text import safe_text

if TYPE_CHECKING:
    from workbench.experiment.spec import ExperimentSpec

Option = Callable[[Callable[..., Any]], Callable[..., Any]]  # a decorator

GPU_KEY = "training.gpu"
OOM_KEY = "training.out_of_memory"
GROUP_KEY = "data.group"


class PathArgument(click.Path):
    """A path: typed, in quotes, with backslashes, or a file:// address (see `parse_path`).

    Args:
        new: True for a path that is to be created.
        dir_okay: False to refuse a folder.
    """

    def __init__(self, new: bool = False, dir_okay: bool = True) -> None:
        super().__init__(dir_okay=dir_okay)
        self.new = new

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path that is meant."""
        path = parse_path(value, new=self.new)
        super().convert(str(path), param, ctx)  # refuses an invalid path
        return path


def examples(*lines: str) -> str:
    """Return an epilog with commands to copy, one per line."""
    return "\b\n" + "\n".join(lines)


run_argument = click.argument("run", shell_complete=complete_runs)
latest_argument = click.argument("run", default="latest", shell_complete=complete_runs)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
notify_option = click.option(
    "--notify",
    metavar="COMMAND",
    help="A shell command at the run's end, with $WORKBENCH_RUN and $WORKBENCH_STATE; default: "
    "notifications.command of the settings.",
)
mirror_option = click.option(
    "--mirror/--no-mirror",
    default=None,
    help="Average the probabilities of each image and its mirror image. Default: as in the spec.",
)
base_options = (
    click.option(
        "--base",
        metavar="NAME",
        shell_complete=complete_bases,
        help="Pretrained network; `workbench bases` lists them.",
    ),
    click.option("--weights", metavar="imagenet|random|FILE", help="Weights of the base."),
)


def data_option(help_text: str) -> Option:
    """Return the option --data."""
    return click.option(
        "--data", "source", shell_complete=complete_sources, metavar="PATH|NAME", help=help_text
    )


def set_option(help_text: str, complete: Complete = complete_keys) -> Option:
    """Return the option --set."""
    return click.option(
        "--set", "settings", multiple=True, shell_complete=complete, metavar="KEY=VALUE",
        help=help_text,
    )  # fmt: skip


gpu_option = click.option(
    "--gpu",
    metavar="N|auto|none",
    help="GPU as nvidia-smi counts; auto: the freest; none: the CPU.",
)

oom_option = click.option(
    "--oom",
    type=click.Choice(["retry", "stop"]),
    help="Out of memory: retry continues with half the batch, stop ends the run.",
)

group_option = click.option(
    "--group",
    metavar="PATTERN",
    help="Keep images with the same group on one side of a split: a pattern over their paths, "
    f"such as '{EXAMPLE}'.",
)

by_option = click.option(
    "--by",
    metavar="TIME",
    help="Be finished by then, with fewer epochs if needed: 07:00, 2026-12-01T07:00, or never.",
)


_OPTIONS = (
    click.argument("file", metavar="[SPEC]", required=False, type=PathArgument()),
    click.option(
        "--preset",
        shell_complete=complete_presets,
        metavar="NAME",
        help="Start from a preset instead of a file (see `workbench presets`).",
    ),
    data_option("Images: a path or a catalogue set."),
    set_option("Change any key."),
    *base_options,
    group_option,
    gpu_option,
    oom_option,
    click.option("--name", help="Name of the run's folder."),
)

queue_option = click.option(
    "--queue", is_flag=True, help="Wait for a GPU, or without one for the CPU, that no run uses."
)

_WORKER_OPTIONS = (
    click.option("--gpus", metavar="N,N,...", help="GPUs that may be used, as nvidia-smi counts."),
    click.option(
        "--gpu-share",
        type=click.IntRange(GPU_SHARE.min, GPU_SHARE.max),
        help="Let that many queued runs use a GPU at the same time.",
    ),
    click.option(
        "--wait/--no-wait",
        default=None,
        help="Queue the run, also for a GPU whose memory others hold; with --queue --no-wait it "
        "ends instead.",
    ),
    click.option(
        "--on-finish",
        metavar="CMD",
        help="Shell command that the worker runs at the end of the run, finished or not.",
    ),
)


slurm_options = (
    click.option(
        "--slurm",
        metavar="[PROFILE]",
        is_flag=False,
        flag_value="",
        shell_complete=complete_profiles,
        help="Submit a job to SLURM; `workbench slurm` lists the profiles.",
    ),
    click.option(
        "--slurm-set",
        multiple=True,
        metavar="KEY=VALUE",
        shell_complete=complete_job_settings,
        help="Of the job: partition, gres, time, at_once, command, or line for an #SBATCH line.",
    ),
)


@dataclass(frozen=True)
class ExperimentOptions:
    """The experiment that the options of a command describe."""

    file: Path | None
    preset: str | None
    source: str | None
    settings: tuple[str, ...]
    base: str | None
    weights: str | None
    name: str | None

    def spec(self, workspace: Workspace) -> "ExperimentSpec":
        """Return the validated spec; missing images of the catalogue are downloaded.

        Raises:
            UserError: there is no such experiment, or it is invalid.
        """
        from workbench.cli.sources import file_spec, preset_spec

        rest = (self.source, self.settings, self.name, self.base, self.weights)
        if self.file is not None and self.preset is None:
            _refuse_folder(self.file)
            return file_spec(workspace, self.file, *rest)
        if self.preset is not None and self.file is None:
            return preset_spec(workspace, self.preset, *rest)
        images = "FOLDER" if self.source is None else shlex.quote(safe_text(self.source))
        raise UserError(
            tr("Give either a spec file or --preset NAME."),
            tr(
                "Of photographs: workbench train --preset linear-probe --data {images}\n"
                "Of drawings such as digits: --preset convnet. All: workbench presets",
                images=images,
            ),
        )


def with_experiment(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options, and an ExperimentOptions as its second argument."""

    @functools.wraps(command)
    def with_options(
        workspace: Workspace,
        group: str | None,
        gpu: str | None,
        oom: str | None,
        **options: Any,
    ) -> None:
        values = {field.name: options.pop(field.name) for field in fields(ExperimentOptions)}
        given = ExperimentOptions(**values)
        given = replace(given, settings=given.settings + shortcuts(gpu, oom, group))
        command(workspace, given, **options)

    wrapped: Callable[..., None] = with_options
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def with_spec(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options, and the validated spec as its second argument."""

    @functools.wraps(command)
    def with_options(workspace: Workspace, given: ExperimentOptions, **rest: Any) -> None:
        command(workspace, given.spec(workspace), **rest)

    return with_experiment(with_options)


def shortcuts(gpu: str | None, oom: str | None, group: str | None = None) -> tuple[str, ...]:
    """Return the settings that --gpu, --oom and --group stand for."""
    quoted = (
        None if group is None else json.dumps(group, ensure_ascii=False)
    )  # TOML might take it for something else
    values = {GPU_KEY: gpu, OOM_KEY: oom, GROUP_KEY: quoted}
    return tuple(f"{key}={value}" for key, value in values.items() if value is not None)


def deadline_shortcut(by: str | None) -> tuple[str, ...]:
    """Return the settings that --by stands for, now.

    Raises:
        UserError: it is not a time in the future.
    """
    from workbench.experiment.deadline import deadline_settings

    return deadline_settings(by, time.time())


def with_worker(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a worker, and the worker's variables as `environment`.

    --wait means --queue, of a command that has it.
    """

    @functools.wraps(command)
    def with_options(
        *positional: Any,
        gpus: str | None,
        gpu_share: int | None,
        wait: bool | None,
        on_finish: str | None,
        **options: Any,
    ) -> None:
        if wait and "queue" in options:
            options["queue"] = True
        environment = _worker_environment(gpus, gpu_share, wait, on_finish)
        command(*positional, environment=environment, **options)

    wrapped: Callable[..., None] = with_options
    for option in reversed(_WORKER_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def _worker_environment(
    gpus: str | None, share: int | None, wait: bool | None, on_finish: str | None
) -> dict[str, str]:
    """Return the variables of a worker.

    Raises:
        UserError: There is no such GPU, or it cannot be used.
    """
    from workbench.machine.device_finder import check_gpus, device_variables
    from workbench.runs.process import ON_FINISH

    finish = {ON_FINISH: on_finish} if on_finish else {}
    return finish | device_variables(check_gpus(gpus) if gpus is not None else (), share, wait)


def _refuse_folder(file: Path) -> None:
    if file.is_dir():
        raise UserError(
            tr("{file} is a folder, not a spec.", file=safe_text(file)),
            tr(
                "To train on images in it: workbench train --preset linear-probe --data {file}",
                file=safe_text(file),
            ),
        )
