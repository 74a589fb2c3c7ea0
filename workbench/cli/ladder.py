"""`workbench ladder`: a fixed sweep over the strategies."""

import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workbench.cli.complete import complete_ladders, complete_preset_lists
from workbench.cli.group import command_line, in_workspace
from workbench.cli.options import (
    base_options,
    by_option,
    data_option,
    examples,
    json_option,
    set_option,
    slurm_options,
    with_worker,
)
from workbench.cli.output import echo, echo_json, progress_bar
from workbench.cli.plan import measured_speed
from workbench.cli.slurm import asked_job
from workbench.cli.sweep_control import resume_trials, start_trials, stop_trials
from workbench.errors import UserError
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.text import fill_cells, format_accuracy, format_interval, table
from workbench.words import shown

if TYPE_CHECKING:
    from workbench.app.ladder import LadderRow
    from workbench.cli.slurm import Job
    from workbench.experiment.spec import ExperimentSpec
    from workbench.runs.sweep import Sweep

    NamedSpecs = Sequence[tuple[str, ExperimentSpec]]


@click.command(
    epilog=examples(
        "workbench ladder --data photos",
        "workbench ladder --data photos --by 07:00",
        "workbench ladder photos-ladder-1",
        "workbench ladder photos-ladder-1 --stop",
    )
)
@click.argument("name", required=False, shell_complete=complete_ladders)
@data_option("Start a ladder on these images.")
@click.option(
    "--presets",
    shell_complete=complete_preset_lists,
    metavar="A,B,...",
    help="Other strategies than the default ones, in order.",
)
@base_options[0]
@base_options[1]
@set_option(
    "Change a key in every run; keys of [base] in those that have one, "
    "of steps in those that take any."
)
@click.option("--detach", is_flag=True, help="With --data or --resume: return at once.")
@click.option("--watch", "watching", is_flag=True, help="Watch a ladder again.")
@click.option("--stop", "stopping", is_flag=True, help="Stop all of it.")
@click.option("--resume", "resuming", is_flag=True, help="Queue again what is not finished.")
@by_option
@slurm_options[0]
@slurm_options[1]
@json_option
@in_workspace
@with_worker
def ladder(
    workspace: Workspace,
    name: str | None,
    source: str | None,
    presets: str | None,
    base: str | None,
    weights: str | None,
    settings: tuple[str, ...],
    detach: bool,
    watching: bool,
    stopping: bool,
    resuming: bool,
    by: str | None,
    slurm: str | None,
    slurm_set: tuple[str, ...],
    as_json: bool,
    environment: dict[str, str],
) -> None:
    """Train every strategy, from a dense network to fine-tuning, on your images.

    All runs are queued at once and outlive the terminal; with only a name, show the table so far.
    With --by the time is divided among them by their estimates; training.time_budget is of each.
    With --slurm they are the tasks of one array job, and --by is of each.
    """
    from workbench.app.ladder import describe_lead, read_rows
    from workbench.runs.sweep import find_sweep, run_folders
    from workbench.runs.sweep_record import LADDER, list_names

    if sum((source is not None, watching, stopping, resuming)) > 1:
        raise UserError(tr("Give one of --data, --watch, --stop and --resume."))
    if source is None and (presets or base or weights or settings):
        raise UserError(
            tr("--presets, --base, --weights and --set belong to a new ladder: --data.")
        )
    if by is not None and source is None and not resuming:
        raise UserError(tr("--by belongs to a new ladder, --data, or to --resume."))
    if (slurm is not None or slurm_set) and source is None and not resuming:
        raise UserError(tr("--slurm belongs to a new ladder, --data, or to --resume."))
    if source is None and name is None:
        known = ", ".join(list_names(workspace, LADDER))
        raise UserError(
            tr("Give --data for a new ladder, or the name of one."),
            tr("There are: {known}", known=known) if known else "workbench ladder --data FOLDER",
        )
    if source is not None:
        job = asked_job(slurm, slurm_set)
        specs = ladder_specs(workspace, source, presets, base, weights, settings)
        fitted = _specs_by(specs, by, together=job is not None)
        chosen = _start_new(workspace, name, fitted, environment, job)
    else:
        chosen = find_sweep(workspace, str(name), LADDER)
    if stopping:
        stop_trials(workspace, chosen)
    elif resuming:
        job = asked_job(slurm, slurm_set, run_folders(workspace, chosen))
        changed = _changed(workspace, chosen, by, together=job is not None)
        resume_trials(workspace, chosen, environment, changed, job)
    if (source or resuming or watching) and not detach and not as_json:
        _watch(workspace, chosen)
    chosen = find_sweep(workspace, chosen.name, LADDER)  # runs were made meanwhile
    rows = read_rows(workspace, chosen)
    if as_json:
        echo_json({"name": chosen.name, "rungs": [asdict(row) for row in rows]})
        return
    echo(ladder_table(rows, describe_lead(workspace, rows)))
    if any(row.state not in ("finished", "gone") for row in rows):
        echo(
            tr(
                "\nThis table again: {command}",
                command=command_line(workspace, "ladder", chosen.name),
            )
        )


def ladder_specs(
    workspace: Workspace,
    source: str,
    presets: str | None,
    base: str | None,
    weights: str | None,
    settings: tuple[str, ...],
) -> "list[tuple[str, ExperimentSpec]]":
    """Return preset and validated spec of each strategy.

    Raises:
        UserError: no such images or preset, or a setting that a strategy, which is named, does
            not allow.
    """
    from workbench.cli.sources import preset_spec
    from workbench.experiment.linear_probe import NOT_IN_PROBE
    from workbench.experiment.presets import LADDER

    names = [name.strip() for name in presets.split(",")] if presets else list(LADDER)
    specs = []
    for preset in names:
        pretrained = _has_base(preset)
        fitting = [s for s in settings if pretrained or not s.startswith("base.")]
        if preset == "linear-probe":  # which takes no steps
            fitting = [s for s in fitting if s.partition("=")[0].strip() not in NOT_IN_PROBE]
        chosen = (base, weights) if pretrained else (None, None)
        try:
            spec = preset_spec(workspace, preset, source, tuple(fitting), None, *chosen)
        except UserError as error:
            raise UserError(
                tr("strategy {preset}: {message}", preset=preset, message=error.message), error.hint
            ) from None
        specs.append((preset, spec))
    return specs


def _has_base(preset: str) -> bool:
    from workbench.experiment.presets import BOOK_FACTS, PRESETS

    return preset in PRESETS and "base" in PRESETS[preset].build(BOOK_FACTS)


def _specs_by(specs: "NamedSpecs", by: str | None, together: bool = False) -> "NamedSpecs":
    """Return the specs with the deadlines that follow from --by.

    Those that are trained together, each on a device of its own, have all the time.

    Raises:
        UserError: it is no time in the future, or too early for all of them.
    """
    from workbench.app.ladder import specs_by
    from workbench.datasets.prepare import survey
    from workbench.experiment.deadline import parse_moment
    from workbench.experiment.resuming import with_deadline

    if by is None or not specs:
        return specs
    now = time.time()
    at = parse_moment(by, now)
    if at is None or together:
        return [(name, with_deadline(spec, at)) for name, spec in specs]
    first = specs[0][1]
    measured = measured_speed(first.training)
    return specs_by(specs, survey(first.data.source), measured, at, now)


def _start_new(
    workspace: Workspace,
    name: str | None,
    specs: "NamedSpecs",
    environment: dict[str, str],
    job: "Job | None",
) -> "Sweep":
    from workbench.app.draft import data_stem
    from workbench.app.ladder import prepare_ladder

    with progress_bar() as progress:
        data = data_stem(workspace, Path(specs[0][1].data.source))
        variables = {**os.environ, **environment}
        made = prepare_ladder(
            workspace, name, data, specs, progress, variables, submitted=job is not None
        )
    start_trials(workspace, made, environment, job)
    return made


def _changed(
    workspace: Workspace, chosen: "Sweep", by: str | None, together: bool
) -> "dict[int, ExperimentSpec] | None":
    """Return the specs of a ladder's unfinished runs with a new deadline; None without --by."""
    from workbench.runs.sweep import describe_trial, pending_specs

    if by is None:
        return None
    specs = pending_specs(workspace, chosen)
    named = [(describe_trial(chosen.trials[at]), spec) for at, spec in specs.items()]
    changed = _specs_by(named, by, together)
    return {at: spec for at, (_, spec) in zip(specs, changed, strict=True)}


def _watch(workspace: Workspace, chosen: "Sweep") -> None:
    """Watch the runs in their order; Ctrl-C ends the watching, never a run."""
    from workbench.cli.follow import watch
    from workbench.runs.folder import RunFolder
    from workbench.runs.state import ENDED
    from workbench.runs.summary import summarize
    from workbench.runs.sweep import find_sweep
    from workbench.runs.sweep_queue import advance
    from workbench.runs.sweep_record import LADDER

    for at in range(len(chosen.trials)):
        advance(workspace, chosen.record)  # in case its workers were killed
        now = find_sweep(workspace, chosen.name, LADDER)
        folder = RunFolder(workspace.runs / now.trials[at].run)
        if not now.trials[at].run or summarize(folder).state.phase in ENDED:
            continue
        echo(
            tr(
                "run    {folder_name} ({number} of {count}); Ctrl-C detaches from all of them",
                folder_name=folder.name,
                number=at + 1,
                count=len(chosen.trials),
            )
        )
        try:
            kind = watch(workspace, folder, as_json=False, brief=True)
        except UserError as error:  # of this run; the others continue
            echo(f"{error}\n")
            continue
        if kind == "detached":
            again = command_line(workspace, "ladder", chosen.name)
            echo(
                tr("The whole ladder: {again} (also with --watch, --stop)\n", again=again), err=True
            )
            return
        echo("")


def ladder_table(rows: "Sequence[LadderRow]", lead: str = "") -> str:
    """Format the strategies side by side with reference accuracies, then notes on them.

    The notes begin with `lead`: whether the best is ahead of the next by more than chance.
    """
    from workbench.app.ladder import format_reference, ladder_notes

    headers = (
        tr("strategy"),
        tr("accuracy"),
        tr("95 % interval"),
        tr("seconds"),
        tr("book"),
        tr("readers"),
    )
    cells = [
        (
            row.preset + (" " + tr("(random)") if row.random_weights else ""),
            shown(row.state) if row.accuracy is None else format_accuracy(row.accuracy),
            format_interval(row.interval),
            "-" if row.seconds is None else f"{row.seconds:,.0f}",
            format_reference(row.book),
            format_reference(row.readers),
        )
        for row in rows
    ]
    notes = [
        *([lead] if lead else []),
        *ladder_notes(rows),
        tr("runs:") + " " + ", ".join(row.run for row in rows if row.run),
    ]
    noted = ("failed", "interrupted", "finished", "waiting")
    notes += [f"{row.run}: {row.detail}" for row in rows if row.detail and row.state in noted]
    wrapped = [fill_cells(note, 79, break_on_hyphens=False) for note in notes]
    return "\n".join([table(headers, cells, "lrrrrr"), "", *wrapped])
