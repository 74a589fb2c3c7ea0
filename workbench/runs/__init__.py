"""The run folder: events, lock, launch, history. No keras."""
