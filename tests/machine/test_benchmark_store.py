"""Benchmark results, stored by device and versions."""

from pathlib import Path

import pytest

from workbench.experiment.throughput import ThroughputModel
from workbench.machine.benchmark_store import MAX_BUSY_SHARE, BenchmarkResult, BenchmarkStore
from workbench.machine.gpus import CPU

SPEED = ThroughputModel(
    forward_flops=1e11, training_flops=1e11, forward_bytes=1e9, training_bytes=1e9,
    forward_step=1e-3, training_step=1e-3, update=1e-9,
)  # fmt: skip
QUIET = BenchmarkResult(device=CPU, kind="cpu", precision="float32", jit=False, speed=SPEED)


@pytest.fixture
def shelf(tmp_path: Path) -> BenchmarkStore:
    return BenchmarkStore(CPU, {"XDG_CACHE_HOME": str(tmp_path)})


def loaded(shelf: BenchmarkStore) -> BenchmarkResult:
    found = shelf.load()
    assert found is not None
    return found


def test_stored_results_have_a_date(shelf: BenchmarkStore) -> None:
    assert shelf.load() is None
    shelf.save(QUIET)
    kept = loaded(shelf)
    assert kept.measured > 0
    assert kept.model_copy(update={"measured": 0.0}) == QUIET
    shelf.save(kept)
    assert shelf.load() == kept  # what is saved again keeps its date


def test_the_place_is_another_for_another_device_or_backend(tmp_path: Path) -> None:
    environment = {"XDG_CACHE_HOME": str(tmp_path)}
    places = {
        BenchmarkStore(CPU, environment).path,
        BenchmarkStore("NVIDIA H200", environment).path,
        BenchmarkStore(CPU, {**environment, "KERAS_BACKEND": "jax"}).path,
    }
    assert len(places) == 3
    assert BenchmarkStore(CPU, environment).path in places


@pytest.mark.parametrize(
    ("busy", "worth"), [(MAX_BUSY_SHARE, True), (MAX_BUSY_SHARE + 0.01, False)]
)
def test_results_of_a_busy_host_are_unreliable(busy: float, worth: bool) -> None:
    assert QUIET.model_copy(update={"busy": busy}).reliable is worth


def test_quiet_figures_are_not_replaced_by_busy_ones(shelf: BenchmarkStore) -> None:
    busy = QUIET.model_copy(update={"busy": 0.9})
    shelf.save(busy)
    assert loaded(shelf).busy == 0.9
    shelf.save(QUIET)
    shelf.save(busy)
    assert loaded(shelf).busy == 0.0


def test_figures_of_another_kind_of_device_are_replaced(shelf: BenchmarkStore) -> None:
    """A GPU that could not be used left the CPU's; now it can."""
    shelf.save(QUIET)
    shelf.save(QUIET.model_copy(update={"device": "NVIDIA H200", "kind": "gpu", "busy": 0.9}))
    assert loaded(shelf).kind == "gpu"


def test_figures_of_the_cpu_never_replace_a_gpu_s(shelf: BenchmarkStore) -> None:
    shelf.save(QUIET.model_copy(update={"device": "NVIDIA H200", "kind": "gpu"}))
    shelf.save(QUIET)
    assert loaded(shelf).kind == "gpu"


def test_the_rate_of_reading_images_stays(shelf: BenchmarkStore) -> None:
    shelf.save(QUIET.model_copy(update={"images_per_second": 700.0}))
    shelf.save(QUIET)
    assert loaded(shelf).images_per_second == 700.0


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"device": "CPU"}', b"\xff\xfe"])
def test_a_damaged_file_is_no_figure(content: bytes, shelf: BenchmarkStore) -> None:
    shelf.path.parent.mkdir(parents=True)
    shelf.path.write_bytes(content)
    assert shelf.load() is None
    shelf.save(QUIET)
    assert shelf.load() is not None
