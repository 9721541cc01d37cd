"""The engines benchmark: each variant on its engine, against padded PyTorch and the device's peak."""
