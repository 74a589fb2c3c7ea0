"""What the probes' answers mean: one finding for each cause, with what to do about it."""

from typing import Any

import pytest
from machine_facts import (
    CUINIT,
    GIB,
    NO_DLOPEN,
    WHEELS,
    blind,
    cpu_box,
    device,
    failing,
    framework,
    gpu,
    healthy,
    libraries,
    no_nvml,
    process,
    silent,
    slices,
    steps,
    stuck,
    system,
    with_wheel,
    without_cuda,
)

from workbench.machine.diagnosis import Diagnosis, diagnose
from workbench.machine.facts import (
    Backends,
    Container,
    Facts,
    Libraries,
    Library,
    Nvml,
)

Row = tuple[str, Facts, str, int]

ASK_FOR_DRIVER = "run nvidia-smi on the host; ask the admin to install the driver"
CPU_ONLY_REMEDY = "pip install 'tensorflow[and-cuda]==2.21.0'"
OUT_OF_MEMORY = "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1073741824 bytes."
NO_ALGORITHM = "NOT_FOUND: No algorithm worked! Error messages: CUDNN_STATUS_EXECUTION_FAILED"
OLD_CUDNN = (
    "E0000 00:00:1772445072.202924 7665 cuda_dnn.cc:522] Loaded runtime CuDNN library: 9.1.0 but "
    "source was compiled with: 9.3.0.  CuDNN library needs to have matching major version and "
    "equal or higher minor version.\n"
)
NO_PTX = (
    "UNAVAILABLE: No PTX compilation provider is available. Neither ptxas/nvlink nor nvjtlink is "
    "available."
)
IGNORED = (
    "I0000 00:00:1772445072.000000 4242 gpu_device.cc:2473] Ignoring visible gpu device (device: "
    "0, name: Tesla M60, pci bus id: 0000:00:1e.0, compute capability: 5.2) with Cuda compute "
    "capability 5.2. The minimum required Cuda capability is 6.0.\n"
)
NOT_LOADED = "Driver Not Loaded"
UNKNOWN = "Unknown Error"
NO_DEVICE = CUINIT.format(name="CUDA_ERROR_NO_DEVICE", words="no CUDA-capable device is detected")
CUDA_UNKNOWN = CUINIT.format(name="CUDA_ERROR_UNKNOWN", words="unknown error")
DLOPEN_WORDS = "libcudnn_graph.so.9: undefined symbol: cudnnGetLastErrorString"


def ids(diagnosis: Diagnosis) -> list[str]:
    return [finding.id for finding in diagnosis.findings]


def folded(diagnosis: Diagnosis) -> set[str]:
    return {below.id for finding in diagnosis.findings for below in finding.consequences}


def in_container(kind: str, **changes: Any) -> Facts:
    told = {"container": Container(kind=kind), "uvm_device": False}
    return cpu_box(system=system(**{**told, **changes}))


def one_card(**changes: Any) -> Nvml:
    return Nvml(driver="570.133.20", cuda=(12, 8), gpus=(gpu(**changes),))


def no_device(**changes: Any) -> Facts:
    """CUDA finds none of the GPUs that the driver lists."""
    words = "no CUDA-capable device is detected"
    told = libraries(cuda_driver_code=100, cuda_driver_error=words)
    return blind(NO_DEVICE, libraries=told, **changes)


def old_driver(version: str) -> Facts:
    insufficient = CUINIT.format(
        name="CUDA_ERROR_INSUFFICIENT_DRIVER",
        words="CUDA driver version is insufficient for CUDA runtime version",
    )
    return blind(
        insufficient,
        nvml=Nvml(driver=version, cuda=(12, 0), gpus=(gpu(),)),
        libraries=libraries(cuda_driver_code=35, cuda_driver_error="insufficient driver"),
    )


def unloadable(without: str | None) -> Facts:
    broken = Library(
        name="libcudnn.so.9",
        wheel="nvidia-cudnn-cu12",
        error=DLOPEN_WORDS,
        error_without=without,
    )
    path = None if without is None else "/opt/cudnn-8/lib"
    return blind(NO_DLOPEN, libraries=libraries(libraries=(broken,), library_path=path))


def card(capability: tuple[int, int], name: str) -> dict[str, Any]:
    """A GPU of another generation, as NVML and TensorFlow tell of it."""
    told = {"compute_capability": capability, "name": name}
    return {"nvml": one_card(**told, memory_total=8 * GIB, memory_used=0)}


def pascal(capability: tuple[int, int], cudnn: str) -> Facts:
    return failing(
        NO_ALGORITHM,
        libraries=with_wheel("nvidia-cudnn-cu12", cudnn),
        **card(capability, "NVIDIA GeForce GTX 1080"),
    )


REACH: list[Row] = [
    ("no-driver", cpu_box(), ASK_FOR_DRIVER, 1),
    (
        "no-driver",
        cpu_box(system=system(uvm_device=False), nvml=no_nvml(9, NOT_LOADED)),
        ASK_FOR_DRIVER,
        1,
    ),
    (
        "no-driver",
        cpu_box(nvml=Nvml(error="NVML: library not found")),
        ASK_FOR_DRIVER,
        1,
    ),
    (
        "container-without-gpu",
        in_container("docker"),
        "restart with `docker run --gpus all ...` (host needs nvidia-container-toolkit)",
        1,
    ),
    (
        "container-without-gpu",
        in_container("podman"),
        "podman run --device nvidia.com/gpu=all ...",
        1,
    ),
    ("container-without-gpu", in_container("apptainer"), "apptainer exec --nv ...", 1),
    ("container-without-gpu", in_container("kubernetes"), "nvidia.com/gpu: 1", 1),
    ("container-without-gpu", in_container("lxc"), "lxc config device add", 1),
    ("container-without-gpu", in_container("container"), "docker run --gpus all ...", 1),
    ("container-without-gpu", in_container("docker", virtual="wsl2"), "docker run --gpus all", 1),
    (  # the device was passed on, the libraries were not
        "container-without-gpu",
        in_container("apptainer", container=Container(kind="apptainer", gpu_device=True)),
        "apptainer exec --nv ...",
        1,
    ),
    (  # the toolkit's "void": libraries, but no GPU
        "container-without-gpu",
        in_container("docker").model_copy(update={"nvml": Nvml(driver="570.133.20")}),
        "docker run --gpus all",
        1,
    ),
    (
        "container-lost-gpu",
        blind(
            CUDA_UNKNOWN,
            nvml=no_nvml(999, UNKNOWN),
            system=system(container=Container(kind="docker", gpu_device=True)),
            libraries=libraries(cuda_driver_code=999, cuda_driver_error="unknown error"),
        ),
        "recreate the container; training resumes",
        1,
    ),
    (
        "nvml-unknown-error",
        blind(CUDA_UNKNOWN, nvml=no_nvml(999, UNKNOWN)),
        "reboot, or reload the driver",
        1,
    ),
    (
        "driver-mismatch",
        blind(
            CUINIT.format(name="CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", words="driver mismatch"),
            nvml=no_nvml(18, "RM has detected an NVML/RM version mismatch."),
            libraries=libraries(cuda_driver_code=803, cuda_driver_error="driver mismatch"),
        ),
        "reboot",
        1,
    ),
    ("nvml-error", blind(nvml=no_nvml(4, "Insufficient Permissions")), "run nvidia-smi", 1),
    ("no-gpu-listed", blind(NO_DEVICE, nvml=Nvml(driver="570.133.20")), "run nvidia-smi", 1),
    (
        "wsl-no-driver",
        cpu_box(system=system(virtual="wsl2", nvidia_cards=0, uvm_device=False)),
        "install the NVIDIA driver in Windows, not in WSL",
        1,
    ),
    (
        "wsl1",
        cpu_box(system=system(virtual="wsl1", nvidia_cards=0, uvm_device=False)),
        "wsl --set-version <distro> 2",
        1,
    ),
    (
        "native-windows",
        blind(system=system(platform="win32", uvm_device=False), libraries=without_cuda()),
        "start workbench in WSL2",
        1,
    ),
    (
        "native-windows",
        cpu_box(system=system(platform="win32", nvidia_cards=0, uvm_device=False)),
        "install the NVIDIA driver in Windows",
        1,
    ),
]

INSTALLED: list[Row] = [
    (
        "no-uvm",
        blind(
            CUDA_UNKNOWN,
            system=system(uvm_device=False),
            libraries=libraries(cuda_driver_code=999, cuda_driver_error="unknown error"),
        ),
        "sudo modprobe nvidia_uvm",
        1,
    ),
    (
        "no-uvm",
        blind(
            CUDA_UNKNOWN,
            system=system(uvm_device=False, container=Container(kind="docker", gpu_device=True)),
            libraries=libraries(cuda_driver_code=999, cuda_driver_error="unknown error"),
        ),
        "on the host: sudo modprobe nvidia_uvm",
        1,
    ),
    (  # left over from before the machine slept
        "no-uvm",
        blind(
            CUDA_UNKNOWN,
            libraries=libraries(cuda_driver_code=999, cuda_driver_error="unknown error"),
        ),
        "sudo rmmod nvidia_uvm; sudo modprobe nvidia_uvm",
        1,
    ),
    (
        "cuda-init",
        blind(
            CUINIT.format(name="CUDA_ERROR_SYSTEM_NOT_READY", words="system not yet initialized"),
            libraries=libraries(
                cuda_driver_code=802, cuda_driver_error="system not yet initialized"
            ),
        ),
        "sudo systemctl start nvidia-fabricmanager",
        1,
    ),
    (  # a container that was given only what NVML needs
        "cuda-init",
        blind(
            system=system(container=Container(kind="docker", gpu_device=True)),
            libraries=libraries(
                cuda_driver_code=None,
                cuda_driver_error="libcuda.so.1: cannot open shared object file",
            ),
        ),
        "NVIDIA_DRIVER_CAPABILITIES=compute,utility",
        1,
    ),
    (
        "cuda-init",
        blind(libraries=libraries(cuda_driver_code=None, cuda_driver_error="hung after 5 s")),
        "run nvidia-smi",
        1,
    ),
    (  # in WSL there is no such file, and the driver is that of Windows
        "cuda-init",
        blind(
            CUDA_UNKNOWN,
            system=system(virtual="wsl2", uvm_device=False, nvidia_cards=0),
            libraries=libraries(cuda_driver_code=999, cuda_driver_error="unknown error"),
        ),
        "wsl --shutdown",
        1,
    ),
    ("driver-too-old", old_driver("525.60.12"), "525.60.13", 1),
    ("driver-too-old", old_driver("470.256.02"), "470.256.02", 1),
    ("cpu-only-install", blind(libraries=libraries(tuple(WHEELS))), CPU_ONLY_REMEDY, 1),
    (
        "wheels-missing",
        blind(NO_DLOPEN, libraries=libraries(("nvidia-cusparse-cu12", "nvidia-nccl-cu12"))),
        CPU_ONLY_REMEDY,
        1,
    ),
    (
        "cpu-only-install",
        blind(
            "",
            backends=Backends(chosen="jax", installed={"jax": "0.7.0"}),
            libraries=Libraries(),
            framework=framework(backend="jax", version="0.7.0", cuda=""),
        ),
        "pip install -U 'jax[cuda12]'",
        1,
    ),
    (
        "cpu-only-install",
        blind(
            "",
            backends=Backends(chosen="torch", installed={"torch": "2.9.0+cpu"}),
            libraries=Libraries(),
            framework=framework(backend="torch", version="2.9.0+cpu", cuda=""),
        ),
        "https://pytorch.org/get-started",
        1,
    ),
    ("library-path", unloadable(without=""), "env -u LD_LIBRARY_PATH workbench", 1),
    (
        "library-broken",
        unloadable(without=DLOPEN_WORDS),
        "pip install --force-reinstall --no-deps nvidia-cudnn-cu12",
        1,
    ),
    (
        "library-broken",
        unloadable(without=None),
        "pip install --force-reinstall --no-deps nvidia-cudnn-cu12==9.10.2.21",
        1,
    ),
    (
        "cudnn-old",
        failing(
            "FAILED_PRECONDITION: DNN library initialization failed.",
            stderr=OLD_CUDNN,
            libraries=with_wheel("nvidia-cudnn-cu12", "9.1.0.70"),
        ),
        "pip install -U 'nvidia-cudnn-cu12>=9.3,<10'",
        1,
    ),
    (  # a good one is installed, but another is found first
        "cudnn-old",
        failing(
            "FAILED_PRECONDITION: DNN library initialization failed.",
            stderr=OLD_CUDNN,
            libraries=libraries(library_path="/usr/local/cudnn/lib"),
        ),
        "env -u LD_LIBRARY_PATH workbench",
        1,
    ),
    (
        "libdevice",
        failing("", NO_PTX, libraries=libraries(("nvidia-cuda-nvcc-cu12",))),
        "pip install nvidia-cuda-nvcc-cu12",
        1,
    ),
    (
        "libdevice",
        failing("", "INTERNAL: libdevice not found at ./libdevice.10.bc"),
        "XLA_FLAGS=--xla_gpu_cuda_data_dir=",
        1,
    ),
    (
        "libdevice",
        failing("", "INTERNAL: libdevice not found at ./libdevice.10.bc"),
        "--set training.jit=off",
        1,
    ),
]

CARDS: list[Row] = [
    ("hidden-gpus", no_device(visible_devices=""), "unset CUDA_VISIBLE_DEVICES", 1),
    ("hidden-gpus", no_device(visible_devices="-1"), "unset CUDA_VISIBLE_DEVICES", 1),
    ("hidden-gpus", no_device(visible_devices="3"), "unset CUDA_VISIBLE_DEVICES", 1),
    ("hidden-gpus", no_device(visible_devices="GPU-9"), "unset CUDA_VISIBLE_DEVICES", 1),
    (
        "pascal-cudnn",
        pascal((6, 1), "9.11.0.98"),
        "pip install 'nvidia-cudnn-cu12>=9.3,<9.11'",
        1,
    ),
    ("pascal-cudnn", pascal((7, 0), "10.0"), "pip install 'nvidia-cudnn-cu12>=9.3,<9.11'", 1),
    (
        "card-too-old",
        failing(
            "InvalidArgumentError: Could not satisfy device specification '/GPU:0'",
            stderr=IGNORED,
            **card((5, 2), "Tesla M60"),
        ),
        "continue on the CPU: --gpu none",
        1,
    ),
    ("card-too-old", blind(IGNORED, nvml=one_card(compute_capability=None)), "--gpu none", 1),
    (
        "blackwell",
        failing("INTERNAL: CUDA_ERROR_INVALID_PTX", **card((12, 0), "NVIDIA GeForce RTX 5090")),
        "KERAS_BACKEND=torch or jax in an environment of its own, or a vendor container",
        1,
    ),
    (
        "blackwell",
        stuck("gpu:0", "after 60 s", steps("cpu:0"), **card((10, 0), "NVIDIA B200")),
        "KERAS_BACKEND=torch",
        1,
    ),
    ("memory-taken", healthy(nvml=one_card(memory_used=71 * GIB)), "workbench check --watch", 1),
    (  # so full that even the trial steps fail
        "memory-taken",
        failing(OUT_OF_MEMORY, nvml=one_card(memory_used=140 * GIB, processes=(process(),))),
        "wait: `workbench check --watch` shows when it is free",
        1,
    ),
    ("hardware-fault", healthy(nvml=one_card(ecc_errors=1)), "stop using GPU 0", 1),
    ("hardware-fault", healthy(nvml=one_card(xids=(13, 48))), "stop using GPU 0", 1),
    ("hardware-fault", healthy(nvml=one_card(xids=(64,))), "stop using GPU 0", 1),
    ("hardware-fault", healthy(nvml=one_card(xids=(74,))), "stop using GPU 0", 1),
    ("hardware-fault", healthy(nvml=one_card(remap_failed=True)), "stop using GPU 0", 1),
    (
        "hardware-fault",
        blind(
            CUDA_UNKNOWN,
            nvml=one_card(error="GPU is lost", xids=(79,)),
            libraries=libraries(cuda_driver_code=999, cuda_driver_error="unknown error"),
        ),
        "train with --gpu none",
        1,
    ),
    (
        "remap-pending",
        healthy(nvml=one_card(remap_pending=True)),
        "sudo nvidia-smi --gpu-reset -i 0",
        1,
    ),
    ("gpu-error", healthy(nvml=one_card(error="Timeout")), "nvidia-smi -i 0", 1),
    (
        "mig",
        no_device(nvml=one_card(mig=True, mig_devices=slices(2))),
        "export CUDA_VISIBLE_DEVICES=MIG-0f9e8d7c-1111-5222-8333-444455556666",
        1,
    ),
    (
        "mig-no-slices",
        no_device(nvml=one_card(mig=True)),
        "sudo nvidia-smi mig -i 0 -cgi",
        1,
    ),
]

SYMPTOMS: list[Row] = [
    ("framework-no-gpu", blind(""), "list_physical_devices", 1),
    ("gpu-compute", failing(NO_ALGORITHM), "--gpu none", 1),
    ("gpu-compute", stuck("gpu:0", "by signal SIGSEGV", steps("cpu:0")), "--gpu none", 1),
    ("gpu-jit", failing("", "INTERNAL: something else"), "--set training.jit=off", 1),
    (
        "gpu-jit",
        stuck("gpu:0 jit", "after 60 s", (*steps("cpu:0"), steps("gpu:0")[0])),
        "--set training.jit=off",
        1,
    ),
    (  # the CPU's own jit took the process along
        "gpu-untested",
        stuck("gpu", "after 60 s", steps("cpu:0")),
        "workbench check",
        1,
    ),
    (
        "cpu-compute",
        healthy(
            framework=framework(
                device(), steps=(*steps("cpu:0", "INTERNAL: oneDNN", "INTERNAL"), *steps("gpu:0"))
            )
        ),
        "pip install --force-reinstall tensorflow==2.21.0",
        2,
    ),
    (  # before it had told of any device
        "framework-crashed",
        stuck(
            "devices",
            "by signal SIGABRT",
            (),
            framework=framework(
                devices=(), steps=(), current="devices", stopped="by signal SIGABRT"
            ),
        ),
        "pip install --force-reinstall",
        2,
    ),
    ("framework-crashed", silent("framework", "crashed", "by signal SIGILL"), "AVX", 2),
    ("framework-crashed", silent("framework", "crashed", "by signal SIGKILL"), "memory", 2),
    ("framework-hung", silent("framework", "hung", "after 60 s"), "workbench check", 2),
    ("framework-garbled", silent("framework", "garbled"), "pip install --force-reinstall", 2),
    ("framework-flooded", silent("framework", "flooded"), "pip install --force-reinstall", 2),
    (
        "framework-failed",
        silent(
            "framework",
            "failed",
            "with exit code 1",
            "Traceback (most recent call last):\nModuleNotFoundError: No module named 'keras'\n",
        ),
        "pip install --force-reinstall tensorflow==2.21.0",
        2,
    ),
    (
        "backend-missing",
        silent(
            "framework",
            "failed",
            "with exit code 1",
            "ModuleNotFoundError: No module named 'jax'\n",
            backends=Backends(chosen="jax", installed={"tensorflow": "2.21.0"}),
            libraries=Libraries(),
        ),
        "pip install -U 'jax[cuda12]'; or unset KERAS_BACKEND",
        2,
    ),
    (
        "backend-missing",
        silent(
            "framework",
            "failed",
            "with exit code 1",
            "ModuleNotFoundError: No module named 'torch'\n",
            backends=Backends(
                chosen="torch", named_by="/k/keras.json", installed={"tensorflow": "2.21.0"}
            ),
            libraries=Libraries(),
        ),
        "pip install torch; or export KERAS_BACKEND=tensorflow",
        2,
    ),
    (
        "backend-missing",
        silent(
            "framework",
            "failed",
            "with exit code 1",
            "ValueError: Unable to import backend : theano\n",
            backends=Backends(
                chosen="theano", named_by="KERAS_BACKEND", installed={"tensorflow": "2.21.0"}
            ),
            libraries=Libraries(),
        ),
        "unset KERAS_BACKEND",
        2,
    ),
    (
        "keras-settings",
        silent(
            "framework",
            "failed",
            "with exit code 1",
            "ValueError: Invalid `floatx` configuration.\n",
            backends=Backends(
                settings="/k/keras.json",
                fault='floatx is "float8"',
                installed={"tensorflow": "2.21.0"},
            ),
            libraries=Libraries(),
        ),
        "mv /k/keras.json /k/keras.json.old",
        2,
    ),
    ("nvml-hung", silent("nvml", "hung", "after 10 s"), "run nvidia-smi", 1),
    (
        "nvml-crashed",
        silent(
            "nvml",
            "crashed",
            "by signal SIGSEGV",
            framework=framework(),
            libraries=libraries(tuple(WHEELS)),
        ),
        "run nvidia-smi",
        1,
    ),
]

ROWS = [*REACH, *INSTALLED, *CARDS, *SYMPTOMS]


def test_a_box_without_faults_has_no_findings() -> None:
    assert diagnose(healthy()) == Diagnosis("GPU ready: NVIDIA H200", "usable", 0, ())


def test_keras_settings_that_do_nothing_are_worth_a_note() -> None:
    backends = Backends(settings="/k/keras.json", passed_over="it is no JSON: a brace is missing")
    told = diagnose(healthy().model_copy(update={"backends": backends}))
    assert (ids(told), told.word, told.exit_code) == (["keras-settings-unread"], "usable", 0)
    assert told.findings[0].what == (
        "Keras makes nothing of its settings file /k/keras.json: it is no JSON: a brace is missing."
    )
    assert told.findings[0].remedy == "mv /k/keras.json /k/keras.json.old"


def test_a_backend_is_named_with_who_names_it() -> None:
    installed = {"tensorflow": "2.21.0"}
    backends = Backends(chosen="torch", named_by="/k/keras.json", installed=installed)
    facts = silent("framework", "failed", "with exit code 1", backends=backends)
    [finding] = [f for f in diagnose(facts).findings if f.id == "backend-missing"]
    assert finding.what == "Keras is set to train with PyTorch, which is not installed."
    assert finding.why == (
        "Installed: TensorFlow. It is named by the file /k/keras.json; KERAS_BACKEND would come "
        "before it."
    )
    other = Backends(chosen="numpy", named_by="KERAS_BACKEND", installed=installed)
    facts = silent("framework", "failed", "with exit code 1", backends=other)
    [finding] = [f for f in diagnose(facts).findings if f.id == "backend-missing"]
    assert finding.what == "Keras is set to train with numpy, which cannot train here."


def test_a_box_without_a_gpu_has_one_finding() -> None:
    told = diagnose(cpu_box())
    assert told.verdict == "CPU only: no NVIDIA driver and no NVIDIA card"
    assert (ids(told), told.word, told.exit_code) == (["no-driver"], "degraded", 1)
    assert folded(told) == {"framework-no-gpu"}


@pytest.mark.parametrize(
    ("cause", "facts", "remedy", "exit_code"), ROWS, ids=[f"{n}-{r[0]}" for n, r in enumerate(ROWS)]
)
def test_each_fault_is_one_finding_with_its_remedy(
    cause: str, facts: Facts, remedy: str, exit_code: int
) -> None:
    told = diagnose(facts)
    assert ids(told) == [cause]
    finding = told.findings[0]
    assert remedy in finding.remedy
    assert told.exit_code == exit_code
    assert finding.severity == ("broken" if exit_code == 2 else "warning")
    assert "\n" not in finding.remedy
    assert all([finding.what, finding.why, finding.short])
    # A cause is never milder than what it brings about.
    assert exit_code == 2 or all(below.severity != "broken" for below in finding.consequences)
