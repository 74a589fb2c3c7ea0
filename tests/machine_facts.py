"""Facts of made-up machines: a healthy one with a GPU, one without, and changes to them."""

from pathlib import Path
from typing import Any

from workbench.machine.facts import (
    Backends,
    Decoding,
    Facts,
    Framework,
    FrameworkDevice,
    Gpu,
    GpuProcess,
    Libraries,
    Library,
    MigDevice,
    Nvml,
    ProbeOutcome,
    TrialStep,
    Wheel,
)
from workbench.machine.host_facts import LoginSession, Storage, StorageFolder, System, Terminal

GIB = 2**30
WHEELS = {
    "nvidia-cublas-cu12": "12.5.3.2",
    "nvidia-cuda-cupti-cu12": "12.5.82",
    "nvidia-cuda-nvcc-cu12": "12.5.82",
    "nvidia-cuda-nvrtc-cu12": "12.5.82",
    "nvidia-cuda-runtime-cu12": "12.5.82",
    "nvidia-cudnn-cu12": "9.10.2.21",
    "nvidia-cufft-cu12": "11.2.3.61",
    "nvidia-curand-cu12": "10.3.6.82",
    "nvidia-cusolver-cu12": "11.6.3.83",
    "nvidia-cusparse-cu12": "12.5.1.3",
    "nvidia-nccl-cu12": "2.27.7",
    "nvidia-nvjitlink-cu12": "12.5.82",
}
NO_CUDA = (
    "2026-03-02 10:11:12.131415: I external/local_xla/xla/tsl/cuda/cudart_stub.cc:31] "
    "Could not find cuda drivers on your machine, GPU will not be used.\n"
)
NO_DLOPEN = (
    "W0000 00:00:1772445072.000000 4242 gpu_device.cc:2365] Cannot dlopen some GPU libraries. "
    "Please make sure the missing libraries mentioned above are installed properly if you would "
    "like to use GPU.\nSkipping registering GPU devices...\n"
)
CUINIT = (
    "2026-03-02 10:11:12.131415: E external/local_xla/xla/stream_executor/cuda/"
    "cuda_platform.cc:51] failed call to cuInit: INTERNAL: CUDA error: Failed call to cuInit: "
    "{name}: {message}\n"
)


def gpu(index: int = 0, **changes: Any) -> Gpu:
    """An idle H200."""
    return Gpu(
        **{
            "index": index,
            "uuid": f"GPU-{index}a4f1c2d-88c0-4a5e-9f7a-3c1d5e7f9b{index:02d}",
            "name": "NVIDIA H200",
            "pci": f"0000:{index + 1:02x}:00.0",
            "compute_capability": (9, 0),
            "memory_total": 140 * GIB,
            "memory_used": GIB,
            **changes,
        }
    )


def process(pid: int = 4242, gigabytes: float = 60.5, **changes: Any) -> GpuProcess:
    """Somebody's Python on a GPU."""
    changed = {"pid": pid, "memory": int(gigabytes * GIB), "user": "alice", "name": "python"}
    return GpuProcess(**{**changed, **changes})


def slices(count: int) -> tuple[MigDevice, ...]:
    """Slices of a GPU in MIG mode."""
    return tuple(
        MigDevice(uuid=f"MIG-{n}f9e8d7c-1111-5222-8333-444455556666", name="MIG 1g.18gb")
        for n in range(count)
    )


def device(id_: str = "gpu:0", **changes: Any) -> FrameworkDevice:
    """A device as the framework offers it."""
    kind = id_.partition(":")[0]
    card = {"name": "NVIDIA H200", "compute_capability": (9, 0)} if kind == "gpu" else {}
    return FrameworkDevice(**{"id": id_, "kind": kind, "name": "CPU", **card, **changes})


def steps(name: str, error: str = "", jit_error: str = "") -> tuple[TrialStep, TrialStep]:
    """Both trial steps on a device, without jit and with it."""
    plain = TrialStep(device=name, jit=False, error=error, loss=0.69, pace=4.1e-3)
    return plain, TrialStep(device=name, jit=True, error=jit_error, loss=0.69, pace=3.2e-3)


def half(**changes: Any) -> TrialStep:
    """The trial in half precision on the GPU."""
    worked = {"device": "gpu:0", "jit": False, "precision": "mixed_float16", "loss": 0.7}
    return TrialStep(**{**worked, **changes})


def framework(*gpus: FrameworkDevice, **changes: Any) -> Framework:
    """TensorFlow with these GPUs; every step worked."""
    devices = (device("cpu:0"), *gpus)
    return Framework(
        **{
            "backend": "tensorflow",
            "version": "2.21.0",
            "keras": "3.15.1",
            "cuda": "12.5.1",
            "cudnn": "9",
            "devices": devices,
            "steps": (
                *(step for one in devices for step in steps(one.id)),
                *(half(device=one.id) for one in gpus),
            ),
            **changes,
        }
    )


def libraries(missing: tuple[str, ...] = (), **changes: Any) -> Libraries:
    """The CUDA packages of TensorFlow, without the missing ones."""
    return Libraries(
        **{
            "wheels": tuple(
                Wheel(name=name, version=None if name in missing else version)
                for name, version in WHEELS.items()
            ),
            "libraries": tuple(
                Library(name=name, wheel=wheel)
                for name, wheel in {
                    "libcublas.so.12": "nvidia-cublas-cu12",
                    "libcudnn.so.9": "nvidia-cudnn-cu12",
                }.items()
                if wheel not in missing
            ),
            "cuda_driver_code": 0,
            **changes,
        }
    )


def with_wheel(name: str, version: str) -> Libraries:
    """All packages there, one of them in a version of its own."""
    changed = libraries()
    wheels = tuple(
        wheel.model_copy(update={"version": version}) if wheel.name == name else wheel
        for wheel in changed.wheels
    )
    return changed.model_copy(update={"wheels": wheels})


def system(**changes: Any) -> System:
    """A host with an NVIDIA GPU, in a login session that runs survive."""
    return System(
        **{
            "cpu": "AMD EPYC 9454",
            "cores": 48,
            "cores_allowed": 48.0,
            "memory_total": 256 * GIB,
            "memory_available": 200 * GIB,
            "nvidia_cards": 1,
            "uvm_device": True,
            "session": LoginSession(systemd=True, scope="session"),
            **changes,
        }
    )


def place(what: str = "runs", **changes: Any) -> StorageFolder:
    """A folder on a good disk."""
    good = {"free": 500 * GIB, "locks": True, "file_system": "ext4"}
    return StorageFolder(**{"what": what, "path": Path(f"/home/ada/{what}"), **good, **changes})


def outcomes(**changes: ProbeOutcome) -> dict[str, ProbeOutcome]:
    """All probes went well, but for the changes."""
    names = ("nvml", "libraries", "framework", "system", "storage", "decoding")
    return {**{name: ProbeOutcome(status="ok", seconds=1.0) for name in names}, **changes}


def printed(stderr: str, status: str = "ok", detail: str = "") -> ProbeOutcome:
    """How the framework's probe went, and what it printed."""
    return ProbeOutcome.model_validate({"status": status, "detail": detail, "stderr": stderr})


def healthy(**changes: Any) -> Facts:
    """A host on which everything works on one H200."""
    return Facts(
        **{
            "backends": Backends(keras="3.15.1", installed={"tensorflow": "2.21.0"}),
            "terminal": Terminal(interactive=True, columns=120, rows=40, colors=256, utf8=True),
            "nvml": Nvml(driver="570.133.20", cuda=(12, 8), gpus=(gpu(),)),
            "libraries": libraries(),
            "framework": framework(device()),
            "system": system(),
            "storage": Storage(places=(place("runs"), place("packs"), place("cache"))),
            "decoding": Decoding(images_per_second=4000.0),
            "outcomes": outcomes(),
            **changes,
        }
    )


def blind(stderr: str = NO_CUDA, **changes: Any) -> Facts:
    """The healthy host, but TensorFlow sees no GPU and prints why."""
    changed = {"framework": framework(), "outcomes": outcomes(framework=printed(stderr))}
    return healthy(**{**changed, **changes})


def failing(error: str, jit_error: str | None = None, stderr: str = "", **changes: Any) -> Facts:
    """The healthy host, but TensorFlow's steps on the GPU fail."""
    changed = steps("gpu:0", error, error if jit_error is None else jit_error)
    return healthy(
        **{
            "framework": framework(device(), steps=(*steps("cpu:0"), *changed)),
            "outcomes": outcomes(framework=printed(stderr)),
            **changes,
        }
    )


def two_gpus(first: Gpu, second: Gpu, **changes: Any) -> Facts:
    """A host with two GPUs, both of which work."""
    return healthy(
        **{
            "nvml": Nvml(driver="570.133.20", cuda=(12, 8), gpus=(first, second)),
            "framework": framework(device("gpu:0"), device("gpu:1")),
            **changes,
        }
    )


def without_cuda() -> Libraries:
    """The plain tensorflow package on a host without a driver."""
    return libraries(
        tuple(WHEELS),
        cuda_driver_code=None,
        cuda_driver_error="libcuda.so.1: cannot open shared object file: No such file or directory",
    )


def no_nvml(code: int = 12, words: str = "NVML Shared Library Not Found") -> Nvml:
    """NVML that could not be started."""
    return Nvml(error=words, error_code=code)


def cpu_only_host(**changes: Any) -> Facts:
    """A host without any GPU, with the plain tensorflow package."""
    return blind(
        **{
            "nvml": no_nvml(),
            "libraries": without_cuda(),
            "system": system(nvidia_cards=0, uvm_device=False),
            **changes,
        }
    )


def silent(probe: str, status: str, detail: str = "", stderr: str = "", **changes: Any) -> Facts:
    """The healthy host, but a probe did not respond."""
    changed = {probe: None, "outcomes": outcomes(**{probe: printed(stderr, status, detail)})}
    return healthy(**{**changed, **changes})


def stuck(current: str, stopped: str, done: tuple[TrialStep, ...], **changes: Any) -> Facts:
    """The healthy host, but TensorFlow's process ended in the middle of its trial."""
    status = "hung" if stopped.startswith("after") else "crashed"
    changed = {
        "framework": framework(device(), steps=done, current=current, stopped=stopped),
        "outcomes": outcomes(framework=printed("", status, stopped)),
    }
    return healthy(**{**changed, **changes})


def put(root: Path, files: dict[str, str]) -> Path:
    """Write small files under a folder, in place of /proc, /sys, /etc and the rest."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root
