"""The command line: thin commands that parse, call and print.

Nothing heavy is imported until a command needs it, so that `workbench --help` answers at once.
"""

from workbench.cli.analyze import errors
from workbench.cli.check import check
from workbench.cli.compare import compare
from workbench.cli.data import data
from workbench.cli.demo import demo
from workbench.cli.explain import inside
from workbench.cli.export import export
from workbench.cli.group import workbench
from workbench.cli.ladder import ladder
from workbench.cli.lessons import learn
from workbench.cli.lr_find import find_rate
from workbench.cli.plan import layers, plan
from workbench.cli.relabel import correct
from workbench.cli.report import report
from workbench.cli.results import evaluate, predict
from workbench.cli.resume import resume
from workbench.cli.runs import attach, runs, status, stop
from workbench.cli.setup import completion, presets
from workbench.cli.train import train
from workbench.cli.trash import delete, restore
from workbench.cli.tune import search

for _command in (
    check, demo, data, presets, plan, train, runs, attach, status, stop, resume,
    delete, restore, layers, evaluate, errors, correct, compare, inside, ladder, learn, predict,
    find_rate, search, report, export, completion,
):  # fmt: skip
    workbench.add_command(_command)

__all__ = ["workbench"]
