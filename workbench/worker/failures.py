"""What goes wrong, in words and by kind."""

import errno

from workbench.errors import DISK_FULL, UserError
from workbench.text import safe_text, unencodable

DISK_ERRORS = (*DISK_FULL, errno.EROFS, errno.EACCES, errno.EPERM)
# How frameworks and allocators say it: TensorFlow and XLA, torch, CUDA, C++.
_NO_MEMORY = ("RESOURCE_EXHAUSTED", "OOM when", "OutOfMemory", "out of memory", "bad_alloc")


class OutOfMemory(UserError):  # noqa: N818 - a state
    """A step of training needs more memory than there is."""

    kind = "memory"


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether memory was not enough, the GPU's or the machine's."""
    told = f"{type(error).__name__}: {error}"
    return isinstance(error, MemoryError) or any(sign in told for sign in _NO_MEMORY)


def out_of_memory(error: BaseException, batch_size: int, smaller: int | None) -> OutOfMemory:
    """Says so, and offers a smaller batch.

    Args:
        smaller: the next batch size to try; None where a step takes one image already.
    """
    first = _first_line(error)
    return OutOfMemory(
        f"Memory was not enough for a step of {batch_size} images ({first}). "
        "The last checkpoint stands.",
        f"Go on with half the batch, {smaller}: workbench resume RUN --half-batch. "
        "Runs started with --oom retry do so by themselves."
        if smaller
        else "Start anew with smaller images (data.image_size) or a smaller network.",
    )


def failure_of(error: Exception) -> dict[str, str]:
    """Kind, message and hint of a `failed` event."""
    if isinstance(error, UserError):
        return {"kind": error.kind, "message": error.message, "hint": error.hint}
    message, hint = failure_in_words(error)
    if ran_out_of_memory(error):
        hint = "Something else may hold it: workbench check --watch. Then: workbench resume RUN"
        return {"kind": "memory", "message": message, "hint": hint}
    return {"kind": "disk" if _of_the_disk(error) else "error", "message": message, "hint": hint}


def failure_in_words(error: Exception) -> tuple[str, str]:
    """What an error means for a person: a message and a hint, which may be empty."""
    if _of_the_disk(error):
        name = getattr(error, "filename", None)
        place = f" at {safe_text(name, 1000)}" if name else ""
        return (
            f"The disk could not be written{place}: {_reason(error)}. "
            "What was saved before stands.",
            "Make room, or mend the permissions, then go on: workbench resume RUN",
        )
    if isinstance(error, UnicodeEncodeError):
        return unencodable(error)
    return _first_line(error), ""


def _of_the_disk(error: Exception) -> bool:
    if not isinstance(error, OSError):
        return False
    # HDF5 tells the number in its text alone.
    return error.errno in DISK_ERRORS or "No space left on device" in str(error)


def _reason(error: Exception) -> str:
    told = getattr(error, "strerror", None)
    return safe_text(told) if told and len(told) < 100 else "No space left on device"


def _first_line(error: BaseException) -> str:
    first = safe_text(str(error).strip().split("\n", 1)[0], 1000)
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
