"""A sweep over the strategies."""
