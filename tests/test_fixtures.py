"""The parts that the other tests stand on."""

import os
import subprocess
import sys
from pathlib import Path

import redis
from sqlalchemy import text

from db.store.session import Database


async def test_each_test_finds_a_migrated_database_of_its_own(database: Database) -> None:
    async with database.write() as session:
        assert (await session.execute(text("SELECT count(*) FROM job"))).scalar_one() == 0
        await session.execute(text("CREATE TABLE only_here (id INTEGER)"))


async def test_what_the_last_test_made_is_gone(database: Database) -> None:
    async with database.write() as session:
        await session.execute(text("CREATE TABLE only_here (id INTEGER)"))


def test_each_test_finds_an_empty_valkey(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("key", "value")


def test_the_next_one_too(redis_url: str) -> None:
    test_each_test_finds_an_empty_valkey(redis_url)


LEAKY = """
import subprocess, tempfile
pytest_plugins = ["tests.fixtures.leaks"]
def test_leaves_a_process_and_files():
    subprocess.Popen(["sleep", "60"], start_new_session=True)
    tempfile.mkstemp(prefix="forgotten")
    open("left.txt", "w").close()
"""


def test_a_process_or_a_file_that_tests_leave_behind_fails_the_run(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["tests.fixtures.leaks"]')
    (tmp_path / "test_leaky.py").write_text(LEAKY)
    environment = {name: value for name, value in os.environ.items() if name != "GRAPHOPHONE_TEST_RUN"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest"],
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(Path(__file__).parent.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed" in done.stdout
    assert done.returncode == 1
    left = done.stdout.partition("Left behind by the tests:")[2]
    assert "sleep 60" in left
    assert "forgotten" in left
    assert "left.txt" in left
    subprocess.run(["kill", left.partition("process ")[2].partition(":")[0]], check=True)
