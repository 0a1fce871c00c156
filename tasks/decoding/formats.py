"""The containers, codecs and bounds of recordings. Anything else is not even looked at.

FFmpeg reads some 350 formats. Most of them nobody has looked at for years, some are scripts that make sound, and some
name other files; those below are promised (`capabilities.audioFormats`) and tested.
"""

CONTAINERS = {
    "aac": ("aac", "loas"),
    "ac3": ("ac3", "eac3"),
    "aiff": ("aiff",),
    "amr": ("amr",),
    "au": ("au",),
    "avi": ("avi",),
    "caf": ("caf",),
    "flac": ("flac",),
    "flv": ("flv",),
    "m4a": ("mov",),
    "mkv": ("matroska",),
    "mov": ("mov",),
    "mp3": ("mp3",),
    "mp4": ("mov",),
    "mpeg": ("mpeg",),
    "ogg": ("ogg",),
    "opus": ("ogg",),
    "ts": ("mpegts",),
    "w64": ("w64",),
    "wav": ("wav",),
    "webm": ("webm",),
    "wma": ("asf",),
    "wv": ("wv",),
}
"""FFmpeg's demuxers by the names that people know."""

CODECS = (
    *("aac", "aac_latm", "ac3", "adpcm_ima_qt", "adpcm_ima_wav", "adpcm_ms", "adpcm_yamaha", "alac", "amrnb", "amrwb"),
    *("dca", "eac3", "flac", "g722", "g726", "g726le", "gsm", "gsm_ms", "libopus", "libopencore_amrnb"),
    *("libopencore_amrwb", "libspeex", "libvorbis", "mp1", "mp1float", "mp2", "mp2float", "mp3", "mp3float"),
    *("nellymoser", "opus", "pcm_alaw", "pcm_bluray", "pcm_dvd", "pcm_f32be", "pcm_f32le", "pcm_f64be", "pcm_f64le"),
    *("pcm_mulaw", "pcm_s16be", "pcm_s16le", "pcm_s24be", "pcm_s24le", "pcm_s32be", "pcm_s32le", "pcm_s8", "pcm_u8"),
    *("speex", "truespeech", "vorbis", "wavpack", "wmalossless", "wmapro", "wmav1", "wmav2", "wmavoice"),
)
"""FFmpeg's decoders of sound. Pictures are never decoded."""

LOWEST_RATE, HIGHEST_RATE = 4_000, 768_000
"""Samples a second. Below, a small file is a recording of days; above, a resampler asks for gigabytes."""
MOST_CHANNELS = 64
"""The most channels that FFmpeg can mix down."""
LARGEST_PACKET = 64 << 20
"""Bytes. A packet holds a moment of sound; only a file that lies has a longer one."""
