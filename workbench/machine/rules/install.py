"""Why the framework cannot use a GPU that works: how it was installed, or another library."""

from workbench.machine.facts import Facts, Library
from workbench.machine.finding import (
    GPU_SYMPTOMS,
    Finding,
    Findings,
    Rule,
    join_names,
    quote,
    shell_safe,
)
from workbench.machine.queries import (
    NVCC,
    backend,
    framework_title,
    gpu_in_doubt,
    missing_wheels,
    nvml_gpus,
    wheel_version,
)

WITHOUT_PATH = "env -u LD_LIBRARY_PATH workbench"
INSTALL_GPU = {
    "jax": "pip install -U 'jax[cuda12]'",
    "torch": "reinstall torch from its CUDA index: https://pytorch.org/get-started",
}


def cpu_only_install(facts: Facts) -> Findings:
    """Find a framework that was installed without GPU support, or without some libraries."""
    framework, title = facts.framework, framework_title(facts)
    if not nvml_gpus(facts) or not gpu_in_doubt(facts):
        return
    if framework and framework.gpus:  # it found its libraries elsewhere
        return
    if backend(facts) in INSTALL_GPU:
        if framework and not framework.cuda:  # without a report this is not known
            yield Finding(
                "cpu-only-install",
                what=f"{title} {quote(framework.version)} is installed for the CPU only.",
                why="The GPU itself is fine.",
                remedy=INSTALL_GPU[backend(facts)],
                explains=GPU_SYMPTOMS,
                short=f"{title} is installed for the CPU only",
            )
        return
    wheels = facts.libraries.wheels if facts.libraries else ()
    missing = missing_wheels(facts)
    explains = GPU_SYMPTOMS | {"library-broken", "cudnn-old", "libdevice"}
    remedy = f"pip install '{_tensorflow_with_cuda(facts)}'"
    if not missing or missing == [NVCC]:  # no GPU needs the compiler to be listed
        return
    if 2 * len(missing) >= len(wheels):
        yield Finding(
            "cpu-only-install",
            what=f"TensorFlow is installed without GPU libraries: {len(missing)} of {len(wheels)} "
            "are missing.",
            why="The plain package trains on the CPU only. The GPU itself is fine.",
            remedy=remedy,
            explains=explains,
            short="TensorFlow is installed without GPU libraries",
        )
    else:
        names = join_names([quote(name, 60) for name in missing])
        yield Finding(
            "wheels-missing",
            what=f"TensorFlow lacks GPU libraries: {names}.",
            why="TensorFlow uses no GPU where one of its libraries is missing.",
            remedy=remedy,
            explains=explains,
            short="GPU libraries are missing",
        )


def libraries(facts: Facts) -> Findings:
    """Find GPU libraries that are installed but cannot be loaded."""
    loaded = facts.libraries.libraries if facts.libraries else ()
    failed = [library for library in loaded if library.error]
    if not failed or not nvml_gpus(facts) or not gpu_in_doubt(facts):
        return
    if facts.framework and facts.framework.gpus:  # it has loaded everything that it needs
        return
    misled = [library for library in failed if library.error_without == ""]
    broken = [library for library in failed if library.error_without != ""]
    if misled:
        path = facts.libraries.library_path if facts.libraries else ""
        yield Finding(
            "library-path",
            what=_cannot_be_loaded(misled),
            why=f"Without LD_LIBRARY_PATH ({quote(path or '', 80)}) it loads: "
            "that path holds another version.",
            remedy=WITHOUT_PATH,
            explains=GPU_SYMPTOMS | {"cudnn-old"},
            short="LD_LIBRARY_PATH is in the way",
        )
    if broken:
        yield Finding(
            "library-broken",
            what=_cannot_be_loaded(broken),
            why="It is installed, but damaged or incomplete. TensorFlow uses no GPU without it.",
            remedy=f"pip install --force-reinstall {_to_reinstall(facts, broken)}",
            explains=GPU_SYMPTOMS | {"cudnn-old"},
            short=f"{quote(broken[0].name, 60)} cannot be loaded",
        )


def _cannot_be_loaded(libraries: list[Library]) -> str:
    first, more = libraries[0], len(libraries) - 1
    others = f" (and {more} more)" if more else ""
    return f"{quote(first.name, 60)}{others} cannot be loaded: {quote(first.error)}."


def _to_reinstall(facts: Facts, broken: list[Library]) -> str:
    """Return the wheels of broken libraries, without their dependencies, else all of TensorFlow.

    Each wheel stays at its version: TensorFlow may not be able to use the newest.
    """
    names = dict.fromkeys(library.wheel for library in broken if library.wheel)
    pins = [_pinned(name, wheel_version(facts, name)) for name in names]
    return f"--no-deps {' '.join(pins)}" if pins else f"'{_tensorflow_with_cuda(facts)}'"


def _tensorflow_with_cuda(facts: Facts) -> str:
    version = facts.framework.version if facts.framework else ""
    version = version or facts.backends.installed.get("tensorflow", "")
    return f"tensorflow[and-cuda]=={shell_safe(version)}" if version else "tensorflow[and-cuda]"


def _pinned(name: str, version: str) -> str:
    return f"{shell_safe(name)}=={shell_safe(version)}" if version else shell_safe(name)


RULES: tuple[Rule, ...] = (cpu_only_install, libraries)
