"""Runs of other machines, read and fetched by the person's own ssh; nothing is written there."""
