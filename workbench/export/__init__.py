"""Exports of a run without keras: report, model card, script, scalars; names of formats."""
