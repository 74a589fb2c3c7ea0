"""The devices that a run may use, as the queue asks for them: permitted ones, those with room."""

import os
import time
from collections.abc import Mapping, Sequence

from workbench.errors import UserError
from workbench.experiment.int_range import GPU_SHARE
from workbench.experiment.spec import ExperimentSpec
from workbench.machine.device_group import can_share
from workbench.machine.driver import CONTEXT_BYTES, is_recent, query_nvml, with_room
from workbench.machine.facts import NvmlReport
from workbench.machine.gpus import (
    NONE,
    GpuChoice,
    describe_holders,
    gpu_variables,
    usable_gpus,
)
from workbench.machine.preflight import certain_memory
from workbench.messages import tr
from workbench.runs.slots import Slot
from workbench.text import format_choices, format_gib, safe_text

SHARE_VARIABLE = "WORKBENCH_GPU_SHARE"  # runs that may use a device at the same time
WAIT_VARIABLE = "WORKBENCH_WAIT"  # "no": a run ends where others hold the memory of its GPUs
ASK_SECONDS = 2.0  # between two questions to the driver for free memory
_LONGEST = 9  # digits of a number of a GPU
_FEWEST_CLASSES = 2  # the images have not been counted while a run waits


class RunDevices:
    """Finds the devices of a run; it is what `wait_for_devices` calls a finder.

    Args:
        spec: of the run.
        report: what NVML reported; it is asked again when the report is old.
        environment: of the process, for CUDA_VISIBLE_DEVICES, and for what a person chose.

    Raises:
        UserError: A variable's value is not allowed.

    Attributes:
        count: devices that the run needs.
        share: runs that may use one at the same time.
        obstacle: why fewer devices are usable than permitted.
    """

    def __init__(
        self,
        spec: ExperimentSpec,
        report: NvmlReport | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self.count = spec.training.devices
        self.share = _read_share(environment)
        self.obstacle = ""
        self._requested = spec.training.gpu
        self._spec, self._report, self._environment = spec, report, environment

    def permitted(self) -> Sequence[str]:
        """Return the names of all devices that the run may use, the freest first.

        Raises:
            UserError: The requested GPU does not exist.
        """
        return [choice.key for choice in self._choices()]

    def usable(self) -> Sequence[str]:
        """Return the names of those with enough free memory now.

        Raises:
            UserError: There are too few, and the person chose not to wait for others.
        """
        choices = self._choices(ASK_SECONDS)
        needed = certain_memory(self._spec, _FEWEST_CLASSES)
        roomy = with_room(choices, needed)
        self.obstacle = ""
        if len(roomy) < self.count:
            self.obstacle = _describe_obstacle(choices[self.count - 1])
            if self._environment.get(WAIT_VARIABLE) == "no":
                raise UserError(
                    tr(
                        "The run needs {needed} or more of {obstacle}.",
                        needed=format_gib(max(needed, CONTEXT_BYTES)),
                        obstacle=self.obstacle,
                    ),
                    tr("Resume it with --wait, or on other GPUs (--gpus), or on the CPU."),
                )
        return [one.key for one in roomy]

    def roomy(self) -> Sequence[str]:
        """Return the names of those that had enough, without asking the driver again.

        Raises:
            UserError: The requested GPU does not exist.
        """
        needed = certain_memory(self._spec, _FEWEST_CLASSES)
        return [one.key for one in with_room(self._choices(), needed)]

    def choices(self, slots: Sequence[Slot]) -> tuple[GpuChoice, ...]:
        """Return the devices whose slots were taken, in that order.

        Raises:
            UserError: One of them has disappeared.
        """
        found = {choice.key: choice for choice in self._choices()}
        for slot in slots:
            if slot.device not in found:
                raise UserError(
                    tr("{device} has disappeared.", device=safe_text(slot.device)),
                    tr("`workbench check` shows what the driver says."),
                )
        return tuple(found[slot.device] for slot in slots)

    def _choices(self, age: float | None = None) -> tuple[GpuChoice, ...]:
        """Return what may be used, by a recent report or by one of at most `age` seconds."""
        nvml = None
        if self._requested != NONE:  # a run on the CPU need not wait for a driver that hangs
            report = self._report
            if not report or not is_recent(report) or (age and time.time() - report.asked > age):
                self._report = report = query_nvml(self._environment)
            nvml = report.nvml
        usable = usable_gpus(self._requested, nvml, self._environment)
        devices = self._spec.training.devices
        found = can_share(usable, devices, self._environment)
        self.count = devices if found[0].gpu else 1  # the CPU is one device, even in parts
        return found


def check_gpus(text: str, environment: Mapping[str, str] = os.environ) -> tuple[int, ...]:
    """Return the GPUs that a person listed, "0,2", once it is known that they can be used.

    Raises:
        UserError: It is no such list, or one of them does not exist, respond, or is hidden.
    """
    parts = [part.strip() for part in text.split(",")]
    numbers = tuple(int(part) for part in parts if part.isdecimal() and len(part) < _LONGEST)
    if len(numbers) < len(parts) or len(set(numbers)) < len(numbers):
        raise UserError(
            tr("--gpus {text} is no list of different GPUs.", text=safe_text(repr(text), 80)),
            tr("Write their numbers, as nvidia-smi counts: --gpus 0,2"),
        )
    nvml = query_nvml(environment).nvml
    known = [str(gpu.index) for gpu in nvml.gpus] if nvml else []
    for number in numbers:
        if known and str(number) not in known:
            raise UserError(
                tr("There is no GPU {number}.", number=number),
                tr("--gpus allows {known}.", known=format_choices(known)),
            )
        usable_gpus(number, nvml, environment)
    return numbers


def device_variables(gpus: Sequence[int], share: int | None, wait: bool | None) -> dict[str, str]:
    """Return the variables that pass a person's choice of devices to a worker.

    Args:
        gpus: indices as nvidia-smi counts; none for all.
        share: runs that may use one at the same time; None for one.
        wait: False to end where others hold the memory.
    """
    variables = gpu_variables(gpus) if gpus else {}
    if share is not None:
        variables[SHARE_VARIABLE] = str(share)
    if wait is False:
        variables[WAIT_VARIABLE] = "no"
    return variables


def _read_share(environment: Mapping[str, str]) -> int:
    text = environment.get(SHARE_VARIABLE, "1")
    if not text.isdecimal() or not GPU_SHARE.min <= int(text) <= GPU_SHARE.max:
        raise UserError(
            tr(
                "{variable} is {text}; allowed: 1 to {most} runs on a device.",
                variable=SHARE_VARIABLE,
                text=safe_text(repr(text), 40),
                most=GPU_SHARE.max,
            )
        )
    return int(text)


def _describe_obstacle(needed: GpuChoice) -> str:
    """Return a device and who holds its memory: "GPU 1, held by ana (PID 33) 20 GiB"."""
    name = f"GPU {needed.gpu.index}" if needed.gpu else needed.device_name
    if held := describe_holders(needed):
        return tr("{name}, held by {held}", name=name, held=held)
    return tr("{name}, with {free} free", name=name, free=format_gib(needed.memory_free))
