-- injury: a default expression changes
-- at: columns only_mariadb.token: default
ALTER TABLE only_mariadb ALTER token SET DEFAULT CONCAT('a', 'c');
-- undo:
ALTER TABLE only_mariadb ALTER token SET DEFAULT CONCAT('a', 'b');
-- injury: a column's check is lost
-- at: constraints only_mariadb.amount: removed
ALTER TABLE only_mariadb MODIFY amount INT;
-- undo:
ALTER TABLE only_mariadb MODIFY amount INT CHECK (amount > 0);
-- injury: an ignored index is used
-- at: indexes only_mariadb.ignored_index: options
ALTER TABLE only_mariadb ALTER INDEX ignored_index NOT IGNORED;
-- undo:
ALTER TABLE only_mariadb ALTER INDEX ignored_index IGNORED;
-- injury: an index is ignored
-- at: indexes users.users_by_name: options
ALTER TABLE users ALTER INDEX users_by_name IGNORED;
-- undo:
ALTER TABLE users ALTER INDEX users_by_name NOT IGNORED;
-- injury: an address
-- at: columns only_mariadb.address: data
UPDATE only_mariadb SET address = '::2' WHERE id = 7;
-- undo:
RESTORE only_mariadb;
-- injury: a uuid
-- at: columns only_mariadb.serial: data
UPDATE only_mariadb SET serial = '123e4567-e89b-12d3-a456-426655440001' WHERE id = 7;
-- undo:
RESTORE only_mariadb;
-- injury: a compressed text
-- at: columns only_mariadb.squeezed: data
UPDATE only_mariadb SET squeezed = 'Text' WHERE id = 7;
-- undo:
RESTORE only_mariadb;
-- injury: a text is no longer compressed
-- at: columns only_mariadb.squeezed: *
ALTER TABLE only_mariadb MODIFY squeezed TEXT;
-- undo:
ALTER TABLE only_mariadb MODIFY squeezed TEXT COMPRESSED;
-- injury: a period is dropped
-- at: * only_mariadb*: *
ALTER TABLE only_mariadb DROP PERIOD FOR valid;
-- undo:
ALTER TABLE only_mariadb ADD PERIOD FOR valid (starts, ends);
-- injury: system versioning is dropped
-- at: tables versioned: options
ALTER TABLE versioned DROP SYSTEM VERSIONING;
-- undo:
ALTER TABLE versioned ADD SYSTEM VERSIONING;
-- injury: a sequence is set back
-- at: objects sequence counter: value
ALTER SEQUENCE counter RESTART 100;
-- injury: a sequence's step changes
-- at: objects sequence counter: definition
ALTER SEQUENCE counter INCREMENT BY 6;
-- also: objects sequence counter: *
-- injury: a sequence no longer cycles
-- at: objects sequence counter: definition
ALTER SEQUENCE counter NOCYCLE;
-- injury: a sequence is dropped
-- at: objects sequence counter: removed
DROP SEQUENCE counter;
