"""What computes a batch: one module for each way, the options that choose, and those at work."""
