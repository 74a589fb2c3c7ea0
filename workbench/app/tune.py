"""The search of `tune` with its trials kept: one that was killed goes on, and more can be added.

A record holds the spec, the seed of the draws and every finished trial. The same spec with the same
seed draws the same candidates, so its record is found by these, and a trial in it is not trained
again, as long as the images are the same: the worker compares a fingerprint of their pixels, labels
and splits.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from workbench.analysis.trials import SeedResult, TrialRow
from workbench.app.draft import data_stem
from workbench.app.jobs import JobEvent, JobHandle, run_trial_job
from workbench.errors import UserError
from workbench.experiment.search_space import Trial, parse_trial, with_candidate
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import dump_spec, parse_spec, spec_tree
from workbench.messages import tr
from workbench.paths import Workspace, parse_path
from workbench.runs.sweep_record import (
    TUNE,
    SweepRecord,
    create_record,
    damaged,
    list_records,
    read_record,
    record_lock,
    record_path,
    write_record,
)


class Search:
    """A search and its finished trials.

    Args:
        workspace: of the record.
        record: its name.

    Attributes:
        spec: whose head the trials change.
        seed: of the draws.
        images: that the trials were validated on.
        trials: the finished ones.

    Raises:
        UserError: The record is damaged.
    """

    def __init__(self, workspace: Workspace, record: SweepRecord) -> None:
        self.record = record
        self.tables = read_record(workspace, record)
        try:
            self.spec: ExperimentSpec = parse_spec(self.tables["spec"], record.name)
            self.seed = int(self.tables["seed"])
            self.images = int(self.tables["images"])
            self.trials: list[Trial] = [parse_trial(one) for one in self.tables["trials"]]
            self.results = [_result(trial, self.images) for trial in self.trials]
        except (UserError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise damaged(record_path(workspace, record), error) from None

    def best_spec(self, rows: Sequence[TrialRow]) -> str:
        """Return the spec of the best trial as TOML.

        Raises:
            UserError: Every trial diverged.
        """
        for trial in self.trials:
            if rows and rows[0].mean is not None and trial.candidate.values == rows[0].settings:
                return dump_spec(with_candidate(self.spec, trial.candidate))
        raise UserError(tr("No trial of {name} is finished.", name=self.record.name))


def _result(trial: Trial, images: int) -> SeedResult:
    return SeedResult(
        trial.candidate.values,
        seed=None,
        run="",
        state="failed" if trial.accuracy is None else "finished",
        value=trial.accuracy,
        images=images,
        seconds=float(trial.seconds),
    )


def find_search(workspace: Workspace, spec: ExperimentSpec, seed: int) -> Search | None:
    """Return the search of a spec with a seed; None without one, damaged ones are left out."""
    for record in list_records(workspace, TUNE):
        try:
            search = Search(workspace, record)
        except UserError:
            continue
        if (search.spec, search.seed) == (spec, seed):
            return search
    return None


def run_search(
    workspace: Workspace,
    spec: ExperimentSpec,
    request: dict[str, Any],
    on_event: Callable[[JobEvent], None],
    handle: JobHandle | None = None,
) -> str:
    """Let a worker search, keep each trial when it is finished; return the record's name.

    Args:
        workspace: of the record.
        spec: whose head and training the candidates change; its name is that of a new record.
        request: `trials` and `seed`.
        on_event: called with every event; a trial that was kept comes as one, too, with `kept`.
        handle: cancels the job.

    Raises:
        UserError: As `run_trial_job`, or the record cannot be written.
    """
    name, spec = spec.name, spec.model_copy(update={"name": None})
    known = find_search(workspace, spec, request["seed"])
    record = known.record if known else None

    def handle_event(event: JobEvent) -> None:
        nonlocal record
        if event["event"] == "trial" and not event.get("kept"):
            if record is None:
                tables = {"spec": spec_tree(spec), "seed": request["seed"], **_NONE}
                stem = data_stem(workspace, parse_path(spec.data.source))
                record = create_record(workspace, TUNE, name, stem, tables)
            _keep(workspace, record, event)
        on_event(event)

    kept = known.tables if known else _NONE
    more = {"kept": kept["trials"], "fingerprint": str(kept.get("fingerprint", ""))}
    run_trial_job(workspace, "tune", spec, {**request, **more}, handle_event, handle)
    return record.name if record else ""


_NONE: dict[str, Any] = {"images": 0, "fingerprint": "", "trials": []}


def _keep(workspace: Workspace, record: SweepRecord, event: JobEvent) -> None:
    """Add a trial to the record; trials on other images are dropped, as is an older result."""
    trial = asdict(parse_trial(event))
    with record_lock(workspace, record):
        tables = read_record(workspace, record)
        same = tables["fingerprint"] == event["fingerprint"]
        others = [one for one in tables["trials"] if same and one["number"] != trial["number"]]
        found = {"images": event["images"], "fingerprint": event["fingerprint"]}
        trials = sorted([*others, trial], key=lambda one: int(one["number"]))
        write_record(workspace, record, {**tables, **found, "trials": trials})
