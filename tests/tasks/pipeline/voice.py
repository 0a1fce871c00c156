"""Speech in other languages, made when it is needed: eSpeak NG, with its voices, out of a wheel."""

import ctypes
from collections.abc import Sequence
from functools import cache

import espeakng_loader
import numpy as np

from tasks.pipeline.recording import SAMPLE_RATE, Waveform

SYNCHRONOUS, DONT_EXIT, UTF8, RATE = 2, 0x8000, 1, 1
PAUSE = 0.25
_Heard = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)

SPOKEN = {
    "de": (
        "Guten Morgen, meine Damen und Herren.",
        "Heute sprechen wir über das Wetter in Deutschland.",
        "Meine Mutter wohnt in Berlin, und mein Vater arbeitet in München.",
        "Ich habe zwei Kinder, einen Sohn und eine Tochter.",
        "Das Haus ist groß und der Garten ist klein.",
    ),
    "es": (
        "Buenos días, señoras y señores.",
        "Hoy hablamos del tiempo en España.",
        "Mi madre vive en Madrid, y mi padre trabaja en Barcelona.",
        "La casa es grande y el jardín es pequeño.",
        "Muchas gracias por todo.",
    ),
}


class _Synthesiser:
    def __init__(self) -> None:
        self.library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = espeakng_loader.get_data_path().encode()
        self.rate = self.library.espeak_Initialize(SYNCHRONOUS, 0, data, DONT_EXIT)
        self.heard: list[np.ndarray[tuple[int], np.dtype[np.int16]]] = []
        self.callback = _Heard(self._hear)
        self.library.espeak_SetSynthCallback(self.callback)

    def _hear(self, samples: "ctypes._Pointer[ctypes.c_short]", count: int, _: object) -> int:
        if count:
            self.heard.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    def say(self, voice: str, text: str) -> Waveform:
        self.heard.clear()
        raw = text.encode()
        assert self.library.espeak_SetVoiceByName(voice.encode()) == 0
        assert self.library.espeak_SetParameter(RATE, 130, 0) == 0
        assert self.library.espeak_Synth(raw, len(raw) + 1, 0, 1, 0, UTF8, None, None) == 0
        spoken = np.concatenate(self.heard)
        moments = np.arange(spoken.size * SAMPLE_RATE // self.rate) * self.rate / SAMPLE_RATE
        waveform: Waveform = (np.interp(moments, np.arange(spoken.size), spoken) / 32768).astype(np.float32)
        return waveform


@cache
def _synthesiser() -> _Synthesiser:
    return _Synthesiser()


def say(language: str, sentences: Sequence[str]) -> Waveform:
    """The sentences with a short pause after each."""
    pause = np.zeros(int(PAUSE * SAMPLE_RATE), np.float32)
    said = [part for sentence in sentences for part in (_synthesiser().say(f"{language}+m3", sentence), pause)]
    return np.concatenate(said)
