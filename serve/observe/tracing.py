"""OpenTelemetry traces: a span for each call and one for each of its stages. Needs strop[otel]."""

import os
import time

import grpc
from grpc.aio import ServicerContext as Context
from opentelemetry import trace
from opentelemetry.context import attach
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from strop import __version__

from ..core import Answer, Query
from ..inference.model import Model
from ..wire.calls import EndSpan

# A collector that is away may not hold up the end of the server for longer.
EXPORT_SECONDS = 3.0
# Those that are a server's own fault, by OpenTelemetry's semantic conventions for gRPC.
FAULTS = {
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DATA_LOSS,
}


class Tracing:
    """Sends spans to a collector, in batches from a thread of its own."""

    def __init__(self, endpoint: str) -> None:
        """``endpoint`` is the collector's URL for OTLP over gRPC."""
        name = os.environ.get("OTEL_SERVICE_NAME", "strop")
        resource = Resource.create({"service.name": name, "service.version": __version__})
        self._provider = TracerProvider(resource=resource)
        exporter = OTLPSpanExporter(endpoint=endpoint, timeout=EXPORT_SECONDS)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("strop.serve", __version__)
        self._propagator = TraceContextTextMapPropagator()

    def start_span(self, service: str, method: str, context: Context) -> EndSpan:
        """Start the span of a call and make it the current one of this task."""
        name = f"{service}/{method}"
        span = self._tracer.start_span(
            name,
            self._propagator.extract(dict(context.invocation_metadata() or ())),
            trace.SpanKind.SERVER,
            {"rpc.system.name": "grpc", "rpc.method": name},
        )
        # Never detached: a call has a task, and so a context, of its own.
        attach(trace.set_span_in_context(span))

        def end(code: grpc.StatusCode) -> None:
            span.set_attribute("rpc.response.status_code", code.name)
            if code in FAULTS:
                span.set_status(trace.StatusCode.ERROR)
            span.end()

        return end

    def answered(self, model: Model, query: Query, answer: Answer) -> None:
        """Tell the current span which model answered, and how long each stage took."""
        trace.get_current_span().set_attributes(
            {
                "strop.model": model.name,
                "strop.version": model.version,
                "strop.variant": model.variant,
                "strop.texts": len(answer.encoded),
            }
        )
        timings = answer.timings
        # The stages follow each other from the call's arrival on; spans are in wall-clock nanoseconds.
        at = time.time_ns() - _nanoseconds(timings.total)
        for stage in ("tokenise", "queue", "compute"):
            span = self._tracer.start_span(stage, start_time=at)
            at += _nanoseconds(getattr(timings, stage))
            span.end(at)

    def close(self) -> None:
        """Send what is left; blocks for at most some seconds."""
        self._provider.shutdown()


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)
