"""The guard: whatever is in a text, nothing is left of it that could do more than show."""

import unicodedata
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.documents.guard import MAX_NAME_CHARS, cell, field, guarded, line, name, right_to_left, unique
from tests.fixtures.transcripts import HOSTILE, spoken

texts = st.text(st.characters(codec=None), max_size=200) | st.sampled_from(sorted(HOSTILE.values()))


@given(texts)
def test_a_guarded_text_is_one_line_of_characters_that_xml_allows(text: str) -> None:
    found = line(text)
    assert len(f"x{found}x".splitlines()) == 1
    assert ET.fromstring("<a/>").text is None
    assert not [char for char in found if unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"}]
    assert not [
        char
        for char in found
        if unicodedata.bidirectional(char) in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    ]
    element = ET.Element("a")
    element.text = found
    assert (ET.fromstring(ET.tostring(element, "unicode")).text or "") == found


@given(texts)
def test_guarding_twice_changes_nothing(text: str) -> None:
    assert line(line(text)) == line(text)
    assert name(name(text)) == name(text)
    once = guarded(spoken([text, text], title=text, names=[text, text]))
    assert guarded(once) == once


@given(texts)
def test_a_name_has_single_spaces_and_a_reasonable_length(text: str) -> None:
    found = name(text)
    assert found == " ".join(found.split())
    assert len(found) <= MAX_NAME_CHARS


@given(texts)
def test_a_field_between_spaces_is_never_empty_and_never_two(text: str) -> None:
    assert len(field(line(text)).split()) == 1


@given(texts)
def test_no_cell_is_a_formula(text: str) -> None:
    assert not unicodedata.normalize("NFKC", cell(line(text))[:1]).startswith(("=", "+", "-", "@"))


@pytest.mark.parametrize(
    "text", ["Straße", "e\u0301", "नमस्ते", "می\u200cخواهم", "\U0001f469\u200d\U0001f467", "x\u00a0y", "a\u200fb"]
)
def test_what_languages_need_stays(text: str) -> None:
    assert line(text) == text


def test_different_names_stay_different() -> None:
    assert unique(["a", "b", "a", "a_2"]) == ["a", "b", "a_2", "a_2_2"]


@pytest.mark.parametrize(
    ("text", "expected"), [("12: مرحبا", True), ("(hi) שלום", False), ("שלום hi", True), ("", False)]
)
def test_the_first_strong_character_says_where_a_paragraph_begins(text: str, expected: bool) -> None:
    assert right_to_left(text) is expected
