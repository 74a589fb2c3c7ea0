"""Errors that are meant for people: they end a command with exit code 2 and no traceback."""

import errno

# What the system says where there is no room left: of the disk, a person's share, or a file.
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class UserError(Exception):
    """What was wrong, the value received, what is allowed, and what to do about it.

    Attributes:
        kind: what sort of error it is, as the `failed` event of a run tells it.

    Args:
        message: one or more plain sentences.
        hint: the next step to take, shown on a line of its own; may be empty.
    """

    kind = "user"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class DiskFull(UserError):  # noqa: N818 - a state
    """What has to be written does not fit on the disk."""

    kind = "disk"
