"""Gauges of the host: samples during a training, and live from a child process that may hang."""

import threading
from pathlib import Path

import pytest
from test_nvml import FakeNvml, fails
from waiting import GUARD, wait_until

from workbench.machine.live import GpuGauge, Sample, Sampler, gauges, host_gauges

GIB = 2**30


FULL = {"utilization": 37, "temperature": 61, "memory_used": GIB, "memory_total": 80 * GIB}


@pytest.mark.parametrize(
    ("broken", "missing"),
    [
        ((), ()),
        (("nvmlDeviceGetTemperature",), ("temperature",)),
        (
            ("nvmlDeviceGetUtilizationRates", "nvmlDeviceGetMemoryInfo"),
            ("utilization", "memory_used", "memory_total"),
        ),
        (("nvmlInit",), tuple(FULL)),
        (("nvmlDeviceGetHandleByUUID",), tuple(FULL)),
    ],
)
def test_what_nvml_does_not_report_is_omitted(
    broken: tuple[str, ...], missing: tuple[str, ...]
) -> None:
    sample = GpuGauge("GPU-1", FakeNvml(**dict.fromkeys(broken, fails(3)))).read()
    assert sample == {key: value for key, value in FULL.items() if key not in missing}


def test_a_gauge_without_a_driver_is_empty() -> None:
    assert GpuGauge("GPU-no-such-card").read() == {}


def test_samples_come_until_the_block_ends(tmp_path: Path) -> None:
    samples: list[Sample] = []
    enough = threading.Event()

    def emit(sample: Sample) -> None:
        samples.append(sample)
        if len(samples) == 3:
            enough.set()

    with Sampler(emit, tmp_path, GpuGauge("GPU-1", FakeNvml()), seconds=0.001):
        assert enough.wait(GUARD)
    wait_until(lambda: "sampler" not in [t.name for t in threading.enumerate()], "its thread ends")
    (sample, *_) = samples
    assert sample["gpu"] == FULL
    assert 0 < sample["memory_used"] < sample["memory_total"]
    assert 0 < sample["process_memory"] < sample["memory_total"]
    assert sample["disk_free"] > 0
    assert set(sample) == {*host_gauges(), "process_cpu", "process_memory", "disk_free", "gpu"}


def test_a_full_disk_or_a_lost_folder_does_not_end_the_sampling(tmp_path: Path) -> None:
    calls: list[Sample] = []
    enough = threading.Event()

    def emit(sample: Sample) -> None:
        calls.append(sample)
        if len(calls) == 2:
            enough.set()
        raise OSError(28, "No space left on device")

    with Sampler(emit, tmp_path / "gone", seconds=0.001):
        assert enough.wait(GUARD)
    assert calls[0]["disk_free"] is None
    assert calls[0]["gpu"] is None


@pytest.fixture(autouse=True)
def _find_the_fake(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Path(__file__)
    monkeypatch.setenv("PYTHONPATH", f"{here.parent}:{here.parents[2]}")


def test_this_host() -> None:
    snapshots = gauges()
    snapshot = next(
        snapshot for snapshot in snapshots if not snapshot.silent
    )  # its start may be slow
    snapshots.close()
    assert 0 <= snapshot.host["cpu"] <= 100
    assert 0 < snapshot.host["memory_used"] < snapshot.host["memory_total"]
    assert snapshot.silent == 0


def test_silence_repeats_the_last_snapshot() -> None:
    snapshots = gauges("fake_live", patience=0.2)
    # Its start may be slow: time before the first snapshot counts as silence, too.
    first = next(snapshot for snapshot in snapshots if not snapshot.silent)
    then = next(snapshots)
    snapshots.close()
    assert first.nvml.driver == "550"
    assert then.silent > 0
    assert (then.host, then.nvml) == (first.host, first.nvml)


def test_they_end_with_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_LIVE", "end")
    assert [snapshot.silent for snapshot in gauges("fake_live", patience=GUARD)] == [0.0]
