"""Taking a run away: report, model formats, script."""
