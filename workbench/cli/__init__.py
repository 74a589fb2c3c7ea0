"""The command line: thin commands that parse, call and print.

Nothing heavy is imported until a command needs it, so that `workbench --help` is fast.
"""

from workbench.cli.analyze import analyze, relabel
from workbench.cli.app import completion, workbench
from workbench.cli.check import check
from workbench.cli.data import data
from workbench.cli.demo import demo
from workbench.cli.explain import explain
from workbench.cli.export import export, report
from workbench.cli.features import features
from workbench.cli.hosts import fetch
from workbench.cli.label import label
from workbench.cli.ladder import ladder
from workbench.cli.lessons import lessons
from workbench.cli.logs import logs
from workbench.cli.mirror import mirror
from workbench.cli.plan import bases, layers, plan, presets
from workbench.cli.results import evaluate, predict
from workbench.cli.runs import attach, compare, note, runs, status, stop, tag
from workbench.cli.schema import schema
from workbench.cli.settings import settings
from workbench.cli.slurm import slurm
from workbench.cli.sweep import sweep
from workbench.cli.train import resume, train
from workbench.cli.trash import delete, restore
from workbench.cli.tune import lr_find, tune
from workbench.cli.usage import translate_help

for _command in (
    check, demo, data, presets, bases, plan, train, runs, attach, status, stop, resume,
    fetch, delete, restore, tag, note, layers, evaluate, analyze, relabel, label, compare, explain,
    ladder, sweep, lessons, predict, lr_find, tune, features, report, export, mirror, slurm,
    settings, logs, schema, completion,
):  # fmt: skip
    workbench.add_command(_command)

translate_help(workbench)

__all__ = ["workbench"]
