"""The Helm chart, rendered by Helm's own library and held against Kubernetes' own schemas."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

helm = pytest.importorskip("helm_python", reason="helm-python-sdk has no wheel for this machine")
kubernetes = pytest.importorskip("kubernetes_validate")

# The oldest that Chart.yaml asks for, and the newest whose schemas are here.
VERSIONS = ("1.27", "1.37")
# Of other people's custom resources: no schema comes with Kubernetes.
CUSTOM = {"ServiceMonitor"}

Rendered = dict[str, Any]
Render = Callable[..., Rendered]


@pytest.fixture(scope="module")
def chart(deploy: Path) -> Path:
    return deploy / "helm/strop"


@pytest.fixture(scope="module")
def render(chart: Path) -> Render:
    """What a release named reviews consists of with these values, by kind."""

    def by_kind(values: dict[str, Any] | None = None) -> Rendered:
        with helm.Chart.load(chart) as loaded:
            loaded.validate_schema(loaded.merge_values(values or {}))
            texts = loaded.render(values or {}, name="reviews", namespace="prod")
        found = [
            one
            for path, text in texts.items()
            if path.endswith(".yaml")
            for one in yaml.safe_load_all(text)
            if one
        ]
        assert len({one["kind"] for one in found}) == len(found)
        return {one["kind"]: one for one in found}

    return by_kind


ALL = {
    "autoscaling": {"enabled": True},
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "image": {"digest": "sha256:" + "0" * 64, "pullSecrets": ["registry"]},
    "options": ["--variant", "int8", "--workers", "2"],
    "bundle": {"subPath": "reviews/3"},
    "podAnnotations": {"owner": "reviews"},
    "nodeSelector": {"kubernetes.io/arch": "amd64"},
    "tolerations": [{"key": "edge", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "networkPolicy": {"callers": [{"podSelector": {"matchLabels": {"app": "shop"}}}]},
}
NONE: dict[str, Any] = {
    "replicas": 1,
    "scrapeAnnotations": False,
    "networkPolicy": {"enabled": False},
    "disruptionBudget": {"enabled": False},
    "resources": {"limits": None, "requests": None},
    "service": {"headless": False, "type": "LoadBalancer"},
}


def test_helm_finds_nothing_to_mend(chart: Path) -> None:
    report = helm.lint(chart, strict=True)
    assert report["errors"] == []
    # Severity 1 is advice: the chart has no icon.
    assert [one for one in report["messages"] if one["severity"] > 1] == []


@pytest.mark.parametrize("values", [{}, ALL, NONE], ids=["default", "all", "none"])
@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_rendered_is_what_kubernetes_takes(
    render: Render, values: dict[str, Any], version: str
) -> None:
    for kind, resource in render(values).items():
        if kind not in CUSTOM:
            kubernetes.validate(resource, version, strict=True)


def test_the_switches_add_and_leave_out_whole_resources(render: Render) -> None:
    always = {"Deployment", "Service"}
    assert render().keys() == always | {"NetworkPolicy", "PodDisruptionBudget"}
    assert render(NONE).keys() == always
    guards = {"NetworkPolicy", "PodDisruptionBudget"}
    assert render(ALL).keys() == always | guards | {"HorizontalPodAutoscaler", "ServiceMonitor"}


def test_a_budget_never_forbids_every_disruption(render: Render) -> None:
    assert "PodDisruptionBudget" not in render({"replicas": 1})
    assert "PodDisruptionBudget" not in render({"autoscaling": {"enabled": True, "minReplicas": 1}})


@pytest.mark.parametrize("values", [{}, ALL, NONE], ids=["default", "all", "none"])
def test_the_pod_may_do_nothing_but_serve(
    render: Render, serve_config: Callable[[list[str]], Any], values: dict[str, Any]
) -> None:
    pod = render(values)["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert not container["image"].endswith(":latest")
    config = serve_config(container["args"])
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert config.address == f"0.0.0.0:{ports['grpc']}"
    assert config.metrics_address == f"0.0.0.0:{ports['metrics']}"
    assert container["readinessProbe"]["grpc"]["port"] == ports["grpc"]
    assert pod["terminationGracePeriodSeconds"] > config.notice_seconds + config.grace_seconds
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    assert str(config.bundle) in mounts
    assert set(mounts.values()) == {volume["name"] for volume in pod["volumes"]}


def test_services_policies_and_monitors_find_the_pods(render: Render) -> None:
    rendered = render(ALL)
    labels = rendered["Deployment"]["spec"]["template"]["metadata"]["labels"].items()
    assert rendered["Service"]["spec"]["selector"].items() <= labels
    assert rendered["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"].items() <= labels
    assert rendered["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"].items() <= labels
    told = rendered["Service"]["metadata"]["labels"].items()
    assert rendered["ServiceMonitor"]["spec"]["selector"]["matchLabels"].items() <= told
    ports = {port["name"] for port in rendered["Service"]["spec"]["ports"]}
    assert {one["port"] for one in rendered["ServiceMonitor"]["spec"]["endpoints"]} <= ports


def test_the_autoscaler_goes_by_the_queue_and_alone_sets_the_replicas(
    render: Render, manifest: Callable[[str], Any]
) -> None:
    rendered = render(ALL)
    (metric,) = rendered["HorizontalPodAutoscaler"]["spec"]["metrics"]
    (rule,) = manifest("prometheus/adapter-values.yaml")["rules"]["custom"]
    assert metric["pods"]["metric"]["name"] == rule["name"]["as"]
    assert "replicas" not in rendered["Deployment"]["spec"]
    target = rendered["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"]
    assert target == rendered["Deployment"]["metadata"]["name"]


@pytest.mark.parametrize(
    "values",
    [{"replica": 3}, {"image": {"tag": "latest"}}, {"image": {"digest": "0123"}}, {"service": {"port": 0}}],
    ids=str,
)
def test_values_that_make_no_sense_are_refused(render: Render, values: dict[str, Any]) -> None:
    with pytest.raises(helm.HelmError):
        render(values)


def test_every_value_has_a_rule(chart: Path) -> None:
    values = yaml.safe_load((chart / "values.yaml").read_text(encoding="utf-8"))
    schema = json.loads((chart / "values.schema.json").read_text(encoding="utf-8"))
    assert values.keys() == schema["properties"].keys() - {"global"}
    for name, value in values.items():
        if isinstance(value, dict) and "properties" in schema["properties"][name]:
            assert value.keys() == schema["properties"][name]["properties"].keys(), name
