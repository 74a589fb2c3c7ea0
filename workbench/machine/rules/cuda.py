"""Why CUDA does not start on a GPU that the driver lists: its device file, or an old driver."""

from workbench.machine.facts import Facts
from workbench.machine.finding import (
    GPU_SYMPTOMS,
    Finding,
    Findings,
    Rule,
    gpu_in_doubt,
    nvml_gpus,
    quote,
    seen_gpus,
    system_of,
    version_numbers,
)
from workbench.machine.host_facts import System
from workbench.messages import tr

UNKNOWN = 999  # "unknown error", as NVML numbers it too
# The oldest drivers that support the CUDA versions a framework can be built for.
OLDEST_DRIVER = {12: "525.60.13", 13: "580.65.06"}


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
            what=tr(
                "The driver lists the GPU, but CUDA does not start: {error}.", error=quote(error)
            ),
            why=tr("No program can compute on the GPU until CUDA starts."),
            remedy=_start_cuda(system, code, error),
            explains=GPU_SYMPTOMS,
            short=tr("CUDA does not start"),
        )


def driver_too_old(facts: Facts) -> Findings:
    """Find a driver older than the CUDA version of the framework requires."""
    if oldest := _oldest_needed(facts):
        installed = quote(facts.nvml.driver if facts.nvml else "")
        yield Finding(
            "driver-too-old",
            what=tr(
                "The NVIDIA driver is {installed}; {oldest} or newer is needed.",
                installed=installed,
                oldest=oldest,
            ),
            why=tr(
                "CUDA {cuda_major} does not run on an older driver, so training uses the CPU.",
                cuda_major=_cuda_major(facts),
            ),
            remedy=tr(
                "ask the admin for driver {oldest} or newer (installed: {installed})",
                oldest=oldest,
                installed=installed,
            ),
            explains=GPU_SYMPTOMS,
            short=tr("the driver {installed} is too old", installed=installed),
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
        remedy = tr("on the host: {load}, then recreate the container", load=load)
    elif missing:
        remedy = load
    else:  # loaded already, in a bad state
        remedy = f"sudo rmmod nvidia_uvm; {load}"
    reported = " " + tr("(CUDA reports: {quote})", quote=quote(error)) if error else ""
    seen = tr("/dev/nvidia-uvm is missing") if missing else tr("/dev/nvidia-uvm does not work")
    return Finding(
        "no-uvm",
        what=tr("The driver lists the GPU, but {seen}{reported}.", seen=seen, reported=reported),
        why=tr("Programs compute through this device file. The kernel module nvidia_uvm makes it."),
        remedy=remedy,
        explains=GPU_SYMPTOMS | {"cuda-init"},
        short=seen,
    )


def _start_cuda(system: System, code: int | None, error: str) -> str:
    """Return what helps, by CUDA's number for the error, or by its message without one."""
    absent = code is None and "libcuda" in error
    if system.virtual:
        return tr(
            "in Windows: wsl --shutdown; update the NVIDIA driver there if that does not help"
        )
    if absent and system.container:
        return tr(
            "restart with `docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility`"
        )
    if absent:
        return tr("ask the admin to install the driver's CUDA library, libcuda.so.1")
    if code == 802:  # boards with NVSwitch wait for it
        return "sudo systemctl start nvidia-fabricmanager"
    if code == 803:
        return tr("reboot: the driver's library and the part in the kernel differ")
    return tr("run nvidia-smi; reboot if it shows nothing wrong")


RULES: tuple[Rule, ...] = (
    devices,
    driver_too_old,
)
