"""The numbers on the console, from what the metrics did between two readings. Times are milliseconds."""

from collections.abc import Mapping
from typing import Any

from .readings import Buckets, Group, Span, quantile

ANSWERING = (
    "Answer",
    "Classify",
    "ClassifyStream",
    "Embed",
    "Fill",
    "ModelInfer",
    "ModelStreamInfer",
    "Score",
    "Tag",
)
"""The calls that ask a model; others tell of models and say nothing of how fast those are."""
OK = "OK"
CANCELLED = "CANCELLED"
STAGES = ("tokenise", "queue", "compute")
REQUESTS = "strop_request_seconds"
BATCHES = ("texts", "fill", "padding_share")
LABELS = ("model", "version")

Facts = dict[str, Any]
"""JSON."""


def point(span: Span) -> Facts:
    """A moment of the charts: rate, latency of answered calls, batches, what waits."""
    calls = _summed(_answering(span.buckets(REQUESTS, "method", "code")), OK)
    return {
        "calls_per_second": (calls[-1][1] if calls else 0.0) / span.seconds,
        "texts_per_second": _sum(span.grown("strop_texts_total")) / span.seconds,
        **percentiles(calls),
        **_batches(span),
        "queue_texts": _sum(span.now("strop_queue_texts")),
    }


def figures(span: Span) -> Facts:
    """All numbers of a span: as a whole, by method, by model, by reason, and what they cost."""
    return {
        "seconds": span.seconds,
        **point(span),
        "in_flight": _sum(span.now("strop_in_flight_requests")),
        "failed_per_second": _failed(span) / span.seconds,
        "shed": {reason: count for (reason,), count in span.grown("strop_shed_total", "reason").items()},
        "methods": _methods(span),
        "models": _models(span),
        "cost": _cost(span),
        "workers": _workers(span),
    }


def percentiles(buckets: Buckets) -> Facts:
    """The usual three of a histogram of seconds."""
    found = {f"p{share}_ms": quantile(buckets, share / 100) for share in (50, 90, 99)}
    return {name: value if value is None else 1e3 * value for name, value in found.items()}


def _answering(found: Mapping[Group, Buckets]) -> dict[Group, Buckets]:
    return {group: buckets for group, buckets in found.items() if group[0] in ANSWERING}


def _summed(found: Mapping[Group, Buckets], code: str) -> Buckets:
    """The histograms of one code together; they have the same bounds."""
    chosen = [buckets for group, buckets in found.items() if group[1] == code]
    return [(same[0][0], sum(count for _, count in same)) for same in zip(*chosen, strict=True)]


def _batches(span: Span) -> Facts:
    """Means of the batches: texts in one, the share of the budget that they used, and of padding."""
    return {f"batch_{name}": span.mean(f"strop_batch_{name}").get(()) for name in BATCHES}


def _failed(span: Span) -> float:
    ended = span.grown(f"{REQUESTS}_count", "method", "code")
    return sum(count for (_, code), count in ended.items() if code not in (OK, CANCELLED))


def _methods(span: Span) -> list[Facts]:
    """Every method that was ever called, with the latency of its answered calls."""
    told = span.buckets(REQUESTS, "method", "code")
    ended = span.grown(f"{REQUESTS}_count", "method", "code")
    found = []
    for method in sorted({method for method, _ in ended}):
        failed = sum(n for (of, code), n in ended.items() if of == method and code not in (OK, CANCELLED))
        answered = told.get((method, OK), [])
        found.append(
            {
                "method": method,
                "calls_per_second": (answered[-1][1] if answered else 0.0) / span.seconds,
                "failed_per_second": failed / span.seconds,
                **percentiles(answered),
            }
        )
    return found


def _models(span: Span) -> list[Facts]:
    """Every version that was ever served: its rate, stages and batches, what waits for it, its route."""
    texts, failures = span.grown("strop_texts_total", *LABELS), span.grown("strop_failures_total", *LABELS)
    stages = span.buckets("strop_stage_seconds", *LABELS, "stage")
    batches = {name: span.mean(f"strop_batch_{name}", *LABELS) for name in BATCHES}
    waiting, shares = span.now("strop_queue_texts", *LABELS), span.now("strop_route_share", *LABELS)
    agreed = span.grown("strop_shadow_agreed_total", *LABELS)
    compared = span.grown("strop_shadow_texts_total", *LABELS)
    return [
        {
            "name": key[0],
            "version": key[1],
            "texts_per_second": count / span.seconds,
            "failures_per_second": failures.get(key, 0.0) / span.seconds,
            "queue_texts": waiting.get(key, 0.0),
            "route_share": shares.get(key),
            "agreement": agreed[key] / compared[key] if compared.get(key) else None,
            "stages": {stage: percentiles(stages.get((*key, stage), [])) for stage in STAGES},
            **{f"batch_{name}": means.get(key) for name, means in batches.items()},
        }
        for key, count in sorted(texts.items())
    ]


def _cost(span: Span) -> Facts | None:
    """US dollars; None of a server that was told no price."""
    if not (hourly := span.now("strop_dollars_per_hour")):
        return None
    per_million = span.now("strop_dollars_per_million_queries", "over")
    return {
        "dollars_per_hour": _sum(hourly),
        "dollars_spent": _sum(span.now("strop_dollars_spent_total")),
        "dollars_per_million_5m": _finite(per_million.get(("5m",))),
        "dollars_per_million_start": _finite(per_million.get(("start",))),
    }


def _workers(span: Span) -> Facts | None:
    """How many processes answer; None of a server that is one process."""
    if not (ready := span.now("strop_workers_ready")):
        return None
    return {"ready": _sum(ready), "deaths": _sum(span.now("strop_worker_deaths_total"))}


def _sum(found: Mapping[Group, float]) -> float:
    return sum(found.values())


def _finite(value: float | None) -> float | None:
    # JSON has no infinity: nothing was answered, so there is no price.
    return None if value is None or value == float("inf") else value
