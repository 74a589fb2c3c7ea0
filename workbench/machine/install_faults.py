"""Why the framework cannot use a GPU that works: what was installed with it, or in its way."""

import re

from workbench.machine.facts import Facts, Library
from workbench.machine.finding import (
    GPU_SYMPTOMS,
    STEP_SYMPTOMS,
    Finding,
    quote,
    together,
    typed,
    version_numbers,
)
from workbench.machine.steps import (
    backend,
    framework_title,
    framework_words,
    gpu_failures,
    gpu_in_doubt,
    nvml_gpus,
)

CUDNN, NVCC = "nvidia-cudnn-cu12", "nvidia-cuda-nvcc-cu12"
MIN_CUDNN = (9, 3)
WITHOUT_PATH = "env -u LD_LIBRARY_PATH workbench"
INSTALL_GPU = {
    "jax": "pip install -U 'jax[cuda12]'",
    "torch": "reinstall torch from its CUDA index: https://pytorch.org/get-started",
}
NO_LIBDEVICE = (
    "libdevice not found",
    "can't find libdevice",
    "no ptx compilation provider",
    "ptxas not found",
)


def cpu_only_install(facts: Facts) -> list[Finding]:
    """The framework was installed without its GPU libraries, or without some of them."""
    if not nvml_gpus(facts) or not gpu_in_doubt(facts):
        return []
    if backend(facts) in INSTALL_GPU:
        return _cpu_build(facts)
    if facts.framework and facts.framework.gpus:  # it found its libraries elsewhere
        return []
    wheels = facts.libraries.wheels if facts.libraries else ()
    missing = missing_wheels(facts)
    if not missing or missing == [NVCC]:  # which no GPU needs to be seen
        return []
    remedy = f"pip install '{_tensorflow_with_cuda(facts)}'"
    if 2 * len(missing) >= len(wheels):
        return [
            Finding(
                "cpu-only-install",
                "warning",
                f"TensorFlow is installed without GPU libraries: {len(missing)} of {len(wheels)} "
                "are missing.",
                "The plain package trains on the CPU only. The GPU itself is fine.",
                remedy,
                GPU_SYMPTOMS | {"library-broken", "cudnn-old", "libdevice"},
                short="TensorFlow is installed without GPU libraries",
            )
        ]
    names = together([quote(name, 60) for name in missing])
    return [
        Finding(
            "wheels-missing",
            "warning",
            f"TensorFlow misses GPU libraries: {names}.",
            "TensorFlow takes no GPU where one of its libraries is missing.",
            remedy,
            GPU_SYMPTOMS | {"library-broken", "cudnn-old", "libdevice"},
            short="GPU libraries are missing",
        )
    ]


def libraries(facts: Facts) -> list[Finding]:
    """GPU libraries that are installed but cannot be loaded."""
    told = facts.libraries.libraries if facts.libraries else ()
    failed = [library for library in told if library.error]
    if not failed or not nvml_gpus(facts) or not gpu_in_doubt(facts):
        return []
    if facts.framework and facts.framework.gpus:  # whatever it needs, it has loaded
        return []
    misled = [library for library in failed if library.error_without == ""]
    broken = [library for library in failed if library.error_without != ""]
    findings = []
    if misled:
        findings.append(_library_path(facts, misled))
    if broken:
        findings.append(_library_broken(facts, broken))
    return findings


def cudnn_old(facts: Facts) -> list[Finding]:
    """cuDNN, the library of convolutions, is older than the one TensorFlow was built with."""
    if not gpu_failures(facts) or backend(facts) != "tensorflow":
        return []
    said = re.search(
        r"Loaded runtime CuDNN library:?\s*([\d.]*)"
        r"(?:.{0,40}source was compiled with:?\s*([\d.]*))?",
        framework_words(facts),
        re.IGNORECASE | re.DOTALL,
    )
    installed = wheel_version(facts, CUDNN)
    loaded = said[1].strip(".") if said else installed
    wanted = (said[2] or "").strip(".") if said else ""
    wanted = wanted or ".".join(str(number) for number in MIN_CUDNN)
    if not said and not () < version_numbers(installed) < MIN_CUDNN:
        return []
    # With a good one installed, another was found first.
    misled = (
        facts.libraries is not None
        and facts.libraries.library_path
        and version_numbers(installed) >= version_numbers(wanted)
    )
    return [
        Finding(
            "cudnn-old",
            "warning",
            f"cuDNN {quote(loaded or 'here')} is older than TensorFlow wants: "
            f"it was built with {quote(wanted)}.",
            "Convolutions do not run on the GPU with it."
            + (" It comes from a folder in LD_LIBRARY_PATH." if misled else ""),
            WITHOUT_PATH if misled else f"pip install -U '{CUDNN}>=9.3,<10'",
            STEP_SYMPTOMS,
            short=f"cuDNN {quote(loaded)} is too old".replace("  ", " "),
        )
    ]


def libdevice(facts: Facts) -> list[Finding]:
    """What compiles for the GPU is missing: it is asked for at the first step with jit."""
    failed = gpu_failures(facts)
    words = framework_words(facts).lower()
    said = any(text in words for text in NO_LIBDEVICE)
    compiler = missing_wheels(facts) == [NVCC] and all(failure.jit for failure in failed)
    if not failed or not (said or compiler) or backend(facts) != "tensorflow":
        return []
    flags = "set XLA_FLAGS=--xla_gpu_cuda_data_dir=DIR, the folder that holds nvvm/libdevice"
    jit_off = "train with --set training.jit=off"
    install = f"pip install {NVCC}"
    if wheel_version(facts, NVCC):
        remedy = f"{flags}; or {jit_off}; or {install} --force-reinstall --no-deps"
    else:
        remedy = f"{install}; or {flags}; or {jit_off}"
    return [
        Finding(
            "libdevice",
            "warning",
            "TensorFlow cannot compile for the GPU: libdevice or ptxas is missing.",
            "Training with jit, which is usual on a GPU, ends at its first step.",
            remedy,
            STEP_SYMPTOMS,
            short="libdevice or ptxas is missing",
        )
    ]


def wheel_version(facts: Facts, name: str) -> str:
    """The installed version of a CUDA wheel, "" where it is missing or was not asked for."""
    wheels = facts.libraries.wheels if facts.libraries else ()
    return next((wheel.version or "" for wheel in wheels if wheel.name == name), "")


def missing_wheels(facts: Facts) -> list[str]:
    """Names of the wheels that the framework asks for and that are not installed."""
    wheels = facts.libraries.wheels if facts.libraries else ()
    return [wheel.name for wheel in wheels if wheel.version is None]


def _cpu_build(facts: Facts) -> list[Finding]:
    title = framework_title(facts)
    # Without an answer of it, or with a GPU in it, this is not known.
    if facts.framework is None or facts.framework.cuda or facts.framework.gpus:
        return []
    return [
        Finding(
            "cpu-only-install",
            "warning",
            f"{title} {quote(facts.framework.version)} is installed for the CPU only.",
            "The GPU itself is fine.",
            INSTALL_GPU[backend(facts)],
            GPU_SYMPTOMS,
            short=f"{title} is installed for the CPU only",
        )
    ]


def _library_path(facts: Facts, misled: list[Library]) -> Finding:
    first = misled[0]
    path = facts.libraries.library_path if facts.libraries else ""
    return Finding(
        "library-path",
        "warning",
        f"{quote(first.name, 60)}{_others(misled)} cannot be loaded: {quote(first.error)}.",
        f"Without LD_LIBRARY_PATH ({quote(path or '', 80)}) it loads: "
        "another version lies in there.",
        WITHOUT_PATH,
        GPU_SYMPTOMS | {"cudnn-old"},
        short="LD_LIBRARY_PATH is in the way",
    )


def _library_broken(facts: Facts, broken: list[Library]) -> Finding:
    first = broken[0]
    names = dict.fromkeys(library.wheel for library in broken if library.wheel)
    wheels = " ".join(_pinned(facts, name) for name in names)
    again = f"pip install --force-reinstall --no-deps {wheels}"
    return Finding(
        "library-broken",
        "warning",
        f"{quote(first.name, 60)}{_others(broken)} cannot be loaded: {quote(first.error)}.",
        "It is installed, but damaged or incomplete. TensorFlow takes no GPU without it.",
        again if wheels else f"pip install --force-reinstall '{_tensorflow_with_cuda(facts)}'",
        GPU_SYMPTOMS | {"cudnn-old"},
        short=f"{quote(first.name, 60)} cannot be loaded",
    )


def _others(libraries: list[Library]) -> str:
    return f" (and {len(libraries) - 1} more)" if len(libraries) > 1 else ""


def _pinned(facts: Facts, name: str) -> str:
    """The wheel in the version that is there: the newest may be one that TensorFlow cannot use."""
    version = wheel_version(facts, name)
    return f"{typed(name)}=={typed(version)}" if version else typed(name)


def _tensorflow_with_cuda(facts: Facts) -> str:
    version = facts.framework.version if facts.framework else ""
    version = version or facts.backends.installed.get("tensorflow", "")
    return f"tensorflow[and-cuda]=={typed(version)}" if version else "tensorflow[and-cuda]"
