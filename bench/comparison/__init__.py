"""Two reports side by side: what changed, and whether it may."""
