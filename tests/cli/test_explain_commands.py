"""`workbench explain`: requests to the worker, and output."""

import base64
import io
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from event_lines import LogWriter
from PIL import Image
from rich.console import Console
from typist import Type

from workbench.cli.explain import side_by_side

SPEC = """
[data]
source = "photos"
image_size = [28, 28]
[model]
strategy = "convnet"
filters = [4, 8]
"""


def drawn(level: int = 100) -> str:
    content = io.BytesIO()
    Image.fromarray(np.full((4, 4, 3), level, np.uint8)).save(content, "PNG")
    return base64.b64encode(content.getvalue()).decode("ascii")


@pytest.fixture
def explain(types: Type, tmp_path: Path) -> Type:
    """Run `workbench explain ...` beside one finished run, net-1."""
    run = tmp_path / "saved_models" / "net-1"
    run.mkdir(parents=True)
    (run / "spec.toml").write_text(SPEC)
    (run / "model.keras").touch()
    LogWriter(run / "events.jsonl").write("data_ready", labels=["a", "b", "c"])
    return partial(types, "explain")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The requests to a worker that answers immediately."""
    requests: list[dict[str, Any]] = []

    def answer(job: str, request: dict[str, Any], on_event: Any) -> dict[str, Any]:
        assert job == "explain"
        requests.append(request)
        on_event({"event": "progress", "phase": "conv1", "done": 1, "total": 2})
        for number in request.get("filters") or ():
            words = f"filter {number}: mean activation 1 -> 2"
            on_event(
                {"event": "pattern", "filter": number, "words": words, "picture": drawn(number)}
            )
        return {
            "layer": "conv1", "out": "/x/inside/a.png", "words": ["conv1: 26x26x4, 4 channels"],
            "preview": drawn(), "strongest": [0, 2],
        }  # fmt: skip

    monkeypatch.setattr("workbench.app.jobs.run_job", answer)
    return requests


def test_without_a_terminal_words_and_the_path(
    explain: Type, sent: list[dict[str, Any]], tmp_path: Path
) -> None:
    result = explain("activations", "net-1", "photos/a.png")
    assert result.exit_code == 0
    assert result.stdout == "conv1: 26x26x4, 4 channels\n/x/inside/a.png\n"
    assert sent == [
        {
            "what": "activations",
            "model": str(tmp_path / "saved_models" / "net-1" / "model.keras"),
            "image": str(tmp_path / "photos" / "a.png"),
            "layer": None,
            "out": None,
        }
    ]


def test_filters_are_shown_as_they_come(explain: Type, sent: list[dict[str, Any]]) -> None:
    result = explain("filters", "net-1", "--layer", "conv1", "--filters", "0,3", "--seed", "9")
    assert result.stdout.splitlines()[:2] == [
        "filter 0: mean activation 1 -> 2",
        "filter 3: mean activation 1 -> 2",
    ]
    request = sent[0]
    assert (request["filters"], request["steps"], request["seed"]) == ([0, 3], 40, 9)


def test_grad_cam_of_any_class(explain: Type, sent: list[dict[str, Any]], tmp_path: Path) -> None:
    words = ("gradcam", "net-1", "a.png", "--class", "dog", "--layer", "auto", "--out", "b.png")
    assert explain(*words).exit_code == 0
    request = sent[0]
    assert (request["label"], request["layer"]) == ("dog", None)
    assert request["out"] == str(tmp_path / "b.png")


def test_an_image_is_named_as_the_evaluation_lists_it(
    explain: Type, sent: list[dict[str, Any]], tmp_path: Path
) -> None:
    among = tmp_path / "photos" / "cat" / "1.png"  # of the run's data
    assert explain("activations", "net-1", "cat/1.png").exit_code == 0
    among.parent.mkdir(parents=True)
    among.touch()
    assert explain("activations", "net-1", "cat/1.png").exit_code == 0
    assert [one["image"] for one in sent] == [str(tmp_path / "cat" / "1.png"), str(among)]


@pytest.mark.parametrize(
    ("words", "output"),
    [
        (("filters", "net-1", "--filters", "0;1"), "--filters: received '0;1'; allowed are numb"),
        (("activations", "net-2", "a.png"), "There is no run 'net-2' in"),
        (("activations", "x.keras", "a.png"), "There is no model file x.keras."),
        (("layers", "net-2"), "There is no run 'net-2' in"),
    ],
)
def test_errors_are_for_people(explain: Type, words: tuple[str, ...], output: str) -> None:
    result = explain(*words)
    assert result.exit_code == 2
    assert output in result.stderr


def test_layers_need_no_worker(explain: Type) -> None:
    assert explain("layers", "net-1").stdout.splitlines() == [
        "net-1: images of 28x28x3",
        "layer     output  operations  field  apart  start",
        "conv1    26x26x4      73.0 k    3x3      1      0",
        "pool1    13x13x4           -    4x4      2      0",
        "conv2    11x11x8      34.8 k    8x8      2      0",
        "pool2      5x5x8           -  10x10      4      0",
        "flatten      200           -      -      -      -  the whole image",
        "dense1       512       102 k      -      -      -  the whole image",
        "output         3       1,536      -      -      -  the whole image",
        "",
        "operations   multiply-adds of one image",
        "field        pixels of the image that each value of the layer depends on",
        "apart        pixels between the fields of two neighbouring values",
        "start        first pixel of the first field (down, right); below 0 it is padding",
    ]


def test_three_pictures_have_room_in_eighty_columns() -> None:
    pictures = [np.full((40, 40, 3), level, np.uint8) for level in (10, 100, 200)]
    for utf8, sign in ((True, "▀"), (False, "=")):
        console = Console(width=80, record=True, file=io.StringIO(), color_system="truecolor")
        console.print(side_by_side(pictures, ["filter 0", "filter 1", "filter 2"], 3, 80, utf8))
        lines = console.export_text().splitlines()
        assert [line.index(f"filter {n}") for n, line in enumerate(lines[:1] * 3)] == [0, 27, 54]
        assert len(lines) == 1 + 12  # 25 cells across are 12 rows: a cell is twice as high
        assert all(len(line) <= 80 for line in lines)
        assert sign * 25 in lines[1]
