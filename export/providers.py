"""The providers that a variant may be meant for, by their names in a manifest: ONNX Runtime's, or torch."""

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"
TORCH = "torch"
