"""Runs as jobs of SLURM: submit, submit again; and the profiles of a person's settings.

The checks import numpy; they are imported where they are used, as in `run_control`.
"""

import os
import re
import shutil
from collections.abc import Iterable, Mapping

from pydantic import ValidationError

from workbench.app.run_control import Notify, ignore, make_folder, spec_to_resume
from workbench.errors import UserError
from workbench.experiment.spec import ExperimentSpec
from workbench.machine.backends import chosen_backend
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.progress import Progress, silent
from workbench.runs.folder import RunFolder, suggest_names
from workbench.runs.launch import prepare_resubmit
from workbench.runs.slurm import SlurmJob, submit
from workbench.runs.slurm_queue import forget
from workbench.settings import (
    SlurmProfile,
    change_settings,
    describe_invalid,
    read_settings,
)
from workbench.text import safe_text

DEFAULT = "default"  # the profile where none is named
LINE = "line"  # the key that may be given several times
KEYS = ("partition", "gres", "time", "at_once", "command", LINE)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")


def submit_run(
    workspace: Workspace,
    spec: ExperimentSpec,
    stem: str,
    profile: SlurmProfile,
    profile_name: str = "",
    environment: Mapping[str, str] | None = None,
    progress: Progress = silent,
    warn: Notify = ignore,
) -> RunFolder:
    """Check what can be checked here, make the run's folder, and submit its job.

    Takes a second or more with many images: call it in a thread.

    Args:
        workspace: of the run, in a file system that the nodes share.
        spec: validated; its paths are absolute.
        stem: as of `start_run`.
        profile: what the job asks for.
        profile_name: to record.
        environment: variables set for the worker.
        progress: called while the images are listed.
        warn: called with doubts about the layout of the images.

    Raises:
        UserError: the images or the weights are not usable, the name is taken, the disk cannot be
            written, or SLURM refuses; nothing is left of the run.
    """
    from workbench.machine.preflight import check_before_submit

    check_before_submit([spec], workspace, progress, warn)
    folder = make_folder(workspace, spec, stem)
    try:
        submit([folder], profile, profile_name, environment)
    except BaseException:
        shutil.rmtree(folder.path, ignore_errors=True)  # created above, by this process
        raise
    return folder


def resubmit_run(
    folder: RunFolder,
    profile: SlurmProfile,
    profile_name: str = "",
    settings: tuple[str, ...] = (),
    half_batch: bool = False,
    environment: Mapping[str, str] | None = None,
) -> SlurmJob:
    """Submit a job that continues a run at its last checkpoint; arguments as of `resume_run`.

    Raises:
        UserError: a setting is not allowed, or SLURM refuses.
        RunLocked: the run has a worker.
    """
    from workbench.machine.preflight import check_before_resubmit

    spec, changed = spec_to_resume(folder, settings, half_batch)
    check_before_resubmit(spec)
    prepare_resubmit(folder, changed)
    job = submit([folder], profile, profile_name, environment)
    forget(folder)
    return job


def framework_doubt(profile: SlurmProfile) -> str:
    """Return what to know where jobs would use an installation without a framework; "" if not."""
    from workbench.machine.preflight import is_importable

    if profile.command or profile.lines or is_importable(chosen_backend(os.environ)):
        return ""
    return tr(
        "Nothing is installed here that can train, and the job uses this installation. If the "
        "nodes have another: --slurm-set command=/path/to/workbench"
    )


def choose_profile(
    name: str, changes: Iterable[str] = (), warn: Notify = ignore
) -> tuple[str, SlurmProfile]:
    """Return the name of a profile, and the profile with changes.

    Args:
        name: "" or "default" for the one that is used where none is named; it may be missing.
        changes: KEY=VALUE each.
        warn: called with what is not valid in the settings.

    Raises:
        UserError: there is no such profile, in settings with an error not even the default one, or
            a change is not valid.
    """
    settings, notes = read_settings()
    name = name or DEFAULT
    profile = settings.slurm.get(name)
    if notes and profile is None:  # it may be what could not be read
        raise UserError("\n".join(notes), tr("Correct that first: the profile may be lost in it."))
    for note in notes:
        warn(note)
    if profile is None and name != DEFAULT:
        known = ", ".join(safe_text(one, 40) for one in settings.slurm) or tr("none yet")
        raise UserError(
            tr(
                "There is no SLURM profile {name}; there are: {known}.",
                name=safe_text(repr(name), 60),
                known=known,
            ),
            suggest_names(name, settings.slurm)
            or tr(
                "Save one: workbench slurm NAME gres=gpu:1. Or put --slurm last, without a name."
            ),
        )
    return (name if profile else ""), change_profile(profile or SlurmProfile(), changes)


def change_profile(profile: SlurmProfile, changes: Iterable[str]) -> SlurmProfile:
    """Return a profile with other values.

    Args:
        profile: before.
        changes: `partition=gpu` each; `line=...` adds a line, `line=` removes all.

    Raises:
        UserError: a change has no key that is known, or a value that is not valid.
    """
    fields = profile.model_dump()
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals or key not in KEYS:
            raise UserError(
                tr("{change} is no setting of a job.", change=safe_text(repr(change), 80)),
                tr("Give KEY=VALUE with one of these keys: {keys}.", keys=", ".join(KEYS)),
            )
        if key == LINE:
            fields["lines"] = (*fields["lines"], value) if value else ()
        else:
            fields[key] = value
    try:
        return SlurmProfile.model_validate(fields)
    except ValidationError as error:
        raise UserError(
            f"{describe_invalid(error.errors()[0])}.",
            tr("As sbatch takes it: partition=gpu gres=gpu:1 time=02:00:00"),
        ) from None


def save_profile(name: str, profile: SlurmProfile | None) -> None:
    """Keep a profile in the settings; None removes it.

    Raises:
        UserError: the name is not allowed, there is none to remove, or the settings cannot be
            changed.
    """
    if not _NAME.fullmatch(name):
        raise UserError(
            tr(
                "{name} cannot be a profile's name; allowed: up to 40 letters, digits, dashes and "
                "underscores.",
                name=safe_text(repr(name), 60),
            )
        )
    if profile is None and name not in read_settings()[0].slurm:
        raise UserError(tr("There is no SLURM profile {name}.", name=name))
    change_settings({("slurm", name): profile and profile.model_dump(exclude_defaults=True)})


def describe_profile(profile: SlurmProfile) -> str:
    """Return a profile as KEY=VALUE, safe to print; "" for one that leaves all to the cluster."""
    values = [(key, getattr(profile, key)) for key in KEYS if key != LINE]
    parts = [f"{key}={value}" for key, value in values if value]
    return safe_text("  ".join([*parts, *(f"{LINE}={line}" for line in profile.lines)]), 400)
