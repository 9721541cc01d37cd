"""The web console beside /metrics: how the server is, on one page, read-only."""
