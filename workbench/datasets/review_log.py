"""`review.jsonl`: what a person answered about images, one line an answer, the newest last.

Each answer is on the disk before the next question is asked, so that a killed review loses at most
the one being typed. Images are identified by their pixels, as in label fixes.
"""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

REVIEW_NAME = "review.jsonl"
Verdict = Literal["keep", "relabel", "exclude", "later"]
_UNDO = "undo"
_MAX_BYTES = 256 << 20  # a million answers; a larger file is not ours


class Answer(BaseModel):
    """What a person said of an image, or of two that look alike.

    Attributes:
        images: Hashes of their pixels, sorted.
        verdict: keep: as it is; relabel: to `label`; exclude: `excluded` of the images; later: ask
            again at the end.
        label: That was given; "" otherwise.
        excluded: Hash of the image that was left out, "" otherwise.
        before: The label fix that the changed image had before: a label, "" where it was left out,
            None for none.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    images: Annotated[tuple[str, ...], Field(min_length=1)]
    verdict: Verdict
    label: str = ""
    excluded: str = ""
    before: str | None = None

    @property
    def changed(self) -> str:
        """The hash of the image that got another label or was left out; "" for none."""
        if self.verdict == "relabel":
            return self.images[0]
        return self.excluded


class ReviewLog:
    """The answers of a data folder, in a file that only grows.

    Attributes:
        path: Of the file, which may not exist yet.
        answers: All that were not undone, the newest last.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answers: list[Answer] = []
        content = b""
        if path.is_file() and path.stat().st_size <= _MAX_BYTES:
            content = path.read_bytes()
        for line in content.split(b"\n"):
            self._apply(line.decode("utf-8", "replace"))
        self._torn = bool(content) and not content.endswith(b"\n")

    def add(self, answer: Answer) -> None:
        """Append an answer; it is on the disk when this returns.

        Raises:
            OSError: It cannot be written.
        """
        self._append(json.dumps(answer.model_dump()))
        self.answers.append(answer)

    def undo(self) -> Answer | None:
        """Take back the newest answer and return it; None if there is none.

        Raises:
            OSError: It cannot be written.
        """
        if not self.answers:
            return None
        self._append(_UNDO)
        return self.answers.pop()

    def _append(self, line: str) -> None:
        if self._torn:  # by a kill: the unfinished line ends here, and is ignored
            line = "\n" + line
        with self.path.open("a", encoding="ascii") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._torn = False

    def _apply(self, line: str) -> None:
        """Take a line of the file; what is damaged or foreign is ignored."""
        if line == _UNDO:
            self.answers = self.answers[:-1]
            return
        with suppress(ValueError, RecursionError):
            self.answers.append(Answer.model_validate(json.loads(line)))
