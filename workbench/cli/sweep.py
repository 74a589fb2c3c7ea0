"""`workbench sweep`: an experiment with several values and seeds, its runs queued together."""

import os
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stderr
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workbench.cli.complete import complete_keys
from workbench.cli.group import in_workspace
from workbench.cli.options import (
    ExperimentOptions,
    PathArgument,
    examples,
    json_option,
    slurm_options,
    with_experiment,
    with_worker,
)
from workbench.cli.output import echo, progress_bar
from workbench.cli.slurm import asked_job
from workbench.cli.sweep_control import resume_trials, start_trials, stop_trials
from workbench.cli.sweep_experiment import absolute, recorded, restored
from workbench.cli.sweep_output import print_best, print_search, print_sweep, watch_sweep
from workbench.errors import UserError
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.text import plural, safe_text

if TYPE_CHECKING:
    from workbench.cli.slurm import Job
    from workbench.experiment.variations import Settings
    from workbench.runs.sweep import Sweep, SweepTrial
    from workbench.runs.sweep_record import SweepRecord

MAX_SEEDS = 100


@click.command(
    epilog=examples(
        "workbench sweep spec.toml --vary training.learning_rate=1e-4,3e-4 --seeds 3",
        "workbench sweep --preset feature-extraction --data photos --vary model.dropout=0,0.5",
        "workbench sweep spec.toml --vary training.learning_rate=1e-5..1e-2 --random 20",
        "workbench sweep photos-sweep-1 --add --seeds 5",
        "workbench sweep photos-sweep-1 --best best.toml",
    )
)
@click.option(
    "--vary",
    "vary",
    multiple=True,
    metavar="KEY=A,B,...",
    shell_complete=complete_keys,
    help="Values of a key, or LOW..HIGH with --random. Several make a grid.",
)
@click.option("--table", type=PathArgument(), metavar="CSV", help="Trials: a column for each key.")
@click.option("--random", "count", type=click.IntRange(1), help="Draw so many trials from --vary.")
@click.option("--seeds", type=click.IntRange(1, MAX_SEEDS), help="Seeds of each trial.")
@click.option("--prune", type=click.Choice(["median"]), help="Stop hopeless runs by this rule.")
@click.option("--add", "adding", is_flag=True, help="Add trials or seeds to a sweep.")
@click.option("--detach", is_flag=True, help="Return at once.")
@click.option("--watch", "watching", is_flag=True, help="Watch a sweep again.")
@click.option("--stop", "stopping", is_flag=True, help="Stop all of it.")
@click.option("--resume", "resuming", is_flag=True, help="Queue again what is not finished.")
@click.option(
    "--best", type=PathArgument(new=True), metavar="FILE", help="Write the best spec (- prints it)."
)
@slurm_options[0]
@slurm_options[1]
@json_option
@in_workspace
@with_worker
@with_experiment
def sweep(
    workspace: Workspace,
    given: ExperimentOptions,
    vary: tuple[str, ...],
    table: Path | None,
    count: int | None,
    seeds: int | None,
    prune: str | None,
    adding: bool,
    detach: bool,
    watching: bool,
    stopping: bool,
    resuming: bool,
    best: Path | None,
    slurm: str | None,
    slurm_set: tuple[str, ...],
    as_json: bool,
    environment: dict[str, str],
) -> None:
    """Train an experiment with several values, and compare them over seeds.

    All runs are queued and outlive the terminal; with only its name, a sweep shows its table. By
    default every combination of --vary is a trial. Trials are ranked on validation images.

    With --slurm the runs are the tasks of one array job; --add submits the new ones as another.

    With --prune median a run stops after an epoch if its best validation value is below the median
    of the running averages of the finished runs, three at least (Golovin et al. 2017).
    """
    from workbench.runs.sweep import Sweep, run_folders
    from workbench.runs.sweep_record import TUNE

    if sum((adding, watching, stopping, resuming, best is not None)) > 1:
        raise UserError(tr("Give one of --add, --watch, --stop, --resume and --best."))
    old = adding or watching or stopping or resuming or best is not None
    described = bool(vary or table or count or seeds)
    new = not old and described
    if described and not new and not adding:
        raise UserError(tr("--vary, --table, --random and --seeds belong to a new sweep or --add."))
    if prune and not new:
        raise UserError(tr("--prune belongs to a new sweep."))
    if (slurm is not None or slurm_set) and not (new or adding or resuming):
        raise UserError(tr("--slurm belongs to a new sweep, --add or --resume."))
    if new:
        job = asked_job(slurm, slurm_set)
        settings = _trials(vary, table, count, [])
        chosen = _start_new(workspace, given, settings, seeds or 1, prune or "", environment, job)
    else:
        record = _find(workspace, given)
        if record.kind == TUNE:
            if adding or stopping or resuming or watching:
                raise UserError(
                    tr("{name} is a search of tune.", name=record.name),
                    tr("The same `workbench tune` goes on with it; more --trials add to it."),
                )
            print_search(workspace, record, best, as_json)
            return
        chosen = Sweep.read(workspace, record)
        job = asked_job(slurm, slurm_set, run_folders(workspace, chosen))
    if adding:
        _add(workspace, chosen, (vary, table, count), seeds, environment, job)
    elif stopping:
        stop_trials(workspace, chosen)
    elif resuming:
        resume_trials(workspace, chosen, environment, job=job)
    if best is not None:
        print_best(workspace, chosen, best)
        return
    if (new or adding or resuming or watching) and not detach and not as_json:
        watch_sweep(workspace, chosen)
    print_sweep(workspace, chosen, as_json)


def _find(workspace: Workspace, given: ExperimentOptions) -> "SweepRecord":
    """Return the record of the sweep that is named instead of a spec.

    Raises:
        UserError: There is none, or an experiment was given too.
    """
    from workbench.runs.sweep_record import SWEEP, TUNE, find_record, list_names

    others = (given.preset, given.source, given.settings, given.base, given.weights, given.name)
    if given.preset or (given.file and given.file.suffix == ".toml" and given.file.is_file()):
        raise UserError(
            tr("Nothing is varied in {name}.", name=safe_text(given.file or given.preset)),
            tr("Such as: --vary training.learning_rate=1e-4,1e-3 --seeds 3"),
        )
    if given.file is None:
        known = ", ".join(list_names(workspace, SWEEP, TUNE))
        raise UserError(
            tr("Name a sweep, or an experiment and what to --vary in it."),
            tr("There are: {known}", known=known) if known else "",
        )
    if any(others):
        raise UserError(tr("A sweep keeps its own experiment; only its trials can be added to."))
    name = str(given.file)
    return find_record(workspace, name, SWEEP, TUNE)


def _trials(
    vary: Sequence[str], table: Path | None, count: int | None, known: "Sequence[Settings]"
) -> "list[Settings]":
    """Return the trials that the options describe; one as given without any.

    Raises:
        UserError: They describe none, or contradict one another.
    """
    from workbench.experiment.variations import draw_trials, grid, parse_variation, read_trials

    if table is not None and (vary or count):
        raise UserError(tr("Give either --table, or --vary with or without --random."))
    if table is not None:
        return read_trials(table)
    variations = [parse_variation(text) for text in vary]
    if count:
        return draw_trials(variations, count, known, seed=len(known))
    return grid(variations)


def _start_new(
    workspace: Workspace,
    given: ExperimentOptions,
    settings: "Sequence[Settings]",
    seeds: int,
    prune: str,
    environment: dict[str, str],
    job: "Job | None",
) -> "Sweep":
    from workbench.app.draft import data_stem
    from workbench.runs.sweep import parse_trial_spec, prepare_sweep
    from workbench.runs.sweep_record import SWEEP

    if given.file is None and given.preset is None:
        given.spec(workspace)  # which says what is missing
    given = absolute(given)
    trials = _make_trials(workspace, given, settings, seeds)
    _check(workspace, trials, environment, job)
    source = parse_trial_spec(trials[0]).data.source
    stem = data_stem(workspace, Path(source))
    with progress_bar() as progress:
        made = prepare_sweep(
            workspace, SWEEP, given.name, stem, trials, prune, recorded(given), progress
        )
    start_trials(workspace, made, environment, job)
    return made


def _add(
    workspace: Workspace,
    chosen: "Sweep",
    described: tuple[tuple[str, ...], Path | None, int | None],
    seeds: int | None,
    environment: dict[str, str],
    job: "Job | None",
) -> None:
    """Add the trials that the options describe, or seeds to those that there are.

    Raises:
        UserError: They are invalid, or nothing is described.
    """
    from workbench.runs.sweep import add_trials, fetch_weights, find_sweep
    from workbench.runs.sweep_record import SWEEP

    known = list(dict.fromkeys(trial.typed for trial in chosen.trials))
    if any(described):
        settings = _trials(*described, known)
    elif seeds:
        settings = known
    else:
        raise UserError(tr("--add needs --vary, --table, --random or --seeds."))
    given = restored(chosen)
    trials = _make_trials(workspace, given, settings, seeds or chosen.seeds)
    new = [trial for trial in trials if trial.spec not in {one.spec for one in chosen.trials}]
    _check(workspace, new, environment, job)
    with progress_bar() as progress:
        fetch_weights(new, progress)
    added = add_trials(workspace, chosen, new)
    echo(
        tr(
            "{count} added; {rest} of those exist already.",
            count=plural(len(added), "run"),
            rest=len(trials) - len(added),
        ),
        err=True,
    )
    chosen = find_sweep(workspace, chosen.name, SWEEP)
    resume_trials(workspace, chosen, environment, job=job, only=added)


def _make_trials(
    workspace: Workspace, given: ExperimentOptions, settings: "Sequence[Settings]", seeds: int
) -> "list[SweepTrial]":
    """Return every trial with every seed, checked; the same spec twice is one trial.

    Raises:
        UserError: A setting is not allowed; its trial is named.
    """
    from workbench.experiment.toml import dump_spec
    from workbench.experiment.variations import MAX_TRIALS, tried_values
    from workbench.runs.sweep import SweepTrial

    if len(settings) * seeds > MAX_TRIALS:
        raise UserError(
            tr("That is {count:,} runs; at most {most:,}.", count=len(settings) * seeds,
               most=MAX_TRIALS)
        )  # fmt: skip
    found: dict[str, SweepTrial] = {}
    for at, tried in enumerate(settings):
        try:
            with redirect_stderr(StringIO()) if at else nullcontext():  # notes once, not each time
                spec = _with_base(given, tried).spec(workspace)
        except UserError as error:
            if tried:
                given.spec(workspace)  # an error of the experiment is not the trial's
            name = ", ".join(map(safe_text, tried))
            raise UserError(
                f"{name}: {error.message}" if name else error.message, error.hint
            ) from None
        spec = spec.model_copy(update={"name": None})
        first = spec.training.seed
        for seed in range(first, first + seeds):
            training = spec.training.model_copy(update={"seed": seed})
            text = dump_spec(spec.model_copy(update={"training": training}))
            trial = SweepTrial(tried_values(tried), seed, text, typed=tried)
            found.setdefault(text, trial)
    return list(found.values())


def _with_base(given: ExperimentOptions, tried: "Settings") -> ExperimentOptions:
    """Return the experiment of a trial; a base is given as --base, to which images are fitted."""
    bases = [one.partition("=")[2].strip("\"' ") for one in tried if one.startswith("base.name=")]
    rest = tuple(one for one in tried if not one.startswith("base.name="))
    base = bases[0] if bases else given.base
    return replace(given, base=base, settings=given.settings + rest)


def _check(
    workspace: Workspace,
    trials: "Sequence[SweepTrial]",
    environment: dict[str, str],
    job: "Job | None",
) -> None:
    from workbench.machine.preflight import check_before_submit, check_before_sweep
    from workbench.runs.sweep import describe_trial, parse_trial_spec

    if job:
        with progress_bar() as progress:
            check_before_submit([parse_trial_spec(one) for one in trials], workspace, progress)
        return
    named = [(describe_trial(trial), parse_trial_spec(trial)) for trial in trials]
    check_before_sweep(named, {**os.environ, **environment})
