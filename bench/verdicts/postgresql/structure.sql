-- Tables and columns.
-- injury: a table is dropped
-- at: tables nothing_yet: removed
-- also: columns nothing_yet.*: removed
-- also: constraints nothing_yet.*: removed
-- also: indexes nothing_yet.*: removed
-- also: objects rule no_delete*: removed
DROP TABLE nothing_yet;
-- injury: a table is left behind
-- at: tables left_behind: added
-- also: columns left_behind.*: added
CREATE TABLE left_behind (x integer);
-- injury: a table is renamed
-- at: tables devices_2: renamed
ALTER TABLE devices RENAME TO devices_2;
-- injury: a table changes its schema
-- at: tables shop.devices: *
-- also: tables devices: removed
-- also: columns *devices.*: *
-- also: constraints *devices.*: *
-- also: indexes *devices.*: *
-- also: objects grant *: added
ALTER TABLE devices SET SCHEMA shop;
-- injury: a table changes its owner
-- at: tables devices: owner
ALTER TABLE devices OWNER TO verdicts_owner;
-- injury: a table becomes unlogged
-- at: tables former_users: options
ALTER TABLE former_users SET UNLOGGED;
-- injury: an unlogged table becomes logged
-- at: tables scratch: options
ALTER TABLE scratch SET LOGGED;
-- injury: a storage parameter is lost
-- at: tables users: options
ALTER TABLE users RESET (fillfactor);
-- injury: autovacuum is switched on again
-- at: tables users: options
ALTER TABLE users SET (autovacuum_enabled = on);
-- injury: a table moves to another tablespace
-- at: tables stored_elsewhere: options
ALTER TABLE stored_elsewhere SET TABLESPACE pg_default;
-- injury: an index moves to another tablespace
-- at: indexes users.users_by_age: options
ALTER INDEX users_by_age SET TABLESPACE verdicts_space;
-- injury: a table's comment is lost
-- at: tables users: comment
COMMENT ON TABLE users IS NULL;
-- injury: a column's comment changes
-- at: columns users.email: comment
COMMENT ON COLUMN users.email IS 'where to Write';
-- injury: a table changes its access method
-- at: tables devices: options
ALTER TABLE devices SET ACCESS METHOD heap_again;
-- injury: row security is disabled
-- at: tables payments: options
ALTER TABLE payments DISABLE ROW LEVEL SECURITY;
-- injury: row security is no longer forced
-- at: tables payments: options
ALTER TABLE payments NO FORCE ROW LEVEL SECURITY;
-- injury: the replica identity is lost
-- at: tables payments: options
-- also: indexes payments.payments_pkey: *
ALTER TABLE payments REPLICA IDENTITY DEFAULT;
-- injury: clustering is forgotten
-- at: tables countries: options
-- also: indexes countries.countries_pkey: *
ALTER TABLE countries SET WITHOUT CLUSTER;
-- injury: a child no longer inherits
-- at: tables capitals: options
ALTER TABLE capitals NO INHERIT cities;
-- injury: a table is no longer of its type
-- at: tables places: options
ALTER TABLE places NOT OF;
-- injury: a partition is detached
-- at: tables shop.orders_rest: *
-- also: columns shop.orders_rest.*: *
-- also: constraints shop.orders_rest.*: *
-- also: indexes shop.orders_rest.*: *
-- also: objects trigger touch_orders on orders_rest: *
-- also: orphans shop.orders_rest.*: *
-- also: objects *: *
ALTER TABLE shop.orders DETACH PARTITION shop.orders_rest;
-- injury: a partition bound moves
-- at: tables shop.orders_2025: options
-- also: tables shop.orders_2025: *
-- also: columns shop.orders_2025.*: *
ALTER TABLE shop.orders DETACH PARTITION shop.orders_2025;
ALTER TABLE shop.orders ATTACH PARTITION shop.orders_2025 FOR VALUES FROM ('2025-01-01') TO ('2025-12-31');
-- injury: a partition is added
-- at: tables shop.orders_2026: added
-- also: * shop.orders_2026.*: added
-- also: objects grant shop.table shop.orders_2026*: added
CREATE TABLE shop.orders_2026 PARTITION OF shop.orders FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
-- injury: a column is dropped
-- at: columns users.age: removed
-- also: constraints users.users_adult: removed
-- also: indexes users.users_by_*: removed
-- also: objects statistics users_statistics: removed
-- also: objects large objects*: *
ALTER TABLE users DROP COLUMN age;
-- injury: a column is added
-- at: columns devices.extra: added
ALTER TABLE devices ADD COLUMN extra integer;
-- injury: a column is renamed
-- at: columns countries.surface: renamed
ALTER TABLE countries RENAME COLUMN area TO surface;
-- injury: a column is dropped and added again
-- at: columns former_users.status: *
-- also: columns former_users.age: position
ALTER TABLE former_users DROP COLUMN status;
ALTER TABLE former_users ADD COLUMN status text DEFAULT 'gone';
-- injury: columns change their order
-- at: columns former_users.status: position
-- also: columns former_users.age: *
ALTER TABLE former_users RENAME COLUMN status TO old;
ALTER TABLE former_users ADD COLUMN status text;
UPDATE former_users SET status = old;
ALTER TABLE former_users DROP COLUMN old;
-- injury: a type is widened
-- at: columns former_users.age: type
ALTER TABLE former_users ALTER age TYPE bigint;
-- injury: a type gets a length
-- at: columns former_users.status: type
ALTER TABLE former_users ALTER status TYPE varchar(20);
-- injury: a length is cut, values with it
-- at: columns former_users.name: data
-- at: columns former_users.name: type
ALTER TABLE former_users ALTER name TYPE varchar(8) USING left(name, 8);
-- injury: a scale is cut
-- at: columns kinds.c_numeric: type
-- also: columns kinds.c_numeric: *
-- also: tables kinds: data
ALTER TABLE kinds ALTER c_numeric TYPE numeric(20, 2);
-- injury: a scale is widened
-- at: columns kinds.c_numeric: type
ALTER TABLE kinds ALTER c_numeric TYPE numeric(22, 8);
-- injury: a double becomes a real
-- at: columns kinds.c_double: type
-- at: columns kinds.c_double: data
ALTER TABLE kinds ALTER c_double TYPE real;
-- injury: a timestamp gets a zone, an hour off
-- at: columns kinds.c_stamp: type
-- at: columns kinds.c_stamp: data
ALTER TABLE kinds ALTER c_stamp TYPE timestamptz USING c_stamp AT TIME ZONE 'Europe/Berlin';
-- injury: a zone is lost
-- at: columns kinds.c_zone: type
-- also: columns kinds.c_zone: data
ALTER TABLE kinds ALTER c_zone TYPE timestamp USING c_zone AT TIME ZONE 'UTC';
-- injury: a precision of seconds is cut
-- at: columns kinds.c_time: type
-- at: columns kinds.c_time: data
ALTER TABLE kinds ALTER c_time TYPE time(0);
-- injury: NOT NULL is lost
-- at: columns users.email: nullable
ALTER TABLE users ALTER email DROP NOT NULL;
-- injury: NOT NULL is added
-- at: columns former_users.email: nullable
ALTER TABLE former_users ALTER email SET NOT NULL;
-- injury: NOT NULL that was not validated is added
-- at: constraints former_users.email_there: added
-- also: columns former_users.email: nullable
ALTER TABLE former_users ADD CONSTRAINT email_there NOT NULL email NOT VALID;
-- injury: a default is lost
-- at: columns users.status: default
ALTER TABLE users ALTER status DROP DEFAULT;
-- injury: a default changes
-- at: columns users.status: default
ALTER TABLE users ALTER status SET DEFAULT 'New';
-- injury: a default becomes volatile
-- at: columns users.status: default
ALTER TABLE users ALTER status SET DEFAULT random()::text;
-- injury: an identity is dropped
-- at: columns users.id: identity
-- also: objects sequence users_id_seq: removed
ALTER TABLE users ALTER id DROP IDENTITY;
-- injury: an identity lets itself be overridden
-- at: columns users.id: identity
ALTER TABLE users ALTER id SET GENERATED BY DEFAULT;
-- injury: a serial loses its default
-- at: columns shop.orders.id: default
-- also: columns shop.orders_*.id: default
ALTER TABLE shop.orders ALTER id DROP DEFAULT;
-- injury: a generated column becomes ordinary
-- at: columns users.lower_name: generated
ALTER TABLE users ALTER lower_name DROP EXPRESSION;
-- injury: a generated column computes something else
-- at: columns users.lower_name: generated
-- at: columns users.lower_name: data
ALTER TABLE users ALTER lower_name SET EXPRESSION AS (upper(name));
-- injury: a collation changes
-- at: columns order_items.sku: collation
ALTER TABLE order_items ALTER sku TYPE text COLLATE "default";
-- injury: a collation becomes another of the same kind
-- at: columns kinds.c_accent: collation
ALTER TABLE kinds ALTER c_accent TYPE text COLLATE "POSIX";
-- injury: the storage of a column changes
-- at: columns users.name: options
ALTER TABLE users ALTER name SET STORAGE MAIN;
-- injury: a compression is lost
-- at: columns users.status: options
ALTER TABLE users ALTER status SET COMPRESSION DEFAULT;
-- injury: a statistics target is lost
-- at: columns users.name: options
ALTER TABLE users ALTER name SET STATISTICS -1;
-- injury: a column option is lost
-- at: columns users.email: options
ALTER TABLE users ALTER email RESET (n_distinct);

-- Constraints.
-- injury: a primary key is dropped
-- at: constraints former_users.former_users_pkey: removed
-- also: indexes former_users.former_users_pkey: removed
-- also: constraints former_users.former_users_id_not_null: *
ALTER TABLE former_users DROP CONSTRAINT former_users_pkey;
-- injury: a unique constraint is dropped
-- at: constraints users.users_email: removed
-- also: indexes users.users_email: removed
ALTER TABLE users DROP CONSTRAINT users_email;
-- injury: a unique constraint becomes deferrable
-- at: constraints users.users_email: definition
-- also: indexes users.users_email: *
ALTER TABLE users DROP CONSTRAINT users_email, ADD CONSTRAINT users_email UNIQUE (email) DEFERRABLE;
-- injury: a foreign key is dropped
-- at: constraints payments.payments_user: removed
-- also: orphans payments.payments_user: *
ALTER TABLE payments DROP CONSTRAINT payments_user;
-- injury: a foreign key of a partitioned table is dropped
-- at: constraints shop.orders.orders_user: removed
-- also: constraints shop.orders_*.orders_user: removed
-- also: orphans shop.orders.orders_user: *
ALTER TABLE shop.orders DROP CONSTRAINT orders_user;
-- injury: ON DELETE changes
-- at: constraints payments.payments_user: on_delete
ALTER TABLE payments DROP CONSTRAINT payments_user, ADD CONSTRAINT payments_user FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
-- injury: ON UPDATE is added
-- at: constraints payments.payments_user: on_update
ALTER TABLE payments DROP CONSTRAINT payments_user, ADD CONSTRAINT payments_user FOREIGN KEY (user_id) REFERENCES users ON DELETE SET NULL ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED;
-- injury: a foreign key is no longer deferred
-- at: constraints payments.payments_user: definition
ALTER TABLE payments ALTER CONSTRAINT payments_user NOT DEFERRABLE;
-- injury: a foreign key becomes NOT VALID
-- at: constraints payments.payments_user: validated
ALTER TABLE payments DROP CONSTRAINT payments_user, ADD CONSTRAINT payments_user FOREIGN KEY (user_id) REFERENCES users ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED NOT VALID;
-- injury: a foreign key is no longer enforced
-- at: constraints payments.payments_user: enforced
ALTER TABLE payments ALTER CONSTRAINT payments_user NOT ENFORCED;
-- injury: a foreign key's triggers are disabled
-- at: objects disabled foreign key payments_user on payments: added
-- also: objects trigger checked on payments: *
-- also: objects disabled foreign key refunds_payment on payments: added
ALTER TABLE payments DISABLE TRIGGER ALL;
-- injury: a check is dropped
-- at: constraints payments.payments_amount: removed
ALTER TABLE payments DROP CONSTRAINT payments_amount;
-- injury: a check forgets a value
-- at: constraints payments.payments_method: definition
ALTER TABLE payments DROP CONSTRAINT payments_method, ADD CONSTRAINT payments_method CHECK (method IN ('cash', 'card', 'cheque')) NO INHERIT;
-- injury: a check is inherited now
-- at: constraints payments.payments_method: definition
ALTER TABLE payments DROP CONSTRAINT payments_method, ADD CONSTRAINT payments_method CHECK (method IN ('cash', 'card'));
-- injury: a check becomes NOT VALID
-- at: constraints payments.payments_amount: validated
ALTER TABLE payments DROP CONSTRAINT payments_amount, ADD CONSTRAINT payments_amount CHECK (amount >= 0) NOT VALID;
-- injury: a check is no longer enforced
-- at: constraints payments.payments_amount: enforced
ALTER TABLE payments DROP CONSTRAINT payments_amount, ADD CONSTRAINT payments_amount CHECK (amount >= 0) NOT ENFORCED;
-- injury: a check that was not validated is validated
-- at: constraints payments.payments_small: validated
ALTER TABLE payments VALIDATE CONSTRAINT payments_small;
-- injury: an exclusion is dropped
-- at: constraints bookings.bookings_overlap: removed
-- also: indexes bookings.bookings_overlap: removed
ALTER TABLE bookings DROP CONSTRAINT bookings_overlap;
-- injury: a constraint is renamed
-- at: constraints payments.amount_positive: renamed
ALTER TABLE payments RENAME CONSTRAINT payments_amount TO amount_positive;

-- Indexes.
-- injury: an index is dropped
-- at: indexes users.users_by_name: removed
DROP INDEX users_by_name;
-- injury: an index is left behind
-- at: indexes users.left_behind: added
CREATE INDEX left_behind ON users (status);
-- injury: an index is no longer unique
-- at: indexes users.users_lower_email: unique
DROP INDEX users_lower_email;
CREATE INDEX users_lower_email ON users (lower(email));
-- injury: an index loses its condition
-- at: indexes users.users_by_name: definition
DROP INDEX users_by_name;
CREATE INDEX users_by_name ON users (lower(name), id DESC) INCLUDE (email) WITH (fillfactor = 70);
-- injury: an index no longer includes a column
-- at: indexes users.users_by_name: definition
DROP INDEX users_by_name;
CREATE INDEX users_by_name ON users (lower(name), id DESC) WITH (fillfactor = 70) WHERE age > 20;
-- injury: an index sorts NULLs first
-- at: indexes users.users_by_status: definition
DROP INDEX users_by_status;
CREATE INDEX users_by_status ON users (status, age DESC);
-- injury: an index is of another kind
-- at: indexes users.users_trie: definition
DROP INDEX users_trie;
CREATE INDEX users_trie ON users (name);
-- injury: an index takes NULLs for different
-- at: indexes devices.devices_label: definition
DROP INDEX devices_label;
CREATE UNIQUE INDEX devices_label ON devices (label);
-- injury: an index becomes invalid
-- at: indexes users.users_by_age: valid
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'users_by_age'::regclass;
-- injury: a storage parameter of an index is lost
-- at: indexes users.users_by_name: *
ALTER INDEX users_by_name RESET (fillfactor);
-- injury: an index's comment is lost
-- at: indexes users.users_by_age: comment
COMMENT ON INDEX users_by_age IS NULL;
-- injury: an index of a partition is left behind
-- at: indexes shop.orders_2024.orders_2024_note: added
CREATE INDEX orders_2024_note ON shop.orders_2024 (note);
-- injury: a statistics target of an expression
-- at: indexes users.users_by_name: options
ALTER INDEX users_by_name ALTER COLUMN 1 SET STATISTICS 300;
