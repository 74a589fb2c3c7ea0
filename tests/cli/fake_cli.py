"""The command line with workers that train nothing: python fake_cli.py WORDS ...

FAKE_WORKER names what they do instead (see `fake_worker`).
"""

import sys

from workbench.cli.app import workbench
from workbench.runs import launch

launch.launch.__defaults__ = tuple(  # for every caller
    "fake_worker" if value == "workbench.worker" else value
    for value in launch.launch.__defaults__ or ()
)

if __name__ == "__main__":
    workbench(sys.argv[1:], prog_name="workbench")
