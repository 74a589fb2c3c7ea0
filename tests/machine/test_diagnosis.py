"""What the probes' reports mean: one finding for each cause, with what to do about it."""

import pytest
from fault_facts import not_started
from machine_facts import cpu_only_host, healthy
from machine_faults import BROKEN, ROWS

from workbench.machine.diagnosis import Diagnosis, diagnose
from workbench.machine.facts import Backends, Facts


def ids(diagnosis: Diagnosis) -> list[str]:
    return [finding.id for finding in diagnosis.findings]


def folded(diagnosis: Diagnosis) -> set[str]:
    return {below.id for finding in diagnosis.findings for below in finding.consequences}


def test_a_host_without_faults_has_no_findings() -> None:
    assert diagnose(healthy()) == Diagnosis("GPU ready: NVIDIA H200", "usable", 0, ())


def test_ignored_keras_settings_are_a_note() -> None:
    backends = Backends(settings="/k/keras.json", ignored="it is not JSON: a brace is missing")
    diagnosis = diagnose(healthy(backends=backends))
    assert (ids(diagnosis), diagnosis.state, diagnosis.exit_code) == (
        ["keras-settings-unread"],
        "usable",
        0,
    )
    assert diagnosis.findings[0].what == (
        "Keras ignores its settings file /k/keras.json: it is not JSON: a brace is missing."
    )
    assert diagnosis.findings[0].remedy == "mv /k/keras.json /k/keras.json.old"


@pytest.mark.parametrize(
    ("chosen", "place", "what", "why"),
    [
        (
            "torch",
            "/k/keras.json",
            "Keras is set to train with PyTorch, which is not installed.",
            "Installed: TensorFlow. It is named by the file /k/keras.json; KERAS_BACKEND would "
            "take precedence.",
        ),
        (
            "numpy",
            "KERAS_BACKEND",
            "Keras is set to train with numpy, which cannot train here.",
            "Installed: TensorFlow. KERAS_BACKEND sets which one trains, or else "
            "~/.keras/keras.json.",
        ),
    ],
)
def test_a_missing_backend_and_what_names_it(chosen: str, place: str, what: str, why: str) -> None:
    diagnosis = diagnose(not_started("", chosen=chosen, named_by=place))
    [finding] = [f for f in diagnosis.findings if f.id == "backend-missing"]
    assert (finding.what, finding.why) == (what, why)


def test_a_host_without_a_gpu_has_one_finding() -> None:
    diagnosis = diagnose(cpu_only_host())
    assert diagnosis.verdict == "CPU only: no NVIDIA driver and no NVIDIA GPU"
    assert (ids(diagnosis), diagnosis.state, diagnosis.exit_code) == (["no-driver"], "degraded", 1)
    assert folded(diagnosis) == {"framework-no-gpu"}


@pytest.mark.parametrize(
    ("cause", "facts", "remedy"), ROWS, ids=[f"{n}-{row[0]}" for n, row in enumerate(ROWS)]
)
def test_each_fault_is_one_finding_with_its_remedy(cause: str, facts: Facts, remedy: str) -> None:
    diagnosis = diagnose(facts)
    assert ids(diagnosis) == [cause]
    finding = diagnosis.findings[0]
    assert remedy in finding.remedy
    assert "\n" not in finding.remedy
    assert all([finding.what, finding.why, finding.short])
    broken = cause in BROKEN
    assert diagnosis.exit_code == (2 if broken else 1)
    assert finding.severity == ("broken" if broken else "warning")
    # A cause is never milder than its consequences.
    assert broken or all(below.severity != "broken" for below in finding.consequences)
