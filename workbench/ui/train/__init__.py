"""A run while it trains."""
