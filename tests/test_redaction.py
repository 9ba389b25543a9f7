"""No secret leaves, in whatever form it is written."""

from __future__ import annotations

import html
import json
from urllib.parse import quote

import pytest

from migkit.errors import ConnectionFailed
from migkit.redaction import redact, register_secret

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


def test_errors_redact_what_they_say() -> None:
    error = ConnectionFailed(f"refused {SECRET}", where=f"x://u:{quote(SECRET, safe='')}@h")
    assert SECRET not in str(error)
    assert quote(SECRET, safe="") not in str(error)
