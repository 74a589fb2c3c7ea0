"""Each batch shared among two devices trains as one device does."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.errors import UserError
from workbench.training.backend import prepare_device
from workbench.training.backends import Steps, require_devices, split_steps

pytestmark = pytest.mark.xdist_group("several devices")  # each backend trains once for all
TESTS = Path(__file__).parents[1]
Found = dict[str, Any]
_FOUND: dict[str, Found] = {}  # by backend


@pytest.fixture(params=["tensorflow", "jax"])
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What a process of its own found, once for all tests; see `sharing_child`."""
    backend: str = request.param
    pytest.importorskip(backend)
    if backend not in _FOUND:
        _FOUND[backend] = find(backend, tmp_path_factory.mktemp(backend))
    return _FOUND[backend]


def find(backend: str, folder: Path) -> Found:
    environment = {
        "KERAS_BACKEND": backend,
        "WORKBENCH_LOGICAL_DEVICES": "2",
        "CUDA_VISIBLE_DEVICES": "-1",
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_backend_optimization_level=0",  # each network runs a few steps
        "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS / "training")]),
    }
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("sharing_child.py")), str(folder)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    result: Found = json.loads(done.stdout.splitlines()[-1])
    return result


@pytest.mark.parametrize("kind", ["convnet", "fine-tuning", "recipe"])
def test_losses_and_weights_are_those_of_one_device(found: Found, kind: str) -> None:
    """Class weights, odd batches, a head above kept features, blocks; clipping, averages, mixing.

    The freeze checks agree too.
    """
    if kind not in found:
        pytest.skip("tried with TensorFlow")
    result = found[kind]
    assert result["steps"] == {"convnet": 24, "fine-tuning": 40, "recipe": 8}[kind]
    assert result["losses"] < 1e-5
    assert result["weights"] < 1e-5
    assert result["history"] < 1e-5
    assert result["same checks"]


def test_a_run_goes_on_with_any_number_of_devices(found: Found) -> None:
    for way in ("from 1 to 2", "from 2 to 1"):
        step, distance = found["change"][way]
        assert step == 3
        assert distance < 1e-5


def test_the_same_number_of_devices_gives_the_same_bits(found: Found) -> None:
    assert found["repeat"] is True


def test_each_device_drops_numbers_of_its_own(found: Found) -> None:
    """Of two equal images: kept in none, in one, in both."""
    assert found["dropped"][1] == [0.0, 1.0, 2.0]


def test_a_loss_that_is_not_finite_on_one_device_is_the_last_step_of_all(found: Found) -> None:
    result = found["not finite"]
    assert result == {
        "same weights": True, "same state": True, "same losses": True, "third": "nan", "steps": 2,
    }  # fmt: skip


def test_an_overflow_on_one_device_skips_the_step_of_all(found: Found) -> None:
    """Mixed precision halves its scale, and goes on."""
    (scale, moved), (later, moves) = found["overflow"]
    assert (scale, moved, later) == (2.0**14, 0.0, 2.0**14)
    assert moves > 0


def test_more_devices_than_there_are_are_refused(found: Found) -> None:
    assert found["refusal"] == "training.devices is 3, and no GPU can share a batch here."
    assert found["device"] == 2
    require_devices(2, 2, "gpu")
    with pytest.raises(UserError, match=r"training\.devices is 2, and 1 GPU can share") as caught:
        require_devices(2, 1, "gpu")
    assert caught.value.hint.startswith("Set training.devices = 1;")


def test_a_cpu_is_split_on_request_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORKBENCH_LOGICAL_DEVICES", raising=False)
    with pytest.raises(UserError, match="no GPU can share a batch here"):
        prepare_device(deterministic=False, devices=2)
    assert prepare_device(deterministic=False).count == 1


@pytest.mark.parametrize("batch", [1, 2, 5, 6, 7])
@pytest.mark.parametrize("parts", [2, 3])
@pytest.mark.parametrize("overlap", [False, True])
def test_the_means_of_the_parts_add_up(batch: int, parts: int, overlap: bool) -> None:
    """Each image counts once; with an overlap, its next one is beside it."""
    places = np.tile(np.arange(batch), (512, 1))
    steps = split_steps(Steps(places, 10 * places, np.zeros(512), np.zeros((512, 0, 2)),
                              [places[..., None]]), parts, overlap)  # fmt: skip
    (shares,) = steps.shares
    size = -(-batch // parts) + overlap
    assert steps.places.shape == shares.shape == (512, parts, size)
    assert (steps.rows == 10 * steps.places).all()
    assert (steps.changes[0][..., 0] == steps.places).all()
    numbers = np.random.default_rng(0).random(batch)
    means = (numbers[steps.places[0]] * shares[0]).mean(axis=1)
    assert means.sum() == pytest.approx(numbers.mean(), rel=1e-6)
    if overlap:
        following = np.roll(steps.places[0], -1, axis=1)
        assert ((following == (steps.places[0] + 1) % batch) | (shares[0] == 0)).all()
