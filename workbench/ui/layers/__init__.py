"""The layers of a run and of a draft."""
