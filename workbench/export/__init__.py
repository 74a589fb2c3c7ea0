"""What a person takes away from a run: report, model card, script, scalars. No keras."""
