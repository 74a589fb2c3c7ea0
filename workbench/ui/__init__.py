"""The terminal app: screens compose and route, everything they show is computed elsewhere."""
