"""The audio track and the channels that a job is to take, held against the recording."""

from db.domain.errors import InvalidInput
from db.domain.tracks import MOST_SEPARATE, ChannelMode, missing
from db.domain.values import Options
from db.models import Media

MOST = 1000  # no recording has so many tracks; which there are is told where they are known
MOST_HOURS = 60  # of all channels together


def check(options: Options, media: Media) -> None:
    """Raise InvalidInput for a track that is not there, and for channels that cannot be separate.

    Of a recording whose tracks are not known, the worker tells it.
    """
    if options.track is not None and media.tracks and options.track >= len(media.tracks):
        raise InvalidInput("input.track", missing(options.track, media.tracks))
    if options.channels is not ChannelMode.SEPARATE:
        return
    channels = media.channels if options.track is None or not media.tracks else media.tracks[options.track].channels
    if not 2 <= channels <= MOST_SEPARATE:
        message = f"Between 2 and {MOST_SEPARATE} channels can be separate; this recording has {channels}."
        raise InvalidInput("input.channels", message)
    if channels * media.duration_ms > MOST_HOURS * 3_600_000:
        raise InvalidInput("input.channels", f"All channels together may last {MOST_HOURS} hours; cut it into parts.")
