"""Why the GPU cannot be reached at all: Windows, containers, the NVIDIA driver."""

from workbench.machine.facts import Facts, Nvml
from workbench.machine.finding import GPU_SYMPTOMS, Finding, Findings, Rule, quote
from workbench.machine.host_facts import Container, System
from workbench.machine.queries import describe_outcome, outcome, system_of, working_gpus
from workbench.text import plural

# NVML's numbers for its errors.
NOT_LOADED, NOT_FOUND, MISMATCH, UNKNOWN = 9, 12, 18, 999

# Everything that has no meaning of its own where the GPU cannot be reached at all.
GPU_FINDINGS = (
    GPU_SYMPTOMS
    | {"cpu-only-install", "wheels-missing", "library-path", "library-broken"}
    | {"no-uvm", "cuda-init", "driver-too-old", "hidden-gpus", "mig", "mig-no-slices"}
    | {"gpu-too-old", "pascal-cudnn", "blackwell", "cudnn-old", "libdevice", "memory-taken"}
)
WINDOWS_FINDINGS = GPU_FINDINGS | {"no-driver", "nvml-error", "no-gpu-listed"}

ASK_FOR_DRIVER = "run nvidia-smi on the host; ask the admin to install the driver"
IN_CONTAINER = {
    "docker": "restart with `docker run --gpus all ...` (host needs nvidia-container-toolkit)",
    "podman": "restart with `podman run --device nvidia.com/gpu=all ...` "
    "(host needs nvidia-container-toolkit)",
    "apptainer": "restart with `apptainer exec --nv ...`",
    "kubernetes": "ask for `nvidia.com/gpu: 1` in the pod's resource limits",
    "lxc": "on the host: `lxc config set NAME nvidia.runtime true`, "
    "`lxc config device add NAME gpu gpu`, then restart it",
}
SLURM_GPU = "srun --gres=gpu:1 --pty bash"


def native_windows(facts: Facts) -> Findings:
    """Find Windows itself, where TensorFlow has no GPU."""
    if system_of(facts).platform == "win32" and not working_gpus(facts):
        yield Finding(
            "native-windows",
            what="This is Windows itself, where TensorFlow trains on the CPU only.",
            why="TensorFlow uses an NVIDIA GPU on Linux and inside WSL2. There it works through "
            "the driver of Windows.",
            remedy="install the NVIDIA driver in Windows, `wsl --install`, then start workbench in "
            "WSL2",
            explains=WINDOWS_FINDINGS,
            short="TensorFlow has no GPU on Windows itself",
        )


def wsl1(facts: Facts) -> Findings:
    """Find the first WSL, which has no access to the GPU."""
    if system_of(facts).virtual == "wsl1" and not working_gpus(facts):
        yield Finding(
            "wsl1",
            what="This is WSL 1, which has no access to the GPU.",
            why="WSL 2 has, through the NVIDIA driver of Windows.",
            remedy="in Windows: wsl --set-version <distro> 2",
            explains=WINDOWS_FINDINGS,
            short="WSL 1 has no GPU",
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
        what=f"The query of the NVIDIA driver {describe_outcome(went)}.",
        why="TensorFlow hangs with it, so nothing can be trained here."
        if hangs
        else "Memory, temperature and faults of the GPUs are not known.",
        remedy="run nvidia-smi; if that does not respond either, the machine needs a reboot",
        explains=GPU_SYMPTOMS | ({"framework-hung"} if hangs else frozenset()),
        short="the NVIDIA driver does not respond",
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
        what=f"The GPU works, but NVIDIA's management library does not{error}.",
        why="Memory and temperature of the GPU cannot be shown.",
    )


def _mismatch(nvml: Nvml, container: Container | None) -> Finding:
    return Finding(
        "driver-mismatch",
        what=f"The NVIDIA driver was updated but not reloaded ({quote(nvml.error)}).",
        why="Its library and the part in the kernel have different versions, so no program can "
        "use the GPU until the machine is rebooted.",
        remedy="reboot the host, then recreate the container"
        if container
        else "reboot: sudo reboot",
        explains=GPU_FINDINGS,
        short="the driver was updated and needs a reboot",
    )


def _lost(container: Container) -> Finding:
    return Finding(
        "container-lost-gpu",
        what=f"This container{_of_kind(container)} has lost its GPU (NVML: unknown error, 999).",
        why="It had one when it started; a change on the host took it away. "
        "Runs keep their checkpoints.",
        remedy="recreate the container; training resumes with `workbench resume`",
        explains=GPU_FINDINGS,
        short="the container lost its GPU",
    )


def _unknown(nvml: Nvml) -> Finding:
    return Finding(
        "nvml-unknown-error",
        what=f"The NVIDIA driver returns an error without a name ({quote(nvml.error)}, 999).",
        why="The driver is in a bad state, often after an update, a suspend or a GPU fault.",
        remedy="reboot, or reload the driver: sudo rmmod nvidia_uvm && sudo modprobe nvidia_uvm",
        explains=GPU_FINDINGS,
        short="unknown error of the driver",
    )


def _container_without_gpu(container: Container, system: System) -> Finding:
    if container.gpu_device:
        what = "has the GPU's device, but not the driver's libraries"
    else:
        what = "was started without a GPU"
    count = system.nvidia_cards
    seen = f"; {plural(count, 'GPU is', 'GPUs are')} visible in it" if count else ""
    through = " with its driver in Windows" if system.virtual == "wsl2" else ""
    return Finding(
        "container-without-gpu",
        what=f"This container{_of_kind(container)} {what}.",
        why="Training uses the CPU. That matters only if the host has an NVIDIA GPU"
        f"{through}{seen}.",
        remedy=IN_CONTAINER.get(container.kind, IN_CONTAINER["docker"]),
        explains=GPU_FINDINGS | {"no-driver"},
        short="the container was given no GPU",
    )


def _of_kind(container: Container) -> str:
    return f" ({quote(container.kind, 30)})" if container.kind not in ("", "container") else ""


def _no_driver(nvml: Nvml, system: System) -> Finding:
    if system.virtual == "wsl2":
        return Finding(
            "wsl-no-driver",
            what="WSL2 finds no NVIDIA driver.",
            why="In WSL2 the GPU works through the driver of Windows. A driver installed inside "
            "WSL would get in its way.",
            remedy="install the NVIDIA driver in Windows, not in WSL; then in Windows: "
            "wsl --shutdown",
            explains=GPU_FINDINGS,
            short="no NVIDIA driver in Windows",
        )
    count = system.nvidia_cards
    found = "an NVIDIA GPU" if count == 1 else f"{count} NVIDIA GPUs"
    state = "is not loaded" if nvml.error_code == NOT_LOADED else "is not installed"
    return Finding(
        "no-driver",
        what=f"This machine has {found}, but no driver for it."
        if count
        else "No NVIDIA driver and no NVIDIA GPU found.",
        why=f"The NVIDIA driver {state}. Until then training uses the CPU."
        if count
        else "Training uses the CPU: everything works, large networks take long. Only if there "
        "should be a GPU, there is something to fix.",
        remedy=ASK_FOR_DRIVER,
        explains=GPU_FINDINGS,
        short="an NVIDIA GPU, but no driver" if count else "no NVIDIA driver and no NVIDIA GPU",
    )


def _nvml_error(nvml: Nvml) -> Finding:
    number = f", error {nvml.error_code}" if nvml.error_code else ""
    return Finding(
        "nvml-error",
        what=f"The NVIDIA driver cannot be queried: {quote(nvml.error)}{number}.",
        why="Without it no program can use the GPU.",
        remedy="run nvidia-smi: it shows more, or the same",
        explains=GPU_FINDINGS,
        short="the NVIDIA driver cannot be queried",
    )


def _no_gpu_listed(nvml: Nvml, system: System) -> Finding:
    slurm = system.slurm
    version = f" {quote(nvml.driver)}" if nvml.driver else ""
    return Finding(
        "no-gpu-listed",
        what=f"The NVIDIA driver{version} runs, but lists no GPU.",
        why="This job was given none, or the GPU does not respond."
        if slurm and slurm.job
        else "The GPU does not respond, or it was removed from this machine.",
        remedy=SLURM_GPU
        if slurm and not slurm.gpus
        else "run nvidia-smi; sudo dmesg | grep -i nvrm",
        explains=GPU_FINDINGS,
        short="the driver lists no GPU",
    )


RULES: tuple[Rule, ...] = (native_windows, wsl1, driver, driver_silent)
