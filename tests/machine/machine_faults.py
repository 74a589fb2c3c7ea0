"""Facts of every fault that the machine check finds, with a part of its remedy."""

from fault_facts import (
    ASK_FOR_DRIVER,
    BAD_SYMBOL,
    CPU_ONLY_REMEDY,
    CUDA_UNKNOWN,
    DOCKER_GPU,
    IGNORED,
    MISMATCH,
    NO_ALGORITHM,
    NO_DEVICE,
    NO_DNN,
    NO_LIBDEVICE,
    NO_PTX,
    NOT_READY,
    OLD_CUDNN,
    OUT_OF_MEMORY,
    REINSTALL,
    cuda,
    generation,
    in_container,
    no_device,
    not_started,
    old_cudnn,
    old_driver,
    one_gpu,
    other_backend,
    pascal,
    unknown,
    unloadable,
)
from machine_facts import (
    CUINIT,
    GIB,
    NO_DLOPEN,
    WHEELS,
    blind,
    cpu_only_host,
    device,
    failing,
    framework,
    half,
    healthy,
    libraries,
    no_nvml,
    process,
    silent,
    slices,
    steps,
    stuck,
    system,
    without_cuda,
)

from workbench.machine.facts import Facts, Nvml
from workbench.machine.host_facts import Container

# By cause: facts, and a part of the remedy.
FAULTS: dict[str, list[tuple[Facts, str]]] = {
    "no-driver": [
        (cpu_only_host(), ASK_FOR_DRIVER),
        (
            cpu_only_host(system=system(uvm_device=False), nvml=no_nvml(9, "Driver Not Loaded")),
            ASK_FOR_DRIVER,
        ),
        (cpu_only_host(nvml=Nvml(error="NVML: library not found")), ASK_FOR_DRIVER),
    ],
    "container-without-gpu": [
        (
            in_container("docker"),
            "restart with `docker run --gpus all ...` (host needs nvidia-container-toolkit)",
        ),
        (in_container("podman"), "podman run --device nvidia.com/gpu=all ..."),
        (in_container("apptainer"), "apptainer exec --nv ..."),
        (in_container("kubernetes"), "nvidia.com/gpu: 1"),
        (in_container("lxc"), "lxc config device add"),
        (in_container("container"), "docker run --gpus all ..."),
        (in_container("docker", virtual="wsl2"), "docker run --gpus all"),
        (  # the device was passed on, the libraries were not
            in_container("apptainer", container=Container(kind="apptainer", gpu_device=True)),
            "apptainer exec --nv ...",
        ),
        (  # the toolkit's "void": libraries, but no GPU
            in_container("docker").model_copy(update={"nvml": Nvml(driver="570.133.20")}),
            "docker run --gpus all",
        ),
    ],
    "container-lost-gpu": [
        (
            unknown(nvml=no_nvml(999, "Unknown Error"), system=system(container=DOCKER_GPU)),
            "recreate the container; training resumes",
        ),
    ],
    "nvml-unknown-error": [
        (blind(CUDA_UNKNOWN, nvml=no_nvml(999, "Unknown Error")), "reboot, or reload the driver"),
    ],
    "driver-mismatch": [
        (
            blind(
                MISMATCH,
                nvml=no_nvml(18, "RM has detected an NVML/RM version mismatch."),
                libraries=cuda(803, "driver mismatch"),
            ),
            "reboot",
        ),
    ],
    "nvml-error": [(blind(nvml=no_nvml(4, "Insufficient Permissions")), "run nvidia-smi")],
    "no-gpu-listed": [(blind(NO_DEVICE, nvml=Nvml(driver="570.133.20")), "run nvidia-smi")],
    "wsl-no-driver": [
        (
            cpu_only_host(system=system(virtual="wsl2", nvidia_cards=0, uvm_device=False)),
            "install the NVIDIA driver in Windows, not in WSL",
        ),
    ],
    "wsl1": [
        (
            cpu_only_host(system=system(virtual="wsl1", nvidia_cards=0, uvm_device=False)),
            "wsl --set-version <distro> 2",
        ),
    ],
    "native-windows": [
        (
            blind(system=system(platform="win32", uvm_device=False), libraries=without_cuda()),
            "start workbench in WSL2",
        ),
        (
            cpu_only_host(system=system(platform="win32", nvidia_cards=0, uvm_device=False)),
            "install the NVIDIA driver in Windows",
        ),
    ],
    "no-uvm": [
        (unknown(system=system(uvm_device=False)), "sudo modprobe nvidia_uvm"),
        (
            unknown(system=system(uvm_device=False, container=DOCKER_GPU)),
            "on the host: sudo modprobe nvidia_uvm",
        ),
        # Left over from before the machine was suspended.
        (unknown(), "sudo rmmod nvidia_uvm; sudo modprobe nvidia_uvm"),
    ],
    "cuda-init": [
        (
            blind(
                CUINIT.format(name="CUDA_ERROR_SYSTEM_NOT_READY", message=NOT_READY),
                libraries=cuda(802, NOT_READY),
            ),
            "sudo systemctl start nvidia-fabricmanager",
        ),
        (  # a container that was given only what NVML needs
            blind(
                system=system(container=DOCKER_GPU),
                libraries=cuda(None, "libcuda.so.1: cannot open shared object file"),
            ),
            "NVIDIA_DRIVER_CAPABILITIES=compute,utility",
        ),
        (blind(libraries=cuda(None, "hung after 5 s")), "run nvidia-smi"),
        (  # in WSL there is no such file, and the driver is that of Windows
            unknown(system=system(virtual="wsl2", uvm_device=False, nvidia_cards=0)),
            "wsl --shutdown",
        ),
    ],
    "driver-too-old": [
        (old_driver("525.60.12"), "525.60.13"),
        (old_driver("470.256.02"), "470.256.02"),
    ],
    "cpu-only-install": [
        (blind(libraries=libraries(tuple(WHEELS))), CPU_ONLY_REMEDY),
        (other_backend("jax", "0.7.0"), "pip install -U 'jax[cuda12]'"),
        (other_backend("torch", "2.9.0+cpu"), "https://pytorch.org/get-started"),
    ],
    "wheels-missing": [
        (
            blind(NO_DLOPEN, libraries=libraries(("nvidia-cusparse-cu12", "nvidia-nccl-cu12"))),
            CPU_ONLY_REMEDY,
        ),
    ],
    "library-path": [(unloadable(without=""), "env -u LD_LIBRARY_PATH workbench")],
    "library-broken": [
        (
            unloadable(without=BAD_SYMBOL),
            "pip install --force-reinstall --no-deps nvidia-cudnn-cu12",
        ),
        (
            unloadable(without=None),
            "pip install --force-reinstall --no-deps nvidia-cudnn-cu12==9.10.2.21",
        ),
    ],
    "cudnn-old": [
        (old_cudnn(), "pip install -U 'nvidia-cudnn-cu12>=9.3,<10'"),
        (  # a good one is installed, but another is found first
            failing(
                NO_DNN, stderr=OLD_CUDNN, libraries=libraries(library_path="/usr/local/cudnn/lib")
            ),
            "env -u LD_LIBRARY_PATH workbench",
        ),
    ],
    "libdevice": [
        (
            failing("", NO_PTX, libraries=libraries(("nvidia-cuda-nvcc-cu12",))),
            "pip install nvidia-cuda-nvcc-cu12",
        ),
        (failing("", NO_LIBDEVICE), "XLA_FLAGS=--xla_gpu_cuda_data_dir="),
    ],
    "hidden-gpus": [
        (no_device(visible_devices=value), "unset CUDA_VISIBLE_DEVICES")
        for value in ("", "-1", "3", "GPU-9")
    ],
    "pascal-cudnn": [
        (pascal((6, 1), "9.11.0.98"), "pip install 'nvidia-cudnn-cu12>=9.3,<9.11'"),
        (pascal((7, 0), "10.0"), "pip install 'nvidia-cudnn-cu12>=9.3,<9.11'"),
    ],
    "gpu-too-old": [
        (
            failing(
                "InvalidArgumentError: Could not satisfy device specification '/GPU:0'",
                stderr=IGNORED,
                **generation((5, 2), "Tesla M60"),
            ),
            "continue on the CPU: --gpu none",
        ),
        (blind(IGNORED, nvml=one_gpu(compute_capability=None)), "--gpu none"),
    ],
    "blackwell": [
        (
            failing("INTERNAL: CUDA_ERROR_INVALID_PTX", **generation((12, 0), "GeForce RTX 5090")),
            "pip install -U 'jax[cuda12]', then train with --set training.backend=jax; "
            "or a vendor container",
        ),
        (
            stuck("gpu:0", "after 60 s", steps("cpu:0"), **generation((10, 0), "NVIDIA B200")),
            "--set training.backend=jax",
        ),
    ],
    "memory-taken": [
        (healthy(nvml=one_gpu(memory_used=71 * GIB)), "workbench check --watch"),
        (  # so full that even the trial steps fail
            failing(OUT_OF_MEMORY, nvml=one_gpu(memory_used=140 * GIB, processes=(process(),))),
            "wait: `workbench check --watch` shows when it is free",
        ),
    ],
    "hardware-fault": [
        *(
            (healthy(nvml=one_gpu(**fault)), "stop using GPU 0")
            for fault in (
                {"ecc_errors": 1},
                {"xids": (13, 48)},
                {"xids": (64,)},
                {"xids": (74,)},
                {"remap_failed": True},
            )
        ),
        (unknown(nvml=one_gpu(error="GPU is lost", xids=(79,))), "train with --gpu none"),
    ],
    "remap-pending": [
        (healthy(nvml=one_gpu(remap_pending=True)), "sudo nvidia-smi --gpu-reset -i 0")
    ],
    "gpu-error": [(healthy(nvml=one_gpu(error="Timeout")), "nvidia-smi -i 0")],
    "mig": [
        (
            no_device(nvml=one_gpu(mig=True, mig_devices=slices(2))),
            "export CUDA_VISIBLE_DEVICES=MIG-0f9e8d7c-1111-5222-8333-444455556666",
        ),
    ],
    "mig-no-slices": [(no_device(nvml=one_gpu(mig=True)), "sudo nvidia-smi mig -i 0 -cgi")],
    "framework-no-gpu": [(blind(""), "list_physical_devices")],
    "gpu-compute": [
        (failing(NO_ALGORITHM), "--gpu none"),
        (stuck("gpu:0", "by signal SIGSEGV", steps("cpu:0")), "--gpu none"),
    ],
    "gpu-untested": [(stuck("gpu", "after 60 s", steps("cpu:0")), "workbench check")],
    "nvml-hung": [(silent("nvml", "hung", "after 10 s"), "run nvidia-smi")],
    "nvml-crashed": [
        (
            silent(
                "nvml",
                "crashed",
                "by signal SIGSEGV",
                framework=framework(),
                libraries=libraries(tuple(WHEELS)),
            ),
            "run nvidia-smi",
        ),
    ],
}
# Training does without what they name.
NOTES: dict[str, list[tuple[Facts, str]]] = {
    "gpu-jit": [
        (failing("", "INTERNAL: something else"), "leave out --set training.jit=on"),
        (
            stuck("gpu:0 jit", "after 60 s", (*steps("cpu:0"), steps("gpu:0")[0])),
            "a newer TensorFlow may know this GPU",
        ),
    ],
    "gpu-half": [
        (
            healthy(framework=framework(device(), steps=(*steps("gpu:0"), half(loss=None)))),
            "leave out --set training.precision=mixed_float16",
        ),
        (
            healthy(framework=framework(device(), steps=(*steps("gpu:0"), half(error="cuDNN")))),
            "leave out --set training.precision=mixed_float16",
        ),
    ],
}
BROKEN: dict[str, list[tuple[Facts, str]]] = {
    "cpu-compute": [
        (
            healthy(
                framework=framework(
                    device(), steps=(*steps("cpu:0", "oneDNN", "INTERNAL"), *steps("gpu:0"))
                )
            ),
            REINSTALL,
        ),
    ],
    "framework-crashed": [
        (  # before it had reported any device
            stuck(
                "devices",
                "by signal SIGABRT",
                (),
                framework=framework(
                    devices=(), steps=(), current="devices", stopped="by signal SIGABRT"
                ),
            ),
            REINSTALL,
        ),
        (silent("framework", "crashed", "by signal SIGILL"), "AVX"),
        (silent("framework", "crashed", "by signal SIGKILL"), "memory"),
    ],
    "framework-hung": [(silent("framework", "hung", "after 60 s"), "workbench check")],
    "framework-garbled": [(silent("framework", "garbled"), REINSTALL)],
    "framework-flooded": [(silent("framework", "flooded"), REINSTALL)],
    "framework-failed": [
        (not_started("Traceback ...\nModuleNotFoundError: No module named 'keras'"), REINSTALL)
    ],
    "backend-missing": [
        (
            not_started("ModuleNotFoundError: No module named 'jax'", chosen="jax"),
            "pip install -U 'jax[cuda12]'; or unset KERAS_BACKEND",
        ),
        (
            not_started(
                "ModuleNotFoundError: No module named 'torch'",
                chosen="torch",
                named_by="/k/keras.json",
            ),
            "pip install torch; or export KERAS_BACKEND=tensorflow",
        ),
        (
            not_started(
                "ValueError: Unable to import backend : theano",
                chosen="theano",
                named_by="KERAS_BACKEND",
            ),
            "unset KERAS_BACKEND",
        ),
    ],
    "keras-settings": [
        (
            not_started(
                "ValueError: Invalid `floatx` configuration.",
                settings="/k/keras.json",
                fault='floatx is "float8"',
            ),
            "mv /k/keras.json /k/keras.json.old",
        ),
    ],
}
ROWS = [
    (cause, facts, remedy)
    for cause, rows in {**FAULTS, **NOTES, **BROKEN}.items()
    for facts, remedy in rows
]
