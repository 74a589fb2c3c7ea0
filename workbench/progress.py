"""How long work tells how far it is."""

from typing import Protocol


class Progress(Protocol):
    """Called again and again by long work; may raise to interrupt it.

    Args:
        phase: what is being done, in a word or two ("scan", "pack", "download mnist.npz").
        done: units finished so far.
        total: units in all; 0 where it is unknown.
    """

    def __call__(self, phase: str, done: int, total: int) -> None: ...


def silent(phase: str, done: int, total: int) -> None:
    """A Progress that shows nothing."""
