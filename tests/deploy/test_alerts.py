"""The alert rules and what the autoscaler reads: real PromQL over metrics that the server has."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from strop.proto import open_inference_pb2 as oip
from strop.proto import strop_pb2 as typed
from strop.serve.observe.metrics import SHED_REASONS

promql = pytest.importorskip("promql_parser", reason="no wheel for this machine")

Manifest = Callable[[str], Any]
OF_PROMETHEUS = {"up"}


def family(name: str) -> str:
    """The histogram that a series belongs to, or its own name."""
    return re.sub(r"_(bucket|sum|count)$", "", name)


@pytest.fixture(scope="module")
def known(root: Path) -> set[str]:
    """Every metric of a server: the dashboard shows them all, as its own test makes sure."""
    dashboard = (root / "serve/observe/dashboard.json").read_text(encoding="utf-8")
    return {family(name) for name in re.findall(r"\bstrop_\w+", dashboard)}


def selectors(text: str) -> Iterator[Any]:
    """Each series that an expression reads; ``ValueError`` when it isn't PromQL."""
    found: list[Any] = []

    def visit(node: Any) -> None:
        # Those of a range are visited on their own, too.
        if isinstance(node, promql.VectorSelector):
            found.append(node)

    promql.walk(promql.parse(text), visit)
    yield from found


def rules(manifest: Manifest) -> list[dict[str, Any]]:
    return [rule for group in manifest("prometheus/alerts.yml")["groups"] for rule in group["rules"]]


def test_every_alert_reads_what_the_server_tells(manifest: Manifest, known: set[str]) -> None:
    alerts = rules(manifest)
    assert len({rule["alert"] for rule in alerts}) == len(alerts) > 5
    for rule in alerts:
        read = list(selectors(rule["expr"]))
        assert read
        assert {family(one.name) for one in read} <= known | OF_PROMETHEUS, rule["alert"]
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert rule["annotations"].keys() == {"summary", "description"}


def test_every_value_that_an_alert_looks_for_exists(manifest: Manifest) -> None:
    text = " ".join(rule["expr"] for rule in rules(manifest))
    reasons = {one for told in re.findall(r'reason=~"([^"]+)"', text) for one in told.split("|")}
    assert reasons
    assert reasons <= set(SHED_REASONS)
    methods = {one for told in re.findall(r'method=~"([^"]+)"', text) for one in told.split("|")}
    services = (
        typed.DESCRIPTOR.services_by_name["Strop"],
        oip.DESCRIPTOR.services_by_name["GRPCInferenceService"],
    )
    unary = {one.name for service in services for one in service.methods if not one.server_streaming}
    assert methods <= unary
    told = {one.name for one in services[0].methods if not one.server_streaming}
    assert told <= methods, "a typed call that no alert looks at"


def test_the_autoscaler_reads_a_metric_of_the_server(manifest: Manifest, known: set[str]) -> None:
    (rule,) = manifest("prometheus/adapter-values.yaml")["rules"]["custom"]
    (selector,) = selectors(rule["seriesQuery"])
    assert selector.name in known
    assert rule["name"]["as"] == selector.name
    filled = re.sub(r"<<\.GroupBy>>", "pod", rule["metricsQuery"])
    filled = filled.replace("<<.Series>>", selector.name).replace("<<.LabelMatchers>>", 'namespace="n"')
    assert [one.name for one in selectors(filled)] == [selector.name]
