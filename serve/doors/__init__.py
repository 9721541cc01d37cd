"""Who may ask what, how much of it, over which connection; and what is written down of it."""
