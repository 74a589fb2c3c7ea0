"""A scan that waits in the middle until there is a file `go` in the workspace."""

import os
import sys
from pathlib import Path

from waiting import wait_until

from workbench.datasets.inspect_job import JobOutput, main

if __name__ == "__main__":
    output = JobOutput()
    output.emit("started", pid=os.getpid())
    output.emit("progress", phase="scan", done=3, total=10)
    wait_until(Path(sys.argv[2], "go").exists)
    sys.exit(main(sys.argv[1:]))
