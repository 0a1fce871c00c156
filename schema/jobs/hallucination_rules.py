"""Rules against text that nobody spoke: each can be switched off for a job."""

from dataclasses import asdict

import strawberry

from db.domain.values import Rules
from schema.base.fields import field

DESCRIPTIONS = {
    "voice_detector": "Let Whisper hear only where the voice detector hears somebody; off: all that there is.",
    "temperature_fallback": "Recognise suspect text again at higher temperatures, until it convinces.",
    "compression_ratio": "Text is suspect when it repeats itself: it compresses more than 2.4 times.",
    "log_probability": "Text is suspect when Whisper finds it unlikely: a mean log probability below -1.",
    "no_speech": "Drop unlikely text where Whisper takes the sound for no speech, with a probability above 0.6.",
    "loops": "Flag words that come four times running as REPETITION, and cut those too fast to have been spoken.",
    "silence": "Flag text as NO_SPEECH where the voice detector heard nobody.",
}


@strawberry.type(description="Filters against text that nobody spoke.")
class HallucinationRules:
    """db.domain.values.Rules in the graph."""

    voice_detector: bool = field(DESCRIPTIONS["voice_detector"])
    temperature_fallback: bool = field(DESCRIPTIONS["temperature_fallback"])
    compression_ratio: bool = field(DESCRIPTIONS["compression_ratio"])
    log_probability: bool = field(DESCRIPTIONS["log_probability"])
    no_speech: bool = field(DESCRIPTIONS["no_speech"])
    loops: bool = field(DESCRIPTIONS["loops"])
    silence: bool = field(DESCRIPTIONS["silence"])


@strawberry.input(description="Filters against text that nobody spoke: all of them, unless switched off here.")
class HallucinationRulesInput:
    """The rules in the input of `createJob`; a null is the default."""

    voice_detector: bool | None = strawberry.field(default=True, description=DESCRIPTIONS["voice_detector"])
    temperature_fallback: bool | None = strawberry.field(default=True, description=DESCRIPTIONS["temperature_fallback"])
    compression_ratio: bool | None = strawberry.field(default=True, description=DESCRIPTIONS["compression_ratio"])
    log_probability: bool | None = strawberry.field(default=True, description=DESCRIPTIONS["log_probability"])
    no_speech: bool | None = strawberry.field(default=True, description=DESCRIPTIONS["no_speech"])
    loops: bool | None = strawberry.field(default=True, description=DESCRIPTIONS["loops"])
    silence: bool | None = strawberry.field(default=True, description=DESCRIPTIONS["silence"])


def chosen(given: HallucinationRulesInput | None) -> Rules:
    """Return the rules that are on, with their bounds."""
    default = Rules()
    off = set() if given is None else {name for name, on in asdict(given).items() if on is False}
    return Rules(
        voice_detector="voice_detector" not in off,
        temperatures=default.temperatures[:1] if "temperature_fallback" in off else default.temperatures,
        compression_ratio=None if "compression_ratio" in off else default.compression_ratio,
        log_prob=None if "log_probability" in off else default.log_prob,
        no_speech=None if "no_speech" in off else default.no_speech,
        repetition="loops" not in off,
        silence="silence" not in off,
    )


def view(rules: Rules) -> HallucinationRules:
    """Return the rules, each on or off."""
    return HallucinationRules(
        voice_detector=rules.voice_detector,
        temperature_fallback=len(rules.temperatures) > 1,
        compression_ratio=rules.compression_ratio is not None,
        log_probability=rules.log_prob is not None,
        no_speech=rules.no_speech is not None,
        loops=rules.repetition,
        silence=rules.silence,
    )
