"""What waits, what is computed together, what is dropped: decisions without gRPC and engines."""
