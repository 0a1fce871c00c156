"""Every format, read back by a parser of somebody else's, over transcripts of every kind."""

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Callable
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import docx
import jsonschema
import pypdf
import pysubs2
import pytest
import webvtt
from markdown_it import MarkdownIt
from praatio import textgrid
from pyannote.database.util import load_rttm
from ttconv.imsc import reader as imsc
from whisperx.utils import get_writer

from tasks.documents.document import Document
from tasks.documents.format import Format
from tasks.documents.formats.data import json as own_json
from tasks.documents.guard import guarded, without_markup
from tasks.documents.layout.captions import captions
from tasks.documents.layout.timing import timed_words
from tasks.documents.options import Layout
from tasks.documents.registry import FORMATS
from tests.fixtures.transcripts import CASES

TIME = re.compile(r"(?<=\d):(?=\d\d[.,]\d)")
VALIDATOR = jsonschema.Draft202012Validator(json.loads(own_json.SCHEMA_FILE.read_text()))
Check = Callable[[bytes, Document], None]


def letters(text: str) -> str:
    return "".join(text.split())


def seconds(clock: str) -> float:
    hours, minutes, rest = clock.split(":")
    return round(int(hours) * 3600 + int(minutes) * 60 + float(rest), 3)


def shown(document: Document) -> list[str]:
    return [letters("".join(caption.lines)) for caption in captions(document.segments, Layout())]


def check_srt(data: bytes, document: Document) -> None:
    layout = Layout(speaker_labels=True)
    expected = captions(document.segments, layout, document.speaker)
    events = pysubs2.SSAFile.from_string(data.decode(), "srt") if expected else []
    assert [(e.start, e.end) for e in events] == [(round(c.start * 1000), round(c.end * 1000)) for c in expected]
    assert [e.plaintext for e in events] == [TIME.sub("∶", without_markup("\n".join(c.lines))) for c in expected]


def check_vtt(data: bytes, document: Document) -> None:
    expected = captions(document.segments, Layout())
    cues = list(webvtt.from_buffer(io.BytesIO(data)).captions)
    assert len(cues) == len(expected)
    for cue, caption in zip(cues, expected, strict=True):
        assert letters(unescape(cue.text)) == letters("".join(caption.lines))
        assert (seconds(cue.start), seconds(cue.end)) == (caption.start, caption.end)
        assert unescape(cue.voice or "") == (document.speaker(caption.speaker) or "")


def check_ass(data: bytes, document: Document) -> None:
    events = list(pysubs2.SSAFile.from_string(data.decode(), "ass"))
    assert [letters(event.plaintext) for event in events] == [letters(without_markup(text)) for text in shown(document)]
    assert all(event.name == "" or "," not in event.name for event in events)


def check_ttml(data: bytes, document: Document) -> None:
    model = imsc.to_model(ET.ElementTree(ET.fromstring(data)))
    body = model.get_body()
    assert body is not None
    paragraphs = [p for div in body for p in div]
    text = ["".join(leaf.get_text() for leaf in p.dfs_iterator() if hasattr(leaf, "get_text")) for p in paragraphs]
    assert [letters(part) for part in text] == shown(document)


def check_json(data: bytes, document: Document) -> None:
    VALIDATOR.validate(json.loads(data))
    assert own_json.read(data) == document


def check_whisperx(data: bytes, document: Document) -> None:
    found = json.loads(data)
    assert {"segments", "word_segments", "language"} == set(found)
    assert [segment["text"] for segment in found["segments"]] == [segment.text for segment in document.segments]
    if found["segments"]:  # as it does with its own
        options = {"max_line_width": None, "max_line_count": None, "highlight_words": False}
        get_writer("srt", "").write_result(found, io.StringIO(), options)


def check_tsv(data: bytes, document: Document) -> None:
    rows = list(csv.DictReader(io.StringIO(data.decode(), newline=""), delimiter="\t", quoting=csv.QUOTE_NONE))
    assert [row["text"].removeprefix("'") for row in rows] == [s.text.removeprefix("'") for s in document.segments]
    assert [int(row["start"]) for row in rows] == [round(segment.start * 1000) for segment in document.segments]
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@", "＝"))]


def check_csv(data: bytes, document: Document) -> None:
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert [row["text"].removeprefix("'") for row in rows] == [s.text.removeprefix("'") for s in document.segments]
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@", "＝"))]


def check_rttm(data: bytes, document: Document) -> None:
    with NamedTemporaryFile(suffix=".rttm") as file:
        Path(file.name).write_bytes(data)
        found = load_rttm(file.name)  # type: ignore[no-untyped-call]  # the library
    heard = {s.speaker for s in document.segments if any(w.end > w.start for w in timed_words(s))}
    assert len({label for turns in found.values() for label in turns.labels()}) == len(heard)


def check_ctm(data: bytes, document: Document) -> None:
    rows = [line.split(" ") for line in data.decode().splitlines()]
    assert all(len(row) in {5, 6} and float(row[3]) >= 0 for row in rows)
    assert not [row for row in rows if row[0].startswith(";")]
    starts = [float(row[2]) for row in rows]
    assert starts == sorted(starts)
    said = [part for segment in document.segments for word in timed_words(segment) for part in word.text.split()]
    assert len(rows) == len(said)


def check_textgrid(data: bytes, document: Document) -> None:
    with NamedTemporaryFile(suffix=".TextGrid") as file:
        Path(file.name).write_bytes(data)
        found = textgrid.openTextgrid(file.name, includeEmptyIntervals=False, reportingMode="error")
    labels = {interval.label for tier in found.tiers for interval in tier.entries}
    last = max((word.end for segment in document.segments for word in timed_words(segment)), default=0)
    assert found.maxTimestamp >= last - 0.001
    assert labels <= {s.text for s in document.segments} | {w.text for s in document.segments for w in timed_words(s)}


def check_markdown(data: bytes, document: Document) -> None:
    tokens = MarkdownIt("commonmark").parse(data.decode())
    assert {token.type for token in tokens} <= {
        "heading_open", "heading_close", "paragraph_open", "paragraph_close", "inline",
    }  # fmt: skip
    inline = [child for token in tokens for child in token.children or []]
    assert {child.type for child in inline} <= {"text", "strong_open", "strong_close", "code_inline", "text_special"}
    text = letters("".join(child.content for child in inline)).replace("\u2060", "")
    assert all(letters(segment.text) in text for segment in document.segments)


def check_txt(data: bytes, document: Document) -> None:
    text = letters(data.decode())
    assert all(letters(segment.text) in text for segment in document.segments)


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(key for key, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def check_html(data: bytes, document: Document) -> None:
    page = Page()
    page.feed(data.decode())
    text = letters("".join(page.text))
    assert all(letters(segment.text) in text for segment in document.segments)
    assert page.tags <= {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "header",
        "h1",
        "dl",
        "dt",
        "dd",
        "section",
        "audio",
        "label",
        "input",
        "main",
        "h2",
        "h3",
        "p",
        "button",
        "span",
        "script",
    }
    assert not [key for key in page.attributes if key.startswith("on")]
    assert data.count(b"<script>") == 1


def check_docx(data: bytes, document: Document) -> None:
    found = docx.Document(io.BytesIO(data))
    text = letters("".join(paragraph.text for paragraph in found.paragraphs))
    assert all(letters(segment.text) in text for segment in document.segments)
    assert zipfile.ZipFile(io.BytesIO(data)).testzip() is None


def check_pdf(data: bytes, document: Document) -> None:
    found = pypdf.PdfReader(io.BytesIO(data))
    assert len(found.pages) >= 1
    assert found.metadata is not None
    assert found.metadata.title == (document.title or "Transcript")
    assert b"/Marked true" in data


CHECKS: dict[str, Check] = {
    "ASS": check_ass, "CSV": check_csv, "CTM": check_ctm, "DOCX": check_docx, "HTML": check_html, "JSON": check_json,
    "MARKDOWN": check_markdown, "PDF": check_pdf, "RTTM": check_rttm, "SRT": check_srt,
    "TEXTGRID": check_textgrid, "TSV": check_tsv, "TTML": check_ttml, "TXT": check_txt, "VTT": check_vtt,
    "WHISPERX_JSON": check_whisperx,
}  # fmt: skip


@pytest.mark.parametrize("name_", sorted(CHECKS))
def test_a_format_is_read_back_by_the_parser_of_somebody_else(name_: str) -> None:
    format_: Format[Any] = FORMATS[name_]
    faults = []
    for case, document in CASES.items():
        try:
            CHECKS[name_](format_.render(document).data, guarded(document))
        except Exception as error:  # noqa: BLE001  all are told at once
            faults.append(f"{case}: {type(error).__name__} {str(error)[:600]}")
    assert not faults, "\n".join(faults)


def test_every_format_has_its_reader() -> None:
    assert set(CHECKS) == set(FORMATS)
