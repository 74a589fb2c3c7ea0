"""Errors that are meant for people: they end a command with exit code 2 and no traceback."""


class UserError(Exception):
    """What was wrong, the value received, what is allowed, and what to do about it.

    Args:
        message: one or more plain sentences.
        hint: the next step to take, shown on a line of its own; may be empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message
