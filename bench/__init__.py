"""Bench: a running endpoint to latency, accuracy over the wire and dollars per million queries."""
