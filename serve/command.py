"""``strop serve``."""

from .config import ServeConfig


def serve(config: ServeConfig) -> None:
    """Serve a bundle over gRPC, with metrics for Prometheus, until a signal ends it.

    Both the Open Inference Protocol (KServe V2) and the typed strop.v1 API are answered, with
    health checks and reflection. The first SIGTERM drains, the second forces.
    """
    # Not at the top: the option's help must not wait for ONNX Runtime and gRPC.
    from .observe import log

    log.configure(config.log_level)
    if config.workers > 1:
        # Loads neither of them: the supervisor of the workers is small.
        from .process.supervisor import run_workers

        run_workers(config)
    else:
        from .process.server import run_server

        run_server(config)
