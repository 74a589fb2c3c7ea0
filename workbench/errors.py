"""Errors for people: they end a command with exit code 2 and no traceback."""

import errno

# No room left: on the disk, in a quota, or in a file.
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class UserError(Exception):
    """The problem, the value received, what is allowed, and how to fix it.

    Attributes:
        kind: The kind of error, as recorded in the `failed` event of a run.

    Args:
        message: One or more plain sentences.
        hint: The next step to take, shown on a line of its own; may be empty.
    """

    kind = "user"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class DiskFull(UserError):  # noqa: N818 - a state
    """The disk has no room for the data."""

    kind = "disk"
