"""What nobody spoke does not stand in the transcript, or is marked; every rule can be switched off."""

from hypothesis import given, settings
from hypothesis import strategies as st

from db.domain.values import Options, QualityFlag, Rules, Segment
from tasks.pipeline.builder import TranscriptBuilder
from tasks.pipeline.recognition.hallucination import filter_hypothesis, suspect, without_loops
from tasks.pipeline.types import Chunk, Hypothesis, Resume

NONE = Rules(
    temperatures=(0.0,), compression_ratio=None, log_prob=None, no_speech=None, repetition=False, silence=False
)
LOOPED = "Thank you. " * 60


def spoken(text: str, *, speech: float = 10.0, logprob: float = -0.2, no_speech: float = 0.01) -> Hypothesis:
    chunk = Chunk(0.0, 10.0, ((0.0, speech),))
    return Hypothesis(chunk=chunk, text=text, avg_logprob=logprob, no_speech_prob=no_speech)


def test_a_loop_too_fast_to_be_spoken_is_said_once_and_flagged() -> None:
    assert filter_hypothesis(spoken(LOOPED), "en", Rules()) == ("Thank you.", (QualityFlag.REPETITION,))
    assert filter_hypothesis(spoken(LOOPED), "en", NONE) == (LOOPED, ())


def test_text_faster_than_anybody_speaks_goes() -> None:
    hurried = spoken("Thanks for watching, and see you next time.", speech=0.3)
    assert filter_hypothesis(hurried, "en", Rules()) == ("", ())
    assert filter_hypothesis(hurried, "en", NONE)[0] == hurried.text


def test_what_somebody_may_have_said_four_times_is_kept_and_flagged() -> None:
    text = "No, no, no, no, no!"
    assert filter_hypothesis(spoken(text), "en", Rules()) == (text, (QualityFlag.REPETITION,))


def test_a_loop_is_found_in_a_language_without_spaces() -> None:
    assert filter_hypothesis(spoken("谢谢你" * 120), "zh", Rules()) == ("谢谢你", (QualityFlag.REPETITION,))


def test_an_unlikely_text_where_whisper_hears_no_speech_is_dropped() -> None:
    noise = spoken("I'm going to do that.", logprob=-1.56, no_speech=0.67)
    assert filter_hypothesis(noise, "en", Rules()) == ("", ())
    assert filter_hypothesis(noise, "en", Rules(no_speech=None))[0] == noise.text


def test_a_likely_text_is_kept_even_where_whisper_hears_no_speech() -> None:
    assert filter_hypothesis(spoken("Hello.", no_speech=0.9), "en", Rules())[0] == "Hello."


def test_text_of_a_chunk_in_which_the_voice_detector_heard_nobody_is_flagged() -> None:
    silent = Hypothesis(chunk=Chunk(0.0, 10.0, ()), text="you", avg_logprob=-0.5, no_speech_prob=0.9)
    assert filter_hypothesis(silent, "en", Rules()) == ("you", (QualityFlag.NO_SPEECH,))
    assert filter_hypothesis(silent, "en", NONE) == ("you", ())


def test_two_short_answers_far_apart_are_kept() -> None:
    answers = Hypothesis(chunk=Chunk(0.0, 30.0, ((0.0, 0.4), (29.6, 30.0))), text="Yes. No.", avg_logprob=-0.3)
    assert filter_hypothesis(answers, "en", Rules()) == ("Yes. No.", ())


def test_whisper_s_own_rule_for_silence_holds_also_when_unlikely_text_is_not_tried_again() -> None:
    noise = spoken("I'm going to do that.", logprob=-1.56, no_speech=0.67)
    assert filter_hypothesis(noise, "en", Rules(log_prob=None)) == ("", ())


def test_a_suspect_text_is_recognised_again_unless_it_will_be_dropped() -> None:
    assert suspect(LOOPED, -0.1, 0.0, Rules())
    assert not suspect(LOOPED, -0.1, 0.0, Rules(compression_ratio=None))
    assert suspect("Hello.", -1.2, 0.0, Rules())
    assert not suspect("Hello.", -1.2, 0.0, Rules(log_prob=None))
    assert not suspect("you", -1.2, 0.7, Rules())


def test_a_segment_that_comes_to_lie_where_nobody_was_heard_is_flagged() -> None:
    builder = TranscriptBuilder(Options(model="base"), Resume())
    builder.add((), Chunk(0.0, 10.0, ((0.0, 2.0), (8.0, 10.0))))
    quiet = Segment(key="00000000", start=3.0, end=6.0, text="you")
    assert builder.flag_silence(quiet).flags == (QualityFlag.NO_SPEECH,)
    assert builder.flag_silence(Segment(key="00000001", start=1.0, end=6.0, text="Hello there.")).flags == ()
    off = TranscriptBuilder(Options(model="base", rules=Rules(silence=False)), Resume())
    off.add((), Chunk(0.0, 10.0, ((0.0, 2.0), (8.0, 10.0))))
    assert off.flag_silence(quiet).flags == ()


@settings(deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "c"]), max_size=60))
def test_without_loops_nothing_but_repeats_is_lost(found: list[str]) -> None:
    kept = without_loops(found)
    assert len(kept) <= len(found)
    assert set(kept) == set(found)
    if len(found) < 4:
        assert kept == found
