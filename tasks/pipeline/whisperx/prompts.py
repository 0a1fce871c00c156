"""The text and tokens that Whisper gets before it writes: language, task, hot words and the client's prompt."""

from functools import cached_property

from faster_whisper.tokenizer import Tokenizer
from whisperx.asr import WhisperModel, find_numeral_symbol_tokens

from db.domain.values import ErrorCode, Options, Problem, Stage
from tasks.decoding.faults import InputFault
from tasks.pipeline.types import Chunk


class Prompts:
    """The tokenizer and the first tokens for each chunk of a job, by its language."""

    def __init__(self, model: WhisperModel, language: str, options: Options) -> None:
        self._model, self._language, self._options = model, language, options
        self._known: dict[str, tuple[Tokenizer, list[int]]] = {}
        self.of_language(language)  # an unsuitable one is told before anything is decoded

    @cached_property
    def numerals(self) -> list[int]:
        """The tokens with digits or signs of amounts, which are not written where numerals are suppressed."""
        return list(find_numeral_symbol_tokens(self.of_language(self._language)[0]))

    def tokenizer(self, chunk: Chunk) -> Tokenizer:
        """Return the tokenizer of the chunk's language."""
        return self.of_language(chunk.language or self._language)[0]

    def tokens(self, chunk: Chunk) -> list[int]:
        """Return the tokens that the text of the chunk begins with."""
        return self.of_language(chunk.language or self._language)[1]

    def of_language(self, language: str) -> tuple[Tokenizer, list[int]]:
        """Return tokenizer and first tokens; raises `InputFault` for a language that the model does not know."""
        if language not in self._known:
            tokenizer = _tokenizer(self._model, language, self._options)
            self._known[language] = tokenizer, _prompt(tokenizer, self._options, self._model.max_length)
        return self._known[language]


def _tokenizer(model: WhisperModel, language: str, options: Options) -> Tokenizer:
    multilingual = bool(model.model.is_multilingual)
    if not multilingual and (language != "en" or options.task.value != "TRANSCRIBE"):
        raise _unsuitable(f"The model {options.model} knows English only.", "Choose a multilingual model.")
    try:
        return Tokenizer(model.hf_tokenizer, multilingual, task=options.task.value.lower(), language=language)
    except ValueError as error:
        raise _unsuitable(
            f"“{language}” is not a language that the model knows.", "Give an ISO 639-1 code, or none to detect it."
        ) from error


def _prompt(tokenizer: Tokenizer, options: Options, max_length: int) -> list[int]:
    """Return hot words and the client's prompt before what Whisper always hears, as faster-whisper puts them."""
    longest = max_length // 2 - 1
    hotwords = ", ".join(word.strip() for word in options.hotwords)
    before = tokenizer.encode(" " + hotwords)[: longest // (2 if options.prompt else 1)] if hotwords else []
    if options.prompt and options.prompt.strip():
        before += tokenizer.encode(" " + options.prompt.strip())[-(longest - len(before)) :]
    start = [tokenizer.sot_prev, *before] if before else []
    return [*start, *tokenizer.sot_sequence, tokenizer.no_timestamps]


def _unsuitable(message: str, remedy: str) -> InputFault:
    return InputFault(Problem(code=ErrorCode.INVALID_INPUT, message=message, stage=Stage.TRANSCRIBE, remedy=remedy))
