"""The small questions to the box, one in a process.

python -m workbench.machine.ask NAME --answer-fd N [--workspace DIR]

The answer is one JSON line on the descriptor. Whatever is printed is no part of it.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from workbench.machine.facts import Told
from workbench.printable import make_log


def main(arguments: list[str] | None = None) -> int:
    """Answers one question; returns the exit code."""
    make_log(sys.stdout)
    parser = argparse.ArgumentParser(prog="workbench.machine.ask")
    parser.add_argument("name", choices=sorted(_ANSWERS))
    parser.add_argument("--answer-fd", type=int, required=True)
    parser.add_argument("--workspace", type=Path, help="absolute; storage needs it")
    options = parser.parse_args(arguments)
    if options.name == "storage" and options.workspace is None:
        parser.error("storage needs --workspace")
    os.set_inheritable(options.answer_fd, False)
    answer = _ANSWERS[options.name](options)
    with os.fdopen(options.answer_fd, "w", encoding="ascii") as out:
        out.write(json.dumps(answer.model_dump(mode="json")) + "\n")
    return 0


# What only one of them needs is imported there: a library that crashes takes no other answer along.


def _nvml(options: argparse.Namespace) -> Told:
    import pynvml

    from workbench.machine.nvml import read_kernel_log, read_nvml

    return read_nvml(pynvml, read_kernel_log())


def _libraries(options: argparse.Namespace) -> Told:
    from workbench.machine.libraries import read_libraries

    return read_libraries(os.environ)


def _system(options: argparse.Namespace) -> Told:
    from workbench.machine.system import read_system

    return read_system(os.environ)


def _storage(options: argparse.Namespace) -> Told:
    from workbench.machine.cache import cache_folder
    from workbench.machine.storage import read_storage
    from workbench.paths import Workspace

    return read_storage(Workspace(options.workspace), cache_folder(os.environ), os.environ)


def _decoding(options: argparse.Namespace) -> Told:
    from workbench.machine.decoding import measure_decoding

    return measure_decoding()


_ANSWERS: dict[str, Callable[[argparse.Namespace], Told]] = {
    "nvml": _nvml,
    "libraries": _libraries,
    "system": _system,
    "storage": _storage,
    "decoding": _decoding,
}


if __name__ == "__main__":
    sys.exit(main())
