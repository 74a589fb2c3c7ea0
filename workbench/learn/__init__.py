"""Small experiments on what the chapter says: which there are, and what their figures mean."""
