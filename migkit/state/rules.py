"""The rules a comparison is judged by, as data: condition, effect, what to do, a bad and a good example."""

from __future__ import annotations

from migkit.findings import Rule

TABLE_LOST = Rule(
    "table-lost",
    "error",
    "A table is gone and its content is nowhere else.",
    "Every row of it is lost; rolling back cannot bring them back without a backup.",
    "Rename it first and drop it in a later release, or declare drop_table:TABLE.",
    bad="DROP TABLE invoices",
    good="ALTER TABLE invoices RENAME TO invoices_retired",
)
COLUMN_LOST = Rule(
    "column-lost",
    "error",
    "A column is gone and its content is nowhere else, or a view does not show it any more.",
    "Its values are lost, and queries that name it fail at once.",
    "Stop using it first and drop it in a later release, or declare drop_column:TABLE.COLUMN.",
    bad="ALTER TABLE users DROP COLUMN phone",
    good="metadata = {'allow': ['drop_column:users.phone']}",
)
ROWS_LOST = Rule(
    "rows-lost",
    "error",
    "A table has fewer rows than before, or rows that were there are gone.",
    "Deleted rows do not come back by rolling back.",
    "Declare delete_rows:TABLE if it is intended.",
    bad="DELETE FROM orders WHERE status = 'cancelled'",
    good="metadata = {'allow': ['delete_rows:orders']}",
)
DATA_CHANGED = Rule(
    "data-changed",
    "error",
    "Values of a column differ from before.",
    "Whether the old values can be had back depends on the way down; most updates cannot be undone.",
    "Declare change_data:TABLE.COLUMN if it is intended.",
    bad="UPDATE users SET email = lower(email)",
    good="metadata = {'allow': ['change_data:users.email']}",
)
LOSSY_TYPE = Rule(
    "lossy-type",
    "error",
    "A column's type changed and values changed with it.",
    "Precision, length or characters were cut off.",
    "Choose a type that holds every value, or declare lossy_type:TABLE.COLUMN.",
    bad="ALTER TABLE items ALTER price TYPE numeric(10,0)",
    good="ALTER TABLE items ALTER price TYPE numeric(12,2)",
)
CONTENT_UNPROVEN = Rule(
    "content-unproven",
    "error",
    "Rows were added or removed among existing ones, and the others were not compared one by one.",
    "The digests of those key ranges, or of rows without a key, differ, and cannot tell new rows from damaged ones.",
    "Capture like the state before, or rehearse on a clone, where rows are compared one by one, or declare"
    " change_data:TABLE.COLUMN.",
    bad="comparing two saved states of a table that rows were inserted into",
    good="mk.rehearse(migration, db)",
)
NOT_COMPARED = Rule(
    "content-not-compared",
    "error",
    "A table's content could not be compared.",
    "Nothing is known about its rows, so nothing can be said for them.",
    "Give the database user the right to read it, or keep its key as it was.",
    bad="a table that only one of the two states could read",
    good="GRANT SELECT ON audit TO migration_tester",
)
CONSTRAINT_LOST = Rule(
    "constraint-lost",
    "error",
    "A constraint is gone.",
    "Bad rows can be written from now on, and some will be.",
    "Declare drop_constraint:TABLE.NAME if it is intended.",
    bad="ALTER TABLE orders DROP CONSTRAINT orders_user_id_fkey",
    good="metadata = {'allow': ['drop_constraint:orders.orders_user_id_fkey']}",
)
CONSTRAINT_CHANGED = Rule(
    "constraint-changed",
    "error",
    "A constraint is not what it was: other columns, other actions, no longer validated or enforced.",
    "What the database guarantees has changed.",
    "Declare drop_constraint:TABLE.NAME if it is intended.",
    bad="FOREIGN KEY … ON DELETE RESTRICT became ON DELETE CASCADE",
    good="metadata = {'allow': ['drop_constraint:orders.orders_user_id_fkey']}",
)
INDEX_LOST = Rule(
    "index-lost",
    "error",
    "An index is gone.",
    "Queries that used it read the whole table; a unique index also guarded against duplicates.",
    "Declare drop_index:TABLE.NAME if it is intended.",
    bad="DROP INDEX orders_placed_at_idx",
    good="metadata = {'allow': ['drop_index:orders.orders_placed_at_idx']}",
)
INDEX_CHANGED = Rule(
    "index-changed",
    "error",
    "An index is not what it was: other columns, no longer unique or no longer valid.",
    "Queries may stop using it; an invalid index costs writes and serves no reads.",
    "Declare drop_index:TABLE.NAME if it is intended; rebuild an invalid index.",
    bad="CREATE INDEX CONCURRENTLY that failed half-way",
    good="REINDEX INDEX CONCURRENTLY orders_placed_at_idx",
)
INDEX_INVALID = Rule(
    "index-invalid",
    "error",
    "The migration left an index that queries cannot use.",
    "It slows down every write and speeds up nothing.",
    "Drop it and build it again.",
    bad="CREATE UNIQUE INDEX CONCURRENTLY over duplicates",
    good="DROP INDEX CONCURRENTLY users_email_key",
)
OBJECT_LOST = Rule(
    "object-lost",
    "error",
    "A view, trigger, routine, sequence, type, grant or other object is gone.",
    "Whatever relies on it fails from now on.",
    "Declare drop_object:KIND.NAME if it is intended.",
    bad="DROP VIEW active_users",
    good="metadata = {'allow': ['drop_object:view.active_users']}",
)
OBJECT_CHANGED = Rule(
    "object-changed",
    "warning",
    "A view, trigger, routine, sequence, type, grant or other object is not what it was.",
    "Whatever relies on it may behave differently.",
    "Check that the change is intended.",
    bad="a view recreated without security_invoker",
    good="CREATE OR REPLACE VIEW … WITH (security_invoker = true)",
)
OBJECT_DAMAGED = Rule(
    "object-damaged",
    "error",
    "An object lost a part of what it was: an enum label, a privilege, its being enabled; or a sequence was set back.",
    "Statements that worked fail, or keys are given out twice.",
    "Declare drop_object:KIND.NAME if it is intended.",
    bad="ALTER SEQUENCE orders_id_seq RESTART WITH 1",
    good="SELECT setval('orders_id_seq', (SELECT max(id) FROM orders))",
)
TABLE_CHANGED = Rule(
    "table-changed",
    "warning",
    "A table's owner, storage options, persistence or comment changed.",
    "Rights, durability or maintenance may differ from before.",
    "Check that the change is intended.",
    bad="ALTER TABLE orders SET UNLOGGED",
    good="ALTER TABLE orders SET LOGGED",
)
COLUMN_CHANGED = Rule(
    "column-changed",
    "warning",
    "A column's default, nullability, position or options changed.",
    "New rows may be written differently.",
    "Check that the change is intended.",
    bad="ALTER TABLE users ALTER status DROP DEFAULT",
    good="ALTER TABLE users ALTER status SET DEFAULT 'new'",
)
VIEW_WIDENED = Rule(
    "view-widened",
    "note",
    "A view has a column that it did not have.",
    "Readers that take all of its columns get another one.",
    "Check that readers name the columns they need.",
    bad="INSERT INTO archive SELECT * FROM active_users",
    good="INSERT INTO archive SELECT id, email FROM active_users",
)
RETYPED = Rule(
    "retyped",
    "note",
    "A column's type changed and every value is intact.",
    "Applications may read another type.",
    "Check that readers cope with the new type.",
    bad="integer read as a string",
    good="ALTER TABLE users ALTER id TYPE bigint",
)
RENAMED = Rule(
    "renamed",
    "warning",
    "A table or column has another name and the same content; an index or constraint, and the same definition.",
    "Statements that use the old name fail at once.",
    "Deploy readers that know both names first, or leave a view under the old name.",
    bad="ALTER TABLE users RENAME COLUMN name TO full_name",
    good="ALTER TABLE users ADD full_name …; both are written for one release",
)
SCHEMA_DIFFERS_ELSEWHERE = Rule(
    "schema-differs-elsewhere",
    "warning",
    "Nothing that migkit reads of the schema differs, and the dump of the engine's own tool does.",
    "Something has changed that migkit has no eyes for; what depends on it is not known.",
    "Dump the schema of both with the engine's tool and compare the statements named.",
    bad="DROP TRANSFORM FOR jsonb LANGUAGE plpython3u",
    good="CREATE TRANSFORM FOR jsonb LANGUAGE plpython3u (…)",
)
NEW_ORPHANS = Rule(
    "new-orphans",
    "error",
    "Rows lost their parent, or a foreign key was added over rows that never had one.",
    "Joins drop these rows silently, and the constraint cannot be validated.",
    "Delete or repair them in the migration, or declare new_orphans:TABLE.NAME.",
    bad="ADD FOREIGN KEY … NOT VALID over orphans",
    good="DELETE FROM child WHERE NOT EXISTS (SELECT FROM parent …)",
)
ALLOWANCE_UNUSED = Rule(
    "allowance-unused",
    "warning",
    "Something was declared as destroyed and is still there.",
    "Either the migration does less than its author thinks, or the name is mistyped.",
    "Correct or remove the declaration.",
    bad="allow = ['drop_column:users.legcy_flag']",
    good="allow = ['drop_column:users.legacy_flag']",
)

RULES = (
    TABLE_LOST,
    COLUMN_LOST,
    ROWS_LOST,
    DATA_CHANGED,
    LOSSY_TYPE,
    CONTENT_UNPROVEN,
    NOT_COMPARED,
    CONSTRAINT_LOST,
    CONSTRAINT_CHANGED,
    INDEX_LOST,
    INDEX_CHANGED,
    INDEX_INVALID,
    OBJECT_LOST,
    OBJECT_CHANGED,
    OBJECT_DAMAGED,
    TABLE_CHANGED,
    COLUMN_CHANGED,
    VIEW_WIDENED,
    RETYPED,
    RENAMED,
    SCHEMA_DIFFERS_ELSEWHERE,
    NEW_ORPHANS,
    ALLOWANCE_UNUSED,
)
