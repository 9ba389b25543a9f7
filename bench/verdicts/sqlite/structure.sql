-- Objects.
-- injury: a table is dropped
-- at: tables nothing_yet: removed
-- also: columns nothing_yet.*: removed
-- also: constraints nothing_yet.*: removed
DROP TABLE nothing_yet;
-- injury: a table is added
-- at: tables left_behind: added
-- also: columns left_behind.*: added
CREATE TABLE left_behind (x);
-- injury: a table is renamed
-- at: tables strictly_2: renamed
ALTER TABLE strictly RENAME TO strictly_2;
-- injury: an empty table is renamed
-- at: tables nothing_yet: removed
-- at: tables nothing_now: added
-- also: columns nothing_*: *
-- also: constraints nothing_*: *
ALTER TABLE nothing_yet RENAME TO nothing_now;
-- injury: a virtual table is dropped
-- at: tables boxes: removed
-- also: columns boxes.*: removed
DROP TABLE boxes;
-- injury: a virtual table loses its tokenizer
-- at: tables documents: options
DROP TABLE documents;
CREATE VIRTUAL TABLE documents USING fts5 (title, body);
INSERT INTO documents (title, body) VALUES ('first', 'running and jumping'), ('second', 'sleeping'), ('third', 'eating');
-- injury: a column is dropped
-- at: columns users.age: removed
-- also: constraints users.check(age > 0): removed
DROP INDEX users_by_status;
ALTER TABLE users DROP COLUMN age;
CREATE INDEX users_by_status ON users (status, id DESC);
-- also: indexes users.users_by_status: definition
-- also: indexes users.users_by_status: changed
-- injury: a column is added
-- at: columns nothing_yet.extra: added
ALTER TABLE nothing_yet ADD COLUMN extra TEXT;
-- injury: a column is renamed
-- at: columns countries.surface: renamed
ALTER TABLE countries RENAME COLUMN area TO surface;
-- injury: a default is lost
-- at: columns nothing_yet.label: default
DROP TABLE nothing_yet;
CREATE TABLE nothing_yet (id INTEGER PRIMARY KEY, label TEXT);
-- injury: a default changes
-- at: columns nothing_yet.label: default
DROP TABLE nothing_yet;
CREATE TABLE nothing_yet (id INTEGER PRIMARY KEY, label TEXT DEFAULT 'None');
-- injury: a default becomes a number
-- at: columns nothing_yet.label: default
DROP TABLE nothing_yet;
CREATE TABLE nothing_yet (id INTEGER PRIMARY KEY, label TEXT DEFAULT 0);
-- injury: a type changes
-- at: columns nothing_yet.label: type
DROP TABLE nothing_yet;
CREATE TABLE nothing_yet (id INTEGER PRIMARY KEY, label VARCHAR DEFAULT 'none');
-- injury: a type length changes
-- at: columns deleted_log.email: type
DROP TABLE deleted_log;
CREATE TABLE deleted_log (id INTEGER PRIMARY KEY, email TEXT(10), at TEXT);
-- injury: columns change their order
-- at: columns deleted_log.email: position
-- at: columns deleted_log.at: position
DROP TABLE deleted_log;
CREATE TABLE deleted_log (id INTEGER PRIMARY KEY, at TEXT, email TEXT);
-- injury: NOT NULL is added
-- at: columns deleted_log.email: nullable
DROP TABLE deleted_log;
CREATE TABLE deleted_log (id INTEGER PRIMARY KEY, email TEXT NOT NULL, at TEXT);
-- injury: a key becomes AUTOINCREMENT
-- at: columns deleted_log.id: identity
-- also: objects sequence deleted_log: added
DROP TABLE deleted_log;
CREATE TABLE deleted_log (id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT, at TEXT);
-- injury: a key is no longer the rowid
-- at: columns deleted_log.id: identity
-- also: columns deleted_log.id: *
DROP TABLE deleted_log;
CREATE TABLE deleted_log (id INT PRIMARY KEY, email TEXT, at TEXT);
-- injury: a primary key is lost
-- at: constraints deleted_log.pk(id): removed
-- also: columns deleted_log.*: *
-- also: tables deleted_log: *
DROP TABLE deleted_log;
CREATE TABLE deleted_log (id INTEGER, email TEXT, at TEXT);
-- injury: a primary key goes the other way
-- at: constraints deleted_log.pk(id): definition
-- also: columns deleted_log.id: *
DROP TABLE deleted_log;
CREATE TABLE deleted_log (id INTEGER PRIMARY KEY DESC, email TEXT, at TEXT);
-- injury: a table becomes STRICT
-- at: tables deleted_log: options
DROP TABLE deleted_log;
CREATE TABLE deleted_log (id INTEGER PRIMARY KEY, email TEXT, at TEXT) STRICT;
-- injury: a table becomes WITHOUT ROWID
-- at: tables deleted_log: options
-- also: columns deleted_log.id: *
DROP TABLE deleted_log;
CREATE TABLE deleted_log (id INTEGER PRIMARY KEY, email TEXT, at TEXT) WITHOUT ROWID;
-- injury: STRICT is lost
-- also: columns strictly.payload: data
-- at: tables strictly: options
ALTER TABLE strictly RENAME TO old;
CREATE TABLE strictly (id INTEGER PRIMARY KEY, amount INTEGER NOT NULL, label TEXT, payload ANY);
INSERT INTO strictly SELECT * FROM old;
DROP TABLE old;
-- injury: WITHOUT ROWID is lost
-- at: tables countries: options
ALTER TABLE countries RENAME TO old;
CREATE TABLE countries (code TEXT PRIMARY KEY NOT NULL, label TEXT NOT NULL, area REAL);
INSERT INTO countries SELECT * FROM old;
DROP TABLE old;
-- injury: NOT NULL is lost
-- at: columns countries.label: nullable
ALTER TABLE countries RENAME TO old;
CREATE TABLE countries (code TEXT PRIMARY KEY NOT NULL, label TEXT, area REAL) WITHOUT ROWID;
INSERT INTO countries SELECT * FROM old;
DROP TABLE old;
-- injury: a collation is added
-- at: columns countries.label: collation
ALTER TABLE countries RENAME TO old;
CREATE TABLE countries (code TEXT PRIMARY KEY NOT NULL, label TEXT NOT NULL COLLATE NOCASE, area REAL) WITHOUT ROWID;
INSERT INTO countries SELECT * FROM old;
DROP TABLE old;
-- injury: a key's collation changes
-- at: columns countries.code: collation
ALTER TABLE countries RENAME TO old;
CREATE TABLE countries (code TEXT COLLATE RTRIM PRIMARY KEY NOT NULL, label TEXT NOT NULL, area REAL) WITHOUT ROWID;
INSERT INTO countries SELECT * FROM old;
DROP TABLE old;
-- injury: a type changes and values with it
-- at: columns countries.area: type
-- at: columns countries.area: data
ALTER TABLE countries RENAME TO old;
CREATE TABLE countries (code TEXT PRIMARY KEY NOT NULL, label TEXT NOT NULL, area INTEGER) WITHOUT ROWID;
INSERT INTO countries SELECT code, label, CAST(area AS INTEGER) FROM old;
DROP TABLE old;
-- injury: a unique constraint is lost
-- at: constraints slots.unique(room, starts): removed
-- also: columns slots.*: *
-- also: tables slots: *
ALTER TABLE slots RENAME TO old;
CREATE TABLE slots (room TEXT NOT NULL, starts INTEGER NOT NULL, holder TEXT);
INSERT INTO slots SELECT * FROM old;
DROP TABLE old;
-- injury: a unique constraint covers another column
-- at: constraints slots.unique(room, starts): removed
-- at: constraints slots.unique(starts): added
-- also: columns slots.*: *
-- also: tables slots: *
ALTER TABLE slots RENAME TO old;
CREATE TABLE slots (room TEXT NOT NULL, starts INTEGER NOT NULL, holder TEXT, UNIQUE (starts) ON CONFLICT REPLACE);
INSERT INTO slots SELECT * FROM old;
DROP TABLE old;
-- injury: a unique constraint loses its conflict clause
-- at: constraints slots.unique(room, starts): definition
ALTER TABLE slots RENAME TO old;
CREATE TABLE slots (room TEXT NOT NULL, starts INTEGER NOT NULL, holder TEXT, UNIQUE (room, starts));
INSERT INTO slots SELECT * FROM old;
DROP TABLE old;
-- injury: a foreign key is lost
-- at: constraints order_items.fk(order_id → orders.id): removed
-- also: orphans order_items.fk(order_id → orders.id): *
ALTER TABLE order_items RENAME TO old;
CREATE TABLE order_items (order_id INTEGER NOT NULL, line INTEGER NOT NULL, sku TEXT NOT NULL, quantity INTEGER NOT NULL, PRIMARY KEY (order_id, line)) WITHOUT ROWID;
INSERT INTO order_items SELECT * FROM old;
DROP TABLE old;
-- injury: ON DELETE CASCADE becomes RESTRICT
-- at: constraints order_items.fk(order_id → orders.id): on_delete
ALTER TABLE order_items RENAME TO old;
CREATE TABLE order_items (order_id INTEGER NOT NULL REFERENCES orders (id) ON DELETE RESTRICT, line INTEGER NOT NULL, sku TEXT NOT NULL, quantity INTEGER NOT NULL, PRIMARY KEY (order_id, line)) WITHOUT ROWID;
INSERT INTO order_items SELECT * FROM old;
DROP TABLE old;
-- injury: ON UPDATE is added
-- at: constraints order_items.fk(order_id → orders.id): on_update
ALTER TABLE order_items RENAME TO old;
CREATE TABLE order_items (order_id INTEGER NOT NULL REFERENCES orders (id) ON UPDATE SET DEFAULT ON DELETE CASCADE, line INTEGER NOT NULL, sku TEXT NOT NULL, quantity INTEGER NOT NULL, PRIMARY KEY (order_id, line)) WITHOUT ROWID;
INSERT INTO order_items SELECT * FROM old;
DROP TABLE old;
-- injury: a foreign key becomes deferred
-- at: constraints order_items.fk(order_id → orders.id): definition
ALTER TABLE order_items RENAME TO old;
CREATE TABLE order_items (order_id INTEGER NOT NULL REFERENCES orders (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED, line INTEGER NOT NULL, sku TEXT NOT NULL, quantity INTEGER NOT NULL, PRIMARY KEY (order_id, line)) WITHOUT ROWID;
INSERT INTO order_items SELECT * FROM old;
DROP TABLE old;
-- injury: a primary key's columns change places
-- at: constraints order_items.pk(order_id, line): removed
-- at: constraints order_items.pk(line, order_id): added
ALTER TABLE order_items RENAME TO old;
CREATE TABLE order_items (order_id INTEGER NOT NULL REFERENCES orders (id) ON DELETE CASCADE, line INTEGER NOT NULL, sku TEXT NOT NULL, quantity INTEGER NOT NULL, PRIMARY KEY (line, order_id)) WITHOUT ROWID;
INSERT INTO order_items SELECT * FROM old;
DROP TABLE old;
-- injury: a check is lost
-- at: constraints kinds.check(c_enum IN ('new', 'paid', 'gone')): removed
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, ' CHECK (c_enum IN (''new'', ''paid'', ''gone''))', '') WHERE name = 'kinds';
-- injury: a check forgets a value
-- at: constraints kinds.check(c_enum IN ('new', 'paid')): added
-- also: constraints kinds.check(*: removed
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, ', ''gone''', '') WHERE name = 'kinds';
-- injury: a named check is relaxed
-- at: constraints users.name_is_short: definition
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, 'length(name) < 100', 'length(name) <= 100') WHERE name = 'users';
-- injury: a constraint loses its name
-- at: constraints orders.check(total >= 0): renamed
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, 'CONSTRAINT total_is_positive ', '') WHERE name = 'orders';
-- injury: a generated column computes something else
-- at: columns kinds.c_virtual: generated
-- at: columns kinds.c_virtual: data
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, 'lower(c_text)', 'upper(c_text)') WHERE name = 'kinds';
-- injury: a column's collation is lost
-- at: columns kinds.c_varchar: collation
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, 'VARCHAR(200) COLLATE NOCASE', 'VARCHAR(200)') WHERE name = 'kinds';
-- injury: an index is dropped
-- at: indexes users.users_by_name: removed
DROP INDEX users_by_name;
-- injury: an index is left behind
-- at: indexes users.users_temporary: added
CREATE INDEX users_temporary ON users (status);
-- injury: an index is no longer unique
-- at: indexes users.users_lower_email: unique
DROP INDEX users_lower_email;
CREATE INDEX users_lower_email ON users (lower(email));
-- injury: an index loses its expression
-- at: indexes users.users_lower_email: definition
DROP INDEX users_lower_email;
CREATE UNIQUE INDEX users_lower_email ON users (email);
-- injury: an index loses its direction
-- at: indexes users.users_by_status: definition
DROP INDEX users_by_status;
CREATE INDEX users_by_status ON users (status, age);
-- injury: an index changes the order of its columns
-- at: indexes orders.orders_by_user: definition
DROP INDEX orders_by_user;
CREATE INDEX orders_by_user ON orders (total, user_id);
-- injury: an index loses its condition
-- at: indexes orders.orders_large: definition
DROP INDEX orders_large;
CREATE INDEX orders_large ON orders (placed_at);
-- injury: an index has another condition
-- at: indexes orders.orders_large: definition
DROP INDEX orders_large;
CREATE INDEX orders_large ON orders (placed_at) WHERE total > 1000;
-- injury: an index loses its collation
-- at: indexes orders.orders_by_note: definition
DROP INDEX orders_by_note;
CREATE INDEX orders_by_note ON orders (note);
-- injury: an index stands on another table
-- at: indexes users.users_by_name: removed
-- at: indexes former_users.users_by_name: added
DROP INDEX users_by_name;
CREATE INDEX users_by_name ON former_users (name);
-- injury: a view is dropped
-- at: objects view spenders: removed
-- also: columns spenders.*: removed
DROP VIEW spenders;
-- injury: a view sums something else
-- at: objects view spenders: definition
DROP VIEW spenders;
CREATE VIEW spenders AS SELECT u.id, u.email, max(o.total) AS spent FROM users u JOIN orders o ON o.user_id = u.id GROUP BY u.id;
-- injury: a view has another boundary
-- at: objects view cheap_orders: definition
-- also: objects trigger cheap_insert on cheap_orders: removed
DROP VIEW cheap_orders;
CREATE VIEW cheap_orders (order_id, price) AS SELECT id, total FROM orders WHERE total < 100;
-- injury: a view loses a column
-- at: columns spenders.spent: removed
-- also: objects view spenders: *
DROP VIEW spenders;
CREATE VIEW spenders AS SELECT u.id, u.email FROM users u JOIN orders o ON o.user_id = u.id GROUP BY u.id;
-- injury: a trigger is dropped
-- at: objects trigger users_log on users: removed
DROP TRIGGER users_log;
-- injury: a trigger fires at another time
-- at: objects trigger users_log on users: definition
DROP TRIGGER users_log;
CREATE TRIGGER users_log BEFORE DELETE ON users BEGIN INSERT INTO deleted_log (email) VALUES (old.email); END;
-- injury: a trigger loses its condition
-- at: objects trigger orders_guard on orders: definition
DROP TRIGGER orders_guard;
CREATE TRIGGER orders_guard BEFORE UPDATE OF total ON orders BEGIN SELECT RAISE(ABORT, 'negative'); END;
-- injury: a trigger writes something else
-- at: objects trigger users_log on users: definition
DROP TRIGGER users_log;
CREATE TRIGGER users_log AFTER DELETE ON users BEGIN INSERT INTO deleted_log (email) VALUES ('old.email'); END;
-- injury: an INSTEAD OF trigger is dropped
-- at: objects trigger cheap_insert on cheap_orders: removed
DROP TRIGGER cheap_insert;
-- injury: a trigger is left behind
-- at: objects trigger left_behind on orders: added
CREATE TRIGGER left_behind AFTER INSERT ON orders BEGIN SELECT 1; END;
-- injury: a sequence is set back
-- at: objects sequence users: value
UPDATE sqlite_sequence SET seq = 5 WHERE name = 'users';
-- injury: a sequence is forgotten
-- at: objects sequence users: value
DELETE FROM sqlite_sequence;
-- injury: the user version is set back
-- at: objects pragma user_version: definition
PRAGMA user_version = 11;
-- injury: the application id changes
-- at: objects pragma application_id: definition
PRAGMA application_id = 0;
-- injury: the page size changes
-- at: objects pragma page_size: definition
PRAGMA page_size = 4096;
VACUUM;
-- injury: auto-vacuum is switched off
-- at: objects pragma auto_vacuum: definition
PRAGMA auto_vacuum = NONE;
VACUUM;
-- injury: the journal mode becomes WAL
-- at: objects pragma journal_mode: definition
PRAGMA journal_mode = WAL;
