"""Two hundred recordings that nobody would send in earnest: lies, bombs, cycles, scripts, cuts and flipped bits."""

import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.tasks.pipeline.recordings import write


class Hostile(NamedTuple):
    """A file and what it is."""

    name: str
    content: bytes
    zeros: tuple[int, int] = (0, 0)  # where how many zeros stand in the file, which takes no room for them

    def save(self, folder: Path) -> Path:
        """Write it down."""
        path = folder / self.name
        where, count = self.zeros
        with path.open("wb") as file:
            file.write(self.content[:where] if count else self.content)
            if count:
                file.seek(count, 1)
                file.write(self.content[where:])
        return path


SOUND: dict[str, dict[str, Any]] = {
    "wav": {},
    "aiff": {"container": "aiff", "codec": "pcm_s16be"},
    "mp3": {"container": "mp3", "codec": "libmp3lame", "sample_format": "s16p", "rate": 44_100},
    "mp4": {"container": "mp4", "codec": "aac", "sample_format": "fltp", "rate": 44_100},
    "mov": {"container": "mov", "codec": "pcm_s16le"},
    "flac": {"container": "flac", "codec": "flac"},
    "ogg": {"container": "ogg", "codec": "libopus", "rate": 48_000},
    "webm": {"container": "webm", "codec": "libopus", "rate": 48_000},
    "mkv": {"container": "matroska", "codec": "pcm_s16le"},
    "ts": {"container": "mpegts", "codec": "aac", "sample_format": "fltp", "rate": 48_000},
    "avi": {"container": "avi", "codec": "pcm_s16le"},
    "caf": {"container": "caf", "codec": "pcm_s16le"},
}
"""Twelve containers to be cut and spoilt."""


def hostile(folder: Path) -> Iterator[Hostile]:
    """All of them, the same each time."""
    yield from lies()
    yield from scripts()
    chance = random.Random(12)
    for name, made in SOUND.items():
        whole = write(folder / "whole", seconds=0.5, **made).read_bytes()
        for number in range(4):  # of the fifty places where each is cut in the long test
            yield Hostile(f"{name}-cut-{number}", whole[: len(whole) * (number * 2 + 1) // 9])
        for number in range(8):
            spoilt = bytearray(whole)
            for _ in range(2 ** (number % 4)):
                place = chance.randrange(min(len(spoilt), 600 if number % 2 else len(spoilt)))
                spoilt[place] ^= 1 << chance.randrange(8)
            yield Hostile(f"{name}-flipped-{number}", bytes(spoilt))


def lies() -> Iterator[Hostile]:
    """Headers that promise what is not so."""
    for rate in (0, 1, 8, 100, 2**31 - 1):
        for length in (1_000, 30_000, 130_000):
            yield Hostile(f"rate-{rate}-{length}", matroska(rate, 1, [(0, b"\x80" * length)], 10_000))
    for channels in (0, 65, 255, 65_535):
        yield Hostile(f"channels-{channels}", matroska(16_000, channels, [(0, b"\x80" * 4096)], 10_000))
    for seconds in (-5.0, float("nan"), float("inf"), 360_000.0, 1e300):
        yield Hostile(f"length-{seconds}", matroska(16_000, 1, [(0, b"\x80" * 1600)], seconds * 1000))
    yield Hostile("gap", matroska(16_000, 1, [(0, b"\x80" * 1600), (35_990_000, b"\x80" * 1600)], 35_999_000))
    for count in (1_000_000, 20_000_000, 60_000_000, 150_000_000, 2**32 - 1):
        yield Hostile(f"samples-{count}", quicktime(count))
    for depth in (10, 1000, 20_000):
        yield Hostile(f"deep-{depth}", deep(depth))
    for size in (0, 1, 7, 8):
        yield Hostile(f"box-{size}", box(b"ftyp", b"isom" + bytes(8)) + struct.pack(">I", size) + b"moov" * 50)
    fmt = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 16_000, 32_000, 2, 16)
    data = b"data" + struct.pack("<I", 3200) + bytes(3200)
    for kind in (b"JUNK", b"LIST", b"fmt ", b"id3 "):
        huge = b"RIFF\xff\xff\xff\xffWAVE" + kind + struct.pack("<I", 1_500_000_000)
        yield Hostile(f"chunk-{kind.decode().strip()}", huge + fmt + data, (len(huge), 1_500_000_000))
    many = b"RIFF\xff\xff\xff\xffWAVE" + b"JUNK\0\0\0\0" * 200_000 + fmt + data
    yield Hostile("chunks-many", many)
    for name, values in (
        ("zero", (1, 0, 0, 0, 0, 0)),
        ("wide", (1, 65_535, 2**32 - 1, 2**32 - 1, 65_535, 65_535)),
        ("mute", (1, 1, 1, 1, 1, 8)),
        ("odd", (0xFFFE, 3, 44_100, 7, 5, 11)),
    ):
        yield Hostile(f"wav-{name}", b"RIFF\0\0\0\0WAVE" + b"fmt " + struct.pack("<IHHIIHH", 16, *values) + data)
    yield Hostile("flac-long", b"fLaC\x80\0\0\x22" + bytes.fromhex("1000100000000000000003e800fffffffff0") + bytes(16))
    yield Hostile("ogg-one-page", b"OggS\0\2" + bytes(20) + b"\xff" + b"\xff" * 255 + b"\x01vorbis" + bytes(65_000))


def scripts() -> Iterator[Hostile]:
    """Text that FFmpeg would follow, or make sound of."""
    for name, text in {
        "sbg.txt": "-SE\nall: 200+10/50\nNOW all\n+09:00 all\n",
        "list.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        "remote.m3u8": "#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/x\n#EXT-X-ENDLIST\n",
        "concat.wav": "ffconcat version 1.0\nfile /etc/passwd\n",
        "dash.mpd": '<?xml version="1.0"?><MPD type="static"><Period><BaseURL>file:///etc/passwd</BaseURL></Period></MPD>',
        "session.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 9 RTP/AVP 0\n",
        "meta.txt": ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1\nSTART=0\nEND=10\n",
        "words.srt": "1\n00:00:00,000 --> 00:00:10,000\nhello\n\n",
        "words.ass": "[Script Info]\nTitle: x\n[Events]\nDialogue: 0,0:00:00.00,0:00:10.00,Default,hello\n",
        "picture.svg": '<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        "page.html": "<html><script>alert(1)</script></html>",
        "mlv.mlv": "MLVI4\0\0\0v2.0" + "\0" * 120,
    }.items():
        yield Hostile(name, text.encode())


def box(kind: bytes, *parts: bytes) -> bytes:
    """A box of the MP4 family."""
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + kind + body


def deep(depth: int) -> bytes:
    """Boxes in boxes."""
    inner = b""
    for _ in range(depth):
        inner = box(b"moov", inner)
    return box(b"ftyp", b"qt  " + bytes(8)) + inner


def quicktime(samples: int, title: bytes = b"", kind: bytes = b"alaw") -> bytes:
    """A second of sound whose index promises so many samples; `kind` names its codec."""
    ftyp, data = box(b"ftyp", b"qt  \0\0\2\0qt  "), box(b"mdat", bytes(16_000))
    unity = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    header = struct.pack(">IIIIIIH", 0, 0, 0, 16_000, 16_000, 0x10000, 0x100) + bytes(10) + unity + bytes(24)
    track = struct.pack(">IIIIII", 7, 0, 0, 1, 0, 16_000) + bytes(16) + unity + bytes(8)
    entry = box(kind, bytes(6), struct.pack(">HHHIHHHHI", 1, 0, 0, 0, 1, 16, 0, 0, 16_000 << 16))
    table = box(
        b"stbl",
        box(b"stsd", struct.pack(">II", 0, 1), entry),
        box(b"stts", struct.pack(">IIII", 0, 1, samples, 1 if samples == 16_000 else 2)),
        box(b"stsc", struct.pack(">IIIII", 0, 1, 1, samples, 1)),
        box(b"stsz", struct.pack(">III", 0, 1, samples)),
        box(b"stco", struct.pack(">III", 0, 1, len(ftyp) + 8)),
    )
    reference = box(b"dinf", box(b"dref", struct.pack(">II", 0, 1), box(b"url ", struct.pack(">I", 1))))
    media = box(
        b"mdia",
        box(b"mdhd", struct.pack(">IIIIIHH", 0, 0, 0, 16_000, 16_000, 0x55C4, 0)),
        box(b"hdlr", bytes(4) + b"mhlrsoun" + bytes(13)),
        box(b"minf", box(b"smhd", bytes(8)), reference, table),
    )
    named = box(b"udta", box(b"\xa9nam", struct.pack(">HH", len(title), 0x15C7) + title)) if title else b""
    moov = box(b"moov", box(b"mvhd", header + struct.pack(">I", 2)), box(b"trak", box(b"tkhd", track), media), named)
    return ftyp + data + moov


def matroska(rate: int, channels: int, packets: list[tuple[int, bytes]], milliseconds: float) -> bytes:
    """PCM of 8 bits, whatever it says of itself."""

    def element(name: str, body: bytes) -> bytes:
        return bytes.fromhex(name) + ((1 << 56) | len(body)).to_bytes(8) + body

    def number(name: str, value: int) -> bytes:
        return element(name, value.to_bytes(8))

    def real(name: str, value: float) -> bytes:
        return element(name, struct.pack(">d", value))

    head = number("4286", 1) + number("42F7", 1) + number("42F2", 4) + number("42F3", 8) + element("4282", b"matroska")
    info = number("2AD7B1", 1_000_000) + real("4489", milliseconds) + element("4D80", b"x") + element("5741", b"x")
    sound = element("E1", real("B5", float(rate)) + number("9F", channels) + number("6264", 8))
    track = number("D7", 1) + number("73C5", 1) + number("83", 2) + element("86", b"A_PCM/INT/LIT") + sound
    clusters = b"".join(
        element("1F43B675", number("E7", at) + element("A3", b"\x81\0\0\x80" + body)) for at, body in packets
    )
    inside = element("1549A966", info) + element("1654AE6B", element("AE", track)) + clusters
    return element("1A45DFA3", head + number("4287", 4) + number("4285", 2)) + element("18538067", inside)
