"""The console's words: the same messages in every language, each in the forms that the language has."""

import json
import re
from typing import Any

import pytest

from api.console.page import files

PLURALS = {
    "ar": {"zero", "one", "two", "few", "many", "other"},
    "de": {"one", "other"},
    "en": {"one", "other"},
    "es": {"one", "many", "other"},
    "fr": {"one", "many", "other"},
}
"""Categories of `Intl.PluralRules`; `many` of Spanish and French begins at a million, so it may be left out."""
SELDOM = {"many"}
CODE = {name: file.body.decode() for name, file in files().items() if name.endswith(".js")}


def messages(language: str) -> dict[str, Any]:
    """Messages by their path; those in several forms as a dictionary."""
    found: dict[str, Any] = {}
    waiting: list[tuple[str, Any]] = [("", json.loads(files()[f"messages/{language}.json"].body))]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, str) or "other" in value:
            found[path] = value
        else:
            waiting += [(f"{path}.{key}".lstrip("."), below) for key, below in value.items()]
    return found


ENGLISH = messages("en")


def forms(message: Any) -> list[str]:
    return list(message.values()) if isinstance(message, dict) else [message]


def places(message: Any) -> set[str]:
    """Values that a message shows; its number may be left out where the form says it (“one file”)."""
    return {name for form in forms(message) for name in re.findall(r"\{(\w+)\}", form)}


@pytest.mark.parametrize("language", sorted(PLURALS))
def test_a_language_has_the_messages_of_english_with_the_same_values(language: str) -> None:
    found = messages(language)
    assert found.keys() == ENGLISH.keys()
    for path, message in found.items():
        assert places(message) == places(ENGLISH[path]), path


@pytest.mark.parametrize("language", sorted(PLURALS))
def test_a_message_that_counts_has_the_forms_of_its_language(language: str) -> None:
    for path, message in messages(language).items():
        if isinstance(message, dict):
            wanted = PLURALS[language] if language == "ar" else PLURALS[language] - SELDOM
            assert wanted <= message.keys() <= PLURALS[language], path


@pytest.mark.parametrize("name", sorted(CODE))
def test_every_message_that_the_page_asks_for_is_there(name: str) -> None:
    asked = set(re.findall(r"\bt\(\s*'([\w.]+)'", CODE[name]))
    assert asked <= ENGLISH.keys()


def test_no_message_is_left_over() -> None:
    code = "\n".join(CODE.values())
    composed = tuple(re.findall(r"`([\w.]+)\$\{", code))  # such as `stage.${stage}`
    for path in ENGLISH:
        assert f"'{path}'" in code or path.startswith(composed), path
