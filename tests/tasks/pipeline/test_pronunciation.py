"""Numbers and addresses keep their times: they are spelled as they are said."""

from pathlib import Path

import numpy as np
import pytest

from tasks.pipeline.alignment.pronunciation import spoken
from tasks.pipeline.recording import SAMPLE_RATE, Recording
from tasks.pipeline.types import AlignmentSpan, SpeechEngine
from tests.tasks.pipeline.recordings import REAL_MODELS, samples_of
from tests.tasks.pipeline.voice import say

pytestmark = REAL_MODELS


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("1,234 dollars", "one thousand two hundred and thirty four dollars"),
        ("in 1813.", "in eighteen thirteen"),
        ("May 3rd 2026,", "May third twenty twenty six"),
        ("$2.50", "two point five zero dollars"),
        ("3.5%", "three point five percent"),
        ("at 10:30", "at ten thirty"),
        ("Call 555 0199.", "Call five five five zero one nine nine"),
        ("555-0199", "five five five zero one nine nine"),
        ("www.example.com", "www dot example dot com"),
        ("ann@example.org.", "ann at example dot org"),
        ("well-known words,", "well-known words,"),
    ],
)
def test_a_written_word_is_told_as_people_say_it(written: str, said: str) -> None:
    assert " ".join(word for words in spoken(written.split(), "en") for word in words) == said


def test_a_number_has_the_time_of_its_words_and_those_around_it_keep_theirs(
    engine: SpeechEngine, tmp_path: Path
) -> None:
    parts = [("Please pay", "please pay"), ("1,234", "one thousand two hundred and thirty four"),
             ("dollars. Call", "dollars. call"), ("555", "five five five"), ("0199", "zero one nine nine"),
             ("tomorrow", "tomorrow")]  # fmt: skip
    waveforms = [say("en", [said]) for _, said in parts]
    begun = np.cumsum([0, *(waveform.size for waveform in waveforms)]) / SAMPLE_RATE
    recording: Recording = samples_of(tmp_path, np.concatenate(waveforms))
    words = tuple(word for written, _ in parts for word in written.split())
    [found] = engine.align(recording, [AlignmentSpan(0.0, recording.seconds, words)], "en")
    first = np.cumsum([0, *(len(written.split()) for written, _ in parts)])
    for part, (_, said) in enumerate(parts):
        place = found[first[part]]
        assert place is not None
        assert abs(place.start - begun[part]) < 0.25, said
        last = found[first[part + 1] - 1]
        assert last is not None
        assert abs(last.end - begun[part + 1]) < 0.6, said
