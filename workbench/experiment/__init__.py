"""What is to be done, as plain data: specs, plans, presets. No I/O but TOML, no keras."""
