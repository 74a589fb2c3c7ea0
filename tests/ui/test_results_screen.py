"""What a run came to, in the app: figures, confusions, errors as pictures, predictions."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from textual.containers import ItemGrid
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, Static
from ui_pilot import drive, until

from workbench.errors import UserError
from workbench.experiment.presets import PRESETS
from workbench.paths import Workspace
from workbench.runs.events import EventWriter
from workbench.runs.folder import RunFolder, create_run
from workbench.runs.history import History, fold
from workbench.runs.verdicts import (
    Results,
    cautions,
    figures_beside,
    next_rung,
    parse_results,
    read_results,
)
from workbench.ui.app import WorkbenchApp
from workbench.ui.draft import Draft, newest_draft
from workbench.ui.screens import results as screen
from workbench.ui.screens.layers import LayersScreen
from workbench.ui.screens.results import ResultsScreen, shade
from workbench.ui.screens.strategy import StrategyScreen

HOSTILE = "[/oops]\x1b[31m\n\udcff"


def figures(**changes: Any) -> dict[str, Any]:
    told = {
        "format": 1, "split": "test", "images": 100, "loss": 0.3, "accuracy": 0.9,
        "interval": [0.83, 0.94], "labels": ["cat", "dog"], "confusion": [[45, 5], [5, 45]],
        "classes": [
            {"label": "cat", "images": 50, "precision": 0.9, "recall": 0.9},
            {"label": "dog", "images": 50, "precision": None, "recall": 0.9},
        ],
        "worst": [{"path": "cat.7.png", "label": "cat", "predicted": "dog", "probability": 0.987,
                   "loss": 4.3}],
    }  # fmt: skip
    return {**told, **changes}


def results(**changes: Any) -> Results:
    return parse_results(figures(**changes))


def make_run(folder: Path, told: Any = None, preset: str = "feature-extraction") -> RunFolder:
    """A finished run whose images lie in `folder`/photos."""
    photos = folder / "photos"
    photos.mkdir()
    Image.new("RGB", (64, 64), "orange").save(photos / "cat.7.png")
    text = (
        f'preset = "{preset}"\n[data]\nsource = "{photos}"\n[model]\nstrategy = "{preset}"\n'
        '[base]\nname = "vgg16"\n'
    )
    run = create_run(Workspace(folder), text, "birds", "")
    writer = EventWriter(run.events_path)
    writer.write("epoch_finished", stage=0, epoch=3, accuracy=0.99, val_accuracy=0.93, best=True)
    writer.write("finished", seconds=3)
    if told is not None:
        run.results_path.write_text(told if isinstance(told, str) else json.dumps(told))
    return run


def shown(app: WorkbenchApp) -> str:
    """All that can be seen, with single spaces."""
    parts = [str(one.render()) for one in app.screen.query(Static) if one.display]
    for table in app.screen.query(DataTable):
        if table.display:
            parts += [str(column.label) for column in table.columns.values()]
            parts += [cell.plain for key in table.rows for cell in table.get_row(key)]
    return " ".join(" ".join(parts).split())


async def open_results(app: WorkbenchApp, pilot: Pilot[Any], words: str) -> None:
    await until(pilot, lambda: app.find_run("birds"), "the run is seen")
    await app.push_screen(ResultsScreen("birds"))
    await until(pilot, lambda: words in shown(app), words)


def test_figures_stand_side_by_side(tmp_path: Path) -> None:
    make_run(tmp_path, figures())

    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        await open_results(app, pilot, "test 0.9000 (0.8300 to 0.9400 with 95 % confidence)")
        text = shown(app)
        assert "validation 0.9300 the best, in stage 1, epoch 3; training 0.9900" in text
        assert "book 0.903, readers 0.970" in text
        assert "next fine-tuning: the base has never seen your images" in text
        assert "cat 45 █ 5 ░ dog 5 ░ 45 █" in text
        assert "cat 50 0.900 0.900 dog 50 - 0.900" in text  # two labels fit beside the matrix
        await pilot.press("c")
        assert "true label in rows" not in shown(app)
        await pilot.press("m")
        assert "true label in rows" in shown(app)
        await pilot.press("L")
        assert isinstance(app.screen, LayersScreen)

    drive(tmp_path, play)


def test_errors_are_pictures_with_both_labels(tmp_path: Path) -> None:
    gone = {"path": "gone.png", "label": HOSTILE, "predicted": HOSTILE, "probability": 0.6}
    odd = {**gone, "path": os.fsdecode(b"caf\xe9\n\x00.png")}
    make_run(tmp_path, figures(worst=[*figures()["worst"], gone, odd]))

    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        await open_results(app, pilot, "test 0.9000")
        grid = app.screen.query_one("#grid", ItemGrid)
        await until(pilot, lambda: len(grid.children) == 3, "three pictures")
        await pilot.press("e")
        await pilot.pause()
        first, second, third = (str(one.render()) for one in grid.query(Static))
        assert "▀▀▀" in first
        assert "cat.7.png\nis cat\nsaid dog 0.99" in first
        assert "no picture: there is no such file" in second
        assert "no picture: " in third
        assert "\x1b" not in second + third
        assert "10 wrong; the surest of them first" in shown(app)

    drive(tmp_path, play)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (None, "There are no results yet. They are written when training has ended."),
        ("{", "results.json is damaged. Measure again: workbench evaluate birds --again"),
        ("[]", "is damaged"),
        (figures(confusion=[[1]]), "is damaged"),
        (figures(accuracy=None), "is damaged"),
        (figures(worst=3), "is damaged"),
    ],
)
def test_missing_and_damaged_results_are_told(tmp_path: Path, told: Any, words: str) -> None:
    make_run(tmp_path, told)

    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        await open_results(app, pilot, words)
        assert "The run is finished" in shown(app)
        await pilot.press("e", "c", "m")

    drive(tmp_path, play)


def test_results_appear_when_the_run_ends(tmp_path: Path) -> None:
    run = make_run(tmp_path)

    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        await open_results(app, pilot, "There are no results yet")
        run.results_path.write_text(json.dumps(figures()))
        EventWriter(run.events_path).write("evaluated", split="test", accuracy=0.9)
        await until(pilot, lambda: "test 0.9000" in shown(app), "the figures")

    drive(tmp_path, play)


def test_many_hostile_labels_scroll(tmp_path: Path) -> None:
    labels = [f"{HOSTILE}{number}" for number in range(20)]
    classes = [{"label": one, "images": 5, "precision": 1.0, "recall": 1.0} for one in labels]
    confusion = [[5 if row == column else 0 for column in range(20)] for row in range(20)]
    make_run(tmp_path, figures(labels=labels, classes=classes, confusion=confusion))

    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        await open_results(app, pilot, "true label in rows")
        await pilot.press("m")
        assert "arrow keys scroll" in shown(app)
        matrix = app.screen.query_one("#matrix", DataTable)
        assert matrix.max_scroll_x > 0
        assert matrix.max_scroll_y > 0
        await pilot.press("right", "down")
        await until(pilot, lambda: matrix.scroll_x > 0 and matrix.scroll_y > 0, "scrolled")
        assert "\x1b" not in shown(app)
        await pilot.press("c", "e")

    drive(tmp_path, play)


Job = Callable[[str, dict[str, Any], Callable[[dict[str, Any]], None]], dict[str, Any]]


async def ask(app: WorkbenchApp, pilot: Pilot[Any], path: str) -> None:
    await open_results(app, pilot, "test 0.9000")
    await pilot.press("p")
    await until(pilot, lambda: app.screen.query(Input), "the question")
    app.screen.query_one(Input).value = path
    await pilot.press("enter")


def test_images_are_predicted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path, figures()).model_path.write_bytes(b"a model")
    asked: dict[str, Any] = {}

    def job(name: str, request: dict[str, Any], on_event: Any) -> dict[str, Any]:
        asked.update(request, job=name)
        on_event({"event": "progress", "phase": HOSTILE, "done": 1, "total": 2})
        return {"labels": ["cat", "dog"], "predictions": [
            {"path": "/a.png", "label": "cat", "probability": 0.75, "problem": ""},
            {"path": HOSTILE, "label": "", "probability": 0.0, "problem": "it is no image"},
        ]}  # fmt: skip

    monkeypatch.setattr(screen, "run_job", job)

    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        await ask(app, pilot, str(tmp_path / "photos"))
        await until(pilot, lambda: "2 predicted, 1 of them unreadable" in shown(app), "answers")
        text = shown(app)
        assert "cat 0.750 /a.png" in text
        assert "unreadable - it is no image: [/oops]\\e[31m\\n\\xff" in text
        assert asked["job"] == "predict"
        assert asked["paths"] == [str(tmp_path / "photos")]

    drive(tmp_path, play)


def test_a_prediction_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path, figures()).model_path.write_bytes(b"a model")

    def job(*_: Any) -> dict[str, Any]:
        raise UserError(f"There is no {HOSTILE}.")

    monkeypatch.setattr(screen, "run_job", job)

    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        await ask(app, pilot, "~no-such-person/nowhere")
        await until(pilot, lambda: "There is no [/oops]\\e[31m" in shown(app), "the reason")

    drive(tmp_path, play)


def test_without_a_model_nothing_is_asked(tmp_path: Path) -> None:
    make_run(tmp_path, figures())

    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        await open_results(app, pilot, "test 0.9000")
        await pilot.press("p")
        assert isinstance(app.screen, ResultsScreen)

    drive(tmp_path, play)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"leaked": 10}, "Mind: 10 of these images are training images too"),
        ({"weights": "random"}, "The base had random weights"),
        ({"interval": [0.5, 0.6]}, "Not beyond guessing: always saying cat would be right for 0.5"),
        ({"split": "validation"}, "expect a little less on new ones"),
    ],
)
def test_what_takes_worth_from_figures_is_said(changes: dict[str, Any], words: str) -> None:
    assert cautions(results()) == []
    [told] = cautions(results(**changes))
    assert words in told


def history(train: float, validation: float) -> History:
    event = {"event": "epoch_finished", "stage": 0, "epoch": 1, "accuracy": train,
             "val_accuracy": validation}  # fmt: skip
    data = {"event": "data_ready", "images": {"train": 2000}, "labels": ["a", "b"]}
    return fold([data, event])


@pytest.mark.parametrize(
    ("spec", "begins"),
    [
        ({"model": {"strategy": "dense"}}, "convnet: "),
        ({"model": {"strategy": "convnet"}}, "convnet-augmented: training 0.990 against"),
        ({"model": {"strategy": "convnet"}, "augmentation": {"rotation": 40.0}},
         "feature-extraction: 2,000 training images"),
        ({"model": {"strategy": "convnet"}, "augmentation": {"fill": "black"}},
         "convnet-augmented: training"),
        ({"model": {"strategy": "feature-extraction"}}, "fine-tuning: "),
        ({"model": {"strategy": "fine-tuning"}}, "this is the top rung"),
        ({"model": {"strategy": "dense"}, "base": {"weights": "random"}}, "the same with ImageNet"),
        ({"model": 3}, ""),
    ],
)  # fmt: skip
def test_the_next_rung_has_a_reason(spec: dict[str, Any], begins: str) -> None:
    found = next_rung(spec, history(0.99, 0.72), results(accuracy=0.72))
    assert (found.words if found else "").startswith(begins)
    assert found is None or found.preset in ("", *PRESETS)


@pytest.mark.parametrize(
    ("spec", "preset", "weights"),
    [
        ({"model": {"strategy": "dense"}}, "convnet", ""),
        ({"model": {"strategy": "convnet"}}, "convnet-augmented", ""),
        ({"model": {"strategy": "convnet"}, "augmentation": {"zoom": 0.2}},
         "feature-extraction", ""),
        ({"model": {"strategy": "feature-extraction"}}, "fine-tuning", ""),
        ({"model": {"strategy": "fine-tuning"}}, "", ""),
        ({"model": {"strategy": "fine-tuning"}, "base": {"weights": "random"}},
         "fine-tuning", "imagenet"),
        ({"preset": "book-fine-tuning", "base": {"weights": "random"}},
         "book-fine-tuning", "imagenet"),
        ({"preset": ["odd"], "base": {"weights": "random"}}, "", "imagenet"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("train", [0.99, 0.73])
def test_the_next_rung_is_a_preset(
    spec: dict[str, Any], preset: str, weights: str, train: float
) -> None:
    found = next_rung(spec, history(train, 0.72), results(accuracy=0.72))
    assert found
    assert (found.preset, found.weights) == (preset, weights)


async def climb(app: WorkbenchApp, pilot: Pilot[Any]) -> Draft:
    """Presses the key and gives the draft of the screen that it leads to."""
    await open_results(app, pilot, "test 0.9000")
    await pilot.press("n")
    await until(pilot, lambda: getattr(app.screen, "_keys", None), "the options of the strategy")
    assert isinstance(app.screen, StrategyScreen)
    return app.screen.draft


def test_the_next_rung_opens_with_what_the_run_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StrategyScreen, "_find_figures", lambda self, asked: None)
    run = make_run(tmp_path, figures())
    Image.new("RGB", (64, 64), "grey").save(tmp_path / "photos" / "dog.1.png")
    split = "[data.split]\ntrain = 0.5\nvalidation = 0.25\ntest = 0.25\nseed = 7\n"
    base = run.spec_path.read_text().replace("vgg16", "mobilenetv2-0.35")
    run.spec_path.write_text(f'{base}weights = "/models/own.h5"\n{split}')

    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        draft = await climb(app, pilot)
        spec = draft.spec()
        assert (spec.preset, spec.data.source) == ("fine-tuning", str(tmp_path / "photos"))
        assert spec.data.split.parts == (0.5, 0.25, 0.25)
        assert spec.data.split.seed == 7
        assert spec.base
        assert (spec.base.name, spec.base.weights) == ("mobilenetv2-0.35", "/models/own.h5")
        assert draft.settled == {"machine", "data"}
        assert newest_draft(app.workspace) == draft
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ResultsScreen), "the results again")

    drive(tmp_path, play)


def test_what_does_not_fit_the_next_rung_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StrategyScreen, "_find_figures", lambda self, asked: None)
    run = make_run(tmp_path, figures())
    Image.new("RGB", (64, 64), "grey").save(tmp_path / "photos" / "dog.1.png")
    text = run.spec_path.read_text().replace('"vgg16"', '"[/oops]"')
    odd = "[data.split]\ntrain = 2020-01-01\ntest = nan\nother = 3\nseed = [1]\n"
    run.spec_path.write_text(f"{text}weights = 3\n{odd}")

    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        draft = await climb(app, pilot)
        assert draft.spec().preset == "fine-tuning"
        assert draft.settings == {}

    drive(tmp_path, play)


def test_images_that_are_gone_are_told(tmp_path: Path) -> None:
    make_run(tmp_path, figures())
    (tmp_path / "photos" / "cat.7.png").unlink()
    (tmp_path / "photos").rmdir()

    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        await open_results(app, pilot, "test 0.9000")
        await pilot.press("n")
        await until(pilot, lambda: any(n.severity == "error" for n in app._notifications), "why")
        assert isinstance(app.screen, ResultsScreen)
        assert newest_draft(app.workspace) is None

    drive(tmp_path, play)


def test_on_the_top_rung_none_is_offered(tmp_path: Path) -> None:
    make_run(tmp_path, figures(), preset="fine-tuning")

    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        await open_results(app, pilot, "this is the top rung")
        assert not app.screen.check_action("next_rung", ())
        await pilot.press("n")
        assert isinstance(app.screen, ResultsScreen)

    drive(tmp_path, play)


def test_at_the_top_of_accuracy_no_rung_is_next() -> None:
    spec = {"model": {"strategy": "dense"}}
    found = next_rung(spec, history(1, 1), results(accuracy=0.995))
    assert found
    assert "little left to gain" in found.words
    assert found.preset == ""


def test_figures_of_the_book_are_found_by_preset() -> None:
    assert figures_beside("book-mnist") == "book 0.991"
    assert figures_beside("dense") == figures_beside(None) == ""


def test_an_unreadable_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_results(tmp_path)


def test_shades_leave_nothing_blank_that_is_there() -> None:
    assert "".join(map(shade, (0.0, 0.001, 0.1, 0.3, 0.6, 1.0))) == " ·░▒▓█"
    assert shade(0.001, utf8=False) == "."
