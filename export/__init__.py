"""Export: a run to a bundle of compressed, measured variants behind an accuracy gate."""
