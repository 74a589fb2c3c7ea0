"""The rules of the machine check: from facts to findings.

A rule is a generator function: a condition on the facts, then `yield Finding(...)` with what was
found, what it means and one thing to do. Each file holds the rules of one subject and lists them in
its `RULES`. To add a finding, write its rule in the file of its subject and add it to `RULES`
there, at the place of its cause: the most basic cause first. `diagnosis` runs the files in the
order of causes and folds a finding beneath an earlier one that names it in `explains`.
"""
