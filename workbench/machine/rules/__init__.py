"""The rules of the machine check: from facts to findings.

A rule is a generator function: a condition on the facts, then `yield Finding(...)` with what was
found, what it means and one thing to do. Each file holds the rules of one subject. To add a
finding, write its rule in the file of its subject and list it in RULES at the end of that file, at
the place of its cause.
"""
