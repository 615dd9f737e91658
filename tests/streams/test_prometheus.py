"""What is delivered for Prometheus and Grafana, against a real Prometheus that scrapes a real worker."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import isnan
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml

from engagement.events import Family
from streams.connection import Connection
from streams.profiles.metrics import ProjectorMetrics
from streams.serve.metrics import ServeMetrics
from streams.transaction import send
from streams.webhooks.metrics import WebhookMetrics
from streams.worker.metrics import Metrics
from tests.needs import need_program
from tests.streams.histories import PARTITIONS
from tests.streams.metrics_story import Story, a_fence, pid_of, some_traffic, story, total

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
DASHBOARD = ROOT / "deploy" / "grafana" / "mqa.json"
PATIENCE = 60.0
MISSED = 7
API = "mqa_api_"
PROJECTOR = "mqa_projector_"
WEBHOOKS = "mqa_webhook_"
WINDOW = "30s"
"""For Grafana's ``$__rate_interval``: the scrapes of these tests come every second."""


def program(name: str) -> str:
    return need_program(name, "prometheus", brew="prometheus")


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((PROMETHEUS / "mqa.rules.yml").read_text())["groups"]
    return list(group["rules"])


def queries() -> list[str]:
    """Every query of the dashboard, as Grafana would send it."""
    dashboard = json.loads(DASHBOARD.read_text())
    found = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    return [expression.replace("$__rate_interval", WINDOW).replace("$job", "mqa") for expression in found]


def promtool(*arguments: str) -> None:
    done = subprocess.run([program("promtool"), *arguments], cwd=PROMETHEUS, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


class Prometheus:
    """A running one, asked by its API."""

    def __init__(self, port: int) -> None:
        self._address = f"http://127.0.0.1:{port}"

    def get(self, path: str, **parameters: str) -> Any:
        with urlopen(f"{self._address}/api/v1/{path}?{urlencode(parameters)}", timeout=10) as answer:
            return json.loads(answer.read())["data"]

    def ask(self, expression: str) -> list[float]:
        """Values of an instant query that are numbers."""
        values = [float(each["value"][1]) for each in self.get("query", query=expression)["result"]]
        return [value for value in values if not isnan(value)]

    async def until(self, expression: str) -> list[float]:
        """Ask until there is an answer."""
        deadline = monotonic() + PATIENCE
        while not (values := await asyncio.to_thread(self.ask, expression)):
            assert monotonic() < deadline, f"no data: {expression}"
            await asyncio.sleep(0.2)
        return values

    def wait_until_ready(self) -> None:
        deadline = monotonic() + PATIENCE
        while monotonic() < deadline:
            with suppress(URLError), urlopen(f"{self._address}/-/ready", timeout=10):
                return
            sleep(0.1)
        pytest.fail("prometheus does not become ready")


@contextmanager
def prometheus(worker_port: int, folder: Path) -> Iterator[Prometheus]:
    """One that goes by what is delivered, but for the target and for how often it looks."""
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(PROMETHEUS / file) for file in config["rule_files"]]
    config["scrape_configs"] = [
        {"job_name": config["scrape_configs"][0]["job_name"], "static_configs": [{"targets": [f"127.0.0.1:{worker_port}"]}]}
    ]
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        program("prometheus"),
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
        try:
            running = Prometheus(port)
            running.wait_until_ready()
            yield running
        finally:
            process.terminate()
            process.wait(20)


def test_the_rules_are_what_prometheus_takes():
    promtool("check", "rules", "mqa.rules.yml")


def test_the_configuration_is_what_prometheus_takes():
    promtool("check", "config", "prometheus.yml")


def test_every_alert_fires_when_it_should_and_only_then():
    promtool("test", "rules", "mqa.rules.test.yml")


def test_every_alert_is_seen_to_fire():
    tests = yaml.safe_load((PROMETHEUS / "mqa.rules.test.yml").read_text())["tests"]
    fired = {case["alertname"] for test in tests for case in test["alert_rule_test"] if case.get("exp_alerts")}
    assert fired == {rule["alert"] for rule in rules()}


def test_the_documentation_says_what_to_do_about_every_alert():
    headings = re.findall(r"^### (\w+)$", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE)
    assert headings == [rule["alert"] for rule in rules()]


def test_rules_and_dashboard_know_no_metric_but_the_catalogues():
    families = [
        family for catalogue in (Metrics(), ProjectorMetrics(), ServeMetrics(), WebhookMetrics()) for family in catalogue.registry.collect()
    ]
    known = {name for family in families for name in (family.name, f"{family.name}_total")}
    asked = " ".join([*(rule["expr"] for rule in rules()), *queries()])
    assert {re.sub(r"_(bucket|count|sum)$", "", name) for name in re.findall(r"\bmqa_\w+", asked)} <= known


def test_a_real_prometheus_has_data_for_every_query_and_sees_a_worker_that_stands_still(kafka: Connection, tmp_path: Path):
    async def live(told: Story, watching: Prometheus) -> None:
        await told.until(lambda samples: total(samples, "mqa_units") == 2 * PARTITIONS)
        await some_traffic(told, "ann@acme.com", b"acme.com")
        await watching.until("mqa_events_total and mqa_events_total offset 1s")
        await some_traffic(told, "bob@umbrella.com", b"umbrella.com")  # what rises between two scrapes has a rate
        for query in queries():
            # see test_webhook_commands.py, test_live_projector.py and test_live_serve.py for those
            if not any(others in query for others in (WEBHOOKS, PROJECTOR, API)):
                await watching.until(query)
        await a_fence(told, b"acme.com")
        assert await watching.until("sum(mqa_fences_total) > 0") == [1]

        assert {rule["health"] for group in watching.get("rules")["groups"] for rule in group["rules"]} == {"ok"}
        assert await watching.until('ALERTS{alertname="MqaClockSkew"}') == [1]  # the story's clock is a day ahead
        assert watching.ask('ALERTS{alertname="MqaWorkerDown"}') == []
        signals = told.place(Family.INTENT_SIGNALS, b"acme.com")
        async with told.held_back(signals, b"acme.com"):  # so that nothing is folded before somebody has looked
            os.kill(pid_of(told), signal.SIGSTOP)
            try:
                assert await watching.until('ALERTS{alertname="MqaWorkerDown"}') == [1]
                assert watching.ask("mqa_lag_records") == []  # nothing stands still at its last value
                async with told.kafka.producer() as producer:
                    await send(producer, {signals: [(b"acme.com", b"{", (), None)] * MISSED})
            finally:
                os.kill(pid_of(told), signal.SIGCONT)
            assert await watching.until("sum(mqa_lag_records)") == [MISSED + 1]
            assert await watching.until("max(mqa_oldest_unprocessed_seconds) > 0")
        assert await watching.until("sum(mqa_lag_records) == 0") == [0]

    with story(kafka, tmp_path) as told, prometheus(told.port, tmp_path) as watching:
        asyncio.run(asyncio.wait_for(live(told, watching), 240))
