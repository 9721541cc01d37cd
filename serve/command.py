"""``strop serve``."""

from .config import ServeConfig


def serve(config: ServeConfig) -> None:
    """Serve a bundle over gRPC, with metrics for Prometheus, until a signal ends it.

    Both the Open Inference Protocol (KServe V2) and the typed strop.v1 API are answered, with
    health checks and reflection. The first SIGTERM drains, the second forces.
    """
    # Not at the top: the option's help must not wait for ONNX Runtime and gRPC.
    from . import log
    from .server import run_server

    log.configure(config.log_level)
    run_server(config)
