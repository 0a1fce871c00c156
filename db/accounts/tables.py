"""The tables of accounts and of what they sign in with. An account is an owner who can be recognised."""

import msgspec
from sqlalchemy import BigInteger, Index, UniqueConstraint
from sqlmodel import Field

from db.accounts.scopes import Role
from db.store.base import Row
from db.store.columns import Json, choice

_OWNER = "owner.id"


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """The amounts that an account may use; None stands for the server's default."""

    points_per_minute: int | None = None
    queued_jobs: int | None = None
    audio_seconds_per_month: float | None = None


class Account(Row, table=True):
    """Somebody who may sign in. The id is the owner's; `issuer` and `subject` are the provider's name for them."""

    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    id: str = Field(primary_key=True, foreign_key=_OWNER, ondelete="CASCADE")
    issuer: str | None = None
    subject: str | None = None
    role: Role = Field(default=Role.MEMBER, sa_type=choice(Role))
    groups: list[str] = Field(default_factory=list, sa_type=Json(list[str]))
    quota: Quota = Field(default=Quota(), sa_type=Json(Quota))
    created_at: int = Field(sa_type=BigInteger)
    last_sign_in_at: int | None = Field(default=None, sa_type=BigInteger)
    disabled_at: int | None = Field(default=None, sa_type=BigInteger)


class AccessToken(Row, table=True):
    """A personal token: the secret was shown once, its SHA-256 is kept."""

    __tablename__ = "access_token"
    __table_args__ = (Index("access_token_by_age", "owner_id", "created_at", "id"),)

    id: str = Field(primary_key=True)
    owner_id: str = Field(foreign_key=_OWNER)
    name: str
    prefix: str
    secret_hash: str = Field(unique=True)
    scopes: list[str] = Field(sa_type=Json(list[str]))
    created_at: int = Field(sa_type=BigInteger)
    expires_at: int | None = Field(default=None, sa_type=BigInteger)
    last_used_at: int | None = Field(default=None, sa_type=BigInteger)


class BrowserSession(Row, table=True):
    """A sign-in of a browser. `provider_sid` is the provider's own name for its session, which it may end."""

    __tablename__ = "browser_session"
    __table_args__ = (Index("browser_session_by_sid", "issuer", "provider_sid"),)

    id: str = Field(primary_key=True)
    owner_id: str = Field(foreign_key=_OWNER, index=True)
    issuer: str
    provider_sid: str | None = None
    created_at: int = Field(sa_type=BigInteger)
    expires_at: int = Field(sa_type=BigInteger, index=True)
