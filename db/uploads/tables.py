"""The tables of uploads: what was announced, and the pieces of it that are there."""

from sqlalchemy import BigInteger, Column, Text
from sqlmodel import Field

from db.domain.values import Problem
from db.store.base import Row
from db.store.columns import Json

_OWNER = "owner.id"


class Upload(Row, table=True):
    """Bytes on their way in; `media_id` once they are all there and are a recording, `problem` when they are none.

    `received` counts the bytes that are durable. `fence` counts the requests that were given the right to write: an
    older one changes nothing any more. `concat` is empty for an upload by itself, else as tus says it: `partial`, or
    `final;` and the addresses of the parts.
    """

    id: str = Field(primary_key=True)
    owner_id: str = Field(foreign_key=_OWNER, index=True)
    filename: str
    byte_size: int = Field(sa_type=BigInteger)  # of a deferred one 0 until it is told
    sha256: str | None = None
    received: int = Field(default=0, sa_type=BigInteger)
    media_id: str | None = Field(default=None, foreign_key="media.id", ondelete="SET NULL")
    created_at: int = Field(sa_type=BigInteger)
    expires_at: int = Field(sa_type=BigInteger)
    deferred: bool = Field(default=False, sa_column_kwargs={"server_default": "0"})
    concat: str = Field(default="", sa_type=Text, sa_column_kwargs={"server_default": ""})
    client_metadata: str = Field(default="", sa_column=Column("metadata", Text, nullable=False, server_default=""))
    fence: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})
    problem: Problem | None = Field(default=None, sa_type=Json(Problem))

    @property
    def length_known(self) -> bool:
        """True once the client has told how many bytes there are."""
        return not self.deferred or self.byte_size > 0

    @property
    def is_whole(self) -> bool:
        """True if all its bytes are there."""
        return self.length_known and self.received == self.byte_size


class UploadPiece(Row, table=True):
    """A stretch of an upload's bytes that is durable: the first `byte_size` bytes of a file of its own."""

    __tablename__ = "upload_piece"

    upload_id: str = Field(primary_key=True, foreign_key="upload.id", ondelete="CASCADE")
    start: int = Field(primary_key=True, sa_type=BigInteger)
    owner_id: str = Field(foreign_key=_OWNER)
    byte_size: int = Field(sa_type=BigInteger)
    blob_key: str
