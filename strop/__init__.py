"""Strop: from labelled text to a costed gRPC endpoint on one edge box."""

__version__ = "0.1.0"
