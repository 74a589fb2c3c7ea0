"""The chapter's claims as small experiments: their questions, networks and conclusions."""
