-- harmless: VACUUM
VACUUM;
-- harmless: ANALYZE
ANALYZE;
-- harmless: ANALYZE of one table
ANALYZE users;
-- harmless: optimize
PRAGMA optimize;
-- harmless: REINDEX
REINDEX;
-- harmless: REINDEX of one collation
REINDEX NOCASE;
-- harmless: incremental vacuum
PRAGMA incremental_vacuum;
-- harmless: integrity check
PRAGMA integrity_check;
-- harmless: foreign key check
PRAGMA foreign_key_check;
-- harmless: a full-text index is optimised
INSERT INTO documents (documents) VALUES ('optimize');
-- harmless: a full-text index is rebuilt
INSERT INTO documents (documents) VALUES ('rebuild');
-- harmless: an update that changes nothing
UPDATE kinds SET c_int = c_int, c_text = c_text, c_blob = c_blob;
-- harmless: an update there and back
UPDATE kinds SET c_int = c_int + 1;
UPDATE kinds SET c_int = c_int - 1;
-- harmless: rows deleted and inserted in another order
CREATE TEMP TABLE kept AS SELECT * FROM former_users;
DELETE FROM former_users;
INSERT INTO former_users SELECT * FROM kept ORDER BY id DESC;
-- harmless: rows of a keyless table in another order
CREATE TABLE kept_too AS SELECT * FROM measurements;
DELETE FROM measurements;
INSERT INTO measurements SELECT * FROM kept_too ORDER BY reading DESC;
DROP TABLE kept_too;
-- harmless: a row inserted and deleted
INSERT INTO orders (id, user_id, total, placed_at) VALUES (1000000, 1, 1, 'x');
DELETE FROM orders WHERE id = 1000000;
-- harmless: a sequence advances
INSERT INTO users (email) VALUES ('passing');
DELETE FROM users WHERE email = 'passing';
DELETE FROM deleted_log;
-- harmless: a replace by the same
REPLACE INTO countries SELECT * FROM countries;
-- harmless: a transaction is rolled back
BEGIN;
DELETE FROM measurements;
DROP TABLE nothing_yet;
ROLLBACK;
-- harmless: a savepoint is rolled back
BEGIN;
SAVEPOINT s;
UPDATE users SET name = 'x';
ROLLBACK TO s;
COMMIT;
-- harmless: a column added and dropped
ALTER TABLE former_users ADD COLUMN passing TEXT DEFAULT 'x';
ALTER TABLE former_users DROP COLUMN passing;
-- harmless: an index made and dropped
CREATE INDEX passing ON users (age);
DROP INDEX passing;
-- harmless: an index dropped and made
DROP INDEX users_by_name;
CREATE INDEX users_by_name ON users (name);
-- harmless: an index written differently
DROP INDEX users_by_name;
CREATE INDEX IF NOT EXISTS "users_by_name"
    on "users" ( "name"  /* as people know them */ );
-- harmless: a table made and dropped
CREATE TABLE passing (x);
DROP TABLE passing;
-- harmless: a table renamed there and back
ALTER TABLE former_users RENAME TO passing;
ALTER TABLE passing RENAME TO former_users;
-- harmless: a column renamed there and back
ALTER TABLE orders RENAME COLUMN note TO passing;
ALTER TABLE orders RENAME COLUMN passing TO note;
-- harmless: a trigger dropped and made, written differently
DROP TRIGGER users_log;
CREATE TRIGGER IF NOT EXISTS users_log after delete ON "users" begin INSERT INTO deleted_log (email) VALUES (old.email); end;
-- harmless: a view dropped and made
DROP VIEW spenders;
CREATE VIEW spenders AS SELECT u.id, u.email, sum(o.total) AS spent FROM users u
  JOIN orders o ON o.user_id = u.id   GROUP BY u.id;
-- harmless: a table rebuilt as SQLite recommends
PRAGMA foreign_keys = OFF;
CREATE TABLE passing (code TEXT NOT NULL, label TEXT NOT NULL, area REAL, PRIMARY KEY (code)) WITHOUT ROWID;
INSERT INTO passing SELECT * FROM countries;
DROP TABLE countries;
ALTER TABLE passing RENAME TO countries;
-- harmless: a temporary table stays
CREATE TEMP TABLE staying (x);
-- harmless: sqlite_stat1 is emptied
ANALYZE;
DELETE FROM sqlite_stat1;
-- harmless: a page cache size
PRAGMA cache_size = 100;
-- harmless: a busy timeout
PRAGMA busy_timeout = 100;
-- harmless: a journal kept between transactions
PRAGMA journal_mode = PERSIST;
UPDATE users SET age = age WHERE id = 1;
-- harmless: WAL there and back
PRAGMA journal_mode = WAL;
UPDATE users SET age = age WHERE id = 1;
PRAGMA journal_mode = DELETE;
-- harmless: free pages
CREATE TABLE passing AS SELECT * FROM kinds;
DROP TABLE passing;
-- harmless: the file shrinks
PRAGMA incremental_vacuum(5);
-- harmless: read again
-- harmless: read with foreign keys on
-- reads with: PRAGMA foreign_keys = ON
-- harmless: read with case-sensitive LIKE
-- reads with: PRAGMA case_sensitive_like = ON
-- harmless: read in reverse order of unordered selects
-- reads with: PRAGMA reverse_unordered_selects = ON
-- harmless: read with a small cache
-- reads with: PRAGMA cache_size = 2
-- harmless: read with another temporary store
-- reads with: PRAGMA temp_store = MEMORY
-- harmless: read through a longer timeout
-- reads through: timeout=30
-- harmless: copied by migkit
-- tool: clone
-- harmless: copied by VACUUM INTO
-- tool: vacuum into
-- harmless: dumped and restored by the shell
-- tool: dump
