-- Tables and columns.
-- injury: a table is dropped
-- at: tables nothing_yet: removed
-- also: * nothing_yet.*: removed
DROP TABLE nothing_yet;
-- undo:
RECREATE nothing_yet;
-- injury: a table is left behind
-- at: tables left_behind: added
-- also: columns left_behind.*: added
CREATE TABLE left_behind (x INT) ENGINE=InnoDB;
-- undo:
DROP TABLE left_behind;
-- injury: a table is renamed
-- at: tables devices_2: renamed
RENAME TABLE devices TO devices_2;
-- undo:
RENAME TABLE devices_2 TO devices;
-- injury: a table's engine changes
-- at: tables former_users: options
ALTER TABLE former_users ENGINE=MyISAM;
-- undo:
ALTER TABLE former_users ENGINE=InnoDB;
-- injury: a table becomes transactional
-- at: tables old_style: options
ALTER TABLE old_style ENGINE=InnoDB;
-- undo:
ALTER TABLE old_style ENGINE=MyISAM;
-- injury: a table's row format changes
-- at: tables devices: options
ALTER TABLE devices ROW_FORMAT=COMPACT;
-- undo:
RECREATE devices;
-- injury: a table is no longer compressed
-- at: tables compressed: options
ALTER TABLE compressed ROW_FORMAT=DYNAMIC KEY_BLOCK_SIZE=0;
-- undo:
RECREATE compressed;
-- injury: a table's comment is lost
-- at: tables users: comment
ALTER TABLE users COMMENT='';
-- undo:
ALTER TABLE users COMMENT='people';
-- injury: a table's default collation changes
-- at: tables former_users: options
ALTER TABLE former_users DEFAULT COLLATE utf8mb4_bin;
-- undo:
RECREATE former_users;
-- injury: a table is converted to another character set
-- at: columns former_users.name: collation
-- also: tables former_users: *
-- also: columns former_users.*: *
ALTER TABLE former_users CONVERT TO CHARACTER SET latin1;
-- undo:
RECREATE former_users;
-- injury: statistics are kept less long
-- at: tables devices: options
ALTER TABLE devices STATS_PERSISTENT=0;
-- undo:
RECREATE devices;
-- injury: a column is dropped
-- at: columns former_users.age: removed
ALTER TABLE former_users DROP COLUMN age;
-- undo:
RECREATE former_users;
-- injury: a column is added
-- at: columns nothing_yet.extra: added
ALTER TABLE nothing_yet ADD COLUMN extra INT;
-- undo:
RECREATE nothing_yet;
-- injury: a column is renamed
-- at: columns countries.surface: renamed
ALTER TABLE countries RENAME COLUMN area TO surface;
-- undo:
ALTER TABLE countries RENAME COLUMN surface TO area;
-- injury: columns change their order
-- at: columns former_users.age: position
-- also: columns former_users.*: position
ALTER TABLE former_users MODIFY age INT AFTER id;
-- undo:
RECREATE former_users;
-- injury: a type is widened
-- at: columns former_users.age: type
ALTER TABLE former_users MODIFY age BIGINT;
-- undo:
RECREATE former_users;
-- injury: a type becomes unsigned
-- at: columns former_users.age: type
ALTER TABLE former_users MODIFY age INT UNSIGNED;
-- undo:
RECREATE former_users;
-- injury: a length is shortened
-- at: columns former_users.status: type
ALTER TABLE former_users MODIFY status VARCHAR(10);
-- undo:
RECREATE former_users;
-- injury: a length is cut, values with it
-- at: columns former_users.name: type
-- at: columns former_users.name: data
SET SESSION sql_mode = '';
ALTER TABLE former_users MODIFY name VARCHAR(8);
-- undo:
RECREATE former_users;
-- injury: a text becomes binary
-- at: columns former_users.name: type
-- also: columns former_users.name: *
ALTER TABLE former_users MODIFY name VARBINARY(400);
-- undo:
RECREATE former_users;
-- injury: a scale is cut
-- also: columns spenders.spent: type
-- at: columns orders.total: type
-- at: columns orders.total: data
SET SESSION sql_mode = '';
ALTER TABLE orders MODIFY total DECIMAL(12, 1) NOT NULL;
-- undo:
ALTER TABLE orders MODIFY total DECIMAL(12, 2) NOT NULL;
RESTORE orders;
-- injury: a double becomes a float
-- at: columns countries.area: type
-- also: columns countries.area: *
ALTER TABLE countries MODIFY area FLOAT;
-- undo:
RECREATE countries;
-- injury: a double that floats cannot hold becomes a float
-- at: columns measurements.reading: data
-- at: columns measurements.reading: type
ALTER TABLE measurements MODIFY reading FLOAT;
-- undo:
RECREATE measurements;
-- injury: fractions of seconds are cut
-- at: columns measurements.taken_at: type
ALTER TABLE measurements MODIFY taken_at DATETIME;
-- undo:
RECREATE measurements;
-- injury: an enum gets a label
-- at: columns kinds.c_enum: type
ALTER TABLE kinds MODIFY c_enum ENUM ('new', 'paid', 'gone', 'back');
-- undo:
ALTER TABLE kinds MODIFY c_enum ENUM ('new', 'paid', 'gone');
-- injury: enum labels are reordered
-- at: columns kinds.c_enum: type
ALTER TABLE kinds MODIFY c_enum ENUM ('paid', 'new', 'gone');
-- undo:
ALTER TABLE kinds MODIFY c_enum ENUM ('new', 'paid', 'gone');
-- injury: a set loses a label
-- at: columns kinds.c_set: type
ALTER TABLE kinds MODIFY c_set SET ('a', 'b');
-- undo:
ALTER TABLE kinds MODIFY c_set SET ('a', 'b', 'c');
-- injury: zeros are no longer filled in
-- at: columns kinds.c_padded: type
ALTER TABLE kinds MODIFY c_padded INT(8) UNSIGNED;
-- undo:
ALTER TABLE kinds MODIFY c_padded INT(8) UNSIGNED ZEROFILL;
-- injury: a character set changes
-- at: columns kinds.c_latin: collation
-- also: columns kinds.c_latin: options
ALTER TABLE kinds MODIFY c_latin VARCHAR(50) CHARACTER SET utf8mb4;
-- undo:
ALTER TABLE kinds MODIFY c_latin VARCHAR(50) CHARACTER SET latin1;
-- injury: a collation changes
-- at: columns countries.label: collation
ALTER TABLE countries MODIFY label VARCHAR(100) COLLATE utf8mb4_bin NOT NULL;
-- undo:
RECREATE countries;
-- injury: NOT NULL is lost
-- at: columns countries.label: nullable
ALTER TABLE countries MODIFY label VARCHAR(100);
-- undo:
RECREATE countries;
-- injury: NOT NULL is added
-- at: columns former_users.email: nullable
ALTER TABLE former_users MODIFY email VARCHAR(200) NOT NULL;
-- undo:
RECREATE former_users;
-- injury: a default is lost
-- at: columns nothing_yet.label: default
ALTER TABLE nothing_yet ALTER label DROP DEFAULT;
-- undo:
ALTER TABLE nothing_yet ALTER label SET DEFAULT 'none';
-- injury: a default changes
-- at: columns users.status: default
-- also: columns active_users.status: default
ALTER TABLE users ALTER status SET DEFAULT 'New';
-- undo:
ALTER TABLE users ALTER status SET DEFAULT 'new';
-- injury: a default becomes empty
-- at: columns users.status: default
-- also: columns active_users.status: default
ALTER TABLE users ALTER status SET DEFAULT '';
-- undo:
ALTER TABLE users ALTER status SET DEFAULT 'new';
-- injury: a default becomes the word NULL
-- at: columns former_users.name: default
ALTER TABLE former_users ALTER name SET DEFAULT 'NULL';
-- undo:
RECREATE former_users;
-- injury: ON UPDATE of a timestamp is lost
-- at: columns users.changed_at: options
ALTER TABLE users MODIFY changed_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP;
-- undo:
ALTER TABLE users MODIFY changed_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP;
-- injury: the default of a timestamp is lost
-- at: columns users.changed_at: default
ALTER TABLE users MODIFY changed_at TIMESTAMP NOT NULL DEFAULT '2024-01-01' ON UPDATE CURRENT_TIMESTAMP;
-- undo:
ALTER TABLE users MODIFY changed_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP;
-- injury: AUTO_INCREMENT is lost
-- at: columns orders.id: identity
-- also: objects auto_increment orders: removed
ALTER TABLE orders MODIFY id INT NOT NULL;
-- undo:
ALTER TABLE orders MODIFY id INT NOT NULL AUTO_INCREMENT;
-- injury: AUTO_INCREMENT is set back
-- at: objects auto_increment orders: value
DELETE FROM orders WHERE id > 10;
ALTER TABLE orders AUTO_INCREMENT = 11;
-- also: tables orders: rows
-- also: tables orders: *
-- also: columns orders.*: *
-- undo:
RESTORE orders;
ALTER TABLE orders AUTO_INCREMENT = 281;
-- injury: a comment of a column is lost
-- at: columns users.email: comment
-- also: columns active_users.email: comment
ALTER TABLE users MODIFY email VARCHAR(200) NOT NULL;
-- undo:
ALTER TABLE users MODIFY email VARCHAR(200) NOT NULL COMMENT 'where to write';
-- injury: a column becomes visible
-- at: columns kinds.c_hidden: options
ALTER TABLE kinds MODIFY c_hidden INT DEFAULT 5;
-- undo:
ALTER TABLE kinds MODIFY c_hidden INT DEFAULT 5 INVISIBLE;
-- injury: a generated column computes something else
-- at: columns kinds.c_generated: generated
-- at: columns kinds.c_generated: data
ALTER TABLE kinds MODIFY c_generated INT GENERATED ALWAYS AS (c_int * 3) STORED;
-- undo:
ALTER TABLE kinds MODIFY c_generated INT GENERATED ALWAYS AS (c_int * 2) STORED;
-- injury: a generated column becomes ordinary
-- at: columns kinds.c_generated: generated
ALTER TABLE kinds MODIFY c_generated INT;
-- undo:
ALTER TABLE kinds DROP COLUMN c_generated;
ALTER TABLE kinds ADD COLUMN c_generated INT GENERATED ALWAYS AS (c_int * 2) STORED AFTER c_hidden;

-- Constraints, indexes, partitions.
-- injury: a primary key is dropped
-- at: constraints former_users.PRIMARY: removed
-- also: indexes former_users.PRIMARY: removed
-- also: columns former_users.id: *
ALTER TABLE former_users DROP PRIMARY KEY;
-- undo:
RECREATE former_users;
-- injury: a primary key's columns change places
-- at: constraints order_items.PRIMARY: definition
-- also: indexes order_items.PRIMARY: definition
-- also: tables order_items: not compared
-- also: columns order_items.*: not compared
ALTER TABLE order_items DROP PRIMARY KEY, ADD PRIMARY KEY (line, order_id);
-- undo:
RECREATE order_items;
-- injury: a unique key is dropped
-- at: constraints users.users_email: removed
-- also: indexes users.users_email: removed
ALTER TABLE users DROP INDEX users_email;
-- undo:
ALTER TABLE users ADD UNIQUE KEY users_email (email);
-- injury: a unique key is no longer unique
-- at: indexes devices.devices_label: unique
-- also: constraints devices.devices_label: removed
ALTER TABLE devices DROP INDEX devices_label, ADD INDEX devices_label (label);
-- undo:
RECREATE devices;
-- injury: a foreign key is dropped
-- at: constraints orders.orders_user: removed
-- also: orphans orders.orders_user: *
ALTER TABLE orders DROP FOREIGN KEY orders_user;
-- undo:
ALTER TABLE orders ADD CONSTRAINT orders_user FOREIGN KEY (user_id) REFERENCES users (id) ON UPDATE CASCADE ON DELETE RESTRICT;
-- injury: ON DELETE changes
-- at: constraints orders.orders_user: on_delete
ALTER TABLE orders DROP FOREIGN KEY orders_user;
ALTER TABLE orders ADD CONSTRAINT orders_user FOREIGN KEY (user_id) REFERENCES users (id) ON UPDATE CASCADE ON DELETE CASCADE;
-- undo:
ALTER TABLE orders DROP FOREIGN KEY orders_user;
ALTER TABLE orders ADD CONSTRAINT orders_user FOREIGN KEY (user_id) REFERENCES users (id) ON UPDATE CASCADE ON DELETE RESTRICT;
-- injury: ON UPDATE is lost
-- at: constraints orders.orders_user: on_update
ALTER TABLE orders DROP FOREIGN KEY orders_user;
ALTER TABLE orders ADD CONSTRAINT orders_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE RESTRICT;
-- undo:
ALTER TABLE orders DROP FOREIGN KEY orders_user;
ALTER TABLE orders ADD CONSTRAINT orders_user FOREIGN KEY (user_id) REFERENCES users (id) ON UPDATE CASCADE ON DELETE RESTRICT;
-- injury: SET NULL becomes RESTRICT
-- at: constraints orders.orders_referrer: on_delete
ALTER TABLE orders DROP FOREIGN KEY orders_referrer;
ALTER TABLE orders ADD CONSTRAINT orders_referrer FOREIGN KEY (referrer_id) REFERENCES users (id) ON DELETE RESTRICT;
-- undo:
ALTER TABLE orders DROP FOREIGN KEY orders_referrer;
ALTER TABLE orders ADD CONSTRAINT orders_referrer FOREIGN KEY (referrer_id) REFERENCES users (id) ON DELETE SET NULL;
-- injury: a check is dropped
-- at: constraints users.users_adult: removed
ALTER TABLE users DROP CONSTRAINT users_adult;
-- undo:
ALTER TABLE users ADD CONSTRAINT users_adult CHECK (age > 17);
-- injury: a check is relaxed
-- at: constraints users.users_adult: definition
ALTER TABLE users DROP CONSTRAINT users_adult;
ALTER TABLE users ADD CONSTRAINT users_adult CHECK (age > 16);
-- undo:
ALTER TABLE users DROP CONSTRAINT users_adult;
ALTER TABLE users ADD CONSTRAINT users_adult CHECK (age > 17);
-- injury: an index is dropped
-- at: indexes users.users_by_name: removed
DROP INDEX users_by_name ON users;
-- undo:
CREATE INDEX users_by_name ON users (name(10), age DESC);
-- injury: an index is left behind
-- at: indexes former_users.left_behind: added
CREATE INDEX left_behind ON former_users (status);
-- undo:
DROP INDEX left_behind ON former_users;
-- injury: an index covers a shorter prefix
-- at: indexes users.users_by_name: definition
DROP INDEX users_by_name ON users;
CREATE INDEX users_by_name ON users (name(9), age DESC);
-- undo:
DROP INDEX users_by_name ON users;
CREATE INDEX users_by_name ON users (name(10), age DESC);
-- injury: an index loses its direction
-- at: indexes users.users_by_name: definition
DROP INDEX users_by_name ON users;
CREATE INDEX users_by_name ON users (name(10), age);
-- undo:
DROP INDEX users_by_name ON users;
CREATE INDEX users_by_name ON users (name(10), age DESC);
-- injury: an index changes the order of its columns
-- at: indexes users.users_by_status: definition
DROP INDEX users_by_status ON users;
CREATE INDEX users_by_status ON users (age, status) COMMENT 'for lists';
-- undo:
DROP INDEX users_by_status ON users;
CREATE INDEX users_by_status ON users (status, age) COMMENT 'for lists';
-- injury: an index loses its comment
-- at: indexes users.users_by_status: comment
DROP INDEX users_by_status ON users;
CREATE INDEX users_by_status ON users (status, age);
-- undo:
DROP INDEX users_by_status ON users;
CREATE INDEX users_by_status ON users (status, age) COMMENT 'for lists';
-- injury: a full-text index becomes ordinary
-- at: indexes orders.orders_words: definition
DROP INDEX orders_words ON orders;
CREATE INDEX orders_words ON orders (note);
-- undo:
DROP INDEX orders_words ON orders;
CREATE FULLTEXT INDEX orders_words ON orders (note);
-- injury: a spatial index is dropped
-- at: indexes places.places_spot: removed
DROP INDEX places_spot ON places;
-- undo:
CREATE SPATIAL INDEX places_spot ON places (spot);
-- injury: a partition bound moves
-- at: objects partition events_log.p2025: definition
ALTER TABLE events_log REORGANIZE PARTITION p2025, rest INTO (PARTITION p2025 VALUES LESS THAN (2027), PARTITION rest VALUES LESS THAN MAXVALUE);
-- undo:
RECREATE events_log;
-- injury: a partition is dropped
-- at: objects partition events_log.p2025: removed
-- at: tables events_log: rows
-- also: objects partition events_log.rest: definition
ALTER TABLE events_log DROP PARTITION p2025;
-- undo:
RECREATE events_log;
-- injury: partitioning is removed
-- at: tables events_log: *
-- also: objects partition events_log.*: removed
ALTER TABLE events_log REMOVE PARTITIONING;
-- undo:
RECREATE events_log;
-- injury: partitions follow another expression
-- at: objects partition events_log.p2024: definition
-- also: objects partition events_log.*: *
ALTER TABLE events_log PARTITION BY RANGE (MONTH(placed)) (PARTITION p2024 VALUES LESS THAN (6), PARTITION p2025 VALUES LESS THAN (9), PARTITION rest VALUES LESS THAN MAXVALUE);
-- undo:
RECREATE events_log;

-- Views, triggers, routines, events, rights.
-- injury: a view is dropped
-- at: objects view spenders: removed
-- also: columns spenders.*: removed
DROP VIEW spenders;
-- undo:
CREATE ALGORITHM=TEMPTABLE VIEW spenders AS SELECT user_id, SUM(total) AS spent FROM orders GROUP BY user_id;
-- injury: a view sums something else
-- at: objects view spenders: definition
ALTER ALGORITHM=TEMPTABLE VIEW spenders AS SELECT user_id, MAX(total) + 0.00 AS spent FROM orders GROUP BY user_id;
-- also: columns spenders.spent: type
-- undo:
CREATE OR REPLACE ALGORITHM=TEMPTABLE VIEW spenders AS SELECT user_id, SUM(total) AS spent FROM orders GROUP BY user_id;
-- injury: a view runs as its definer
-- at: objects view active_users: definition
ALTER SQL SECURITY DEFINER VIEW active_users AS SELECT id, email, status FROM users WHERE status <> 'gone' WITH CASCADED CHECK OPTION;
-- undo:
ALTER SQL SECURITY INVOKER VIEW active_users AS SELECT id, email, status FROM users WHERE status <> 'gone' WITH CASCADED CHECK OPTION;
-- injury: a view's check option is lost
-- at: objects view active_users: definition
ALTER SQL SECURITY INVOKER VIEW active_users AS SELECT id, email, status FROM users WHERE status <> 'gone';
-- undo:
ALTER SQL SECURITY INVOKER VIEW active_users AS SELECT id, email, status FROM users WHERE status <> 'gone' WITH CASCADED CHECK OPTION;
-- injury: a view's definer changes
-- at: objects view active_users: owner
ALTER DEFINER = verdicts_reader SQL SECURITY INVOKER VIEW active_users AS SELECT id, email, status FROM users WHERE status <> 'gone' WITH CASCADED CHECK OPTION;
-- undo:
ALTER DEFINER = CURRENT_USER SQL SECURITY INVOKER VIEW active_users AS SELECT id, email, status FROM users WHERE status <> 'gone' WITH CASCADED CHECK OPTION;
-- injury: a trigger is dropped
-- at: objects trigger orders_log: removed
DROP TRIGGER orders_log;
-- undo:
CREATE TRIGGER orders_log AFTER DELETE ON orders FOR EACH ROW SET @deleted_order = OLD.id;
-- injury: a trigger fires at another time
-- at: objects trigger orders_log: definition
DROP TRIGGER orders_log;
CREATE TRIGGER orders_log BEFORE DELETE ON orders FOR EACH ROW SET @deleted_order = OLD.id;
-- undo:
DROP TRIGGER orders_log;
CREATE TRIGGER orders_log AFTER DELETE ON orders FOR EACH ROW SET @deleted_order = OLD.id;
-- injury: a trigger does something else
-- at: objects trigger orders_log: definition
DROP TRIGGER orders_log;
CREATE TRIGGER orders_log AFTER DELETE ON orders FOR EACH ROW SET @deleted_order = OLD.user_id;
-- undo:
DROP TRIGGER orders_log;
CREATE TRIGGER orders_log AFTER DELETE ON orders FOR EACH ROW SET @deleted_order = OLD.id;
-- injury: triggers fire in another order
-- at: objects trigger users_second: definition
-- also: objects trigger users_guard: definition
DROP TRIGGER users_second;
CREATE TRIGGER users_second BEFORE UPDATE ON users FOR EACH ROW PRECEDES users_guard SET NEW.status = NEW.status;
-- undo:
DROP TRIGGER users_second;
CREATE TRIGGER users_second BEFORE UPDATE ON users FOR EACH ROW FOLLOWS users_guard SET NEW.status = NEW.status;
-- injury: a trigger is made under another sql_mode
-- at: objects trigger orders_log: definition
SET SESSION sql_mode = '';
DROP TRIGGER orders_log;
CREATE TRIGGER orders_log AFTER DELETE ON orders FOR EACH ROW SET @deleted_order = OLD.id;
-- undo:
SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO';
DROP TRIGGER orders_log;
CREATE TRIGGER orders_log AFTER DELETE ON orders FOR EACH ROW SET @deleted_order = OLD.id;
-- injury: a function is dropped
-- at: objects function plus_one: removed
-- also: objects grant *plus_one: removed
DROP FUNCTION plus_one;
-- undo:
SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO';
CREATE FUNCTION plus_one(a INT) RETURNS INT DETERMINISTIC NO SQL RETURN a + 1;
GRANT EXECUTE ON FUNCTION plus_one TO verdicts_reader;
-- injury: a function computes something else
-- at: objects function plus_one: definition
-- also: objects grant *plus_one: removed
DROP FUNCTION plus_one;
CREATE FUNCTION plus_one(a INT) RETURNS INT DETERMINISTIC NO SQL RETURN a + 2;
-- undo:
DROP FUNCTION plus_one;
SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO';
CREATE FUNCTION plus_one(a INT) RETURNS INT DETERMINISTIC NO SQL RETURN a + 1;
GRANT EXECUTE ON FUNCTION plus_one TO verdicts_reader;
-- injury: a function runs as its invoker
-- at: objects function plus_one: definition
ALTER FUNCTION plus_one SQL SECURITY INVOKER;
-- undo:
ALTER FUNCTION plus_one SQL SECURITY DEFINER;
-- injury: a function reads data
-- at: objects function plus_one: definition
ALTER FUNCTION plus_one READS SQL DATA;
-- undo:
ALTER FUNCTION plus_one NO SQL;
-- injury: a procedure is dropped
-- at: objects procedure tidy: removed
-- also: objects grant *tidy: removed
DROP PROCEDURE tidy;
-- undo:
SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO';
CREATE PROCEDURE tidy(IN a INT, OUT b INT) READS SQL DATA SQL SECURITY INVOKER COMMENT 'tidies' SELECT a INTO b;
-- injury: a procedure's comment changes
-- at: objects procedure tidy: comment
ALTER PROCEDURE tidy COMMENT 'cleans';
-- undo:
ALTER PROCEDURE tidy COMMENT 'tidies';
-- injury: an event is dropped
-- at: objects event nightly: removed
DROP EVENT nightly;
-- undo:
SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00';
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' ON COMPLETION PRESERVE DISABLE COMMENT 'sweeps' DO DELETE FROM nothing_yet;
-- injury: an event is enabled
-- at: objects event nightly: definition
ALTER EVENT nightly ENABLE;
-- undo:
SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00';
ALTER EVENT nightly DISABLE;
-- injury: an event comes more often
-- at: objects event nightly: definition
SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00';
ALTER EVENT nightly ON SCHEDULE EVERY 1 HOUR STARTS '2030-01-01 00:00:00';
-- undo:
SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00';
ALTER EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00';
-- injury: an event does something else
-- at: objects event nightly: definition
SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00';
ALTER EVENT nightly DO DELETE FROM former_users;
-- undo:
SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00';
ALTER EVENT nightly DO DELETE FROM nothing_yet;
-- injury: an event is not kept
-- at: objects event nightly: definition
SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00';
ALTER EVENT nightly ON COMPLETION NOT PRESERVE;
-- undo:
SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00';
ALTER EVENT nightly ON COMPLETION PRESERVE;
-- injury: a grant on a table is removed
-- at: objects grant 'verdicts_reader'@'%' on users: definition
REVOKE INSERT ON users FROM verdicts_reader;
-- undo:
GRANT INSERT ON users TO verdicts_reader;
-- injury: a grant option is removed
-- at: objects grant 'verdicts_reader'@'%' on users: definition
REVOKE GRANT OPTION ON users FROM verdicts_reader;
-- undo:
GRANT SELECT ON users TO verdicts_reader WITH GRANT OPTION;
-- injury: a grant on a column is removed
-- at: objects grant 'verdicts_reader'@'%' on users: definition
REVOKE UPDATE (email) ON users FROM verdicts_reader;
-- undo:
GRANT UPDATE (email) ON users TO verdicts_reader;
-- injury: a grant on the database is removed
-- at: objects grant 'verdicts_reader'@'%' on **: removed
REVOKE SHOW VIEW ON `{database}`.* FROM verdicts_reader;
-- undo:
GRANT SHOW VIEW ON `{database}`.* TO verdicts_reader;
-- injury: a table is opened
-- at: objects grant 'verdicts_reader'@'%' on orders: added
GRANT DELETE ON orders TO verdicts_reader;
-- undo:
REVOKE DELETE ON orders FROM verdicts_reader;
-- injury: a grant on a function is removed
-- at: objects grant *plus_one: removed
REVOKE EXECUTE ON FUNCTION plus_one FROM verdicts_reader;
-- undo:
GRANT EXECUTE ON FUNCTION plus_one TO verdicts_reader;
-- injury: the database's collation changes
-- at: objects database settings: definition
ALTER DATABASE `{database}` COLLATE utf8mb4_general_ci;
-- undo:
ALTER DATABASE `{database}` COLLATE utf8mb4_unicode_ci;
-- injury: the database's character set changes
-- at: objects database settings: definition
ALTER DATABASE `{database}` CHARACTER SET latin1;
-- undo:
ALTER DATABASE `{database}` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
