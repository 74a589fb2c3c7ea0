"""What is the matter with the GPUs: hardware faults, hidden, in slices, too old or too new."""

from dataclasses import replace

from workbench.machine.facts import Facts, Gpu
from workbench.machine.finding import (
    CUDNN,
    SLURM_GPU,
    Finding,
    Findings,
    Rule,
    auto_gpu,
    backend,
    framework_stderr,
    gpu_behind,
    gpu_failures,
    gpu_label,
    gpu_labels,
    nvml_gpus,
    quote,
    seen_gpus,
    shell_safe,
    symptoms_on,
    system_of,
    version_numbers,
    wheel_version,
    working_gpus,
)
from workbench.machine.gpus import OLDEST_CAPABILITY, read_visibility
from workbench.machine.rules.framework import INSTALL_GPU
from workbench.messages import tr
from workbench.text import plural

# Compute capabilities.
OLDEST_OF_NEW_CUDNN = (7, 5)  # the first that cuDNN 9.11 and later support
NEWEST_OF_TENSORFLOW = (9, 0)  # the last that TensorFlow's packages are built for
# Versions.
CUDNN_WITHOUT_PASCAL = (9, 11)
CUDA_WITH_BLACKWELL = (12, 8)  # the first


def hardware(facts: Facts) -> Findings:
    """Find GPUs with faults; one that programs do not see here is only a note."""
    gpus = nvml_gpus(facts)
    seen = seen_gpus(facts)
    faulty = [gpu for gpu in gpus if _faults(gpu)]
    for gpu in gpus:
        healthy = [other for other in seen if other not in faulty and other != gpu]
        if gpu in faulty:
            finding = _hardware_fault(gpu, healthy, symptoms_on(facts, faulty))
        elif gpu.error:
            finding = _gpu_error(gpu, symptoms_on(facts, [gpu]))
        elif gpu.remap_pending:
            finding = _remap_pending(gpu, symptoms_on(facts, [gpu]))
        else:
            continue
        hidden = replace(finding, severity="note", explains=frozenset())
        yield finding if gpu in seen else hidden


def _faults(gpu: Gpu) -> list[str]:
    """Describe each fault that makes a GPU unusable."""
    lost = any(word in gpu.error.lower() for word in ("lost", "restart", "reset"))
    xids = sorted(set(gpu.fatal_xids))
    faults = [quote(gpu.error)] if lost else []
    if gpu.ecc_errors > 0:
        faults.append(
            tr(
                "{memory_errors} that ECC could not correct",
                memory_errors=plural(gpu.ecc_errors, "memory error"),
            )
        )
    if gpu.remap_failed:
        faults.append(tr("a memory row that could not be replaced"))
    if xids:
        faults.append(
            tr("Xid {xids} in the kernel's log", xids=", ".join(str(xid) for xid in xids))
        )
    return faults


def _hardware_fault(gpu: Gpu, healthy: list[Gpu], explains: frozenset[str]) -> Finding:
    instead = f"--gpu {healthy[0].index}" if healthy else "--gpu none"
    return Finding(
        "hardware-fault",
        what=tr(
            "{gpu_label} has a hardware fault: {faults}.",
            gpu_label=gpu_label(gpu),
            faults="; ".join(_faults(gpu)),
        ),
        why=tr("Training on it can end at any moment, or give wrong numbers.")
        + (tr(" A reset of the GPU may help for a while.") if gpu.remap_pending else ""),
        remedy=tr(
            "stop using GPU {index} and inform the admin; train with {instead}",
            index=gpu.index,
            instead=instead,
        ),
        # CUDA may not start at all beside a GPU that is lost.
        explains=explains | ({"no-uvm", "cuda-init"} if gpu.error else frozenset()),
        short=tr("hardware fault of GPU {index}", index=gpu.index),
    )


def _gpu_error(gpu: Gpu, explains: frozenset[str]) -> Finding:
    return Finding(
        "gpu-error",
        what=tr(
            "{gpu_label} does not respond to the driver: {error}.",
            gpu_label=gpu_label(gpu),
            error=quote(gpu.error),
        ),
        why=tr("Its memory and its faults are not known."),
        remedy=tr("nvidia-smi -i {index}", index=gpu.index),
        explains=explains | {"no-uvm", "cuda-init"},  # CUDA may not start beside it
        short=tr("GPU {index} does not respond", index=gpu.index),
    )


def _remap_pending(gpu: Gpu, explains: frozenset[str]) -> Finding:
    return Finding(
        "remap-pending",
        what=tr(
            "{gpu_label} needs a reset to replace a damaged memory row.", gpu_label=gpu_label(gpu)
        ),
        why=tr("Until then training on it may end with a memory error."),
        remedy=tr("when nobody uses it: sudo nvidia-smi --gpu-reset -i {index}", index=gpu.index),
        explains=explains,
        short=tr("GPU {index} needs a reset", index=gpu.index),
    )


def hidden_gpus(facts: Facts) -> Findings:
    """Find a CUDA_VISIBLE_DEVICES that hides GPUs because it is empty or wrong."""
    gpus, value = nvml_gpus(facts), facts.visible_devices
    visibility = read_visibility(value, gpus)
    left, invalid = visibility.gpus, visibility.invalid
    hidden = len(gpus) - len(left)
    if value is None or invalid is None or not hidden:
        return
    if left and invalid in ("", "-1"):  # the end of a list, meant as that
        return
    if not left and working_gpus(facts):  # CUDA reads more into it than is known here
        return
    slurm = system_of(facts).slurm
    given_none = slurm is not None and slurm.job != "" and not slurm.gpus
    valid = ", ".join(str(gpu.index) for gpu in gpus)
    named = (
        tr('"{quote}" names no GPU of this machine.', quote=quote(invalid, 60)) if invalid else ""
    )
    yield Finding(
        "hidden-gpus",
        severity="note" if left else "warning",
        what=tr(
            'CUDA_VISIBLE_DEVICES is "{value}": it hides {hidden} of {gpus}.',
            value=quote(value, 80),
            hidden=hidden,
            gpus=plural(len(gpus), "GPU"),
        ),
        why=tr("SLURM gave this job no GPU.")
        if given_none
        else tr("{named} Valid here: {valid}.", named=named or tr("It names no GPU."), valid=valid),
        remedy=SLURM_GPU if given_none else "unset CUDA_VISIBLE_DEVICES",
        explains=frozenset() if left else frozenset({"framework-no-gpu", "cuda-init"}),
        short=tr("CUDA_VISIBLE_DEVICES hides")
        + " "
        + (
            tr("the GPU")
            if len(gpus) == 1
            else tr("{hidden} of {gpus_count} GPUs", hidden=hidden, gpus_count=len(gpus))
        ),
    )


def mig(facts: Facts) -> Findings:
    """Find GPUs in MIG mode without slices, or where none is chosen."""
    visibility = read_visibility(facts.visible_devices, nvml_gpus(facts))
    for gpu in visibility.gpus:
        if not gpu.mig or visibility.slices:
            continue
        working, label = bool(working_gpus(facts)), gpu_label(gpu)
        explains = symptoms_on(facts, [gpu]) | {"cuda-init"}
        if gpu.mig_devices:
            yield Finding(
                "mig",
                severity="note" if working and not _fails_on(facts, [gpu]) else "warning",
                what=tr(
                    "{label} is divided into {slices} (MIG), and none is chosen.",
                    label=label,
                    slices=plural(len(gpu.mig_devices), "slice"),
                ),
                why=tr("A program can use one slice only. The workbench chooses the freest."),
                remedy=f"export CUDA_VISIBLE_DEVICES={shell_safe(gpu.mig_devices[0].uuid)}",
                explains=explains,
                short=tr("no slice of GPU {index} is chosen", index=gpu.index),
            )
        else:
            yield Finding(
                "mig-no-slices",
                severity="note" if working else "warning",
                what=tr("{label} is in MIG mode, but has no slices.", label=label),
                why=tr(
                    "In that mode nothing runs on the whole GPU. `nvidia-smi mig -i "
                    "{index} -lgip` lists the profiles for slices.",
                    index=gpu.index,
                ),
                remedy=tr(
                    "ask the admin for a slice: sudo nvidia-smi mig -i {index} -cgi PROFILE -C",
                    index=gpu.index,
                ),
                explains=explains - {"gpu-jit", "gpu-speed"},
                short=tr("GPU {index} has no slices", index=gpu.index),
            )


def gpu_too_old(facts: Facts) -> Findings:
    """Find GPUs that TensorFlow ignores."""
    seen, stderr = seen_gpus(facts), framework_stderr(facts)
    old = [gpu for gpu in seen if _before(gpu, OLDEST_CAPABILITY) and not _works_on(facts, gpu)]
    ignored = next((line for line in stderr.splitlines() if "Ignoring visible gpu" in line), "")
    if backend(facts) != "tensorflow" or not (old or ignored):
        return
    others = [gpu for gpu in seen if gpu not in old]
    # A run chooses the freest GPU by default, whatever its age.
    works = bool(working_gpus(facts)) and auto_gpu(facts) not in old
    too_old = tr("the GPU is too old for TensorFlow")
    if old:
        oldest = min(gpu.compute_capability or OLDEST_CAPABILITY for gpu in old)
        short = too_old
        what = tr(
            "{gpu_labels}: too old for TensorFlow, which needs compute capability 6.0 "
            "or newer; this is {oldest}.{oldest_2}.",
            gpu_labels=gpu_labels(old),
            oldest=oldest[0],
            oldest_2=oldest[1],
        )
    else:
        message = ignored[ignored.index("Ignoring visible gpu") :]
        short = (
            too_old if "capability" in message.split(")")[-1] else tr("TensorFlow ignores the GPU")
        )
        what = tr("TensorFlow ignores a GPU: {quote}.", quote=quote(message, 200))
    remedy = (
        tr("train on another GPU: --gpu {index}", index=others[0].index)
        if old and others
        else tr("continue on the CPU: --gpu none")
    )
    yield Finding(
        "gpu-too-old",
        severity="note" if works else "warning",
        what=what,
        why=tr("Training uses another GPU by default.")
        if works
        else tr("A run on it continues on the CPU."),
        remedy="" if works else remedy,
        explains=symptoms_on(facts, old or seen) & {"framework-no-gpu", "gpu-compute"},
        short=short,
    )


def pascal_cudnn(facts: Facts) -> Findings:
    """Find GPUs that cuDNN supported up to 9.10."""
    version = wheel_version(facts, CUDNN)
    old = [
        gpu
        for gpu in seen_gpus(facts)
        if _before(gpu, OLDEST_OF_NEW_CUDNN) and not _before(gpu, OLDEST_CAPABILITY)
    ]
    dropped = version_numbers(version) >= CUDNN_WITHOUT_PASCAL
    if old and dropped and backend(facts) == "tensorflow":
        yield Finding(
            "pascal-cudnn",
            severity="warning" if _fails_on(facts, old) else "note",
            what=tr(
                "cuDNN {version} no longer supports {gpu_labels}.",
                version=quote(version),
                gpu_labels=gpu_labels(old),
            ),
            why=tr(
                "From 9.11 on, cuDNN has no convolutions for GPUs before Turing "
                "(compute capability 7.5)."
            ),
            remedy=tr("pip install '{cudnn}>=9.3,<9.11'", cudnn=CUDNN),
            explains=symptoms_on(facts, old) - {"framework-no-gpu"},
            short=tr("cuDNN {version} is too new for this GPU", version=quote(version)),
        )


def blackwell(facts: Facts) -> Findings:
    """Find GPUs newer than TensorFlow's packages."""
    new = [gpu for gpu in seen_gpus(facts) if _after(gpu, NEWEST_OF_TENSORFLOW)]
    fails = _fails_on(facts, new)
    cuda = facts.framework.cuda if facts.framework else ""
    supported = not fails and version_numbers(cuda) >= CUDA_WITH_BLACKWELL
    if new and not supported and backend(facts) == "tensorflow":
        yield Finding(
            "blackwell",
            severity="warning" if fails else "note",
            what=tr(
                "{gpu_labels}: newer than this TensorFlow, which was built for CUDA {cuda}.",
                gpu_labels=gpu_labels(new),
                cuda=quote(cuda) or "12.5",
            ),
            why=tr(
                "Its programs are compiled for the GPU when they first run, which "
                "takes up to half an hour or fails."
            ),
            remedy=tr(
                "{install}, then train with --set training.backend=jax; or a vendor container",
                install=INSTALL_GPU["jax"],
            ),
            explains=symptoms_on(facts, new) - {"framework-no-gpu"},
            short=tr("the GPU is newer than TensorFlow"),
        )


def _fails_on(facts: Facts, gpus: list[Gpu]) -> bool:
    behind = [gpu_behind(facts, failure.device) for failure in gpu_failures(facts)]
    return any(gpu is None or gpu in gpus for gpu in behind)


def _works_on(facts: Facts, gpu: Gpu) -> bool:
    return any(gpu_behind(facts, device.id) == gpu for device in working_gpus(facts))


def _before(gpu: Gpu, capability: tuple[int, int]) -> bool:
    return gpu.compute_capability is not None and gpu.compute_capability < capability


def _after(gpu: Gpu, capability: tuple[int, int]) -> bool:
    return gpu.compute_capability is not None and gpu.compute_capability > capability


RULES: tuple[Rule, ...] = (
    hardware,
    hidden_gpus,
    mig,
    gpu_too_old,
    pascal_cudnn,
    blackwell,
)
