"""Documents: nothing that was said is lost, and what is written can be read back."""

from itertools import pairwise

import msgspec
import pysubs2
from hypothesis import given
from hypothesis import strategies as st

from db.domain.values import Segment, Word
from tasks.formats import FORMATS
from tasks.formats.captions import captions
from tasks.formats.document import Document, Layout, Request, Voice
from tasks.formats.text import plain

word_texts = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12)


@st.composite
def segment_lists(draw: st.DrawFn) -> tuple[Segment, ...]:
    """Sentences in order of time, with pauses of any length."""
    at, found = 0, []
    for number in range(draw(st.integers(0, 6))):
        at += draw(st.integers(0, 3000))
        words = []
        for text in draw(st.lists(word_texts, min_size=1, max_size=40)):
            length = draw(st.integers(1, 900))
            words.append(Word(text, at / 1000, (at + length) / 1000))
            at += length + draw(st.integers(0, 200))
        start, end = words[0].start or 0.0, words[-1].end or 0.0
        text = " ".join(word.text for word in words)
        speaker = draw(st.none() | st.integers(0, 1))
        found.append(Segment(key=f"{number:08d}", start=start, end=end, text=text, words=tuple(words), speaker=speaker))
    return tuple(found)


def document(segments: tuple[Segment, ...]) -> Document:
    voices = (Voice("Ann", 1.0), Voice("Bob <b>", 2.0))
    return Document(title="A call", language="en", duration_seconds=600, revision=1, segments=segments, voices=voices)


def srt(*texts: str, speakers: bool = False) -> str:
    segments = tuple(
        Segment(key=f"{i:08d}", start=i * 5.0, end=i * 5.0 + 3, text=text, speaker=i % 2,
                words=tuple(Word(w, i * 5.0, i * 5.0 + 3) for w in text.split()))
        for i, text in enumerate(texts)
    )  # fmt: skip
    return FORMATS["SRT"].render(document(segments), Request(format="SRT", speaker_labels=speakers)).decode()


@given(segment_lists())
def test_captions_hold_every_word_once_and_in_order(segments: tuple[Segment, ...]) -> None:
    shown = " ".join(line for caption in captions(segments, Layout()) for line in caption.lines)
    assert shown.split() == [word.text for segment in segments for word in segment.words]


@given(segment_lists(), st.integers(12, 60), st.integers(1, 3))
def test_no_caption_is_longer_than_the_layout_allows(segments: tuple[Segment, ...], chars: int, lines: int) -> None:
    for caption in captions(segments, Layout(max_chars_per_line=chars, max_lines=lines)):
        assert len(caption.lines) <= lines
        assert all(len(line) <= chars for line in caption.lines)


@given(segment_lists())
def test_captions_never_overlap_and_never_end_before_they_start(segments: tuple[Segment, ...]) -> None:
    shown = captions(segments, Layout())
    assert all(caption.start <= caption.end for caption in shown)
    assert all(before.end <= after.start for before, after in pairwise(shown))


@given(segment_lists())
def test_subrip_reads_back_as_it_was_written(segments: tuple[Segment, ...]) -> None:
    request = Request(format="SRT", speaker_labels=False)
    written = FORMATS["SRT"].render(document(segments), request).decode()
    assert written.count("-->") >= len(captions(segments, request.captions)) - 1
    for caption in captions(segments, request.captions):
        assert "\n".join(caption.lines) in written


def test_marks_of_other_formats_are_kept_as_text() -> None:
    assert r"{\i1} <b> \N" in srt(r"{\i1} <b> \N")


def test_a_speaker_is_named_where_the_voice_changes() -> None:
    assert "Ann: One." in srt("One.", "Two.", speakers=True)
    assert "Bob <b>: Two." in srt("One.", "Two.", speakers=True)


def test_webvtt_escapes_what_would_be_markup_and_names_voices() -> None:
    segment = Segment(key="00000000", start=0, end=2, text="a < b & c", words=(Word("a < b & c", 0.0, 2.0),), speaker=1)
    written = FORMATS["VTT"].render(document((segment,)), Request(format="VTT")).decode()
    assert written.startswith("WEBVTT")
    assert "<v Bob &lt;b&gt;>a &lt; b &amp; c" in written


def test_times_are_those_of_the_words() -> None:
    parsed = pysubs2.SSAFile.from_string(srt("One.", "Two."))
    assert [(event.start, event.end) for event in parsed] == [(0, 3000), (5000, 8000)]


def test_plain_text_has_a_paragraph_a_turn() -> None:
    one, two = (
        Segment(key=f"{i:08d}", start=i * 61.0, end=i * 61.0 + 1, text=text, speaker=i)
        for i, text in enumerate(["Hi.", "Yes?"])
    )
    written = FORMATS["TXT"].render(document((one, two)), Request(format="TXT")).decode()
    assert written == "[0:00:00] Ann: Hi.\n\n[0:01:01] Bob <b>: Yes?\n"
    assert plain(document((one, two))) == "Hi.\nYes?"


@given(segment_lists())
def test_json_holds_everything(segments: tuple[Segment, ...]) -> None:
    whole = document(segments)
    assert msgspec.json.decode(FORMATS["JSON"].render(whole, Request(format="JSON")), type=Document) == whole


def test_a_transcript_without_words_makes_an_empty_document() -> None:
    empty = document(())
    assert FORMATS["TXT"].render(empty, Request(format="TXT")) == b""
    assert b"-->" not in FORMATS["SRT"].render(empty, Request(format="SRT"))


def test_writing_without_spaces_stays_without_spaces() -> None:
    words = tuple(Word(char, i / 4, (i + 1) / 4) for i, char in enumerate("今日は良い天気です。"))
    segment = Segment(key="00000000", start=0, end=3, text="今日は良い天気です。", words=words)
    [caption] = captions((segment,), Layout())
    assert caption.lines == ("今日は良い天気です。",)


def test_a_cut_stands_behind_a_sentence_or_a_clause_rather_than_in_between() -> None:
    text = "When the rain had stopped at last, they all went out into the garden and sat down. Nobody spoke. " * 2
    words = tuple(Word(word, i / 3, (i + 1) / 3) for i, word in enumerate(text.split()))
    segment = Segment(key="00000000", start=0, end=20, text=text.strip(), words=words)
    ends = [caption.lines[-1][-1] for caption in captions((segment,), Layout())]
    assert set(ends) <= set(".,")


@given(segment_lists(), st.floats(0.5, 3), st.floats(3, 10))
def test_no_caption_lasts_longer_than_the_layout_allows(
    segments: tuple[Segment, ...], least: float, most: float
) -> None:
    shown = captions(segments, Layout(min_seconds=least, max_seconds=most))
    assert all(caption.end - caption.start <= most + 0.001 for caption in shown)
    for before, after in pairwise(shown):
        assert before.end - before.start >= least - 0.001 or before.end >= after.start - 0.001


def test_text_without_word_times_is_spread_over_its_segment() -> None:
    segment = Segment(key="00000000", start=10, end=40, text="word " * 60)
    shown = captions((segment,), Layout())
    assert len(shown) > 3
    assert (shown[0].start, shown[-1].end) == (10, 40)
