"""What loads or builds a finished model: evaluate, predict, explain, lessons. Imports keras."""
