"""The directive `run`: a command of a tutorial and what it really printed.

    ```{run}
    workbench data scan digits
    ```

The commands of all pages run in one workspace, in the order of the first page that has them; a
command that fails fails the build. A page in another language that has the same commands shows the
same output. With DOCS_REUSE=1 the output of the last build is shown, if the commands are the same.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

HOME = "/home/you"  # stands for the temporary folder
COLUMNS = 100
LIMIT = 300  # seconds that a command may take
_BLANK = re.compile(r"[ \t]+$", re.MULTILINE)


class Session:
    """A shell in a workspace of its own.

    Args:
        kept: file of the outputs of an earlier build.
    """

    def __init__(self, kept: Path) -> None:
        self._kept = kept
        self._outputs: dict[str, str] = {}
        if os.environ.get("DOCS_REUSE") and kept.exists():
            self._outputs = json.loads(kept.read_text("utf-8"))
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def output(self, command: str, allowed: tuple[int, ...] = (0,)) -> str:
        """Return what a command prints, run once, if it ends with an exit code that is allowed.

        Raises:
            RuntimeError: the command failed.
        """
        if command not in self._outputs:
            self._outputs[command] = self._run(command, allowed)
        return self._outputs[command]

    def close(self) -> None:
        """Keep the outputs and remove the workspace."""
        self._kept.parent.mkdir(parents=True, exist_ok=True)
        self._kept.write_text(json.dumps(self._outputs, indent=1), encoding="utf-8")
        if self._folder is not None:
            self._folder.cleanup()

    def _run(self, command: str, allowed: tuple[int, ...]) -> str:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="tutorial-")
        home = Path(self._folder.name)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("WORKBENCH", "XDG"))}
        environment = {
            **kept,
            "HOME": str(home),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "COLUMNS": str(COLUMNS),
            "WORKBENCH_LANG": "en",
            "KERAS_HOME": str(home / ".keras"),
            "TZ": "UTC",
        }
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=home,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT,
        )
        if done.returncode not in allowed:
            raise RuntimeError(f"{command}\nended with {done.returncode}:\n{done.stdout}")
        printed = done.stdout.replace(str(home.resolve()), HOME).replace(str(home), HOME)
        return _BLANK.sub("", printed).strip("\n")


class Run(SphinxDirective):
    """Shows a command, runs it, and shows its output.

    Options:
        head: show so many lines of the output alone.
        allow: an exit code that is expected on some machines, beside 0.
    """

    has_content = True
    option_spec: ClassVar[dict[str, Any]] = {
        "head": directives.nonnegative_int,
        "allow": directives.nonnegative_int,
    }

    def run(self) -> list[nodes.Node]:
        """Return a block of code with prompt, command and output."""
        command = "\n".join(self.content)
        allowed = (0, self.options.get("allow", 0))
        session: Session = self.env.app.tutorial  # type: ignore[attr-defined]
        lines = session.output(command, allowed).split("\n")
        head = self.options.get("head", len(lines))
        if head < len(lines):
            lines = [*lines[:head], "..."]
        shown = "\n".join([f"$ {command}", *lines])
        block = nodes.literal_block(shown, shown, language="console")
        return [block]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.tutorial = Session(Path(app.outdir).parent / "tutorial.json")  # type: ignore[attr-defined]
    app.add_directive("run", Run)
    app.connect("build-finished", lambda app, error: app.tutorial.close())
    return {"parallel_read_safe": False}
