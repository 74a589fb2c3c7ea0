"""Bounds of the rules, GPUs that work, and several GPUs."""

from typing import Any

import pytest
from fault_facts import NO_ALGORITHM, NO_DEVICE, consequences, full, one_gpu, top_findings
from machine_facts import (
    GIB,
    NO_DLOPEN,
    WHEELS,
    blind,
    device,
    failing,
    framework,
    gpu,
    healthy,
    libraries,
    no_nvml,
    process,
    silent,
    slices,
    steps,
    system,
    two_gpus,
    with_wheel,
    without_cuda,
)

from workbench.machine.diagnosis import diagnose
from workbench.machine.facts import Backends, Nvml
from workbench.machine.host_facts import Slurm

# --- bounds ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("driver", "expected"),
    [
        ("525.60.12", "driver-too-old"),
        ("525.60.13", "framework-no-gpu"),
        ("525.85.05", "framework-no-gpu"),
        ("550.54", "framework-no-gpu"),
        ("", "framework-no-gpu"),
    ],
)
def test_the_oldest_driver(driver: str, expected: str) -> None:
    facts = blind(nvml=Nvml(driver=driver, gpus=(gpu(),)))
    assert top_findings(facts) == [("warning", expected)]


def test_newer_cuda_asks_for_a_newer_driver() -> None:
    torch = framework(backend="torch", version="2.11.0", cuda="13.0")
    chosen = Backends(chosen="torch", installed={"torch": "2.11.0"})
    facts = blind("", framework=torch, backends=chosen, nvml=Nvml(driver="570.1", gpus=(gpu(),)))
    (finding,) = diagnose(facts).findings
    assert (finding.id, "580.65.06" in finding.remedy) == ("driver-too-old", True)


@pytest.mark.parametrize(
    ("capability", "cudnn", "expected"),
    [
        ((6, 0), "9.11.0.98", "pascal-cudnn"),
        ((7, 0), "9.11.0.98", "pascal-cudnn"),
        ((7, 0), "9.10.2.21", "gpu-compute"),
        ((7, 5), "9.11.0.98", "gpu-compute"),
        ((5, 2), "9.11.0.98", "gpu-too-old"),
        ((9, 0), "9.11.0.98", "gpu-compute"),
        ((10, 0), "9.11.0.98", "blackwell"),
    ],
)
def test_generations_of_gpus(capability: tuple[int, int], cudnn: str, expected: str) -> None:
    facts = failing(
        NO_ALGORITHM,
        nvml=one_gpu(compute_capability=capability),
        libraries=with_wheel("nvidia-cudnn-cu12", cudnn),
    )
    assert top_findings(facts) == [("warning", expected)]


@pytest.mark.parametrize(
    ("capability", "expected"),
    [
        ((5, 2), []),  # a build of one's own
        ((7, 0), [("note", "pascal-cudnn")]),
        ((7, 5), []),
        ((9, 0), []),
        ((12, 0), [("note", "blackwell")]),
    ],
)
def test_generations_of_gpus_that_work_are_notes(
    capability: tuple[int, int], expected: list[tuple[str, str]]
) -> None:
    facts = healthy(
        nvml=one_gpu(compute_capability=capability),
        libraries=with_wheel("nvidia-cudnn-cu12", "9.11.0.98"),
    )
    assert top_findings(facts) == expected
    assert diagnose(facts).exit_code == 0


def test_other_builds_know_blackwell() -> None:
    new = one_gpu(compute_capability=(12, 0))
    assert not top_findings(healthy(nvml=new, framework=framework(device(), cuda="12.8")))
    assert not top_findings(healthy(nvml=new, framework=framework(device(), backend="torch")))
    facts = failing(NO_ALGORITHM, nvml=new)
    diagnosis = facts.model_copy(
        update={"framework": facts.framework.model_copy(update={"cuda": "12.9"})}
    )
    assert top_findings(diagnosis) == [("warning", "blackwell")]


@pytest.mark.parametrize(("used", "expected"), [(70 * GIB, []), (70 * GIB + 2, ["memory-taken"])])
def test_half_of_the_memory(used: int, expected: list[str]) -> None:
    facts = healthy(nvml=one_gpu(memory_used=used))
    assert [finding.id for finding in diagnose(facts).findings] == expected


def test_cudnn_is_also_too_old_by_its_package() -> None:
    facts = failing(NO_ALGORITHM, libraries=with_wheel("nvidia-cudnn-cu12", "9.2.1.18"))
    assert top_findings(facts) == [("warning", "cudnn-old")]
    facts = failing(NO_ALGORITHM, libraries=with_wheel("nvidia-cudnn-cu12", "9.3.0.75"))
    assert top_findings(facts) == [("warning", "gpu-compute")]


def test_versions_of_cudnn_are_named() -> None:
    message = "Loaded runtime CuDNN library: 9.1.0 but source was compiled with: 9.3.0.  CuDNN"
    (finding,) = diagnose(failing(message)).findings
    assert finding.what == "cuDNN 9.1.0 is older than TensorFlow needs: it was built with 9.3.0."
    (finding,) = diagnose(failing("Loaded runtime CuDNN library")).findings
    assert finding.id == "cudnn-old"


@pytest.mark.parametrize(
    ("missing", "expected"),
    [(1, "wheels-missing"), (5, "wheels-missing"), (6, "cpu-only-install")],
)
def test_some_packages_missing_or_most(missing: int, expected: str) -> None:
    facts = blind(NO_DLOPEN, libraries=libraries(tuple(WHEELS)[:missing]))
    assert top_findings(facts) == [("warning", expected)]


def test_a_missing_compiler_does_not_hide_a_gpu() -> None:
    facts = blind(NO_DLOPEN, libraries=libraries(("nvidia-cuda-nvcc-cu12",)))
    assert top_findings(facts) == [("warning", "framework-no-gpu")]


@pytest.mark.parametrize(
    ("xids", "expected"), [((13, 31, 43, 63), []), ((13, 79), [("warning", "hardware-fault")])]
)
def test_only_some_xids_are_hardware_faults(
    xids: tuple[int, ...], expected: list[tuple[str, str]]
) -> None:
    assert top_findings(healthy(nvml=one_gpu(xids=xids, remapped_rows=2))) == expected


# --- a GPU that works -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"libraries": without_cuda()},
        {"system": system(uvm_device=False)},
        {"nvml": Nvml(driver="470.1", gpus=(gpu(),))},
        {"visible_devices": "0"},
        {"visible_devices": "GPU-0a4f"},
        {"nvml": one_gpu(mig=True, mig_devices=slices(2)), "visible_devices": "MIG-0f9e"},
    ],
)
def test_no_findings_where_the_framework_works(changes: dict[str, Any]) -> None:
    assert diagnose(healthy(**changes)).exit_code == 0
    assert not top_findings(healthy(**changes))


def test_only_the_management_library_may_be_missing() -> None:
    facts = healthy(nvml=no_nvml())
    assert top_findings(facts) == [("note", "nvml-unavailable")]
    assert diagnose(facts).verdict == "GPU ready: NVIDIA H200"


def test_a_hung_driver_beside_a_gpu_that_works() -> None:
    diagnosis = diagnose(silent("nvml", "hung", "after 10 s"))
    assert diagnosis.verdict == "GPU ready, with 1 warning: the NVIDIA driver does not respond"
    (finding,) = diagnosis.findings
    assert finding.what == "The query of the NVIDIA driver hung and was killed after 10 s."
    assert diagnosis.exit_code == 1


def test_a_slice_chosen_by_default_is_a_note() -> None:
    facts = healthy(nvml=one_gpu(mig=True, mig_devices=slices(2)))
    assert top_findings(facts) == [("note", "mig")]
    assert diagnose(facts).exit_code == 0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, []),
        ("1", []),
        ("1,0", []),
        ("0,", []),
        ("0,-1", []),
        ("0,7", [("note", "hidden-gpus")]),
        ("0,1,7", []),
    ],
)
def test_a_choice_of_gpus_is_no_fault(value: str | None, expected: list[tuple[str, str]]) -> None:
    facts = two_gpus(gpu(0), gpu(1), visible_devices=value)
    assert top_findings(facts) == expected


def test_hidden_gpus_are_counted() -> None:
    gpus = Nvml(driver="570.133.20", gpus=(gpu(0), gpu(1)))
    (finding,) = diagnose(blind(NO_DEVICE, nvml=gpus, visible_devices="5")).findings
    assert finding.what == 'CUDA_VISIBLE_DEVICES is "5": it hides 2 of 2 GPUs.'
    assert finding.why == '"5" names no GPU of this machine. Valid here: 0, 1.'


def test_in_a_job_without_a_gpu_the_variable_stays() -> None:
    job = system(slurm=Slurm(job="77"))
    facts = blind(NO_DEVICE, visible_devices="NoDevFiles", system=job)
    finding = diagnose(facts).findings[0]
    assert (finding.id, finding.remedy) == ("hidden-gpus", "srun --gres=gpu:1 --pty bash")


# --- several GPUs -----------------------------------------------------------------------------


def test_a_full_gpu_beside_a_free_one_is_a_note() -> None:
    facts = two_gpus(full(0, 132.25), gpu(1))
    diagnosis = diagnose(facts)
    (finding,) = diagnosis.findings
    assert (finding.severity, diagnosis.exit_code) == ("note", 0)
    assert finding.what == (
        "GPU 0 (NVIDIA H200): 132.2 GiB of 140.0 GiB are taken, "
        "by PID 4242 (alice, python) with 132.2 GiB."
    )
    assert finding.why == "GPU 1 (NVIDIA H200) has 139.0 GiB free and is chosen instead."
    assert finding.remedy == (
        "choose another GPU: --gpu 1; or wait: `workbench check --watch` shows when it is free"
    )


def test_all_gpus_full_is_a_warning_for_each() -> None:
    facts = two_gpus(full(0, 100), full(1, 90, processes=()))
    assert top_findings(facts) == [("warning", "memory-taken")] * 2
    first, second = diagnose(facts).findings
    assert first.remedy.startswith("choose another GPU: --gpu 1;")
    assert second.remedy.startswith("wait: ")
    assert "by processes that cannot be seen from here" in second.what


def test_a_hidden_free_gpu_is_no_way_out() -> None:
    facts = two_gpus(full(0, 100), gpu(1), framework=framework(device()), visible_devices="0")
    assert top_findings(facts) == [("warning", "memory-taken")]


def test_the_largest_holders_are_named() -> None:
    held = tuple(process(pid, gigabytes=pid) for pid in (1, 5, 3, 20))
    own = process(7, gigabytes=30, own=True)
    facts = healthy(nvml=one_gpu(memory_used=80 * GIB, processes=(*held, own)))
    (finding,) = diagnose(facts).findings
    assert (
        "by PID 7 (you, python) with 30.0 GiB, PID 20 (alice, python) with 20.0 GiB, "
        "PID 5 (alice, python) with 5.0 GiB, 2 more."
    ) in finding.what


def test_a_faulty_gpu_explains_only_its_own_steps() -> None:
    broken = gpu(0, ecc_errors=3)
    done = (*steps("cpu:0"), *steps("gpu:0", "INTERNAL", "INTERNAL"), *steps("gpu:1"))
    facts = two_gpus(
        broken, gpu(1), framework=framework(device("gpu:0"), device("gpu:1"), steps=done)
    )
    assert top_findings(facts) == [("warning", "hardware-fault")]
    assert consequences(facts, "hardware-fault") == {"gpu-compute"}
    assert diagnose(facts).findings[0].remedy.endswith("train with --gpu 1")
    diagnosis = two_gpus(gpu(0), gpu(1, ecc_errors=3), framework=facts.framework)
    assert [cause for _, cause in top_findings(diagnosis)] == ["hardware-fault", "gpu-compute"]


def test_a_faulty_gpu_that_is_hidden_is_a_note() -> None:
    facts = two_gpus(gpu(0), gpu(1, xids=(79,)), framework=framework(device()), visible_devices="0")
    assert top_findings(facts) == [("note", "hardware-fault")]


def test_an_old_gpu_beside_a_good_one() -> None:
    old = {"compute_capability": (5, 2), "name": "Tesla M60"}
    done = (*steps("cpu:0"), *steps("gpu:0", "no device", "no device"), *steps("gpu:1"))
    both = framework(device("gpu:0"), device("gpu:1"), steps=done)
    small = gpu(0, memory_total=8 * GIB, memory_used=0, **old)
    diagnosis = diagnose(two_gpus(small, gpu(1), framework=both))
    assert [(one.severity, one.id) for one in diagnosis.findings] == [("note", "gpu-too-old")]
    assert (diagnosis.verdict, diagnosis.exit_code) == ("GPU ready: NVIDIA H200", 0)
    assert diagnosis.findings[0].remedy == ""
    # However much memory it has free, a run does not take it.
    freest = gpu(0, memory_used=0, **old)
    assert top_findings(two_gpus(freest, gpu(1), framework=both)) == [("note", "gpu-too-old")]


def test_another_gpu_with_room_that_is_not_the_freest() -> None:
    small = gpu(0, memory_total=8 * GIB, memory_used=0)
    facts = two_gpus(small, full(1, 100))
    assert top_findings(facts) == [("warning", "memory-taken")]
    assert diagnose(facts).findings[0].remedy.startswith("wait: ")


def test_equal_gpus_are_counted() -> None:
    assert diagnose(two_gpus(gpu(0), gpu(1))).verdict == "GPU ready: 2 x NVIDIA H200"
