"""Runs side by side, from plain events and specs."""

import json
from collections import Counter
from typing import Any

import pytest

from workbench.analysis.compare import (
    Difference,
    Images,
    Result,
    RunFacts,
    StageFigures,
    compare,
    differences,
    freeze_map,
    load_facts,
    result,
    spec_differences,
)
from workbench.runs.events import EventWriter
from workbench.runs.folder import RunFolder
from workbench.runs.history import fold
from workbench.runs.state import RunSummary, State

Event = dict[str, Any]
MEASURED: Event = {"event": "evaluated", "split": "test", "accuracy": 0.5}


def facts(
    name: str,
    events: list[Event] | None = None,
    spec: dict[str, Any] | None = None,
    test: Images | None = None,
) -> RunFacts:
    state = State("finished", False, "")
    summary = RunSummary(
        name, state, None, False, "convnet", "birds", None, None, 0, None, None, None
    )
    return RunFacts(summary, spec or {}, events or [], test)


def stage_started(stage: int, layers: Any = None, **fields: Any) -> Event:
    told = {"event": "stage_started", "stage": stage, "name": f"s{stage}", "epochs": 4, "steps": 3}
    return {**told, **fields} | ({} if layers is None else {"layers": layers})


def layer(name: str, requested: str, **fields: Any) -> Event:
    return {"name": name, "requested": requested, "parameters": 5, **fields}


def epoch(stage: int, number: int, val_accuracy: float | None, best: bool) -> Event:
    return {
        "event": "epoch_finished", "stage": stage, "epoch": number,
        "val_accuracy": val_accuracy, "best": best,
    }  # fmt: skip


def test_only_keys_that_differ_are_told() -> None:
    one = {"model.strategy": "dense", "training.epochs": 5, "data.channels": 1}
    two = {"model.strategy": "convnet", "model.filters": [8], "training.epochs": 5}
    assert differences([one, two]) == [
        Difference("model.strategy", ("dense", "convnet")),
        Difference("data.channels", (1, None)),
        Difference("model.filters", (None, [8])),
    ]
    assert differences([one, one, one]) == []
    assert differences([one, two], absent_differs=False) == [
        Difference("model.strategy", ("dense", "convnet"))
    ]


def test_a_runs_own_name_is_no_difference() -> None:
    told = compare([facts("a", spec={"name": "a"}), facts("b", spec={"name": "b"})])
    assert (told.runs, told.spec) == (("a", "b"), [])


def test_of_a_base_that_a_run_does_not_have_only_what_is_unusual_is_told() -> None:
    dense = {"model.strategy": "dense"}
    usual = {
        "model.strategy": "dense", "base.name": "vgg16", "base.weights": "imagenet",
        "base.trainable": [], "base.views": 0,
    }  # fmt: skip
    unusual = {**usual, "base.weights": "random", "base.trainable": ["block5"]}
    assert spec_differences([dense, usual]) == [Difference("base.name", (None, "vgg16"))]
    assert spec_differences([dense, unusual, usual]) == [
        Difference("base.name", (None, "vgg16", "vgg16")),
        Difference("base.weights", (None, "random", "imagenet")),
        Difference("base.trainable", (None, ["block5"], [])),
    ]
    extracted = {key: usual[key] for key in usual if key != "base.trainable"}
    assert spec_differences([extracted, usual]) == [Difference("base.trainable", (None, []))]


def test_layers_are_told_by_when_they_train() -> None:
    extraction = facts(
        "a",
        [stage_started(0, [layer("block4", "frozen"), layer("block5", "frozen"),
                           layer("output", "trains")])],
    )  # fmt: skip
    tuning = facts(
        "b",
        [
            stage_started(
                0,
                [
                    layer("block4", "frozen"),
                    layer("block5", "frozen"),
                    layer("output", "trains"),
                    layer("pool", "frozen", parameters=0),
                ],
            ),
            stage_started(
                1,
                [layer("block4", "frozen"), layer("block5", "trains"), layer("output", "trains")],
            ),
        ],
    )
    assert freeze_map(tuning) == {
        "block4": "frozen",
        "block5": "trains in stage 2",
        "output": "trains",
    }
    assert compare([extraction, tuning]).layers == [
        Difference("block5", ("frozen", "trains in stage 2"))
    ]


def test_layers_that_a_run_does_not_have_are_no_difference_of_freezing() -> None:
    dense = facts("a", [stage_started(0, [layer("dense1", "trains")])])
    convnet = facts("b", [stage_started(0, [layer("conv1", "trains")])])
    assert compare([dense, convnet]).layers == []
    frozen = facts("c", [stage_started(0, [layer("conv1", "frozen")])])
    assert compare([dense, convnet, frozen]).layers == [
        Difference("conv1", (None, "trains", "frozen"))
    ]
    assert compare([frozen, dense, frozen]).layers == []


def test_a_frozen_layer_that_moved_is_told() -> None:
    started = stage_started(0, [layer("block1", "frozen"), layer("output", "trains")])
    rows = [
        {"name": "block1", "requested": "frozen", "compiled": "frozen", "moved": 0.01},
        {"name": "output", "requested": "trains", "compiled": "trains", "moved": 0.5},
    ]
    moved = {"event": "layers", "stage": 0, "epoch": 1, "layers": rows}
    assert freeze_map(facts("a", [started, moved])) == {
        "block1": "frozen, but moved",
        "output": "trains",
    }
    rows[0]["moved"] = 0
    assert freeze_map(facts("a", [started, moved]))["block1"] == "frozen"


@pytest.mark.parametrize(
    "layers",
    [None, "none", [], [None, 5, "x"], [{"name": "conv1"}], [{"requested": "trains"}, 3]],
)
def test_logs_that_tell_nothing_of_freezing_do_no_harm(layers: Any) -> None:
    run = facts("a", [stage_started(0, layers), {"event": "layers", "layers": layers}])
    assert compare([run, run]).layers == []


def test_stages_and_results_side_by_side() -> None:
    events = [
        {"event": "worker_started", "t": 10.0},
        stage_started(0, t=12.0, optimizer="adam", learning_rate=0.01, trainable_parameters=7,
                      parameters=90),
        epoch(0, 1, 0.5, True),
        epoch(0, 2, 0.75, True),
        epoch(0, 3, 0.625, False),
        stage_started(1, optimizer="sgd", learning_rate=0.001, trainable_parameters=9,
                      parameters=100),
        epoch(1, 1, 0.875, True),
        {"event": "evaluated", "t": 15.0, "split": "test", "accuracy": 0.9,
         "interval": [0.8, 0.95], "images": 40},
        {"event": "finished", "t": 15.5},
    ]  # fmt: skip
    told = compare([facts("a", events), facts("b")])
    assert told.stages == [
        StageFigures("a", 0, "s0", "adam", 0.01, 7, 3, 4, 2, 0.75),
        StageFigures("a", 1, "s1", "sgd", 0.001, 9, 1, 4, 1, 0.875),
    ]
    assert told.results == [
        Result("a", "finished", "test", 0.9, (0.8, 0.95), 40, 100, 5.5, 1, False),
        Result("b", "finished", None, None, None, None, None, None, None, False),
    ]
    both = compare([facts("a", events), facts("b", events)])
    assert [(s.stage, s.run) for s in both.stages] == [(0, "a"), (0, "b"), (1, "a"), (1, "b")]
    assert json.loads(json.dumps(told.as_dict()))["results"][0]["interval"] == [0.8, 0.95]


def test_waiting_is_no_work() -> None:
    def at(t: float, kind: str, **fields: Any) -> Event:
        return {"event": kind, "t": t, **fields}

    life = [
        at(0, "launched"),
        at(1, "worker_started"),
        at(2, "preparing", phase="wait for birds-1"),
        at(62, "preparing", phase="wait for birds-1"),
        at(90, "preparing", phase="scan"),
        at(95, "stopped"),
    ]
    assert fold(life).seconds_worked == 1 + 5
    second = [at(500, "launched"), at(501, "worker_started"), at(503, "finished")]
    assert fold([*life, *second]).seconds_worked == 1 + 5 + 2
    assert fold(second, fold(life)).seconds_worked == 1 + 5 + 2  # read on bit by bit
    killed = [*life[:-1], *second]  # ended without a word
    assert fold(killed).seconds_worked == 1 + 0 + 2
    assert fold(life[:1]).seconds_worked is None
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
def test_test_images_are_told_apart_by_their_pixels(
    tests: list[str | None], counts: tuple[int | None, ...], shared: int | None, same: bool | None
) -> None:
    images = [None if t is None else Counter((h, "cat") for h in t) for t in tests]
    told = compare([facts(str(i), [MEASURED], test=test) for i, test in enumerate(images)])
    assert (told.test_images, told.shared_test_images, told.same_test_images) == (
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
    told = compare([a, stopped, b])
    assert (told.shared_test_images, told.same_test_images) == (1, True)
    assert told.test_images == (1, None if other is None else other.total(), 1)
    alone = compare([a, stopped])
    assert (alone.shared_test_images, alone.same_test_images) == (None, None)


def test_facts_come_from_the_folder(run: RunFolder) -> None:
    EventWriter(run.events_path).write("evaluated", split="test", accuracy=0.5)
    told = load_facts(run)
    assert told.spec["model.strategy"] == "convnet"
    assert told.spec["training.epochs"] == 7
    assert result(told).accuracy == 0.5
    run.spec_path.write_text(
        '[data]\nsource = "/photos/birds"\n[model]\nstrategy = "dense"\ndense_units = [4]\n'
    )
    assert load_facts(run).spec["training.batch_size"] == 32  # a default
    run.spec_path.write_text("[model\n")
    run.events_path.unlink()
    run.events_path.mkdir()
    assert (load_facts(run).spec, load_facts(run).events) == ({}, [])
