"""The rivals, each with what it is asked to be: pinned, on its own documented settings."""

from collections.abc import Mapping

from strop.host import usable_cores

from .batching import Batching, alone, batchings
from .rival import Rival

MINIMAL = ("grpcio", "protobuf")
_CORES = usable_cores()

RIVALS: Mapping[str, Rival] = {
    rival.name: rival
    for rival in (
        Rival(
            "pytorch",
            "PyTorch eager behind a minimal gRPC server",
            alone(),
            uses=("torch", "transformers", *MINIMAL),
            model="folder",
        ),
        Rival("onnxruntime", "ONNX Runtime behind a minimal gRPC server", alone(), uses=MINIMAL),
        Rival(
            "openvino",
            "OpenVINO behind a minimal gRPC server",
            alone(),
            requires=("openvino==2026.4.1",),
            uses=MINIMAL,
        ),
        Rival(
            "mlserver",
            "MLServer, adaptive batching, ONNX Runtime",
            batchings(workers=(0, _CORES)),
            # It sets an event loop policy in a way that newer uvloops don't take.
            requires=("mlserver==1.7.1", "uvloop==0.21.0"),
            pythons=(3, 13),
        ),
        Rival(
            "litserve",
            "LitServe, dynamic batching, ONNX Runtime",
            batchings(workers=(_CORES,)),
            requires=("litserve==0.2.19",),
            endpoint="litserve.toml",
        ),
        Rival(
            "mosec",
            "mosec, dynamic batching, ONNX Runtime",
            batchings(workers=(_CORES,)),
            requires=("mosec==0.9.8",),
            endpoint="mosec.toml",
        ),
        Rival(
            "pytriton",
            "Triton through nvidia-pytriton, dynamic batcher, ONNX Runtime",
            batchings(workers=(0,)),
            requires=("nvidia-pytriton==0.7.0", "numpy==1.26.4"),
            endpoint="pytriton.toml",
            shared_python=True,
        ),
        Rival(
            "ray",
            "Ray Serve, dynamic batching, ONNX Runtime",
            batchings(workers=(_CORES,)),
            requires=("ray[serve]==2.60.0",),
            endpoint="ray.toml",
        ),
        Rival(
            "infinity",
            "infinity, its own batching, PyTorch",
            # It doesn't wait for a batch to fill.
            tuple(Batching(texts, workers=1, threads=_CORES) for texts in (8, 16, 32)),
            # Its transformers doesn't go with ours, nor its numpy.
            requires=("infinity-emb[server,torch]==0.0.78", "transformers==4.57.6", "numpy==1.26.4"),
            uses=("torch",),
            endpoint="infinity.toml",
            model="folder",
        ),
    )
}
"""By name, in the order of the report."""
