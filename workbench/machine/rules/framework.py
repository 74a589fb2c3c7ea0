"""Why the framework cannot be started or uses no GPU: settings, packages, libraries."""

from workbench import pip_install
from workbench.machine.backends import SETTING, VARIABLE
from workbench.machine.facts import Facts, Library, ProbeOutcome
from workbench.machine.finding import (
    GPU_SYMPTOMS,
    NVCC,
    TITLES,
    Finding,
    Findings,
    Rule,
    backend,
    describe_outcome,
    failures,
    framework_title,
    gpu_in_doubt,
    gpus_untried,
    join_names,
    missing_wheels,
    nvml_gpus,
    outcome,
    quote,
    shell_safe,
    stopped,
    system_of,
    wheel_version,
)
from workbench.messages import tr

WITHOUT_PATH = "env -u LD_LIBRARY_PATH workbench"
INSTALL_GPU = {
    "jax": "pip install -U 'jax[cuda12]'",
    "torch": tr("reinstall torch from its CUDA index: https://pytorch.org/get-started"),
}
INSTALL = {
    "tensorflow": "pip install tensorflow",
    "jax": INSTALL_GPU["jax"],
    "torch": "pip install torch",
}
NOT_STARTED = frozenset(f"framework-{status}" for status in ("failed", "crashed", "garbled"))


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
                what=tr(
                    "{title} {version} is installed for the CPU only.",
                    title=title,
                    version=quote(framework.version),
                ),
                why=tr("The GPU itself is fine."),
                remedy=INSTALL_GPU[backend(facts)],
                explains=GPU_SYMPTOMS,
                short=tr("{title} is installed for the CPU only", title=title),
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
            what=tr(
                "TensorFlow is installed without GPU libraries: {missing_count} of "
                "{wheels_count} are missing.",
                missing_count=len(missing),
                wheels_count=len(wheels),
            ),
            why=tr("The plain package trains on the CPU only. The GPU itself is fine."),
            remedy=remedy,
            explains=explains,
            short=tr("TensorFlow is installed without GPU libraries"),
        )
    else:
        names = join_names([quote(name, 60) for name in missing])
        yield Finding(
            "wheels-missing",
            what=tr("TensorFlow lacks GPU libraries: {names}.", names=names),
            why=tr("TensorFlow uses no GPU where one of its libraries is missing."),
            remedy=remedy,
            explains=explains,
            short=tr("GPU libraries are missing"),
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
            why=tr(
                "Without LD_LIBRARY_PATH ({path}) it loads: that path holds another version.",
                path=quote(path or "", 80),
            ),
            remedy=WITHOUT_PATH,
            explains=GPU_SYMPTOMS | {"cudnn-old"},
            short=tr("LD_LIBRARY_PATH is in the way"),
        )
    if broken:
        yield Finding(
            "library-broken",
            what=_cannot_be_loaded(broken),
            why=tr(
                "It is installed, but damaged or incomplete. TensorFlow uses no GPU without it."
            ),
            remedy=f"pip install --force-reinstall {_to_reinstall(facts, broken)}",
            explains=GPU_SYMPTOMS | {"cudnn-old"},
            short=tr("{name} cannot be loaded", name=quote(broken[0].name, 60)),
        )


def _cannot_be_loaded(libraries: list[Library]) -> str:
    first, more = libraries[0], len(libraries) - 1
    others = " " + tr("(and {more} more)", more=more) if more else ""
    return tr(
        "{first_name}{others} cannot be loaded: {error}.",
        first_name=quote(first.name, 60),
        others=others,
        error=quote(first.error),
    )


def _to_reinstall(facts: Facts, broken: list[Library]) -> str:
    """Return the wheels of broken libraries, without their dependencies, else all of TensorFlow.

    Each wheel stays at its version: TensorFlow may not be able to use the newest.
    """
    names = dict.fromkeys(library.wheel for library in broken if library.wheel)
    pins = [_pinned(name, wheel_version(facts, name)) for name in names]
    return (
        tr("--no-deps {pins}", pins=" ".join(pins)) if pins else f"'{_tensorflow_with_cuda(facts)}'"
    )


def _tensorflow_with_cuda(facts: Facts) -> str:
    version = facts.framework.version if facts.framework else ""
    version = version or facts.backends.installed.get("tensorflow", "")
    return f"tensorflow[and-cuda]=={shell_safe(version)}" if version else "tensorflow[and-cuda]"


def _pinned(name: str, version: str) -> str:
    return f"{shell_safe(name)}=={shell_safe(version)}" if version else shell_safe(name)


def keras_settings(facts: Facts) -> Findings:
    """Find a settings file of Keras that prevents its import, or has no effect."""
    backends = facts.backends
    path = quote(backends.settings, 200)
    remedy = (
        f"mv {path} {path}.old"
        if shell_safe(path) == path
        else tr("move {path} out of the way", path=path)
    )
    if backends.fault and facts.framework is None:
        yield Finding(
            "keras-settings",
            severity="broken",
            what=tr(
                "Keras cannot start with its settings file {path}: {fault}.",
                path=path,
                fault=quote(backends.fault, 200),
            ),
            why=tr("Keras reads it at every import, and writes a new one where there is none."),
            remedy=remedy,
            explains=NOT_STARTED,
            short=tr("Keras cannot start with {path}", path=path),
        )
    elif backends.ignored:
        yield Finding(
            "keras-settings-unread",
            severity="note",
            what=tr(
                "Keras ignores its settings file {path}: {ignored}.",
                path=path,
                ignored=quote(backends.ignored, 200),
            ),
            why=tr("Training runs as if it did not exist; the settings in it have no effect."),
            remedy=remedy,
        )


def _trains_elsewhere(facts: Facts) -> bool:
    """Return whether this is a login node of SLURM where no framework is installed."""
    slurm, went = system_of(facts).slurm, outcome(facts, "framework")
    failed = facts.framework is None and went is not None and not went.ok
    return failed and slurm is not None and not slurm.job and not facts.backends.installed


def framework_on_nodes(facts: Facts) -> Findings:
    """Find a login node that can prepare, submit and watch runs, but not train them."""
    if not _trains_elsewhere(facts):
        return
    yield Finding(
        "framework-on-nodes",
        severity="warning",
        what=tr("No framework is installed on this login node: runs train as jobs of SLURM only."),
        why=tr(
            "Preparing, submitting and watching work without one. The nodes need it, in this "
            "installation or in another, which a profile names: workbench slurm NAME command=PATH"
        ),
        remedy=tr("workbench train --slurm; to train here too: {install}",
                  install=INSTALL["tensorflow"]),
        explains=NOT_STARTED,
        short=tr("trains by --slurm only"),
    )  # fmt: skip


def backend_missing(facts: Facts) -> Findings:
    """Find a backend that is set for Keras but is not installed, or cannot train."""
    if _trains_elsewhere(facts):
        return
    chosen, went = facts.backends.chosen, outcome(facts, "framework")
    installed, place = facts.backends.installed, facts.backends.named_by
    failed = went is not None and not went.ok
    if facts.framework is not None or chosen in installed or not (installed or failed):
        return
    name = quote(TITLES.get(chosen, chosen), 40)
    others = [TITLES[other] for other in installed if other in TITLES]
    is_not = tr("is not installed") if chosen in INSTALL else tr("cannot train here")
    by_file = place not in ("", VARIABLE, SETTING)
    yield Finding(
        "backend-missing",
        severity="broken",
        what=tr("Keras is set to train with {name}, which {is_not}.", name=name, is_not=is_not),
        why=tr("Installed: {value}.", value=join_names(others) or "nothing that can train")
        + " "
        + _describe_place(place, by_file),
        remedy=_other_backend(facts, place, by_file),
        explains=NOT_STARTED,
        short=f"{name} {is_not}",
    )


def framework_silent(facts: Facts) -> Findings:
    """Find a framework that could not be started, or ended outside of a trial step."""
    went, title = outcome(facts, "framework"), framework_title(facts)
    if facts.framework is None:
        if went is not None:
            yield _not_started(facts, went)
        return
    end = stopped(facts)
    if not end or gpus_untried(facts) or failures(facts):  # these have rules of their own
        return
    if any(step.error for step in facts.framework.steps):  # so has half precision
        return
    if not facts.framework.steps:
        yield _not_started(facts, went or ProbeOutcome(status="failed", detail=end))
    else:
        yield Finding(
            "framework-unfinished",
            severity="note",
            what=tr("{title} ended {end} after its trial steps.", title=title, end=quote(end, 60)),
            why=tr("Training works; how long it takes may not be known."),
            remedy="workbench check",
            short=tr("{title} ended {quote}", title=title, quote=quote(end, 60)),
        )


def reinstall(facts: Facts) -> str:
    """Return the line that reinstalls the backend."""
    if facts.backends.chosen in INSTALL_GPU:
        return INSTALL_GPU[facts.backends.chosen]
    version = shell_safe(facts.backends.installed.get("tensorflow", ""))
    return f"pip install --force-reinstall tensorflow{f'=={version}' if version else ''}"


def _describe_place(place: str, by_file: bool) -> str:
    if place == SETTING:
        return tr("The experiment asks for it: training.backend.")
    if by_file:
        return tr(
            "It is named by the file {place}; KERAS_BACKEND would take precedence.",
            place=quote(place, 200),
        )
    return tr("KERAS_BACKEND sets which one trains, or else ~/.keras/keras.json.")


def _other_backend(facts: Facts, place: str, by_file: bool) -> str:
    """Return lines that install the backend, or choose another one."""
    chosen = facts.backends.chosen
    if place == SETTING:
        on_cpu = f" (on a CPU: {pip_install('jax')})" if chosen == "jax" else ""
        return f"{INSTALL[chosen]}{on_cpu}; or --set {SETTING}=auto"
    installed = [name for name in INSTALL if name in facts.backends.installed]
    ways = [INSTALL[chosen]] if chosen in INSTALL else []
    if "tensorflow" in installed:
        ways.append("export KERAS_BACKEND=tensorflow" if by_file else "unset KERAS_BACKEND")
    elif installed:
        ways.append(f"export KERAS_BACKEND={installed[0]}")
    return "; or ".join(ways) or "pip install tensorflow; unset KERAS_BACKEND"


def _not_started(facts: Facts, went: ProbeOutcome) -> Finding:
    if went.ok:
        went = went.model_copy(update={"status": "garbled"})
    title = framework_title(facts)
    if "SIGILL" in went.detail:
        why = tr("{title} was built for CPUs with AVX, which this one lacks.", title=title)
        remedy = tr("use a machine whose CPU has AVX, or a package that was built for this CPU")
    elif "SIGKILL" in went.detail:
        why = tr("The system killed it, most often because memory ran out.")
        remedy = tr("free some memory, or request more, then: workbench check")
    elif went.status == "hung":
        why = tr("A slow network folder or a GPU that does not respond can be the cause.")
        remedy = tr("CUDA_VISIBLE_DEVICES=-1 workbench check")
    else:
        why, remedy = tr("Nothing can be trained here until it starts."), reinstall(facts)
    return Finding(
        f"framework-{went.status}",
        severity="broken",
        what=tr(
            "{title} cannot be started: it {outcome}.", title=title, outcome=describe_outcome(went)
        ),
        why=why,
        remedy=remedy,
        explains=frozenset({"gpu-untested"}),
        short=tr("{title} cannot be started", title=title),
    )


RULES: tuple[Rule, ...] = (
    cpu_only_install,
    libraries,
    keras_settings,
    framework_on_nodes,
    backend_missing,
    framework_silent,
)
