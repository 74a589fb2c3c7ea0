"""A scan that waits in its middle until a file `go` lies in the workspace."""

import sys
import time
from pathlib import Path

from workbench.datasets.inspect_job import Teller, main

if __name__ == "__main__":
    import os

    teller = Teller()
    teller.event("started", pid=os.getpid())
    teller.event("progress", phase="scan", done=3, total=10)
    deadline = time.monotonic() + 60
    while not Path(sys.argv[2], "go").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    sys.exit(main(sys.argv[1:]))
