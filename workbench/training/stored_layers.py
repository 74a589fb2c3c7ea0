"""Layers with weights as a file holds them, whatever its format."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Shapes = tuple[tuple[int, ...], ...]


class ForeignFile(Exception):  # noqa: N818 - a kind of file
    """The file is not of the expected kind: why, as text, and perhaps a hint."""

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.problem, self.hint = problem, hint


@dataclass(frozen=True)
class StoredLayer:
    """A layer with weights in a file.

    Attributes:
        name: in the file.
        shapes: of its weights, in Keras's order (kernel, bias; gamma, beta, mean, variance).
        read: returns the weights; raises ForeignFile if they are not finite floating-point
            numbers, or do not lie in the file.
    """

    name: str
    shapes: Shapes
    read: Callable[[], list[np.ndarray]]

    @property
    def parameters(self) -> int:
        """Number of its parameters."""
        return sum(math.prod(shape) for shape in self.shapes)

    @property
    def is_dense(self) -> bool:
        """True for a dense layer, as tops of bases have them."""
        return len(self.shapes[0]) == 2
