"""`--slurm` of commands that train, and `workbench slurm`: the profiles of its jobs."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workbench.cli.complete import complete_job_settings, complete_profiles
from workbench.cli.group import note_running
from workbench.cli.options import (
    examples,
)
from workbench.cli.output import echo, progress_bar
from workbench.errors import UserError
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder
from workbench.text import table

if TYPE_CHECKING:
    from workbench.experiment.spec import ExperimentSpec
    from workbench.settings import SlurmProfile

    Job = tuple[str, SlurmProfile]  # with the name of the profile


@click.command(
    epilog=examples(
        "workbench slurm default partition=gpu gres=gpu:1 time=08:00:00",
        "workbench slurm big gres=gpu:4 line=--account=vision 'line=module load cuda'",
        "workbench train spec.toml --slurm big --slurm-set time=2-00:00:00",
    )
)
@click.argument("name", required=False, shell_complete=complete_profiles)
@click.argument("values", nargs=-1, metavar="[KEY=VALUE...]", shell_complete=complete_job_settings)
@click.option("--remove", is_flag=True, help="Remove the profile.")
def slurm(name: str | None, values: tuple[str, ...], remove: bool) -> None:
    """List the profiles of SLURM jobs, or save one; `default` is used where none is named.

    Keys: partition, gres, time; at_once, how many runs of a sweep may run together; command, as
    the nodes call workbench, if it is not this installation; and line, for a further #SBATCH line
    or, without dashes, a line of the script.
    """
    from workbench.app.slurm import change_profile, describe_profile, save_profile
    from workbench.runs.slurm import has_slurm
    from workbench.settings import SlurmProfile, read_settings, settings_path

    if name is not None and (remove or values):
        if remove and values:
            raise UserError(tr("--remove takes a name alone."))
        profile = None if remove else change_profile(SlurmProfile(), values)
        save_profile(name, profile)
        if profile is None:
            echo(tr("{name} is removed from {path}.", name=name, path=settings_path()))
        else:
            echo(tr("{name} is saved in {path}.", name=name, path=settings_path()))
        return
    profiles, notes = read_settings()
    for note in notes:
        echo(tr("note   {message}", message=note), err=True)
    if name is not None and name not in profiles.slurm:
        raise UserError(tr("There is no SLURM profile {name}.", name=name))
    shown = {key: one for key, one in profiles.slurm.items() if name in (None, key)}
    rows = [(key, describe_profile(one) or tr("as the cluster has it")) for key, one in
            shown.items()]  # fmt: skip
    echo(
        table((tr("profile"), tr("asks for")), rows, "ll")
        if rows
        else tr("No profiles yet. Save one: workbench slurm default gres=gpu:1 time=08:00:00")
    )
    if not has_slurm():
        echo(tr("SLURM knows no cluster here: jobs cannot be submitted from this machine."))


def asked_job(
    slurm: str | None, changes: tuple[str, ...], folders: Iterable[RunFolder] = ()
) -> "Job | None":
    """Return name and profile of --slurm and --slurm-set, with a warning if it could not train.

    Args:
        slurm: value of --slurm, "" for none; None for a command without it.
        changes: values of --slurm-set.
        folders: of runs to resume; without a name they get the profile of their newest job.

    Returns:
        None without --slurm.

    Raises:
        UserError: as `choose_profile`, or --slurm-set is alone.
    """
    if slurm is None:
        if changes:
            raise UserError(tr("--slurm-set goes with --slurm."))
        return None
    from workbench.app.slurm import choose_profile, framework_doubt
    from workbench.runs.slurm import read_job

    jobs = [job for folder in folders if (job := read_job(folder))]
    before = max(jobs, key=lambda job: job.submitted).profile if jobs else ""
    notes: list[str] = []
    name, profile = choose_profile(slurm or before, changes, notes.append)
    for note in [*notes, framework_doubt(profile)]:
        if note:
            echo(tr("warning {note}", note=note), err=True)
    return name, profile


def submit_new(
    workspace: Workspace,
    spec: "ExperimentSpec",
    job: "Job",
    environment: dict[str, str],
) -> RunFolder:
    """Submit a new run.

    Raises:
        UserError: as `submit_run`.
    """
    from workbench.app.draft import data_stem
    from workbench.app.slurm import submit_run

    name, profile = job
    doubts: list[str] = []
    stem = data_stem(workspace, Path(spec.data.source))
    try:
        with progress_bar() as progress:
            folder = submit_run(
                workspace, spec, stem, profile, name, environment, progress, doubts.append
            )
    finally:  # below the bar, also after an error
        for doubt in doubts:
            echo(tr("warning {doubt}", doubt=doubt), err=True)
    report_job(workspace, folder)
    return folder


def report_job(workspace: Workspace, folder: RunFolder) -> None:
    """Print the job of a run; from now on Ctrl-C only ends the command."""
    from workbench.runs.slurm import read_job

    job = read_job(folder)
    note_running(workspace, folder)
    echo(
        tr("job    {id} of SLURM, for {run}", id=job.id if job else "?", run=folder.name), err=True
    )
