"""Events of a session, which is one worker's work on a run: its start, its device, its end."""

from dataclasses import dataclass
from typing import Annotated, Literal

from workbench.runs.events.event import Event
from workbench.runs.fields import Count, Fields, Flag, Number, Text, Texts, Whole, part, parts


@dataclass(frozen=True, kw_only=True)
class Launched(Event):
    """The launcher starts a worker; written before the worker's own events.

    Attributes:
        job: "train".
        resume: whether it continues at the last checkpoint.
        queued: whether it waits for other runs.
        argv: the command.
        host: name of the machine.
        boot_id: changes with every boot of the machine.
        log_start: byte of worker.log at which this session's output begins.
    """

    event: Literal["launched"] = "launched"
    job: Text = "train"
    resume: Flag = False
    queued: Flag = False
    argv: Texts = ()
    host: Text = ""
    boot_id: Text = ""
    log_start: Count = 0


@dataclass(frozen=True, kw_only=True)
class WorkerStarted(Event):
    """The worker runs.

    Attributes:
        pid: its process.
        host: name of the machine.
        boot_id: changes with every boot of the machine.
        python: version.
        backend: tensorflow, jax or torch.
        keras: version.
        tensorflow: version; "" if it is not installed, likewise for those below.
        jax: version.
        torch: version.
        numpy: version.
        pillow: version.
        warm: whether keras was imported before there was a run.
    """

    event: Literal["worker_started"] = "worker_started"
    pid: Whole = None
    host: Text = ""
    boot_id: Text = ""
    python: Text = ""
    backend: Text = ""
    keras: Text = ""
    tensorflow: Text = ""
    jax: Text = ""
    torch: Text = ""
    numpy: Text = ""
    pillow: Text = ""
    warm: Flag = False


@dataclass(frozen=True, kw_only=True)
class ChosenGpu(Fields):
    """The GPU that a run claimed; memory in bytes."""

    index: Whole = None
    uuid: Text = ""
    name: Text = ""
    memory_free: Whole = None
    memory_total: Whole = None


@dataclass(frozen=True, kw_only=True)
class GpuChosen(Event):
    """The run claimed its device.

    Attributes:
        asked: auto, none or a number.
        gpu: index, uuid, name, memory_free and memory_total (bytes); null for the CPU.
        others: the same of the GPUs that share each batch with it.
    """

    event: Literal["gpu_chosen"] = "gpu_chosen"
    asked: Text = ""
    gpu: Annotated[ChosenGpu | None, part(ChosenGpu)] = None
    others: Annotated[tuple[ChosenGpu, ...], parts(ChosenGpu)] = ()


@dataclass(frozen=True, kw_only=True)
class GpuUse(Fields):
    """Use of a GPU: percent, degrees Celsius, bytes."""

    utilization: Number = None
    temperature: Number = None
    memory_used: Number = None
    memory_total: Number = None


@dataclass(frozen=True, kw_only=True)
class MachineSample(Event):
    """Use of the machine, every few seconds; is kept in status.json.

    Attributes:
        cpu: percent of all cores.
        process_cpu: percent of one core.
        memory_used: bytes.
        memory_total: bytes.
        process_memory: bytes.
        disk_free: bytes.
        gpu: utilization (percent), temperature (degrees Celsius), memory_used and memory_total
            (bytes); null without a GPU.
    """

    event: Literal["machine"] = "machine"
    cpu: Number = None
    process_cpu: Number = None
    memory_used: Number = None
    memory_total: Number = None
    process_memory: Number = None
    disk_free: Number = None
    gpu: Annotated[GpuUse | None, part(GpuUse)] = None


@dataclass(frozen=True, kw_only=True)
class Notice(Event):
    """A message for the user.

    Attributes:
        message: one or more sentences.
    """

    event: Literal["notice"] = "notice"
    message: Text = ""


@dataclass(frozen=True, kw_only=True)
class Resumed(Event):
    """Training continues here; what was written about this epoch and later ones is superseded.

    Attributes:
        stage: number of the stage, from 0.
        epoch: number of the epoch, from 1.
        step: finished steps of the epoch.
    """

    event: Literal["resumed"] = "resumed"
    stage: Whole = None
    epoch: Whole = None
    step: Count = 0


@dataclass(frozen=True, kw_only=True)
class BatchHalved(Event):
    """Out of memory; a new process continues with smaller batches.

    Attributes:
        from_size: images a step until now.
        to_size: images a step from now on.
    """

    event: Literal["batch_halved"] = "batch_halved"
    from_size: Whole = None
    to_size: Whole = None


@dataclass(frozen=True, kw_only=True)
class RunStopped(Event):
    """The session ended on request, or by its sweep's rule; a resume continues here.

    Attributes:
        stage: number of the stage, from 0.
        epoch: number of the epoch, from 1.
        step: finished steps of the epoch.
        pruned: why the sweep that the run belongs to has given it up; "" on request.
    """

    event: Literal["stopped"] = "stopped"
    stage: Whole = None
    epoch: Whole = None
    step: Count = 0
    pruned: Text = ""


@dataclass(frozen=True, kw_only=True)
class RunFailed(Event):
    """The session ended with an error.

    Attributes:
        kind: user (a person can fix it), memory (out of memory), disk (full or not writable),
            diverged (NaN or an exploding loss) or error (unexpected).
        message: what was wrong.
        hint: what to do.
        stage: in which it happened; null before the first.
        epoch: likewise.
        step: finished steps of the epoch.
    """

    event: Literal["failed"] = "failed"
    kind: Text = "error"
    message: Text = ""
    hint: Text = ""
    stage: Whole = None
    epoch: Whole = None
    step: Count = 0


@dataclass(frozen=True, kw_only=True)
class RunFinished(Event):
    """The run is complete.

    Attributes:
        seconds: of this session, without waiting in the queue.
    """

    event: Literal["finished"] = "finished"
    seconds: Number = None


@dataclass(frozen=True, kw_only=True)
class Interrupted(Event):
    """The worker ended without a final event; never written, made for those who follow a run.

    Attributes:
        log: the last lines that it printed.
    """

    event: Literal["interrupted"] = "interrupted"
    log: Texts = ()
