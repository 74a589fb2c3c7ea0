"""What a run came to, in the app: figures, confusions, errors as pictures, predictions."""

import json
import os
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from PIL import Image
from textual.containers import ItemGrid
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import DataTable, Input, Static
from ui_pilot import drive, until

from workbench.app.draft import Draft, newest_draft
from workbench.errors import UserError
from workbench.experiment.presets import PRESETS
from workbench.paths import Workspace
from workbench.runs.events import EventWriter
from workbench.runs.folder import RunFolder, create_run
from workbench.runs.history import History, fold
from workbench.runs.results import (
    Results,
    cautions,
    figures_beside,
    next_rung,
    parse_results,
    read_results,
)
from workbench.ui.app import WorkbenchApp
from workbench.ui.layers.screen import LayersScreen
from workbench.ui.results.prediction_rows import answer_in_words
from workbench.ui.results.screen import ResultsScreen
from workbench.ui.results.text import shade
from workbench.ui.strategy.screen import StrategyScreen
from workbench.ui.widgets import job_part
from workbench.ui.widgets.key_line import KeyLine

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


def is_shown(widget: Widget) -> bool:
    return all(node.display for node in widget.ancestors_with_self)


def shown(app: WorkbenchApp) -> str:
    """All that can be seen, with single spaces."""
    parts = [str(one.render()) for one in app.screen.query(Static) if is_shown(one)]
    for table in app.screen.query(DataTable):
        if is_shown(table):
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
        assert "validation 0.9300 in stage 1, epoch 3, the one kept; training 0.9900" in text
        assert "book 0.903, readers 0.970 on cats and dogs with VGG16 same preset" in text
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


def test_the_keys_name_what_is_worth_the_room(tmp_path: Path) -> None:
    make_run(tmp_path, figures())

    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        await open_results(app, pilot, "test 0.9000")
        line = app.screen.query_one(KeyLine)
        keys = "esc Back ? Why? c Classes e Errors t Take home n Next i Inside"
        await until(pilot, lambda: line.keys.plain == keys, "other views than the one shown")
        assert app.screen.query_one("#matrix").has_focus
        await pilot.press("e")
        keys = "esc Back ? Why? m Matrix c Classes x Correct t Take home n Next"
        await until(pilot, lambda: line.keys.plain == keys, "what errors are for")

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
        assert first.startswith("cat.7.png\nis cat\nsaid dog 0.99\n▀▀▀")
        assert "no picture: there is no such file" in second
        assert "no picture: " in third
        assert "\x1b" not in second + third
        assert "10 wrong; the least probable true label first" in shown(app)

    drive(tmp_path, play)


def test_a_row_of_errors_is_seen_whole_in_24_rows(tmp_path: Path) -> None:
    make_run(tmp_path, figures(worst=figures()["worst"] * 9, shifted={"pixels": 4, "accuracy": 1}))

    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        await open_results(app, pilot, "test 0.9000")
        grid = app.screen.query_one("#grid", ItemGrid)
        await until(pilot, lambda: len(grid.children) == 9, "nine pictures")
        await pilot.press("e")
        view = app.screen.query_one("#errors")
        await until(pilot, lambda: view.region.height > 0, "the errors")
        for number, error in enumerate(grid.children):
            seen = view.region.contains_region(error.region)
            assert seen == (number < 4)

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
        await until(pilot, lambda: "more below: arrow keys" in shown(app), "that there is more")
        matrix = app.screen.query_one("#matrix", DataTable)
        assert matrix.max_scroll_x > 0
        assert matrix.max_scroll_y > 0
        await pilot.press("right", "down")
        await until(pilot, lambda: matrix.scroll_x > 0 and matrix.scroll_y > 0, "scrolled")
        assert "\x1b" not in shown(app)
        await pilot.press("c", "e")

    drive(tmp_path, play)


async def ask(app: WorkbenchApp, pilot: Pilot[Any], path: str) -> None:
    """Types a path over what stands in the line."""
    await pilot.press("p")
    field = app.screen.query_one("#path", Input)
    await until(pilot, lambda: field.has_focus, "the line for a path")
    field.value = path
    await pilot.press("enter")


def test_images_are_predicted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path, figures())
    run.model_path.write_bytes(b"a model")
    photos = tmp_path / "photos"
    asked: dict[str, Any] = {}

    def job(name: str, request: dict[str, Any], on_event: Any, on_start: Any) -> dict[str, Any]:
        asked.update(request, job=name)
        on_event({"event": "progress", "phase": HOSTILE, "done": 1, "total": 2})
        return {"labels": ["cat", "dog"], "predictions": [
            {"path": f"{photos}/a.png", "label": "cat", "probability": 0.75, "problem": ""},
            {"path": HOSTILE, "label": "", "probability": 0.0, "problem": "it is no image"},
        ], "not_read": {"words": "5 .heic files (a.heic)", "paths": []}}  # fmt: skip

    monkeypatch.setattr(job_part, "run_job", job)

    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        await open_results(app, pilot, "test 0.9000")
        await ask(app, pilot, str(photos))
        words = "1 predicted, 1 unreadable; not read: 5 .heic files"
        await until(pilot, lambda: words in shown(app), "answers")
        field = app.screen.query_one("#path", Input)
        assert field.has_focus
        assert field.selected_text == str(photos)  # typing takes its place
        text = shown(app)
        assert "cat 0.750 a.png" in text  # the folder is known
        assert "unreadable - [/oops]\\e[31m\\n\\xff: it is no image" in text
        assert asked == {"job": "predict", "model": str(run.model_path), "paths": [str(photos)]}
        await pilot.press("p", "q")
        assert field.value == "pq"
        await pilot.press("escape")
        await until(pilot, lambda: "true label in rows" in shown(app), "the matrix")
        assert "1 predicted" not in shown(app)
        await ask(app, pilot, f"{photos}/cat.7.png")
        await until(pilot, lambda: asked["paths"] == [f"{photos}/cat.7.png"], "another")
        await until(pilot, lambda: f"cat 0.750 {photos}/a.png" in shown(app), "its whole path")
        assert "a.png a.png" not in shown(app)  # the answers before are gone

    drive(tmp_path, play)


def test_a_long_reason_is_told_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path, figures()).model_path.write_bytes(b"a model")
    path = tmp_path / "notes.md"
    path.write_text("words")
    reason = "its content is none of an image: JPEG, PNG, WebP, BMP, GIF, TIFF and PPM are known"
    told = {"path": str(path), "label": "", "probability": 0.0, "problem": reason}
    monkeypatch.setattr(job_part, "run_job", lambda *_, **__: {"predictions": [told]})

    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        await open_results(app, pilot, "test 0.9000")
        await ask(app, pilot, str(path))
        await until(pilot, lambda: "0 predicted, 1 unreadable" in shown(app), "the answer")
        answers = app.screen.query_one("#answers", DataTable)
        await until(pilot, lambda: answers.ordered_rows[0].height > 1, "lines enough")
        assert sum(column.get_render_width(answers) for column in answers.ordered_columns) <= 76
        drawn = [
            "".join(segment.text for segment in answers.render_line(y))[35:76].strip()
            for y in range(1, 1 + answers.ordered_rows[0].height)
        ]
        assert "".join(drawn).replace(" ", "") == f"{path}:{reason}".replace(" ", "")

    drive(tmp_path, play)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/gone/[/oops]\x1b[31m", "There is no file or folder /gone/[/oops]\\e[31m."),
        ("~no-such-person/nowhere", "There is no file or folder"),
    ],
)
def test_a_path_that_is_wrong_starts_no_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, words: str
) -> None:
    make_run(tmp_path, figures()).model_path.write_bytes(b"a model")
    asked: list[object] = []
    monkeypatch.setattr(job_part, "run_job", lambda *job, **_: asked.append(job))

    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        await open_results(app, pilot, "test 0.9000")
        await ask(app, pilot, path)
        await until(pilot, lambda: words in shown(app), "the reason")
        await pilot.press("enter")  # the line is still there to be mended
        assert app.screen.query_one("#path", Input).has_focus

    drive(tmp_path, play)
    assert asked == []


def test_a_prediction_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path, figures()).model_path.write_bytes(b"a model")

    def job(*_: Any, **__: Any) -> dict[str, Any]:
        raise UserError(f"The model is damaged: {HOSTILE}.", "Train again.")

    monkeypatch.setattr(job_part, "run_job", job)

    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        await open_results(app, pilot, "test 0.9000")
        await ask(app, pilot, str(tmp_path / "photos"))
        words = "The model is damaged: [/oops]\\e[31m"
        await until(pilot, lambda: words in shown(app), "the reason")
        assert "Train again." in shown(app)

    drive(tmp_path, play)


class FakeProcess:
    """A worker that never answers; its end is waited for."""

    def __init__(self) -> None:
        self.ended = Event()

    def terminate(self) -> None:
        self.ended.set()


def test_a_worker_that_nobody_waits_for_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(tmp_path, figures()).model_path.write_bytes(b"a model")
    begun: list[FakeProcess] = []

    def job(name: str, request: Any, on_event: Any, on_start: Any) -> dict[str, Any]:
        process = FakeProcess()
        on_start(process)
        begun.append(process)
        process.ended.wait()
        raise UserError("The worker for predict ended by signal SIGTERM.")

    monkeypatch.setattr(job_part, "run_job", job)

    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        await open_results(app, pilot, "test 0.9000")
        await ask(app, pilot, str(tmp_path / "photos"))
        await until(pilot, lambda: len(begun) == 1, "a worker")
        await ask(app, pilot, str(tmp_path / "photos"))
        await until(pilot, lambda: len(begun) == 2, "another worker")
        assert begun[0].ended.is_set()  # another path was asked for
        assert not begun[1].ended.is_set()
        assert "SIGTERM" not in shown(app)
        await pilot.press("escape", "escape")
        await until(pilot, begun[1].ended.is_set, "the screen was left")

    drive(tmp_path, play)


def test_without_a_model_nothing_is_asked(tmp_path: Path) -> None:
    make_run(tmp_path, figures())

    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        await open_results(app, pilot, "test 0.9000")
        await pilot.press("p")
        await until(pilot, lambda: app._notifications, "why")
        assert [one.message for one in app._notifications] == ["This run has no model yet."]
        assert not is_shown(app.screen.query_one("#path"))

    drive(tmp_path, play)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"leaked": 10}, "Mind: 10 of these images are training images too"),
        ({"near_leaked": 7}, "Mind: 7 of these images look nearly the same as a training image"),
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


@pytest.mark.parametrize(("size", "words"), [
    ([64, 28], "convnet-augmented: with 2,000 training images"),
    ([65, 28], "convnet-augmented and then feature-extraction"),
    ([28], "convnet-augmented and then feature-extraction"),
    ("28", "convnet-augmented and then feature-extraction"),
])  # fmt: skip
def test_a_pretrained_base_is_for_photographs(size: Any, words: str) -> None:
    spec = {"model": {"strategy": "convnet"}, "data": {"image_size": size}}
    found = next_rung(spec, history(0.73, 0.72), results(accuracy=0.72))
    assert found
    assert found.words.startswith(words)
    assert found.preset == "convnet-augmented"
    augmented = next_rung(
        {**spec, "augmentation": {"zoom": 0.2}}, history(0.73, 0.72), results(accuracy=0.72)
    )
    assert augmented
    assert augmented.preset == ("" if size == [64, 28] else "feature-extraction")
    assert ("images of 64x28, which are unlike" in augmented.words) == (size == [64, 28])


@pytest.mark.parametrize(("shifted", "preset"), [(0.5, "convnet"), (0.874, "convnet"), (0.876, "")])
def test_a_dense_network_that_learned_places_needs_windows(shifted: float, preset: str) -> None:
    sure = results(accuracy=0.975 + 0.02, shifted={"pixels": 2, "accuracy": shifted + 0.02})
    found = next_rung({"model": {"strategy": "dense"}}, history(1, 1), sure)
    assert found
    assert found.preset == preset
    falls = f"test accuracy 0.995 falls to {shifted + 0.02:.3f} with the images moved by 2 pixels"
    assert (falls in found.words) == bool(preset)
    convnet = next_rung({"model": {"strategy": "convnet"}}, history(1, 1), sure)
    assert convnet
    assert "little left to gain" in convnet.words


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
    await until(pilot, lambda: app.screen.query("#options"), "the strategy")
    table = app.screen.query_one("#options", DataTable)
    await until(pilot, lambda: table.row_count, "its options")
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
        await until(pilot, lambda: newest_draft(app.workspace), "the draft is kept")
        kept = newest_draft(app.workspace)
        assert kept
        assert (kept.spec(), kept.settled) == (spec, draft.settled)
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
    assert figures_beside("book-mnist") == "book 0.991 on MNIST"
    assert figures_beside("convnet") == "book 0.724 on cats and dogs"
    told = "book 0.975 on cats and dogs with VGG16"
    assert figures_beside("fine-tuning") == figures_beside("book-fine-tuning") == told
    assert figures_beside("dense") == figures_beside(None) == ""


def test_an_unreadable_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_results(tmp_path)


def test_of_many_predictions_the_first_are_shown() -> None:
    found = [{"problem": ""}, {"problem": "it is no image"}, {"problem": ""}]
    assert answer_in_words(found, 3) == "2 predicted, 1 unreadable"
    assert answer_in_words(found[1:2], 3) == "0 predicted, 1 unreadable"
    assert answer_in_words(found[:1] * 3, 2) == (
        "3 predicted; the first 2 are shown. All: workbench predict PATH --csv"
    )


def test_shades_leave_nothing_blank_that_is_there() -> None:
    assert "".join(map(shade, (0.0, 0.001, 0.1, 0.3, 0.6, 1.0))) == " ·░▒▓█"
    assert shade(0.001, utf8=False) == "."
