"""What people read: the concepts as Markdown, in `en`."""
