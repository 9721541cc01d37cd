"""The compose files: valid by the specification, and what they mount is there."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Manifest = Callable[[str], Any]


@pytest.mark.parametrize("name", ["compose.yaml", "compose.gpu.yaml"])
def test_it_is_what_the_specification_asks_for(deploy: Path, name: str) -> None:
    compose_spec = pytest.importorskip("compose_spec", reason="no wheel for this machine")
    # Compose fills in variables before it looks.
    text = re.sub(r"\$\{BUNDLE:[^}]*\}", "/srv/bundle", (deploy / name).read_text(encoding="utf-8"))
    parsed = compose_spec.PyCompose.from_yaml(text)
    parsed.validate()
    assert "strop" in parsed.service_names()


def test_every_file_that_is_mounted_is_there(deploy: Path, manifest: Manifest) -> None:
    mounts = [
        mount.split(":")
        for service in manifest("compose.yaml")["services"].values()
        for mount in service["volumes"]
        if isinstance(mount, str) and mount.startswith(".")
    ]
    assert mounts
    for source, _, mode in mounts:
        assert (deploy / source).is_file(), source
        assert mode == "ro"


def test_the_dashboard_is_the_one_that_the_server_ships(deploy: Path, manifest: Manifest) -> None:
    volumes = manifest("compose.yaml")["services"]["grafana"]["volumes"]
    places = dict(mount.split(":")[:2] for mount in volumes)
    dashboard = places["../serve/observe/dashboard.json"]
    (provider,) = manifest("grafana/dashboards.yml")["providers"]
    assert str(Path(dashboard).parent) == provider["options"]["path"]
    (source,) = manifest("grafana/datasource.yml")["datasources"]
    kinds = json.loads((deploy / "../serve/observe/dashboard.json").read_text())["templating"]["list"]
    assert source["type"] in {kind["query"] for kind in kinds if kind["type"] == "datasource"}


def test_prometheus_asks_the_server_where_it_answers(manifest: Manifest) -> None:
    (job,) = manifest("prometheus/prometheus.yml")["scrape_configs"]
    assert job["static_configs"] == [{"targets": ["strop:8002"]}]
    mounts = manifest("compose.yaml")["services"]["prometheus"]["volumes"]
    rules = {Path(mount.split(":")[1]).name for mount in mounts}
    assert set(manifest("prometheus/prometheus.yml")["rule_files"]) <= rules


def test_nothing_listens_beyond_this_machine_and_nobody_gains_rights(manifest: Manifest) -> None:
    services = manifest("compose.yaml")["services"]
    for service in services.values():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
        tag = service["image"].rpartition(":")[2]
        assert tag != "latest"
    assert services["strop"]["read_only"] is True
