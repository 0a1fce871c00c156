"""What always holds of words: none is lost, each has a place in the recording, and time never runs backwards."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.domain.values import Options, Segment, Word, WordTiming
from tasks.pipeline.alignment import ctc
from tasks.pipeline.alignment.align import ordered, placed
from tasks.pipeline.alignment.timing import estimate
from tasks.pipeline.builder import TranscriptBuilder
from tasks.pipeline.diarize import assign
from tasks.pipeline.recognition.detect import chunks, everything, windows
from tasks.pipeline.recognition.sentences import join, sentences, words
from tasks.pipeline.types import AlignmentSpan, Chunk, Resume, Turn, WordSpan

SECONDS = 40.0
LONGEST = 20.0
timeless = settings(deadline=None)  # the first call loads what the others find loaded
moments = st.floats(-5.0, SECONDS + 5.0, allow_nan=False)
texts = st.text(st.sampled_from("abcé 12%.,!?’-中文字。…\u0301"), max_size=60)
places = st.one_of(st.none(), st.builds(WordSpan, moments, moments, st.floats(-1, 2), st.booleans()))


@st.composite
def stretches(draw: st.DrawFn) -> list[tuple[float, float]]:
    """Speech in order, as the voice detector gives it."""
    edges = sorted(draw(st.lists(st.floats(0.0, 300.0), max_size=24)))
    cut = ((a, b) for a, b in zip(edges[::2], edges[1::2], strict=False) if b > a)
    return [(a, min(b, a + LONGEST)) for a, b in cut]


@timeless
@given(st.lists(places, min_size=1, max_size=12), st.floats(0, SECONDS), st.floats(0, SECONDS))
def test_words_have_places_whatever_the_aligner_says(found: list[WordSpan | None], a: float, b: float) -> None:
    span = AlignmentSpan(min(a, b), max(a, b), tuple("word" * (i % 3 + 1) for i in range(len(found))))
    result = placed(span, found, SECONDS)
    assert [word.text for word in result] == list(span.words)
    assert ordered(result, SECONDS)
    for word, place in zip(result, found, strict=True):
        assert (word.timing is WordTiming.ALIGNED) == (place is not None and place.certain)


@timeless
@given(stretches(), texts, st.sampled_from(["en", "zh", "sw"]))
def test_estimated_words_lie_in_their_chunk(speech: list[tuple[float, float]], text: str, language: str) -> None:
    for chunk in chunks(speech, 300.0, LONGEST):
        found = words(text, language)
        result = [Word(word, *span) for word, span in zip(found, estimate(chunk, found, chunk.end), strict=False)]
        assert len(result) == len(found)
        assert ordered(result, chunk.end)
        assert all((word.start or 0) >= round(chunk.start, 3) - 0.001 for word in result)


@timeless
@given(stretches(), st.floats(1, 400))
def test_windows_move_no_cut_and_lose_no_speech(speech: list[tuple[float, float]], seconds: float) -> None:
    pieces = list(chunks(speech, 300.0, LONGEST))
    assert [stretch for piece in pieces for stretch in piece.speech] == speech
    assert all(piece.speech[-1][1] - piece.speech[0][0] <= LONGEST or len(piece.speech) == 1 for piece in pieces)
    grouped = list(windows(pieces, seconds))
    assert [piece for _, _, piece in grouped] == pieces
    numbers = [number for number, _, _ in grouped]
    assert [place for _, place, _ in grouped] == [i for n in dict.fromkeys(numbers) for i in range(numbers.count(n))]
    assert numbers == sorted(numbers)


@timeless
@given(stretches(), st.floats(0.0, 100.0))
def test_without_the_voice_detector_everything_is_heard_and_no_voice_is_cut(
    speech: list[tuple[float, float]], silence: float
) -> None:
    seconds = (speech[-1][1] if speech else 0.0) + silence
    pieces = list(everything(speech, seconds, LONGEST))
    assert [stretch for piece in pieces for stretch in piece.speech] == speech
    assert [piece.end for piece in pieces][:-1] == [piece.start for piece in pieces][1:]
    assert not pieces or (pieces[0].start, pieces[-1].end) == (0.0, seconds)
    assert all(piece.start < piece.end <= piece.start + LONGEST + 1e-6 for piece in pieces)
    assert all(piece.start <= start and end <= piece.end for piece in pieces for start, end in piece.speech)


@timeless
@given(texts, st.sampled_from(["en", "de", "zh", "ja", "sw", "th"]))
def test_sentences_lose_no_word(text: str, language: str) -> None:
    found = [word for sentence in sentences(text, language) for word in sentence]
    assert "".join(found) == "".join(text.split())
    assert join(found, language).replace(" ", "") == "".join(text.split())


@timeless
@given(st.lists(st.tuples(moments, moments, st.sampled_from("ABC")), max_size=8), st.integers(0, 20))
def test_speakers_change_no_word_and_split_keys_sort_in_time(turns: list[tuple[float, float, str]], count: int) -> None:
    spread = tuple(Word(f"w{i}", float(i), i + 0.9) for i in range(count))
    whole = [
        Segment(key=f"0000{i:04d}", start=float(i), end=i + 4.9, text=" ".join(w.text for w in own), words=own)
        for i in range(0, count, 5)
        if (own := spread[i : i + 5])
    ]
    labels, revised = assign(whole, [Turn(min(a, b), max(a, b), who) for a, b, who in turns], "en")
    assert [word.text for segment in revised for word in segment.words] == [word.text for word in spread]
    assert " ".join(segment.text for segment in revised).split() == [word.text for word in spread]
    assert [segment.key for segment in revised] == sorted(segment.key for segment in revised)
    assert all(a.start <= b.start for a, b in pairwise(revised))
    assert all(segment.end >= max(word.end or 0.0 for word in segment.words) for segment in revised)
    assert all(word.speaker == segment.speaker for segment in revised for word in segment.words)
    assert sum(label.word_count for label in labels) == (count if turns else 0)
    again, same = assign(revised, [Turn(0.0, SECONDS, "only")], "en")
    assert [segment.key for segment in same] == [segment.key for segment in whole]
    assert [segment.text for segment in same] == [segment.text for segment in whole]
    assert len(again) == 1


@timeless
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.lists(st.integers(1, 5), max_size=30))
def test_the_trellis_gives_each_token_a_frame_in_order_or_says_no(seed: int, frames: int, tokens: list[int]) -> None:
    scores = np.random.default_rng(seed).normal(size=(frames, 6)).astype(np.float32)
    spans = ctc.align(scores - np.logaddexp.reduce(scores, axis=1, keepdims=True), tokens, 0)
    if spans is None:
        assert not tokens or len(tokens) > frames or len(tokens) == frames
        return
    assert len(spans) == len(tokens)
    assert all(0 <= first < last <= frames for first, last, _ in spans)
    assert all(a[1] == b[0] for a, b in pairwise(spans))


@pytest.mark.parametrize(
    ("language", "text", "count"),
    [
        ("zh", "走了3.5公里。真的？！好。", 3),
        ("ar", "كيف حالك؟ أنا بخير.", 2),
        ("my", "မင်္ဂလာပါ။ နေကောင်းလား။", 2),
        ("sw", "Nenda a.com sasa. Asante.", 2),
    ],
)
def test_sentences_end_as_each_script_ends_them_and_not_within_a_number(language: str, text: str, count: int) -> None:
    assert len(list(sentences(text, language))) == count


def test_a_word_ends_where_the_voice_detector_hears_its_speaker_fall_silent() -> None:
    builder = TranscriptBuilder(Options(model="base"), Resume())
    builder.add_speech(Chunk(0.0, 10.0, ((0.0, 2.0), (8.0, 10.0))))
    ends = {(0.5, 9.0): 2.0, (0.5, 1.5): 1.5, (1.9, 9.0): 9.0, (3.0, 9.0): 9.0, (8.5, 12.0): 10.0}
    for (start, end), expected in ends.items():
        assert builder.trim_pause(Word("so", start, end)) == Word("so", start, expected)


def test_a_sentence_with_a_long_pause_is_told_in_two_parts_and_joined_when_told_again() -> None:
    words = (Word("Okay,", 0.0, 1.0), Word("so", 1.5, 2.0), Word("the", 9.0, 9.2), Word("few.", 9.3, 10.0))
    whole = Segment(key="00000000", start=0.0, end=10.0, text="Okay, so the few.", words=words)
    turns = [Turn(0.0, 2.0, "A"), Turn(9.0, 10.0, "A")]
    _, parts = assign([whole], turns, "en")
    assert [(part.key, part.start, part.end, part.text) for part in parts] == [
        ("00000000", 0.0, 2.0, "Okay, so"),
        ("00000000.01", 9.0, 10.0, "the few."),
    ]
    assert assign(parts, turns, "en")[1] == parts


def test_whoever_spoke_before_goes_on_where_two_are_heard_alike() -> None:
    first = Segment(key="00000000", start=0.0, end=1.0, text="So.", words=(Word("So.", 0.0, 1.0),))
    second = Segment(key="00000001", start=2.0, end=3.0, text="Go.", words=(Word("Go.", 2.0, 3.0),))
    both = [Turn(1.5, 3.0, "B"), Turn(1.6, 3.0, "A")]
    speakers, told = assign([first, second], [Turn(0.0, 1.0, "A"), *both], "en")
    assert [part.speaker for part in told] == [0, 0]
    assert [speaker.word_count for speaker in speakers] == [2, 0]


def test_a_segment_lasts_as_long_as_its_speaker_but_not_into_the_next() -> None:
    first = Segment(key="00000000", start=0.0, end=1.0, text="So", words=(Word("So", 0.0, 1.0),))
    second = Segment(key="00000001", start=1.3, end=2.0, text="what?", words=(Word("what?", 1.3, 2.0),))
    _, told = assign([first, second], [Turn(0.0, 2.6, "A"), Turn(2.1, 4.0, "B")], "en")
    assert [(part.start, part.end) for part in told] == [(0.0, 1.3), (1.3, 2.6)]


def test_a_chunk_keeps_its_pauses_free_of_estimated_words() -> None:
    chunk = Chunk(0.0, 10.0, ((0.0, 2.0), (8.0, 10.0)))
    spans = list(estimate(chunk, ["aaa", "aaa", "aaa", "aaa"], 10.0))
    assert spans == [(0.0, 1.0), (1.0, 2.0), (8.0, 9.0), (9.0, 10.0)]
