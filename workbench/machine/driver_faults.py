"""Why the GPU cannot be reached at all: Windows, containers, the NVIDIA driver."""

from workbench.machine.facts import Container, Facts, Nvml, System
from workbench.machine.finding import (
    GPU_FINDINGS,
    GPU_SYMPTOMS,
    Finding,
    quote,
)
from workbench.machine.steps import (
    how_it_went,
    outcome,
    working_gpus,
)
from workbench.text import plural

# NVML's numbers for its errors.
NOT_LOADED, NOT_FOUND, MISMATCH, UNKNOWN = 9, 12, 18, 999

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


def native_windows(facts: Facts) -> list[Finding]:
    """Windows itself, where TensorFlow has no GPU."""
    if system_of(facts).platform != "win32" or working_gpus(facts):
        return []
    return [
        Finding(
            "native-windows",
            "warning",
            "This is Windows itself, where TensorFlow trains on the CPU only.",
            "TensorFlow uses an NVIDIA GPU on Linux and inside WSL2. There it works through the "
            "driver of Windows.",
            "install the NVIDIA driver in Windows, `wsl --install`, then start workbench in WSL2",
            GPU_FINDINGS | {"no-driver", "nvml-error", "no-gpu-listed"},
            short="TensorFlow has no GPU on Windows itself",
        )
    ]


def wsl1(facts: Facts) -> list[Finding]:
    """The first WSL, which has no way to the GPU."""
    if system_of(facts).virtual != "wsl1" or working_gpus(facts):
        return []
    return [
        Finding(
            "wsl1",
            "warning",
            "This is WSL 1, which has no way to the GPU.",
            "WSL 2 has one, through the NVIDIA driver of Windows.",
            "in Windows: wsl --set-version <distro> 2",
            GPU_FINDINGS | {"no-driver", "nvml-error", "no-gpu-listed"},
            short="WSL 1 has no GPU",
        )
    ]


def driver(facts: Facts) -> list[Finding]:
    """The driver cannot be talked to, or lists no GPU."""
    nvml = facts.nvml
    if nvml is None or nvml.gpus:
        return []
    if working_gpus(facts):
        return [_only_nvml_missing(nvml)]
    container = system_of(facts).container
    code = nvml.error_code
    if code == MISMATCH:
        return [_mismatch(nvml, container)]
    if code == UNKNOWN:
        return [_lost(container) if container else _unknown(nvml)]
    absent = _is_absent(nvml)
    if container and (absent or not container.gpu_device):
        return [_container_without_gpu(container, system_of(facts))]
    if absent:
        return [_no_driver(nvml, system_of(facts))]
    return [_nvml_error(nvml)] if nvml.error or code else [_no_gpu_listed(nvml, system_of(facts))]


def driver_silent(facts: Facts) -> list[Finding]:
    """The driver was asked in a process of its own, which did not end well."""
    told = outcome(facts, "nvml")
    if told is None or told.ok:
        return []
    framework = outcome(facts, "framework")
    hangs = told.status == "hung" and facts.framework is None
    hangs = hangs and framework is not None and framework.status == "hung"
    return [
        Finding(
            f"nvml-{told.status}",
            "broken" if hangs else "warning",
            f"Asking the NVIDIA driver {how_it_went(told)}.",
            "TensorFlow hangs with it, so nothing can be trained here."
            if hangs
            else "Memory, temperature and faults of the GPUs are not known.",
            "run nvidia-smi; if that does not answer either, the machine needs a reboot",
            GPU_SYMPTOMS | ({"framework-hung"} if hangs else frozenset()),
            short="the NVIDIA driver does not answer",
        )
    ]


def _is_absent(nvml: Nvml) -> bool:
    words = nvml.error.lower().replace("_", " ")
    told = "library not found" in words or "driver not loaded" in words
    return nvml.error_code in (NOT_LOADED, NOT_FOUND) or told


def _only_nvml_missing(nvml: Nvml) -> Finding:
    said = f" ({quote(nvml.error)})" if nvml.error else ""
    return Finding(
        "nvml-unavailable",
        "note",
        f"The GPU works, but NVIDIA's management library does not{said}.",
        "Memory and temperature of the GPU cannot be shown.",
    )


def _mismatch(nvml: Nvml, container: Container | None) -> Finding:
    return Finding(
        "driver-mismatch",
        "warning",
        f"The NVIDIA driver was updated but not loaded anew ({quote(nvml.error)}).",
        "Its library and the part in the kernel have different versions, so no program can use "
        "the GPU until the machine starts again.",
        "reboot the host, then recreate the container" if container else "reboot: sudo reboot",
        GPU_FINDINGS,
        short="the driver was updated and waits for a reboot",
    )


def _lost(container: Container) -> Finding:
    return Finding(
        "container-lost-gpu",
        "warning",
        f"This container{_of_kind(container)} has lost its GPU (NVML: unknown error, 999).",
        "It had one when it started; a change on the host took it away. "
        "Runs keep their checkpoints.",
        "recreate the container; training resumes with `workbench resume`",
        GPU_FINDINGS,
        short="the container lost its GPU",
    )


def _unknown(nvml: Nvml) -> Finding:
    return Finding(
        "nvml-unknown-error",
        "warning",
        f"The NVIDIA driver answers with an error it does not name ({quote(nvml.error)}, 999).",
        "The driver is in a bad state, often after an update, a suspend or a fault of the card.",
        "reboot, or reload the driver: sudo rmmod nvidia_uvm && sudo modprobe nvidia_uvm",
        GPU_FINDINGS,
        short="unknown error of the driver",
    )


def _container_without_gpu(container: Container, system: System) -> Finding:
    if container.gpu_device:
        what = "has the GPU's device, but not the driver's libraries"
    else:
        what = "was started without a GPU"
    cards = system.nvidia_cards
    seen = f"; {plural(cards, 'card is', 'cards are')} seen in it" if cards else ""
    through = " with its driver in Windows" if system.virtual == "wsl2" else ""
    return Finding(
        "container-without-gpu",
        "warning",
        f"This container{_of_kind(container)} {what}.",
        f"Training takes the CPU. That matters only if the host has an NVIDIA GPU{through}{seen}.",
        IN_CONTAINER.get(container.kind, IN_CONTAINER["docker"]),
        GPU_FINDINGS | {"no-driver"},
        short="the container was given no GPU",
    )


def _of_kind(container: Container) -> str:
    return f" ({quote(container.kind, 30)})" if container.kind not in ("", "container") else ""


def _no_driver(nvml: Nvml, system: System) -> Finding:
    if system.virtual == "wsl2":
        return Finding(
            "wsl-no-driver",
            "warning",
            "WSL2 finds no NVIDIA driver.",
            "In WSL2 the GPU works through the driver of Windows. One installed inside WSL "
            "would be in its way.",
            "install the NVIDIA driver in Windows, not in WSL; then in Windows: wsl --shutdown",
            GPU_FINDINGS,
            short="no NVIDIA driver in Windows",
        )
    if system.nvidia_cards:
        said = "is not loaded" if nvml.error_code == NOT_LOADED else "is not installed"
        return Finding(
            "no-driver",
            "warning",
            f"This machine has {_cards(system.nvidia_cards)}, but no driver for it.",
            f"The NVIDIA driver {said}. Until then training takes the CPU.",
            ASK_FOR_DRIVER,
            GPU_FINDINGS,
            short="an NVIDIA card, but no driver",
        )
    return Finding(
        "no-driver",
        "warning",
        "No NVIDIA driver and no NVIDIA card seen.",
        "Training takes the CPU: everything works, large networks take long. Only if there should "
        "be a GPU, something is to be done.",
        ASK_FOR_DRIVER,
        GPU_FINDINGS,
        short="no NVIDIA driver and no NVIDIA card",
    )


def _cards(count: int) -> str:
    return "an NVIDIA card" if count == 1 else f"{count} NVIDIA cards"


def _nvml_error(nvml: Nvml) -> Finding:
    number = f", error {nvml.error_code}" if nvml.error_code else ""
    return Finding(
        "nvml-error",
        "warning",
        f"The NVIDIA driver cannot be asked: {quote(nvml.error)}{number}.",
        "Without it no program can use the GPU.",
        "run nvidia-smi: it says more, or the same",
        GPU_FINDINGS,
        short="the NVIDIA driver cannot be asked",
    )


def _no_gpu_listed(nvml: Nvml, system: System) -> Finding:
    slurm = system.slurm
    version = f" {quote(nvml.driver)}" if nvml.driver else ""
    return Finding(
        "no-gpu-listed",
        "warning",
        f"The NVIDIA driver{version} runs, but lists no GPU.",
        "This job was given none, or the card does not answer."
        if slurm and slurm.job
        else "The card does not answer, or it was taken away from this machine.",
        SLURM_GPU if slurm and not slurm.gpus else "run nvidia-smi; sudo dmesg | grep -i nvrm",
        GPU_FINDINGS,
        short="the driver lists no GPU",
    )


def system_of(facts: Facts) -> System:
    """What is known of the box; the defaults where its probe gave no answer."""
    return facts.system or System()
