"""Bounds of the rules, several causes at once, verdicts, and names that want to do harm."""

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from machine_facts import (
    CUINIT,
    GIB,
    NO_DLOPEN,
    WHEELS,
    blind,
    cpu_box,
    device,
    failing,
    framework,
    gpu,
    healthy,
    libraries,
    no_nvml,
    outcomes,
    printed,
    process,
    silent,
    slices,
    steps,
    stuck,
    system,
    two_gpus,
    with_wheel,
    without_cuda,
)
from test_diagnosis import ROWS

from workbench.machine.diagnosis import Finding, diagnose, fold
from workbench.machine.facts import Backends, Container, Facts, Library, Nvml, Slurm, Step

NO_DEVICE = CUINIT.format(name="CUDA_ERROR_NO_DEVICE", words="no CUDA-capable device is detected")
NO_ALGORITHM = "NOT_FOUND: No algorithm worked!"


def tops(facts: Facts) -> list[tuple[str, str]]:
    """Severity and id of each finding."""
    return [(finding.severity, finding.id) for finding in diagnose(facts).findings]


def below(facts: Facts, cause: str) -> set[str]:
    """Ids of what is folded beneath a cause."""
    (finding,) = [finding for finding in diagnose(facts).findings if finding.id == cause]
    return {consequence.id for consequence in finding.consequences}


def one_card(**changes: Any) -> Nvml:
    return Nvml(driver="570.133.20", cuda=(12, 8), gpus=(gpu(**changes),))


def full(index: int, used: float, **changes: Any) -> Any:
    held = (process(gigabytes=used),)
    return gpu(index, **{"memory_used": int(used * GIB), "processes": held, **changes})


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
    assert tops(facts) == [("warning", expected)]


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
        ((5, 2), "9.11.0.98", "card-too-old"),
        ((9, 0), "9.11.0.98", "gpu-compute"),
        ((10, 0), "9.11.0.98", "blackwell"),
    ],
)
def test_generations_of_cards(capability: tuple[int, int], cudnn: str, expected: str) -> None:
    facts = failing(
        NO_ALGORITHM,
        nvml=one_card(compute_capability=capability),
        libraries=with_wheel("nvidia-cudnn-cu12", cudnn),
    )
    assert tops(facts) == [("warning", expected)]


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
def test_generations_of_cards_that_work_cost_nothing(
    capability: tuple[int, int], expected: list[tuple[str, str]]
) -> None:
    facts = healthy(
        nvml=one_card(compute_capability=capability),
        libraries=with_wheel("nvidia-cudnn-cu12", "9.11.0.98"),
    )
    assert tops(facts) == expected
    assert diagnose(facts).exit_code == 0


def test_other_builds_know_blackwell() -> None:
    new = one_card(compute_capability=(12, 0))
    assert not tops(healthy(nvml=new, framework=framework(device(), cuda="12.8")))
    assert not tops(healthy(nvml=new, framework=framework(device(), backend="torch")))
    facts = failing(NO_ALGORITHM, nvml=new)
    told = facts.model_copy(
        update={"framework": facts.framework.model_copy(update={"cuda": "12.9"})}
    )
    assert tops(told) == [("warning", "blackwell")]


@pytest.mark.parametrize(("used", "expected"), [(70 * GIB, []), (70 * GIB + 2, ["memory-taken"])])
def test_half_of_the_memory(used: int, expected: list[str]) -> None:
    facts = healthy(nvml=one_card(memory_used=used))
    assert [finding.id for finding in diagnose(facts).findings] == expected


def test_cudnn_is_also_too_old_by_its_package() -> None:
    facts = failing(NO_ALGORITHM, libraries=with_wheel("nvidia-cudnn-cu12", "9.2.1.18"))
    assert tops(facts) == [("warning", "cudnn-old")]
    facts = failing(NO_ALGORITHM, libraries=with_wheel("nvidia-cudnn-cu12", "9.3.0.75"))
    assert tops(facts) == [("warning", "gpu-compute")]


def test_versions_of_cudnn_are_named() -> None:
    words = "Loaded runtime CuDNN library: 9.1.0 but source was compiled with: 9.3.0.  CuDNN"
    (finding,) = diagnose(failing(words)).findings
    assert finding.what == "cuDNN 9.1.0 is older than TensorFlow wants: it was built with 9.3.0."
    (finding,) = diagnose(failing("Loaded runtime CuDNN library")).findings
    assert finding.id == "cudnn-old"


@pytest.mark.parametrize(
    ("missing", "expected"),
    [(1, "wheels-missing"), (5, "wheels-missing"), (6, "cpu-only-install")],
)
def test_some_packages_missing_or_most(missing: int, expected: str) -> None:
    facts = blind(NO_DLOPEN, libraries=libraries(tuple(WHEELS)[:missing]))
    assert tops(facts) == [("warning", expected)]


def test_the_compiler_alone_does_not_hide_a_gpu() -> None:
    facts = blind(NO_DLOPEN, libraries=libraries(("nvidia-cuda-nvcc-cu12",)))
    assert tops(facts) == [("warning", "framework-no-gpu")]


@pytest.mark.parametrize(
    ("xids", "expected"), [((13, 31, 43, 63), []), ((13, 79), [("warning", "hardware-fault")])]
)
def test_only_some_xids_are_faults_of_the_card(
    xids: tuple[int, ...], expected: list[tuple[str, str]]
) -> None:
    assert tops(healthy(nvml=one_card(xids=xids, remapped_rows=2))) == expected


# --- a GPU that works -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"libraries": without_cuda()},
        {"system": system(uvm_device=False)},
        {"nvml": Nvml(driver="470.1", gpus=(gpu(),))},
        {"visible_devices": "0"},
        {"visible_devices": "GPU-0a4f"},
        {"nvml": one_card(mig=True, mig_devices=slices(2)), "visible_devices": "MIG-0f9e"},
    ],
)
def test_nothing_is_said_where_the_framework_is_fine(changes: dict[str, Any]) -> None:
    assert diagnose(healthy(**changes)).exit_code == 0
    assert not tops(healthy(**changes))


def test_the_management_library_alone_may_be_missing() -> None:
    facts = healthy(nvml=no_nvml())
    assert tops(facts) == [("note", "nvml-unavailable")]
    assert diagnose(facts).verdict == "GPU ready: NVIDIA H200"


def test_a_hung_driver_beside_a_gpu_that_works() -> None:
    told = diagnose(silent("nvml", "hung", "after 10 s"))
    assert told.verdict == "GPU ready, with 1 warning: the NVIDIA driver does not answer"
    (finding,) = told.findings
    assert finding.what == "Asking the NVIDIA driver hung and was ended after 10 s."
    assert told.exit_code == 1


def test_a_slice_that_is_taken_by_itself_costs_nothing() -> None:
    facts = healthy(nvml=one_card(mig=True, mig_devices=slices(2)))
    assert tops(facts) == [("note", "mig")]
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
    assert tops(facts) == expected


def test_it_is_told_how_many_gpus_are_hidden() -> None:
    gpus = Nvml(driver="570.133.20", gpus=(gpu(0), gpu(1)))
    (finding,) = diagnose(blind(NO_DEVICE, nvml=gpus, visible_devices="5")).findings
    assert finding.what == 'CUDA_VISIBLE_DEVICES is "5": it hides 2 of 2 GPUs.'
    assert finding.why == '"5" names no GPU of this machine. Here it could name: 0, 1.'


def test_in_a_job_without_a_gpu_the_variable_is_left_alone() -> None:
    job = system(slurm=Slurm(job="77"))
    facts = blind(NO_DEVICE, visible_devices="NoDevFiles", system=job)
    finding = diagnose(facts).findings[0]
    assert (finding.id, finding.remedy) == ("hidden-gpus", "srun --gres=gpu:1 --pty bash")


# --- several GPUs -----------------------------------------------------------------------------


def test_a_full_gpu_beside_a_free_one_is_a_note() -> None:
    facts = two_gpus(full(0, 132.25), gpu(1))
    told = diagnose(facts)
    (finding,) = told.findings
    assert (finding.severity, told.exit_code) == ("note", 0)
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
    assert tops(facts) == [("warning", "memory-taken")] * 2
    first, second = diagnose(facts).findings
    assert first.remedy.startswith("choose another GPU: --gpu 1;")
    assert second.remedy.startswith("wait: ")
    assert "by processes that cannot be seen from here" in second.what


def test_a_hidden_free_gpu_is_no_way_out() -> None:
    facts = two_gpus(full(0, 100), gpu(1), framework=framework(device()), visible_devices="0")
    assert tops(facts) == [("warning", "memory-taken")]


def test_the_largest_holders_are_told() -> None:
    held = tuple(process(pid, gigabytes=pid) for pid in (1, 5, 3, 20))
    own = process(7, gigabytes=30, own=True)
    facts = healthy(nvml=one_card(memory_used=80 * GIB, processes=(*held, own)))
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
    assert tops(facts) == [("warning", "hardware-fault")]
    assert below(facts, "hardware-fault") == {"gpu-compute"}
    assert diagnose(facts).findings[0].remedy.endswith("train with --gpu 1")
    told = two_gpus(gpu(0), gpu(1, ecc_errors=3), framework=facts.framework)
    assert [cause for _, cause in tops(told)] == ["hardware-fault", "gpu-compute"]


def test_a_faulty_gpu_that_is_hidden_is_a_note() -> None:
    facts = two_gpus(gpu(0), gpu(1, xids=(79,)), framework=framework(device()), visible_devices="0")
    assert tops(facts) == [("note", "hardware-fault")]


def test_an_old_card_beside_a_good_one() -> None:
    old = {"compute_capability": (5, 2), "name": "Tesla M60"}
    done = (*steps("cpu:0"), *steps("gpu:0", "no device", "no device"), *steps("gpu:1"))
    both = framework(device("gpu:0"), device("gpu:1"), steps=done)
    small = gpu(0, memory_total=8 * GIB, memory_used=0, **old)
    told = diagnose(two_gpus(small, gpu(1), framework=both))
    assert [(one.severity, one.id) for one in told.findings] == [("note", "card-too-old")]
    assert (told.verdict, told.exit_code) == ("GPU ready: NVIDIA H200", 0)
    assert told.findings[0].remedy == ""
    # However much memory it has free, a run does not take it.
    freest = gpu(0, memory_used=0, **old)
    assert tops(two_gpus(freest, gpu(1), framework=both)) == [("note", "card-too-old")]


def test_another_gpu_with_room_that_is_not_the_freest() -> None:
    small = gpu(0, memory_total=8 * GIB, memory_used=0)
    facts = two_gpus(small, full(1, 100))
    assert tops(facts) == [("warning", "memory-taken")]
    assert diagnose(facts).findings[0].remedy.startswith("wait: ")


def test_equal_gpus_are_counted() -> None:
    assert diagnose(two_gpus(gpu(0), gpu(1))).verdict == "GPU ready: 2 x NVIDIA H200"


# --- several causes ---------------------------------------------------------------------------


def test_a_wrong_variable_and_a_plain_install() -> None:
    facts = blind(NO_DEVICE, libraries=libraries(tuple(WHEELS)), visible_devices="-1")
    assert tops(facts) == [("warning", "cpu-only-install"), ("warning", "hidden-gpus")]
    assert below(facts, "cpu-only-install") == {"framework-no-gpu"}
    assert diagnose(facts).verdict == ("CPU only: TensorFlow is installed without GPU libraries")


def test_without_a_driver_nothing_else_counts() -> None:
    broken = Library(name="libcudnn.so.9", wheel="nvidia-cudnn-cu12", error="no such file")
    missing = tuple(WHEELS)[:6]
    told = without_cuda().model_copy(update={"libraries": (broken,)})
    for wheels in (told, libraries(missing, libraries=(broken,))):
        facts = cpu_box(libraries=wheels, visible_devices="9")
        assert tops(facts) == [("warning", "no-driver")]


def test_a_container_comes_before_wsl() -> None:
    box = system(
        virtual="wsl2", nvidia_cards=0, uvm_device=False, container=Container(kind="docker")
    )
    facts = cpu_box(system=box)
    assert tops(facts) == [("warning", "container-without-gpu")]
    assert "Windows" in diagnose(facts).findings[0].why


def test_a_driver_that_hangs_and_takes_the_framework_along() -> None:
    hung = printed("", "hung", "after 60 s")
    facts = silent("framework", "hung", "after 60 s").model_copy(
        update={"nvml": None, "outcomes": outcomes(nvml=hung, framework=hung)}
    )
    assert tops(facts) == [("broken", "nvml-hung")]
    assert below(facts, "nvml-hung") == {"framework-hung"}


def test_a_misled_library_and_a_broken_one() -> None:
    told = (
        Library(name="libcudnn.so.9", wheel="nvidia-cudnn-cu12", error="old", error_without=""),
        Library(name="libcublas.so.12", wheel="nvidia-cublas-cu12", error="x", error_without="x"),
    )
    facts = blind(NO_DLOPEN, libraries=libraries(libraries=told, library_path="/opt/lib"))
    assert [cause for _, cause in tops(facts)] == ["library-path", "library-broken"]


def test_a_missing_device_file_and_a_plain_install() -> None:
    stuck_cuda = libraries(tuple(WHEELS), cuda_driver_code=999, cuda_driver_error="unknown error")
    facts = blind(libraries=stuck_cuda, system=system(uvm_device=False))
    assert [cause for _, cause in tops(facts)] == ["no-uvm", "cpu-only-install"]


def test_a_device_file_that_appears_with_the_first_use_is_no_fault() -> None:
    """It was looked for before CUDA made it, and CUDA works."""
    facts = blind(libraries=libraries(tuple(WHEELS)), system=system(uvm_device=False))
    assert [cause for _, cause in tops(facts)] == ["cpu-only-install"]


def test_libraries_from_elsewhere_are_no_fault_where_the_gpu_is_listed() -> None:
    busy = Nvml(driver="570.133.20", cuda=(12, 8), gpus=(full(0, 139.5),))
    facts = failing("RESOURCE_EXHAUSTED: OOM", nvml=busy, libraries=libraries(tuple(WHEELS)))
    assert [cause for _, cause in tops(facts)] == ["memory-taken"]


def test_what_follows_from_a_consequence_is_folded_too() -> None:
    def found(name: str, *explained: str) -> Finding:
        return Finding(name, "warning", name, name, explains=frozenset(explained))

    (cause,) = fold([found("a", "b"), found("b", "c"), found("c")])
    assert [one.id for one in cause.consequences] == ["b", "c"]


def test_jit_that_fails_beside_a_device_that_works_otherwise() -> None:
    told = diagnose(failing("", "INTERNAL: something else"))
    assert told.verdict == "GPU ready, with 1 warning: jit fails on gpu:0"
    cpu = framework(device(), steps=(*steps("cpu:0", jit_error="LLVM"), *steps("gpu:0")))
    assert tops(healthy(framework=cpu)) == [("note", "cpu-jit")]


def test_jax_trains_only_with_jit() -> None:
    done = (*steps("cpu:0"), *steps("gpu:0", jit_error="INTERNAL"))
    jax = framework(device(), backend="jax", version="0.7.0", steps=done)
    assert tops(healthy(framework=jax)) == [("warning", "gpu-compute")]
    assert diagnose(healthy(framework=jax)).verdict.startswith("CPU only: ")


def test_jit_without_its_compiler() -> None:
    facts = failing("", "INTERNAL: ...", libraries=libraries(("nvidia-cuda-nvcc-cu12",)))
    assert tops(facts) == [("warning", "libdevice")]
    # What TensorFlow prints counts only where something fails.
    printing = outcomes(framework=printed("Can't find libdevice directory ${CUDA_DIR}/nvvm"))
    assert not tops(healthy(outcomes=printing))
    assert tops(failing("", "INTERNAL", outcomes=printing)) == [("warning", "libdevice")]


def test_an_end_in_the_jit_of_the_cpu_leaves_the_gpu_untried() -> None:
    facts = stuck("cpu:0 jit", "by signal SIGABRT", steps("cpu:0")[:1])
    assert tops(facts) == [("note", "cpu-jit"), ("warning", "gpu-untested")]


def ended(current: str, words: str, stopped: str, status: str = "crashed") -> Facts:
    """The process ended in a step and was started again for the rest."""
    name, _, how = current.partition(" ")
    done = (*steps("cpu:0"), *steps("gpu:0"))
    failed = Step(device=name, jit=how == "jit", error=words)
    kept = tuple(s for s in done if how == "speed" or (s.device, s.jit) != (name, failed.jit))
    return healthy(
        framework=framework(device(), steps=(*kept, failed), current=current, stopped=stopped),
        outcomes=outcomes(framework=printed("", status, stopped)),
    )


@pytest.mark.parametrize(
    ("current", "expected", "verdict"),
    [
        ("gpu:0", ("warning", "gpu-compute"), "CPU only: the convolution failed on gpu:0"),
        ("gpu:0 jit", ("warning", "gpu-jit"), "GPU ready, with 1 warning: jit fails on gpu:0"),
        (
            "gpu:0 speed",
            ("warning", "gpu-speed"),
            "GPU ready, with 1 warning: larger networks fail on gpu:0",
        ),
        ("cpu:0", ("broken", "cpu-compute"), "Broken: TensorFlow does not work on the CPU"),
        ("cpu:0 jit", ("note", "cpu-jit"), "GPU ready: NVIDIA H200"),
        (
            "cpu:0 speed",
            ("warning", "cpu-speed"),
            "GPU ready, with 1 warning: larger networks fail on the CPU",
        ),
    ],
)
def test_a_step_that_took_the_process_along(
    current: str, expected: tuple[str, str], verdict: str
) -> None:
    facts = ended(current, "the process was ended by signal SIGSEGV", "by signal SIGSEGV")
    assert tops(facts) == [expected]
    assert diagnose(facts).verdict == verdict


def test_a_slow_cpu_is_no_warning() -> None:
    facts = ended("cpu:0 speed", "the process gave no answer after 90 s", "after 90 s", "hung")
    assert tops(facts) == [("note", "cpu-speed")]


def test_full_memory_explains_larger_networks_that_fail() -> None:
    facts = ended("gpu:0 speed", "RESOURCE_EXHAUSTED: Out of memory", "by signal SIGABRT")
    facts = facts.model_copy(update={"nvml": one_card(memory_used=130 * GIB)})
    assert tops(facts) == [("warning", "memory-taken")]
    assert below(facts, "memory-taken") == {"gpu-speed"}


def test_an_end_behind_all_steps() -> None:
    facts = healthy(outcomes=outcomes(framework=printed("", "crashed", "by signal SIGABRT")))
    assert tops(facts) == [("note", "framework-unfinished")]
    assert diagnose(facts).exit_code == 0


def test_a_broken_cpu_outweighs_everything() -> None:
    told = diagnose(cpu_box(framework=framework(steps=steps("cpu:0", "oneDNN", "oneDNN"))))
    assert (told.word, told.exit_code) == ("broken", 2)
    assert told.verdict == "Broken: TensorFlow does not work on the CPU"


def test_facts_that_are_not_known_yet_give_no_findings() -> None:
    told = diagnose(Facts())
    assert (told.findings, told.word, told.exit_code) == ((), "degraded", 1)
    assert told.verdict.startswith("Not known yet: ")
    assert not diagnose(healthy(framework=None, outcomes={})).findings
    assert not diagnose(
        blind(libraries=libraries(tuple(WHEELS)), framework=None, outcomes={})
    ).findings


# --- folding ----------------------------------------------------------------------------------


def finding(name: str, *explains: str) -> Finding:
    return Finding(name, "warning", name, "", explains=frozenset(explains))


def test_the_first_cause_takes_a_consequence() -> None:
    first, second = finding("first", "symptom"), finding("second", "symptom")
    told = fold([first, second, finding("symptom"), finding("other")])
    assert [one.id for one in told] == ["first", "second", "other"]
    assert [one.id for one in told[0].consequences] == ["symptom"]
    assert not told[1].consequences


def test_only_earlier_findings_explain_later_ones() -> None:
    told = fold([finding("symptom"), finding("cause", "symptom")])
    assert [one.id for one in told] == ["symptom", "cause"]


def test_any_mixture_of_machines_makes_sense() -> None:
    machines = [facts for _, facts, _, _ in ROWS] + [healthy(), cpu_box(), Facts()]
    chance = Random(7)
    for _ in range(3000):
        mixed = {name: getattr(chance.choice(machines), name) for name in Facts.model_fields}
        told = diagnose(Facts(**mixed))
        kept = [one.id for one in told.findings]
        assert told.exit_code == {"usable": 0, "degraded": 1, "broken": 2}[told.word]
        for place, one in enumerate(told.findings):
            assert not any(one.id in other.explains for other in told.findings[:place])
            below = {consequence.severity for consequence in one.consequences}
            assert one.severity == "broken" or "broken" not in below
        if told.word == "usable":
            assert told.verdict.startswith("GPU ready: ")
        elif told.word == "broken":
            assert told.verdict.startswith("Broken: ")
        elif "CPU only" in told.verdict:  # for a reason that is among the findings
            assert kept
            assert told.verdict.startswith("CPU only: ")
            assert told.verdict != "CPU only: no GPU"


# --- names from outside -----------------------------------------------------------------------

EVIL = "\x1b]0;owned\x07\u202eeman\n$(reboot);`id`'\"" + "x" * 500


def texts(findings: tuple[Finding, ...]) -> Iterator[str]:
    for one in findings:
        yield from (one.what, one.why, one.remedy, one.short)
        yield from texts(one.consequences)


@pytest.mark.parametrize(
    "facts",
    [
        two_gpus(
            full(0, 100, name=EVIL, processes=(process(user=EVIL, name=EVIL, gigabytes=100),)),
            gpu(1, name=EVIL, error=EVIL),
            framework=framework(device("gpu:0", name=EVIL), device("gpu:1", name=EVIL)),
        ),
        blind(EVIL + " cuInit " + EVIL, nvml=one_card(mig=True, mig_devices=slices(1), uuid=EVIL)),
        failing(EVIL, stderr=EVIL, nvml=one_card(name=EVIL, compute_capability=(6, 0))),
        failing("Loaded runtime CuDNN library: 9.1.0" + EVIL),
        blind("Ignoring visible gpu" + EVIL),
        blind(visible_devices=EVIL),
        blind(nvml=no_nvml(5, EVIL)),
        blind(nvml=Nvml(driver="470" + EVIL, gpus=(gpu(),))),
        blind(libraries=libraries(cuda_driver_code=1, cuda_driver_error=EVIL)),
        blind(
            libraries=libraries(
                libraries=(
                    Library(name=EVIL, wheel=EVIL, error=EVIL, error_without=""),
                    Library(name=EVIL, wheel=EVIL, error=EVIL, error_without=EVIL),
                ),
                library_path=EVIL,
            )
        ),
        blind(libraries=libraries(tuple(WHEELS)), framework=framework(version=EVIL)),
        healthy(framework=framework(device(), backend=EVIL, steps=steps("cpu:0", EVIL, EVIL))),
        cpu_box(system=system(container=Container(kind=EVIL), slurm=Slurm(job=EVIL, ends=1e300))),
        silent("framework", "failed", EVIL, EVIL, backends=Backends(chosen=EVIL)),
        silent("nvml", "failed", EVIL, EVIL),
        silent("storage", "crashed", EVIL, EVIL),
        stuck(EVIL, EVIL, (*steps("cpu:0"), *steps("gpu:0"))),
    ],
)
def test_names_that_want_to_do_harm_come_out_harmless(facts: Facts) -> None:
    told = diagnose(facts)
    assert told.findings
    for text in (told.verdict, *texts(told.findings)):
        assert text.isprintable()
        assert "\u202e" not in text
        assert len(text) < 700


def test_lines_to_type_hold_nothing_that_a_shell_acts_on() -> None:
    parts = [slices(1)[0].model_copy(update={"uuid": "MIG-1" + EVIL})]
    facts = blind(NO_DEVICE, nvml=one_card(mig=True, mig_devices=tuple(parts)))
    broken = Library(name="lib", wheel="wheel" + EVIL, error="x", error_without="x")
    wheels = blind(libraries=libraries(libraries=(broken,)), framework=framework(version=EVIL))
    for one in (*diagnose(facts).findings, *diagnose(wheels).findings):
        assert not set(one.remedy) & set("$;`'\"()")
