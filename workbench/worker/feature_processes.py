"""The feature pass by several processes: the job of each of them, and the helpers of a run.

They share nothing but the files of features, from which each takes what no other is working on.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Self

from workbench.errors import UserError
from workbench.experiment.plan import plan_stages
from workbench.experiment.toml import spec_tree
from workbench.machine.driver import query_nvml
from workbench.machine.gpus import AUTO, NONE, VARIABLE, GpuChoice, free_twins
from workbench.messages import tr
from workbench.runs.events import Event, Notice
from workbench.runs.folder import RunFolder
from workbench.runs.job import JobEvent, run_job
from workbench.runs.process import WORKER_MODULE
from workbench.runs.queue import take_idle
from workbench.runs.slots import Slot
from workbench.worker.jobs import JobEvents, Request
from workbench.worker.training_setup import TrainingSetup, make_training_setup

if TYPE_CHECKING:
    from workbench.training.trainer import Trainer

JOB = "features"
_PR_SET_PDEATHSIG = 1  # prctl(2)


def compute_features(request: Request, events: JobEvents) -> dict[str, Any]:
    """Run the job `features`: compute and keep all features that the plan of a spec needs.

    SIGTERM ends it after the images that it is computing, the end of the process that started it at
    once; what was computed is kept.

    Request: spec, workspace, scratch; shard: number and count, or null for all. Of a run's helper
    too: manifest, device ("cpu" or "gpu") and precision, without which it would compute features
    that the run does not read. Result: computed, missing (images, each view counted) and name, the
    data folder.
    """
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    with suppress(AttributeError, OSError):  # not on Linux: it ends with its next event
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    setup, scratch = make_training_setup(request, events)
    from workbench.training.feature_file import WHOLE, Shard
    from workbench.training.trainer import features_of_stage

    device = setup.device
    if request.get("device", device.kind) != device.kind:
        raise UserError(tr("Keras sees no GPU here."))
    setup = replace(setup, device=replace(device, precision=request.get("precision", "")))

    def emit(event: Event) -> None:
        if isinstance(event, Notice):
            events.notice(event.message)

    trainer = setup.make_trainer(setup.spec, scratch, emit)
    whole, shard = trainer.store, request["shard"]
    assert whole is not None  # the caller has looked at the plan
    trainer.store = replace(whole, shard=Shard(*shard) if shard else WHOLE)
    computed, stages = 0, plan_stages(setup.spec)
    found = [kept for stage in stages if (kept := features_of_stage(trainer, stage))]
    for stage in found:
        computed += stage.count_missing()
        stage.compute_features()
    trainer.store = whole
    again = [kept for stage in stages if (kept := features_of_stage(trainer, stage))]
    missing = sum(stage.count_missing() for stage in again)
    return {"computed": computed, "missing": missing, "name": setup.prepared.name}


def helpers_of_run(
    folder: RunFolder,
    setup: TrainingSetup,
    trainer: "Trainer",
    choice: GpuChoice,
    environment: Mapping[str, str],
) -> "FeatureHelpers":
    """Return the helpers that a run asked for, as far as there are features to compute and GPUs.

    Args:
        folder: of the run.
        setup: of the run.
        trainer: of the run, with its model.
        choice: the device of the run.
        environment: of the worker before that device was chosen.
    """
    from workbench.training.backend import resolve_precision
    from workbench.training.trainer import features_of_stage

    spec, device = trainer.spec, setup.device
    wanted = spec.base.feature_processes - 1 if spec.base else 0
    found = (features_of_stage(trainer, stage) for stage in plan_stages(spec) if wanted)
    if not any(kept.count_missing() for kept in found if kept):
        return FeatureHelpers({}, [], setup.notice)
    places = [Place({VARIABLE: "-1"})] * wanted
    if device.kind == "gpu":
        places = list(islice(_free_places(folder, choice, environment), wanted))
        if len(places) < wanted:
            setup.notice(
                tr(
                    "base.feature_processes is {asked}, but beside the run's own GPU {count} of "
                    "its kind are free.",
                    asked=wanted + 1,
                    count=len(places) or tr("none"),
                )
            )
    gpu = AUTO if device.kind == "gpu" else NONE
    training = spec.training.model_copy(update={"gpu": gpu})
    request = {
        "spec": spec_tree(spec.model_copy(update={"training": training})),
        "workspace": str(folder.path.parent.parent),
        "scratch": str(folder.checkpoints),
        "manifest": str(folder.manifest_path),
        "device": device.kind,
        "precision": resolve_precision(spec.training.precision, device),
        "shard": None,
    }
    return FeatureHelpers(request, places, setup.notice)


@dataclass(frozen=True)
class Place:
    """Where a helper runs.

    Attributes:
        variables: that show it its device, in addition to those of this process.
        slot: of that device, given back when the helper ends; None on the CPU.
    """

    variables: Mapping[str, str]
    slot: Slot | None = None


def _free_places(
    folder: RunFolder, choice: GpuChoice, environment: Mapping[str, str]
) -> Iterator[Place]:
    """Yield GPUs like the run's own that nobody uses or waits for, taken for the run."""
    for twin in free_twins(choice, query_nvml(environment).nvml, environment):
        if slot := take_idle(twin.key, folder):
            yield Place(twin.environment, slot)


class FeatureHelpers:
    """Processes that compute a run's features beside its worker, until all are there.

    What one leaves undone the others compute, so that its failure is no more than a notice.

    Args:
        request: of the job.
        places: one for each process.
        notice: receives messages for the user, from any thread.
        module: Python module to run; tests have workers of their own.
    """

    def __init__(
        self,
        request: Request,
        places: Sequence[Place],
        notice: Callable[[str], None],
        module: str = WORKER_MODULE,
    ) -> None:
        self._request = request
        self._notice = notice
        self._module = module
        self._processes: list[subprocess.Popen[bytes]] = []
        self._ending = False
        self._threads = [
            threading.Thread(target=self._run, args=(place,), daemon=True) for place in places
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End those that still run; what they have computed is kept."""
        self._ending = True
        for process in self._processes:
            with suppress(OSError):
                process.terminate()
        for thread in self._threads:
            thread.join()

    def _run(self, place: Place) -> None:
        def ignore(event: JobEvent) -> None:
            """The files of features show its progress."""

        environment = {**os.environ, **place.variables}
        try:
            run_job(JOB, self._request, ignore, self._module, self._started, environment)
        except (UserError, OSError) as error:
            if not self._ending:
                self._notice(
                    tr(
                        "A process that helped to compute features has ended; the others continue. "
                        "{error}",
                        error=error,
                    )
                )
        finally:
            if place.slot:
                os.close(place.slot.descriptor)

    def _started(self, process: "subprocess.Popen[bytes]") -> None:
        self._processes.append(process)
        if self._ending:
            process.terminate()
