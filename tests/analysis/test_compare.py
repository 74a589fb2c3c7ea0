"""Runs side by side, from plain events and specs."""

import json
from collections import Counter
from typing import Any

import pytest
from event_lines import LogWriter, event

from workbench.analysis.compare import (
    ComparedRun,
    DifferenceRow,
    Images,
    RunResult,
    StageMetrics,
    compare,
    differences,
    freeze_map,
    load_run,
    run_result,
    spec_differences,
)
from workbench.runs.events import Event
from workbench.runs.folder import RunFolder
from workbench.runs.history import fold
from workbench.runs.state import RunState
from workbench.runs.summary import RunSummary

MEASURED: Event = event("evaluated", split="test", accuracy=0.5)


def facts(
    name: str,
    events: list[Event] | None = None,
    spec: dict[str, Any] | None = None,
    test: Images | None = None,
) -> ComparedRun:
    state = RunState("finished", False, "")
    summary = RunSummary(
        name, state, None, False, "convnet", "birds", None, None, 0, None, None, None
    )
    return ComparedRun(summary, spec or {}, events or [], test)


def stage_started(stage: int, layers: Any = None, **fields: Any) -> Event:
    fields = {"epochs": 4, "steps": 3, **fields, "layers": layers}
    return event("stage_started", fields.pop("t", None), stage=stage, name=f"s{stage}", **fields)


def layer(name: str, requested: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "requested": requested, "parameters": 5, **fields}


def layers(**requested: str) -> list[dict[str, Any]]:
    return [layer(name, state) for name, state in requested.items()]


def epoch(stage: int, number: int, val_accuracy: float | None, best: bool) -> Event:
    return event("epoch_finished", stage=stage, epoch=number, val_accuracy=val_accuracy, best=best)


def test_only_keys_that_differ_are_shown() -> None:
    one = {"model.strategy": "dense", "training.epochs": 5, "data.channels": 1}
    two = {"model.strategy": "convnet", "model.filters": [8], "training.epochs": 5}
    assert differences([one, two]) == [
        DifferenceRow("model.strategy", ("dense", "convnet")),
        DifferenceRow("data.channels", (1, None)),
        DifferenceRow("model.filters", (None, [8])),
    ]
    assert differences([one, one, one]) == []
    assert differences([one, two], absent_differs=False) == [
        DifferenceRow("model.strategy", ("dense", "convnet"))
    ]


def test_a_runs_own_name_is_no_difference() -> None:
    compared = compare([facts("a", spec={"name": "a"}), facts("b", spec={"name": "b"})])
    assert (compared.runs, compared.spec) == (("a", "b"), [])


def test_of_a_base_that_a_run_does_not_have_only_what_is_unusual_is_shown() -> None:
    dense = {"model.strategy": "dense"}
    usual = {
        "model.strategy": "dense", "base.name": "vgg16", "base.weights": "imagenet",
        "base.trainable": [], "base.views": 0,
    }  # fmt: skip
    unusual = {**usual, "base.weights": "random", "base.trainable": ["block5"]}
    assert spec_differences([dense, usual]) == [DifferenceRow("base.name", (None, "vgg16"))]
    assert spec_differences([dense, unusual, usual]) == [
        DifferenceRow("base.name", (None, "vgg16", "vgg16")),
        DifferenceRow("base.weights", (None, "random", "imagenet")),
        DifferenceRow("base.trainable", (None, ["block5"], [])),
    ]
    extracted = {key: usual[key] for key in usual if key != "base.trainable"}
    assert spec_differences([extracted, usual]) == [DifferenceRow("base.trainable", (None, []))]


def test_layers_are_shown_by_when_they_train() -> None:
    first = layers(block4="frozen", block5="frozen", output="trains")
    second = layers(block4="frozen", block5="trains", output="trains")
    without_weights = layer("pool", "frozen", parameters=0)
    extraction = facts("a", [stage_started(0, first)])
    tuning = facts("b", [stage_started(0, [*first, without_weights]), stage_started(1, second)])
    in_second = "trains in stage 2"
    assert freeze_map(tuning) == {"block4": "frozen", "block5": in_second, "output": "trains"}
    assert compare([extraction, tuning]).layers == [DifferenceRow("block5", ("frozen", in_second))]


def test_layers_that_a_run_does_not_have_are_no_difference_of_freezing() -> None:
    dense = facts("a", [stage_started(0, [layer("dense1", "trains")])])
    convnet = facts("b", [stage_started(0, [layer("conv1", "trains")])])
    assert compare([dense, convnet]).layers == []
    frozen = facts("c", [stage_started(0, [layer("conv1", "frozen")])])
    assert compare([dense, convnet, frozen]).layers == [
        DifferenceRow("conv1", (None, "trains", "frozen"))
    ]
    assert compare([frozen, dense, frozen]).layers == []


def test_a_frozen_layer_that_moved_is_shown() -> None:
    started = stage_started(0, [layer("block1", "frozen"), layer("output", "trains")])
    rows = [
        {"name": "block1", "requested": "frozen", "compiled": "frozen", "moved": 0.01},
        {"name": "output", "requested": "trains", "compiled": "trains", "moved": 0.5},
    ]
    moved = event("layers", stage=0, epoch=1, layers=rows)
    still = event("layers", stage=0, epoch=1, layers=[{**rows[0], "moved": 0}, rows[1]])
    assert freeze_map(facts("a", [started, moved])) == {
        "block1": "frozen, but moved",
        "output": "trains",
    }
    assert freeze_map(facts("a", [started, still]))["block1"] == "frozen"


@pytest.mark.parametrize(
    "layers", [None, "none", [], [None, 5, "x"], [{"name": "conv1"}], [{"requested": "trains"}, 3]]
)
def test_logs_that_show_nothing_of_freezing_do_no_harm(layers: Any) -> None:
    run = facts("a", [stage_started(0, layers), event("layers", stage=0, layers=layers)])
    assert compare([run, run]).layers == []


def test_stages_and_results_side_by_side() -> None:
    events = [
        event("worker_started", 10.0),
        stage_started(0, t=12.0, optimizer="adam", learning_rate=0.01, trainable_parameters=7,
                      parameters=90),
        epoch(0, 1, 0.5, True),
        epoch(0, 2, 0.75, True),
        epoch(0, 3, 0.625, False),
        stage_started(1, optimizer="sgd", learning_rate=0.001, trainable_parameters=9,
                      parameters=100),
        epoch(1, 0, 0.5, False),  # where a solved head begins: no epoch of training
        epoch(1, 1, 0.875, True),
        event("evaluated", 15.0, split="test", accuracy=0.9, interval=[0.8, 0.95], images=40),
        event("finished", 15.5),
    ]  # fmt: skip
    compared = compare([facts("a", events), facts("b")])
    assert compared.stages == [
        StageMetrics("a", 0, "s0", "adam", 0.01, 7, 3, 4, 2, 0.75),
        StageMetrics("a", 1, "s1", "sgd", 0.001, 9, 1, 4, 1, 0.875),
    ]
    assert compared.results == [
        RunResult("a", "finished", "test", 0.9, (0.8, 0.95), 40, 100, 5.5, 1, False),
        RunResult("b", "finished", None, None, None, None, None, None, None, False),
    ]
    both = compare([facts("a", events), facts("b", events)])
    assert [(s.stage, s.run) for s in both.stages] == [(0, "a"), (0, "b"), (1, "a"), (1, "b")]
    assert json.loads(json.dumps(compared.as_dict()))["results"][0]["interval"] == [0.8, 0.95]


def test_waiting_is_no_work() -> None:
    def at(t: float, kind: str, **fields: Any) -> Event:
        return event(kind, t, **fields)

    session = [
        at(0, "launched"),
        at(1, "worker_started"),
        at(2, "preparing", phase="wait for birds-1"),
        at(62, "preparing", phase="wait for birds-1"),
        at(90, "preparing", phase="scan"),
        at(95, "stopped"),
    ]
    assert fold(session).seconds_worked == 1 + 5
    second = [at(500, "launched"), at(501, "worker_started"), at(503, "finished")]
    assert fold([*session, *second]).seconds_worked == 1 + 5 + 2
    assert fold(second, fold(session)).seconds_worked == 1 + 5 + 2  # read on bit by bit
    killed = [*session[:-1], *second]  # ended without an event
    assert fold(killed).seconds_worked == 1 + 0 + 2
    assert fold(session[:1]).seconds_worked is None
    back = [at(9, "worker_started"), at(4, "finished")]  # the clock was set
    assert fold(back).seconds_worked == 0


@pytest.mark.parametrize(
    ("tests", "counts", "shared", "same"),
    [
        (["ab", "ab"], (2, 2), 2, True),
        (["ab", "abc"], (2, 3), 2, False),
        (["aa", "a"], (2, 1), 1, False),
        (["ab", "cd"], (2, 2), 0, False),
        (["ab", "ab", "ac"], (2, 2, 2), 1, False),
        (["ab", None], (2, None), None, None),
        (["", ""], (0, 0), None, None),
    ],
)
def test_test_images_are_shown_apart_by_their_pixels(
    tests: list[str | None], counts: tuple[int | None, ...], shared: int | None, same: bool | None
) -> None:
    images = [None if t is None else Counter((h, "cat") for h in t) for t in tests]
    compared = compare([facts(str(i), [MEASURED], test=test) for i, test in enumerate(images)])
    assert (compared.test_images, compared.shared_test_images, compared.same_test_images) == (
        counts, shared, same,
    )  # fmt: skip


def test_an_image_with_another_label_is_another_question() -> None:
    one, two = Counter([("h", "cat")]), Counter([("h", "dog")])
    runs = [facts("a", [MEASURED], test=one), facts("b", [MEASURED], test=two)]
    assert compare(runs).same_test_images is False


@pytest.mark.parametrize("other", [None, Counter(), Counter([("x", "cat")])])
def test_a_run_that_was_not_measured_takes_no_part(other: Images | None) -> None:
    test = Counter([("h", "cat")])
    a, b = (facts(name, [MEASURED], test=test) for name in "ab")
    stopped = facts("c", test=other)
    compared = compare([a, stopped, b])
    assert (compared.shared_test_images, compared.same_test_images) == (1, True)
    assert compared.test_images == (1, None if other is None else other.total(), 1)
    pair = compare([a, stopped])
    assert (pair.shared_test_images, pair.same_test_images) == (None, None)


def test_facts_come_from_the_folder(run: RunFolder) -> None:
    LogWriter(run.events_path).write("evaluated", split="test", accuracy=0.5)
    compared = load_run(run)
    assert compared.spec["model.strategy"] == "convnet"
    assert compared.spec["training.epochs"] == 7
    assert run_result(compared).accuracy == 0.5
    run.spec_path.write_text(
        '[data]\nsource = "/photos/birds"\n[model]\nstrategy = "dense"\ndense_units = [4]\n'
    )
    assert load_run(run).spec["training.batch_size"] == 32  # a default
    run.spec_path.write_text("[model\n")
    run.events_path.unlink()
    run.events_path.mkdir()
    assert (load_run(run).spec, load_run(run).events) == ({}, [])


def test_a_path_that_was_typed_otherwise_is_no_difference() -> None:
    one, two, three = ({"data.source": path} for path in ("/a/photos", "/a/b/../photos/", "/a/x"))
    assert spec_differences([one, two]) == []
    assert [row.key for row in spec_differences([one, two, three])] == ["data.source"]
