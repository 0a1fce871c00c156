from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.domain.errors import InvalidValue
from db.domain.terms import find, matches, parse, terms


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("Ein schöner Tag", "SCHONER"),
        ("Straße", "strasse"),
        ("I don't know", "don't"),
        ("Μέρα", "μερα"),
        ("今日は良い天気です", "天気"),
        ("สวัสดีครับ", "สวัสดี"),
        ("हिन्दी भाषा", "हिन्दी"),
        ("Привет, мир", "ПРИВЕТ мир"),
        ("It cost 1e5 or 2,000.50", "2,000.50"),
        ("ﬁne", "fine"),
    ],
)
def test_a_word_is_found_whatever_its_case_accents_or_script(text: str, query: str) -> None:
    assert matches(text, parse(query))


@pytest.mark.parametrize(("text", "query"), [("cats", "cat"), ("one two", '"two one"'), ("हिन्दी", "हन्दी")])
def test_another_word_is_not_found(text: str, query: str) -> None:
    assert not matches(text, parse(query))


@given(st.text())
def test_terms_are_letters_and_digits_and_lie_in_the_text_in_order(text: str) -> None:
    found = list(find(text))
    assert all(term.text.isascii() and term.text.isalnum() for term in found)
    assert all(0 <= term.start < term.end <= len(text) for term in found)
    assert all(before.end <= after.start for before, after in pairwise(found))
    assert terms(text).split() == [term.text for term in found]


@given(st.text(min_size=1, max_size=200))
def test_no_query_is_more_than_words(query: str) -> None:
    try:
        phrases = parse(query)
    except InvalidValue:
        return
    assert all(
        term.isascii() and term.isalnum() for phrase in phrases for term in (*phrase[:-1], phrase[-1].rstrip("*"))
    )
