"""The table `augmentation` of a spec."""

from typing import Any, Literal

from pydantic import Field

from workbench.experiment.sections import Section


class AugmentationSpec(Section):
    """Random changes to training images, new in every epoch; all off by default.

    Rotation, shifts, shear and zoom are composed in this order into one affine transform,
    as Keras's ImageDataGenerator does; a crop comes before them.

    Mixup and CutMix are changes of a batch: each image is mixed with the next one, and so are
    their labels in the loss.
    """

    rotation: float = Field(
        0.0, ge=0, le=180, description="turns by up to this many degrees either way"
    )
    width_shift: float = Field(
        0.0, ge=0, le=0.9, description="moves sideways, by at most this fraction of the width"
    )
    height_shift: float = Field(
        0.0, ge=0, le=0.9, description="moves up or down, by at most this fraction of the height"
    )
    shear: float = Field(
        0.0, ge=0, le=60, description="slants the image by up to this many degrees"
    )
    zoom: float = Field(0.0, ge=0, le=0.9, description="0.2 zooms each axis by 0.8 to 1.2")
    horizontal_flip: bool = Field(False, description="mirror left and right half of the time")
    vertical_flip: bool = Field(False, description="mirror up and down half of the time")
    brightness: float = Field(0.0, ge=0, le=0.9, description="0.2 multiplies by 0.8 to 1.2")
    contrast: float = Field(0.0, ge=0, le=0.9, description="0.2 scales around the mean by 0.8-1.2")
    random_crop: float = Field(
        0.0, ge=0, le=1, description="keep a part of at least this share of the area; 0: all"
    )
    fill: Literal["nearest", "black"] = Field(
        "nearest", description="what appears behind a moved image: its edge repeated, or black"
    )
    mixup: float = Field(
        0.0, ge=0, le=10, description="blend pairs of images, shares from Beta(a, a); 0: never"
    )
    cutmix: float = Field(
        0.0, ge=0, le=10, description="paste a part of one image into another, likewise"
    )

    @property
    def active(self) -> bool:
        """True if at least one change of single images is on."""
        return any(getattr(self, name) for name in IMAGE_CHANGES)

    def of_images(self) -> dict[str, Any]:
        """Return what changes single images; an older name of a file knows no crop."""
        values = self.model_dump(mode="json", include={*IMAGE_CHANGES, "fill"})
        if not self.random_crop:
            del values["random_crop"]
        return values


# Changes of single images: all but the fill behind them and the changes of whole batches.
IMAGE_CHANGES = tuple(
    name for name in AugmentationSpec.model_fields if name not in ("fill", "mixup", "cutmix")
)
