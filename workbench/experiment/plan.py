"""The plan: an experiment as a list of stages. One engine runs any stage."""

from dataclasses import dataclass

from workbench.experiment.spec import ExperimentSpec


@dataclass(frozen=True)
class Stage:
    """A stretch of training with one set of trainable layers, one optimizer and one compile.

    Attributes:
        index: its place in the plan, from 0; part of every seed.
        trainable: names of the layers whose weights may move; None means all of them.
        augmented: True where training images are changed at random.
        steps_per_epoch: None where an epoch is each image once.
        early_stopping: epochs without gain after which the stage ends; 0 for never.
        keep: whose weights the stage hands on, "best" or "last" epoch.
    """

    index: int
    name: str
    trainable: tuple[str, ...] | None
    augmented: bool
    optimizer: str
    learning_rate: float
    schedule: str
    epochs: int
    steps_per_epoch: int | None
    early_stopping: int
    monitor: str
    keep: str


def plan_stages(spec: ExperimentSpec) -> tuple[Stage, ...]:
    """The stages of an experiment, in order. The dense baseline and the convnet have one."""
    training = spec.training
    return (
        Stage(
            index=0,
            name="train all",
            trainable=None,
            augmented=spec.augmentation.active,
            optimizer=training.optimizer,
            learning_rate=training.learning_rate,
            schedule=training.schedule,
            epochs=training.epochs,
            steps_per_epoch=training.steps_per_epoch,
            early_stopping=training.early_stopping,
            monitor=training.monitor,
            keep=training.keep,
        ),
    )
