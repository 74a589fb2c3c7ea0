"""GPUs that are hidden, in slices, too old or too new."""

from workbench.machine.facts import Facts, Gpu
from workbench.machine.finding import (
    Finding,
    gpu_label,
    gpu_labels,
    quote,
    typed,
    version_numbers,
)
from workbench.machine.gpus import OLDEST_CARD
from workbench.machine.install_faults import CUDNN, wheel_version
from workbench.machine.steps import (
    auto_gpu,
    backend,
    framework_stderr,
    gpu_behind,
    gpu_failures,
    nvml_gpus,
    seen_gpus,
    symptoms_on,
    working_gpus,
)
from workbench.machine.visibility import read_visibility
from workbench.text import plural

OLDEST_NEW_CUDNN = (7, 5)  # the first that cuDNN 9.11 and later know
NEWEST_CARD = (9, 0)  # the last that TensorFlow's packages are built for
DROPPED_CUDNN = (9, 11)
KNOWS_BLACKWELL = (12, 8)  # the first CUDA that does


def hidden_gpus(facts: Facts) -> list[Finding]:
    """CUDA_VISIBLE_DEVICES hides GPUs because it is empty or wrong, not because it chooses."""
    gpus, value = nvml_gpus(facts), facts.visible_devices
    told = read_visibility(value, gpus)
    hidden = len(gpus) - len(told.gpus)
    if value is None or told.invalid is None or not hidden:
        return []
    if told.gpus and told.invalid in ("", "-1"):  # the end of a list, meant as that
        return []
    if not told.gpus and working_gpus(facts):  # CUDA reads more into it than is known here
        return []
    slurm = facts.system.slurm if facts.system else None
    given_none = slurm is not None and slurm.job != "" and not slurm.gpus
    valid = ", ".join(str(gpu.index) for gpu in gpus)
    return [
        Finding(
            "hidden-gpus",
            "note" if told.gpus else "warning",
            f'CUDA_VISIBLE_DEVICES is "{quote(value, 80)}": it hides {hidden} of '
            f"{plural(len(gpus), 'GPU')}.",
            "This job of SLURM was given no GPU."
            if given_none
            else f"{_invalid(told.invalid)} Here it could name: {valid}.",
            "srun --gres=gpu:1 --pty bash" if given_none else "unset CUDA_VISIBLE_DEVICES",
            frozenset() if told.gpus else frozenset({"framework-no-gpu", "cuda-init"}),
            short="CUDA_VISIBLE_DEVICES hides "
            + ("the GPU" if len(gpus) == 1 else f"{hidden} of {len(gpus)} GPUs"),
        )
    ]


def mig(facts: Facts) -> list[Finding]:
    """A GPU in slices, of which none was chosen or none was made."""
    told = read_visibility(facts.visible_devices, nvml_gpus(facts))
    named = {part.uuid for part in told.slices}
    findings = []
    for gpu in told.gpus:
        if not gpu.mig or named:
            continue
        explains = symptoms_on(facts, [gpu]) | {"cuda-init"}
        works = _none_fails(facts, gpu)
        findings.append(
            _slices(gpu, works, explains)
            if gpu.mig_devices
            else _no_slices(gpu, bool(working_gpus(facts)), explains - {"gpu-jit", "gpu-speed"})
        )
    return findings


def card_too_old(facts: Facts) -> list[Finding]:
    """Cards that the framework passes over."""
    if backend(facts) != "tensorflow":
        return []
    old = [
        gpu for gpu in seen_gpus(facts) if _before(gpu, OLDEST_CARD) and not _works_on(facts, gpu)
    ]
    words = next(
        (line for line in framework_stderr(facts).splitlines() if "Ignoring visible gpu" in line),
        "",
    )
    if not old and not words:
        return []
    others = [gpu for gpu in seen_gpus(facts) if gpu not in old]
    # A run takes the freest GPU by itself, whatever its age.
    works = bool(working_gpus(facts)) and auto_gpu(facts) not in old
    short = "the GPU is too old for TensorFlow"
    if old:
        oldest = min(gpu.compute_capability or OLDEST_CARD for gpu in old)
        what = (
            f"{gpu_labels(old)}: too old for TensorFlow, which wants compute capability 6.0 or "
            f"newer; this is {oldest[0]}.{oldest[1]}."
        )
    else:
        words = words[words.index("Ignoring visible gpu") :]
        what = f"TensorFlow passes over a GPU: {quote(words, 200)}."
        short = short if "capability" in words.split(")")[-1] else "TensorFlow passes over the GPU"
    return [
        Finding(
            "card-too-old",
            "note" if works else "warning",
            what,
            "Training takes another GPU by itself."
            if works
            else "A run that takes it continues on the CPU.",
            ""
            if works
            else f"train on another GPU: --gpu {others[0].index}"
            if old and others
            else "continue on the CPU: --gpu none",
            symptoms_on(facts, old or seen_gpus(facts)) & {"framework-no-gpu", "gpu-compute"},
            short=short,
        )
    ]


def pascal_cudnn(facts: Facts) -> list[Finding]:
    """Cards that cuDNN knew up to 9.10."""
    version = wheel_version(facts, CUDNN)
    old = [
        gpu
        for gpu in seen_gpus(facts)
        if _before(gpu, OLDEST_NEW_CUDNN) and not _before(gpu, OLDEST_CARD)
    ]
    if not old or version_numbers(version) < DROPPED_CUDNN or backend(facts) != "tensorflow":
        return []
    return [
        Finding(
            "pascal-cudnn",
            "warning" if _fails_on(facts, old) else "note",
            f"cuDNN {quote(version)} no longer knows {gpu_labels(old)}.",
            "From 9.11 on, cuDNN has no convolutions for cards before Turing "
            "(compute capability 7.5).",
            f"pip install '{CUDNN}>=9.3,<9.11'",
            symptoms_on(facts, old) - {"framework-no-gpu"},
            short=f"cuDNN {quote(version)} is too new for this GPU",
        )
    ]


def blackwell(facts: Facts) -> list[Finding]:
    """Cards newer than TensorFlow's packages."""
    new = [gpu for gpu in seen_gpus(facts) if _after(gpu, NEWEST_CARD)]
    if not new or backend(facts) != "tensorflow":
        return []
    fails = _fails_on(facts, new)
    cuda = facts.framework.cuda if facts.framework else ""
    if not fails and version_numbers(cuda) >= KNOWS_BLACKWELL:
        return []
    return [
        Finding(
            "blackwell",
            "warning" if fails else "note",
            f"{gpu_labels(new)}: newer than this TensorFlow, which was built for CUDA "
            f"{quote(cuda) or '12.5'}.",
            "Its programs are compiled for the card when they first run, which takes up to half an "
            "hour or fails.",
            "KERAS_BACKEND=torch or jax in an environment of its own, or a vendor container",
            symptoms_on(facts, new) - {"framework-no-gpu"},
            short="the GPU is newer than TensorFlow",
        )
    ]


def _invalid(entry: str) -> str:
    return f'"{quote(entry, 60)}" names no GPU of this machine.' if entry else "It names no GPU."


def _slices(gpu: Gpu, works: bool, explains: frozenset[str]) -> Finding:
    count = len(gpu.mig_devices)
    return Finding(
        "mig",
        "note" if works else "warning",
        f"{gpu_label(gpu)} is divided into {plural(count, 'slice')} (MIG), and none is chosen.",
        "A program can use one slice only. The workbench takes the freest.",
        f"export CUDA_VISIBLE_DEVICES={typed(gpu.mig_devices[0].uuid)}",
        explains,
        short=f"no slice of GPU {gpu.index} is chosen",
    )


def _no_slices(gpu: Gpu, works: bool, explains: frozenset[str]) -> Finding:
    return Finding(
        "mig-no-slices",
        "note" if works else "warning",
        f"{gpu_label(gpu)} is in MIG mode, but no slice was made.",
        "In that mode nothing runs on the whole card. "
        f"`nvidia-smi mig -i {gpu.index} -lgip` lists the profiles for slices.",
        f"ask the admin for a slice: sudo nvidia-smi mig -i {gpu.index} -cgi PROFILE -C",
        explains,
        short=f"GPU {gpu.index} has no slices",
    )


def _none_fails(facts: Facts, gpu: Gpu) -> bool:
    return bool(working_gpus(facts)) and not _fails_on(facts, [gpu])


def _fails_on(facts: Facts, gpus: list[Gpu]) -> bool:
    behind = [gpu_behind(facts, failure.device) for failure in gpu_failures(facts)]
    return any(gpu is None or gpu in gpus for gpu in behind)


def _works_on(facts: Facts, gpu: Gpu) -> bool:
    return any(gpu_behind(facts, device.id) == gpu for device in working_gpus(facts))


def _before(gpu: Gpu, capability: tuple[int, int]) -> bool:
    return gpu.compute_capability is not None and gpu.compute_capability < capability


def _after(gpu: Gpu, capability: tuple[int, int]) -> bool:
    return gpu.compute_capability is not None and gpu.compute_capability > capability
