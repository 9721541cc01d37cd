"""Tune: the options of strop serve that sustain the highest rate within an SLO on this machine."""
