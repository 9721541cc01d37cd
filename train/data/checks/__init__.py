"""Checks of labelled data, each a function from rows to findings."""
