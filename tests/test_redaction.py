"""No secret leaves, in whatever form it is written."""

from __future__ import annotations

import html
import json
from urllib.parse import quote

import pytest

from migkit.errors import ConnectionFailed
from migkit.redaction import redact, redact_url, register_secret

SECRET = "p@ss/w:ö\"'rd&<x>"


@pytest.fixture(autouse=True, scope="module")
def _registered() -> None:
    register_secret(SECRET)


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        quote(SECRET, safe=""),
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        html.escape(SECRET),
    ],
)
def test_a_registered_secret_is_removed_in_every_form(written: str) -> None:
    assert redact(f"before {written} after") == "before *** after"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://app:hunter2@db:5432/app", "postgresql://app:***@db:5432/app"),
        ("host=db user=app password=hunter2 dbname=x", "host=db user=app password=*** dbname=x"),
        ("password='a b c' host=db", "password=*** host=db"),
        (
            "mysql+pymysql://u:s3cr3t@h/db?ssl_key=k&sslpassword=xyz",
            "mysql+pymysql://u:***@h/db?ssl_key=k&sslpassword=***",
        ),
    ],
)
def test_what_looks_like_a_credential_is_removed(text: str, expected: str) -> None:
    assert redact(text) == expected


def test_ordinary_text_is_left_alone() -> None:
    text = "ALTER TABLE users ADD COLUMN password_hash text; -- 12:30 user@example.com"
    assert redact(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "CREATE ROLE app LOGIN PASSWORD 'hunter2'",
        "CREATE ROLE app LOGIN PASSWORD'hunter2'",
        "create role app with encrypted password 'hun''ter2' valid until '2027-01-01'",
        "ALTER ROLE app PASSWORD E'hun\\'ter2'",
        "ALTER ROLE app PASSWORD $x$hunter2$x$",
        "ALTER ROLE a PASSWORD 'hunter\\'; ALTER ROLE b PASSWORD 'ter2'",
        "op.execute('ALTER ROLE app PASSWORD \\'hunter2\\'')",
        "CREATE USER app IDENTIFIED BY 'hunter2'",
        'CREATE USER app IDENTIFIED BY "hunter2"',
        "CREATE USER app IDENTIFIED BY PASSWORD '*hunter2'",
        "CREATE USER app IDENTIFIED WITH caching_sha2_password BY 'hunter2'",
        "CREATE USER app IDENTIFIED WITH 'mysql_native_password' AS 'hunter2'",
        "CREATE USER app IDENTIFIED VIA ed25519 USING PASSWORD('hunter2')",
        "ALTER USER app IDENTIFIED BY 'new' REPLACE 'hunter2'",
        "CREATE USER MAPPING FOR app SERVER s OPTIONS (user 'app', password 'hunter2')",
        'CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (USER "app", PASSWORD "hunter2")',
        "CREATE SUBSCRIPTION s CONNECTION 'host=h password=hunter2' PUBLICATION p",
        "PGPASSWORD=hunter2 psql",
        "SET PASSWORD = 'hunter2'",
        "SET PASSWORD = PASSWORD('hunter2')",
        "SET PASSWORD FOR 'app'@'%' = 'hunter2'",
        "CHANGE MASTER TO MASTER_USER='app', MASTER_PASSWORD='hunter2'",
        'create_engine(host="db", password="hunter2")',
        '{"password": "hunter2"}',
        "access_token=hunter2&x=1",
        "EXECUTE 'CREATE ROLE app PASSWORD ''hunter2'''",
        "CREATE ROLE app PASSWORD '''hunter2'''",
    ],
)
def test_a_password_in_a_statement_is_removed(text: str) -> None:
    assert "***" in redact(text)
    assert "hun" not in redact(text)
    assert "ter2" not in redact(text)
    assert redact(redact(text)) == redact(text)


def test_what_stands_around_a_password_stays() -> None:
    text = "CREATE USER 'a'@'%' IDENTIFIED WITH x BY 'secret word' COMMENT 'the app'; SELECT 'b'"
    assert redact(text) == "CREATE USER 'a'@'%' IDENTIFIED WITH x BY *** COMMENT 'the app'; SELECT 'b'"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql:/u:secret@host/db", "postgresql:/u:***@host/db"),
        ("postgresql//u:secret@host/db", "postgresql//u:***@host/db"),
        ("postgresql:u:secret@host/db", "postgresql:u:***@host/db"),
        ("postgresql://u:se/cret@host/db", "postgresql://u:***@host/db"),
        ("no such database 'mysql://u:p@ss@h/db'", "no such database 'mysql://u:***@h/db'"),
        ("mysql://u@server:secret@h/db", "mysql://u@server:***@h/db"),
        (
            "could not open postgresql://svc:pa/ss@w0rd@db, giving up",
            "could not open postgresql://svc:***@db, giving up",
        ),
    ],
)
def test_a_password_that_is_not_encoded_is_removed(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize("url", ["postgresql://u:my se/cret@h/db", "postgresql:/u:it's@secret\"@h/db"])
def test_a_url_that_cannot_be_read_shows_no_password(url: str) -> None:
    assert redact_url(url).endswith("u:***@h/db")


def test_a_url_without_a_password_is_shown() -> None:
    assert redact_url("postgresql://x@host:port/a") == "postgresql://x@host:port/a"


@pytest.mark.parametrize(
    "text",
    [
        "ALTER TABLE users ADD COLUMN password text; -- 12:30 user@example.com",
        "CREATE TABLE u (password VARCHAR(100), password_hash text, token uuid DEFAULT gen_random_uuid())",
        'ALTER TABLE u ADD COLUMN password "char"',
        "SELECT * FROM u WHERE password IS NULL AND kind = 'password' AND v = 'x'",
        "UPDATE u SET password = NULL",
        "ask for 'a password' or ''",
        "COMMENT ON COLUMN u.password IS 'a hash'",
        "SELECT password_hash FROM u WHERE a::jsonb@>b AND tags@>ARRAY['x'::text]",
        "ask bob@example.com or mailto:al@example.com, at 12:30:10",
        "http://host:8080/x@y",
        "https://registry.example:443/@scope/name",
        "postgresql://app@db:5432/app",
        'password authentication failed for user "app" (using password: YES)',
        "CREATE OR REPLACE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT 1'",
    ],
)
def test_ordinary_statements_are_left_alone(text: str) -> None:
    assert redact(text) == text


def test_long_text_takes_no_long_time() -> None:
    for piece in ("a:b:", "password ", "create role ", "sql:/u:", "x" * 50, "options (", "\\'", "$a$"):
        redact(piece * 2_000 + "@")


def test_errors_redact_what_they_say() -> None:
    error = ConnectionFailed(f"refused {SECRET}", where=f"x://u:{quote(SECRET, safe='')}@h")
    assert SECRET not in str(error)
    assert quote(SECRET, safe="") not in str(error)
