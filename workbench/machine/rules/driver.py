"""Why programs cannot reach the GPU: Windows, containers, the NVIDIA driver."""

from workbench.machine.facts import Facts, Nvml
from workbench.machine.finding import (
    GPU_SYMPTOMS,
    SLURM_GPU,
    Finding,
    Findings,
    Rule,
    describe_outcome,
    outcome,
    quote,
    system_of,
    working_gpus,
)
from workbench.machine.host_facts import Container, System
from workbench.messages import tr
from workbench.text import plural

# NVML's numbers for its errors; CUDA has the same for "unknown error".
NOT_LOADED, NOT_FOUND, MISMATCH, UNKNOWN = 9, 12, 18, 999

# Everything that has no meaning of its own where the GPU cannot be reached at all.
GPU_FINDINGS = (
    GPU_SYMPTOMS
    | {"cpu-only-install", "wheels-missing", "library-path", "library-broken"}
    | {"no-uvm", "cuda-init", "driver-too-old", "hidden-gpus", "mig", "mig-no-slices"}
    | {"gpu-too-old", "pascal-cudnn", "blackwell", "cudnn-old", "libdevice", "memory-taken"}
)
WINDOWS_FINDINGS = GPU_FINDINGS | {"no-driver", "nvml-error", "no-gpu-listed"}

ASK_FOR_DRIVER = tr("run nvidia-smi on the host; ask the admin to install the driver")
IN_CONTAINER = {
    "docker": tr("restart with `docker run --gpus all ...` (host needs nvidia-container-toolkit)"),
    "podman": tr(
        "restart with `podman run --device nvidia.com/gpu=all ...` (host "
        "needs nvidia-container-toolkit)"
    ),
    "apptainer": tr("restart with `apptainer exec --nv ...`"),
    "kubernetes": tr("ask for `nvidia.com/gpu: 1` in the pod's resource limits"),
    "lxc": tr(
        "on the host: `lxc config set NAME nvidia.runtime true`, `lxc "
        "config device add NAME gpu gpu`, then restart it"
    ),
}


def native_windows(facts: Facts) -> Findings:
    """Find Windows itself, where TensorFlow has no GPU."""
    if system_of(facts).platform == "win32" and not working_gpus(facts):
        yield Finding(
            "native-windows",
            what=tr("This is Windows itself, where TensorFlow trains on the CPU only."),
            why=tr(
                "TensorFlow uses an NVIDIA GPU on Linux and inside WSL2. There it "
                "works through the driver of Windows."
            ),
            remedy=tr(
                "install the NVIDIA driver in Windows, `wsl --install`, then start "
                "workbench in WSL2"
            ),
            explains=WINDOWS_FINDINGS,
            short=tr("TensorFlow has no GPU on Windows itself"),
        )


def wsl1(facts: Facts) -> Findings:
    """Find the first WSL, which has no access to the GPU."""
    if system_of(facts).virtual == "wsl1" and not working_gpus(facts):
        yield Finding(
            "wsl1",
            what=tr("This is WSL 1, which has no access to the GPU."),
            why=tr("WSL 2 has, through the NVIDIA driver of Windows."),
            remedy=tr("in Windows: wsl --set-version <distro> 2"),
            explains=WINDOWS_FINDINGS,
            short=tr("WSL 1 has no GPU"),
        )


def driver(facts: Facts) -> Findings:
    """Find a driver that does not respond, or lists no GPU."""
    nvml, system = facts.nvml, system_of(facts)
    if nvml is None or nvml.gpus:
        return
    container, absent = system.container, _is_absent(nvml)
    if working_gpus(facts):
        yield _only_nvml_missing(nvml)
    elif nvml.error_code == MISMATCH:
        yield _mismatch(nvml, container)
    elif nvml.error_code == UNKNOWN:
        yield _lost(container) if container else _unknown(nvml)
    elif container and (absent or not container.gpu_device):
        yield _container_without_gpu(container, system)
    elif absent:
        yield _no_driver(nvml, system)
    elif nvml.error or nvml.error_code:
        yield _nvml_error(nvml)
    else:
        yield _no_gpu_listed(nvml, system)


def driver_silent(facts: Facts) -> Findings:
    """Find a failed query of the driver, which runs in a process of its own."""
    went = outcome(facts, "nvml")
    if went is None or went.ok:
        return
    framework = outcome(facts, "framework")
    hangs = went.status == "hung" and facts.framework is None
    hangs = hangs and framework is not None and framework.status == "hung"
    yield Finding(
        f"nvml-{went.status}",
        severity="broken" if hangs else "warning",
        what=tr("The query of the NVIDIA driver {outcome}.", outcome=describe_outcome(went)),
        why=tr("TensorFlow hangs with it, so nothing can be trained here.")
        if hangs
        else tr("Memory, temperature and faults of the GPUs are not known."),
        remedy=tr("run nvidia-smi; if that does not respond either, the machine needs a reboot"),
        explains=GPU_SYMPTOMS | ({"framework-hung"} if hangs else frozenset()),
        short=tr("the NVIDIA driver does not respond"),
    )


def _is_absent(nvml: Nvml) -> bool:
    error = nvml.error.lower().replace("_", " ")
    named = "library not found" in error or "driver not loaded" in error
    return nvml.error_code in (NOT_LOADED, NOT_FOUND) or named


def _only_nvml_missing(nvml: Nvml) -> Finding:
    error = f" ({quote(nvml.error)})" if nvml.error else ""
    return Finding(
        "nvml-unavailable",
        severity="note",
        what=tr("The GPU works, but NVIDIA's management library does not{error}.", error=error),
        why=tr("Memory and temperature of the GPU cannot be shown."),
    )


def _mismatch(nvml: Nvml, container: Container | None) -> Finding:
    return Finding(
        "driver-mismatch",
        what=tr(
            "The NVIDIA driver was updated but not reloaded ({error}).", error=quote(nvml.error)
        ),
        why=tr(
            "Its library and the part in the kernel have different versions, so "
            "no program can use the GPU until the machine is rebooted."
        ),
        remedy=tr("reboot the host, then recreate the container")
        if container
        else tr("reboot: sudo reboot"),
        explains=GPU_FINDINGS,
        short=tr("the driver was updated and needs a reboot"),
    )


def _lost(container: Container) -> Finding:
    return Finding(
        "container-lost-gpu",
        what=tr(
            "{container} has lost its GPU (NVML: unknown error, 999).",
            container=_this(container),
        ),
        why=tr(
            "It had one when it started; a change on the host took it away. "
            "Runs keep their checkpoints."
        ),
        remedy=tr("recreate the container; training resumes with `workbench resume`"),
        explains=GPU_FINDINGS,
        short=tr("the container lost its GPU"),
    )


def _unknown(nvml: Nvml) -> Finding:
    return Finding(
        "nvml-unknown-error",
        what=tr(
            "The NVIDIA driver returns an error without a name ({error}, 999).",
            error=quote(nvml.error),
        ),
        why=tr("The driver is in a bad state, often after an update, a suspend or a GPU fault."),
        remedy=tr(
            "reboot, or reload the driver: sudo rmmod nvidia_uvm && sudo modprobe nvidia_uvm"
        ),
        explains=GPU_FINDINGS,
        short=tr("unknown error of the driver"),
    )


def _container_without_gpu(container: Container, system: System) -> Finding:
    if container.gpu_device:
        what = tr(
            "{container} has the GPU's device, but not the driver's libraries.",
            container=_this(container),
        )
    else:
        what = tr("{container} was started without a GPU.", container=_this(container))
    count = system.nvidia_cards
    seen = (
        tr("; {gpus_are} visible in it", gpus_are=plural(count, "GPU is", "GPUs are"))
        if count
        else ""
    )
    through = " " + tr("with its driver in Windows") if system.virtual == "wsl2" else ""
    return Finding(
        "container-without-gpu",
        what=what,
        why=tr(
            "Training uses the CPU. That matters only if the host has an NVIDIA "
            "GPU{through}{seen}.",
            through=through,
            seen=seen,
        ),
        remedy=IN_CONTAINER.get(container.kind, IN_CONTAINER["docker"]),
        explains=GPU_FINDINGS | {"no-driver"},
        short=tr("the container was given no GPU"),
    )


def _this(container: Container) -> str:
    if container.kind in ("", "container"):
        return tr("This container")
    return tr("This container ({kind})", kind=quote(container.kind, 30))


def _no_driver(nvml: Nvml, system: System) -> Finding:
    if system.virtual == "wsl2":
        return Finding(
            "wsl-no-driver",
            what=tr("WSL2 finds no NVIDIA driver."),
            why=tr(
                "In WSL2 the GPU works through the driver of Windows. A driver "
                "installed inside WSL would get in its way."
            ),
            remedy=tr(
                "install the NVIDIA driver in Windows, not in WSL; then in Windows: wsl --shutdown"
            ),
            explains=GPU_FINDINGS,
            short=tr("no NVIDIA driver in Windows"),
        )
    count = system.nvidia_cards
    found = tr("an NVIDIA GPU") if count == 1 else tr("{count} NVIDIA GPUs", count=count)
    state = tr("is not loaded") if nvml.error_code == NOT_LOADED else tr("is not installed")
    return Finding(
        "no-driver",
        what=tr("This machine has {found}, but no driver for it.", found=found)
        if count
        else tr("No NVIDIA driver and no NVIDIA GPU found."),
        why=tr("The NVIDIA driver {state}. Until then training uses the CPU.", state=state)
        if count
        else tr(
            "Training uses the CPU: everything works, large networks take long. "
            "Only if there should be a GPU, there is something to fix."
        ),
        remedy=ASK_FOR_DRIVER,
        explains=GPU_FINDINGS,
        short=tr("an NVIDIA GPU, but no driver")
        if count
        else tr("no NVIDIA driver and no NVIDIA GPU"),
    )


def _nvml_error(nvml: Nvml) -> Finding:
    number = tr(", error {error_code}", error_code=nvml.error_code) if nvml.error_code else ""
    return Finding(
        "nvml-error",
        what=tr(
            "The NVIDIA driver cannot be queried: {error}{number}.",
            error=quote(nvml.error),
            number=number,
        ),
        why=tr("Without it no program can use the GPU."),
        remedy=tr("run nvidia-smi: it shows more, or the same"),
        explains=GPU_FINDINGS,
        short=tr("the NVIDIA driver cannot be queried"),
    )


def _no_gpu_listed(nvml: Nvml, system: System) -> Finding:
    slurm = system.slurm
    version = f" {quote(nvml.driver)}" if nvml.driver else ""
    return Finding(
        "no-gpu-listed",
        what=tr("The NVIDIA driver{version} runs, but lists no GPU.", version=version),
        why=tr("This job was given none, or the GPU does not respond.")
        if slurm and slurm.job
        else tr("The GPU does not respond, or it was removed from this machine."),
        remedy=SLURM_GPU
        if slurm and not slurm.gpus
        else tr("run nvidia-smi; sudo dmesg | grep -i nvrm"),
        explains=GPU_FINDINGS,
        short=tr("the driver lists no GPU"),
    )


RULES: tuple[Rule, ...] = (
    native_windows,
    wsl1,
    driver,
    driver_silent,
)
