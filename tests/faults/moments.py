"""When a fault strikes: before, inside or after a certain call of a function of the product."""

from dataclasses import dataclass
from typing import Literal

from specs import HEAD_EPOCHS, STEPS

STRIKES = "the fault strikes"  # printed at the moment


@dataclass(frozen=True)
class Moment:
    """A call of a function in a worker's session.

    Attributes:
        function: "module:function" or "module:Class.method".
        call: which of its calls, from 1.
        when: inside is for functions that write a file: half of it has been written then.
        pattern: only calls with a text, path or event of this pattern among their arguments count.
    """

    function: str
    call: int = 1
    when: Literal["before", "inside", "after"] = "before"
    pattern: str = ""

    @property
    def needs_keras(self) -> bool:
        """True if the module may only be imported after the environment of keras is prepared."""
        modules = ("keras", "workbench.training.", "workbench.evaluation")
        return self.function.startswith(modules)


def _step(epoch: int, step: int) -> Moment:
    """Return the moment before a step of an epoch, both counted from 1 over all stages."""
    return Moment("workbench.training.fused_steps:FusedSteps.train", (epoch - 1) * STEPS + step)


MOMENTS = {
    # data
    "scan": Moment("workbench.datasets.scan:scan_image", call=13),
    "pack": Moment("workbench.datasets.scan_pack:to_array", call=13),
    "pack is renamed": Moment("os:replace", pattern=r"/pack-\w+\.npy"),
    "manifest": Moment("os:replace", call=2, pattern=r"/\.manifest\."),  # the run's own
    "space": Moment("workbench.worker.train:check_space"),  # before anything is trained
    # outputs of the frozen prefix
    "prefix": Moment("workbench.training.prefix:Prefix.__call__"),
    "view": Moment("workbench.training.prefix:Prefix.__call__", call=4),
    # the epochs that fit the deadline
    "before fitted spec": Moment("workbench.worker.deadline:write_atomic"),
    "after fitted spec": Moment("workbench.worker.deadline:write_atomic", when="after"),
    # training
    "start weights": Moment("workbench.training.checkpoint:CheckpointFolder.save_start"),
    "first batch": _step(1, 1),
    "mid-epoch": _step(3, 2),
    "mid-epoch 2": _step(2, 2),
    "last step": _step(3, STEPS),
    "validation": Moment("workbench.training.fused_steps:FusedSteps.evaluate", call=4),
    # checkpoints: one after each epoch
    "checkpoint": Moment("workbench.training.checkpoint:CheckpointFolder.save_last", call=2),
    "in checkpoint": Moment("numpy:savez", call=2, when="inside", pattern=r"/\.last\."),
    "in first checkpoint": Moment("numpy:savez", when="inside", pattern=r"/\.last\."),
    "between first renames": Moment("os:replace", pattern=r"/\.last\."),
    "between renames": Moment("os:replace", call=2, pattern=r"/\.last\."),
    "after checkpoint": Moment(
        "workbench.training.checkpoint:CheckpointFolder.save_last", call=2, when="after"
    ),
    "in best weights": Moment("numpy:savez", when="inside", pattern=r"/\.best-"),
    # from stage to stage
    "stage ended": Moment("workbench.training.checkpoint:CheckpointFolder.load_best"),
    "stage border": Moment("workbench.training.checkpoint:CheckpointFolder.save_start", call=2),
    "stage begins": Moment(
        "workbench.training.checkpoint:CheckpointFolder.save_start", call=2, when="after"
    ),
    "stage's first step": _step(HEAD_EPOCHS + 1, 1),
    "view used again": _step(HEAD_EPOCHS + 3, 2),  # the first of two, in the third epoch
    # after training
    "export": Moment("keras:Model.save", when="inside"),
    "model is renamed": Moment("os:replace", pattern=r"/\.model\."),
    "evaluation": Moment("workbench.evaluation.evaluate:predict_probabilities"),
    "predictions": Moment("os:replace", pattern=r"/\.predictions\."),
    "results": Moment("os:replace", pattern=r"/\.results\."),
    "last event": Moment("workbench.runs.event_log:EventWriter.write", pattern="event='finished'"),
    # while it trains
    "status is renamed": Moment("os:replace", call=2, pattern=r"/\.status\."),
}
