"""Errors in a notebook: what, where and what next, without a traceback through somebody else's code."""

from __future__ import annotations

from pathlib import Path

from migkit.errors import ConfigError, MigkitError


def test_a_notebook_shows_the_message_and_where_the_evidence_lies() -> None:
    error = ConfigError(
        "There is no database called 'stagin'", where="migkit.toml", next_step="Did you mean 'staging'?"
    )
    assert error._render_traceback_() == [
        "ConfigError: migkit.toml: There is no database called 'stagin'. Did you mean 'staging'?"
    ]
    broken = MigkitError("It broke off")
    broken.evidence = Path("reports/x")
    assert broken._render_traceback_()[-1].endswith(str(Path("reports/x")))
