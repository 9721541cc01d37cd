"""What was answered, and what callers say was right: kept in a file, off the event loop, if asked for."""
