"""Requests and files that nobody would write, by the million: guided by the code that they reach."""
