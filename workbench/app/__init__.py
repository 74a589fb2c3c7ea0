"""Use cases of both the CLI and the UI: starting a run, drafts, comparing, scans. No Textual."""
