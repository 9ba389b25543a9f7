-- harmless: OPTIMIZE TABLE
OPTIMIZE TABLE users, kinds, former_users;
-- harmless: ANALYZE TABLE
ANALYZE TABLE users, kinds, orders;
-- harmless: CHECK TABLE
CHECK TABLE users;
-- harmless: CHECKSUM TABLE
CHECKSUM TABLE users;
-- harmless: REPAIR TABLE
REPAIR TABLE old_style;
-- harmless: FLUSH TABLES
FLUSH TABLES;
-- harmless: a table is rewritten
ALTER TABLE users FORCE;
-- harmless: a table is rebuilt on its engine
ALTER TABLE former_users ENGINE=InnoDB;
-- harmless: partitions are rebuilt
ALTER TABLE events_log REBUILD PARTITION ALL;
-- harmless: partitions are reorganised into the same
ALTER TABLE events_log REORGANIZE PARTITION p2025 INTO (PARTITION p2025 VALUES LESS THAN (2026));
-- harmless: keys off and on
ALTER TABLE old_style DISABLE KEYS;
ALTER TABLE old_style ENABLE KEYS;
-- harmless: an update that changes nothing
UPDATE kinds SET c_text = c_text, c_json = c_json, c_double = c_double;
-- harmless: an update there and back
UPDATE kinds SET c_int = c_int + 1;
UPDATE kinds SET c_int = c_int - 1;
-- harmless: rows deleted and inserted in another order
CREATE TEMPORARY TABLE kept AS SELECT * FROM former_users;
DELETE FROM former_users;
INSERT INTO former_users SELECT * FROM kept ORDER BY id DESC;
-- harmless: rows of a keyless table in another order
CREATE TEMPORARY TABLE kept_too AS SELECT * FROM measurements;
TRUNCATE TABLE measurements;
INSERT INTO measurements SELECT * FROM kept_too ORDER BY reading DESC;
-- harmless: a table ordered otherwise
ALTER TABLE measurements ORDER BY sensor, reading DESC;
-- harmless: a row inserted and deleted
INSERT INTO orders (user_id, total) VALUES (1, 1);
DELETE FROM orders WHERE id > 280;
-- harmless: AUTO_INCREMENT advances
ALTER TABLE users AUTO_INCREMENT = 1000000;
-- harmless: REPLACE by the same
CREATE TEMPORARY TABLE the_same AS SELECT * FROM countries;
REPLACE INTO countries SELECT * FROM the_same;
-- harmless: a transaction is rolled back
START TRANSACTION;
DELETE FROM former_users;
UPDATE kinds SET c_int = 0;
ROLLBACK;
-- harmless: a column added and dropped
ALTER TABLE former_users ADD COLUMN passing INT DEFAULT 1;
ALTER TABLE former_users DROP COLUMN passing;
-- harmless: an index made and dropped
CREATE INDEX passing ON users (age);
DROP INDEX passing ON users;
-- harmless: an index dropped and made
DROP INDEX users_by_status ON users;
CREATE INDEX users_by_status USING BTREE ON users (status ASC, age ASC) COMMENT 'for lists';
-- harmless: an index renamed there and back
ALTER TABLE users RENAME INDEX users_by_name TO passing;
ALTER TABLE users RENAME INDEX passing TO users_by_name;
-- harmless: a table made and dropped
CREATE TABLE passing (x INT);
DROP TABLE passing;
-- harmless: a temporary table stays
CREATE TEMPORARY TABLE staying (x INT);
-- harmless: a table renamed there and back
RENAME TABLE former_users TO passing;
RENAME TABLE passing TO former_users;
-- harmless: a column renamed there and back
ALTER TABLE former_users RENAME COLUMN status TO passing;
ALTER TABLE former_users RENAME COLUMN passing TO status;
-- harmless: a column moved there and back
ALTER TABLE former_users MODIFY age INT AFTER id;
ALTER TABLE former_users MODIFY age INT AFTER status;
-- harmless: a foreign key dropped and added
ALTER TABLE orders DROP FOREIGN KEY orders_user;
ALTER TABLE orders ADD CONSTRAINT orders_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE RESTRICT ON UPDATE CASCADE;
-- harmless: a check dropped and added, written differently
ALTER TABLE users DROP CONSTRAINT users_adult;
ALTER TABLE users ADD CONSTRAINT users_adult CHECK (((  age>17 )));
-- harmless: a default set again
ALTER TABLE users ALTER status SET DEFAULT 'new';
-- harmless: a type written differently
ALTER TABLE former_users MODIFY age INTEGER NULL DEFAULT NULL;
-- harmless: a grant made again
GRANT SELECT, INSERT ON users TO verdicts_reader WITH GRANT OPTION;
-- harmless: a right granted and revoked
GRANT DELETE ON former_users TO verdicts_reader;
REVOKE DELETE ON former_users FROM verdicts_reader;
-- harmless: a view replaced by itself, written differently
CREATE OR REPLACE ALGORITHM=TEMPTABLE VIEW spenders AS select orders.user_id, sum(orders.total) spent from orders group by orders.user_id;
-- harmless: a trigger dropped and made
SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO';
DROP TRIGGER orders_log;
CREATE TRIGGER orders_log AFTER DELETE ON orders FOR EACH ROW SET @deleted_order = OLD.id;
-- harmless: an event enabled and disabled
SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00';
ALTER EVENT nightly ENABLE;
ALTER EVENT nightly DISABLE;
-- harmless: read again
-- harmless: read in another time zone
-- reads with: SET time_zone = '+05:45'
-- harmless: read under another sql_mode
-- reads with: SET sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES'
-- harmless: read under a traditional sql_mode
-- reads with: SET sql_mode = 'TRADITIONAL'
-- harmless: read with padded CHAR
-- reads with: SET sql_mode = 'PAD_CHAR_TO_FULL_LENGTH'
-- harmless: read in another character set
-- reads with: SET NAMES latin1
-- harmless: read under another collation
-- reads with: SET collation_connection = 'utf8mb4_bin'
-- harmless: read under another isolation level
-- reads with: SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED
-- harmless: read without autocommit
-- reads with: SET autocommit = 0
-- harmless: read with a small GROUP_CONCAT
-- reads with: SET group_concat_max_len = 4
-- harmless: read with few digits after a division
-- reads with: SET div_precision_increment = 1
-- harmless: read in another language
-- reads with: SET lc_time_names = 'de_DE'
-- harmless: read with unsafe big selects off
-- reads with: SET sql_big_selects = 1, max_join_size = 18446744073709551615
-- harmless: read with another plan
-- reads with: SET optimizer_switch = 'index_merge=off,mrr=on'
-- harmless: read by another user with all rights
-- reads as: verdicts_twin
-- harmless: read through another character set
-- reads through: charset=latin1
-- harmless: read through a longer timeout
-- reads through: connect_timeout=20
-- harmless: copied by migkit
-- tool: clone
-- A clone is made for who makes it: nobody else has rights to it.
-- also: objects grant *: removed
