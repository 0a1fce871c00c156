"""Packed words come out as they went in."""

from hypothesis import given
from hypothesis import strategies as st

from db.domain.values import Word, WordTiming
from db.domain.words import columns, pack, unpack

units = st.none() | st.integers(0, 40_000_000).map(lambda n: n / 1000)
words = st.lists(
    st.builds(
        Word,
        text=st.text(max_size=20),
        start=units,
        end=units,
        confidence=st.none() | st.integers(0, 1000).map(lambda n: n / 1000),
        timing=st.sampled_from(WordTiming),
        speaker=st.none() | st.integers(0, 30),
        reviewed=st.booleans(),
    )
)


@given(words)
def test_words_survive_packing(given_words: list[Word]) -> None:
    assert list(unpack(pack(given_words))) == given_words


@given(words)
def test_columns_are_as_long_as_the_words_are_many(given_words: list[Word]) -> None:
    assert {len(column) for column in columns(pack(given_words))[:6]} == {len(given_words)}


def test_words_packed_before_there_were_reviews_are_read() -> None:
    assert unpack('[["a"],[1],[2],[null],"A",[0]]') == (Word("a", 0.001, 0.002, None, WordTiming.ALIGNED, 0),)
