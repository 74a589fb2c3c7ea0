"""A sweep: trials that are recorded beside their runs, and queued a few at a time.

A waiting worker holds 41 MB and asks for its turn twice a second, so not every trial has one: at
most WINDOW runs of a sweep wait for their turn, besides those that train. Each worker continues
its sweep when its turn comes and again at its end (`continue_sweeps`), and so does every command
that watches. The queue of trials is in the record; a trial leaves it after its worker was
launched, under the record's lock: killed at any moment, no trial is lost, and none is done twice.

A ladder is a sweep over presets.
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
from workbench.experiment.toml import dump_spec, parse_spec, read_spec
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.progress import Progress, silent
from workbench.runs.folder import NAME_PATTERN, RunFolder, create_run, safe_stem
from workbench.runs.launch import is_waiting, launch, request_stop
from workbench.runs.lock import RunLocked, is_locked
from workbench.runs.state import RunSummary, summarize
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

WINDOW = 2  # runs of a sweep that wait for their turn: one is warmed up, one stands in for it
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
                rungs = tables["rungs"]
                trials = [SweepTrial({PRESET: str(e["preset"])}, run=str(e["run"])) for e in rungs]
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
        return f"strategy {safe_text(trial.preset)}"
    tried = [f"{key}={safe_text(value)}" for key, value in trial.settings.items()]
    return ", ".join([*tried, *([] if trial.seed is None else [f"seed {trial.seed}"])])


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
        raise _not_written(workspace, kind, error) from None
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
            _save(workspace, replace(now, trials=(*now.trials, *new)))
    except OSError as error:
        raise _not_written(workspace, sweep.record.kind, error) from None
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
        if not trial.run or (folder.path.is_dir() and _can_start(folder)):
            found.append(at)
    return found


def _can_start(folder: RunFolder) -> bool:
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


def start(
    workspace: Workspace,
    sweep: Sweep,
    environment: dict[str, str] | None = None,
    specs: Mapping[int, ExperimentSpec] | None = None,
) -> list[int]:
    """Queue every trial that is neither finished nor running; return their indices.

    Args:
        workspace: of the sweep.
        sweep: whose trials are queued.
        environment: variables in addition to those of this process.
        specs: by index, of trials that continue with another one.

    Raises:
        UserError: The first runs cannot be started; the trials stay queued.
    """
    texts = {at: dump_spec(spec) for at, spec in (specs or {}).items()}
    try:
        with record_lock(workspace, sweep.record):
            now = Sweep.read(workspace, sweep.record)
            trials = tuple(
                replace(trial, spec=texts[at], changed=bool(trial.run)) if at in texts else trial
                for at, trial in enumerate(now.trials)
            )
            queue = tuple(pending(workspace, now))
            _save(workspace, replace(now, trials=trials, queue=queue))
    except OSError as error:
        raise _not_written(workspace, sweep.record.kind, error) from None
    advance(workspace, sweep.record, environment)
    return list(queue)


def advance(
    workspace: Workspace, record: SweepRecord, environment: dict[str, str] | None = None
) -> None:
    """Launch queued trials until WINDOW of them wait for their turn.

    Raises:
        UserError: A worker cannot be started; its trial stays queued.
    """
    try:
        with record_lock(workspace, record):
            sweep = Sweep.read(workspace, record)
            while sweep.queue and count_waiting(workspace, sweep) < WINDOW:
                sweep = _launch_first(workspace, sweep, environment)
    except OSError as error:
        raise _not_written(workspace, record.kind, error) from None


def _launch_first(workspace: Workspace, sweep: Sweep, environment: dict[str, str] | None) -> Sweep:
    """Launch the first trial of the queue, unless it was; return the sweep without it there."""
    at, *rest = sweep.queue
    sweep, folder = _with_run(workspace, sweep, at)
    trial = sweep.trials[at]
    if _can_start(folder):
        resume, spec = folder.events_path.exists(), trial.spec if trial.changed else None
        with suppress(RunLocked):  # somebody has resumed it
            launch(folder, resume=resume, queue=True, environment=environment, spec=spec)
    trials = _replaced(sweep.trials, at, replace(trial, changed=False))
    return _save(workspace, replace(sweep, trials=trials, queue=tuple(rest)))


def continue_sweeps(folder: RunFolder) -> None:
    """Launch what is next in the sweep of a run; called by its worker.

    Raises:
        UserError: A worker cannot be started.
    """
    workspace = Workspace(folder.path.parent.parent)
    sweep = sweep_of(folder)
    if sweep and sweep.queue:
        advance(workspace, sweep.record)


def sweep_of(folder: RunFolder) -> Sweep | None:
    """Return the sweep that a run belongs to; damaged records are left out."""
    workspace = Workspace(folder.path.parent.parent)
    for record in list_records(workspace, LADDER, SWEEP):
        with suppress(UserError):
            sweep = Sweep.read(workspace, record)
            if folder.name in sweep.runs:
                return sweep
    return None


def stop_sweep(workspace: Workspace, sweep: Sweep) -> list[RunFolder]:
    """Queue nothing more, and request every run with a worker to stop; return their folders.

    In reverse order, so that no run begins because an earlier one has ended.
    """
    with record_lock(workspace, sweep.record):
        now = Sweep.read(workspace, sweep.record)
        if now.queue:
            now = _save(workspace, replace(now, queue=()))
    running = [folder for folder in run_folders(workspace, now) if is_locked(folder.lock_path)]
    for folder in reversed(running):
        request_stop(folder)
    return running


def count_waiting(workspace: Workspace, sweep: Sweep) -> int:
    """Return how many of its runs have a worker that waits for its turn."""
    folders = (RunFolder(workspace.runs / run) for run in sweep.runs)
    return sum(is_waiting(folder) and is_locked(folder.lock_path) for folder in folders)


def _with_run(workspace: Workspace, sweep: Sweep, at: int) -> tuple[Sweep, RunFolder]:
    """Return the sweep with a run for a trial, which is made if it has none, and its folder."""
    trial = sweep.trials[at]
    if trial.run:
        return sweep, RunFolder(workspace.runs / trial.run)
    stem = safe_stem(f"{sweep.stem}-{trial.preset}" if sweep.stem else sweep.name)
    folder = _unrecorded(workspace, sweep, stem, trial.spec) or create_run(
        workspace, trial.spec, None, stem
    )
    trials = _replaced(sweep.trials, at, replace(trial, run=folder.name))
    return _save(workspace, replace(sweep, trials=trials)), folder


def _unrecorded(workspace: Workspace, sweep: Sweep, stem: str, spec: str) -> RunFolder | None:
    """Return a run that was made for a trial by a process that was killed before recording it."""
    for path in workspace.runs.glob(f"{stem}-*"):
        folder = RunFolder(path)
        if path.name not in sweep.runs and not folder.events_path.exists():
            with suppress(OSError):
                if folder.spec_path.read_text(encoding="utf-8") == spec:
                    return folder
    return None


def _replaced(trials: tuple[SweepTrial, ...], at: int, trial: SweepTrial) -> tuple[SweepTrial, ...]:
    return (*trials[:at], trial, *trials[at + 1 :])


def _save(workspace: Workspace, sweep: Sweep) -> Sweep:
    write_record(workspace, sweep.record, sweep.tables())
    return sweep


def _not_written(workspace: Workspace, kind: str, error: OSError) -> UserError:
    return UserError(
        tr(
            "The {kind} cannot be written in {runs}: {reason}.",
            kind=kind,
            runs=safe_text(workspace.runs),
            reason=safe_text(error.strerror or error),
        )
    )
