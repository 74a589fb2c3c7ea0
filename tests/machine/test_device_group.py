"""Which GPUs share the batches of a run; without one, a CPU that is split on request."""

import time
from pathlib import Path

import pytest
from machine_facts import gpu, put, slices

from workbench.errors import UserError
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import apply_settings, parse_spec
from workbench.machine import device_finder, driver, preflight
from workbench.machine.device_finder import RunDevices, check_gpus, device_variables
from workbench.machine.device_group import choose_gpus, logical_devices, shared_variables
from workbench.machine.driver import count_gpu_devices, find_gpus
from workbench.machine.facts import Nvml, NvmlReport
from workbench.machine.preflight import check_before_training
from workbench.runs.slots import Holder, Slot

GIB = 2**30
GPUS = tuple(
    gpu(index, uuid=f"GPU-{index}", memory_total=80 * GIB, memory_used=int(used * GIB))
    for index, used in enumerate((20, 79.5, 0))
)
HOST = Nvml(gpus=GPUS)
IN_PARTS = Nvml(gpus=(GPUS[0], gpu(1, uuid="GPU-1", mig=True, mig_devices=slices(2))))


def indices(count: int, nvml: Nvml | None = HOST, **environment: str) -> list[int | None]:
    found = choose_gpus("auto", nvml, count, environment)
    return [one.gpu.index if one.gpu else None for one in found]


def spec(*settings: str) -> ExperimentSpec:
    tree = {
        "data": {"source": "x", "image_size": [32, 32]},
        "model": {"strategy": "convnet", "filters": [4]},
    }
    return parse_spec(apply_settings(tree, settings), "test")


def test_the_freest_share_in_their_order() -> None:
    assert indices(1) == [2]
    assert indices(2) == [2, 0]
    assert indices(3) == [2, 0, 1]
    assert indices(2, CUDA_VISIBLE_DEVICES="0,1") == [0, 1]


@pytest.mark.parametrize(
    ("count", "nvml", "environment", "message"),
    [
        (4, HOST, {}, "training.devices is 4, and 3 GPUs can share a batch here."),
        (2, HOST, {"CUDA_VISIBLE_DEVICES": "1"}, "training.devices is 2, and 1 GPU can share"),
        (2, IN_PARTS, {}, "training.devices is 2, and 1 GPU can share"),  # a process sees one slice
        (2, None, {}, "training.devices is 2, and no GPU can share a batch here."),
        (2, None, {"WORKBENCH_LOGICAL_DEVICES": "1"}, "no GPU can share a batch here."),
        (4, HOST, {"WORKBENCH_LOGICAL_DEVICES": "4"}, "3 GPUs can share a batch here."),
    ],
)
def test_more_than_there_are(
    count: int, nvml: Nvml | None, environment: dict[str, str], message: str
) -> None:
    with pytest.raises(UserError) as caught:
        choose_gpus("auto", nvml, count, environment)
    assert message in caught.value.message
    assert "Set training.devices = " in caught.value.hint


def test_a_cpu_in_parts_is_one_device() -> None:
    assert indices(2, None, WORKBENCH_LOGICAL_DEVICES="2") == [None]
    (cpu,) = choose_gpus("none", None, 2, {"WORKBENCH_LOGICAL_DEVICES": "3"})
    assert cpu.environment == {"CUDA_VISIBLE_DEVICES": "-1"}


@pytest.mark.parametrize(
    ("value", "parts"), [("2", 2), (" 3 ", 3), ("", 0), ("two", 0), ("-2", 0), ("1000", 0)]
)
def test_parts_of_the_cpu(value: str, parts: int) -> None:
    assert logical_devices({"WORKBENCH_LOGICAL_DEVICES": value}) == parts
    assert logical_devices({}) == 0


def test_a_process_sees_them_alone() -> None:
    assert shared_variables(choose_gpus("auto", HOST, 2, {})) == {
        "CUDA_VISIBLE_DEVICES": "GPU-2,GPU-0", "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    }  # fmt: skip
    assert shared_variables(choose_gpus("none", None, 1, {})) == {"CUDA_VISIBLE_DEVICES": "-1"}
    assert shared_variables(choose_gpus("auto", None, 1, {})) == {}


def test_the_queue_gives_a_run_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    report = NvmlReport(nvml=HOST, asked=time.time())
    for module in (driver, device_finder):
        monkeypatch.setattr(module, "query_nvml", lambda environment: report)
    devices = RunDevices(spec("training.devices=2"), None, {})
    assert devices.permitted() == ["GPU-2", "GPU-0", "GPU-1"]
    assert devices.count == 2
    assert (devices.usable(), devices.obstacle) == (["GPU-2", "GPU-0"], "")
    taken = devices.choices([Slot("GPU-0", 3), Slot("GPU-2", 4)])
    assert [one.uuid for one in taken] == ["GPU-0", "GPU-2"]
    three = RunDevices(spec("training.devices=3"), None, {})
    assert three.usable() == ["GPU-2", "GPU-0"]  # it waits for the third
    assert three.obstacle == "GPU 1, with 0.5 GiB free"
    assert three.roomy() == ["GPU-2", "GPU-0"]


def test_the_least_used_gpu_is_of_those_with_room(monkeypatch: pytest.MonkeyPatch) -> None:
    report = NvmlReport(nvml=HOST, asked=time.time())
    used = {"GPU-2": [Holder(), Holder()], "GPU-0": [Holder()]}
    monkeypatch.setattr(driver, "holders", lambda device: used.get(device, []))

    def found(count: int, needed: int = 0) -> list[str]:
        return [one.uuid for one in find_gpus("auto", count, report, {}, needed)]

    assert found(2) == ["GPU-0", "GPU-2"]  # GPU-1 has half a GiB: less than any training takes
    assert found(1, 60 * GIB) == ["GPU-0"]
    assert found(1, 61 * GIB) == ["GPU-2"]
    assert found(3) == ["GPU-1", "GPU-0", "GPU-2"]  # none is left out


def test_the_queue_counts_a_cpu_once() -> None:
    parts = {"WORKBENCH_LOGICAL_DEVICES": "2"}
    devices = RunDevices(spec("training.devices=2", "training.gpu=none"), None, parts)
    assert (list(devices.permitted()), devices.count) == (["CPU"], 1)
    with pytest.raises(UserError, match="no GPU can share"):
        RunDevices(spec("training.devices=2", "training.gpu=none"), None, {}).permitted()


@pytest.mark.parametrize(
    ("environment", "count"),
    [({}, 2), ({"CUDA_VISIBLE_DEVICES": "1"}, 1), ({"CUDA_VISIBLE_DEVICES": "0,1,2"}, 2),
     ({"CUDA_VISIBLE_DEVICES": "-1"}, 0), ({"CUDA_VISIBLE_DEVICES": ""}, 0)],
)  # fmt: skip
def test_gpus_are_counted_by_their_files(
    tmp_path: Path, environment: dict[str, str], count: int
) -> None:
    put(tmp_path, dict.fromkeys(("dev/nvidia0", "dev/nvidia1", "dev/nvidiactl"), ""))
    assert count_gpu_devices(environment, tmp_path) == count


def test_pytorch_trains_on_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "check_backend", lambda *_: None)
    torch = {"KERAS_BACKEND": "torch"}
    check_before_training(spec(), torch)
    check_before_training(spec("training.devices=2"), {"KERAS_BACKEND": "jax"})
    with pytest.raises(UserError, match="with PyTorch a batch cannot be shared") as caught:
        check_before_training(spec("training.devices=2"), torch)
    assert caught.value.hint == "Set training.devices = 1, or use KERAS_BACKEND=tensorflow or jax."


def test_a_run_waits_for_memory_unless_it_was_told_not_to(monkeypatch: pytest.MonkeyPatch) -> None:
    report = NvmlReport(nvml=HOST, asked=time.time())
    monkeypatch.setattr(device_finder, "query_nvml", lambda environment: report)
    waiting = RunDevices(spec("training.gpu=1"), None, {})
    assert (waiting.usable(), waiting.obstacle) == ([], "GPU 1, with 0.5 GiB free")
    with pytest.raises(UserError, match=r"The run needs 1.0 GiB or more of GPU 1, with 0.5 GiB"):
        RunDevices(spec("training.gpu=1"), None, {"WORKBENCH_WAIT": "no"}).usable()


@pytest.mark.parametrize("share", ["0", "17", "two", ""])
def test_a_share_out_of_bounds_is_refused(share: str) -> None:
    for allowed in ("1", "16"):
        assert RunDevices(spec(), None, {"WORKBENCH_GPU_SHARE": allowed}).share == int(allowed)
    with pytest.raises(UserError, match=r"WORKBENCH_GPU_SHARE is .*; allowed: 1 to 16"):
        RunDevices(spec(), None, {"WORKBENCH_GPU_SHARE": share})


def test_a_list_of_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    report = NvmlReport(nvml=HOST, asked=time.time())
    monkeypatch.setattr(device_finder, "query_nvml", lambda environment: report)
    assert check_gpus("2, 0", {}) == (2, 0)
    assert device_variables((2, 0), 2, False) == {
        "CUDA_VISIBLE_DEVICES": "2,0", "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "WORKBENCH_GPU_SHARE": "2", "WORKBENCH_WAIT": "no",
    }  # fmt: skip
    assert device_variables((), None, True) == {}
    for text in ("", "0,", "0,0", "a", "-1"):
        with pytest.raises(UserError, match="is no list of different GPUs"):
            check_gpus(text, {})
    with pytest.raises(UserError) as refused:
        check_gpus("3", {})
    assert str(refused.value) == "There is no GPU 3.\n--gpus allows 0, 1 or 2."
    with pytest.raises(UserError, match="GPU 0 is hidden by CUDA_VISIBLE_DEVICES=1"):
        check_gpus("0", {"CUDA_VISIBLE_DEVICES": "1"})
