"""`workbench` and `python -m workbench`."""

import io
import os
import sys

from workbench.printable import make_printable


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        make_printable(stream)
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")  # an answer in another encoding is no answer
    believe_the_terminal()
    from workbench.cli import workbench

    workbench(prog_name="workbench")


def believe_the_terminal() -> None:
    """Forget COLUMNS and LINES where a terminal tells its own size.

    A shell that exports them, or a script, names the size of one moment; whatever lays out text
    would take it for the terminal's for ever.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            size = os.get_terminal_size(stream.fileno())
        except (OSError, ValueError, AttributeError):  # no terminal, closed, or none at all
            continue
        if all(size):  # a serial line says 0
            os.environ.pop("COLUMNS", None)
            os.environ.pop("LINES", None)
            return


if __name__ == "__main__":
    main()
