"""Reads what was recorded, and says what must not be there."""

from collections import Counter
from collections.abc import Collection, Iterator
from itertools import pairwise

from sqlalchemy import select
from sqlmodel import col

from db import events, jobs, transcripts
from db.domain.states import TERMINAL, Transition
from db.domain.values import JobState, Stage, StageState
from db.events import Recorded, StageReported, StateChanged
from db.models import Job, Owner
from db.store.session import Database

ALLOWED = {(before, move.target) for move in Transition for before in move.sources} | {(None, JobState.QUEUED)}
ONCE = (Stage.TRANSCRIBE, Stage.ALIGN, Stage.DIARIZE, Stage.PERSIST)
"""Stages whose result is kept. DECODE leaves its samples on the disk of one worker, and is done again by another."""


class History:
    """All that is known of some jobs at the end."""

    def __init__(self, rows: dict[str, Job], told: dict[str, list[Recorded]], gaps: list[str]) -> None:
        self.rows, self.told, self.gaps = rows, told, gaps
        self.texts: dict[str, list[str]] = {}
        self.stolen: Counter[str] = Counter()  # from frozen workers, whose engines went on and told nobody

    def breaches(self, accepted: Collection[str], chunks: dict[str, int], calls: Counter[str]) -> Iterator[str]:
        """Everything that is not as promised: `chunks` are the sentences in each job's recording, `calls` how often the
        engine was asked for one.
        """
        yield from self.gaps
        for id_ in accepted:
            row = self.rows.get(id_)
            if row is None:
                yield f"{id_} is lost"
                continue
            if row.state not in TERMINAL:
                yield f"{id_} is stuck: {row.state} attempt {row.attempt} worker {row.worker}"
                continue
            yield from self._of_one(row)
            if row.state is JobState.SUCCEEDED:
                expected = [f"sentence number {3 * number + 1}." for number in range(chunks[id_])]
                found = [text.rpartition(", this is ")[2] for text in self.texts[id_]]
                if found != expected:
                    yield f"{id_}: the transcript holds {found}"
                interrupted = sum(after is JobState.QUEUED for _, after in self.moves(id_)) - 1
                if calls[id_] > chunks[id_] * (1 + self.stolen[id_]) + 8 * interrupted:
                    yield f"{id_}: {calls[id_]} of {chunks[id_]} chunks, more than a window for each of {interrupted}"
            elif row.state is JobState.FAILED and row.crashes < 3:
                yield f"{id_} failed: {[(problem.code, problem.message) for problem in row.problems]}"

    def moves(self, id_: str) -> list[tuple[JobState | None, JobState]]:
        """A job's moves, in order."""
        bodies = (event.body for event in self.told[id_])
        return [(body.before, body.after) for body in bodies if isinstance(body, StateChanged)]

    def _of_one(self, row: Job) -> Iterator[str]:
        yield from self._of_moves(row)
        yield from self._of_stages(row)

    def _of_moves(self, row: Job) -> Iterator[str]:
        moves = self.moves(row.id)
        if not moves or moves[0][0] is not None or moves[-1][1] is not row.state:
            yield f"{row.id}: its events do not lead from nothing to {row.state}"
        for move in moves:
            if move not in ALLOWED:
                yield f"{row.id}: {move} is not allowed"
        for (_, after), (before, _) in pairwise(moves):
            if before is not after:
                yield f"{row.id}: left {before} after it came to {after}"

    def _of_stages(self, row: Job) -> Iterator[str]:
        done: Counter[Stage] = Counter()
        held, started = False, set[Stage]()
        for event in self.told[row.id]:
            match event.body:
                case StateChanged(_, after):
                    held, started = after is JobState.RUNNING, set()
                case StageReported(report) if report.state is StageState.RUNNING:
                    if report.stage in started:
                        yield f"{row.id}: {report.stage} began twice under one lease"
                    started.add(report.stage)
                case StageReported(report) if report.state is StageState.DONE:
                    done[report.stage] += 1
            if not held and not isinstance(event.body, StateChanged):
                yield f"{row.id}: event {event.seq} was written while nobody held it"
        yield from (f"{row.id}: {stage} was done {done[stage]} times" for stage in ONCE if done[stage] > 1)


async def read(database: Database, owners: Collection[str], accepted: dict[str, str]) -> History:
    """The history of these jobs (id to owner)."""
    rows: dict[str, Job] = {}
    told: dict[str, list[Recorded]] = {id_: [] for id_ in accepted}
    gaps: list[str] = []
    async with database.read() as session:
        for owner in owners:
            rows |= await jobs.many(session, owner, [id_ for id_, whose in accepted.items() if whose == owner])
            last = (await session.execute(select(col(Owner.last_event)).where(col(Owner.id) == owner))).scalar_one()
            seen = 0
            while batch := await events.after(session, owner, seen):
                for event in batch:
                    if event.seq != seen + 1:
                        gaps.append(f"{owner}: event {event.seq} follows {seen}")
                    seen = event.seq
                    told.setdefault(event.job_id, []).append(event)
            if seen != last:
                gaps.append(f"{owner}: {last} events were numbered, {seen} are there")
        history = History(rows, told, gaps)
        for id_, row in rows.items():
            segments = await transcripts.segment_rows(session, row.owner_id, transcripts.transcript_id(id_))
            history.texts[id_] = _sentences([segment.text for segment in segments])
    return history


def _sentences(texts: list[str]) -> list[str]:
    """Sentences that diarization split, whole again."""
    whole: list[str] = []
    for text in texts:
        if text.startswith("Hello") or not whole:
            whole.append(text)
        else:
            whole[-1] += " " + text
    return whole
