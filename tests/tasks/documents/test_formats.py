"""Formats: what a document has to say in each, the same on every run, within its limits."""

import io
import json
import os
import re
import subprocess
import sys
import zipfile
from hashlib import sha256
from typing import Any

import docx
import msgspec
import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.domain.values import ErrorCode
from tasks.documents.document import Document
from tasks.documents.format import Limits, NotWritable, check_size
from tasks.documents.formats.data import json as own_json
from tasks.documents.formats.texts.txt import plain
from tasks.documents.guard import guarded
from tasks.documents.options import Layout, PaperSize
from tasks.documents.registry import FORMATS
from tests.fixtures.transcripts import HOSTILE, SCRIPTS, spoken

CALL = spoken(["Hello there.", "Who is it?"], names=["Ann", "Bob <b>"])
SAMPLE = spoken([*SCRIPTS.values(), *HOSTILE.values()], names=["Ann", "Bob"], title="Ten items")


def text(name: str, document: Document = CALL, **options: Any) -> str:
    format_ = FORMATS[name]
    return format_.render(document, format_.chosen(options)).data.decode()


def test_the_sixteen_formats_are_there_each_with_a_sentence() -> None:
    assert set(FORMATS) == {
        "TXT",
        "MARKDOWN",
        "SRT",
        "VTT",
        "ASS",
        "TTML",
        "JSON",
        "WHISPERX_JSON",
        "TSV",
        "CSV",
        "RTTM",
        "CTM",
        "TEXTGRID",
        "DOCX",
        "PDF",
        "HTML",
    }
    assert all(format_.description.endswith(".") for format_ in FORMATS.values())
    assert len({format_.extension for format_ in FORMATS.values()}) == len(FORMATS)


def test_a_format_keeps_only_the_options_that_mean_something_to_it() -> None:
    wanted = {"captions": Layout(max_lines=1), "speaker_labels": False, "timestamps": False, "paper_size": "LETTER"}
    assert msgspec.to_builtins(FORMATS["JSON"].chosen(wanted)) == {}
    assert set(msgspec.to_builtins(FORMATS["SRT"].chosen(wanted))) == {"captions", "speaker_labels"}
    assert set(msgspec.to_builtins(FORMATS["PDF"].chosen(wanted))) == {"speaker_labels", "timestamps", "paper_size"}


def test_plain_text_has_a_paragraph_a_turn() -> None:
    assert text("TXT") == "[0:00:00] Ann: Hello there.\n\n[0:00:01] Bob <b>: Who is it?\n"
    assert text("TXT", speaker_labels=False, timestamps=False) == "Hello there.\n\nWho is it?\n"
    assert plain(CALL) == "Hello there.\nWho is it?"


def test_a_long_turn_has_several_paragraphs() -> None:
    monologue = spoken(["One sentence of a long talk, and then some more of it."] * 40, speakers=1)
    assert 2 < text("TXT", monologue).count("\n\n") < 8


def test_markdown_names_speakers_in_bold() -> None:
    assert "**Bob \\<b\\>** `0:00:01` Who is it?" in text("MARKDOWN")


def test_webvtt_has_voices_and_the_times_of_words() -> None:
    assert "<v Bob &lt;b&gt;>Who <00:00:01.499>is <00:00:01.832>it?</v>" in text("VTT")
    assert "<v Ann>Hello there.</v>" in text("VTT", timestamps=False)
    assert "<v" not in text("VTT", speaker_labels=False)


def test_substation_has_karaoke_marks_in_hundredths() -> None:
    assert r"{\k33}Hello{\k67} there." in text("ASS")
    assert ",Ann,0,0,0,,Hello there." in text("ASS", timestamps=False)


def test_subrip_names_a_speaker_where_that_changes_and_shows_marks_as_they_look() -> None:
    assert "Ann: Hello there." in text("SRT")
    assert "x＜b＞ ｛⧵an8｝" in text("SRT", spoken([r"x<b> {\an8}"]))


def test_an_injected_cue_is_text() -> None:
    assert text("SRT", spoken([HOSTILE["a cue of its own"]])).count("-->") == 1


def test_tables_have_times_and_speakers() -> None:
    assert text("TSV").splitlines()[1] == "0\t666\tHello there.\tAnn"
    assert text("TSV", speaker_labels=False).splitlines()[0] == "start\tend\ttext"
    assert text("CSV").splitlines()[1] == "0.000,0.666,Ann,Hello there.,0.875,OVERLAP"


def test_rttm_and_ctm_have_a_line_a_turn_and_a_word() -> None:
    assert text("RTTM").splitlines() == [
        "SPEAKER A_call 1 0.000 0.633 <NA> <NA> Ann <NA> <NA>",
        "SPEAKER A_call 1 1.166 0.966 <NA> <NA> Bob_<b> <NA> <NA>",
    ]
    assert text("CTM").splitlines()[0] == "A_call 1 0.000 0.300 Hello 0.900"


def test_whisperx_json_is_what_whisperx_writes() -> None:
    found = json.loads(text("WHISPERX_JSON"))
    word = {"word": "Hello", "start": 0.0, "end": 0.3, "score": 0.9, "speaker": "Ann"}
    assert found["word_segments"][0] == found["segments"][0]["words"][0] == word
    assert found["language"] == "en"


@given(st.text(max_size=50), st.text(max_size=50))
@settings(max_examples=50)
def test_json_holds_everything(one: str, two: str) -> None:
    whole = spoken([one, two], names=[two, one], title=one, timing="some")
    assert own_json.read(FORMATS["JSON"].render(whole).data) == guarded(whole)


def test_the_published_json_schema_is_that_of_the_code() -> None:
    assert json.loads(own_json.SCHEMA_FILE.read_text()) == json.loads(json.dumps(own_json.schema()))


def test_html_runs_nothing_but_its_own_script() -> None:
    page = text("HTML", spoken([HOSTILE["markup"]], title=HOSTILE["markup"], names=[HOSTILE["markup"]] * 2))
    assert page.count("<script>") == 1
    assert "default-src 'none'" in page
    assert 'src="a%20call.wav"' in page
    assert re.search(r'<span data-start="0.000">&lt;b&gt;bold', page)


def test_pdf_has_pages_bookmarks_and_the_paper_that_was_asked_for() -> None:
    letter = FORMATS["PDF"].render(
        spoken(["Some words here."] * 2000), FORMATS["PDF"].chosen({"paper_size": PaperSize.LETTER})
    )
    found = pypdf.PdfReader(io.BytesIO(letter.data))
    assert letter.pages == len(found.pages) > 5
    assert (found.pages[0].mediabox.width, found.pages[0].mediabox.height) == (612, 792)
    assert found.outline
    assert "A call" in found.pages[2].extract_text()
    assert f"3 / {letter.pages}" in found.pages[2].extract_text()
    assert found.xmp_metadata is not None


def test_docx_has_headings_page_numbers_and_directions() -> None:
    found = docx.Document(
        io.BytesIO(FORMATS["DOCX"].render(spoken([SCRIPTS["ar"], "Yes."], names=["Ann", "Bob"])).data)
    )
    assert [p.text for p in found.paragraphs if p.style and (p.style.name or "").startswith("Heading")] == [
        "Transcript",
        "Ann",
        "Bob",
    ]
    assert found.core_properties.title == "A call"
    xml = found.element.xml
    assert xml.count("<w:bidi/>") == 1
    assert 'w:name="section1"' in xml
    assert "NUMPAGES" in found.sections[0].footer._element.xml
    assert (found.sections[0].page_width or 0) / 36_000 == pytest.approx(210, abs=0.1)


def test_a_script_without_a_font_is_a_problem_with_a_remedy() -> None:
    with pytest.raises(NotWritable) as caught:
        FORMATS["PDF"].render(spoken(["\U00013000\U00013001 \U00012000"]))  # hieroglyphs, cuneiform
    assert "No font" in caught.value.problem.message
    assert caught.value.problem.remedy


@pytest.mark.parametrize(
    ("limits", "unit"), [(Limits(bytes=100, pages=99), "bytes"), (Limits(bytes=10**9, pages=0), "pages")]
)
def test_a_document_beyond_the_limits_is_refused(limits: Limits, unit: str) -> None:
    with pytest.raises(NotWritable, match=unit) as caught:
        check_size(FORMATS["PDF"].render(CALL), limits)
    assert caught.value.problem.code is ErrorCode.LIMIT_EXCEEDED


def test_a_word_without_end_makes_every_format() -> None:
    document = spoken(["x" * 100_000])
    for format_ in FORMATS.values():
        assert format_.render(document).data


SUMS = """import sys, json, hashlib; from tasks.documents.registry import FORMATS
from tests.fixtures.transcripts import HOSTILE, SCRIPTS, spoken
document = spoken([*SCRIPTS.values(), *HOSTILE.values()], names=["Ann", "Bob"], title="Ten items")
print(json.dumps({n: hashlib.sha256(f.render(document).data).hexdigest() for n, f in FORMATS.items()}))"""


def test_the_same_document_has_the_same_bytes_in_another_process() -> None:
    environment = os.environ | {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    there = subprocess.run([sys.executable, "-c", SUMS], capture_output=True, check=True, env=environment, text=True)
    here = {name: sha256(format_.render(SAMPLE).data).hexdigest() for name, format_ in FORMATS.items()}
    assert json.loads(there.stdout) == here


def test_the_members_of_a_docx_have_no_clock() -> None:
    with zipfile.ZipFile(io.BytesIO(FORMATS["DOCX"].render(CALL).data)) as members:
        assert {member.date_time for member in members.infolist()} == {(1980, 1, 1, 0, 0, 0)}
