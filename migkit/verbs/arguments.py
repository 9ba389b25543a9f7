"""What people may type where a verb takes a noun."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import URL, Engine

from migkit.database import Database
from migkit.migration.migration import Migration

AnyDatabase = str | URL | Engine | Database
AnyMigration = str | Path | Migration
