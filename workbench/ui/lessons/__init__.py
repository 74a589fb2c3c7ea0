"""The chapter's claims, tried."""
