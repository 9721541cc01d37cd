"""Labelled data: read in any format, fetched, split."""
