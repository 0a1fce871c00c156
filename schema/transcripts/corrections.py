"""The changes of a correction, for the client that made it and for those that look on."""

from collections.abc import Collection, Sequence

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from db import models, transcripts
from db.transcripts import differences, revisions, segment_id, speaker_id
from schema.base.speakers import SpeakerView, speaker_view
from schema.transcripts.segments import SegmentView, views


class CorrectionView(msgspec.Struct, frozen=True):
    """A revision at run time: what it changed, as that is now, and the ids of what it took away."""

    transcript: models.Transcript
    revision: models.Revision
    segments: Sequence[SegmentView]
    speakers: Sequence[SpeakerView]
    removed_ids: Sequence[str]


async def read(
    session: AsyncSession, owner_id: str, wanted: Collection[tuple[str, int]]
) -> dict[tuple[str, int], CorrectionView]:
    """Return these revisions, by transcript and number; by seven statements, however many there are."""
    ids = list(dict.fromkeys(id_ for id_, _ in wanted))
    rows = await transcripts.many(session, owner_id, ids)
    written = await revisions.many(session, owner_id, wanted)
    changed = await differences.changes(session, owner_id, wanted)
    people = {id_: [speaker_view(row) for row in of_one] for id_, of_one in
              (await transcripts.speakers(session, owner_id, ids)).items()}  # fmt: skip
    return {
        (id_, number): CorrectionView(
            rows[id_],
            revision,
            views(changed[id_, number].segments, people[id_]),
            [speaker_view(row) for row in changed[id_, number].speakers],
            [
                *(segment_id(id_, key) for key in changed[id_, number].removed_keys),
                *(speaker_id(id_, position) for position in changed[id_, number].removed_positions),
            ],
        )
        for (id_, number), revision in written.items()
        if id_ in rows
    }
