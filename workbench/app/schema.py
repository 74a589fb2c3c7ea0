"""JSON Schemas (draft 2020-12) of what scripts read and write, made from the types that read them.

A schema describes what this version writes. Later versions may add fields, so only the spec, which
is read strictly, refuses those that it does not know.
"""

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field, TypeAdapter
from typing_extensions import TypedDict  # pydantic reads no other before Python 3.12

from workbench.experiment.spec import ExperimentSpec
from workbench.messages import tr
from workbench.runs.confusion import ClassMetrics, ConfusedPair
from workbench.runs.events import (
    CheckedLayer,
    Evaluating,
    Interrupted,
    Known,
    MachineSample,
    Preparing,
    Shifted,
    StepProgress,
)
from workbench.runs.score import Score
from workbench.runs.state import ENDED
from workbench.runs.summary import RunSummary
from workbench.runs.watch import RUNNING

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]
_ATTRIBUTE = re.compile(r"^(\w+): (.+?)(?=^\w+: |\Z)", re.MULTILINE | re.DOTALL)
_STAMP = ("v", "n", "t", "event")  # in every event that was written
_Share = Annotated[float, Field(ge=0, le=1)]
_Count = Annotated[int, Field(ge=0)]


class StatusFile(TypedDict):
    """status.json: the newest of each kind of event that is not history."""

    v: _Count
    preparing: NotRequired[Preparing]
    evaluating: NotRequired[Evaluating]
    progress: NotRequired[StepProgress]
    machine: NotRequired[MachineSample]


class ListedError(TypedDict):
    """A wrong prediction; `probability` is that of the predicted label."""

    path: str
    label: str
    predicted: str
    probability: _Share
    loss: float


class ResultsFile(TypedDict):
    """results.json: metrics of a run's final evaluation."""

    format: Literal[1]
    split: Literal["test", "validation"]
    images: _Count
    loss: float | None
    accuracy: _Share
    interval: Annotated[tuple[_Share, _Share], Field(description="95 % interval of the accuracy")]
    labels: Annotated[list[str], Field(description="in the order of the network's outputs")]
    confusion: NotRequired[
        Annotated[
            list[list[_Count]],
            Field(description="true labels in rows, predicted in columns; of up to 60 labels"),
        ]
    ]
    confused: NotRequired[
        Annotated[list[ConfusedPair], Field(description="the largest cells, of more labels")]
    ]
    matrix: NotRequired[Annotated[str, Field(description="name of the file with all cells")]]
    classes: list[ClassMetrics]
    worst: Annotated[list[ListedError], Field(description="the largest losses first")]
    macro_f1: NotRequired[Score]
    balanced_accuracy: NotRequired[Score]
    top5_accuracy: NotRequired[Score]
    auc: NotRequired[Score]
    shifted: NotRequired[Shifted]
    mirrored: NotRequired[bool]
    leaked: NotRequired[Annotated[_Count, Field(description="images that are training images")]]
    near_leaked: NotRequired[
        Annotated[_Count, Field(description="others that look nearly the same as one")]
    ]
    layers: NotRequired[
        Annotated[list[list[CheckedLayer]], Field(description="newest freeze check of each stage")]
    ]
    weights: NotRequired[Annotated[str, Field(description="of the base, as in the spec")]]
    weights_file: NotRequired[str]
    versions: NotRequired[dict[str, str]]


def _spec() -> Schema:
    return ExperimentSpec.model_json_schema()


def _events() -> Schema:
    written = Annotated[Known | Interrupted, Field(discriminator="event")]
    schema = TypeAdapter(written).json_schema()
    del schema["discriminator"]  # of OpenAPI
    for one in schema["$defs"].values():
        if "event" in one["properties"]:
            required = one.get("required", [])
            one["required"] = [*_STAMP, *(name for name in required if name not in _STAMP)]
    return {"description": "A line of events.jsonl, or of attach --json.", **schema}


def _status() -> Schema:
    return TypeAdapter(StatusFile).json_schema()


def _results() -> Schema:
    return TypeAdapter(ResultsFile).json_schema()


def _runs() -> Schema:
    """Return the schema of `runs --json`; `status --json` prints one of its items."""
    run = TypeAdapter(RunSummary).json_schema()
    definitions, fields = run.pop("$defs", {}), run["properties"]
    definitions.pop("RunState")
    del fields["state"]
    text = {"type": "string"}
    states = dict.fromkeys([*RUNNING, *ENDED, "interrupted"])
    run["properties"] = {
        "name": fields.pop("name"),
        "state": {"enum": list(states)},
        "resumable": {"type": "boolean"},
        "detail": {**text, "description": "what it does or how it ended"},
        **fields,
        "tags": {"type": "array", "items": text},
        "note": text,
        "host": {**text, "description": "with --host: the machine; empty for this one"},
    }
    run["required"] = [name for name in run["properties"] if name != "host"]
    return {"type": "array", "items": {"$ref": "#/$defs/Run"}, "$defs": {**definitions, "Run": run}}


SCHEMAS: dict[str, tuple[str, Callable[[], Schema]]] = {
    "spec": (tr("spec.toml, an experiment"), _spec),
    "events": (tr("a line of events.jsonl, or of attach --json"), _events),
    "status": (tr("status.json, the newest progress and use of the machine"), _status),
    "results": (tr("results.json, the final evaluation"), _results),
    "runs": (tr("what runs --json prints; status --json prints one item of it"), _runs),
}


def json_schema(name: str) -> Schema:
    """Return a schema of SCHEMAS, each field with the description of its type."""
    _, make = SCHEMAS[name]
    schema = make()
    for one in (schema, *schema.get("$defs", {}).values()):
        _describe(one)
    return {"$schema": DIALECT, **schema, "title": f"workbench {name}"}


def _describe(schema: Schema) -> None:
    """Move what the description says of attributes to the properties."""
    text, _, attributes = schema.get("description", "").partition("\n\nAttributes:\n")
    if text:
        schema["description"] = " ".join(text.split())
    unindented = re.sub(r"^ {4}", "", attributes, flags=re.MULTILINE)
    found = {name: " ".join(about.split()) for name, about in _ATTRIBUTE.findall(unindented)}
    for name, field in schema.get("properties", {}).items():
        field.pop("title", None)  # its name again
        if name in found:
            field.setdefault("description", found[name])
