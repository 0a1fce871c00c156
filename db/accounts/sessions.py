"""Sign-ins of browsers. The row is the truth, the cookie only names it: so a session can be ended from anywhere."""

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db.accounts.accounts import find
from db.accounts.tables import BrowserSession
from db.domain.clock import now
from db.domain.ids import new_id


async def begin(
    session: AsyncSession, owner_id: str, *, issuer: str, provider_sid: str | None, lifetime_ms: int
) -> BrowserSession:
    """Begin a session, and forget those whose time is over."""
    at = now()
    await session.execute(delete(BrowserSession).where(col(BrowserSession.expires_at) <= at))
    begun = BrowserSession(
        id=new_id("ses"),
        owner_id=owner_id,
        issuer=issuer,
        provider_sid=provider_sid,
        created_at=at,
        expires_at=at + lifetime_ms,
    )
    session.add(begun)
    await session.flush()
    return begun


async def end(session: AsyncSession, session_id: str) -> None:
    """End one session."""
    await session.execute(delete(BrowserSession).where(col(BrowserSession.id) == session_id))


async def end_at_provider(session: AsyncSession, *, issuer: str, sid: str | None, subject: str | None) -> int:
    """End the sessions that a provider says are over: that of a `sid`, or all of a subject. Returns how many."""
    statement = delete(BrowserSession).where(col(BrowserSession.issuer) == issuer)
    if sid is not None:
        statement = statement.where(col(BrowserSession.provider_sid) == sid)
    if subject is not None:
        account = await find(session, issuer, subject)
        statement = statement.where(col(BrowserSession.owner_id) == (account.id if account else ""))
    return len((await session.execute(statement.returning(col(BrowserSession.id)))).all())
