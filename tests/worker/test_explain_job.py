"""The job `explain` in a real worker process."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from workbench.app.jobs import run_job
from workbench.errors import UserError
from workbench.evaluation.model_file import save_model
from workbench.experiment.toml import parse_spec
from workbench.training.models import build_model

pytestmark = pytest.mark.worker
LABELS = ("night sky", "day", "dusk")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Save a network with initial weights, and an image beside it."""
    tree = {
        "data": {"source": "x", "image_size": [16, 16]},
        "model": {"strategy": "convnet", "filters": [4], "dense_units": [4], "padding": "same"},
    }
    spec = parse_spec(tree, "test")
    save_model(tmp_path / "model.keras", build_model(spec, len(LABELS)), spec, LABELS)
    pixels = np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a b.png")
    return tmp_path / "model.keras"


def explain(
    model: Path, what: str, **arguments: Any
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Run the job; return its result and the events before it."""
    events: list[dict[str, Any]] = []
    request = {"what": what, "model": str(model), **arguments}
    return run_job("explain", request, events.append), events


def test_pictures_are_saved_beside_the_model(model: Path) -> None:
    image = model.parent / "a b.png"
    before = image.read_bytes()
    result, _ = explain(model, "gradcam", image=str(image), label="night sky")
    out = model.parent / "inside" / "gradcam-conv1-night-sky-a-b.png"
    assert result["out"] == str(out)
    with Image.open(out) as picture:
        assert picture.size == (2 * 192 + 1, 192)  # image and heat, 16 pixels as 192
    with pytest.raises(UserError, match="not a picture that the workbench drew"):
        explain(model, "activations", image=str(image), out=str(image))
    assert image.read_bytes() == before


def test_same_seed_draws_the_same_file(model: Path) -> None:
    files = []
    for name in ("one.png", "two.png"):
        out = model.parent / name
        arguments = {"layer": "conv1", "filters": [0, 2], "steps": 5, "seed": 3, "out": str(out)}
        result, events = explain(model, "filters", **arguments)
        assert [e["filter"] for e in events if e["event"] == "pattern"] == [0, 2]
        assert {"event": "progress", "phase": "conv1", "done": 10, "total": 10} in events
        assert result["out"] == str(out)
        files.append(out.read_bytes())
    assert files[0] == files[1]
