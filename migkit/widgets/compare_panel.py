"""``compare_panel()``: two states side by side; pick a table, see what changed, jump to the rows that differ."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import URL, Engine

from migkit.database import Database
from migkit.display.card import Card, Fact, card_html, lines_html
from migkit.display.escape import clean_line, escape
from migkit.display.lines import column_lines, qualified, table_lines
from migkit.display.results import comparison_card
from migkit.display.style import styled
from migkit.display.tables import frame_html, telling_columns
from migkit.display.units import count, plural
from migkit.progress import Progress
from migkit.state.comparison import Comparison
from migkit.state.snapshot import State
from migkit.verbs import capture, compare, compare_rows
from migkit.widgets.job import Job
from migkit.widgets.toolkit import Panel, button, html, ipywidgets, job_html

ROWS_SHOWN = 200
OPTIONS_SHOWN = 500

_SORTS = (
    ("what changed first", "change"),
    ("name", "table"),
    ("rows, most first", "rows_after"),
    ("difference", "diff"),
)
_ALL = ""

Side = State | Database | Engine | URL | str | Path


def compare_panel(before: Side, after: Side, *, allow: Iterable[str] = ()) -> ComparePanel:
    """Show two states side by side: pick a table, see what changed, sort and filter, jump to the rows that differ.

    Parameters
    ----------
    before, after : State, Database, Engine, URL, str or Path
        States, files of states, or databases. Databases are captured when the panel is made; of two databases the
        panel can also show the rows that differ, of states the key ranges in which they do.
    allow : iterable of str
        Intended destruction, as ``metadata["allow"]`` declares it.

    Returns
    -------
    ComparePanel
        The panel; ``panel.comparison`` is the comparison, ``panel.result`` the rows that were compared last.

    Raises
    ------
    MissingExtra
        If ipywidgets is not installed.
    NotComparable
        If the states are of different engines.

    Examples
    --------
    >>> import migkit as mk
    >>> mk.compare_panel("before.json", "after.json")  # doctest: +SKIP
    """
    ipywidgets()
    return ComparePanel(before, after, allow)


class ComparePanel(Panel):
    """The panel that :func:`compare_panel` shows.

    Parameters
    ----------
    before, after, allow
        As for :func:`compare_panel`.
    """

    def __init__(self, before: Side, after: Side, allow: Iterable[str] = ()) -> None:
        super().__init__("Comparison of two states")
        self.comparison: Comparison = compare(_state(before), _state(after), allow=allow)
        self._sides = (before, after) if _is_database(before) and _is_database(after) else None
        self.work = Job(self._draw_rows)
        self._tables = _with_changes(self.comparison)
        self._build()
        self._observe()
        self._list_tables()

    @property
    def result(self) -> Any:
        """The rows that were compared last; ``None`` before."""
        return self.work.result

    def close(self) -> None:
        """Stop what goes on, and take the panel away."""
        self.work.stop()
        self.box.close()

    # --- making -----------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        kit = ipywidgets()
        style = {"style": {"description_width": "4.5em"}}
        self.head = html("mk-head", card_html(_head(self.comparison)))
        self.only_changed = kit.Checkbox(
            description="only what changed", value=not self.comparison.identical, indent=False
        )
        self.only_changed.layout.width = "auto"
        self.filter = kit.Text(description="Filter", placeholder="part of a name", continuous_update=True, **style)
        self.sort = kit.Dropdown(description="Sort by", options=_SORTS, value="change", **style)
        self.table = kit.Dropdown(description="Table", options=[("all tables", _ALL)], value=_ALL, **style)
        self.previous = button("‹", "mk-previous", tooltip="The table before that changed")
        self.next = button("Next change ›", "mk-next", tooltip="The next table that changed")
        self.rows = button("Rows that differ", "mk-rows", icon="search", tooltip="Compare row by row")
        self.stop = button("Stop", "mk-stop", icon="stop", tooltip="Cancel, on the server too")
        self.list = html("mk-list")
        self.detail = html("mk-detail")
        self.live = html("mk-work")
        for control in (self.filter, self.sort, self.table):
            control.layout.width = "19em"
        wrapped = kit.Layout(flex_flow="row wrap", grid_gap="0.2em 1em", align_items="center", margin="0.3em 0")
        self.box = kit.VBox(
            [
                self.head,
                kit.HBox([self.filter, self.sort, self.only_changed], layout=wrapped),
                self.list,
                kit.HBox([self.table, self.previous, self.next, self.rows, self.stop], layout=wrapped),
                self.live,
                self.detail,
            ]
        )
        self.box.layout.max_width = "62em"
        self.box.add_class("mk-compare")

    def _observe(self) -> None:
        for control in (self.filter, self.sort, self.only_changed):
            control.observe(lambda _: self._list_tables(), names="value")
        self.table.observe(lambda _: self._show_table(), names="value")
        self.previous.on_click(lambda _: self._jump(-1))
        self.next.on_click(lambda _: self._jump(1))
        self.rows.on_click(lambda _: self._compare_rows())
        self.stop.on_click(lambda _: self._stop())

    # --- looking ----------------------------------------------------------------------------------------------------

    def _chosen(self) -> pd.DataFrame:
        """Return the tables that the filter leaves, in the order that was asked for."""
        tables = self._tables
        if self.only_changed.value:
            tables = tables[tables["differs"]]
        wanted = self.filter.value.strip().casefold()
        if wanted:
            tables = tables[[wanted in name.casefold() for name in tables["name"]]]
        if self.sort.value == "table":
            return tables.sort_values("name")
        if self.sort.value == "rows_after":
            return tables.sort_values("rows_after", ascending=False, na_position="last", kind="stable")
        if self.sort.value == "diff":
            order = tables["rows_diff"].fillna(0).abs().sort_values(ascending=False, kind="stable").index
            return tables.loc[order]
        return tables.sort_values(["differs", "name"], ascending=[False, True], kind="stable")

    def _list_tables(self) -> None:
        with self.lock:
            chosen = self._chosen()
            before = self.table.value
            names = chosen["name"].head(OPTIONS_SHOWN).tolist()
            self.table.options = [("all tables", _ALL), *((clean_line(name), name) for name in names)]
            self.table.value = before if before in names else _ALL
            columns = ("name", "change", "rows_before", "rows_after", "rows_diff", "content", "detail")
            shown = frame_html(
                chosen, columns=columns, caption=f"{plural(len(chosen), 'table')} of {count(len(self._tables))}"
            )
            self.list.value = styled(
                f'<div class="mk-scroll" tabindex="0" role="group" aria-label="Tables">{shown}</div>'
            )
            self._show_table()

    def _show_table(self) -> None:
        with self.lock:
            name = self.table.value
            self.detail.value = styled(_table_html(self.comparison, self._row(name))) if name else ""
            self._draw_rows()

    def _row(self, name: str) -> dict[str, Any]:
        found = self._tables[self._tables["name"] == name].iloc[0]
        return {str(key): value for key, value in found.items()}

    def _jump(self, step: int) -> None:
        with self.lock:
            chosen = self._chosen().head(OPTIONS_SHOWN)
            names: list[str] = chosen[chosen["differs"]]["name"].tolist()
            if not names:
                return
            here = names.index(self.table.value) if self.table.value in names else -1 if step > 0 else 0
            self.table.value = names[(here + step) % len(names)]

    # --- rows -------------------------------------------------------------------------------------------------------

    def _compare_rows(self) -> None:
        name = self.table.value
        if self._sides is None or not name:
            return
        before, after = self._sides
        row = self._row(name)
        table = f"{row['schema']}.{row['table']}" if name != row["table"] else row["table"]

        def work(progress: Progress) -> Any:
            return compare_rows(before, after, table, limit=ROWS_SHOWN, progress=progress)  # type: ignore[arg-type]

        self.work.start(work)
        self._draw_rows()

    def _stop(self) -> None:
        self.work.stop()
        self._draw_rows()

    def _draw_rows(self) -> None:
        with self.lock:
            job = self.work
            row = self._row(self.table.value) if self.table.value else None
            in_both = row is not None and row["change"] not in ("added", "removed", "renamed")
            self.rows.disabled = job.is_running or self._sides is None or not in_both
            if self._sides is None:
                self.rows.tooltip = "Two databases are needed for that; of states, the key ranges are shown"
            self.stop.disabled = job.state != "running"
            shown = job_html(job, "Comparing rows")
            if job.result is not None:
                shown = card_html(job.result.card())
            self.live.value = shown


def _is_database(side: Side) -> bool:
    return isinstance(side, Database | Engine | URL) or (isinstance(side, str) and not _is_file(side))


def _is_file(side: str) -> bool:
    return side.endswith((".json", ".json.zst"))


def _state(side: Side) -> State | str | Path:
    if isinstance(side, State | Path):
        return side
    if isinstance(side, str) and _is_file(side):
        return side
    return capture(side)


def _with_changes(comparison: Comparison) -> pd.DataFrame:
    """Return the tables with their whole names, and whether anything about each differs."""
    tables = comparison.tables.copy()
    tables["name"] = [qualified(schema, table) for schema, table in zip(tables["schema"], tables["table"], strict=True)]
    touched: set[tuple[str, str]] = set()
    for frame in (comparison.columns, comparison.constraints, comparison.indexes):
        changed = frame[frame["change"] != "unchanged"]
        touched |= set(zip(changed["schema"], changed["table"], strict=True))
    tables["differs"] = [
        (schema, table) in touched or change != "unchanged" or content != "intact"
        for schema, table, change, content in zip(
            tables["schema"], tables["table"], tables["change"], tables["content"].fillna("intact"), strict=True
        )
    ]
    return tables


def _head(comparison: Comparison) -> Card:
    """Return the head of the panel: the verdict and the figures; the rest is what the panel is for."""
    card = comparison_card(comparison)
    differing = int(_with_changes(comparison)["differs"].sum())
    return Card(
        title=card.title,
        sign=card.sign,
        verdict=card.verdict,
        figures=(Fact("tables that differ", count(differing)), *card.figures),
        folds=tuple(fold for fold in card.folds if fold.title in ("Findings", "Not checked")),
    )


def _table_html(comparison: Comparison, row: dict[str, Any]) -> str:
    """Return everything that is known about one table."""
    of_table = {name: _of(getattr(comparison, name), row) for name in ("tables", "columns", "constraints", "indexes")}
    lines = [*table_lines(of_table["tables"]), *column_lines(of_table["columns"])]
    parts = [f"<h4>{escape(row['name'])}</h4>", lines_html(lines)]
    for name in ("columns", "constraints", "indexes"):
        frame = of_table[name].drop(columns=["schema", "table"])
        if len(frame):
            table = frame_html(frame, columns=telling_columns(frame), caption=name.capitalize(), limit=ROWS_SHOWN)
            parts.append(f'<div class="mk-scroll" tabindex="0" role="group" aria-label="{name}">{table}</div>')
    return "".join(parts)


def _of(frame: pd.DataFrame, row: dict[str, Any]) -> pd.DataFrame:
    chosen: pd.DataFrame = frame[(frame["schema"] == row["schema"]) & (frame["table"] == row["table"])]
    return chosen
