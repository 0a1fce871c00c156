"""The tables of webhooks: who is told of what, what was told, and the secrets that sign it."""

from sqlalchemy import BigInteger, ColumnElement, Index, Text, and_, exists, func, or_, select
from sqlalchemy.orm import aliased
from sqlmodel import Field, col

from db.domain.values import JobState
from db.domain.webhooks import WebhookEvent, WebhookState
from db.models import Leased
from db.queue.leases import is_in
from db.store.base import Row
from db.store.clock import db_now
from db.store.columns import Json, choice
from db.store.indexes import claim_indexes

AT_ONCE = 4
"""Deliveries to one destination at the same time: a slow receiver holds up no more."""

_OWNER = "owner.id"


class WebhookEndpoint(Row, table=True):
    """A receiver. `failing_since`: the first failure after the last success; `silent_until`: it asked for patience."""

    __tablename__ = "webhook_endpoint"

    id: str = Field(primary_key=True)
    owner_id: str = Field(foreign_key=_OWNER, index=True)
    url: str
    events: list[WebhookEvent] = Field(sa_type=Json(list[WebhookEvent]))
    state: WebhookState = Field(default=WebhookState.ENABLED, sa_type=choice(WebhookState))
    reason: str | None = None  # why it is not enabled
    failing_since: int | None = Field(default=None, sa_type=BigInteger)
    silent_until: int = Field(default=0, sa_type=BigInteger)  # by the database's clock
    closed_at: int | None = Field(default=None, sa_type=BigInteger)  # since when it is not enabled
    created_at: int = Field(sa_type=BigInteger)


class WebhookSecret(Row, table=True):
    """The secret of an endpoint, or, under the owner's id, of jobs' own addresses; sealed. The one before it signs,
    too, until `former_until`.
    """

    __tablename__ = "webhook_secret"

    holder_id: str = Field(primary_key=True)
    owner_id: str = Field(foreign_key=_OWNER)
    sealed: str
    former: str | None = None
    former_until: int | None = Field(default=None, sa_type=BigInteger)


class WebhookDelivery(Leased, table=True):
    """A message to a receiver, sent by the io worker: to an endpoint, or to `url`, a job's own address.

    Messages about one `subject` (a job) go to one destination in order of `number`; `body` is sent byte for byte.
    `attempt` counts tries.
    """

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        *claim_indexes("webhook_delivery"),
        Index("webhook_delivery_line", "destination", "subject", "number"),
        Index("webhook_delivery_by_age", "owner_id", "endpoint_id", "created_at", "id"),
        Index("webhook_delivery_by_subject", "owner_id", "subject", "created_at", "id"),
        Index("webhook_delivery_by_end", "finished_at"),
    )

    endpoint_id: str | None = Field(default=None, foreign_key="webhook_endpoint.id", ondelete="CASCADE")
    url: str | None = None
    destination: str  # the endpoint's id, or the origin of a job's own address
    subject: str
    number: int = Field(default=0, sa_type=BigInteger)
    event: WebhookEvent = Field(sa_type=choice(WebhookEvent))
    body: str = Field(sa_type=Text)
    last_status: int | None = None
    last_error: str | None = None
    last_answer: str | None = Field(default=None, sa_type=Text)  # its beginning
    finished_at: int | None = Field(default=None, sa_type=BigInteger)

    @classmethod
    def may_run(cls) -> ColumnElement[bool]:
        """Return the condition that nothing goes before it, and that its destination is neither busy nor silent."""
        earlier, sending = aliased(WebhookDelivery), aliased(WebhookDelivery)
        unfinished = or_(is_in(earlier, JobState.QUEUED), is_in(earlier, JobState.RUNNING))
        before = exists().where(
            col(earlier.destination) == col(cls.destination),
            col(earlier.subject) == col(cls.subject),
            col(earlier.number) < col(cls.number),
            unfinished,
        )
        busy = (
            select(col(sending.destination))
            .where(is_in(sending, JobState.RUNNING))
            .group_by(col(sending.destination))
            .having(func.count() >= AT_ONCE)
        )
        silent = select(col(WebhookEndpoint.id)).where(col(WebhookEndpoint.silent_until) > db_now())
        away = (col(cls.destination).not_in(busy), col(cls.destination).not_in(silent))
        return and_(*away, ~before)
