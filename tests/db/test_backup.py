"""Backups: whole, restored into either kind of database, refused where they would harm."""

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from db import transcripts
from db.backup import archive
from db.backup.rows import CannotCopy, move
from db.domain.terms import parse
from db.domain.values import WorkerFacts
from db.migrate import config
from db.models import Media
from db.queue import workers
from db.settings import StoreSettings
from db.store.blobs import Blobs
from db.store.session import Database
from db.transcripts import search
from tests.factories import queued, recording, running, sentence
from tests.fixtures.databases import Postgres

HEAD = ScriptDirectory.from_config(config()).get_current_head()
CONTENT = {"media/med_0": b"RIFF" * 1000, "exports/exp_1/a b.srt": "ü".encode(), "empty": b""}


@pytest.fixture
def other_url(database_url: str, postgres: Postgres, tmp_path: Path) -> Iterator[str]:
    """An empty database of the other kind."""
    if database_url.startswith("postgres"):
        yield f"sqlite+aiosqlite:///{tmp_path / 'other.db'}"
    else:
        name = postgres.create()
        yield postgres.url(name)
        postgres.drop(name)


def store_in(folder: Path) -> Blobs:
    folder.mkdir()
    return Blobs(StoreSettings(home=folder))


async def filled(database: Database, folder: Path) -> Blobs:
    blobs = store_in(folder)
    (folder / "token").write_text("secret")
    for key, body in CONTENT.items():
        await blobs.put(key, body)
    known = await recording(database, "usr_b")
    async with database.write() as session:
        session.add_all(Media(**known.model_dump(exclude={"id"}), id=f"med_more_{number}") for number in range(600))
    _, lease = await running(database, tags=["ä", "b"], metadata={"n": 1.5, "deep": [None, True]})
    async with database.write() as session:
        await transcripts.append(session, lease, [sentence("00000000", 0, "Grüß", "Gott,", "London")], windows=1)
    await queued(database, "usr_b")
    return blobs


def rows(file: Path) -> dict[str, list[str]]:
    with zipfile.ZipFile(file) as opened:
        names = [name for name in opened.namelist() if name.startswith("rows/")]
        return {name: sorted(opened.read(name).decode().splitlines()) for name in names}


async def contents(blobs: Blobs) -> dict[str, bytes]:
    return {key: b"".join([chunk async for chunk in blobs.read(key)]) async for key, _ in blobs.all_files()}


async def test_a_backup_restored_into_the_other_kind_of_database_holds_the_same_rows_files_and_secrets(
    database: Database, database_url: str, other_url: str, tmp_path: Path
) -> None:
    blobs = await filled(database, tmp_path / "old")
    made = await archive.write(tmp_path / "1.zip", database_url, blobs, [tmp_path / "old" / "token"])
    assert (made.files, made.rows["media"]) == (3, 603)
    new = store_in(tmp_path / "new")
    await archive.restore(tmp_path / "1.zip", other_url, new, tmp_path / "new")
    assert await contents(new) == CONTENT
    assert (tmp_path / "new" / "token").read_text() == "secret"
    await archive.write(tmp_path / "2.zip", other_url, new, [])
    assert rows(tmp_path / "2.zip") == rows(tmp_path / "1.zip")
    assert (tmp_path / "1.zip").stat().st_mode & 0o777 == 0o600


async def test_what_was_said_is_found_in_a_restored_transcript(
    database: Database, database_url: str, other_url: str, tmp_path: Path
) -> None:
    await archive.write(tmp_path / "1.zip", database_url, await filled(database, tmp_path / "old"), [])
    await archive.restore(tmp_path / "1.zip", other_url, store_in(tmp_path / "new"), tmp_path / "new")
    restored = Database(other_url)
    try:
        wanted = search.query("usr_a", parse("london"), is_sqlite=other_url.startswith("sqlite"))
        async with restored.read() as session:
            assert [row.text for row in await search.hits(session, wanted, None, 5)] == ["Grüß Gott, London"]
    finally:
        await restored.close()


async def test_a_backup_of_an_older_version_is_upgraded_on_its_way(tmp_path: Path) -> None:
    owner = {"id": "usr_a", "name": None, "email": None, "last_event": 0, "created_at": 1}
    old = archived(tmp_path, {"rows/owner.jsonl": json.dumps(owner) + "\n"}, revision="0001", rows={"owner": 1})
    url = f"sqlite+aiosqlite:///{tmp_path / 'new.db'}"
    await archive.restore(old, url, store_in(tmp_path / "new"), tmp_path / "new")
    restored = Database(url)
    try:
        assert (await recording(restored, "usr_a")).owner_id == "usr_a"
    finally:
        await restored.close()


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def flip(file: Path) -> None:
    body = bytearray(file.read_bytes())
    body[body.index(b"RIFF") + 2] ^= 1
    file.write_bytes(body)


@pytest.mark.parametrize("damage", [cut, flip])
async def test_a_damaged_backup_is_refused_before_anything_is_written(
    sqlite_url: str, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    database = Database(sqlite_url)
    try:
        await archive.write(tmp_path / "1.zip", sqlite_url, await filled(database, tmp_path / "old"), [])
    finally:
        await database.close()
    damage(tmp_path / "1.zip")
    new, url = store_in(tmp_path / "new"), f"sqlite+aiosqlite:///{tmp_path / 'new' / 'graphophone.db'}"
    with pytest.raises(CannotCopy):
        await archive.restore(tmp_path / "1.zip", url, new, tmp_path / "new")
    assert await contents(new) == {}
    assert not (tmp_path / "new" / "graphophone.db").exists()


@pytest.mark.parametrize(
    ("members", "facts"),
    [
        ({"rows/owner.jsonl": ""}, {"rows": {"owner": 1}}),
        ({"rows/nothing.jsonl": "{}\n"}, {"rows": {"nothing": 1}}),
        ({"files/../../token": "x"}, {}),
        ({}, {"format": 2}),
        ({}, {"rows": 1}),
    ],
    ids=["a row is missing", "no such table", "a file outside", "a newer format", "no manifest of ours"],
)
async def test_an_archive_that_is_no_backup_of_ours_is_refused(
    sqlite_url: str, tmp_path: Path, members: dict[str, str], facts: dict[str, object]
) -> None:
    wrong = archived(tmp_path, members, **{"revision": HEAD, **facts})
    with pytest.raises(CannotCopy):
        await archive.restore(wrong, sqlite_url, store_in(tmp_path / "new"), tmp_path / "new")


async def test_what_is_there_is_not_written_over(database: Database, database_url: str, tmp_path: Path) -> None:
    blobs = await filled(database, tmp_path / "old")
    token = tmp_path / "old" / "token"
    await archive.write(tmp_path / "1.zip", database_url, blobs, [token])
    with pytest.raises(CannotCopy, match="new file"):
        await archive.write(tmp_path / "1.zip", database_url, blobs, [])
    with pytest.raises(CannotCopy, match="rows already"):
        await archive.restore(tmp_path / "1.zip", database_url, store_in(tmp_path / "new"), tmp_path / "new")
    with pytest.raises(CannotCopy, match="new folder"):
        await archive.restore(tmp_path / "1.zip", database_url, blobs, token.parent)


async def test_a_database_moves_into_the_other_kind_once_its_workers_are_down(
    database: Database, database_url: str, other_url: str, tmp_path: Path
) -> None:
    blobs = await filled(database, tmp_path / "old")
    async with database.write() as session:
        await workers.beat(session, "w1", "io", WorkerFacts())
    with pytest.raises(CannotCopy, match="worker"):
        await move(database_url, other_url)
    async with database.write() as session:
        await workers.gone(session, "w1")
    assert await move(database_url, other_url) > 602
    for number, url in enumerate((database_url, other_url)):
        await archive.write(tmp_path / f"{number}.zip", url, blobs, [])
    assert rows(tmp_path / "0.zip") == rows(tmp_path / "1.zip")


def archived(folder: Path, members: dict[str, str], **facts: object) -> Path:
    with zipfile.ZipFile(folder / "made.zip", "w") as made:
        for name, body in members.items():
            made.writestr(name, body)
        manifest = {"format": 1, "revision": "", "made_at": 1, "rows": {}, "files": 0} | facts
        made.writestr("backup.json", json.dumps(manifest))
    return folder / "made.zip"
