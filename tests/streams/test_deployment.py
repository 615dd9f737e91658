"""The image and the compose file: what they start exists, what is secret has no default, and nothing is open that need not be."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from streams.cli import mqa

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
GIVEN = {name: f"the {name}" for name in ("MQA_PERSON_SECRET", "REDIS_PASSWORD", "MQA_API_TOKENS", "GRAFANA_PASSWORD")}
SECRET = re.compile(r"PASSWORD|SECRET|TOKENS")
OF_AN_OPERATOR = {"webhooks.yaml"}
"""What a deployment brings: not of the repository."""


def interpolated(text: str, given: Mapping[str, str]) -> str:
    """As compose does it; KeyError for a variable that is demanded and not given."""

    def value(found: re.Match[str]) -> str:
        name, demanded, default = found["name"], found["demanded"], found["default"]
        if found["name"] is None:
            return "$"
        if given.get(name):
            return given[name]
        if demanded is not None:
            raise KeyError(name)
        return default or ""

    return re.sub(r"\$(?:\$|\{(?P<name>\w+)(?::\?(?P<demanded>[^}]*)|:-(?P<default>[^}]*))?\})", value, text)


def services(given: Mapping[str, str] = GIVEN) -> dict[str, Any]:
    return dict(yaml.safe_load(interpolated(COMPOSE.read_text(), given))["services"])


OURS = {name: service for name, service in services().items() if service["image"] == "mqa"}


def test_the_file_is_what_the_compose_specification_says():
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", OURS)
def test_each_service_is_started_by_a_command_that_there_is(name: str):
    command = OURS[name]["command"]
    done = CliRunner().invoke(mqa, [*command, "--help"])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("name", GIVEN)
def test_a_secret_that_is_missing_stops_it(name: str):
    with pytest.raises(KeyError, match=name):
        services({other: value for other, value in GIVEN.items() if other != name})


def test_every_secret_is_given_from_outside():
    secrets = {
        (name, variable): value
        for name, service in services().items()
        for variable, value in service.get("environment", {}).items()
        if SECRET.search(variable)
    }
    assert set(secrets.values()) <= {*GIVEN.values(), None, ""}
    assert {variable for (_, variable), value in secrets.items() if not value} == {"MQA_PERSON_SECRET_BEFORE"}


def test_no_command_line_has_a_secret():
    assert not any(value in json.dumps(service.get("command")) for service in services().values() for value in GIVEN.values())


@pytest.mark.parametrize("name", OURS)
def test_each_variable_is_one_that_the_program_reads(name: str):
    source = "\n".join(path.read_text() for path in (ROOT / "streams").rglob("*.py"))
    for variable in OURS[name]["environment"]:
        assert f'"{variable}"' in source


def test_ports_are_this_machine_s_and_redis_has_none():
    published = {name: service.get("ports", []) for name, service in services().items()}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    assert {name for name, ports in published.items() if not ports} == {"topics", "worker", "projector", "webhooks", "redis"}


def test_redis_is_reached_by_who_has_its_password_and_by_nobody_else():
    compose = yaml.safe_load(interpolated(COMPOSE.read_text(), GIVEN))
    assert compose["networks"]["profiles"]["internal"]
    assert compose["services"]["redis"]["networks"] == ["profiles"]
    near = {name for name, service in compose["services"].items() if "profiles" in service.get("networks", [])}
    assert near == {name for name, service in compose["services"].items() if "REDIS_PASSWORD" in service.get("environment", {})}


def test_workers_can_be_many():
    worker = OURS["worker"]
    assert not {"ports", "container_name", "hostname"} & worker.keys()
    assert "MQA_NAME" not in worker["environment"]


@pytest.mark.parametrize("name", OURS)
def test_a_process_of_ours_can_change_nothing_on_its_machine(name: str):
    service = OURS[name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_each_service_tells_whether_it_is_well():
    assert all("test" in service["healthcheck"] for name, service in services().items() if name != "topics")


def test_prometheus_finds_each_service_where_it_tells_of_its_health():
    (scrape,) = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    found = {(name, each["port"]) for each in scrape["dns_sd_configs"] for name in each["names"]}
    found |= {(name, int(port)) for each in scrape["static_configs"] for name, port in (target.split(":") for target in each["targets"])}
    told = {(name, _health_port(service)) for name, service in OURS.items() if name != "topics"}
    assert found == told


def _health_port(service: Mapping[str, Any]) -> int:
    (port,) = re.findall(r"'http://127\.0\.0\.1:(\d+)/", service["healthcheck"]["test"][-1])
    return int(port)


def test_what_is_mounted_is_there():
    mounted = [volume.split(":")[0] for service in services().values() for volume in service.get("volumes", [])]
    paths = {volume.removeprefix("./") for volume in mounted if volume.startswith("./")}
    assert {path for path in paths if not (ROOT / path).exists()} == OF_AN_OPERATOR


def test_grafana_asks_the_prometheus_beside_it_and_shows_the_dashboard():
    provisioning = ROOT / "deploy/grafana/provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())["datasources"]
    (provider,) = yaml.safe_load((provisioning / "dashboards/mqa.yml").read_text())["providers"]
    grafana = services()["grafana"]
    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")
    assert f"./deploy/grafana/mqa.json:{provider['options']['path']}/mqa.json:ro" in grafana["volumes"]
    assert grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] == f"{provider['options']['path']}/mqa.json"


def instructions() -> list[tuple[str, str]]:
    """Of the Dockerfile's last stage."""
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
    pairs = [(word, rest) for word, _, rest in (line.partition(" ") for line in text.splitlines()) if word.isupper()]
    last = max(at for at, (word, _) in enumerate(pairs) if word == "FROM")
    return pairs[last:]


def test_the_image_s_user_is_not_root():
    assert [int(rest) > 0 for word, rest in instructions() if word == "USER"] == [True]


def test_the_image_runs_a_worker_unless_it_is_told_otherwise():
    said = dict(instructions())
    assert json.loads(said["ENTRYPOINT"]) == ["mqa"]
    done = CliRunner().invoke(mqa, [*json.loads(said["CMD"]), "--help"])
    assert "Port of /metrics, /health/live" in done.output
    assert "9464" in said["EXPOSE"].split()
