"""Strop: from labelled text to a costed gRPC endpoint on one edge box."""

import os

__version__ = "0.1.0"

# ONNX Runtime's own builds, from 1.29 on, keep a file of what runs where and send it to Microsoft unless
# this is set before they are loaded. Whoever wants that sets 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
