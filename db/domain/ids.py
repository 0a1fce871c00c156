"""Opaque global ids: a prefix that names the noun, and a ULID, which sorts by time."""

from ulid import ULID


def new_id(prefix: str) -> str:
    """Return a fresh id such as `job_01kag…`; later ones sort after earlier ones, to the millisecond."""
    return f"{prefix}_{str(ULID()).lower()}"


def child_id(prefix: str, parent: str, key: str | int) -> str:
    """Return the id of something that only exists within its parent, such as a segment of a transcript."""
    return f"{prefix}_{parent.partition('_')[2]}_{key}"


def split_child_id(id_: str, prefix: str, parent_prefix: str) -> tuple[str, str] | None:
    """Return the parent's id and the key, or None when this is no such id."""
    head, _, rest = id_.partition("_")
    parent, _, key = rest.partition("_")
    return (f"{parent_prefix}_{parent}", key) if head == prefix and parent and key else None
