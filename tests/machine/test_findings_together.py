"""Several causes at once, verdicts, folding, and malicious names."""

from collections.abc import Iterator
from random import Random

import pytest
from fault_facts import NO_DEVICE, consequences, full, one_gpu, top_findings
from machine_facts import (
    GIB,
    NO_DLOPEN,
    WHEELS,
    blind,
    cpu_only_host,
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
    without_cuda,
)
from machine_faults import ROWS

from workbench.machine.diagnosis import diagnose, fold
from workbench.machine.facts import Backends, Facts, Library, Nvml, TrialStep
from workbench.machine.finding import Finding
from workbench.machine.host_facts import Container, Slurm

# --- several causes ---------------------------------------------------------------------------


def test_a_wrong_variable_and_a_plain_install() -> None:
    facts = blind(NO_DEVICE, libraries=libraries(tuple(WHEELS)), visible_devices="-1")
    assert top_findings(facts) == [("warning", "hidden-gpus"), ("warning", "cpu-only-install")]
    assert consequences(facts, "hidden-gpus") == {"framework-no-gpu"}
    assert diagnose(facts).verdict == "CPU only: CUDA_VISIBLE_DEVICES hides the GPU"


def test_without_a_driver_nothing_else_counts() -> None:
    broken = Library(name="libcudnn.so.9", wheel="nvidia-cudnn-cu12", error="no such file")
    missing = tuple(WHEELS)[:6]
    diagnosis = without_cuda().model_copy(update={"libraries": (broken,)})
    for wheels in (diagnosis, libraries(missing, libraries=(broken,))):
        facts = cpu_only_host(libraries=wheels, visible_devices="9")
        assert top_findings(facts) == [("warning", "no-driver")]


def test_a_container_takes_precedence_over_wsl() -> None:
    host = system(
        virtual="wsl2", nvidia_cards=0, uvm_device=False, container=Container(kind="docker")
    )
    facts = cpu_only_host(system=host)
    assert top_findings(facts) == [("warning", "container-without-gpu")]
    assert "Windows" in diagnose(facts).findings[0].why


def test_a_driver_that_hangs_and_takes_the_framework_along() -> None:
    hung = printed("", "hung", "after 60 s")
    facts = silent("framework", "hung", "after 60 s").model_copy(
        update={"nvml": None, "outcomes": outcomes(nvml=hung, framework=hung)}
    )
    assert top_findings(facts) == [("broken", "nvml-hung")]
    assert consequences(facts, "nvml-hung") == {"framework-hung"}


def test_a_misled_library_and_a_broken_one() -> None:
    diagnosis = (
        Library(name="libcudnn.so.9", wheel="nvidia-cudnn-cu12", error="old", error_without=""),
        Library(name="libcublas.so.12", wheel="nvidia-cublas-cu12", error="x", error_without="x"),
    )
    facts = blind(NO_DLOPEN, libraries=libraries(libraries=diagnosis, library_path="/opt/lib"))
    assert [cause for _, cause in top_findings(facts)] == ["library-path", "library-broken"]


def test_a_missing_device_file_and_a_plain_install() -> None:
    stuck_cuda = libraries(tuple(WHEELS), cuda_driver_code=999, cuda_driver_error="unknown error")
    facts = blind(libraries=stuck_cuda, system=system(uvm_device=False))
    assert [cause for _, cause in top_findings(facts)] == ["no-uvm", "cpu-only-install"]


def test_a_device_file_that_appears_with_the_first_use_is_no_fault() -> None:
    """It was looked for before CUDA made it, and CUDA works."""
    facts = blind(libraries=libraries(tuple(WHEELS)), system=system(uvm_device=False))
    assert [cause for _, cause in top_findings(facts)] == ["cpu-only-install"]


def test_libraries_from_elsewhere_are_no_fault_where_the_gpu_is_listed() -> None:
    busy = Nvml(driver="570.133.20", cuda=(12, 8), gpus=(full(0, 139.5),))
    facts = failing("RESOURCE_EXHAUSTED: OOM", nvml=busy, libraries=libraries(tuple(WHEELS)))
    assert [cause for _, cause in top_findings(facts)] == ["memory-taken"]


def test_jit_that_fails_beside_a_device_that_works_otherwise() -> None:
    facts = failing("", "INTERNAL: something else")
    assert top_findings(facts) == [("note", "gpu-jit")]
    assert diagnose(facts).verdict == "GPU ready: NVIDIA H200"  # training does without


def test_jax_trains_only_with_jit() -> None:
    done = (*steps("cpu:0"), *steps("gpu:0", jit_error="INTERNAL"))
    jax = framework(device(), backend="jax", version="0.7.0", steps=done)
    assert top_findings(healthy(framework=jax)) == [("warning", "gpu-compute")]
    assert diagnose(healthy(framework=jax)).verdict.startswith("CPU only: ")


def test_jit_without_its_compiler() -> None:
    facts = failing("", "INTERNAL: ...", libraries=libraries(("nvidia-cuda-nvcc-cu12",)))
    assert top_findings(facts) == [("warning", "libdevice")]
    # What TensorFlow prints counts only where something fails.
    printing = outcomes(framework=printed("Can't find libdevice directory ${CUDA_DIR}/nvvm"))
    assert not top_findings(healthy(outcomes=printing))
    assert top_findings(failing("", "INTERNAL", outcomes=printing)) == [("warning", "libdevice")]


def ended(current: str, message: str, stopped: str, status: str = "crashed") -> Facts:
    """The process ended in a step and was started again for the rest."""
    name, _, how = current.partition(" ")
    done = (*steps("cpu:0"), *steps("gpu:0"))
    precision = "mixed_float16" if how == "half" else "float32"
    failed = TrialStep(
        device=name, jit=how == "jit", precision=precision, error=message, ended=True
    )
    others = how in ("speed", "half")
    kept = tuple(s for s in done if others or (s.device, s.jit) != (name, failed.jit))
    return healthy(
        framework=framework(device(), steps=(*kept, failed), current=current, stopped=stopped),
        outcomes=outcomes(framework=printed("", status, stopped)),
    )


@pytest.mark.parametrize(
    ("current", "expected", "verdict"),
    [
        ("gpu:0", ("warning", "gpu-compute"), "CPU only: the convolution failed on gpu:0"),
        ("gpu:0 jit", ("note", "gpu-jit"), "GPU ready: NVIDIA H200"),
        ("gpu:0 half", ("note", "gpu-half"), "GPU ready: NVIDIA H200"),
        (
            "gpu:0 speed",
            ("warning", "gpu-speed"),
            "GPU ready, with 1 warning: larger networks fail on gpu:0",
        ),
        ("cpu:0", ("broken", "cpu-compute"), "Broken: TensorFlow does not work on the CPU"),
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
    assert top_findings(facts) == [expected]
    assert diagnose(facts).verdict == verdict


def test_a_slow_cpu_is_no_warning() -> None:
    facts = ended("cpu:0 speed", "the process did not respond after 90 s", "after 90 s", "hung")
    assert top_findings(facts) == [("note", "cpu-speed")]


def test_full_memory_explains_larger_networks_that_fail() -> None:
    facts = ended("gpu:0 speed", "RESOURCE_EXHAUSTED: Out of memory", "by signal SIGABRT")
    facts = facts.model_copy(update={"nvml": one_gpu(memory_used=130 * GIB)})
    assert top_findings(facts) == [("warning", "memory-taken")]
    assert consequences(facts, "memory-taken") == {"gpu-speed"}


def test_an_end_behind_all_steps() -> None:
    facts = healthy(outcomes=outcomes(framework=printed("", "crashed", "by signal SIGABRT")))
    assert top_findings(facts) == [("note", "framework-unfinished")]
    assert diagnose(facts).exit_code == 0


def test_a_broken_cpu_outweighs_everything() -> None:
    diagnosis = diagnose(
        cpu_only_host(framework=framework(steps=steps("cpu:0", "oneDNN", "oneDNN")))
    )
    assert (diagnosis.state, diagnosis.exit_code) == ("broken", 2)
    assert diagnosis.verdict == "Broken: TensorFlow does not work on the CPU"


def test_facts_that_are_not_known_yet_give_no_findings() -> None:
    diagnosis = diagnose(Facts())
    assert (diagnosis.findings, diagnosis.state, diagnosis.exit_code) == ((), "degraded", 1)
    assert diagnosis.verdict.startswith("Not known yet: ")
    assert not diagnose(healthy(framework=None, outcomes={})).findings
    assert not diagnose(
        blind(libraries=libraries(tuple(WHEELS)), framework=None, outcomes={})
    ).findings


# --- folding ----------------------------------------------------------------------------------


def finding(name: str, *explains: str) -> Finding:
    return Finding(name, name, "", explains=frozenset(explains))


def test_the_first_cause_takes_a_consequence() -> None:
    first, second = finding("first", "symptom"), finding("second", "symptom")
    diagnosis = fold([first, second, finding("symptom"), finding("other")])
    assert [one.id for one in diagnosis] == ["first", "second", "other"]
    assert [one.id for one in diagnosis[0].consequences] == ["symptom"]
    assert not diagnosis[1].consequences


def test_what_follows_from_a_consequence_is_folded_too() -> None:
    (cause,) = fold([finding("a", "b"), finding("b", "c"), finding("c")])
    assert [one.id for one in cause.consequences] == ["b", "c"]


def test_only_earlier_findings_explain_later_ones() -> None:
    diagnosis = fold([finding("symptom"), finding("cause", "symptom")])
    assert [one.id for one in diagnosis] == ["symptom", "cause"]


def test_any_mixture_of_machines_makes_sense() -> None:
    machines = [facts for _, facts, _ in ROWS] + [healthy(), cpu_only_host(), Facts()]
    chance = Random(7)
    for _ in range(3000):
        mixed = {name: getattr(chance.choice(machines), name) for name in Facts.model_fields}
        diagnosis = diagnose(Facts(**mixed))
        kept = [one.id for one in diagnosis.findings]
        assert diagnosis.exit_code == {"usable": 0, "degraded": 1, "broken": 2}[diagnosis.state]
        for place, one in enumerate(diagnosis.findings):
            assert not any(one.id in other.explains for other in diagnosis.findings[:place])
            below = {consequence.severity for consequence in one.consequences}
            assert one.severity == "broken" or "broken" not in below
        if diagnosis.state == "usable":
            assert diagnosis.verdict.startswith("GPU ready: ")
        elif diagnosis.state == "broken":
            assert diagnosis.verdict.startswith("Broken: ")
        elif "CPU only" in diagnosis.verdict:  # for a reason among the findings
            assert kept
            assert diagnosis.verdict.startswith("CPU only: ")
            assert diagnosis.verdict != "CPU only: no GPU"


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
        blind(EVIL + " cuInit " + EVIL, nvml=one_gpu(mig=True, mig_devices=slices(1), uuid=EVIL)),
        failing(EVIL, stderr=EVIL, nvml=one_gpu(name=EVIL, compute_capability=(6, 0))),
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
        cpu_only_host(
            system=system(container=Container(kind=EVIL), slurm=Slurm(job=EVIL, ends=1e300))
        ),
        silent("framework", "failed", EVIL, EVIL, backends=Backends(chosen=EVIL)),
        silent("nvml", "failed", EVIL, EVIL),
        silent("storage", "crashed", EVIL, EVIL),
        stuck(EVIL, EVIL, (*steps("cpu:0"), *steps("gpu:0"))),
    ],
)
def test_malicious_names_are_made_safe(facts: Facts) -> None:
    diagnosis = diagnose(facts)
    assert diagnosis.findings
    for text in (diagnosis.verdict, *texts(diagnosis.findings)):
        assert text.isprintable()
        assert "\u202e" not in text
        assert len(text) < 700


def test_lines_to_type_hold_nothing_that_a_shell_acts_on() -> None:
    parts = [slices(1)[0].model_copy(update={"uuid": "MIG-1" + EVIL})]
    facts = blind(NO_DEVICE, nvml=one_gpu(mig=True, mig_devices=tuple(parts)))
    broken = Library(name="lib", wheel="wheel" + EVIL, error="x", error_without="x")
    wheels = blind(libraries=libraries(libraries=(broken,)), framework=framework(version=EVIL))
    for one in (*diagnose(facts).findings, *diagnose(wheels).findings):
        assert not set(one.remedy) & set("$;`'\"()")
