"""Inspect: what a bundle says of itself, whether that is true here, and who vouches for it."""
