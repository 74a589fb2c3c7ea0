"""Files from the web, and folders that appear whole or not at all. Standard library only."""
