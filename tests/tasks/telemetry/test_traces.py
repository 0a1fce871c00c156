"""Traces, as a real OTLP collector gets them."""

import json
import os
import subprocess
import sys

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.fixtures.otlp import Collector

CLIENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
EARLIER = "00-0af7651916cd43dd8448eb211c80319c-c8ad6b7169203331-01"


def run(code: str, **environment: str) -> str:
    """What a process of its own prints: tracing is set up once a process."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    code = f"from tasks.telemetry import traces\ntraces.configure('test')\n{code}\ntraces.shut_down()"
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=clean | environment, check=True, capture_output=True, text=True).stdout


def test_without_the_standard_variables_nothing_is_traced_and_nothing_imported() -> None:
    loaded = run("import sys\nwith traces.span('a'): print([m for m in sys.modules if m.startswith('opentelemetry')])")
    assert loaded == "[]\n"


@pytest.mark.parametrize("off", [{"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none"}])
def test_the_standard_variables_switch_it_off_again(off: dict[str, str]) -> None:
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    assert run("with traces.span('a'): print(traces.traceparent())", **endpoint, **off) == "None\n"


def test_a_trace_goes_on_from_a_stored_parent_and_links_to_the_attempt_before(collector: Collector) -> None:
    code = f"""
with traces.span('claim', kind='consumer', parent={CLIENT!r}, link={EARLIER!r}, job__id='job_1'):
    stage = traces.begin('stage', start_ms=1_000)
    stage.end(3_000)
"""
    run(code, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    claim, stage = collector.named("claim"), collector.named("stage")
    assert claim.trace_id.hex() == CLIENT.split("-")[1]
    assert claim.parent_span_id.hex() == CLIENT.split("-")[2]
    assert claim.kind == Span.SPAN_KIND_CONSUMER
    assert [link.span_id.hex() for link in claim.links] == ["c8ad6b7169203331"]
    assert [(one.key, one.value.string_value) for one in claim.attributes] == [("job.id", "job_1")]
    assert stage.parent_span_id == claim.span_id
    assert stage.end_time_unix_nano - stage.start_time_unix_nano == 2_000_000_000


def test_an_exception_marks_its_span_as_failed_and_tells_nothing_personal(collector: Collector) -> None:
    code = """
try:
    with traces.span('work'):
        raise ValueError('the secret of anna@example.org')
except ValueError:
    pass
"""
    run(code, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    span = collector.named("work")
    assert span.status.code == Status.STATUS_CODE_ERROR
    assert "anna" not in str(span)


def test_a_parent_that_is_not_sampled_is_respected(collector: Collector) -> None:
    code = f"with traces.span('claim', parent={CLIENT[:-1] + '0'!r}): print(traces.traceparent())"
    printed = run(code, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    assert printed.strip().endswith("-00")
    assert collector.spans == []


@pytest.mark.parametrize("given", ["", "00-abc", "x" * 4096, "00-" + "0" * 32 + "-" + "0" * 16 + "-01"])
def test_a_traceparent_that_is_none_begins_a_trace_of_its_own(collector: Collector, given: str) -> None:
    run(f"with traces.span('claim', parent={given!r}): pass", OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    assert collector.named("claim").parent_span_id == b""


def test_a_receiver_that_is_away_holds_nobody_up() -> None:
    code = "import time\nt = time.monotonic()\nwith traces.span('a'): pass\nprint(time.monotonic() - t < 0.5)"
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    assert json.loads(run(code, **settings).lower())
