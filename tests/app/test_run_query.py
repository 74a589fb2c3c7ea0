"""Filter, order and groups of runs: one language for the command line and the app."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from workbench.app.run_query import Term, group_views, parse_query, select, sort_views
from workbench.errors import UserError
from workbench.runs.folder import RunFolder
from workbench.runs.history import History
from workbench.runs.phase import RunState
from workbench.runs.summary import RunSummary
from workbench.runs.watch import RunView


def view(name: str, **changes: Any) -> RunView:
    fields: dict[str, Any] = {
        "strategy": "fine-tuning", "preset": None, "data": "flowers", "test": None, "val": 0.8,
        "epochs": 10, "phase": "finished", "base": "vgg16", "tags": (), "note": "", "host": "",
        "seconds": None, "scores": {}, **changes,
    }  # fmt: skip
    summary = RunSummary(
        name=name, state=RunState(fields["phase"], False, ""), preset=fields["preset"],
        random_weights=False, strategy=fields["strategy"], data=fields["data"],
        best_val_accuracy=fields["val"], test_accuracy=fields["test"],
        epochs_done=fields["epochs"], epochs_total=30, started=None, last_sign=None,
        test_scores=fields["scores"],
    )  # fmt: skip
    seconds = fields["seconds"]
    history = History(last_sign=0.0, counted=None if seconds is None else (seconds, 0.0))
    spec = {"base": {"name": fields["base"]}} if fields["base"] else {}
    return RunView(RunFolder(Path(name)), summary, history, spec, fields["host"],
                   tags=fields["tags"], note=fields["note"])  # fmt: skip


RUNS = (
    view("rose-10", test=0.95, tags=("good", "night"), epochs=30),
    view("rose-9", test=0.9, val=0.99, base="mobilenet", note="2026-01-02 03:04  Best of All"),
    view("cat-1", data="cats-dogs", val=None, base="", strategy="convnet", phase="failed",
         epochs=0, tags=("bad",), seconds=60.0),
    view("cat-2", data="cats-dogs", base="", strategy="convnet", preset="convnet-augmented",
         phase="training", seconds=90.0, host="gpu-07", scores={"macro_f1": 0.5}),
)  # fmt: skip


def names(views: Sequence[RunView]) -> list[str]:
    return [one.name for one in views]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["rose-10", "rose-9", "cat-1", "cat-2"]),
        ("rose", ["rose-10", "rose-9"]),
        ("ROSE", ["rose-10", "rose-9"]),
        ("rose 9", ["rose-9"]),
        ("-rose", ["cat-1", "cat-2"]),
        ("best", ["rose-9"]),  # a word is looked for in notes too
        ('"best of"', ["rose-9"]),
        ("acc>0.9", ["rose-10"]),  # test images count before validation images
        ("acc>=0.9", ["rose-10", "rose-9"]),
        ("acc=0.9", ["rose-9"]),
        ("acc:0.9", ["rose-9"]),
        ("acc<0.9", ["cat-2"]),  # without an accuracy it is not below one
        ("-acc<0.9", ["rose-10", "rose-9", "cat-1"]),
        ("val>0.9", ["rose-9"]),
        ("test>=0.9", ["rose-10", "rose-9"]),
        ("f1<=0.5", ["cat-2"]),
        ("epochs>=10", ["rose-10", "rose-9", "cat-2"]),
        ("epochs>10", ["rose-10"]),
        ("seconds>60", ["cat-2"]),
        ("base:vgg", ["rose-10"]),
        ("base=vgg", []),
        ("base=vgg16", ["rose-10"]),
        ("base:", ["cat-1", "cat-2"]),  # those without one
        ("-tag:", ["rose-10", "cat-1"]),
        ("tag:night", ["rose-10"]),
        ("tag:night tag:good", ["rose-10"]),
        ("-tag:bad", ["rose-10", "rose-9", "cat-2"]),
        ("note:best", ["rose-9"]),
        ("state:finished", ["rose-10", "rose-9"]),
        ("strategy:fine-tuning", ["rose-10", "rose-9"]),
        ("strategy=convnet", ["cat-1", "cat-2"]),  # the strategy, or the preset
        ("preset:augmented", ["cat-2"]),
        ("data:flowers", ["rose-10", "rose-9"]),
        ("machine:gpu-07", ["cat-2"]),
        ("machine:here -tag:bad", ["rose-10", "rose-9"]),
        ("sweep:night", ["cat-1"]),
        ("name:cat", ["cat-1", "cat-2"]),
        ("acc>0.9 base:vgg16 tag:night state:finished epochs>=10 -tag:bad", ["rose-10"]),
    ],
)
def test_all_terms_of_a_query_have_to_match(query: str, found: list[str]) -> None:
    assert names(select(RUNS, parse_query(query), {"cat-1": "nightly"})) == found


def test_what_is_still_being_typed_is_a_query() -> None:
    assert parse_query('note:"of al') == (Term("note", ":", '"of'), Term("", ":", "al"))
    assert parse_query("-") == (Term("", ":", "-"),)
    assert parse_query("it's") == (Term("", ":", "it's"),)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("acc>x", "acc>x: received 'x'; allowed: a number, such as acc>0.9"),
        ("rose acc>", "acc>: received ''; allowed: a number, such as acc>0.9"),
        ("epochs<nan", "epochs<nan: received 'nan'; allowed: a number, such as epochs>0.9"),
        ("tag>3", "tag>3: tag is a text; allowed: tag:PART or tag=WHOLE"),
        (
            "-colour:red",
            "-colour:red: no key 'colour'; allowed: run, state, strategy, data, base, tag, note, "
            "machine, on, sweep, acc, f1, balanced, top5, auc, val, test, epochs, seconds",
        ),
        ("acc>\x1b[31m", "acc>\\e[31m: received '\\x1b[31m'; allowed: a number, such as acc>0.9"),
    ],
)
def test_a_bad_term_is_named_with_what_is_allowed(query: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        parse_query(query)
    assert error.value.message == message


@pytest.mark.parametrize(
    ("by", "order"),
    [
        ("started", ["rose-10", "rose-9", "cat-1", "cat-2"]),  # as they are given
        ("metric", ["rose-10", "rose-9", "cat-2", "cat-1"]),  # what is unknown comes last
        ("acc", ["rose-10", "rose-9", "cat-2", "cat-1"]),
        ("f1", ["cat-2", "rose-10", "rose-9", "cat-1"]),
        ("run", ["cat-1", "cat-2", "rose-9", "rose-10"]),  # by the numbers in it
        ("state", ["cat-1", "rose-10", "rose-9", "cat-2"]),
        ("base", ["rose-9", "rose-10", "cat-1", "cat-2"]),
        ("tag", ["cat-1", "rose-10", "rose-9", "cat-2"]),
        ("epochs", ["rose-10", "rose-9", "cat-2", "cat-1"]),
        ("seconds", ["cat-2", "cat-1", "rose-10", "rose-9"]),
        ("machine", ["cat-2", "rose-10", "rose-9", "cat-1"]),
    ],
)
def test_runs_are_sorted_by_any_column(by: str, order: list[str]) -> None:
    assert names(sort_views(RUNS, by)) == order


def test_turned_round_what_is_unknown_still_comes_last() -> None:
    assert names(sort_views(RUNS, "acc", reverse=True)) == ["rose-9", "rose-10", "cat-2", "cat-1"]
    assert names(sort_views(RUNS, "base", True)) == ["rose-10", "rose-9", "cat-1", "cat-2"]
    assert names(sort_views(RUNS, "started", True)) == ["cat-2", "cat-1", "rose-9", "rose-10"]


@pytest.mark.parametrize(("reverse", "order"), [(False, "cbda"), (True, "bcad")])
def test_runs_that_were_tested_come_before_those_that_were_not(reverse: bool, order: str) -> None:
    views = [
        view("a", val=0.7), view("b", test=0.6, val=0.9), view("c", test=0.65), view("d", val=0.99),
    ]  # fmt: skip
    assert names(sort_views(views, "acc", reverse)) == list(order)


def test_groups_are_in_the_order_of_their_first_runs() -> None:
    def grouped(by: str) -> list[tuple[str, list[str]]]:
        return [(name, names(runs)) for name, runs in group_views(RUNS, by, {"cat-1": "nightly"})]

    roses, cats = ["rose-10", "rose-9"], ["cat-1", "cat-2"]
    assert grouped("data") == [("flowers", roses), ("cats-dogs", cats)]
    assert grouped("sweep") == [("", [*roses, "cat-2"]), ("nightly", ["cat-1"])]
    assert grouped("tag") == [("good", ["rose-10"]), ("", ["rose-9", "cat-2"]), ("bad", ["cat-1"])]
