-- injury: a default expression changes
-- at: columns only_mysql.token: default
ALTER TABLE only_mysql ALTER token SET DEFAULT (CONCAT(UUID(), 'x'));
-- undo:
ALTER TABLE only_mysql ALTER token SET DEFAULT (UUID());
-- injury: a check is no longer enforced
-- at: constraints only_mysql.amount_positive: enforced
ALTER TABLE only_mysql ALTER CHECK amount_positive NOT ENFORCED;
-- undo:
ALTER TABLE only_mysql ALTER CHECK amount_positive ENFORCED;
-- injury: a check is enforced
-- at: constraints only_mysql.amount_small: enforced
ALTER TABLE only_mysql ALTER CHECK amount_small ENFORCED;
-- undo:
ALTER TABLE only_mysql ALTER CHECK amount_small NOT ENFORCED;
-- injury: an index over an expression loses it
-- at: indexes only_mysql.by_expression: definition
ALTER TABLE only_mysql DROP INDEX by_expression, ADD INDEX by_expression (amount);
-- undo:
ALTER TABLE only_mysql DROP INDEX by_expression, ADD INDEX by_expression ((amount * 2));
-- injury: an index over an expression has another
-- at: indexes only_mysql.by_expression: definition
ALTER TABLE only_mysql DROP INDEX by_expression, ADD INDEX by_expression ((amount * 3));
-- undo:
ALTER TABLE only_mysql DROP INDEX by_expression, ADD INDEX by_expression ((amount * 2));
-- injury: an invisible index becomes visible
-- at: indexes only_mysql.hidden_index: options
ALTER TABLE only_mysql ALTER INDEX hidden_index VISIBLE;
-- undo:
ALTER TABLE only_mysql ALTER INDEX hidden_index INVISIBLE;
-- injury: an index becomes invisible
-- at: indexes users.users_by_name: options
ALTER TABLE users ALTER INDEX users_by_name INVISIBLE;
-- undo:
ALTER TABLE users ALTER INDEX users_by_name VISIBLE;
-- injury: a multi-valued index is dropped
-- at: indexes only_mysql.by_tags: removed
DROP INDEX by_tags ON only_mysql;
-- undo:
CREATE INDEX by_tags ON only_mysql ((CAST(doc -> '$.tags' AS UNSIGNED ARRAY)));
-- injury: a column loses its reference system
-- at: columns only_mysql.place: options
ALTER TABLE only_mysql MODIFY place POINT;
-- undo:
ALTER TABLE only_mysql MODIFY place POINT SRID 4326;
-- injury: a value under a reference system
-- at: columns only_mysql.place: data
UPDATE only_mysql SET place = ST_SRID(POINT(1, 2), 4326) WHERE id = 7;
-- undo:
RESTORE only_mysql;
-- injury: a JSON value in a multi-valued index
-- at: columns only_mysql.doc: data
UPDATE only_mysql SET doc = JSON_OBJECT('tags', JSON_ARRAY(7, 7)) WHERE id = 7;
-- undo:
RESTORE only_mysql;
-- injury: a check is renamed
-- at: constraints only_mysql.amount_above_zero: renamed
ALTER TABLE only_mysql DROP CHECK amount_positive, ADD CONSTRAINT amount_above_zero CHECK (amount > 0);
-- undo:
ALTER TABLE only_mysql DROP CHECK amount_above_zero, ADD CONSTRAINT amount_positive CHECK (amount > 0);
