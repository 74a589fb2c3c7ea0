"""Why CUDA does not start although the driver lists the GPU: device files, libraries, its age."""

from workbench.machine.driver_faults import UNKNOWN, system_of
from workbench.machine.facts import Facts, System
from workbench.machine.finding import GPU_SYMPTOMS, Finding, quote, version_numbers
from workbench.machine.steps import gpu_in_doubt, nvml_gpus, seen_gpus

# The oldest drivers that serve the CUDA versions a framework can be built for.
OLDEST_DRIVER = {12: "525.60.13", 13: "580.65.06"}


def devices(facts: Facts) -> list[Finding]:
    """The driver lists GPUs, but programs cannot compute on them."""
    if not nvml_gpus(facts) or not gpu_in_doubt(facts):
        return []
    system, libraries = system_of(facts), facts.libraries
    error = libraries.cuda_driver_error if libraries else ""
    code = libraries.cuda_driver_code if libraries else None
    # The file appears when CUDA first runs, so it may have been missed by a moment.
    missing = code != 0 and facts.system is not None and not system.uvm_device
    missing = missing and not system.virtual
    # CUDA also says "unknown error" where a GPU fell off the bus, or the device file is left over
    # from before the machine slept.
    unknown = code == UNKNOWN and not system.virtual
    if missing or unknown:
        return [_no_uvm(system, missing, error)]
    # Where all GPUs are hidden or in slices it finds none, and where the driver is too old it is
    # that: other rules tell of these.
    seen = seen_gpus(facts)
    in_slices = any(gpu.mig for gpu in seen)
    if error and seen and not in_slices and not driver_too_old(facts):
        return [_cuda_init(system, code, error)]
    return []


def driver_too_old(facts: Facts) -> list[Finding]:
    """The driver is older than the CUDA version that the framework was built for asks."""
    installed = facts.nvml.driver if facts.nvml else ""
    cuda = version_numbers(facts.framework.cuda) if facts.framework else ()
    oldest = OLDEST_DRIVER.get(cuda[0] if cuda else 12, OLDEST_DRIVER[12])
    numbers = version_numbers(installed)
    if not numbers or numbers >= version_numbers(oldest):
        return []
    if not nvml_gpus(facts) or not gpu_in_doubt(facts):
        return []
    return [
        Finding(
            "driver-too-old",
            "warning",
            f"The NVIDIA driver is {quote(installed)}; {oldest} or newer is needed.",
            f"CUDA {cuda[0] if cuda else 12} does not run on an older driver, "
            "so training takes the CPU.",
            f"ask the admin for driver {oldest} or newer (installed: {quote(installed)})",
            GPU_SYMPTOMS,
            short=f"the driver {quote(installed)} is too old",
        )
    ]


def _no_uvm(system: System, missing: bool, error: str) -> Finding:
    load = "sudo modprobe nvidia_uvm"
    if system.container:
        remedy = f"on the host: {load}, then recreate the container"
    elif missing:
        remedy = load
    else:  # loaded already, in a bad state
        remedy = f"sudo rmmod nvidia_uvm; {load}"
    said = f" (CUDA says: {quote(error)})" if error else ""
    seen = "/dev/nvidia-uvm is missing" if missing else "/dev/nvidia-uvm does not work"
    return Finding(
        "no-uvm",
        "warning",
        f"The driver lists the GPU, but {seen}{said}.",
        "Programs compute through this device file. The kernel module nvidia_uvm makes it.",
        remedy,
        GPU_SYMPTOMS | {"cuda-init"},
        short=seen,
    )


def _cuda_init(system: System, code: int | None, error: str) -> Finding:
    return Finding(
        "cuda-init",
        "warning",
        f"The driver lists the GPU, but CUDA does not start: {quote(error)}.",
        "No program can compute on the GPU until CUDA starts.",
        _start_cuda(system, code, error),
        GPU_SYMPTOMS,
        short="CUDA does not start",
    )


def _start_cuda(system: System, code: int | None, error: str) -> str:
    """What helps, by CUDA's number for the error, or by the words where there is none."""
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
