"""The runs, newest first."""
