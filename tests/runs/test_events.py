"""The types of events: what is read of a line, whoever wrote it."""

import re
from typing import Annotated, Any, get_args

import pytest
from event_lines import event
from pydantic import Field, TypeAdapter

from workbench.runs.event_log import event_line
from workbench.runs.events import (
    EpochFinished,
    Event,
    Known,
    LayersChecked,
    newest_by_stage,
    parse_event,
)
from workbench.runs.fields import Position, readers


def test_event_is_of_its_kind() -> None:
    found = parse_event(b'{"v":2,"n":7,"t":1.5,"event":"epoch_finished","stage":0,"epoch":3}')
    assert found == EpochFinished(n=7, t=1.5, stage=0, epoch=3)
    assert found.position == Position(0, 3)


@pytest.mark.parametrize(
    ("field", "value", "read"),
    [
        ("loss", b"NaN", None),
        ("loss", b"-Infinity", None),
        ("loss", b"1e999", None),
        ("loss", b'"low"', None),
        ("loss", b"true", None),
        ("loss", b"2", 2.0),
        ("best", b'"yes"', False),
        ("best", b"true", True),
        ("seconds", b"[1]", None),
        ("t", b'"soon"', None),
        ("n", b"-1", 0),
        ("of", b'"sheep"', ...),
    ],
)
def test_field_that_does_not_fit_is_unknown(field: str, value: bytes, read: Any) -> None:
    line = b'{"event":"epoch_finished","stage":0,"epoch":1,"%s":%s}' % (field.encode(), value)
    assert getattr(parse_event(line), field, ...) == read


@pytest.mark.parametrize(
    "line",
    [
        b'{"event":"dreamed","n":3,"t":2.0,"of":"sheep"}',
        b'{"event":"epoch_finished","n":3,"t":2.0,"epoch":1}',  # of no stage
        b'{"event":"epoch_finished","n":3,"t":2.0,"stage":"0","epoch":1}',
    ],
)
def test_what_is_not_known_has_a_number_and_a_time(line: bytes) -> None:
    found = parse_event(line)
    assert type(found) is Event
    assert (found.n, found.t) == (3, 2.0)


def test_parts_that_do_not_fit_are_left_out() -> None:
    layers = [{"name": "conv1", "parameters": 9}, "odd", None, {"name": None, "moved": "far"}]
    checked = event("layers", stage=0, layers=layers)
    assert [(layer.name, layer.moved) for layer in checked.layers] == [("conv1", None), ("", None)]
    assert event("gpu_chosen", gpu="the first").gpu is None
    assert event("gpu_chosen", gpu={"name": "H100", "index": "x"}).gpu.index is None
    assert event("evaluated", interval=[0.1]).interval is None
    assert event("evaluated", interval=[0.1, 0.3]).interval == (0.1, 0.3)


def test_newest_by_stage_covers_all_sessions() -> None:
    events = [
        event("layers", stage=0, epoch=1),
        event("layers", stage=0, epoch=2),
        event("resumed", stage=1, epoch=1),
        event("layers", stage=1, epoch=1),
    ]
    assert newest_by_stage(events, LayersChecked) == {0: events[1], 1: events[3]}


@pytest.mark.parametrize("kind", get_args(Known), ids=lambda kind: kind.__name__)
def test_every_field_is_described(kind: type[Event]) -> None:
    described = re.findall(r"^        (\w+): ", kind.__doc__ or "", re.MULTILINE)
    assert described == [name for name, _, _ in readers(kind)][4:]


def test_pydantic_reads_the_same_from_what_is_written() -> None:
    """Its schema of the types is the one to give to others."""
    schema = TypeAdapter(Annotated[Known, Field(discriminator="event")])
    layers = [{"name": "conv1", "kind": "convolution", "output_shape": [8, 8, 4], "parameters": 9}]
    for written in (
        event("stage_started", 2.0, stage=0, name="head", layers=layers, estimates=[1.5, None]),
        event("data_ready", 1.0, images={"train": 6}, labels=["jay", "wren"]),
        event("evaluated", split="test", interval=[0.1, 0.3], shifted={"pixels": 2}),
        event("gpu_chosen", gpu={"index": 0, "name": "H100"}),
    ):
        assert schema.validate_json(event_line(written.as_dict())) == written
