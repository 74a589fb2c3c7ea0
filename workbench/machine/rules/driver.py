"""Why programs cannot reach the GPU: Windows, containers, the NVIDIA driver, CUDA itself."""

from workbench.machine.facts import Facts, Nvml
from workbench.machine.finding import (
    GPU_SYMPTOMS,
    SLURM_GPU,
    Finding,
    Findings,
    describe_outcome,
    gpu_in_doubt,
    nvml_gpus,
    outcome,
    quote,
    seen_gpus,
    system_of,
    version_numbers,
    working_gpus,
)
from workbench.machine.host_facts import Container, System
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
# The oldest drivers that support the CUDA versions a framework can be built for.
OLDEST_DRIVER = {12: "525.60.13", 13: "580.65.06"}


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


def devices(facts: Facts) -> Findings:
    """Find GPUs that the driver lists but programs cannot compute on."""
    if not nvml_gpus(facts) or not gpu_in_doubt(facts):
        return
    system, libraries = system_of(facts), facts.libraries
    error = libraries.cuda_driver_error if libraries else ""
    code = libraries.cuda_driver_code if libraries else None
    # The file appears when CUDA first runs, so a check just before may have missed it.
    missing = code != 0 and facts.system is not None and not system.uvm_device
    missing = missing and not system.virtual
    # CUDA also reports "unknown error" where a GPU fell off the bus, or the device file is left
    # over from before the machine was suspended.
    unknown = code == UNKNOWN and not system.virtual
    seen = seen_gpus(facts)
    in_slices = any(gpu.mig for gpu in seen)
    if missing or unknown:
        yield _no_uvm(system, missing, error)
    # Where all GPUs are hidden or in slices CUDA finds none, and an old driver is the cause
    # itself: other rules report these.
    elif error and seen and not in_slices and not _oldest_needed(facts):
        yield Finding(
            "cuda-init",
            what=f"The driver lists the GPU, but CUDA does not start: {quote(error)}.",
            why="No program can compute on the GPU until CUDA starts.",
            remedy=_start_cuda(system, code, error),
            explains=GPU_SYMPTOMS,
            short="CUDA does not start",
        )


def driver_too_old(facts: Facts) -> Findings:
    """Find a driver older than the CUDA version of the framework requires."""
    if oldest := _oldest_needed(facts):
        installed = quote(facts.nvml.driver if facts.nvml else "")
        yield Finding(
            "driver-too-old",
            what=f"The NVIDIA driver is {installed}; {oldest} or newer is needed.",
            why=f"CUDA {_cuda_major(facts)} does not run on an older driver, "
            "so training uses the CPU.",
            remedy=f"ask the admin for driver {oldest} or newer (installed: {installed})",
            explains=GPU_SYMPTOMS,
            short=f"the driver {installed} is too old",
        )


def _cuda_major(facts: Facts) -> int:
    cuda = version_numbers(facts.framework.cuda) if facts.framework else ()
    return cuda[0] if cuda else 12


def _oldest_needed(facts: Facts) -> str:
    """Return the oldest driver that would do, "" where the one in use does or is not known."""
    oldest = OLDEST_DRIVER.get(_cuda_major(facts), OLDEST_DRIVER[12])
    numbers = version_numbers(facts.nvml.driver if facts.nvml else "")
    if not numbers or numbers >= version_numbers(oldest):
        return ""
    return oldest if nvml_gpus(facts) and gpu_in_doubt(facts) else ""


def _no_uvm(system: System, missing: bool, error: str) -> Finding:
    load = "sudo modprobe nvidia_uvm"
    if system.container:
        remedy = f"on the host: {load}, then recreate the container"
    elif missing:
        remedy = load
    else:  # loaded already, in a bad state
        remedy = f"sudo rmmod nvidia_uvm; {load}"
    reported = f" (CUDA reports: {quote(error)})" if error else ""
    seen = "/dev/nvidia-uvm is missing" if missing else "/dev/nvidia-uvm does not work"
    return Finding(
        "no-uvm",
        what=f"The driver lists the GPU, but {seen}{reported}.",
        why="Programs compute through this device file. The kernel module nvidia_uvm makes it.",
        remedy=remedy,
        explains=GPU_SYMPTOMS | {"cuda-init"},
        short=seen,
    )


def _start_cuda(system: System, code: int | None, error: str) -> str:
    """Return what helps, by CUDA's number for the error, or by its message without one."""
    absent = code is None and "libcuda" in error
    if system.virtual:
        return "in Windows: wsl --shutdown; update the NVIDIA driver there if that does not help"
    if absent and system.container:
        return "restart with `docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility`"
    if absent:
        return "ask the admin to install the driver's CUDA library, libcuda.so.1"
    if code == 802:  # boards with NVSwitch wait for it
        return "sudo systemctl start nvidia-fabricmanager"
    if code == 803:
        return "reboot: the driver's library and the part in the kernel differ"
    return "run nvidia-smi; reboot if it shows nothing wrong"
