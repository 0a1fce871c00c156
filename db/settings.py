"""The settings of the stores: data folder, database, files."""

from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

SETTINGS = SettingsConfigDict(
    env_prefix="GRAPHOPHONE_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
)


class StoreSettings(BaseSettings):
    """The data folder, the database and the file store."""

    model_config = SETTINGS

    home: Path = Field(default=Path("data"), description="The data folder: database, files, models, token.")
    database_url: str = Field(
        default="", description="`postgresql://…` or `sqlite:///…`; empty: SQLite in the data folder."
    )
    storage_url: str = Field(
        default="", description="`s3://bucket/prefix`, `gs://…`, `az://…`; empty: a folder in the data folder."
    )

    @field_validator("database_url")
    @classmethod
    def _is_one_of_ours(cls, url: str) -> str:
        """Refuse all but the two databases that we speak to."""
        if url and url.partition("://")[0].partition("+")[0] not in {"postgres", "postgresql", "sqlite"}:
            raise ValueError("it begins with postgresql:// or sqlite:///")
        return url

    @property
    def resolved_database_url(self) -> str:
        """Return the database's address, with the asyncio driver that we use."""
        if not self.database_url:
            return f"sqlite+aiosqlite:///{(self.home / 'graphophone.db').absolute()}"
        scheme, _, rest = self.database_url.partition("://")
        drivers = {"postgres": "postgresql+asyncpg", "postgresql": "postgresql+asyncpg", "sqlite": "sqlite+aiosqlite"}
        return f"{drivers.get(scheme, scheme)}://{rest}"


def make_private(folder: Path) -> None:
    """Make a data folder that only its owner can enter, or make it so. Raises OSError when it is somebody else's."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_mode & 0o077:
        try:
            folder.chmod(0o700)
        except OSError as error:
            message = "others can read it, and it is not ours to change: chmod 700, or set GRAPHOPHONE_HOME to another"
            raise OSError(error.errno, message, str(folder)) from None
