"""Trains through a plan, stage by stage.

The position (stage, epoch, step) determines everything: the order of images, their augmentation,
dropout and the learning rate are functions of seed and position.
"""

from contextlib import suppress

from workbench.errors import UserError
from workbench.experiment.plan import Stage
from workbench.experiment.resuming import (
    CHANGEABLE_KEYS,
    check_change,
    training_fingerprint,
    with_resume_settings,
)
from workbench.messages import tr
from workbench.runs.events import OUT_OF_TIME, Notice
from workbench.training.checkpoint import Checkpoint
from workbench.training.context import Emit, TrainingContext
from workbench.training.stage_inputs import CachedInputs, split_network
from workbench.training.stage_solver import StageSolver
from workbench.training.stage_trainer import StageTrainer
from workbench.training.trainer_state import Diverged, OutOfTime, nothing_learned

__all__ = ["Emit", "Trainer"]


class Trainer(TrainingContext):
    """Trains a model through a plan."""

    def run(self, stages: tuple[Stage, ...], resume_from: Checkpoint | None = None) -> None:
        """Train every stage; the model ends with the weights that the last stage keeps.

        At the deadline the run ends with the stage that is in training.

        Raises:
            Stopped: after the checkpoint of a requested stop.
            Diverged: the loss or a weight is no longer finite, or the loss explodes; the model
                then holds the last good weights.
            UserError: the checkpoint belongs to another model or experiment.
        """
        first = 0
        if resume_from:
            self._check(resume_from)
            first = resume_from.position.stage
            self.position = resume_from.position_for(self.spec.training.batch_size)
        for stage in stages[first:]:
            if stage.is_solved:
                try:
                    StageSolver(self, stage).run()
                except OutOfTime:  # it is the first stage
                    raise nothing_learned() from None
                continue
            trainer = StageTrainer(self, stage)
            try:
                ended = trainer.run(resume_from if stage.index == first else None)
            except Diverged as error:
                with suppress(UserError):  # the files of the good weights are lost
                    error.restored = trainer.restore_good()
                raise
            if ended == OUT_OF_TIME:
                self.emit(Notice(message=_describe_early_end(stage, stages)))
                return

    def _check(self, checkpoint: Checkpoint) -> None:
        """Check that the checkpoint's position means the same in this experiment."""
        spec_then = with_resume_settings(self.spec, checkpoint.settings)
        if checkpoint.spec != training_fingerprint(spec_then):
            raise UserError(
                tr(
                    "The spec was changed since the checkpoint was saved, so its "
                    "position has no meaning."
                ),
                tr(
                    "Undo the change, or start a new run with it. What may change "
                    "between the sessions of a run: {changeable_keys}.",
                    changeable_keys=", ".join(CHANGEABLE_KEYS),
                ),
            )
        check_change(spec_then, self.spec)


def features_of_stage(context: TrainingContext, stage: Stage) -> StageSolver | CachedInputs | None:
    """Return what counts and computes the features of a stage; None if it keeps none."""
    if stage.is_solved:
        return StageSolver(context, stage)
    inputs = split_network(context, stage)[1] if stage.cached else None
    return inputs if isinstance(inputs, CachedInputs) else None


def _describe_early_end(stage: Stage, stages: tuple[Stage, ...]) -> str:
    """Describe what a run leaves out that has no time left."""
    later = len(stages) - stage.index - 1
    left_out = tr(" and stage {later} is left out", later=stage.index + 2) if later else ""
    return tr(
        "Time is up: training ends early{left_out}, and the best so far is evaluated.",
        left_out=left_out,
    )
