"""The prefix run by OpenVINO: as close to Keras as promised, or not used at all."""

import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_runs import FINE_TUNING, base_spec, halves, lively_model, run_on_base, same_weights

from workbench.errors import UserError
from workbench.machine import preflight
from workbench.machine.preflight import check_accelerator
from workbench.training import accelerator
from workbench.training.accelerator import (
    SAMPLE,
    AcceleratedPrefix,
    OpenVinoNetwork,
    convert,
    relative_error,
    sample_images,
)
from workbench.training.backends import Device
from workbench.training.prefix import Prefix

VGG = ("base.name=vgg16",)
CUT = "block5_pool"


@pytest.fixture(scope="module")
def prefix() -> Prefix:
    return Prefix(lively_model(base_spec(*VGG)), CUT)


@pytest.fixture(scope="module")
def sample() -> np.ndarray:
    return halves().images[:16].astype(np.float32)


def accelerated(
    prefix: Prefix, mode: str, sample: np.ndarray
) -> tuple[AcceleratedPrefix, list[str]]:
    notes: list[str] = []
    return AcceleratedPrefix(prefix, mode, sample, notes.append), notes


def test_exact_agrees_with_keras(prefix: Prefix, sample: np.ndarray) -> None:
    exact, notes = accelerated(prefix, "exact", sample)
    assert (exact.cut, exact.shape) == (prefix.cut, prefix.shape) == (CUT, (1, 1, 512))
    assert notes == []  # not converted before it is needed
    images = halves().images[16:40].astype(np.float32)
    outputs = exact(images)
    assert outputs.dtype == np.float32
    assert relative_error(outputs, prefix(images)) < 1e-5
    [note] = notes
    assert note.startswith(f"OpenVINO (exact, float32) runs the network up to {CUT}: its outputs")
    assert "on 16 images; 0.0001 is allowed" in note


@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_an_output_depends_on_its_image_alone(
    mode: str, prefix: Prefix, sample: np.ndarray
) -> None:
    network = OpenVinoNetwork(convert(prefix.network, mode, sample))
    together = network(sample)
    apart = np.concatenate([network(sample[i : i + 1]) for i in range(len(sample))])
    assert together.tobytes() == apart.tobytes()
    assert together.tobytes() == network(sample).tobytes()


def sent_telemetry() -> list[str]:
    """Return the modules that send telemetry, of those that this process has imported."""
    assert {"openvino", "nncf"} <= sys.modules.keys()
    return [name for name, found in sys.modules.items() if "openvino_telemetry" in name and found]


def test_fast_is_approximate_and_reports_the_difference(prefix: Prefix, sample: np.ndarray) -> None:
    fast, notes = accelerated(prefix, "fast", sample)
    error = relative_error(fast(sample), prefix(sample))
    assert 1e-4 < error <= accelerator.BOUNDS["fast"]
    assert f"differ from Keras's by {error:.2g} on 16 images; 0.05 is allowed" in notes[0]
    assert not sent_telemetry()


@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_too_far_from_keras_it_is_not_used(
    mode: str, prefix: Prefix, sample: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accelerator, "relative_error", lambda outputs, expected: 0.2)
    refused, notes = accelerated(prefix, mode, sample)
    assert refused(sample).tobytes() == prefix(sample).tobytes()
    bound = accelerator.BOUNDS[mode]
    assert f"by 0.2 on 16 images, more than the {bound:g} allowed. It is not used" in notes[0]


@pytest.mark.parametrize(("error", "used"), [(1e-4, True), (1.01e-4, False), (float("nan"), False)])
def test_the_bound(
    error: float, used: bool, prefix: Prefix, sample: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accelerator, "relative_error", lambda outputs, expected: error)
    exact, notes = accelerated(prefix, "exact", sample)
    exact(sample[:1])
    assert ("not used" not in notes[0]) is used


def test_relative_error() -> None:
    expected = np.array([3.0, 4.0], np.float32)
    assert relative_error(expected, expected) == 0.0
    assert relative_error(expected + np.array([0, 0.5], np.float32), expected) == pytest.approx(0.1)
    assert relative_error(np.zeros(2), np.zeros(2)) == 0.0


def test_the_sample_is_spread_over_the_rows() -> None:
    images = np.arange(300).reshape(300, 1, 1, 1)
    few = sample_images(images, np.arange(10, 20))
    assert few.ravel().tolist() == list(range(10, 20))
    many = sample_images(images, np.arange(300)).ravel()
    assert (len(many), many[0], many[-1]) == (SAMPLE, 0, 299)
    assert len(np.unique(many)) == SAMPLE


def test_features_of_each_mode_have_their_own_identity(prefix: Prefix, sample: np.ndarray) -> None:
    identities = {
        prefix.identity,
        accelerated(prefix, "exact", sample)[0].identity,
        accelerated(prefix, "fast", sample)[0].identity,
        accelerated(prefix, "fast", sample[::-1])[0].identity,  # other ranges
    }
    assert len(identities) == 4
    assert accelerated(prefix, "fast", sample)[0].identity in identities


@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_cached_and_streamed_give_the_same_bits(mode: str, tmp_path: Path) -> None:
    settings = (*VGG, f"base.accelerator={mode}", "training.epochs=2")
    cached = run_on_base(base_spec(*settings), tmp_path / "cached")
    streamed = run_on_base(base_spec(*settings, "base.prefix=streamed"), tmp_path / "streamed")
    first, second = cached.run(), streamed.run()
    assert cached.history() == streamed.history()
    assert same_weights(first, second)
    assert any(note.startswith(f"OpenVINO ({mode}") for note in cached.notices())


def test_features_of_each_mode_are_cached_and_used_again(tmp_path: Path) -> None:
    for mode in ("none", "exact", "exact"):
        spec = base_spec(*VGG, f"base.accelerator={mode}", "training.epochs=1")
        run = run_on_base(spec, tmp_path)
        for old in (tmp_path / "run").glob("*"):
            old.unlink()
        run.run()
    assert len(list(tmp_path.glob("features-*.npy"))) == 4  # training and validation, of two kinds
    assert run.notices() == []  # everything was cached


def test_the_prefix_stays_frozen(tmp_path: Path) -> None:
    run = run_on_base(base_spec(*FINE_TUNING, "base.accelerator=exact"), tmp_path)
    run.run()
    moved = {name: row["moved"] for name, row in run.layers(1).items()}
    assert moved["block_1_expand"] == 0
    assert moved["Conv_1"] > 0


def test_a_gpu_needs_no_accelerator(tmp_path: Path) -> None:
    spec = base_spec("base.accelerator=fast", "training.jit=off", "training.epochs=1")
    run = run_on_base(spec, tmp_path, device=Device("gpu", "a GPU"))
    run.run()
    assert run.notices()[0] == (
        "base.accelerator = fast is for CPUs: Keras runs the base on the GPU."
    )


def test_missing_packages_are_reported_first(monkeypatch: pytest.MonkeyPatch) -> None:
    check_accelerator("fast")
    monkeypatch.setattr(
        preflight.importlib.util, "find_spec", lambda name: None if name == "nncf" else object()
    )
    check_accelerator("none")
    check_accelerator("exact")
    with pytest.raises(UserError, match="is fast, which needs nncf: not installed") as caught:
        check_accelerator("fast")
    assert "pip install 'convnet-workbench[cpu]'" in caught.value.hint
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(UserError, match="this is jax"):
        check_accelerator("exact")
