"""Errors that nobody foresaw, in words."""

import errno

from workbench.text import safe_text

DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)


def failure_in_words(error: Exception) -> tuple[str, str]:
    """What an error means for a person: a message and a hint, which may be empty."""
    if isinstance(error, OSError) and error.errno in DISK_ERRORS:
        place = f" at {safe_text(error.filename, 1000)}" if error.filename else ""
        return (
            f"The disk could not be written{place}: {safe_text(error.strerror)}. "
            "What was saved before stands.",
            "Make room, or mend the permissions, then go on: a run with `workbench resume`.",
        )
    first = safe_text(str(error).strip().split("\n", 1)[0], 1000)
    return f"{type(error).__name__}: {first}" if first else type(error).__name__, ""
