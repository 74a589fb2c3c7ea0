"""What short commands cost beyond what they need: the machine check and `plan`.

    python benchmarks/short_commands.py [--rounds 5] [--json FILE]

In turns, from the start of each process to its end, with byte code as an installed package has it:

- `workbench check` where nothing has changed since the last one, and where something has, so that
  the framework is tried again (the speeds of the device are known), beside `import keras`, the
  least that any trial costs; and with --measure, which times device and decoding as well;
- `workbench plan` for digits beside `workbench --help`.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from side_by_side import in_turns, markdown, parser, seconds


def main() -> None:
    """Measure in turns and print."""
    given = parser(__doc__, rounds=5).parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        cache = Path(scratch, "cache")
        variables = {name: v for name, v in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        variables |= {
            "XDG_CACHE_HOME": str(cache),
            "PYTHONPYCACHEPREFIX": str(Path(scratch, "bytecode")),
            "WORKBENCH_HOME": scratch,
        }

        def run(*words: str) -> float:
            command = [sys.executable, *words]
            return seconds(lambda: subprocess.run(command, env=variables, capture_output=True))

        def workbench(*words: str) -> float:
            return run("-m", "workbench", *words)

        def changed() -> float:
            for path in (cache / "workbench").glob("check-*.json"):
                path.unlink()
            return workbench("check")

        workbench("check")
        found = in_turns(
            {
                "import": lambda: run("-c", "import keras"),
                "kept": lambda: workbench("check"),
                "changed": changed,
                "measured": lambda: workbench("check", "--measure"),
                "help": lambda: workbench("--help"),
                "plan": lambda: workbench("plan", "--preset", "convnet", "--data", "digits"),
            },
            given.rounds,
        )
    rows = [
        _row("check, nothing has changed", found["kept"], "import keras", found["import"]),
        _row("check, something has changed", found["changed"], "import keras", found["import"]),
        _row("check --measure", found["measured"], "import keras", found["import"]),
        _row("plan", found["plan"], "--help", found["help"]),
    ]
    print(markdown(("", "s", "beside", "s", "ratio", "difference (s)"), rows))
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")


def _row(name: str, own: float, beside: str, other: float) -> tuple[str, ...]:
    return name, f"{own:.2f}", beside, f"{other:.2f}", f"{own / other:.2f}", f"{own - other:.2f}"


if __name__ == "__main__":
    main()
