"""One trace of a job, from the client's request to its document, as a real OTLP collector gets it."""

import time
import wave
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fixtures.otlp import Collector
from tests.fixtures.servers import Server

CLIENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UPLOAD = """mutation($size: BigInt!) { createUpload(input: {filename: "secret-name.wav", byteSize: $size}) {
  ... on CreateUploadPayload { upload { url } } } }"""
CREATE = """mutation Start($id: ID!) { createJob(input: {source: {mediaId: $id}}) {
  ... on CreateJobPayload { job { id } } } }"""
LOOK = "query Look($id: ID!) { job(id: $id) { state transcript { id } } }"
EXPORT = """mutation Write($id: ID!) { createExport(input: {transcriptId: $id, format: SRT}) {
  ... on CreateExportPayload { export { id } } } }"""
EXPORTED = "query Look($id: ID!) { export(id: $id) { state } }"


def speech() -> bytes:
    sink = BytesIO()
    with wave.open(sink, "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(bytes(32_000))
    return sink.getvalue()


def until(look: Any, wanted: set[str]) -> Any:
    end = time.monotonic() + 60
    while (found := look())["state"] not in wanted:
        assert time.monotonic() < end, found
        time.sleep(0.1)  # the answer is asked for until it is there, as a client does
    return found


def test_a_job_and_its_document_are_one_trace_without_a_gap(
    tmp_path: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "prometheus")
    server = Server(tmp_path / "home", {})
    headers = {"Authorization": f"Bearer {server.token}", "traceparent": CLIENT}

    def ask(query: str, **variables: Any) -> Any:
        request = {"query": query, "variables": variables}
        return httpx.post(f"{server.url}/graphql", json=request, headers=headers, timeout=30).json()["data"]

    try:
        url = ask(UPLOAD, size=len(speech()))["createUpload"]["upload"]["url"]
        media = httpx.put(url, content=speech(), headers={"traceparent": CLIENT}, timeout=30).json()["mediaId"]
        job = ask(CREATE, id=media)["createJob"]["job"]["id"]
        done = until(lambda: ask(LOOK, id=job)["job"], {"SUCCEEDED", "PARTIAL", "FAILED"})
        export = ask(EXPORT, id=done["transcript"]["id"])["createExport"]["export"]["id"]
        until(lambda: ask(EXPORTED, id=export)["export"], {"READY", "FAILED"})
        scraped = httpx.get(f"{server.url}/metrics", timeout=30).text
    finally:
        server.stop()

    spans = collector.spans
    known = {span.span_id for span in spans} | {bytes.fromhex(CLIENT.split("-")[2])}
    assert {span.trace_id.hex() for span in spans} == {CLIENT.split("-")[1]}
    assert [span.name for span in spans if span.parent_span_id not in known] == []
    names = {span.name for span in spans}
    assert {"process job", "process export", "stage decode", "stage transcribe", "graphql mutation"} <= names
    assert {"PUT /uploads/{id}", "POST /graphql"} <= names
    shown = "".join(str(span) for span in spans)
    assert "secret-name" not in shown
    assert "signature" not in shown
    assert 'graphophone_uploads_finished_total{outcome="taken"} 1.0' in scraped
    assert 'http_route="/uploads/{id}"' in scraped
