"""Facts of made-up faults, and what tests of findings share."""

from typing import Any

from machine_facts import (
    CUINIT,
    GIB,
    NO_DLOPEN,
    blind,
    cpu_only_host,
    failing,
    framework,
    gpu,
    libraries,
    process,
    silent,
    system,
    with_wheel,
)

from workbench.machine.diagnosis import diagnose
from workbench.machine.facts import Backends, Facts, Gpu, Libraries, Library, Nvml
from workbench.machine.host_facts import Container

ASK_FOR_DRIVER = "run nvidia-smi on the host; ask the admin to install the driver"
CPU_ONLY_REMEDY = "pip install 'tensorflow[and-cuda]==2.21.0'"
REINSTALL = "pip install --force-reinstall tensorflow==2.21.0"
OUT_OF_MEMORY = "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1073741824 bytes."
NO_ALGORITHM = "NOT_FOUND: No algorithm worked! Error messages: CUDNN_STATUS_EXECUTION_FAILED"
NO_DNN = "FAILED_PRECONDITION: DNN library initialization failed."
OLD_CUDNN = (
    "E0000 00:00:1772445072.202924 7665 cuda_dnn.cc:522] Loaded runtime CuDNN library: 9.1.0 but "
    "source was compiled with: 9.3.0.  CuDNN library needs to have matching major version and "
    "equal or higher minor version.\n"
)
NO_PTX = (
    "UNAVAILABLE: No PTX compilation provider is available. Neither ptxas/nvlink nor nvjtlink is "
    "available."
)
NO_LIBDEVICE = "INTERNAL: libdevice not found at ./libdevice.10.bc"
IGNORED = (
    "I0000 00:00:1772445072.000000 4242 gpu_device.cc:2473] Ignoring visible gpu device (device: "
    "0, name: Tesla M60, pci bus id: 0000:00:1e.0, compute capability: 5.2) with Cuda compute "
    "capability 5.2. The minimum required Cuda capability is 6.0.\n"
)
NO_DEVICE = CUINIT.format(name="CUDA_ERROR_NO_DEVICE", message="no CUDA-capable device is detected")
CUDA_UNKNOWN = CUINIT.format(name="CUDA_ERROR_UNKNOWN", message="unknown error")
MISMATCH = CUINIT.format(name="CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", message="driver mismatch")
NOT_READY = "system not yet initialized"
BAD_SYMBOL = "libcudnn_graph.so.9: undefined symbol: cudnnGetLastErrorString"


def in_container(kind: str, **changes: Any) -> Facts:
    return cpu_only_host(
        system=system(**{"container": Container(kind=kind), "uvm_device": False, **changes})
    )


def one_gpu(**changes: Any) -> Nvml:
    return Nvml(driver="570.133.20", cuda=(12, 8), gpus=(gpu(**changes),))


def cuda(code: int | None, error: str) -> Libraries:
    """All libraries there, but CUDA's driver does not start."""
    return libraries(cuda_driver_code=code, cuda_driver_error=error)


def unknown(**changes: Any) -> Facts:
    """CUDA reports an unknown error."""
    return blind(CUDA_UNKNOWN, libraries=cuda(999, "unknown error"), **changes)


def no_device(**changes: Any) -> Facts:
    """CUDA finds none of the GPUs that the driver lists."""
    changed = cuda(100, "no CUDA-capable device is detected")
    return blind(NO_DEVICE, libraries=changed, **changes)


def old_driver(version: str) -> Facts:
    insufficient = CUINIT.format(
        name="CUDA_ERROR_INSUFFICIENT_DRIVER",
        message="CUDA driver version is insufficient for CUDA runtime version",
    )
    nvml = Nvml(driver=version, cuda=(12, 0), gpus=(gpu(),))
    return blind(insufficient, nvml=nvml, libraries=cuda(35, "insufficient driver"))


def unloadable(without: str | None) -> Facts:
    """cuDNN cannot be loaded; `without`: the error without LD_LIBRARY_PATH."""
    wheel = "nvidia-cudnn-cu12"
    broken = Library(name="libcudnn.so.9", wheel=wheel, error=BAD_SYMBOL, error_without=without)
    path = None if without is None else "/opt/cudnn-8/lib"
    return blind(NO_DLOPEN, libraries=libraries(libraries=(broken,), library_path=path))


def old_cudnn() -> Facts:
    return failing(NO_DNN, stderr=OLD_CUDNN, libraries=with_wheel("nvidia-cudnn-cu12", "9.1.0.70"))


def other_backend(backend: str, version: str) -> Facts:
    """A backend that was installed for the CPU only."""
    return blind(
        "",
        backends=Backends(chosen=backend, installed={backend: version}),
        libraries=Libraries(),
        framework=framework(backend=backend, version=version, cuda=""),
    )


def generation(capability: tuple[int, int], name: str) -> dict[str, Any]:
    """A GPU of another generation, as NVML reports it."""
    nvml = one_gpu(compute_capability=capability, name=name, memory_total=8 * GIB, memory_used=0)
    return {"nvml": nvml}


def pascal(capability: tuple[int, int], cudnn: str) -> Facts:
    wheels = with_wheel("nvidia-cudnn-cu12", cudnn)
    return failing(NO_ALGORITHM, libraries=wheels, **generation(capability, "GeForce GTX 1080"))


def not_started(stderr: str, **backends: Any) -> Facts:
    """The framework's process ended with an error."""
    settings = {"installed": {"tensorflow": "2.21.0"}, **backends}
    changed = {"backends": Backends(**settings), "libraries": Libraries()}
    return silent("framework", "failed", "with exit code 1", f"{stderr}\n", **changed)


DOCKER_GPU = Container(kind="docker", gpu_device=True)


def top_findings(facts: Facts) -> list[tuple[str, str]]:
    """Return severity and id of each finding."""
    return [(finding.severity, finding.id) for finding in diagnose(facts).findings]


def consequences(facts: Facts, cause: str) -> set[str]:
    """Return ids of what is folded beneath a cause."""
    (finding,) = [finding for finding in diagnose(facts).findings if finding.id == cause]
    return {consequence.id for consequence in finding.consequences}


def full(index: int, used: float, **changes: Any) -> Gpu:
    """A GPU of which one process holds so many GiB."""
    held = (process(gigabytes=used),)
    return gpu(index, **{"memory_used": int(used * GIB), "processes": held, **changes})
