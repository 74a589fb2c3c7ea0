"""Which GPU a run uses; CUDA_VISIBLE_DEVICES is read as CUDA reads it."""

import pytest
from machine_facts import gpu, slices

from workbench.errors import UserError
from workbench.machine.facts import Gpu, GpuProcess, MigDevice, Nvml
from workbench.machine.gpus import (
    choose_gpu,
    describe_holders,
    free_twins,
    read_visibility,
    visible_gpus,
)

GIB = 2**30
GPUS = (
    gpu(0, uuid="GPU-aa11"),
    gpu(1, uuid="GPU-aa22"),
    gpu(2, uuid="GPU-cc33", mig=True, mig_devices=slices(3)),
)


def gpu_with(index: int, used: float, **fields: object) -> Gpu:
    """80 GiB, `used` of them taken."""
    told = {"name": "NVIDIA H100", "uuid": f"GPU-{index}aaa", "memory_total": 80 * GIB, **fields}
    return Gpu.model_validate({"index": index, "memory_used": int(used * GIB), **told})


HOST = Nvml(
    driver="550.54", gpus=(gpu_with(0, 60), gpu_with(1, 10), gpu_with(2, 10, utilization=90))
)


def chosen(
    requested: int | str, nvml: Nvml | None = HOST, visible: str | None = None
) -> int | None:
    environment = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    choice = choose_gpu(requested, nvml, environment)
    return choice.gpu.index if choice.gpu else None


def test_only_idle_gpus_of_the_same_name_that_the_variable_leaves_help_a_run() -> None:
    other = GpuProcess(pid=7, memory=GIB)
    host = Nvml(
        gpus=(
            gpu_with(0, 0),
            gpu_with(1, 30),
            gpu_with(2, 5),
            gpu_with(3, 0, processes=(other,)),
            gpu_with(4, 0, name="NVIDIA A100"),
            gpu_with(5, 0, error="GPU is lost"),
            gpu_with(6, 0, mig=True),
            gpu_with(7, 0),
        )
    )
    visible = {"CUDA_VISIBLE_DEVICES": "0,1,2,3,4,5,6"}
    twins = free_twins(choose_gpu(0, host, visible), host, visible)
    assert [twin.environment["CUDA_VISIBLE_DEVICES"] for twin in twins] == ["GPU-2aaa", "GPU-1aaa"]
    assert free_twins(choose_gpu("none", host, visible), host, visible) == []
    assert free_twins(choose_gpu(0, host, visible), None, visible) == []


@pytest.mark.parametrize(
    ("requested", "visible", "expected"),
    [
        ("auto", None, 1),  # as free as 2, and idle
        ("auto", "0", 0),
        ("auto", "2,0", 2),
        ("auto", "", None),
        ("auto", "-1", None),
        (0, None, 0),
        (2, "2", 2),
        ("none", None, None),
    ],
)
def test_the_freest_or_the_requested_one(
    requested: int | str, visible: str | None, expected: int | None
) -> None:
    assert chosen(requested, visible=visible) == expected


def test_a_worker_sees_only_the_chosen_one() -> None:
    choice = choose_gpu("auto", HOST, {})
    assert choice.environment == {
        "CUDA_VISIBLE_DEVICES": "GPU-1aaa", "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    }  # fmt: skip
    assert choose_gpu("none", HOST, {}).environment == {"CUDA_VISIBLE_DEVICES": "-1"}
    # Where nothing is known, nothing is changed: the framework may know better.
    assert choose_gpu("auto", None, {}).environment == {}
    assert choose_gpu("auto", Nvml(error="Driver Not Loaded", error_code=9), {}).environment == {}


def test_without_a_name_the_number_in_the_order_of_the_bus() -> None:
    choice = choose_gpu(0, Nvml(gpus=(gpu_with(0, 0, uuid=""),)), {})
    assert choice.environment == {
        "CUDA_VISIBLE_DEVICES": "0", "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    }  # fmt: skip


def test_a_lost_gpu_is_skipped_and_refused_by_name() -> None:
    host = Nvml(gpus=(gpu_with(0, 70), gpu_with(1, 0, error="GPU is lost")))
    assert chosen("auto", host) == 0
    with pytest.raises(UserError, match=r"GPU 1 \(NVIDIA H100\) does not respond: GPU is lost"):
        chosen(1, host)


@pytest.mark.parametrize(
    "fault", [{"ecc_errors": 1}, {"remap_failed": True}, {"xids": (13, 79)}], ids=str
)
def test_a_gpu_with_a_fault_is_the_last_resort(fault: dict[str, object]) -> None:
    assert chosen("auto", Nvml(gpus=(gpu_with(0, 1, **fault), gpu_with(1, 70)))) == 1
    assert chosen("auto", Nvml(gpus=(gpu_with(0, 1, **fault),))) == 0
    assert chosen("auto", Nvml(gpus=(gpu_with(0, 1, xids=(13,)), gpu_with(1, 70)))) == 0


@pytest.mark.parametrize(
    ("requested", "nvml", "visible", "message"),
    [
        (3, HOST, None, "There is no GPU 3; allowed: 0, 1, 2, none or auto"),
        (0, None, None, "There is no GPU 0: no NVIDIA GPU can be found here"),
        (0, Nvml(error="Driver Not Loaded", error_code=9), None, "Driver Not Loaded"),
        (1, HOST, "0", "GPU 1 is hidden by CUDA_VISIBLE_DEVICES=0"),
    ],
)
def test_refusals(requested: int, nvml: Nvml | None, visible: str | None, message: str) -> None:
    with pytest.raises(UserError) as refused:
        chosen(requested, nvml, visible)
    assert message in str(refused.value)


def test_of_slices_the_freest() -> None:
    parts = (
        MigDevice(uuid="MIG-a", memory_total=10 * GIB, memory_used=9 * GIB),
        MigDevice(uuid="MIG-b", memory_total=10 * GIB, memory_used=1 * GIB),
    )
    host = Nvml(gpus=(gpu_with(0, 10, mig=True, mig_devices=parts), gpu_with(1, 76)))
    choice = choose_gpu("auto", host, {})
    assert (choice.uuid, choice.memory_free) == ("MIG-b", 9 * GIB)
    assert choice.environment["CUDA_VISIBLE_DEVICES"] == "MIG-b"
    named = choose_gpu("auto", host, {"CUDA_VISIBLE_DEVICES": "MIG-a"})
    assert named.uuid == "MIG-a"


def test_a_gpu_in_mig_mode_without_slices_cannot_run() -> None:
    host = Nvml(gpus=(gpu_with(0, 1, mig=True), gpu_with(1, 70)))
    assert chosen("auto", host) == 1
    assert chosen("auto", Nvml(gpus=(gpu_with(0, 1, mig=True),))) is None
    with pytest.raises(UserError, match=r"GPU 0 .* is in MIG mode and has no slices"):
        chosen(0, host)


def test_a_slice_named_in_the_old_way_stays_as_it_was_chosen() -> None:
    parts = (MigDevice(uuid="MIG-a", memory_total=GIB),)
    host = Nvml(gpus=(gpu_with(0, 10, mig=True, mig_devices=parts),))
    choice = choose_gpu("auto", host, {"CUDA_VISIBLE_DEVICES": "MIG-GPU-0aaa/7/0"})
    assert choice.gpu == host.gpus[0]
    assert choice.environment == {}


@pytest.mark.parametrize(("capability", "expected"), [((5, 2), 1), ((6, 0), 0)])
def test_too_old_a_gpu_is_the_last_resort(capability: tuple[int, int], expected: int) -> None:
    assert chosen(
        "auto", Nvml(gpus=(gpu_with(0, 1, compute_capability=capability), gpu_with(1, 70)))
    ) == (expected)


def test_for_the_log() -> None:
    assert choose_gpu("none", HOST, {}).as_event() is None
    assert choose_gpu(1, HOST, {}).as_event() == {
        "index": 1,
        "uuid": "GPU-1aaa",
        "name": "NVIDIA H100",
        "memory_free": 70 * GIB,
        "memory_total": 80 * GIB,
    }


def test_who_holds_memory_the_largest_first() -> None:
    processes = (
        GpuProcess(pid=7, memory=GIB, user="eve\x1b[31m", name="python"),
        GpuProcess(pid=8, memory=59 * GIB),
        GpuProcess(pid=9),
    )
    host = Nvml(gpus=(gpu_with(0, 60, processes=processes),))
    assert describe_holders(choose_gpu(0, host, {})) == (
        "somebody (PID 8) 59.0 GiB, eve\\e[31m (PID 7, python) 1.0 GiB, somebody (PID 9)"
    )
    assert describe_holders(choose_gpu(1, HOST, {})) == ""


@pytest.mark.parametrize(
    ("value", "expected", "invalid"),
    [
        (None, [0, 1, 2], None),
        ("", [], ""),
        (" ", [], ""),
        ("-1", [], "-1"),
        ("none", [], "none"),
        ("NoDevFiles", [], "NoDevFiles"),
        ("0", [0], None),
        ("2,0", [2, 0], None),
        (" 1 , 0 ", [1, 0], None),
        ("0,2,-1,1", [0, 2], "-1"),
        ("0,3,1", [0], "3"),
        ("3,0", [], "3"),
        ("1gpu,+0", [1, 0], None),  # as C reads numbers
        ("²", [], "²"),
        ("99999999999999999999", [], "99999999999999999999"),
        ("1,1", [], "1"),  # twice shows nothing
        ("0,1,0,2", [], "0"),
        ("GPU-cc", [2], None),
        ("GPU-aa", [], "GPU-aa"),  # fits two
        ("GPU-aa1,GPU-aa2", [0, 1], None),
        ("GPU-aa11,GPU-aa1", [], "GPU-aa1"),
        ("gpu-aa11", [], "gpu-aa11"),
        ("GPU-zz,0", [], "GPU-zz"),
        ("MIG-0", [2], None),
        ("MIG-1,MIG-0", [2], None),
        ("MIG-7", [], "MIG-7"),
        ("MIG-", [], "MIG-"),
        ("MIG-GPU-cc33/7/0", [2], None),
        ("MIG-GPU-aa11/7/0", [], "MIG-GPU-aa11/7/0"),  # not in slices
        ("1,", [1], ""),
    ],
)
def test_what_programs_see(value: str | None, expected: list[int], invalid: str | None) -> None:
    found = read_visibility(value, GPUS)
    assert [one.index for one in found.gpus] == expected
    assert found.invalid == invalid
    assert visible_gpus(value, GPUS) == found.gpus


def test_named_slices_are_reported() -> None:
    named = read_visibility("MIG-2,MIG-0", GPUS).slices
    assert [part.uuid[:5] for part in named] == ["MIG-2", "MIG-0"]
    assert not read_visibility("2", GPUS).slices


def test_a_lost_gpu_has_no_name_to_be_called_by() -> None:
    lost = gpu(0, uuid="", error="GPU is lost")
    assert visible_gpus("GPU-", (lost, GPUS[0])) == (GPUS[0],)
    assert visible_gpus("0", ()) == ()
