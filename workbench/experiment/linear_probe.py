"""The table `probe` of a spec, and what of the other tables a linear probe has no use for."""

from typing import Literal

from pydantic import Field

from workbench.experiment.augmentation import AugmentationSpec
from workbench.experiment.sections import Section
from workbench.experiment.training_section import TrainingSpec


class ProbeSpec(Section):
    """A linear probe: a linear classifier, solved on features of the frozen base."""

    solver: Literal["ridge", "logistic"] = Field(
        "ridge",
        description="ridge: least squares, solved at once; logistic: crossentropy, slower",
    )
    blocks: int = Field(
        4,
        ge=1,
        le=32,
        description="how many blocks at the end of the base give features; 1: its output alone",
    )
    mirror: bool = Field(True, description="fit the layer to every image and its mirror image")
    folds: int = Field(
        5, ge=2, le=20, description="parts of cross-validation, which finds the regularization"
    )


# What a linear probe uses of training; it takes no steps, so the rest would have no effect.
_SOLVING = (
    "batch_size",
    "class_weights",
    "precision",
    "out_of_memory",
    "gpu",
    "seed",
    "deterministic",
    "time_budget",
    "deadline",
)
LAYERS = ("head", "dense_units", "dropout")  # of a head that is more than one linear layer
STREAMED = ("prefix", "views")  # the base runs over the images once
STEPS_ONLY = tuple(name for name in TrainingSpec.model_fields if name not in _SOLVING)
NOT_IN_PROBE = {
    *(f"model.{name}" for name in LAYERS),
    *(f"base.{name}" for name in STREAMED),
    *(f"training.{name}" for name in STEPS_ONLY),
    *(f"augmentation.{name}" for name in AugmentationSpec.model_fields),
}
