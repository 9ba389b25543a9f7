from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import sys
import uuid
from pathlib import Path

import pytest
import sqlalchemy as sa

from migkit.config import Config
from migkit.database import Database
from migkit.errors import MigrationInvalid, MigrationMismatch
from migkit.migration.loading import load_migration
from migkit.migration.runner import run
from tests.migration.conftest import columns, tables, value

PLAIN_ENV = """
from logging.config import fileConfig
from alembic import context
from sqlalchemy import engine_from_config, pool

if context.config.config_file_name is not None:
    fileConfig(context.config.config_file_name)


def run_migrations_online():
    connectable = engine_from_config(
        context.config.get_section(context.config.config_ini_section), prefix="sqlalchemy.", poolclass=pool.NullPool
    )
    with connectable.connect() as connection:
        context.configure(connection=connection, target_metadata=None)
        with context.begin_transaction():
            context.run_migrations()


run_migrations_online()
"""

OWN_ENGINE_ENV = """
import settings
from alembic import context
from sqlalchemy import create_engine

engine = create_engine(settings.URL)
with engine.begin() as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
"""

ASYNC_ENV = """
import asyncio
from alembic import context
from sqlalchemy import pool
from sqlalchemy.ext.asyncio import async_engine_from_config


def do_run_migrations(connection):
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()


async def run_async_migrations():
    connectable = async_engine_from_config(
        {"sqlalchemy.url": "postgresql+psycopg://nobody@127.0.0.1:1/none"},
        prefix="sqlalchemy.",
        poolclass=pool.NullPool,
    )
    async with connectable.connect() as connection:
        await connection.run_sync(do_run_migrations)
    await connectable.dispose()


asyncio.run(run_async_migrations())
"""

LOGGING = """
[loggers]
keys = root
[handlers]
keys = console
[formatters]
keys = plain
[logger_root]
level = CRITICAL
handlers = console
[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = plain
[formatter_plain]
format = %(message)s
"""

ADD_BIO = '''"""Add users.bio."""
import sqlalchemy as sa
from alembic import op

revision = "b2"
down_revision = "a1"


def upgrade():
    with op.batch_alter_table("users") as batch:
        batch.add_column(sa.Column("bio", sa.String(500)))


def downgrade():
    with op.batch_alter_table("users") as batch:
        batch.drop_column("bio")
'''


def make_project(root: Path, env: str, url: str = "driver://user:pass@localhost/dbname") -> Path:
    versions = root / "migrations" / "versions"
    versions.mkdir(parents=True)
    (root / "migrations" / "env.py").write_text(env)
    (root / "alembic.ini").write_text(
        "[alembic]\nscript_location = migrations\nprepend_sys_path = .\npath_separator = os\n"
        f"sqlalchemy.url = {url}\n{LOGGING}"
    )
    (versions / "a1_first.py").write_text(
        'from alembic import op\nrevision = "a1"\ndown_revision = None\n\n'
        'def upgrade():\n    op.execute("CREATE TABLE first (id integer)")\n\n'
        'def downgrade():\n    op.execute("DROP TABLE first")\n'
    )
    (versions / "b2_bio.py").write_text(ADD_BIO)
    (versions / "c3_pass.py").write_text(
        'revision = "c3"\ndown_revision = "b2"\n\ndef upgrade():\n    print()\n\n'
        'def downgrade():\n    """Nothing."""\n    pass\n'
    )
    (versions / "d4_merge.py").write_text(
        'revision = "d4"\ndown_revision = "c3"\n\ndef upgrade():\n    pass\n\ndef downgrade():\n    pass\n'
    )
    return root / "alembic.ini"


def hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.mark.parametrize("env", [PLAIN_ENV, OWN_ENGINE_ENV, ASYNC_ENV], ids=["plain", "own engine", "async"])
def test_env_is_honoured_and_its_server_never_contacted(either: Database, tmp_path: Path, env: str) -> None:
    ini = make_project(tmp_path, env)
    (tmp_path / "settings.py").write_text('URL = "postgresql+psycopg://nobody@127.0.0.1:1/none"\n')
    before = hashes(tmp_path)
    first, second = (load_migration(f"{ini}:{revision}", config=Config()) for revision in ("a1", "b2"))
    assert run(first, either).succeeded
    up = run(second, either)
    assert up.succeeded, up.error
    assert "bio" in columns(either, "users")
    assert value(either, "SELECT version_num FROM alembic_version") == "b2"
    assert set(up.statements["outcome"]) == {"applied"}
    down = run(second, either, direction="down")
    assert down.succeeded, down.error
    assert "bio" not in columns(either, "users")
    assert value(either, "SELECT version_num FROM alembic_version") == "a1"
    assert hashes(tmp_path) == before
    assert not list(tmp_path.rglob("__pycache__"))
    assert "settings" not in sys.modules


def test_missing_file_of_env_stays_missing(either: Database, tmp_path: Path) -> None:
    ini = make_project(tmp_path, PLAIN_ENV, f"sqlite:///{tmp_path / 'their.db'}")
    assert run(load_migration(f"{ini}:a1", config=Config()), either).succeeded
    assert not (tmp_path / "their.db").exists()
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT 1")) == 1, "engines of others work as before"
    engine.dispose()


def test_within_a_running_event_loop(either: Database, tmp_path: Path) -> None:
    ini = make_project(tmp_path, ASYNC_ENV)

    async def notebook() -> bool:
        migration = load_migration(f"{ini}:a1", config=Config())
        migration.prepare(either)
        return run(migration, either).succeeded

    assert asyncio.run(notebook())


def test_failure_rolls_back_with_bookkeeping(either: Database, tmp_path: Path) -> None:
    ini = make_project(tmp_path, PLAIN_ENV)
    versions = tmp_path / "migrations" / "versions"
    (versions / "a1_first.py").write_text(
        'from alembic import op\nrevision = "a1"\ndown_revision = None\n\n'
        'def upgrade():\n    op.execute("CREATE TABLE first (id integer)")\n    op.execute("DELETE FROM nowhere")\n'
    )
    result = run(load_migration(f"{ini}:a1", config=Config()), either, journal=False)
    assert not result.succeeded
    assert "a1_first.py:7: statement" in str(result.error)
    assert tables(either) == {"users"}


def test_mismatch_says_where_and_what_to_do(either: Database, tmp_path: Path) -> None:
    ini = make_project(tmp_path, PLAIN_ENV)
    first, second = (load_migration(f"{ini}@{revision}", config=Config()) for revision in ("a1", "b2"))
    with pytest.raises(MigrationMismatch, match=r"very beginning.*expects it at a1.*upgrade a1"):
        run(second, either)
    assert "alembic_version" not in tables(either)
    assert run(first, either).succeeded
    with pytest.raises(MigrationMismatch, match="a1 is already applied"):
        run(first, either)
    with pytest.raises(MigrationMismatch, match=r"stands at a1, so b2 cannot be taken back"):
        run(second, either, direction="down")
    assert run(second, either).succeeded
    with pytest.raises(MigrationMismatch, match=r"downgrade a1"):
        run(first, either, direction="down")


def test_unknown_revision_in_the_database(either: Database, tmp_path: Path) -> None:
    ini = make_project(tmp_path, PLAIN_ENV)
    with either.engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)"))
        connection.execute(sa.text("INSERT INTO alembic_version VALUES ('zz')"))
    with pytest.raises(MigrationMismatch, match="no revision zz"):
        run(load_migration(f"{ini}:a1", config=Config()), either)


def test_prepare_makes_the_version_table_only(either: Database, tmp_path: Path) -> None:
    ini = make_project(tmp_path, PLAIN_ENV)
    migration = load_migration(f"{ini}:a1", config=Config())
    migration.prepare(either)
    migration.prepare(either)
    assert tables(either) == {"users", "alembic_version"}
    assert run(migration, either).succeeded
    assert run(migration, either, direction="down").succeeded
    assert value(either, "SELECT count(*) FROM alembic_version") == 0


def test_logging_is_left_alone(either: Database, tmp_path: Path) -> None:
    ini = make_project(tmp_path, PLAIN_ENV)
    root, mine = logging.getLogger(), logging.getLogger("mine.of.the.notebook")
    before = (root.level, list(root.handlers))
    assert run(load_migration(f"{ini}:a1", config=Config()), either).succeeded
    assert (root.level, root.handlers) == before
    assert not mine.disabled


def test_loading(tmp_path: Path) -> None:
    ini = make_project(tmp_path, PLAIN_ENV)
    config = Config.model_validate({"migrations": {"allow": {"b2": ["drop_column:users.bio"]}}})
    by_file = load_migration(tmp_path / "migrations" / "versions" / "b2_bio.py", config=config)
    assert (by_file.name, by_file.kind, by_file.has_down) == ("b2", "alembic", True)
    assert by_file.metadata.allow == ("drop_column:users.bio",)
    assert by_file.metadata.description == "Add users.bio"
    third = load_migration(f"{ini}:c3", config=config)
    assert not third.has_down, "a downgrade that only passes is no way down"
    head = load_migration(f"{ini}:head", config=config)
    assert (head.name, head.has_down) == ("d4", True), "where there is nothing to undo, nothing is a way down"


@pytest.mark.parametrize(
    ("target", "message"),
    [("alembic.ini:nope", "nope"), ("alembic.ini", "names no revision"), ("other.ini:head", "no such migration")],
)
def test_bad_targets(tmp_path: Path, target: str, message: str) -> None:
    make_project(tmp_path, PLAIN_ENV)
    with pytest.raises(MigrationInvalid, match=message):
        load_migration(f"{tmp_path}/{target}", config=Config())


def test_broken_revision_names_file_and_line(tmp_path: Path) -> None:
    ini = make_project(tmp_path, PLAIN_ENV)
    broken = tmp_path / "migrations" / "versions" / "e5_x.py"
    broken.write_text("revision = 'e5'\ndown_revision = 'd4'\nimport nothing_such\n")
    with pytest.raises(MigrationInvalid, match=r"e5_x\.py:3: ModuleNotFoundError.*nothing_such"):
        load_migration(f"{ini}:a1", config=Config())
    broken.write_text("revision = 'e5'\ndef upgrade(:\n")
    with pytest.raises(MigrationInvalid, match=r"e5_x\.py:2: SyntaxError"):
        load_migration(f"{ini}:a1", config=Config())


def test_env_that_runs_nothing(either: Database, tmp_path: Path) -> None:
    ini = make_project(tmp_path, "")
    with pytest.raises(MigrationInvalid, match="never called"):
        run(load_migration(f"{ini}:a1", config=Config()), either)


OPTUNA = (
    "v0.9.0.a v1.2.0.a v1.3.0.a v2.4.0.a v2.6.0.a v3.0.0.a v3.0.0.b v3.0.0.c v3.0.0.d v3.2.0.a".split()  # noqa: SIM905
)
# What is wrong with this history, with Alembic alone too: enums that tables leave behind on PostgreSQL or that are made
# twice, and a class that was renamed without its use in downgrade().
OPTUNA_DEFECTS = {
    "sqlite": {("v3.0.0.c", "down")},
    "postgresql": {("v0.9.0.a", "up"), ("v2.4.0.a", "up"), ("v3.0.0.c", "down")},
}


def climb(target: str, db: Database) -> set[str]:
    """Run up, down and up again; return the directions that failed, leaving the database after the way up."""
    migration = load_migration(target, config=Config())
    failed = set()
    for direction in ("up", "down", "up") if migration.has_down else ("up",):
        if direction == "up" and "down" in failed:
            break
        result = run(migration, db, direction=direction)
        while not result.succeeded:
            failed.add(direction)
            clash = re.search(r'type "(\w+)" already exists', str(result.error))
            if clash is None:
                assert "FloatTypeEnum" in str(result.error), result.error
                break
            with db.engine.begin() as connection:
                connection.execute(sa.text(f"ALTER TYPE {clash[1]} RENAME TO {clash[1]}_{uuid.uuid4().hex}"))
            result = run(migration, db, direction=direction)
    return failed


@pytest.mark.slow
def test_optuna_history(either: Database) -> None:
    optuna = pytest.importorskip("optuna", reason="the package whose history is tried is not installed")
    home = Path(optuna.__file__).parent / "storages" / "_rdb"
    before = hashes(home)
    defects = set()
    for revision in OPTUNA:
        defects |= {(revision, direction) for direction in climb(f"{home / 'alembic.ini'}:{revision}", either)}
        assert value(either, "SELECT version_num FROM alembic_version") == revision
    assert defects == OPTUNA_DEFECTS[either.dialect.name]
    assert hashes(home) == before
