"""Failures of a worker: their kind, message and hint."""

import errno

from workbench.errors import DISK_FULL, UserError
from workbench.text import describe_unencodable, safe_text

DISK_ERRORS = (*DISK_FULL, errno.EROFS, errno.EACCES, errno.EPERM)
# In messages of TensorFlow and XLA, torch, CUDA, C++.
_NO_MEMORY = ("RESOURCE_EXHAUSTED", "OOM when", "OutOfMemory", "out of memory", "bad_alloc")


class OutOfMemory(UserError):  # noqa: N818 - a state
    """A step of training needs more memory than there is."""

    kind = "memory"


def ran_out_of_memory(error: BaseException) -> bool:
    """Return True if the memory of the GPU or of the machine was not enough."""
    text = f"{type(error).__name__}: {error}"
    return isinstance(error, MemoryError) or any(sign in text for sign in _NO_MEMORY)


def out_of_memory(error: BaseException, batch_size: int, smaller: int | None) -> OutOfMemory:
    """Make an error that offers a smaller batch size, or none if the batch is one image already."""
    first = _first_line(error)
    return OutOfMemory(
        f"Memory was not enough for a step of {batch_size} images ({first}). "
        "The last checkpoint is kept.",
        f"Continue with half the batch, {smaller}: workbench resume RUN --half-batch. "
        "Runs started with --oom retry do so automatically."
        if smaller
        else "Start again with smaller images (data.image_size) or a smaller network.",
    )


def failure_fields(error: Exception) -> dict[str, str]:
    """Return kind, message and hint of a `failed` event."""
    if isinstance(error, UserError):
        return {"kind": error.kind, "message": error.message, "hint": error.hint}
    message, hint = describe_failure(error)
    if ran_out_of_memory(error):
        hint = "Another program may use it: workbench check --watch. Then: workbench resume RUN"
        return {"kind": "memory", "message": message, "hint": hint}
    return {"kind": "disk" if _is_disk_error(error) else "error", "message": message, "hint": hint}


def describe_failure(error: Exception) -> tuple[str, str]:
    """Describe an error to a person: a message and a hint, which may be empty."""
    if _is_disk_error(error):
        name = getattr(error, "filename", None)
        place = f" at {safe_text(name, 1000)}" if name else ""
        return (
            f"The disk could not be written{place}: {_reason(error)}. "
            "Everything saved before is kept.",
            "Make room, or fix the permissions, then continue: workbench resume RUN",
        )
    if isinstance(error, UnicodeEncodeError):
        return describe_unencodable(error)
    return _first_line(error), ""


def _is_disk_error(error: Exception) -> bool:
    if not isinstance(error, OSError):
        return False
    # HDF5 has the number only in its text.
    return error.errno in DISK_ERRORS or "No space left on device" in str(error)


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None)
    return safe_text(text) if text and len(text) < 100 else "No space left on device"


def _first_line(error: BaseException) -> str:
    first = safe_text(str(error).strip().split("\n", 1)[0], 1000)
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
