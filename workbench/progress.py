"""Progress reports of long operations."""

from typing import Protocol


class Progress(Protocol):
    """Called repeatedly by long operations; may raise to interrupt them."""

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Report progress.

        Args:
            phase: The operation, in a word or two ("scan", "pack", "download mnist.npz").
            done: Units finished so far.
            total: Units in all; 0 where unknown.
        """


def silent(phase: str, done: int, total: int) -> None:
    """Show nothing; a `Progress`."""
