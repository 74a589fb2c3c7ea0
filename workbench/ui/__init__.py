"""The terminal app: screens compose and navigate; what they show is computed elsewhere."""
