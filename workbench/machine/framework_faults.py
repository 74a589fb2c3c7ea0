"""Why the framework does not train at all: it is not there, does not start, or fails on the CPU."""

from workbench.machine.facts import Facts, Outcome
from workbench.machine.finding import Finding, quote, together, typed
from workbench.machine.install_faults import INSTALL_GPU
from workbench.machine.steps import (
    TITLES,
    Failure,
    device_works,
    failures,
    framework_title,
    gpu_failures,
    how_it_went,
    outcome,
    stopped,
    working_gpus,
)

INSTALL = {
    "tensorflow": "pip install tensorflow",
    "jax": INSTALL_GPU["jax"],
    "torch": "pip install torch",
}


NOT_STARTED = frozenset(f"framework-{status}" for status in ("failed", "crashed", "garbled"))


def keras_settings(facts: Facts) -> list[Finding]:
    """Keras's own settings file keeps it from being imported, or does nothing at all."""
    told = facts.backends
    path = quote(told.settings, 200)
    remedy = f"mv {path} {path}.old" if typed(path) == path else f"move {path} out of the way"
    if told.fault and facts.framework is None:
        return [
            Finding(
                "keras-settings",
                "broken",
                f"Keras cannot start with its settings file {path}: {quote(told.fault, 200)}.",
                "Keras reads it whenever it is imported, and writes another where there is none.",
                remedy,
                NOT_STARTED,
                short=f"Keras cannot start with {path}",
            )
        ]
    if told.passed_over:
        return [
            Finding(
                "keras-settings-unread",
                "note",
                f"Keras makes nothing of its settings file {path}: {quote(told.passed_over, 200)}.",
                "Training runs as if it were not there; what was set in it has no effect.",
                remedy,
            )
        ]
    return []


def backend_missing(facts: Facts) -> list[Finding]:
    """What Keras is set to train with is not installed, or cannot train."""
    chosen, told = facts.backends.chosen, outcome(facts, "framework")
    installed = facts.backends.installed
    failed = told is not None and not told.ok
    if facts.framework is not None or chosen in installed or not (installed or failed):
        return []
    name = quote(TITLES.get(chosen, chosen), 40)
    others = [TITLES[other] for other in installed if other in TITLES]
    is_not = "is not installed" if chosen in INSTALL else "cannot train here"
    return [
        Finding(
            "backend-missing",
            "broken",
            f"Keras is set to train with {name}, which {is_not}.",
            f"Installed: {together(others) or 'nothing that can train'}. "
            + _named_by(facts.backends.named_by),
            _other_backend(facts),
            NOT_STARTED,
            short=f"{name} {is_not}",
        )
    ]


def _named_by(place: str) -> str:
    if place and place != "KERAS_BACKEND":
        return f"It is named by the file {quote(place, 200)}; KERAS_BACKEND would come before it."
    return "KERAS_BACKEND tells which one trains, or else ~/.keras/keras.json."


def _other_backend(facts: Facts) -> str:
    """Lines that install the backend, or take another one."""
    chosen, place = facts.backends.chosen, facts.backends.named_by
    installed = [name for name in INSTALL if name in facts.backends.installed]
    ways = [INSTALL[chosen]] if chosen in INSTALL else []
    if "tensorflow" in installed:
        by_file = place and place != "KERAS_BACKEND"
        ways.append("export KERAS_BACKEND=tensorflow" if by_file else "unset KERAS_BACKEND")
    elif installed:
        ways.append(f"export KERAS_BACKEND={installed[0]}")
    return "; or ".join(ways) or "pip install tensorflow; unset KERAS_BACKEND"


def framework_silent(facts: Facts) -> list[Finding]:
    """The framework could not be started, or ended outside of a trial step."""
    told = outcome(facts, "framework")
    if facts.framework is None:
        return [] if told is None else [_not_started(facts, told)]
    end = stopped(facts)
    if not end or failures(facts) or gpus_untried(facts):  # which have rules of their own
        return []
    if not facts.framework.steps:
        return [_not_started(facts, told or Outcome(status="failed", detail=end))]
    return [
        Finding(
            "framework-unfinished",
            "note",
            f"{framework_title(facts)} ended {quote(end, 60)} behind its trial steps.",
            "Training works; how long it takes may not be known.",
            "workbench check",
            short=f"{framework_title(facts)} ended {quote(end, 60)}",
        )
    ]


def gpus_untried(facts: Facts) -> bool:
    """True where the process ended before its first step on a GPU, but after one on the CPU."""
    framework = facts.framework
    if framework is None or not framework.gpus or not framework.steps:
        return False
    return not working_gpus(facts) and not gpu_failures(facts)


def cpu_compute(facts: Facts) -> list[Finding]:
    """Trial steps on the CPU that failed."""
    told = [failure for failure in failures(facts) if failure.device.startswith("cpu")]
    if not told:
        return []
    went = outcome(facts, "framework")
    if not device_works(facts, told[0].device):
        slow = went is not None and went.status == "hung"
        return [_too_slow(facts, told[0]) if slow else _cpu_compute(facts, told[0])]
    jit = [failure for failure in told if failure.jit]
    speed = [failure for failure in told if not failure.jit]
    return [_cpu_jit(one) for one in jit[:1]] + [_cpu_speed(facts, one) for one in speed[:1]]


def _cpu_compute(facts: Facts, failed: Failure) -> Finding:
    return Finding(
        "cpu-compute",
        "broken",
        f"{framework_title(facts)} cannot train a small network on the CPU: {quote(failed.words)}.",
        "Nothing can be trained here until it can.",
        _reinstall(facts),
        frozenset({"gpu-untested"}),
        short=f"{framework_title(facts)} does not work on the CPU",
    )


def _too_slow(facts: Facts, failed: Failure) -> Finding:
    return Finding(
        "cpu-slow",
        "warning",
        f"{framework_title(facts)} did not come to train on the CPU: {quote(failed.words)}.",
        "The first start after an installation, or from a network disk, can take so long.",
        "workbench check",
        frozenset({"gpu-untested"}),
        short=f"{framework_title(facts)} did not come to its first step in time",
    )


def _cpu_jit(failed: Failure) -> Finding:
    return Finding(
        "cpu-jit",
        "note",
        f"Steps with jit fail on the CPU: {quote(failed.words)}.",
        "jit is off on the CPU unless it is asked for.",
        "leave jit off on the CPU: --set training.jit=off",
    )


def _cpu_speed(facts: Facts, failed: Failure) -> Finding:
    told = outcome(facts, "framework")
    slow = told is not None and told.status == "hung"
    return Finding(
        "cpu-speed",
        "note" if slow else "warning",
        f"The CPU could not be measured: {quote(failed.words)}.",
        "Training works, but slowly; how long it takes is not known."
        if slow
        else "A small network trains on it, but larger ones may end in the same way.",
        "workbench check --measure" if slow else "train with a smaller --set training.batch_size",
        short="larger networks fail on the CPU",
    )


def _not_started(facts: Facts, told: Outcome) -> Finding:
    if told.ok:
        told = told.model_copy(update={"status": "garbled"})
    why, remedy = _start_again(facts, told)
    return Finding(
        f"framework-{told.status}",
        "broken",
        f"{framework_title(facts)} cannot be started: it {how_it_went(told)}.",
        why,
        remedy,
        frozenset({"gpu-untested"}),
        short=f"{framework_title(facts)} cannot be started",
    )


def _start_again(facts: Facts, told: Outcome) -> tuple[str, str]:
    """What a failed start means, and what to do."""
    if "SIGILL" in told.detail:
        return (
            f"{framework_title(facts)} was built for CPUs with AVX, which this one lacks.",
            "use a machine whose CPU has AVX, or a package that was built for this CPU",
        )
    if "SIGKILL" in told.detail:
        return (
            "The system ended it, most often because memory ran out.",
            "free some memory, or ask for more, then: workbench check",
        )
    if told.status == "hung":
        return (
            "A slow network folder or a GPU that does not answer can be the cause.",
            "CUDA_VISIBLE_DEVICES=-1 workbench check",
        )
    return "Nothing can be trained here until it starts.", _reinstall(facts)


def _reinstall(facts: Facts) -> str:
    if facts.backends.chosen in INSTALL_GPU:
        return INSTALL_GPU[facts.backends.chosen]
    version = typed(facts.backends.installed.get("tensorflow", ""))
    return f"pip install --force-reinstall tensorflow{f'=={version}' if version else ''}"
