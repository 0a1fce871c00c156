"""Metrics, as Prometheus scrapes them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.telemetry import metrics
from tasks.telemetry.instruments import INSTRUMENTS


def scrape(code: str, exporter: str = "prometheus") -> str:
    """What a process of its own would answer to a scrape: metrics are set up once a process."""
    code = f"""
from tasks.telemetry import metrics
from tasks.telemetry.instruments import INSTRUMENTS
metrics.configure("test", lambda name: [({{}}, 1.0)])
{code}
shown = metrics.exposition()
print("off" if shown is None else shown[0].decode())
metrics.shut_down()
"""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    clean |= {"OTEL_METRICS_EXPORTER": exporter}
    return subprocess.run([sys.executable, "-c", code], env=clean, check=True, capture_output=True, text=True).stdout


EVERY = """
for one in INSTRUMENTS:
    labels = {label.replace(".", "__"): "x" for label in one.labels}
    if one.kind == "histogram":
        metrics.record(one.name, 0.2, **labels)
    elif one.kind != "gauge":
        metrics.add(one.name, **labels)
"""


@pytest.mark.skipif(shutil.which("promtool") is None, reason="Debian's prometheus is not installed")
def test_every_instrument_is_as_prometheus_wants_it() -> None:
    checked = subprocess.run(
        ["promtool", "check", "metrics"], check=False, input=scrape(EVERY), capture_output=True, text=True
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_every_instrument_of_the_table_is_scraped_and_no_other() -> None:
    shown = re.findall(r"^# TYPE (\S+) ", scrape(EVERY), re.MULTILINE)
    units = {"s": "_seconds", "By": "_bytes"}
    wanted = {
        one.name.replace(".", "_") + units.get(one.unit, "") + ("_total" if one.kind == "counter" else "")
        for one in INSTRUMENTS
    }
    ours = {name for name in shown if name.startswith(("graphophone_", "http_server", "process_memory"))}
    assert ours == wanted


def test_a_label_outside_the_table_is_left_out() -> None:
    code = "for n in range(1000): metrics.add('graphophone.jobs.accepted', task='TRANSCRIBE', job_id=str(n))"
    series = re.findall(r"^graphophone_jobs_accepted_total.*$", scrape(code), re.MULTILINE)
    assert len(series) == 1
    assert series[0].endswith("1000.0")


def test_without_being_asked_for_nothing_is_measured() -> None:
    assert scrape("import sys; assert not [m for m in sys.modules if m.startswith('opentelemetry')]", "") == "off\n"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, set()),
        ({"OTEL_METRICS_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, set()),
        ({"OTEL_METRICS_EXPORTER": "prometheus, otlp"}, {"prometheus", "otlp"}),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://c"}, {"otlp"}),
        ({"OTEL_METRICS_EXPORTER": "prometheus", "OTEL_SDK_DISABLED": "true"}, set()),
    ],
)
def test_the_standard_variables_say_where_metrics_go(environment: dict[str, str], expected: set[str]) -> None:
    assert metrics.exporters(environment) == expected


OBSERVABILITY = Path(__file__).parents[3] / "docker" / "observability"
RULES = yaml.safe_load((OBSERVABILITY / "rules.yaml").read_text())["groups"]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="Debian's prometheus is not installed")
@pytest.mark.parametrize("call", ["check rules rules.yaml", "test rules rules_test.yaml"])
def test_the_rules_are_sound_and_fire_when_they_should(call: str) -> None:
    checked = subprocess.run(
        ["promtool", *call.split()], check=False, cwd=OBSERVABILITY, capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_metric_that_a_rule_asks_for_exists() -> None:
    expressions = " ".join(rule["expr"] for group in RULES for rule in group["rules"])
    asked = {re.sub(r"_(bucket|count|sum)$", "", name) for name in re.findall(r"\bgraphophone_\w+", expressions)}
    assert asked <= set(re.findall(r"^# TYPE (\S+) ", scrape(EVERY), re.MULTILINE))


@pytest.mark.parametrize("group", RULES, ids=lambda group: str(group["name"]))
def test_each_feature_has_two_alerts_with_a_remedy_and_an_objective(group: dict[str, Any]) -> None:
    alerts = [rule for rule in group["rules"] if "alert" in rule]
    assert len(alerts) >= 2
    assert all(rule["annotations"]["remedy"] and rule["labels"]["severity"] in {"page", "ticket"} for rule in alerts)
    assert [rule["record"] for rule in group["rules"] if "record" in rule] == [f"objective:{group['name']}"]


def test_the_readmes_table_is_that_of_the_instruments() -> None:
    readme = (OBSERVABILITY.parents[1] / "README.md").read_text()
    table = readme.partition("| feature | metric | unit | labels | |\n|---|---|---|---|---|\n")[2].partition("\n\n")[0]
    assert table.splitlines() == [
        f"| {one.feature} | `{one.name}` | {one.unit} | {', '.join(one.labels)} | {one.description} |"
        for one in INSTRUMENTS
    ]
