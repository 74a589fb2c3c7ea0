"""The events of a run: what happened, one JSON object a line in its log.

Every event has `v` (version of this schema), `n` (running number), `t` (unix seconds) and `event`
(its kind). Stages count from 0, epochs from 1; a position is (stage, epoch, finished steps of that
epoch). A number that is unknown or not finite is null. Readers ignore kinds and fields that they
do not know; a change that would mislead such a reader increments SCHEMA.

What matters only at the moment is not history: `StepProgress`, `MachineSample`, and how far
preparation and evaluation are, are kept in `status.json`. Logs of schema 1 contain them.
"""
# ruff: noqa: F401 - every event can be imported from here

import json
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, TypeVar, get_args

from workbench.runs.events.event import SCHEMA, Event
from workbench.runs.events.session import (
    BatchHalved,
    ChosenGpu,
    GpuChosen,
    GpuUse,
    Interrupted,
    Launched,
    MachineSample,
    Notice,
    Resumed,
    RunFailed,
    RunFinished,
    RunStopped,
    WorkerStarted,
)
from workbench.runs.events.training import (
    OUT_OF_TIME,
    CheckedLayer,
    CheckpointSaved,
    CrossValidated,
    EpochFinished,
    EstimateChecked,
    LayersChecked,
    PlannedLayer,
    StageFinished,
    StageStarted,
    StepProgress,
    StepSpread,
    TriedValue,
    ValidationConfusion,
)
from workbench.runs.events.work import (
    PREFIX_PHASE,
    WAITING_PHASE,
    DataReady,
    Evaluated,
    Evaluating,
    Preparing,
    Shifted,
    Work,
)
from workbench.runs.fields import read_later
from workbench.runs.score import Score

Session = Launched | WorkerStarted  # begins a session, which is one worker's work on the run
End = RunStopped | RunFailed | RunFinished  # ends it
LatestOnly = StepProgress | MachineSample  # each supersedes the one before it
LATEST_ONLY = ("machine", "progress")  # their kinds
Known = (
    Session
    | GpuChosen
    | Preparing
    | DataReady
    | Notice
    | StageStarted
    | StepProgress
    | EpochFinished
    | LayersChecked
    | CrossValidated
    | EstimateChecked
    | MachineSample
    | CheckpointSaved
    | Resumed
    | BatchHalved
    | StageFinished
    | Evaluating
    | Evaluated
    | End
)
KINDS: dict[str, type[Event]] = {kind.event: kind for kind in get_args(Known)}
_LAYERS = b'"layers": ['  # as the writer begins them; within a text its quotes are escaped
_DECODER = json.JSONDecoder(parse_constant=lambda name: None)
OfStage = TypeVar("OfStage", StageStarted, LayersChecked)


def parse_event(line: bytes) -> Event | None:
    """Return the event in a line, None for a line that is not an event.

    The layers of a network are nine tenths of a log, and most readers need none of them: they are
    parsed when something asks for them. Layers that cannot be read are then none.
    """
    start, end = line.find(_LAYERS), line.rfind(b"}]") + 2
    if 0 <= start < end:
        event = _parse(line[:start] + _LAYERS + line[end - 1 :])
        if isinstance(event, StageStarted | LayersChecked):
            read_later(event, "layers", partial(_decode_list, line[start + len(_LAYERS) - 1 : end]))
            return event
    return _parse(line)


def _parse(line: bytes) -> Event | None:
    try:
        values = _DECODER.decode(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return make_event(values) if isinstance(values, dict) else None


def _decode_list(text: bytes) -> Any:
    try:
        return _DECODER.decode(text.decode("utf-8"))
    except (ValueError, RecursionError):
        return ()


def make_event(values: Mapping[str, Any]) -> Event | None:
    """Return the event with these fields, `event` (its kind) among them; None for no event."""
    kind = values.get("event")
    if not isinstance(kind, str):
        return None
    try:
        return KINDS.get(kind, Event).read(values)
    except ValueError:
        return Event.read(values)


def newest_by_stage(events: Iterable[Event], kind: type[OfStage]) -> dict[int, OfStage]:
    """Return the last event of a kind for each stage over all sessions, in the order of stages."""
    found = {event.stage: event for event in events if isinstance(event, kind)}
    return dict(sorted(found.items()))
