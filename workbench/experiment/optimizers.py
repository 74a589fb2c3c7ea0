"""The optimizers that a spec may name."""

from typing import NamedTuple


class OptimizerInfo(NamedTuple):
    """What has to be known of an optimizer.

    Attributes:
        keras_class: its name in `keras.optimizers`.
        slots: numbers that it keeps for each trained weight, without momentum and average.
        options: keys of `training` that only some optimizers have.
        own_decay: whether Keras gives it a weight decay where none is named.
    """

    keras_class: str
    slots: int
    options: tuple[str, ...] = ()
    own_decay: bool = False


OPTION_KEYS = ("momentum", "weight_decay")
# A new optimizer takes a line here, and its name in `TrainingSpec.optimizer`.
OPTIMIZERS = {
    "rmsprop": OptimizerInfo("RMSprop", slots=1),
    "adam": OptimizerInfo("Adam", slots=2),
    "adamw": OptimizerInfo("AdamW", slots=2, options=("weight_decay",), own_decay=True),
    "sgd": OptimizerInfo("SGD", slots=0, options=("momentum", "weight_decay")),
}
