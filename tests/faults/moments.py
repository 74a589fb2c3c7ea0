"""When a fault strikes: before, inside or after a certain call of a function of the product."""

from dataclasses import dataclass
from typing import Literal

from specs import HEAD_EPOCHS, STEPS

STRIKES = "the fault strikes"  # printed when the moment has come


@dataclass(frozen=True)
class Moment:
    """A call of a function, in a worker's life.

    Attributes:
        function: "module:function" or "module:Class.method".
        call: which of its calls, from 1.
        when: inside is for functions that write a file: half of it has been written then.
        told: only calls with a text or path among their arguments in which this pattern is found
            count.
    """

    function: str
    call: int = 1
    when: Literal["before", "inside", "after"] = "before"
    told: str = ""

    @property
    def needs_keras(self) -> bool:
        """True where the module may only be imported once the environment of keras stands."""
        rooms = ("keras", "workbench.training.trainer", "workbench.training.features")
        return self.function.startswith((*rooms, "workbench.evaluation"))


def _step(epoch: int, step: int) -> Moment:
    """Before a step of an epoch, both counted from 1 in this life; stages follow each other."""
    return Moment("keras:Model.train_on_batch", (epoch - 1) * STEPS + step)


MOMENTS = {
    # data
    "scan": Moment("workbench.datasets.scan:scan_file", call=13),
    "pack": Moment("workbench.datasets.pack:to_array", call=13),
    "pack is renamed": Moment("os:replace", told=r"/\.pack-"),
    "manifest": Moment("os:replace", call=2, told=r"/\.manifest\."),  # the run's own
    "space": Moment("workbench.worker.train:check_space"),  # before anything is trained
    # outputs of the frozen prefix
    "prefix": Moment("workbench.training.features:Prefix.__call__"),
    "view": Moment("workbench.training.features:Prefix.__call__", call=4),
    # training
    "start weights": Moment("workbench.training.checkpoint:CheckpointFolder.save_start"),
    "first batch": _step(1, 1),
    "mid-epoch": _step(3, 2),
    "mid-epoch 2": _step(2, 2),
    "last step": _step(3, STEPS),
    "validation": Moment("keras:Model.test_on_batch", call=4),
    # checkpoints: one after each epoch
    "checkpoint": Moment("workbench.training.checkpoint:CheckpointFolder.save_last", call=2),
    "in checkpoint": Moment("numpy:savez", call=2, when="inside", told=r"/\.last\."),
    "in first checkpoint": Moment("numpy:savez", when="inside", told=r"/\.last\."),
    "between first renames": Moment("os:replace", told=r"/\.last\."),
    "between renames": Moment("os:replace", call=2, told=r"/\.last\."),
    "after checkpoint": Moment(
        "workbench.training.checkpoint:CheckpointFolder.save_last", call=2, when="after"
    ),
    "in best weights": Moment("numpy:savez", when="inside", told=r"/\.best-"),
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
    "model is renamed": Moment("os:replace", told=r"/\.model\."),
    "evaluation": Moment("workbench.evaluation.evaluate:probabilities_of"),
    "predictions": Moment("os:replace", told=r"/\.predictions\."),
    "results": Moment("os:replace", told=r"/\.results\."),
    "last event": Moment("workbench.runs.events:EventWriter.write", told="^finished$"),
}
