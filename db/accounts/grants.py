"""The rows of the token endpoint: clients, the tokens that they were given, and devices that wait to be let in.

Authlib's server is synchronous, so these functions are too; they run within `AsyncSession.run_sync`. Of every secret a
SHA-256 is stored. Times are epoch milliseconds.
"""

from collections.abc import Sequence

from sqlalchemy import BigInteger, delete, or_, select, update
from sqlalchemy.orm import Session
from sqlmodel import Field, col

from db.accounts.secrets import hash_of
from db.domain.clock import now
from db.domain.ids import new_id
from db.store.base import Row
from db.store.columns import Json

_OWNER = "owner.id"


class Client(Row, table=True):
    """A program with credentials of its own; it acts for the account that owns it."""

    __tablename__ = "oauth_client"

    id: str = Field(primary_key=True)
    owner_id: str = Field(foreign_key=_OWNER)
    name: str
    secret_hash: str
    scopes: list[str] = Field(sa_type=Json(list[str]))
    created_at: int = Field(sa_type=BigInteger)


class Grant(Row, table=True):
    """An access token, and the refresh token that came with it. All that follow from one sign-in are a family."""

    __tablename__ = "oauth_grant"

    id: str = Field(primary_key=True)
    owner_id: str = Field(foreign_key=_OWNER, index=True)
    client_id: str
    family: str = Field(index=True)
    access_hash: str = Field(unique=True)
    refresh_hash: str | None = Field(default=None, unique=True)
    scopes: list[str] = Field(sa_type=Json(list[str]))
    created_at: int = Field(sa_type=BigInteger)
    access_until: int = Field(sa_type=BigInteger)
    refresh_until: int = Field(default=0, sa_type=BigInteger, index=True)
    rotated_at: int | None = Field(default=None, sa_type=BigInteger)
    revoked_at: int | None = Field(default=None, sa_type=BigInteger)


class Device(Row, table=True):
    """A device that shows a code, until a person has entered it. `approved` is empty until then."""

    __tablename__ = "oauth_device"

    device_hash: str = Field(primary_key=True)
    user_code: str = Field(unique=True)
    client_id: str
    scopes: list[str] = Field(sa_type=Json(list[str]))
    expires_at: int = Field(sa_type=BigInteger, index=True)
    interval_ms: int
    polled_at: int = Field(default=0, sa_type=BigInteger)
    owner_id: str | None = Field(default=None, foreign_key=_OWNER)
    approved: bool | None = None


def add_grant(
    session: Session, *, owner_id: str, client_id: str, family: str | None, secrets: tuple[str, str | None],
    scopes: Sequence[str], access_ms: int, refresh_ms: int,
) -> None:  # fmt: skip
    """Keep a token that was given out, and forget those of this account that can no longer be used."""
    at = now()
    over = (col(Grant.access_until) < at, col(Grant.refresh_until) < at)
    session.execute(delete(Grant).where(col(Grant.owner_id) == owner_id, *over))
    access, refresh = secrets
    session.add(
        Grant(
            id=new_id("oat"),
            owner_id=owner_id,
            client_id=client_id,
            family=family or new_id("fam"),
            access_hash=hash_of(access),
            refresh_hash=None if refresh is None else hash_of(refresh),
            scopes=list(scopes),
            created_at=at,
            access_until=at + access_ms,
            refresh_until=at + refresh_ms if refresh else 0,
        )
    )
    session.flush()


def take_refresh(session: Session, refresh: str) -> Grant | None:
    """Return the grant of a refresh token, which works once. Used again, it revokes the whole family: one of the two
    who had it has stolen it.
    """
    grant = session.scalar(select(Grant).where(col(Grant.refresh_hash) == hash_of(refresh)))
    if grant is None or grant.revoked_at is not None or grant.refresh_until <= now():
        return None
    first = (col(Grant.id) == grant.id, col(Grant.rotated_at).is_(None), col(Grant.revoked_at).is_(None))
    taken = update(Grant).where(*first).values(rotated_at=now()).returning(col(Grant.id))
    if session.execute(taken).first() is None:
        revoke_family(session, grant.family)
        return None
    return grant


def revoke_family(session: Session, family: str) -> None:
    """Make all tokens of a sign-in void."""
    session.execute(update(Grant).where(col(Grant.family) == family).values(revoked_at=now()))


def find_grant(session: Session, token: str) -> Grant | None:
    """Return the grant of an access or a refresh token."""
    hashed = hash_of(token)
    either = or_(col(Grant.access_hash) == hashed, col(Grant.refresh_hash) == hashed)
    return session.scalar(select(Grant).where(either))


def add_device(session: Session, *, code: str, user_code: str, client_id: str, scopes: Sequence[str], ms: int) -> None:
    """Keep a device that waits, and forget those whose time is over."""
    session.execute(delete(Device).where(col(Device.expires_at) < now()))
    session.add(
        Device(
            device_hash=hash_of(code),
            user_code=user_code,
            client_id=client_id,
            scopes=list(scopes),
            expires_at=now() + ms,
            interval_ms=5000,
        )
    )
    session.flush()


def find_device(session: Session, code: str) -> Device | None:
    """Return the device of a device code."""
    return session.get(Device, hash_of(code), with_for_update=True)


def polls_too_often(device: Device) -> bool:
    """Note that a device asks again, and tell whether it should have waited; then it has to wait longer (RFC 8628)."""
    at = now()
    soon = at - device.polled_at < device.interval_ms
    device.polled_at, device.interval_ms = at, device.interval_ms + 5000 * soon
    return soon


def take_decision(session: Session, user_code: str) -> tuple[str, bool] | None:
    """Return who has decided about a device, and how; a decision is taken once. None while there is none."""
    device = session.scalar(select(Device).where(col(Device.user_code) == user_code))
    if device is None or device.approved is None or device.owner_id is None:
        return None
    session.delete(device)
    session.flush()
    return device.owner_id, device.approved


def decide(session: Session, user_code: str, owner_id: str, *, approved: bool) -> bool:
    """Let a device in, or not, in the name of an account; False when no device shows this code any more."""
    waiting = (col(Device.user_code) == user_code, col(Device.approved).is_(None), col(Device.expires_at) > now())
    decided = update(Device).where(*waiting).values(approved=approved, owner_id=owner_id)
    return session.execute(decided.returning(col(Device.device_hash))).first() is not None
