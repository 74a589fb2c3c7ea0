"""Inside a trained network: what its layers answer, what its filters wish for, what it looks at."""
