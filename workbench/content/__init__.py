"""What people read: the concepts behind each screen."""
