"""A sweep: trials that are recorded beside their runs. A ladder is a sweep over presets.

`sweep_queue` starts and stops their runs.
"""

import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from workbench.bases.weights import find_weights
from workbench.errors import UserError
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import parse_spec, read_spec
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.progress import Progress, silent
from workbench.runs.folder import NAME_PATTERN, RunFolder
from workbench.runs.summary import RunSummary, summarize
from workbench.runs.sweep_record import (
    LADDER,
    SWEEP,
    SweepRecord,
    create_record,
    damaged,
    find_record,
    list_records,
    read_record,
    record_lock,
    record_path,
    write_record,
)
from workbench.text import safe_text
from workbench.words import reason_of, shown

MEDIAN = "median"  # the rule that stops hopeless runs, see `analysis.median_rule`
PRESET = "preset"  # what a ladder varies


@dataclass(frozen=True)
class SweepTrial:
    """A trial, and the run that trains it.

    Attributes:
        settings: values by key that it tries; of a ladder {"preset": NAME}.
        seed: of the training; None in a ladder, which has one seed.
        spec: content of its spec.toml; "" in records of an earlier version.
        run: name of its run; "" until its folder is made.
        changed: True if the run continues with another spec than in its folder.
        typed: the settings as they were typed, for trials that are added later.
    """

    settings: Mapping[str, Any]
    seed: int | None = None
    spec: str = ""
    run: str = ""
    changed: bool = False
    typed: tuple[str, ...] = ()

    @property
    def preset(self) -> str:
        """The strategy, of a ladder."""
        return str(self.settings.get(PRESET, ""))


@dataclass(frozen=True)
class Sweep:
    """A sweep and its trials.

    Attributes:
        queue: indices of the trials that are still to be launched, in order.
        stem: base of the names of a ladder's runs; those of others have the sweep's name.
        prune: MEDIAN, or "" to stop no run early.
        given: the experiment as it was given, for trials that are added later.
    """

    record: SweepRecord
    trials: tuple[SweepTrial, ...]
    queue: tuple[int, ...] = ()
    stem: str = ""
    prune: str = ""
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its name."""
        return self.record.name

    @property
    def runs(self) -> list[str]:
        """The names of the runs that were made."""
        return [trial.run for trial in self.trials if trial.run]

    @property
    def seeds(self) -> int:
        """The largest number of seeds that a trial has."""
        counts = Counter(repr(sorted(trial.settings.items())) for trial in self.trials)
        return max(counts.values(), default=1)

    def tables(self) -> dict[str, Any]:
        """Return the content of its record."""
        found = asdict(self)
        del found["record"]
        return found

    @classmethod
    def read(cls, workspace: Workspace, record: SweepRecord) -> Self:
        """Read a record, also one that was written before ladders were sweeps.

        Raises:
            UserError: It is damaged.
        """
        tables = read_record(workspace, record)
        path = record_path(workspace, record)
        try:
            if "rungs" in tables:
                trials = [
                    SweepTrial({PRESET: str(entry["preset"])}, run=str(entry["run"]))
                    for entry in tables["rungs"]
                ]
                found = cls(record, tuple(trials))
            else:
                trials = [_read_trial(fields) for fields in tables["trials"]]
                queue = tuple(int(at) for at in tables["queue"])
                stem, prune = str(tables["stem"]), str(tables["prune"])
                found = cls(record, tuple(trials), queue, stem, prune, dict(tables["given"]))
        except (ValueError, KeyError, TypeError) as error:
            raise damaged(path, error) from None
        if any(run and not NAME_PATTERN.fullmatch(run) for run in found.runs):
            raise UserError(tr("{path} contains invalid names of runs.", path=safe_text(path)))
        if any(not 0 <= at < len(trials) for at in found.queue):
            raise damaged(path, IndexError("its queue has no such trial"))
        return found


def _read_trial(fields: Mapping[str, Any]) -> SweepTrial:
    seed = fields["seed"]
    return SweepTrial(
        dict(fields["settings"]),
        None if seed is None else int(seed),
        str(fields["spec"]),
        str(fields["run"]),
        bool(fields["changed"]),
        tuple(map(str, fields["typed"])),
    )


def parse_trial_spec(trial: SweepTrial) -> ExperimentSpec:
    """Return the spec of a trial.

    Raises:
        UserError: The record was damaged.
    """
    where = trial.run or tr("a trial's spec")
    try:
        return parse_spec(tomllib.loads(trial.spec), where)
    except tomllib.TOMLDecodeError as error:
        raise UserError(
            tr("{where} is not TOML: {error}.", where=where, error=safe_text(error))
        ) from None


def describe_trial(trial: SweepTrial) -> str:
    """Return what a trial tries: "strategy dense", "training.learning_rate=0.001, seed 2"."""
    if trial.preset:
        return tr("strategy {preset}", preset=safe_text(trial.preset))
    tried = [f"{key}={safe_text(value)}" for key, value in trial.settings.items()]
    return ", ".join(
        [*tried, *([] if trial.seed is None else [tr("seed {seed}", seed=trial.seed)])]
    )


def find_sweep(workspace: Workspace, name: str, *kinds: str) -> Sweep:
    """Return the sweep of that name; of the kinds LADDER or SWEEP if none is given.

    Raises:
        UserError: There is none, or its record is damaged.
    """
    return Sweep.read(workspace, find_record(workspace, name, *(kinds or (SWEEP, LADDER))))


def prepare_sweep(
    workspace: Workspace,
    kind: str,
    name: str | None,
    data: str,
    trials: Sequence[SweepTrial],
    prune: str = "",
    given: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> Sweep:
    """Download the weights that its bases need, then record a sweep; `start` queues its trials.

    Downloads run now, while a person can read the errors. Ladder and sweep are named by the `data`
    if they have no name, and runs of a ladder by their preset too.

    Raises:
        UserError: Weights are not available, the name is taken, or the disk cannot be written.
    """
    fetch_weights(trials, progress)
    stem = data if kind == LADDER else ""
    tables = Sweep(SweepRecord("", kind), tuple(trials), (), stem, prune, given or {}).tables()
    try:
        record = create_record(workspace, kind, name, data, tables)
    except OSError as error:
        raise not_written(workspace, kind, error) from None
    return Sweep.read(workspace, record)


def fetch_weights(trials: Iterable[SweepTrial], progress: Progress = silent) -> None:
    """Download the weights that the bases of trials need.

    Raises:
        UserError: They are not available.
    """
    specs = [parse_trial_spec(trial) for trial in trials]
    bases = [(s.base.name, s.data.image_size, s.base.weights) for s in specs if s.base]
    for base, size, weights in dict.fromkeys(bases):
        find_weights(base, size, weights, progress)


def add_trials(workspace: Workspace, sweep: Sweep, trials: Sequence[SweepTrial]) -> list[int]:
    """Add trials to a sweep, without those that it has; return the indices of the new ones.

    Raises:
        UserError: The disk cannot be written, or the record is damaged.
    """
    try:
        with record_lock(workspace, sweep.record):
            now = Sweep.read(workspace, sweep.record)
            known = {trial.spec for trial in now.trials}
            new = [trial for trial in trials if trial.spec not in known]
            at = range(len(now.trials), len(now.trials) + len(new))
            save_sweep(workspace, replace(now, trials=(*now.trials, *new)))
    except OSError as error:
        raise not_written(workspace, sweep.record.kind, error) from None
    return list(at)


def run_folders(workspace: Workspace, sweep: Sweep) -> list[RunFolder]:
    """Return the folders of its runs that exist."""
    found = [RunFolder(workspace.runs / run) for run in sweep.runs]
    return [folder for folder in found if folder.path.is_dir()]


def pending(workspace: Workspace, sweep: Sweep) -> list[int]:
    """Return the trials that `start` would queue: no run yet, or one that can be resumed.

    Runs that may still be running on another machine are left out (see `runs_on_other_hosts`), and
    so are those that were deleted, or stopped as hopeless.
    """
    found = []
    for at, trial in enumerate(sweep.trials):
        folder = RunFolder(workspace.runs / trial.run)
        if not trial.run or (folder.path.is_dir() and can_start(folder)):
            found.append(at)
    return found


def can_start(folder: RunFolder) -> bool:
    """Return True if a run is neither finished nor given up, and no worker has it."""
    state = summarize(folder).state
    return state.resumable and not state.other_host and state.phase != "pruned"


def pending_specs(workspace: Workspace, sweep: Sweep) -> dict[int, ExperimentSpec]:
    """Return the specs of the trials that `start` would queue, without damaged ones."""
    found = {}
    for at in pending(workspace, sweep):
        trial = sweep.trials[at]
        with suppress(UserError):  # reported by the worker of this run; the others continue
            if trial.run:
                found[at] = read_spec(RunFolder(workspace.runs / trial.run).spec_path)
            else:
                found[at] = parse_trial_spec(trial)
    return found


def runs_on_other_hosts(workspace: Workspace, sweep: Sweep) -> list[RunSummary]:
    """Return the runs on another machine without a final event."""
    summaries = [summarize(folder) for folder in run_folders(workspace, sweep)]
    return [summary for summary in summaries if summary.state.other_host]


def sweeps_by_run(workspace: Workspace) -> dict[str, str]:
    """Return the name of the sweep, ladder or search of each run that belongs to one."""
    found = {}
    for record in list_records(workspace):
        with suppress(UserError):  # a damaged one has none
            for trial in Sweep.read(workspace, record).trials:
                found[trial.run] = record.name
    return found


def sweep_of(folder: RunFolder) -> Sweep | None:
    """Return the sweep that a run belongs to; damaged records are left out."""
    workspace = Workspace(folder.path.parent.parent)
    for record in list_records(workspace, LADDER, SWEEP):
        with suppress(UserError):
            sweep = Sweep.read(workspace, record)
            if folder.name in sweep.runs:
                return sweep
    return None


def save_sweep(workspace: Workspace, sweep: Sweep) -> Sweep:
    """Write the record of a sweep and return the sweep; only the holder of its lock may."""
    write_record(workspace, sweep.record, sweep.tables())
    return sweep


def not_written(workspace: Workspace, kind: str, error: OSError) -> UserError:
    """Return the error for a record that cannot be written."""
    return UserError(
        tr(
            "The {kind} cannot be written in {runs}: {reason}.",
            kind=shown(kind),
            runs=safe_text(workspace.runs),
            reason=safe_text(reason_of(error)),
        )
    )
