from __future__ import annotations

import doctest

import pytest

from migkit.display import escape, units
from migkit.display.escape import clean, shorten, text_width
from migkit.redaction import register_secret


@pytest.mark.parametrize("module", [escape, units])
def test_examples_in_docstrings(module: object) -> None:
    result = doctest.testmod(module)  # type: ignore[arg-type]
    assert result.attempted and not result.failed


def test_markup_characters_are_escaped() -> None:
    assert escape.escape("<a href='x'>&\"") == "&lt;a href=&#x27;x&#x27;&gt;&amp;&quot;"


def test_terminal_sequences_and_disguises_are_written_out() -> None:
    assert clean("a\x1b[31mb\x07\u202ec\u200bd\x00") == "a\\x1b[31mb\\x07\\u202ec\\u200bd\\x00"


def test_lone_surrogates_do_not_break_encoding() -> None:
    assert clean("a\ud800b").encode() == b"a\\ud800b"


def test_secrets_never_pass() -> None:
    register_secret("correct<horse>&battery")
    assert escape.escape("using correct<horse>&battery now") == "using *** now"
    assert clean("postgresql://app:hunter2@db/x?password=zzz") == "postgresql://app:***@db/x?password=***"


@pytest.mark.parametrize("length", range(1, 12))
def test_shortened_text_fits(length: int) -> None:
    assert len(shorten("abcdefghij\nklm", length)) <= length


def test_short_text_stays() -> None:
    assert shorten("users", 5) == "users"


def test_wide_and_combining_characters_take_their_cells() -> None:
    assert text_width("漢字") == 4
    assert text_width("e\u0301") == 1
