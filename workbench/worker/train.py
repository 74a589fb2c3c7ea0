"""The job that trains a run: data, stages, the finished model, its test metrics.

It writes its progress to the run's event log; `session` writes the last event.
"""

import os
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from workbench.datasets.decoding import share_cores
from workbench.datasets.manifest import manifest_levels, read_manifest, write_manifest
from workbench.datasets.prepare import PreparedData, prepare, prepare_from_manifest
from workbench.errors import UserError
from workbench.experiment.batch_size import halve_batch_size
from workbench.experiment.deadline import check_deadline
from workbench.experiment.metrics import SCORES
from workbench.experiment.plan import plan_stages
from workbench.experiment.resuming import with_deadline
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import read_spec
from workbench.machine.device_finder import RunDevices
from workbench.machine.device_group import shared_variables
from workbench.machine.facts import NvmlReport
from workbench.machine.gpus import GpuChoice, describe_holders
from workbench.machine.host import available_memory
from workbench.machine.kept import load_kept
from workbench.machine.live import GpuGauge, Sample, Sampler
from workbench.machine.preflight import check_before_training
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.runs.event_log import EventWriter, StatusWriter, read_events
from workbench.runs.events import (
    PREFIX_PHASE,
    ChosenGpu,
    DataReady,
    EpochFinished,
    Evaluated,
    Evaluating,
    Event,
    GpuChosen,
    LayersChecked,
    MachineSample,
    Notice,
    Preparing,
    Resumed,
    StepProgress,
    newest_by_stage,
)
from workbench.runs.fields import Position
from workbench.runs.folder import RunFolder
from workbench.runs.queue import expected_runs, wait_for_devices
from workbench.runs.slots import Slot
from workbench.text import safe_text
from workbench.training.checkpoint import Checkpoint, CheckpointFolder
from workbench.training.trainer_state import START, OutOfTime, Stopped
from workbench.worker.deadline import set_deadline
from workbench.worker.evaluation import evaluate_split, write_results
from workbench.worker.feature_processes import helpers_of_run
from workbench.worker.jobs import out_of_memory, ran_out_of_memory
from workbench.worker.startup import FIRST_ENVIRONMENT, earlier_precision, start_keras, warm_up_for
from workbench.worker.sweep import Pruner, continue_sweep
from workbench.worker.training_setup import (
    TrainingSetup,
    base_weights,
    check_monitor,
    check_space,
    data_warnings,
    training_data,
)

if TYPE_CHECKING:
    from workbench.training.trainer import Trainer


@dataclass
class TrainJob:
    """One run's training from data to results.

    Attributes:
        position: where a stop at this moment would leave the run.
        started: when its turn came (monotonic seconds).
        clock: returns unix seconds, for the deadline.
        phase: of the preparation or evaluation that began last.
        progress: within the newest epoch.
        status: for what only matters while it is new.
        slots: of its devices, held until this process ends.
        choices: the devices that it claimed; those after the first share each batch with it.
        trainer: once training has begun; its position then counts.
        pruner: ends the run if its sweep gives it up.
    """

    folder: RunFolder
    events: EventWriter
    should_stop: Callable[[], bool]
    position: Position = START
    started: float = field(default_factory=time.monotonic)
    clock: Callable[[], float] = time.time
    phase: str = ""
    progress: StepProgress | None = None
    status: StatusWriter = field(init=False)
    slots: tuple[Slot, ...] = ()
    choices: tuple[GpuChoice, ...] = (GpuChoice(),)
    trainer: "Trainer | None" = None
    pruner: Pruner | None = None

    def __post_init__(self) -> None:
        self.status = StatusWriter(self.folder.status_path, self.events)

    def run(self, resume: bool) -> None:
        """Train the run; raise Stopped, UserError, or any other error."""
        spec = read_spec(self.folder.spec_path)
        checkpoint = self._load_checkpoint(spec.training.batch_size) if resume else None
        self._take_devices(spec)
        self.started = time.monotonic()
        continue_sweep(self.folder)
        self.pruner = Pruner(self.folder, spec)
        turn = self.clock()
        check_deadline(spec.training.deadline, turn)
        check_before_training(spec)
        setup = self._set_up(spec, resume, checkpoint)
        setup = self._train(setup, checkpoint, turn)
        self._evaluate(setup)

    @property
    def reached(self) -> dict[str, int]:
        """Stage, epoch and step of the newest progress; {} before the first."""
        progress = self.progress
        return asdict(progress.position) if progress else {}

    def _load_checkpoint(self, batch_size: int) -> Checkpoint | None:
        """Return where a resumed run continues; None from the beginning."""
        checkpoint, skipped = CheckpointFolder(self.folder.checkpoints).load_last()
        if skipped:
            self._notice(skipped)
        self.position = checkpoint.position_for(batch_size) if checkpoint else START
        self.events.write(Resumed(**asdict(self.position)))
        return checkpoint

    def _set_up(
        self, spec: ExperimentSpec, resume: bool, checkpoint: Checkpoint | None
    ) -> TrainingSetup:
        """Prepare weights, data and device, in this order: errors of the data need no keras."""
        weights = base_weights(spec, self._progress, self._notice)
        prepared = self._prepare_data(spec, resume, checkpoint)
        data = training_data(prepared.rows, prepared.labels, prepared.pack)
        self.events.write(
            DataReady(
                name=prepared.name,
                folder=str(prepared.folder),
                pack=prepared.pack.name,
                images={split: len(rows) for split, rows in data.rows.items()},
                labels=tuple(prepared.labels),
                notes=tuple(prepared.notes),
            )
        )
        for message in data_warnings(spec, data, prepared.leaks(), available_memory()):
            self._notice(message)
        check_monitor(spec, data)
        check_space(self.folder, spec, data.classes)
        self._claim_device(spec)
        self._progress(tr("start Keras"), 0, 0)
        device = start_keras(spec.training.deterministic, spec.training.devices)
        from workbench.training.backend import describe_settings

        if resume:
            earlier = earlier_precision(read_events(self.folder.events_path))
            device = replace(device, precision=earlier)
        if settings := describe_settings(spec.training, device):
            self._notice(settings)
        if (chosen := self.choices[0].gpu) and device.kind == "cpu":
            self._notice(
                tr(
                    "{gpu_name} was chosen, but the framework sees no GPU: training on "
                    "the CPU. `workbench check` explains why.",
                    gpu_name=safe_text(chosen.name),
                )
            )
        return TrainingSetup(spec, prepared, data, weights, device, self._progress, self._notice)

    def _prepare_data(
        self, spec: ExperimentSpec, resume: bool, checkpoint: Checkpoint | None
    ) -> PreparedData:
        """Prepare the images of the run; a resumed run keeps its split.

        Raises:
            UserError: There is a checkpoint, but not the split that it was trained with.
        """
        workspace = Workspace(self.folder.path.parent.parent)
        if checkpoint and not self.folder.manifest_path.exists():
            raise UserError(
                tr(
                    "{manifest_path} is missing, so it is unknown which images this run "
                    "was trained on.",
                    manifest_path=safe_text(self.folder.manifest_path),
                ),
                tr("Restore the file, or start a new run."),
            )
        if resume and self.folder.manifest_path.exists():
            rows = read_manifest(self.folder.manifest_path)
            return prepare_from_manifest(spec.data, rows, workspace, self._progress)
        prepared = prepare(spec.data, workspace, self._progress)
        write_manifest(self.folder.manifest_path, prepared.rows)
        return prepared

    def _take_devices(self, spec: ExperimentSpec) -> None:
        """Wait for the run's turn and take its device; a process that was restarted has it.

        Raises:
            UserError: The requested GPU does not exist, or has no room for a run that cannot wait.
        """
        # Who started the run has asked the driver.
        report = load_kept(self.folder.gpu_report_path, NvmlReport)
        devices = RunDevices(spec, report)
        self.slots = self.slots or wait_for_devices(
            self.folder,
            devices,
            self._progress,
            self.should_stop,
            is_next=lambda: warm_up_for(spec),
        )
        self.choices = devices.choices(self.slots)
        share_cores(expected_runs(devices.permitted(), devices.share))

    def _claim_device(self, spec: ExperimentSpec) -> None:
        """Hide all other GPUs from this process; keras must not be imported yet."""
        os.environ.update(shared_variables(self.choices))
        chosen = [ChosenGpu.read(gpu) for one in self.choices if (gpu := one.as_event())]
        first, others = (chosen[0], tuple(chosen[1:])) if chosen else (None, ())
        self.events.write(GpuChosen(asked=str(spec.training.gpu), gpu=first, others=others))
        for choice in self.choices:
            if held := describe_holders(choice):
                name = safe_text(choice.device_name)
                self._notice(tr("Memory of {name} is held by {holders}.", name=name, holders=held))

    def _train(
        self, setup: TrainingSetup, checkpoint: Checkpoint | None, turn: float
    ) -> TrainingSetup:
        """Train all stages and save the model; return the setup with the epochs that were fitted.

        `turn` is when the run's turn came, in unix seconds.
        """
        from workbench.training.trainer_state import Diverged

        speed = setup.measured_speed(self.choices[0])
        expected = setup.expected_seconds(speed) if speed else {}
        trainer = setup.make_trainer(
            setup.spec, self.folder.checkpoints, self._emit, self._should_end, expected
        )
        set_deadline(trainer, self.folder, speed, turn, self._notice, self.clock)
        self.trainer, setup = trainer, replace(setup, spec=trainer.spec)
        uuid = self.choices[0].uuid
        gauge = GpuGauge(uuid) if uuid else None
        helpers = helpers_of_run(self.folder, setup, trainer, self.choices[0], FIRST_ENVIRONMENT)
        try:
            with Sampler(self._write_sample, self.folder.path, gauge), helpers:
                self._run_trainer(trainer, checkpoint)
        except Diverged as error:
            if error.restored:
                self._save_model(setup, trainer)
                error.message += f" model.keras holds {error.restored}."
            raise
        self.position = trainer.position
        self._save_model(setup, trainer)
        return setup

    def _run_trainer(self, trainer: "Trainer", checkpoint: Checkpoint | None) -> None:
        """Train all stages.

        Raises:
            OutOfMemory: A smaller batch may help.
            Stopped, Diverged, UserError: As `Trainer.run`.
        """
        try:
            trainer.run(plan_stages(trainer.spec), checkpoint)
        except (UserError, Stopped):
            raise
        except Exception as error:
            if not ran_out_of_memory(error):
                raise
            traceback.print_exc()
            smaller = halve_batch_size(trainer.spec)
            size = smaller.training.batch_size if smaller else None
            raise out_of_memory(error, trainer.spec.training.batch_size, size) from None

    def _save_model(self, setup: TrainingSetup, trainer: "Trainer") -> None:
        from workbench.evaluation.model_file import save_model

        prepared = setup.prepared
        levels = manifest_levels(prepared.rows)
        spec = with_deadline(setup.spec, None)  # of the run, not of the model
        save_model(self.folder.model_path, trainer.model, spec, prepared.labels, levels)

    def _evaluate(self, setup: TrainingSetup) -> None:
        """Evaluate the saved model on test images, without them on validation images."""
        from workbench.evaluation.model_file import load_model

        spec, data, prepared = setup.spec, setup.data, setup.prepared
        split = "test" if len(data.rows["test"]) else "validation"
        rows = data.rows[split]
        if not len(rows):
            self._notice(tr("No test or validation images: nothing to measure."))
            return
        loaded = load_model(self.folder.model_path)
        shift, mirror = spec.evaluation.shift, spec.evaluation.mirror
        evaluation = evaluate_split(loaded, data, prepared, split, shift, mirror, self._progress)
        metrics = evaluation.metrics
        # From the log: the earlier stages of a resumed run were trained in an earlier session.
        layers = newest_by_stage(read_events(self.folder.events_path), LayersChecked)
        metrics["layers"] = [event.as_dict()["layers"] for event in layers.values()]
        if spec.base is not None:
            metrics["weights"] = spec.base.weights
            metrics["weights_file"] = setup.weights.name if setup.weights else ""
        paths = [prepared.rows[i].path for i in rows]
        write_results(self.folder, split, evaluation, paths, data.labels[rows])
        scores: dict[str, Any] = {name: metrics.get(name) for name in SCORES}
        self.events.write(
            Evaluated(
                split=split,
                loss=metrics["loss"],
                accuracy=metrics["accuracy"],
                interval=metrics["interval"],
                images=metrics["images"],
                mirrored=mirror,
                shifted=metrics.get("shifted"),
                **scores,
            )
        )

    def _emit(self, event: Event) -> None:
        """Write what happened to the log, and what only matters while it is new to the status."""
        if isinstance(event, StepProgress):
            self.progress = event
            self.status.update(event)
        else:
            self.events.write(event)
        if isinstance(event, EpochFinished) and self.pruner:
            self.pruner.after_epoch()

    def _should_end(self) -> bool:
        """Return True if a stop was requested, or the sweep has given the run up."""
        return self.should_stop() or self.given_up != ""

    @property
    def given_up(self) -> str:
        """Why the run's sweep has given it up; "" if it has not."""
        return self.pruner.reason if self.pruner else ""

    def _write_sample(self, sample: Sample) -> None:
        self.status.update(MachineSample(**sample))

    def _notice(self, message: str) -> None:
        self.events.write(Notice(message=message))

    def _progress(self, phase: str, done: int, total: int) -> None:
        """Write that a phase begins, and its progress.

        Raises:
            Stopped: On a request.
            OutOfTime: The features of a frozen base take until the deadline.
        """
        if self.should_stop():
            raise Stopped(self.trainer.position if self.trainer else self.position)
        if self.trainer and phase == PREFIX_PHASE and self.trainer.deadline.is_over():
            raise OutOfTime
        kind = Evaluating if phase == "evaluate" else Preparing
        event = kind(phase=phase, done=done, total=total)
        if phase != self.phase:
            self.phase = phase
            self.events.write(event)
        self.status.update(event)
