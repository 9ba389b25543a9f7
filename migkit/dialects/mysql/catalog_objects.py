"""Views, triggers, routines, events, partitions, grants, sequences, counters, and the database's own settings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from migkit.dialects.base import Row
from migkit.dialects.mysql.catalog_reader import Reader
from migkit.dialects.mysql.catalog_tables import TABLE_KINDS
from migkit.dialects.mysql.sql import quote, rows

_SEQUENCE_FACTS = ("minimum_value", "maximum_value", "start_value", "increment", "cache_size", "cycle_option")


def read_objects(reader: Reader) -> list[Row]:
    """Return everything that is no table, column, constraint or index; sequences apart."""
    return [
        *_databases(reader),
        *_counters(reader),
        *_partitions(reader),
        *_views(reader),
        *_triggers(reader),
        *_routines(reader),
        *_events(reader),
        *_grants(reader),
        *_routine_grants(reader),
    ]


def _object(kind: str, schema: str, name: str, definition: str | None, **facts: object) -> Row:
    return {"kind": kind, "schema": schema, "name": name, "definition": definition, **facts}


def _join(*parts: str | None) -> str:
    return " ".join(part for part in parts if part)


def _databases(reader: Reader) -> Iterator[Row]:
    for row in reader.read("SCHEMATA", of="SCHEMA_NAME"):
        schema = reader.schema(row["schema_name"])
        encryption = row.get("default_encryption")
        yield _object(
            "database",
            schema,
            schema or "settings",
            _join(
                f"CHARACTER SET {row['default_character_set_name']} COLLATE {row['default_collation_name']}",
                "ENCRYPTED" if encryption == "YES" else None,
            ),
            comment=row.get("schema_comment") or None,
        )


def _counters(reader: Reader) -> Iterator[Row]:
    for row in reader.tables:
        if row["table_type"] in TABLE_KINDS and row["auto_increment"] is not None:
            yield _object(
                "auto_increment",
                reader.schema(row["table_schema"]),
                row["table_name"],
                "AUTO_INCREMENT",
                parent=row["table_name"],
                value=str(row["auto_increment"]),
            )


def _partitions(reader: Reader) -> Iterator[Row]:
    order = "TABLE_SCHEMA, TABLE_NAME, PARTITION_ORDINAL_POSITION, SUBPARTITION_ORDINAL_POSITION"
    for row in reader.read("PARTITIONS", order=order):
        if row["partition_name"] is None:
            continue
        method, bounds = row["partition_method"], row["partition_description"]
        below = f"SUBPARTITION BY {row['subpartition_method']} ({row['subpartition_expression']})"
        yield _object(
            "partition",
            reader.schema(row["table_schema"]),
            ".".join(filter(None, (row["table_name"], row["partition_name"], row["subpartition_name"]))),
            _join(
                f"PARTITION BY {method} ({row['partition_expression'] or ''})",
                f"VALUES {'LESS THAN' if 'RANGE' in method else 'IN'} ({bounds})" if bounds is not None else None,
                f"NUMBER {row['partition_ordinal_position']}",
                below if row["subpartition_name"] else None,
            ),
            parent=row["table_name"],
            comment=row["partition_comment"] or None,
        )


def _views(reader: Reader) -> Iterator[Row]:
    for row in reader.read("VIEWS", order="TABLE_SCHEMA, TABLE_NAME"):
        check = row["check_option"]
        yield _object(
            "view",
            reader.schema(row["table_schema"]),
            row["table_name"],
            _join(
                f"ALGORITHM={row['algorithm']}" if row.get("algorithm") else None,
                f"SQL SECURITY {row['security_type']} AS",
                reader.without_own_name(row["view_definition"] or ""),
                f"WITH {check} CHECK OPTION" if check != "NONE" else None,
                f"COLLATE {row['collation_connection']}",
            ),
            owner=row["definer"],
        )


def _triggers(reader: Reader) -> Iterator[Row]:
    order = "TRIGGER_SCHEMA, EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORDER"
    for row in reader.read("TRIGGERS", of="TRIGGER_SCHEMA", order=order):
        yield _object(
            "trigger",
            reader.schema(row["trigger_schema"]),
            row["trigger_name"],
            _join(
                f"{row['action_timing']} {row['event_manipulation']} ON {quote(row['event_object_table'])}",
                f"FOR EACH ROW ORDER {row['action_order']}",
                reader.without_own_name(row["action_statement"] or ""),
                _modes(row),
            ),
            parent=row["event_object_table"],
            owner=row["definer"],
        )


def _modes(row: Row) -> str:
    return f"/* sql_mode='{row['sql_mode']}' collation={row['collation_connection']} */"


def _routines(reader: Reader) -> Iterator[Row]:
    parameters: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for row in reader.read("PARAMETERS", of="SPECIFIC_SCHEMA", order="SPECIFIC_NAME, ORDINAL_POSITION"):
        if row["ordinal_position"]:
            written = _join(row["parameter_mode"], quote(row["parameter_name"]), row["dtd_identifier"])
            parameters[row["specific_schema"], row["routine_type"], row["specific_name"]].append(written)
    for row in reader.read("ROUTINES", of="ROUTINE_SCHEMA", order="ROUTINE_SCHEMA, ROUTINE_TYPE, ROUTINE_NAME"):
        arguments = parameters[row["routine_schema"], row["routine_type"], row["specific_name"]]
        yield _object(
            row["routine_type"].lower(),
            reader.schema(row["routine_schema"]),
            row["routine_name"],
            _join(
                f"({', '.join(arguments)})",
                f"RETURNS {row['dtd_identifier']}" if row["dtd_identifier"] else None,
                "DETERMINISTIC" if row["is_deterministic"] == "YES" else "NOT DETERMINISTIC",
                f"{row['sql_data_access']} SQL SECURITY {row['security_type']}",
                reader.without_own_name(row["routine_definition"] or ""),
                _modes(row),
            ),
            owner=row["definer"],
            comment=row["routine_comment"] or None,
        )


def _events(reader: Reader) -> Iterator[Row]:
    for row in reader.read("EVENTS", of="EVENT_SCHEMA", order="EVENT_SCHEMA, EVENT_NAME"):
        schedule = (
            f"AT {row['execute_at']}" if row["execute_at"] else f"EVERY {row['interval_value']} {row['interval_field']}"
        )
        yield _object(
            "event",
            reader.schema(row["event_schema"]),
            row["event_name"],
            _join(
                schedule,
                f"STARTS {row['starts']}" if row["starts"] else None,
                f"ENDS {row['ends']}" if row["ends"] else None,
                f"TIME ZONE {row['time_zone']} {row['status']} ON COMPLETION {row['on_completion']} DO",
                reader.without_own_name(row["event_definition"] or ""),
                _modes(row),
            ),
            owner=row["definer"],
            comment=row["event_comment"] or None,
        )


def _grants(reader: Reader) -> Iterator[Row]:
    found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    names = {name.replace("_", r"\_").replace("%", r"\%"): name for name in reader.databases}
    names |= {name: name for name in reader.databases}
    wider = Reader(reader.connection, tuple(names), reader.mariadb)
    for view in ("SCHEMA_PRIVILEGES", "TABLE_PRIVILEGES", "COLUMN_PRIVILEGES"):
        for row in wider.read(view):
            on = row.get("table_name") or "*"
            column = f" ({quote(row['column_name'])})" if row.get("column_name") else ""
            option = " WITH GRANT OPTION" if row["is_grantable"] == "YES" else ""
            schema = reader.schema(names[row["table_schema"]])
            found[schema, on, row["grantee"]].append(f"{row['privilege_type']}{column}{option}")
    for (schema, on, grantee), rights in sorted(found.items()):
        parent = None if on == "*" else on
        yield _object("grant", schema, f"{grantee} on {on}", ", ".join(sorted(rights)), parent=parent)


def _routine_grants(reader: Reader) -> Iterator[Row]:
    for row in reader.routine_grants or ():
        grantee = f"'{row['user']}'@'{row['host']}'"
        rights = ", ".join(sorted(part.upper() for part in str(row["proc_priv"]).split(",")))
        name = f"{grantee} on {str(row['routine_type']).lower()} {row['routine_name']}"
        yield _object("grant", reader.schema(row["db"]), name, rights)


def read_sequences(reader: Reader) -> list[Row]:
    """Return MariaDB's sequences, all of them in one query; their values are read, not advanced."""
    sequences = [row for row in reader.tables if row["table_type"] == "SEQUENCE"]
    if not sequences:
        return []
    columns = ", ".join(("next_not_cached_value", *_SEQUENCE_FACTS))
    queries = [
        f"SELECT {number}, {columns} FROM {quote(row['table_schema'], row['table_name'])}"
        for number, row in enumerate(sequences)
    ]
    found = []
    for number, value, *cells in rows(reader.connection, " UNION ALL ".join(queries)):
        row = sequences[int(number)]
        definition = ", ".join(f"{name} {cell}" for name, cell in zip(_SEQUENCE_FACTS, cells, strict=True))
        schema = reader.schema(row["table_schema"])
        found.append(_object("sequence", schema, row["table_name"], definition, value=str(value)))
    return found
