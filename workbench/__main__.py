"""`workbench` and `python -m workbench`."""

import io
import os
import sys

from workbench.errors import UserError
from workbench.language import choose_language
from workbench.messages import tr
from workbench.streams import make_printable
from workbench.text import safe_lines


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        make_printable(stream)
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")  # input in another encoding must not crash
    trust_terminal_size()
    try:
        choose_language(sys.argv)
    except UserError as error:
        print(tr("error: {message}", message=safe_lines(error)), file=sys.stderr)
        sys.exit(2)
    from workbench.cli.app import workbench

    workbench(prog_name="workbench")


def trust_terminal_size() -> None:
    """Remove COLUMNS and LINES if a terminal reports its own size.

    Exported by a shell or a script, they hold the size of one moment, and layout code would use
    it forever.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            size = os.get_terminal_size(stream.fileno())
        except (OSError, ValueError, AttributeError):  # not a terminal, or closed
            continue
        if all(size):  # a serial line reports 0
            os.environ.pop("COLUMNS", None)
            os.environ.pop("LINES", None)
            return


if __name__ == "__main__":
    main()
