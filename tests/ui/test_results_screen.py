"""The results of a run in the app: metrics, confusions, errors as pictures, predictions."""

import json
import os
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from event_lines import LogWriter, event
from finished_run import is_shown, make_run, open_results, results_json, shown
from PIL import Image
from rich.cells import cell_len
from rich.text import Text
from textual.containers import ItemGrid
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, Static
from ui_pilot import driven, messages, until

from workbench.app.draft import Draft, newest_draft
from workbench.errors import UserError
from workbench.experiment.presets import PRESETS
from workbench.runs.history import History, fold
from workbench.runs.next_step import suggest_next
from workbench.runs.results import (
    Results,
    WorstError,
    caveats,
    describe_reference,
    parse_results,
    read_results,
)
from workbench.ui.app import WorkbenchApp
from workbench.ui.keys import KeyLine
from workbench.ui.layers.screen import LayersScreen
from workbench.ui.results.errors import LARGE_PICTURE, WorstErrors, format_error
from workbench.ui.results.predictions import describe_predictions
from workbench.ui.results.screen import ResultsScreen
from workbench.ui.results.views import shade
from workbench.ui.strategy.screen import StrategyScreen
from workbench.ui.widgets import job_part
from workbench.ui.widgets.concept_notes import ConceptNotes

HOSTILE = "[/oops]\x1b[31m\n\udcff"


def results(**changes: Any) -> Results:
    return parse_results(results_json(**changes))


async def test_metrics_are_shown_together(tmp_path: Path) -> None:
    make_run(tmp_path, results_json())

    async with driven(tmp_path) as (app, pilot):
        await open_results(app, pilot, "test 0.9000 (0.8300 to 0.9400 with 95 % confidence)")
        text = shown(app)
        assert "validation 0.9300 in stage 1, epoch 3, the one kept; training 0.9900" in text
        assert "book 0.903, readers 0.970 on cats and dogs with VGG16 same preset" in text
        assert "next fine-tuning: the base has never seen your images" in text
        assert "cat 45 █ 5 ░ dog 5 ░ 45 █" in text
        assert "cat 50 0.900 0.900 dog 50 - 0.900" in text  # two labels fit beside the matrix
        assert "[confusion] · labels (2 with recall 0.90) · 10 errors v the next one" in text
        await pilot.press("v")
        assert "true label in rows" not in shown(app)
        assert "confusion · [labels (2 with recall 0.90)] · 10 errors" in shown(app)
        await pilot.press("v", "v")
        assert "true label in rows" in shown(app)
        await pilot.press("l")
        assert isinstance(app.screen, LayersScreen)


async def test_the_keys_fit_the_line(tmp_path: Path) -> None:
    make_run(tmp_path, results_json())

    async with driven(tmp_path) as (app, pilot):
        await open_results(app, pilot, "test 0.9000")
        line = app.screen.query_one(KeyLine)
        keys = "v View R Review n Next a Analyze"
        await until(pilot, lambda: keys in line.keys.plain, "the keys")
        assert app.screen.query_one("#matrix").has_focus


async def test_errors_are_pictures_with_both_labels(tmp_path: Path) -> None:
    gone = {"path": "gone.png", "label": HOSTILE, "predicted": HOSTILE, "probability": 0.6}
    odd = {**gone, "path": os.fsdecode(b"caf\xe9\n\x00.png")}
    make_run(tmp_path, results_json(worst=[*results_json()["worst"], gone, odd]))

    async with driven(tmp_path) as (app, pilot):
        await open_results(app, pilot, "test 0.9000")
        grid = app.screen.query_one("#grid", ItemGrid)
        await until(pilot, lambda: len(grid.children) == 3, "three pictures")
        await pilot.press("v", "v")
        await pilot.pause()
        first, second, third = (str(one.render()) for one in grid.query(Static))
        assert first.startswith("cat.7.png\ntrue cat 0.01\npred dog 0.99\n▀▀▀")
        assert "no picture: there is no such file" in second
        assert "no picture: " in third
        assert "\x1b" not in second + third
        assert "10 wrong; the least probable true label first" in shown(app)


async def test_a_row_of_errors_is_seen_whole_in_24_rows(tmp_path: Path) -> None:
    make_run(
        tmp_path,
        results_json(worst=results_json()["worst"] * 9, shifted={"pixels": 4, "accuracy": 1}),
    )

    async with driven(tmp_path) as (app, pilot):
        await open_results(app, pilot, "test 0.9000")
        grid = app.screen.query_one("#grid", ItemGrid)
        await until(pilot, lambda: len(grid.children) == 9, "nine pictures")
        await pilot.press("v", "v")
        view = app.screen.query_one("#errors")
        await until(pilot, lambda: view.region.height > 0, "the errors")
        for number, error in enumerate(grid.children):
            seen = view.region.contains_region(error.region)
            assert seen == (number < 4)
        first, screen = grid.children[0], app.screen
        assert isinstance(screen, ResultsScreen)
        again = (app.workspace, screen._view, screen._results.worst, app.utf8)
        await screen.query_one(WorstErrors).draw(*again).wait()
        await pilot.pause()
        assert grid.children[0] is first  # they are shown already
        await pilot.resize_terminal(120, 40)
        await until(pilot, lambda: grid.min_column_width == LARGE_PICTURE[0], "larger ones")
        assert grid.children[0] is not first


async def test_every_error_is_reached_by_keys(tmp_path: Path) -> None:
    worst = [{**results_json()["worst"][0], "path": f"{number}.png"} for number in range(14)]
    make_run(tmp_path, results_json(worst=worst))

    async with driven(tmp_path) as (app, pilot):
        await open_results(app, pilot, "test 0.9000")
        errors = app.screen.query_one(WorstErrors)
        await until(pilot, lambda: len(errors.query(".error")) == 14, "the pictures")
        await pilot.press("v", "v")
        await until(pilot, lambda: errors.has_focus and errors.region.height > 0, "the errors")

        def selected() -> int:
            return [*errors.query(".error")].index(errors.query_one(".-cursor"))

        for key, number in {"right": 1, "down": 5, "end": 13, "up": 9, "home": 0}.items():
            await pilot.press(key)
            assert selected() == number, key
        await pilot.press("right", "right", "right", "down", "down")
        assert selected() == 11
        await pilot.press("down")  # below is none, but a row that is not full
        assert selected() == 13
        seen = errors.query(".error").last()
        await until(pilot, lambda: errors.region.contains_region(seen.region), "the last one")
        await pilot.press("down")
        assert selected() == 13


def test_labels_above_an_error_fit_its_width() -> None:
    for label in ("dandelion", "합성곱신경망이라는이름", "x" * 40):
        error = WorstError("a.png", label, label, 0.47)
        lines = format_error(error, Text("▀" * 17), 17).plain.split("\n")
        assert max(map(cell_len, lines)) <= 17
        assert lines[2].endswith(" 0.47")


@pytest.mark.parametrize(
    ("size", "wrong", "explained"),
    [((110, 32), 0, True), ((110, 31), 0, False), ((109, 32), 0, False), ((110, 32), 1, False)],
)
async def test_without_errors_to_draw_a_large_terminal_explains_the_matrix(
    tmp_path: Path, size: tuple[int, int], wrong: int, explained: bool
) -> None:
    make_run(tmp_path, results_json(worst=results_json()["worst"][:wrong]))

    async with driven(tmp_path, size) as (app, pilot):
        await open_results(app, pilot, "test 0.9000")
        notes = app.screen.query_one("#notes", ConceptNotes)
        await until(pilot, lambda: notes.display is explained, "the notes")
        await until(pilot, lambda: bool(notes.size) is explained, "their place")
        assert ("Which class is confused with which" in notes.render()) is explained


async def test_no_error_is_offered_where_there_is_none(tmp_path: Path) -> None:
    make_run(tmp_path, results_json(worst=[]))

    async with driven(tmp_path) as (app, pilot):
        await open_results(app, pilot, "test 0.9000")
        await pilot.press("v", "v")
        await until(pilot, lambda: app.screen.query_one(WorstErrors).has_focus, "the errors")
        offered = [one.binding.action for one in app.screen.active_bindings.values() if one.enabled]
        assert "open" not in offered


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "There are no results yet. They are written when training has ended."),
        ("{", "results.json is damaged. Measure again: workbench evaluate birds --again"),
        ("[]", "is damaged"),
        (results_json(confusion=[[1]]), "is damaged"),
        (results_json(accuracy=None), "is damaged"),
        (results_json(worst=3), "is damaged"),
    ],
)
async def test_missing_and_damaged_results_are_reported(
    tmp_path: Path, content: Any, text: str
) -> None:
    make_run(tmp_path, content)

    async with driven(tmp_path) as (app, pilot):
        await open_results(app, pilot, text)
        assert "The run is finished" in shown(app)
        await pilot.press("v", "a")


async def test_results_appear_when_the_run_ends(tmp_path: Path) -> None:
    run = make_run(tmp_path)

    async with driven(tmp_path) as (app, pilot):
        await open_results(app, pilot, "There are no results yet")
        run.results_path.write_text(json.dumps(results_json()))
        LogWriter(run.events_path).write("evaluated", split="test", accuracy=0.9)
        await until(pilot, lambda: "test 0.9000" in shown(app), "the figures")


async def test_many_hostile_labels_scroll(tmp_path: Path) -> None:
    labels = [f"{HOSTILE}{number}" for number in range(20)]
    classes = [{"label": one, "images": 5, "precision": 1.0, "recall": 1.0} for one in labels]
    confusion = [[5 if row == column else 0 for column in range(20)] for row in range(20)]
    make_run(tmp_path, results_json(labels=labels, classes=classes, confusion=confusion))

    async with driven(tmp_path) as (app, pilot):
        await open_results(app, pilot, "true label in rows")
        await until(pilot, lambda: "more below: arrow keys" in shown(app), "that there is more")
        matrix = app.screen.query_one("#matrix", DataTable)
        assert matrix.max_scroll_x > 0
        assert matrix.max_scroll_y > 0
        await pilot.press("right", "down")
        await until(pilot, lambda: matrix.scroll_x > 0 and matrix.scroll_y > 0, "scrolled")
        assert "\x1b" not in shown(app)
        await pilot.press("v", "v")


async def ask(app: WorkbenchApp, pilot: Pilot[Any], path: str) -> None:
    """Replace the path in the field."""
    await pilot.press("p")
    field = app.screen.query_one("#path", Input)
    await until(pilot, lambda: field.has_focus, "the field")
    field.value = path
    await pilot.press("enter")


async def test_images_are_predicted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path, results_json())
    run.model_path.write_bytes(b"a model")
    photos = tmp_path / "photos"
    requests: dict[str, Any] = {}

    def job(name: str, request: dict[str, Any], on_event: Any, on_start: Any) -> dict[str, Any]:
        requests.update(request, job=name)
        on_event({"event": "progress", "phase": HOSTILE, "done": 1, "total": 2})
        return {"labels": ["cat", "dog"], "predictions": [
            {"path": f"{photos}/a.png", "label": "cat", "probability": 0.75, "problem": ""},
            {"path": HOSTILE, "label": "", "probability": 0.0, "problem": "it is no image"},
        ], "not_read": {"words": "5 .heic files (a.heic)", "paths": []}}  # fmt: skip

    monkeypatch.setattr(job_part, "run_job", job)

    async with driven(tmp_path) as (app, pilot):
        await open_results(app, pilot, "test 0.9000")
        await ask(app, pilot, str(photos))
        text = "1 predicted, 1 unreadable; not read: 5 .heic files"
        await until(pilot, lambda: text in shown(app), "answers")
        field = app.screen.query_one("#path", Input)
        assert field.has_focus
        assert field.selected_text == str(photos)  # typing replaces it
        text = shown(app)
        assert "cat 0.750 a.png" in text  # the folder is known
        assert "unreadable - [/oops]\\e[31m\\n\\xff: it is no image" in text
        assert requests == {"job": "predict", "model": str(run.model_path), "paths": [str(photos)]}
        await pilot.press("p", "q")
        assert field.value == "pq"
        await pilot.press("escape")
        await until(pilot, lambda: "true label in rows" in shown(app), "the matrix")
        assert "1 predicted" not in shown(app)
        await ask(app, pilot, f"{photos}/cat.7.png")
        await until(pilot, lambda: requests["paths"] == [f"{photos}/cat.7.png"], "another")
        await until(pilot, lambda: f"cat 0.750 {photos}/a.png" in shown(app), "its whole path")
        assert "a.png a.png" not in shown(app)  # the previous rows are gone


async def test_a_long_reason_is_shown_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(tmp_path, results_json()).model_path.write_bytes(b"a model")
    path = tmp_path / "notes.md"
    path.write_text("words")
    reason = "its content is none of an image: JPEG, PNG, WebP, BMP, GIF, TIFF and PPM are known"
    content = {"path": str(path), "label": "", "probability": 0.0, "problem": reason}
    monkeypatch.setattr(job_part, "run_job", lambda *_, **__: {"predictions": [content]})

    async with driven(tmp_path) as (app, pilot):
        await open_results(app, pilot, "test 0.9000")
        await ask(app, pilot, str(path))
        await until(pilot, lambda: "0 predicted, 1 unreadable" in shown(app), "the answer")
        answers = app.screen.query_one("#rows", DataTable)
        await until(pilot, lambda: answers.ordered_rows[0].height > 1, "lines enough")
        assert sum(column.get_render_width(answers) for column in answers.ordered_columns) <= 76
        drawn = [
            "".join(segment.text for segment in answers.render_line(y))[35:76].strip()
            for y in range(1, 1 + answers.ordered_rows[0].height)
        ]
        assert "".join(drawn).replace(" ", "") == f"{path}:{reason}".replace(" ", "")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/gone/[/oops]\x1b[31m", "There is no file or folder /gone/[/oops]\\e[31m."),
        ("~no-such-person/nowhere", "There is no file or folder"),
    ],
)
async def test_a_path_that_is_wrong_starts_no_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, text: str
) -> None:
    make_run(tmp_path, results_json()).model_path.write_bytes(b"a model")
    requests: list[object] = []
    monkeypatch.setattr(job_part, "run_job", lambda *job, **_: requests.append(job))

    async with driven(tmp_path) as (app, pilot):
        await open_results(app, pilot, "test 0.9000")
        await ask(app, pilot, path)
        await until(pilot, lambda: text in shown(app), "the reason")
        await pilot.press("enter")  # the field is still there
        assert app.screen.query_one("#path", Input).has_focus
    assert requests == []


async def test_a_failed_prediction_reports_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(tmp_path, results_json()).model_path.write_bytes(b"a model")

    def job(*_: Any, **__: Any) -> dict[str, Any]:
        raise UserError(f"The model is damaged: {HOSTILE}.", "Train again.")

    monkeypatch.setattr(job_part, "run_job", job)

    async with driven(tmp_path) as (app, pilot):
        await open_results(app, pilot, "test 0.9000")
        await ask(app, pilot, str(tmp_path / "photos"))
        text = "The model is damaged: [/oops]\\e[31m"
        await until(pilot, lambda: text in shown(app), "the reason")
        assert "Train again." in shown(app)


class FakeProcess:
    """A worker that never answers, until it is terminated."""

    def __init__(self) -> None:
        self.ended = Event()

    def terminate(self) -> None:
        self.ended.set()


async def test_an_unneeded_worker_is_terminated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(tmp_path, results_json()).model_path.write_bytes(b"a model")
    processes: list[FakeProcess] = []

    def job(name: str, request: Any, on_event: Any, on_start: Any) -> dict[str, Any]:
        process = FakeProcess()
        on_start(process)
        processes.append(process)
        process.ended.wait()
        raise UserError("The worker for predict ended by signal SIGTERM.")

    monkeypatch.setattr(job_part, "run_job", job)

    async with driven(tmp_path) as (app, pilot):
        await open_results(app, pilot, "test 0.9000")
        await ask(app, pilot, str(tmp_path / "photos"))
        await until(pilot, lambda: len(processes) == 1, "a worker")
        await ask(app, pilot, str(tmp_path / "photos"))
        await until(pilot, lambda: len(processes) == 2, "another worker")
        assert processes[0].ended.is_set()  # replaced by another path
        assert not processes[1].ended.is_set()
        assert "SIGTERM" not in shown(app)
        await pilot.press("escape", "escape")
        await until(pilot, processes[1].ended.is_set, "the screen was left")


async def test_without_a_model_nothing_is_predicted(tmp_path: Path) -> None:
    make_run(tmp_path, results_json())

    async with driven(tmp_path) as (app, pilot):
        await open_results(app, pilot, "test 0.9000")
        await pilot.press("p")
        await until(pilot, lambda: app._notifications, "why")
        assert messages(app) == ["This run has no model yet."]
        assert not is_shown(app.screen.query_one("#path"))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"leaked": 10}, "Note: 10 of these images are training images too"),
        ({"near_leaked": 7}, "Note: 7 of these images look nearly the same as a training image"),
        ({"weights": "random"}, "The base had random weights"),
        ({"interval": [0.5, 0.6]}, "Not beyond guessing: always saying cat would be right for 0.5"),
        ({"split": "validation"}, "expect a little less on new ones"),
    ],
)
def test_caveats_are_shown(changes: dict[str, Any], text: str) -> None:
    assert caveats(results()) == []
    [content] = caveats(results(**changes))
    assert text in content


def history(train: float, validation: float, images: int = 2000) -> History:
    data = event("data_ready", images={"train": images}, labels=["a", "b"])
    epoch = event("epoch_finished", stage=0, epoch=1, accuracy=train, val_accuracy=validation)
    return fold([data, epoch])


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
        (
            {"model": {"strategy": "fine-tuning"}},
            "test accuracy 0.720 with all that there is to adapt",
        ),
        ({"model": {"strategy": "dense"}, "base": {"weights": "random"}}, "the same with ImageNet"),
        ({"model": 3}, ""),
    ],
)  # fmt: skip
def test_the_suggestion_has_a_reason(spec: dict[str, Any], begins: str) -> None:
    found = suggest_next(spec, history(0.99, 0.72), results(accuracy=0.72))
    assert (found.text if found else "").startswith(begins)
    assert found is None or found.preset in ("", *PRESETS)


@pytest.mark.parametrize(("images", "preset"), [(999, ""), (1000, "fine-tuning")])
def test_fine_tuning_after_a_probe_is_for_many_images(images: int, preset: str) -> None:
    known = history(0.99, 0.72, images)
    found = suggest_next({"model": {"strategy": "linear-probe"}}, known, results(accuracy=0.72))
    assert found
    assert found.preset == preset
    assert ("it added 0.6 points (+- 1.2)" in found.text) == (not preset)
    assert "benchmarks/" not in found.text


@pytest.mark.parametrize(("size", "text"), [
    ([64, 28], "convnet-augmented: with 2,000 training images"),
    ([65, 28], "convnet-augmented and then feature-extraction"),
    ([28], "convnet-augmented and then feature-extraction"),
    ("28", "convnet-augmented and then feature-extraction"),
])  # fmt: skip
def test_a_pretrained_base_is_for_photographs(size: Any, text: str) -> None:
    spec = {"model": {"strategy": "convnet"}, "data": {"image_size": size}}
    found = suggest_next(spec, history(0.73, 0.72), results(accuracy=0.72))
    assert found
    assert found.text.startswith(text)
    assert found.preset == "convnet-augmented"
    augmented = suggest_next(
        {**spec, "augmentation": {"zoom": 0.2}}, history(0.73, 0.72), results(accuracy=0.72)
    )
    assert augmented
    assert augmented.preset == ("" if size == [64, 28] else "feature-extraction")
    assert ("images of 64x28, which are unlike" in augmented.text) == (size == [64, 28])


@pytest.mark.parametrize(("shifted", "preset"), [(0.5, "convnet"), (0.874, "convnet"), (0.876, "")])
def test_a_dense_network_that_learned_positions_needs_convolutions(
    shifted: float, preset: str
) -> None:
    sure = results(accuracy=0.975 + 0.02, shifted={"pixels": 2, "accuracy": shifted + 0.02})
    found = suggest_next({"model": {"strategy": "dense"}}, history(1, 1), sure)
    assert found
    assert found.preset == preset
    falls = f"test accuracy 0.995 falls to {shifted + 0.02:.3f} with the images moved by 2 pixels"
    assert (falls in found.text) == bool(preset)
    convnet = suggest_next({"model": {"strategy": "convnet"}}, history(1, 1), sure)
    assert convnet
    assert "little left to gain" in convnet.text


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
def test_the_suggestion_is_a_preset(
    spec: dict[str, Any], preset: str, weights: str, train: float
) -> None:
    found = suggest_next(spec, history(train, 0.72), results(accuracy=0.72))
    assert found
    assert (found.preset, found.weights) == (preset, weights)


async def open_suggestion(app: WorkbenchApp, pilot: Pilot[Any]) -> Draft:
    """Open the suggested experiment, and return its draft."""
    await open_results(app, pilot, "test 0.9000")
    await pilot.press("n")
    await until(pilot, lambda: app.screen.query("#options"), "the strategy")
    table = app.screen.query_one("#options", DataTable)
    await until(pilot, lambda: table.row_count, "its options")
    assert isinstance(app.screen, StrategyScreen)
    return app.screen.draft


async def test_the_suggestion_opens_with_the_settings_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StrategyScreen, "_load_benchmark", lambda self: None)
    run = make_run(tmp_path, results_json())
    Image.new("RGB", (64, 64), "grey").save(tmp_path / "photos" / "dog.1.png")
    split = "[data.split]\ntrain = 0.5\nvalidation = 0.25\ntest = 0.25\nseed = 7\n"
    base = run.spec_path.read_text().replace("vgg16", "mobilenetv2-0.35")
    run.spec_path.write_text(f'{base}weights = "/models/own.h5"\n{split}')

    async with driven(tmp_path) as (app, pilot):
        draft = await open_suggestion(app, pilot)
        spec = draft.spec()
        assert (spec.preset, spec.data.source) == ("fine-tuning", str(tmp_path / "photos"))
        assert spec.data.split.parts == (0.5, 0.25, 0.25)
        assert spec.data.split.seed == 7
        assert spec.base
        assert (spec.base.name, spec.base.weights) == ("mobilenetv2-0.35", "/models/own.h5")
        assert draft.completed == {"machine", "data"}
        await until(pilot, lambda: newest_draft(app.workspace), "the draft is kept")
        kept = newest_draft(app.workspace)
        assert kept
        assert (kept.spec(), kept.completed) == (spec, draft.completed)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ResultsScreen), "the results again")


async def test_settings_that_do_not_fit_the_suggestion_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StrategyScreen, "_load_benchmark", lambda self: None)
    run = make_run(tmp_path, results_json())
    Image.new("RGB", (64, 64), "grey").save(tmp_path / "photos" / "dog.1.png")
    text = run.spec_path.read_text().replace('"vgg16"', '"[/oops]"')
    odd = "[data.split]\ntrain = 2020-01-01\ntest = nan\nother = 3\nseed = [1]\n"
    run.spec_path.write_text(f"{text}weights = 3\n{odd}")

    async with driven(tmp_path) as (app, pilot):
        draft = await open_suggestion(app, pilot)
        assert draft.spec().preset == "fine-tuning"
        assert draft.settings == {}


async def test_missing_images_are_reported(tmp_path: Path) -> None:
    make_run(tmp_path, results_json())
    (tmp_path / "photos" / "cat.7.png").unlink()
    (tmp_path / "photos").rmdir()

    async with driven(tmp_path) as (app, pilot):
        await open_results(app, pilot, "test 0.9000")
        await pilot.press("n")
        await until(pilot, lambda: any(n.severity == "error" for n in app._notifications), "why")
        assert isinstance(app.screen, ResultsScreen)
        assert newest_draft(app.workspace) is None


async def test_the_top_strategy_has_no_suggestion(tmp_path: Path) -> None:
    make_run(tmp_path, results_json(), preset="fine-tuning")

    async with driven(tmp_path) as (app, pilot):
        await open_results(app, pilot, "all that there is to adapt")
        assert not app.screen.check_action("next", ())
        await pilot.press("n")
        assert isinstance(app.screen, ResultsScreen)


def test_a_high_accuracy_has_no_suggestion() -> None:
    spec = {"model": {"strategy": "dense"}}
    found = suggest_next(spec, history(1, 1), results(accuracy=0.995))
    assert found
    assert "little left to gain" in found.text
    assert found.preset == ""


def test_reference_accuracy_is_found_by_preset() -> None:
    assert describe_reference("book-mnist") == "book 0.991 on MNIST"
    assert describe_reference("convnet") == "book 0.724 on cats and dogs"
    content = "book 0.975 on cats and dogs with VGG16"
    assert describe_reference("fine-tuning") == describe_reference("book-fine-tuning") == content
    assert describe_reference("dense") == describe_reference(None) == ""
    assert describe_reference("convnet", ["Cats", "dog"]) == describe_reference("convnet")
    assert describe_reference("convnet", ["rose", "tulip"]) == ""  # other images than the book's


def test_an_unreadable_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_results(tmp_path)


def test_only_the_first_of_many_predictions_are_shown() -> None:
    found = [{"problem": ""}, {"problem": "it is no image"}, {"problem": ""}]
    assert describe_predictions(found, 3) == "2 predicted, 1 unreadable"
    assert describe_predictions(found[1:2], 3) == "0 predicted, 1 unreadable"
    assert describe_predictions(found[:1] * 3, 2) == (
        "3 predicted; the first 2 are shown. All: workbench predict PATH --csv"
    )


def test_only_zero_has_a_blank_shade() -> None:
    assert "".join(map(shade, (0.0, 0.001, 0.1, 0.3, 0.6, 1.0))) == " ·░▒▓█"
    assert shade(0.001, utf8=False) == "."
