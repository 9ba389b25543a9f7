"""Before the load: real keys in the place of ``Sampled``, and every statement tried once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from sqlalchemy.exc import SQLAlchemyError

from migkit.database import Database
from migkit.dialects.workloads import ClientError, LoadClient
from migkit.errors import ConfigError, ConnectionFailed
from migkit.load.parameters import Choice, Parameter, Place, Sampled
from migkit.load.seats import prepare_one, scripts_of
from migkit.load.workload import Entry, Workload

# Sessions that a migration, its journal and those who watch it need beside the clients.
BESIDES = 5


def resolved(workload: Workload, db: Database, *, lenient: bool = False) -> Workload:
    """Return a workload whose sampled parameters hold values that are really there.

    Parameters
    ----------
    workload : Workload
        The workload.
    db : Database
        Where the values are.
    lenient : bool
        Leave out entries that find no values, and say so in :attr:`Workload.unchecked`.

    Raises
    ------
    ConfigError
        If a column cannot be read, or holds nothing.
    """
    known: dict[Sampled, Choice | ConfigError] = {}

    def resolve(parameter: Parameter, entry: Entry) -> Parameter:
        if not isinstance(parameter, Sampled):
            return parameter
        if parameter not in known:
            known[parameter] = _sample(parameter, db, f"{workload.name}, {entry.name}")
        found = known[parameter]
        if isinstance(found, ConfigError):
            raise found
        return found

    def resolve_all(entry: Entry) -> Entry:
        return replace(entry, parameters={name: resolve(one, entry) for name, one in entry.parameters.items()})

    return _each(workload, resolve_all, lenient)


def _each(workload: Workload, work: Callable[[Entry], Entry], lenient: bool) -> Workload:
    """Return a workload of what became of its entries; those that fail are left out, or are the end."""
    entries: list[Entry] = []
    left_out: list[tuple[str, str]] = []
    for entry in workload.entries:
        try:
            entries.append(work(entry))
        except ConfigError as error:
            if not lenient:
                raise
            left_out.append((entry.name, error.what))
    if not entries:
        what, why = left_out[0]
        raise ConfigError(f"No statement of the workload can be used; {what}: {why}", where=workload.name)
    return replace(workload, entries=tuple(entries), unchecked=(*workload.unchecked, *left_out))


def _sample(parameter: Sampled, db: Database, where: str) -> Choice | ConfigError:
    name = f"{parameter.table}.{parameter.column}"
    try:
        with db.engine.connect() as connection:
            path = (parameter.schema, parameter.table)
            values = db.dialect.sample_column(connection, path, parameter.column, parameter.count)
    except SQLAlchemyError as error:
        return ConfigError(f"{name} cannot be sampled: {db.dialect.explain_error(error)}", where=where)
    if not values:
        return ConfigError(
            f"{name} cannot be sampled: there is no value in it",
            where=where,
            next_step="Fill the table, or say 'range LOW HIGH' instead of 'sample'.",
        )
    return Choice(tuple(values), parameter.skew)


def check_room(db: Database, clients: int) -> None:
    """Make sure that the server lets so many clients in.

    Raises
    ------
    ConfigError
        If it does not.
    """
    with db.engine.connect() as connection:
        free = db.dialect.connection_limit(connection)
    if free is not None and clients + BESIDES > free:
        raise ConfigError(
            f"{clients} clients do not fit: the server lets {max(free, 0)} more sessions in, and {BESIDES} of them are "
            "needed beside the clients",
            where=db.name,
            next_step="Ask for fewer clients, or raise max_connections.",
        )


def try_once(workload: Workload, db: Database, *, read_only: bool = False, lenient: bool = False) -> Workload:
    """Execute each statement once, in a transaction that is rolled back.

    Parameters
    ----------
    workload : Workload
        The workload.
    db : Database
        Where it will be asked.
    read_only : bool
        Have the server refuse writes.
    lenient : bool
        Leave out entries that fail, and say so in :attr:`Workload.unchecked`.

    Returns
    -------
    Workload
        What works.

    Raises
    ------
    ConfigError
        If one fails; then it would fail all the time, and say nothing about a migration.
    """

    def attempt(entry: Entry) -> Entry:
        error, sql = _try_entry(client, entry, db)
        if error is not None:
            raise ConfigError(
                f"{entry.name} fails at once: {error.message}",
                where=workload.name,
                next_step=f"Nothing was started. The statement is: {' '.join(sql.split())[:300]}",
            )
        return entry

    with _client(db, read_only) as client:
        return _each(workload, attempt, lenient)


@contextmanager
def _client(db: Database, read_only: bool) -> Iterator[LoadClient]:
    client = db.dialect.open_load_client(db.engine.url, read_only=read_only)
    try:
        yield client
    finally:
        client.close()


def _try_entry(client: LoadClient, entry: Entry, db: Database) -> tuple[ClientError | None, str]:
    cut = db.dialect.named_sql
    steps = [step for step in entry.steps if not is_frame(step)]
    tried = replace(entry, steps=tuple(steps))
    client.run(client.prepare(cut("BEGIN"))[0], ())
    try:
        orders = []
        for step in steps:
            prepared = prepare_one(client, cut(step))
            if isinstance(prepared, ClientError):
                return prepared, step
            orders.append(prepared)
        script = scripts_of([tried], cut, client, [[names for _, names in orders]], Place())[0]
        # A sequence begins anew when the load does: what is tried here is rolled back.
        values = script.several()
        for step, (handle, names) in zip(steps, orders, strict=True):
            try:
                client.run(handle, [values[name] for name in names])
            except Exception as error:  # `explain` raises again what is not the driver's
                return client.explain(error), step
        return None, ""
    finally:
        _roll_back(client)


def _roll_back(client: LoadClient) -> None:
    try:
        client.reset()
    except Exception as error:  # `explain` raises again what is not the driver's
        explained = client.explain(error)
        raise ConnectionFailed(f"The connection was lost while trying the workload: {explained.message}") from error


def is_frame(step: str) -> bool:
    """Tell whether a statement begins or ends a transaction."""
    return step.split(None, 1)[0].upper().rstrip(";") in ("BEGIN", "COMMIT", "END", "START", "ROLLBACK")
