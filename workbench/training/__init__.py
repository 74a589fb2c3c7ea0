"""Training. Imports keras; only worker processes import this package."""
