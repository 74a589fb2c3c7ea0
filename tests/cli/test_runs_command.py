"""`workbench runs` with a query, an order and a limit; tags and notes by command."""

import json
from pathlib import Path
from typing import Any

import pytest
from fake_runs import CONVNET, FINE_TUNING, FakeRun
from typist import Type

from workbench.paths import Workspace

KEYS = [
    "name", "state", "resumable", "detail", "preset", "random_weights", "strategy", "data",
    "best_val_accuracy", "test_accuracy", "epochs_done", "epochs_total", "started", "last_sign",
    "val_scores", "test_scores", "device", "cross_validated", "tags",
    "note",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _three_runs(tmp_path: Path) -> None:
    for name, accuracy in (("low", 0.5), ("high", 0.9), ("tuned", 0.7)):
        spec = (FINE_TUNING if name == "tuned" else CONVNET).format(head=1, epochs=2)
        run = FakeRun(Workspace(tmp_path), name, spec)
        run.stage(0, "train", 2)
        run.epochs(0, 1, val_accuracy=accuracy)
        run.emit("finished")


def listed(types: Type, *words: str) -> list[dict[str, Any]]:
    result = types("runs", "--json", *words)
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.output)
    return found


def names(types: Type, *words: str) -> list[str]:
    return [run["name"] for run in listed(types, *words)]


def test_runs_are_filtered_sorted_and_limited(types: Type) -> None:
    assert set(names(types)) == {"low", "high", "tuned"}
    assert names(types, "--sort", "acc") == ["high", "tuned", "low"]
    assert names(types, "--sort", "acc", "--reverse", "--limit", "1") == ["low"]
    assert names(types, "--filter", "acc>0.6", "--sort", "run") == ["high", "tuned"]
    assert names(types, "--filter", "base:vgg16 strategy:fine-tuning") == ["tuned"]
    assert names(types, "--filter", "data:flowers") == []
    assert [list(run) for run in listed(types)] == [KEYS] * 3


def test_what_a_limit_leaves_out_is_counted(types: Type) -> None:
    assert types("runs", "--limit", "1").output.endswith("\n2 more: leave out --limit\n")
    assert "more" not in types("runs", "--limit", "3").output
    assert types("runs", "--filter", "acc>0.99").output == "No run matches 'acc>0.99'.\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--filter", "acc>high"], "acc>high: received 'high'; allowed: a number, such as acc>0.9"),
        (["--filter", "size>3"], "size>3: no key 'size'; allowed: run, state, strategy, "),
        (["--sort", "size"], "--sort: received 'size'."),
    ],
)
def test_a_bad_term_is_refused(types: Type, words: list[str], message: str) -> None:
    result = types("runs", *words)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


def test_tags_and_notes_by_command(types: Type) -> None:
    assert types("tag", "high").output == "high: no tags\n"
    assert types("tag", "high", "+night", "good").output == "high: good night\n"
    assert types("tag", "high", "-good").output == "high: night\n"
    assert names(types, "--filter", "tag:night") == ["high"]
    assert set(names(types, "--filter", "-tag:night")) == {"low", "tuned"}
    assert types("note", "low").output == "No notes.\n"
    types("note", "low", "too few epochs")
    assert types("note", "low").output.endswith("  too few epochs\n")
    assert names(types, "--filter", 'note:"few epochs"') == ["low"]
    (tagged,) = listed(types, "--filter", "tag:night")
    assert (tagged["tags"], tagged["note"]) == (["night"], "")
    status = json.loads(types("status", "high", "--json").output)
    assert list(status) == KEYS
    assert status["tags"] == ["night"]
    assert types("runs").output.splitlines()[0].endswith("tags")
    refused = types("tag", "high", "+two words")
    assert refused.exit_code == 2
    assert "'two words' cannot be a tag." in refused.output
