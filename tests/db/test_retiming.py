from itertools import pairwise
from time import process_time

from hypothesis import given
from hypothesis import strategies as st

from db.domain.retiming import retime, spaced, split
from db.domain.values import Word, WordTiming

texts = st.sampled_from(["the", "cat", "sat", "on", "a", "mat", "Cat,", "2", "x-ray"])


@st.composite
def spoken(draw: st.DrawFn) -> list[Word]:
    """Words in order within 0..10 s, some without times."""
    edges = sorted(draw(st.lists(st.integers(0, 10_000), min_size=0, max_size=30)))
    pairs = list(zip(edges[::2], edges[1::2], strict=False))
    found = []
    for began, ended in pairs:
        timed = draw(st.integers(0, 9)) > 0
        start, end = (began / 1000, ended / 1000) if timed else (None, None)
        found.append(Word(draw(texts), start, end, 0.5, WordTiming.ALIGNED, 0))
    return found


@given(spoken(), st.lists(texts, max_size=20))
def test_every_new_word_gets_a_place_in_order_within_the_segment(old: list[Word], new: list[str]) -> None:
    words = retime(old, new, 0.0, 10.0)
    assert [word.text for word in words] == new
    placed = [(word.start, word.end) for word in words if word.start is not None and word.end is not None]
    assert all(0 <= start <= end <= 10.0001 for start, end in placed)
    assert all(before[0] <= after[0] for before, after in pairwise(placed))


@given(spoken())
def test_the_same_text_changes_nothing(old: list[Word]) -> None:
    assert retime(old, [word.text for word in old], 0.0, 10.0) == old


@given(spoken(), st.integers(0, 20))
def test_words_around_an_insertion_keep_their_times(old: list[Word], place: int) -> None:
    at = min(place, len(old))
    kept = [word.text for word in old]
    words = retime(old, [*kept[:at], "inserted", "twice", *kept[at:]], 0.0, 10.0)
    times = [(word.text, word.start, word.end) for word in words]
    for word in old:
        assert (word.text, word.start, word.end) in times


def test_a_respelt_word_keeps_its_time_and_its_speaker() -> None:
    old = [Word("helo", 1.0, 1.5, 0.3, WordTiming.ALIGNED, 1), Word("world", 1.5, 2.0, 0.9, WordTiming.ALIGNED, 1)]
    [first, second] = retime(old, ["Hello,", "world"], 0.0, 3.0)
    assert first == Word("Hello,", 1.0, 1.5, 0.3, WordTiming.ALIGNED, 1, reviewed=True)
    assert second == old[1]


def test_words_in_the_place_of_one_share_its_time() -> None:
    old = [Word("a", 0.0, 1.0), Word("gonna", 1.0, 2.0), Word("b", 2.0, 3.0)]
    words = retime(old, ["a", "going", "to", "b"], 0.0, 3.0)
    assert (words[1].start, words[2].end) == (1.0, 2.0)
    assert words[1].timing is WordTiming.INTERPOLATED


def test_text_without_spaces_is_split_by_character() -> None:
    words = [Word(char, 0.0, 1.0) for char in "今日は"]
    assert not spaced("今日は", words)
    assert split("今日も、OK です", spaced=False) == ["今", "日", "も、", "OK", "で", "す"]
    assert spaced("two words", [Word("two", 0, 1), Word("words", 1, 2)])


def test_very_different_long_texts_are_compared_in_bounded_time() -> None:
    old = [Word("a", n / 10, n / 10 + 0.05) for n in range(3000)]
    began = process_time()
    words = retime(old, ["x", *["b", "a"] * 3000, "y"], 0.0, 300.0)
    assert process_time() - began < 1.0
    assert (words[0].text, words[-1].text, len(words)) == ("x", "y", 6002)
