"""What a person takes home from a run: a page, a model card, a script, scalars. No keras."""
