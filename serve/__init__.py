"""Serve: a bundle to a gRPC endpoint with dynamic batching and latency metrics."""
