"""The training job: data, stages, the finished model, its test figures.

Everything it has to say goes into the run's event log, which ends with one of `finished`,
`stopped` and `failed` whatever happens to the job, short of a kill.
"""

import json
import time
import traceback
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from workbench.datasets.manifest import Row, levels_of, read_manifest, write_manifest
from workbench.datasets.pack import open_pack
from workbench.datasets.prepare import Prepared, prepare, prepare_again
from workbench.errors import UserError
from workbench.experiment.batch_size import halved
from workbench.experiment.plan import plan_stages
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import read_spec
from workbench.files import write_atomic
from workbench.machine.check import look_at_gpus
from workbench.machine.gpus import AUTO, Choice, holders_in_words
from workbench.machine.preflight import look_before_training
from workbench.machine.sample import GpuGauge, Sample, Sampler
from workbench.machine.system import available_memory
from workbench.paths import Workspace
from workbench.runs.events import EventWriter, newest_by_stage
from workbench.runs.folder import RunFolder
from workbench.runs.queue import wait_for_turn
from workbench.runs.reader import read_events
from workbench.text import safe_text
from workbench.training.checkpoint import Checkpoint, CheckpointFolder
from workbench.training.data import TrainingData
from workbench.training.environment import prepare_environment, versions
from workbench.training.position import START, Place, Stopped
from workbench.worker.control import StopRequest
from workbench.worker.device import claim_device, expected_seconds
from workbench.worker.disk_space import check_space
from workbench.worker.failures import (
    out_of_memory,
    ran_out_of_memory,
)
from workbench.worker.standby import warm_up_for
from workbench.worker.warnings import warnings_of
from workbench.worker.weights import base_weights

if TYPE_CHECKING:
    from workbench.evaluation.evaluate import Evaluation
    from workbench.training.trainer import Engine

TELL_SECONDS = 0.5  # between two events of the same progress
AGAIN = "again"


@dataclass
class TrainJob:
    """One run's training from data to results.

    Attributes:
        place: where a stop at this moment would leave the run.
        started: when its turn came (monotonic seconds).
        told: when each phase of progress was told last.
        choice: the GPU that it took.
        engine: once training has begun; its place then counts.
    """

    folder: RunFolder
    events: EventWriter
    stop_asked: StopRequest
    place: Place = START
    started: float = field(default_factory=time.monotonic)
    told: dict[str, float] = field(default_factory=dict)
    choice: Choice = field(default_factory=lambda: Choice(AUTO))
    engine: "Engine | None" = None

    def run(self, resume: bool) -> None:
        """Raises Stopped, UserError, or whatever went wrong."""
        spec = read_spec(self.folder.spec_path)
        checkpoint = self._checkpoint(spec.training.batch_size) if resume else None
        wait_for_turn(
            self.folder, self._progress, self.stop_asked, is_next=lambda: warm_up_for(spec)
        )
        self.started = time.monotonic()
        look_at_gpus(spec.training.gpu)  # what is not there is told before minutes of work
        look_before_training(spec)
        weights = base_weights(spec, self._progress, self._note)
        prepared = self._prepared(spec, resume, checkpoint)
        data = training_data(prepared)
        self._tell_data(prepared, data)
        for message in warnings_of(spec, data, prepared.leaks(), available_memory()):
            self._note(message)
        check_space(self.folder, spec, data.classes)
        self._claim(spec)
        self._progress("start Keras", 0, 0)
        prepare_environment(spec.training.deterministic)
        self._train(spec, data, prepared, weights, checkpoint)
        self._evaluate(spec, data, prepared)

    def _claim(self, spec: ExperimentSpec) -> None:
        """Takes the GPU, now that it will be used: the freest may be another one by now."""
        self.choice = claim_device(spec.training.gpu)
        asked = spec.training.gpu
        self.events.write("gpu_chosen", asked=asked, gpu=self.choice.as_event())
        if holders := holders_in_words(self.choice):
            name = safe_text(self.choice.device_name)
            self._note(f"Memory of {name} is held by {holders}.")

    def _checkpoint(self, batch_size: int) -> Checkpoint | None:
        """Where a resumed run goes on; None from the beginning."""
        checkpoint, passed_over = CheckpointFolder(self.folder.checkpoints).load_last()
        if passed_over:
            self._note(passed_over)
        self.place = checkpoint.place_for(batch_size) if checkpoint else START
        self.events.write("resumed", **asdict(self.place))
        return checkpoint

    def _train(
        self,
        spec: ExperimentSpec,
        data: TrainingData,
        prepared: Prepared,
        weights: Path | None,
        checkpoint: Checkpoint | None,
    ) -> None:
        """Trains through the plan and saves the model."""
        # Imported here: seconds that a faulty spec or data set need not wait for.
        import keras

        from workbench.evaluation.model_file import save_model
        from workbench.training.backend import prepare_device, resolve_precision
        from workbench.training.divergence import Diverged
        from workbench.training.models import build_model
        from workbench.training.trainer import Engine
        from workbench.training.weights import load_base_weights
        from workbench.worker.base import feature_store

        device = prepare_device(spec.training.deterministic)
        if self.choice.gpu and device.kind == "cpu":
            self._note(
                f"{safe_text(self.choice.gpu.name)} was chosen, but the framework sees no GPU: "
                "training on the CPU. `workbench check` tells why."
            )
        images = {split: len(rows) for split, rows in data.rows.items()}
        expected = expected_seconds(
            spec, images, data.classes, device, self.choice, self._progress, self._note
        )
        keras.config.set_dtype_policy(resolve_precision(spec.training.precision, device))
        model = build_model(spec, data.classes)
        if weights:
            load_base_weights(model, spec.base_table, weights)
        engine = self.engine = Engine(
            spec,
            model,
            data,
            device,
            CheckpointFolder(self.folder.checkpoints),
            self.events.write,
            self.stop_asked,
            feature_store(spec, prepared, weights, self._progress, self._note),
            expected,
        )
        gauge = GpuGauge(self.choice.uuid) if self.choice.uuid else None
        try:
            with Sampler(self._sample, self.folder.path, gauge):
                self._run_engine(engine, checkpoint)
        except Diverged as error:
            if error.restored:
                save_model(
                    self.folder.model_path, model, spec, prepared.labels, levels_of(prepared.rows)
                )
                error.message += f" model.keras holds {error.restored}."
            raise
        self.place = engine.place
        save_model(self.folder.model_path, model, spec, prepared.labels, levels_of(prepared.rows))

    def _run_engine(self, engine: "Engine", checkpoint: Checkpoint | None) -> None:
        """Trains through the plan.

        Raises:
            OutOfMemory: a smaller batch may help.
            Stopped, Diverged, UserError: as `Engine.run`.
        """
        try:
            engine.run(plan_stages(engine.spec), checkpoint)
        except (UserError, Stopped):
            raise
        except Exception as error:
            if not ran_out_of_memory(error):
                raise
            traceback.print_exc()
            smaller = halved(engine.spec)
            size = smaller.training.batch_size if smaller else None
            raise out_of_memory(error, engine.spec.training.batch_size, size) from None

    def _evaluate(self, spec: ExperimentSpec, data: TrainingData, prepared: Prepared) -> None:
        """Measures the saved model on test images, or on validation images for want of others."""
        from workbench.evaluation.evaluate import evaluate
        from workbench.evaluation.model_file import load_model

        split = "test" if len(data.rows["test"]) else "validation"
        rows = data.rows[split]
        if not len(rows):
            self.events.write("notice", message="No test or validation images: nothing to measure.")
            return
        paths, labels = [prepared.rows[i].path for i in rows], data.labels[rows]
        evaluation = evaluate(
            load_model(self.folder.model_path).model,
            data.images,
            rows,
            labels,
            paths,
            prepared.labels,
            spec.evaluation.shift,
            self._progress,
        )
        if split == "test":
            evaluation.figures.update(prepared.leaks())
        # From the log: a resumed run's earlier stages were told in an earlier life.
        told = newest_by_stage(read_events(self.folder.events_path), "layers")
        evaluation.figures["layers"] = [event["layers"] for event in told.values()]
        if spec.base is not None:
            evaluation.figures["weights"] = spec.base.weights
        write_results(self.folder, split, evaluation, paths, labels)
        self._tell_evaluated(split, evaluation)

    def _prepared(
        self, spec: ExperimentSpec, resume: bool, checkpoint: Checkpoint | None
    ) -> Prepared:
        """The images of the run; a resumed run keeps the split that it started with.

        Raises:
            UserError: there is a checkpoint, but not the split that it was trained with.
        """
        workspace = Workspace(self.folder.path.parent.parent)
        if checkpoint and not self.folder.manifest_path.exists():
            raise UserError(
                f"{safe_text(self.folder.manifest_path)} is missing, so nobody can tell which "
                "images this run was trained on.",
                "Bring it back, or start a new run.",
            )
        if resume and self.folder.manifest_path.exists():
            rows = read_manifest(self.folder.manifest_path)
            return prepare_again(spec.data, rows, workspace, self._progress)
        prepared = prepare(spec.data, workspace, self._progress)
        write_manifest(self.folder.manifest_path, prepared.rows)
        return prepared

    def _tell_data(self, prepared: Prepared, data: TrainingData) -> None:
        self.events.write(
            "data_ready",
            name=prepared.name,
            folder=str(prepared.folder),
            pack=prepared.pack.name,
            images={split: len(rows) for split, rows in data.rows.items()},
            labels=list(prepared.labels),
            notes=list(prepared.notes),
        )

    def _sample(self, sample: Sample) -> None:
        self.events.write("machine", **sample)

    def _note(self, message: str) -> None:
        self.events.write("notice", message=message)

    def _progress(self, phase: str, done: int, total: int) -> None:
        """Tells how far a phase is, at most twice a second; a stop ends it here."""
        if self.stop_asked():
            raise Stopped(self.engine.place if self.engine else self.place)
        now = time.monotonic()
        if done != total and now - self.told.get(phase, -TELL_SECONDS) < TELL_SECONDS:
            return
        self.told[phase] = now
        kind = "evaluating" if phase == "evaluate" else "preparing"
        self.events.write(kind, phase=phase, done=done, total=total)

    def _tell_evaluated(self, split: str, evaluation: "Evaluation") -> None:
        figures = evaluation.figures
        self.events.write(
            "evaluated",
            split=split,
            loss=figures["loss"],
            accuracy=figures["accuracy"],
            interval=figures["interval"],
            images=figures["images"],
            shifted=figures.get("shifted"),
        )


def training_data(prepared: Prepared) -> TrainingData:
    """The pack's images with labels as numbers, in the order of `prepared.labels`."""
    number = {label: i for i, label in enumerate(prepared.labels)}
    rows: tuple[Row, ...] = prepared.rows
    return TrainingData(
        images=open_pack(prepared.pack),
        labels=np.array([number[row.label] for row in rows], dtype=np.int64),
        contents=np.array([int(row.pixel_hash[:16], 16) for row in rows], dtype=np.uint64),
        rows={split: prepared.indices(split) for split in ("train", "validation", "test")},
        classes=len(prepared.labels),
    )


def write_results(
    folder: RunFolder, split: str, evaluation: "Evaluation", paths: list[str], labels: np.ndarray
) -> None:
    """results.json, and predictions.csv with every image's probabilities."""
    from workbench.evaluation.tables import predictions_csv

    names = evaluation.figures["labels"]
    table = predictions_csv(paths, [names[i] for i in labels], evaluation.probabilities, names)
    write_atomic(folder.predictions_path, table)
    write_confusion(folder, split, evaluation, labels)
    results = {"format": 1, "split": split, **evaluation.figures, "versions": versions()}
    write_atomic(folder.results_path, json.dumps(results, indent=1))


def write_confusion(
    folder: RunFolder, split: str, evaluation: "Evaluation", labels: np.ndarray
) -> None:
    """A file for a matrix that is too large for the figures, which are told its name.

    Raises:
        OSError: it cannot be written.
    """
    from workbench.evaluation.tables import confusion_csv

    if "confusion" not in evaluation.figures:
        predicted, names = evaluation.probabilities.argmax(axis=1), evaluation.figures["labels"]
        path = folder.confusion_path(split)
        write_atomic(path, confusion_csv(labels, predicted, names))
        evaluation.figures["matrix"] = path.name
