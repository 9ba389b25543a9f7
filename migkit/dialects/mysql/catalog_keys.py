"""Constraints, indexes and foreign keys, and the key by which a table's rows are told apart."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from migkit.dialects.base import ForeignKey, Row
from migkit.dialects.mysql.catalog_reader import Reader
from migkit.dialects.mysql.sql import quote

Name = tuple[str, str, str]
_KINDS = {"PRIMARY KEY": "primary key", "UNIQUE": "unique", "FOREIGN KEY": "foreign key", "CHECK": "check"}


@dataclass(frozen=True)
class Keys:
    """What was read."""

    constraints: list[Row]
    indexes: list[Row]
    foreign_keys: list[ForeignKey]
    row_keys: Mapping[tuple[str, str], tuple[str, ...]]


def read_keys(reader: Reader, nullable: Mapping[Name, bool]) -> Keys:
    """Read constraints and indexes.

    Parameters
    ----------
    reader : Reader
        The reading.
    nullable : mapping of (schema, table, column) to bool
        Which columns may be NULL.

    Returns
    -------
    Keys
        The facts.
    """
    parts: dict[Name, list[Row]] = defaultdict(list)
    for row in reader.read("STATISTICS", order="TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX"):
        parts[reader.schema(row["table_schema"]), row["table_name"], row["index_name"]].append(row)
    foreign_keys = {(key.schema, key.table, key.name): key for key in _foreign_keys(reader)}
    return Keys(
        constraints=_constraints(reader, parts, foreign_keys),
        indexes=[_index(name, rows) for name, rows in parts.items()],
        foreign_keys=list(foreign_keys.values()),
        row_keys=_row_keys(parts, nullable),
    )


def _index(name: Name, rows: list[Row]) -> Row:
    first = rows[0]
    unique = not int(first["non_unique"])
    kind = "UNIQUE INDEX" if unique else "INDEX"
    hidden = first.get("is_visible") == "NO" or first.get("ignored") == "YES"
    return {
        "schema": name[0],
        "table": name[1],
        "name": name[2],
        "definition": f"{kind} USING {first['index_type']} ({', '.join(_part(row) for row in rows)})",
        "unique": unique,
        "valid": "disabled" not in (first["comment"] or ""),
        "options": "INVISIBLE" if hidden else None,
        "comment": first["index_comment"] or None,
        "size_bytes": None,
    }


def _part(row: Row) -> str:
    name = f"({row['expression']})" if row.get("expression") else quote(row["column_name"])
    length = f"({row['sub_part']})" if row["sub_part"] else ""
    return name + length + (" DESC" if row["collation"] == "D" else "")


def _row_keys(parts: Mapping[Name, list[Row]], nullable: Mapping[Name, bool]) -> dict[tuple[str, str], tuple[str, ...]]:
    """Choose the primary key, else the first unique index over whole columns that are never NULL."""
    keys: dict[tuple[str, str], tuple[str, ...]] = {}
    for (schema, table, name), rows in sorted(parts.items(), key=lambda item: item[0][2] != "PRIMARY"):
        if (schema, table) in keys or int(rows[0]["non_unique"]):
            continue
        columns = tuple(row["column_name"] for row in rows)
        whole = name == "PRIMARY" or not any(row["sub_part"] or row.get("expression") for row in rows)
        if whole and not any(nullable.get((schema, table, column), True) for column in columns):
            keys[schema, table] = columns
    return keys


def _constraints(reader: Reader, parts: Mapping[Name, list[Row]], foreign_keys: Mapping[Name, ForeignKey]) -> list[Row]:
    checks = _checks(reader)
    rules = _rules(reader)
    rows = []
    for row in reader.read("TABLE_CONSTRAINTS", order="TABLE_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, CONSTRAINT_TYPE"):
        name = (reader.schema(row["table_schema"]), row["table_name"], row["constraint_name"])
        kind = _KINDS.get(row["constraint_type"], row["constraint_type"].lower())
        if kind == "check":
            facts: Row = {"definition": checks.get(name) or checks.get((name[0], "", name[2]))}
        elif kind == "foreign key":
            facts = _foreign_key_facts(reader, foreign_keys[name], rules.get(name, {}))
        else:
            facts = _unique_facts(row["constraint_type"], parts.get(name, []))
        enforced = row.get("enforced", "YES") != "NO"
        identity = {"schema": name[0], "table": name[1], "name": name[2], "kind": kind}
        rows.append(identity | {"validated": enforced, "enforced": enforced} | facts)
    return rows


def _unique_facts(kind: str, parts: list[Row]) -> Row:
    columns = [row["column_name"] or f"({row.get('expression')})" for row in parts]
    written = ", ".join(_part(row) for row in parts)
    return {"columns": json.dumps(columns, ensure_ascii=False), "definition": f"{kind} ({written})"}


def _checks(reader: Reader) -> dict[Name, str]:
    """Return CHECK clauses; MySQL names them once per database, MariaDB once per table."""
    checks = {}
    for row in reader.read("CHECK_CONSTRAINTS", of="CONSTRAINT_SCHEMA"):
        level = " (column)" if row.get("level") == "Column" else ""
        name = (reader.schema(row["constraint_schema"]), row.get("table_name") or "", row["constraint_name"])
        checks[name] = f"CHECK ({row['check_clause']}){level}"
    return checks


def _rules(reader: Reader) -> dict[Name, Row]:
    return {
        (reader.schema(row["constraint_schema"]), row["table_name"], row["constraint_name"]): row
        for row in reader.read("REFERENTIAL_CONSTRAINTS", of="CONSTRAINT_SCHEMA")
    }


def _foreign_keys(reader: Reader) -> list[ForeignKey]:
    columns: dict[Name, list[Row]] = defaultdict(list)
    for row in reader.read("KEY_COLUMN_USAGE", order="TABLE_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION"):
        if row["referenced_table_name"]:
            columns[reader.schema(row["table_schema"]), row["table_name"], row["constraint_name"]].append(row)
    return [
        ForeignKey(
            *name[:2],
            name=name[2],
            columns=tuple(row["column_name"] for row in rows),
            referenced_schema=reader.schema(rows[0]["referenced_table_schema"]),
            referenced_table=rows[0]["referenced_table_name"],
            referenced_columns=tuple(row["referenced_column_name"] for row in rows),
        )
        for name, rows in columns.items()
    ]


def _foreign_key_facts(reader: Reader, key: ForeignKey, rule: Row) -> Row:
    here = ", ".join(quote(column) for column in key.columns)
    there = ", ".join(quote(column) for column in key.referenced_columns)
    referenced = f"{quote(key.referenced_schema, key.referenced_table)} ({there})"
    update, delete = rule.get("update_rule"), rule.get("delete_rule")
    return {
        "columns": json.dumps(key.columns, ensure_ascii=False),
        "definition": f"FOREIGN KEY ({here}) REFERENCES {referenced} ON UPDATE {update} ON DELETE {delete}",
        "referenced": referenced,
        "on_update": update,
        "on_delete": delete,
    }
