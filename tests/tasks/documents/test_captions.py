"""Captions: nothing that was said is lost, and every one fits and can be read."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from db.domain.values import Segment, Word
from tasks.documents.layout.captions import captions
from tasks.documents.options import Layout

quick = settings(max_examples=40)
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


def sentence(*texts: str, seconds: float = 3.0, pause: float = 0.0) -> tuple[Segment, ...]:
    """A segment a text, in turn by two speakers, the words evenly spread."""
    found: list[Segment] = []
    at = 0.0
    for number, text in enumerate(texts):
        said = text.split()
        step = seconds / len(said)
        words = tuple(Word(word, at + step * i, at + step * (i + 1)) for i, word in enumerate(said))
        found.append(
            Segment(key=f"{number:08d}", start=at, end=at + seconds, text=text, words=words, speaker=number % 2)
        )
        at += seconds + pause
    return tuple(found)


def name_of(speaker: int | None) -> str | None:
    return None if speaker is None else ("Ann", "Bob the builder of very long names indeed")[speaker]


@quick
@given(segment_lists())
def test_captions_hold_every_word_once_and_in_order(segments: tuple[Segment, ...]) -> None:
    shown = " ".join(line for caption in captions(segments, Layout()) for line in caption.lines)
    assert shown.split() == [word.text for segment in segments for word in segment.words]


@quick
@given(segment_lists(), st.integers(12, 60), st.integers(1, 3))
def test_no_caption_is_longer_than_the_layout_allows(segments: tuple[Segment, ...], chars: int, lines: int) -> None:
    for caption in captions(segments, Layout(max_chars_per_line=chars, max_lines=lines)):
        assert len(caption.lines) <= lines
        assert all(len(line) <= chars for line in caption.lines)


@quick
@given(segment_lists())
def test_captions_never_overlap_and_never_end_before_they_start(segments: tuple[Segment, ...]) -> None:
    shown = captions(segments, Layout())
    assert all(caption.start <= caption.end for caption in shown)
    assert all(before.end <= after.start for before, after in pairwise(shown))


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


@quick
@given(segment_lists(), st.floats(0.5, 3), st.floats(3, 10))
def test_no_caption_lasts_longer_than_the_layout_allows(
    segments: tuple[Segment, ...], least: float, most: float
) -> None:
    shown = captions(segments, Layout(min_seconds=least, max_seconds=most))
    assert all(caption.end - caption.start <= most + 0.001 for caption in shown)
    for before, after in pairwise(shown):
        assert (
            before.end - before.start >= least - 0.001 or before.end >= after.start - Layout().min_gap_seconds - 0.001
        )


def test_text_without_word_times_is_spread_over_its_segment() -> None:
    segment = Segment(key="00000000", start=10, end=40, text="word " * 60)
    shown = captions((segment,), Layout())
    assert len(shown) > 3
    assert (shown[0].start, shown[-1].end) == (10, 40)


@quick
@given(segment_lists(), st.integers(24, 60), st.integers(1, 3))
def test_a_speaker_s_label_has_its_room_in_the_line(segments: tuple[Segment, ...], chars: int, lines: int) -> None:
    layout = Layout(max_chars_per_line=chars, max_lines=lines, speaker_labels=True)
    shown = captions(segments, layout, name_of)
    assert all(len(line) <= chars for caption in shown for line in caption.lines)
    said = " ".join(line for c in shown for line in (c.lines[0].removeprefix(c.label), *c.lines[1:]))
    assert said.split() == [word.text for segment in segments for word in segment.words]


@quick
@given(segment_lists())
def test_captions_are_the_same_with_and_without_the_times_of_their_words(segments: tuple[Segment, ...]) -> None:
    timed = captions(segments, Layout(), timed=True)
    assert [(c.start, c.end, c.lines) for c in timed] == [
        (c.start, c.end, c.lines) for c in captions(segments, Layout())
    ]
    for caption in timed:
        assert tuple(" ".join(word.text for word in words) for words in caption.words) == caption.lines


def test_a_speaker_is_named_where_that_changes() -> None:
    one, two, three = sentence("One.", "Two."), sentence("One."), sentence("One.", "Two.", "Three.")
    layout = Layout(speaker_labels=True)
    assert [c.lines[0] for c in captions(one, layout, lambda _: "Ann")] == ["Ann: One.", "Ann: Two."]
    assert captions(two, layout, lambda _: None)[0].lines == ("One.",)
    same = [Segment(key=s.key, start=s.start, end=s.end, text=s.text, words=s.words, speaker=0) for s in three]
    assert [c.lines[0] for c in captions(same, layout, name_of)] == ["Ann: One.", "Two.", "Three."]


def test_who_speaks_at_the_same_time_as_somebody_else_is_named_each_time() -> None:
    long = " ".join(f"word{number}" for number in range(60))
    both = (*sentence(long, seconds=20), *(sentence(long, seconds=20)))
    other = Segment(key="1", start=1.0, end=21.0, text=both[1].text, words=both[1].words, speaker=1)
    shown = captions((both[0], other), Layout(speaker_labels=True), name_of)
    assert {caption.lines[0].split(":")[0] for caption in shown if caption.speaker == 0} == {"Ann"}


def test_captions_that_follow_closely_leave_a_gap() -> None:
    first, second = captions(sentence("One of them.", "Another one."), Layout())
    assert 0.08 <= second.start - first.end <= 0.09


def test_the_lines_of_a_caption_are_of_like_length() -> None:
    text = "This is a sentence of some sixty characters, no more than that"
    [caption] = captions(sentence(text, seconds=5), Layout())
    assert abs(len(caption.lines[0]) - len(caption.lines[1])) <= 8


def test_wide_characters_take_two_columns() -> None:
    words = tuple(Word(char, i / 4, (i + 1) / 4) for i, char in enumerate("今日は良い天気ですね" * 6))
    segment = Segment(key="00000000", start=0, end=15, text="今日は良い天気ですね" * 6, words=words)
    assert max(len(line) for caption in captions((segment,), Layout()) for line in caption.lines) <= 21


def test_no_line_begins_with_a_mark_that_ends_a_sentence() -> None:
    text = "今日は良い天気です。明日も、たぶん良い天気でしょう。" * 4
    words = tuple(Word(char, i / 8, (i + 1) / 8) for i, char in enumerate(text))
    segment = Segment(key="00000000", start=0, end=len(text) / 8, text=text, words=words)
    shown = captions((segment,), Layout())
    assert not [c for c in shown if c.lines[0].startswith(("。", "、"))]


def test_a_megabyte_without_a_space_is_cut_into_captions_in_seconds() -> None:
    segment = Segment(key="00000000", start=0, end=9, text="x" * 1_000_000, words=(Word("x" * 1_000_000, 0, 9),))
    shown = captions((segment,), Layout())
    assert sum(len(line) for caption in shown for line in caption.lines) == 1_000_000
