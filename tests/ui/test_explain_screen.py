"""Explaining a run in the app; the worker is simulated."""

import base64
import io
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from finished_run import make_run, open_results, results_json, shown
from PIL import Image
from textual.pilot import Pilot
from textual.widgets import DataTable, Input
from ui_pilot import driven, until
from waiting import GUARD

from workbench.datasets.image_files import ImageError
from workbench.errors import UserError
from workbench.ui.app import WorkbenchApp
from workbench.ui.explain.screen import ExplainScreen
from workbench.ui.explain.view import ImageChoice
from workbench.ui.results.screen import ResultsScreen
from workbench.ui.widgets import job_part
from workbench.ui.widgets.picture import Picture


def drawn(level: int) -> str:
    content = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), level, np.uint8)).save(content, "PNG")
    return base64.b64encode(content.getvalue()).decode("ascii")


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The requests of a worker that answers at once, and refuses missing images."""
    received: list[dict[str, Any]] = []

    def answer(job: str, request: dict[str, Any], on_event: Any, on_start: Any) -> dict[str, Any]:
        received.append({"job": job, **request})
        if "image" in request and not Path(request["image"]).exists():
            raise UserError("x cannot be looked at: there is no such file.")
        if request["what"] == "filters":
            on_event({"event": "progress", "phase": "conv1", "done": 10, "total": 40})
            on_event({"event": "pattern", "words": "filter 0", "picture": drawn(10)})
        return {
            "words": ["seen \x1b[31m"],
            "out": str(Path(request["model"]).parent / "inside" / "a.png"),
            "preview": drawn(200),
        }

    monkeypatch.setattr(job_part, "run_job", answer)
    return received


async def open_explain(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    await until(pilot, lambda: app.find_run("birds"), "the run is seen")
    await app.push_screen(ExplainScreen("birds"))
    await until(pilot, lambda: "block5_conv3" in shown(app), "the layers")


async def test_layers_show_their_receptive_field(tmp_path: Path) -> None:
    make_run(tmp_path, results_json())

    async with driven(tmp_path) as (app, pilot):
        await open_explain(app, pilot)
        text = shown(app)
        assert "block5_pool 212" in text
        assert "dense1 all" in text
        assert "block5_conv3 convolution, " in text  # the layer that Grad-CAM looks best at
        assert "a value sees 196x196 pixels (image: 150x150); neighbours 16 apart" in text
        assert "image cat.7.png (true cat, pred dog) class the predicted one" in text
        await pilot.press("end")
        await until(pilot, lambda: "output dense, " in shown(app), "the last layer")
        assert "a value sees the whole image" in shown(app)
        await pilot.press("home")
        await until(pilot, lambda: "block1_conv1 convolution, " in shown(app), "the first")


async def test_grad_cam_of_a_worst_error(tmp_path: Path, requests: list[dict[str, Any]]) -> None:
    run = make_run(tmp_path, results_json())

    async with driven(tmp_path) as (app, pilot):
        await open_explain(app, pilot)
        await pilot.press("L", "L", "h")
        place = run.path.relative_to(tmp_path) / "inside" / "a.png"
        await until(pilot, lambda: f"PNG: {place}" in shown(app), "the answer")
        await until(pilot, lambda: "▀▀▀" in shown(app), "the picture")
        assert "seen \\e[31m" in shown(app)
        await pilot.press("L")
        await until(pilot, lambda: len(requests) == 2, "the heatmap of the other class")
        await pilot.press("enter")
        await until(pilot, lambda: len(requests) == 3, "another explanation")
        await pilot.press("n")
        await until(
            pilot, lambda: len(requests) == 4, "that of the next error, of which there is one"
        )
    common = {
        "job": "explain",
        "model": str(run.model_path),
        "layer": "block5_conv3",
        "image": str(tmp_path / "photos" / "cat.7.png"),
    }
    assert requests == [
        {**common, "what": "gradcam", "label": "dog", "or_fitting": True},
        {**common, "what": "gradcam", "label": None, "or_fitting": True},
        {**common, "what": "activations"},
        {**common, "what": "activations"},
    ]


async def test_what_was_asked_for_is_shown_of_the_error_that_was_chosen(
    tmp_path: Path, requests: list[dict[str, Any]]
) -> None:
    worst = results_json()["worst"]
    Image.new("RGB", (8, 8)).save(tmp_path / "second.png")
    second = {**worst[0], "path": "second.png"}
    make_run(tmp_path, results_json(worst=[*worst, second]))

    async with driven(tmp_path) as (app, pilot):
        await open_results(app, pilot, "test 0.9000")
        await until(pilot, lambda: len(app.screen.query(".error")) == 2, "the pictures")
        await pilot.press("v", "v", "right")
        cursor = [one.has_class("-cursor") for one in app.screen.query(".error")]
        assert cursor == [False, True]
        await pilot.press("enter")
        await until(pilot, lambda: "image second.png" in shown(app), "the error")
        await until(pilot, lambda: requests, "the heatmap")
        await pilot.press("escape", "h")
        await until(pilot, lambda: len(requests) == 2, "that of the first error")
        assert "image cat.7.png" in shown(app)
    assert [request["what"] for request in requests] == ["gradcam", "gradcam"]
    assert [Path(request["image"]).name for request in requests] == ["second.png", "cat.7.png"]


async def test_an_image_is_shown_while_its_explanation_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(tmp_path, results_json())
    Image.new("RGB", (800, 600), (0, 0, 255)).save(tmp_path / "photos" / "cat.7.png")
    proceed = Event()

    def wait(*_: Any, **__: Any) -> dict[str, Any]:
        assert proceed.wait(GUARD)
        return {"words": ["seen"], "out": "a.png", "preview": drawn(200)}

    monkeypatch.setattr(job_part, "run_job", wait)

    async with driven(tmp_path) as (app, pilot):
        await open_explain(app, pilot)
        picture = app.screen.query_one(Picture)
        await until(pilot, lambda: picture.picture is not None, "the first error by itself")
        assert "Choose a layer, then: enter for its activations" in shown(app)
        await pilot.press("h")
        await until(pilot, lambda: "Starting the framework" in shown(app), "the start")
        await until(pilot, lambda: picture.picture is not None, "the image")
        assert picture.picture.shape == (480, 640, 3)
        assert (picture.picture == (0, 0, 255)).all()
        proceed.set()
        await until(pilot, lambda: "seen" in shown(app), "the heatmap")
        await until(pilot, lambda: (picture.picture == 200).all(), "its picture")


async def test_filters_need_no_image(tmp_path: Path, requests: list[dict[str, Any]]) -> None:
    make_run(tmp_path)

    async with driven(tmp_path) as (app, pilot):
        await open_explain(app, pilot)
        assert "image none yet: i" in shown(app)
        await pilot.press("h", "F")
        await until(pilot, lambda: "PNG: " in shown(app), "the patterns")
    assert [request["what"] for request in requests] == ["filters"]
    assert (requests[0]["steps"], requests[0]["seed"], requests[0]["filters"]) == (40, 1, None)


async def test_any_image_can_be_typed(tmp_path: Path, requests: list[dict[str, Any]]) -> None:
    make_run(tmp_path, results_json())

    async with driven(tmp_path) as (app, pilot):
        await open_explain(app, pilot)
        await pilot.press("i")
        line = app.screen.query_one("#image-path", Input)
        assert line.has_focus
        line.value = str(tmp_path / "gone.png")
        await pilot.press("enter")
        assert app.screen.query_one("#layers", DataTable).has_focus
        await pilot.press("enter")
        await until(pilot, lambda: "there is no such file" in shown(app), "the refusal")
        await pilot.press("i", "escape")
        assert isinstance(app.screen, ExplainScreen)
        await pilot.press("n")  # back to the errors, of which there is one
        await until(pilot, lambda: "image cat.7.png" in shown(app), "the error's image")
    assert requests[0]["image"] == str(tmp_path / "gone.png")


def test_an_image_out_of_an_npz_file_becomes_a_file(tmp_path: Path) -> None:
    images = np.arange(2 * 4 * 4, dtype=np.uint8).reshape(2, 4, 4)
    labels = np.array([0, 1])
    arrays = {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels}
    np.savez(tmp_path / "a.npz", **arrays)
    copy = ImageChoice("test/1", tmp_path / "a.npz").as_file(tmp_path)
    assert np.array_equal(np.asarray(Image.open(copy)), images[1])
    with pytest.raises(ImageError, match="not in the npz file"):
        ImageChoice("test/2", tmp_path / "a.npz").as_file(tmp_path)
    assert ImageChoice("b/c.png", tmp_path).as_file(Path("/nowhere")) == tmp_path / "b" / "c.png"


async def test_results_lead_to_explain(tmp_path: Path, requests: list[dict[str, Any]]) -> None:
    make_run(tmp_path, results_json())

    async with driven(tmp_path) as (app, pilot):
        await open_results(app, pilot, "test 0.9000")
        await pilot.press("h")
        await until(pilot, lambda: "block5_conv3" in shown(app), "the layers")
        assert isinstance(app.screen, ExplainScreen)
        await pilot.press("escape")
        assert isinstance(app.screen, ResultsScreen)
