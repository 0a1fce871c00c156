"""Indexes that several tables have alike."""

from sqlalchemy import Index, text


def claim_indexes(table: str) -> tuple[Index, Index]:
    """Return the indexes that keep claims and sweeps quick, however many rows have ended."""
    waiting, running = text("state = 'QUEUED'"), text("state = 'RUNNING'")
    best_first = ("owner_id", text("rescued DESC"), text("priority DESC"), "created_at", "id")
    return (
        Index(f"{table}_waiting", *best_first, sqlite_where=waiting, postgresql_where=waiting),
        Index(f"{table}_running", "owner_id", "lease_until", sqlite_where=running, postgresql_where=running),
    )


def expiry_index(table: str) -> Index:
    """Return the index that finds the rows whose files are kept for a time only."""
    kept = text("blob_key IS NOT NULL")
    return Index(f"{table}_expiry", "expires_at", sqlite_where=kept, postgresql_where=kept)
