"""The KServe example: its pod by Kubernetes' schema, its formats by the bundle's."""

from collections.abc import Callable
from typing import Any

import pytest

from strop.export.bundle.manifest import SCHEMA

Manifest = Callable[[str], Any]


@pytest.fixture(scope="module")
def runtime(manifest: Manifest) -> Any:
    return manifest("kserve/serving-runtime.yaml")


def test_the_runtime_makes_a_pod_that_kubernetes_takes(runtime: Any) -> None:
    kubernetes = pytest.importorskip("kubernetes_validate")
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "reviews"},
        "spec": {key: runtime["spec"][key] for key in ("containers", "volumes")},
    }
    kubernetes.validate(pod, "1.37", strict=True)


def test_it_serves_what_kserve_fetches(runtime: Any, serve_config: Callable[[list[str]], Any]) -> None:
    (container,) = runtime["spec"]["containers"]
    assert container["name"] == "kserve-container"
    config = serve_config(container["args"])
    assert config.bundle == "/mnt/models"
    (port,) = container["ports"]
    assert port["name"] == "h2c"
    assert config.address == f"0.0.0.0:{port['containerPort']}"
    told = runtime["spec"]["annotations"]["prometheus.kserve.io/port"]
    assert config.metrics_address == f"0.0.0.0:{told}"


def test_the_service_asks_for_what_the_runtime_offers(runtime: Any, manifest: Manifest) -> None:
    model = manifest("kserve/inference-service.yaml")["spec"]["predictor"]["model"]
    assert model["runtime"] == runtime["metadata"]["name"]
    (offered,) = runtime["spec"]["supportedModelFormats"]
    assert model["modelFormat"].items() <= offered.items()
    assert f"strop.bundle/{offered['version']}" == SCHEMA
    assert model["protocolVersion"] in runtime["spec"]["protocolVersions"]
