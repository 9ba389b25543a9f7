"""Rows without a parent, counted with the constraint's own operators and MATCH rule."""

from __future__ import annotations

from migkit.database import Database
from migkit.dialects.base import ForeignKey
from tests.dialects.postgresql.reading import run


def orphans(db: Database, name: str) -> int:
    with db.dialect.snapshot(db.engine, 1) as (connection,):
        keys = db.dialect.read_catalog(connection, None).foreign_keys
        return db.dialect.count_orphans(connection, next(key for key in keys if key.name == name))


def test_orphans_follow_the_match_rule(postgresql: Database) -> None:
    run(
        postgresql,
        "CREATE TABLE p (a int, b text, UNIQUE (a, b))",
        "INSERT INTO p VALUES (1, 'x')",
        "CREATE TABLE c (a int, b text)",
        "INSERT INTO c VALUES (1, 'x'), (1, NULL), (NULL, 'q'), (NULL, NULL), (2, 'x'), (1, 'X')",
        "ALTER TABLE c ADD CONSTRAINT simple FOREIGN KEY (a, b) REFERENCES p (a, b) NOT VALID",
        "ALTER TABLE c ADD CONSTRAINT complete FOREIGN KEY (a, b) REFERENCES p (a, b) MATCH FULL NOT VALID",
    )
    assert orphans(postgresql, "simple") == 2
    assert orphans(postgresql, "complete") == 4


def test_orphans_across_types_collations_and_partitions(postgresql: Database) -> None:
    run(
        postgresql,
        'CREATE TABLE p (id int8 PRIMARY KEY, t text COLLATE "C" UNIQUE)',
        "INSERT INTO p VALUES (1, 'Abc')",
        'CREATE TABLE c (p int2, t text COLLATE "POSIX") PARTITION BY LIST (p)',
        "CREATE TABLE c1 PARTITION OF c DEFAULT",
        "INSERT INTO c VALUES (1, 'Abc'), (2, 'abc')",
        "ALTER TABLE c1 ADD CONSTRAINT by_id FOREIGN KEY (p) REFERENCES p NOT VALID",
        "ALTER TABLE c1 ADD CONSTRAINT by_t FOREIGN KEY (t) REFERENCES p (t) NOT VALID",
    )
    assert orphans(postgresql, "by_id") == 1
    assert orphans(postgresql, "by_t") == 1


def test_orphans_of_a_period(postgresql: Database) -> None:
    run(
        postgresql,
        "CREATE TABLE p (at daterange, who int4range, CONSTRAINT k PRIMARY KEY (who, at WITHOUT OVERLAPS))",
        "INSERT INTO p VALUES ('[2024-01-01,2024-02-01)', '[1,2)'), ('[2024-02-01,2024-03-01)', '[1,2)')",
        "CREATE TABLE c (at daterange, who int4range)",
        "INSERT INTO c VALUES ('[2024-01-15,2024-02-15)', '[1,2)'), ('[2024-01-15,2024-02-15)', '[2,3)'),"
        " ('[2024-02-15,2024-03-15)', '[1,2)')",
        "ALTER TABLE c ADD CONSTRAINT f FOREIGN KEY (who, PERIOD at) REFERENCES p (who, PERIOD at) NOT VALID",
    )
    key = ForeignKey("public", "c", "f", ("who", "at"), "public", "p", ("who", "at"))
    with postgresql.dialect.snapshot(postgresql.engine, 1) as (connection,):
        assert postgresql.dialect.count_orphans(connection, key) == 2
