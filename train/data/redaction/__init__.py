"""Personal data out of a file: found by its own checks, masked, and the file kept as it is else."""
