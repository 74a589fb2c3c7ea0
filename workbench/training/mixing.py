"""Mixes each image of a batch with the next one: mixup and CutMix.

What is drawn for a step is a function of seed and position, as dropout's seeds are. The labels are
mixed in the loss, which is linear in them: the share of an image weighs the loss of its own label,
the rest that of the other's.

Mixup: Zhang et al., arXiv 1710.09412. CutMix: Yun et al., arXiv 1905.04899. Where a stage trains
above a frozen prefix, mixup blends the prefix's features (Verma et al., arXiv 1806.05236).
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from workbench.experiment.plan import Stage
from workbench.experiment.seeds import uniforms
from workbench.runs.fields import Position

Tensor = Any
_PART = 1 << 32  # of the seed; a layer with dropout has no such number
MIX_NUMBERS = 6


def draw_mixes(
    stage: Stage, seed: int, positions: Sequence[Position], size: tuple[int, int]
) -> list[np.ndarray]:
    """Draw how the batches of steps are mixed; with mixup and CutMix, one of them for each batch.

    Args:
        stage: with the alphas of the Beta distributions.
        seed: of the run.
        positions: of the steps.
        size: height and width of the images.

    Returns:
        [] if the stage mixes nothing, else one float32 (steps, 6): the share of an image's own
        label, its own share within the box, and the box: top, bottom, left, right, in pixels.
    """
    kinds = [(kind, alpha) for kind, alpha in (("mixup", stage.mixup), ("cutmix", stage.cutmix))
             if alpha]  # fmt: skip
    if not kinds:
        return []
    from scipy.special import betaincinv  # takes a quarter of a second; few runs need it

    mixes = []
    for at in positions:
        u = uniforms(4, seed, at.stage, at.epoch, at.step, _PART)
        kind, alpha = kinds[int(u[0] * len(kinds))]
        share = float(betaincinv(alpha, alpha, u[1]))
        mixes.append(_box(share, u[2], u[3], *size) if kind == "cutmix" else _blend(share))
    return [np.array(mixes, np.float32).reshape(len(mixes), MIX_NUMBERS)]


def _blend(share: float) -> tuple[float, ...]:
    return share, share, 0, math.inf, 0, math.inf


def _box(share: float, down: float, across: float, height: int, width: int) -> tuple[float, ...]:
    """Return a box of (1 - share) of the area around a point, cut off at the border."""
    sides = []
    for middle, size in ((int(down * height), height), (int(across * width), width)):
        half = int(size * math.sqrt(1 - share)) // 2
        sides += [max(middle - half, 0), min(middle + half, size)]
    top, bottom, left, right = sides
    return 1 - (bottom - top) * (right - left) / (height * width), 0, top, bottom, left, right


def mix_inputs(x: Tensor, mix: Tensor) -> Tensor:
    """Return a batch of images or features with the next ones mixed in, after the last the first.

    Args:
        x: (b, ...); images are (b, h, w, c).
        mix: float32 (6,), from `draw_mixes`.

    Returns:
        float32, of the shape of `x`.
    """
    x = ops.cast(x, "float32")
    own = mix[1]
    if len(x.shape) == 4:
        rows = ops.reshape(ops.arange(x.shape[1], dtype="float32"), (1, -1, 1, 1))
        columns = ops.reshape(ops.arange(x.shape[2], dtype="float32"), (1, 1, -1, 1))
        inside = (rows >= mix[2]) & (rows < mix[3]) & (columns >= mix[4]) & (columns < mix[5])
        own = ops.where(inside, own, 1.0)
    return x * own + ops.roll(x, -1, axis=0) * (1 - own)


def mix_values(of_own: Tensor, of_next: Tensor, mix: Tensor) -> Tensor:
    """Return a loss or an accuracy of a mixed batch from those of both labels."""
    return of_own * mix[0] + of_next * (1 - mix[0])
