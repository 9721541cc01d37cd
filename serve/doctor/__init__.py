"""Doctor: whether a box is fit to serve, a file a part of it: its facts are read, then judged."""
