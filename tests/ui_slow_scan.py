"""A scan that waits in its middle until a file `go` lies in the workspace."""

import sys
from pathlib import Path

from patience import wait_until

from workbench.datasets.inspect_job import Teller, main

if __name__ == "__main__":
    import os

    teller = Teller()
    teller.event("started", pid=os.getpid())
    teller.event("progress", phase="scan", done=3, total=10)
    wait_until(Path(sys.argv[2], "go").exists)
    sys.exit(main(sys.argv[1:]))
