"""The chapter's claims as small lessons: each file asks one, trains networks, and concludes."""
