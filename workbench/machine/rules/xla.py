"""What a GPU trains without: XLA and half precision, which "auto" leaves off where they fail."""

from workbench.machine.facts import Facts
from workbench.machine.finding import (
    NVCC,
    STEP_SYMPTOMS,
    Finding,
    Findings,
    Rule,
    StepFailure,
    backend,
    device_names,
    device_works,
    framework_output,
    framework_title,
    gpu_failures,
    join_names,
    missing_wheels,
    quote,
    wheel_version,
)
from workbench.machine.trial import FLOAT16
from workbench.messages import tr

NO_LIBDEVICE = (
    "libdevice not found",
    "can't find libdevice",
    "no ptx compilation provider",
    "ptxas not found",
)


def libdevice(facts: Facts) -> Findings:
    """Find a missing GPU compiler, which the first step with jit needs."""
    failed = gpu_failures(facts)
    output = framework_output(facts).lower()
    reported = any(text in output for text in NO_LIBDEVICE)
    compiler = missing_wheels(facts) == [NVCC] and all(failure.jit for failure in failed)
    if not failed or not (reported or compiler) or backend(facts) != "tensorflow":
        return
    flags = tr("set XLA_FLAGS=--xla_gpu_cuda_data_dir=DIR, the folder that holds nvvm/libdevice")
    install = f"pip install {NVCC}"
    yield Finding(
        "libdevice",
        what=tr("TensorFlow cannot compile for the GPU: libdevice or ptxas is missing."),
        why=tr("Runs train without XLA, which makes them slower on most GPUs."),
        remedy=tr("{flags}; or {install} --force-reinstall --no-deps", flags=flags, install=install)
        if wheel_version(facts, NVCC)
        else tr("{install}; or {flags}", install=install, flags=flags),
        explains=STEP_SYMPTOMS,
        short=tr("libdevice or ptxas is missing"),
    )


def xla(facts: Facts) -> Findings:
    """Find GPUs that train, but not with XLA."""
    title = framework_title(facts)
    failed = [failure for failure in gpu_failures(facts) if failure.jit]
    if found := [failure for failure in failed if device_works(facts, failure.device)]:
        yield Finding(
            "gpu-jit",
            severity="note",
            what=tr(
                "XLA ends the process on {devices}: {message}.",
                devices=device_names(found),
                message=quote(found[0].message),
            )
            if _ended(facts, found[0])
            else tr(
                "Steps with XLA fail on {devices}: {message}.",
                devices=device_names(found),
                message=quote(found[0].message),
            ),
            why=tr("Runs train without it here (training.jit = auto), which works."),
            remedy=tr(
                "leave out --set training.jit=on; a newer {title} may know this GPU{others}",
                title=title,
                others=tr(", or JAX: --set training.backend=jax")
                if backend(facts) == "tensorflow"
                else "",
            ),
            short=tr("XLA fails on {devices}", devices=device_names(found)),
        )


def half_precision(facts: Facts) -> Findings:
    """Find GPUs with tensor cores on which half precision does not train."""
    steps = facts.framework.steps if facts.framework else ()
    failed = [step for step in steps if step.precision == FLOAT16 and not step.worked]
    if failed := [step for step in failed if device_works(facts, step.device)]:
        devices = join_names([quote(step.device, 20) for step in failed])
        reason = f": {quote(failed[0].error)}" if failed[0].error else ""
        yield Finding(
            "gpu-half",
            severity="note",
            what=tr(
                "Half precision gives no finite loss on {devices}{reason}.",
                devices=devices,
                reason=reason,
            ),
            why=tr("Runs train in float32 here (training.precision = auto), which works."),
            remedy=tr("leave out --set training.precision=mixed_float16"),
            short=tr("half precision fails on {devices}", devices=devices),
        )


def _ended(facts: Facts, failure: StepFailure) -> bool:
    """Return whether the process ended in this step."""
    steps = facts.framework.steps if facts.framework else ()
    return any(s.ended and (s.device, s.jit) == (failure.device, failure.jit) for s in steps)


RULES: tuple[Rule, ...] = (
    libdevice,
    xla,
    half_precision,
)
