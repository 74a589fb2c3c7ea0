"""Which images, what the scan found, how they are split."""
