-- harmless: VACUUM
VACUUM;
-- harmless: VACUUM FULL
VACUUM FULL;
-- harmless: VACUUM FREEZE
VACUUM (FREEZE) kinds;
-- harmless: ANALYZE
ANALYZE;
-- harmless: REINDEX of a table
REINDEX TABLE users;
-- harmless: REINDEX of the database
REINDEX DATABASE;
-- harmless: REINDEX CONCURRENTLY
REINDEX TABLE CONCURRENTLY users;
-- harmless: CLUSTER
CLUSTER countries;
-- harmless: CHECKPOINT
CHECKPOINT;
-- harmless: a table is rewritten
ALTER TABLE former_users ALTER age TYPE integer USING age + 0;
-- harmless: an update that changes nothing
UPDATE kinds SET c_text = c_text, c_jsonb = c_jsonb, c_free = c_free;
-- harmless: an update there and back
UPDATE kinds SET c_int = c_int + 1;
UPDATE kinds SET c_int = c_int - 1;
-- harmless: jsonb written with its keys in another order
UPDATE kinds SET c_jsonb = jsonb_build_object('c', NULL, 'b', c_jsonb -> 'b', 'a', c_jsonb -> 'a');
-- harmless: an instant written in another zone
UPDATE kinds SET c_zone = (c_zone AT TIME ZONE 'Asia/Tokyo') AT TIME ZONE 'Asia/Tokyo';
-- harmless: a range written with other bounds
UPDATE kinds SET c_range = int4range(lower(c_range), upper(c_range) - 1, '[]');
-- harmless: rows deleted and inserted in another order
CREATE TEMP TABLE kept AS SELECT * FROM former_users;
DELETE FROM former_users;
INSERT INTO former_users SELECT * FROM kept ORDER BY id DESC;
-- harmless: rows of a keyless table in another order
CREATE TEMP TABLE kept_too AS SELECT * FROM measurements;
TRUNCATE measurements;
INSERT INTO measurements SELECT * FROM kept_too ORDER BY reading DESC;
-- harmless: a row inserted and deleted
INSERT INTO shop.orders (user_id, placed, total) VALUES (1, '2024-05-05', 1);
DELETE FROM shop.orders WHERE placed = '2024-05-05';
-- harmless: a sequence advances
SELECT nextval('counter');
-- harmless: an identity advances
SELECT nextval('users_id_seq');
-- harmless: a transaction is rolled back
BEGIN;
DROP TABLE former_users;
UPDATE kinds SET c_int = 0;
ROLLBACK;
-- harmless: a column added and dropped
ALTER TABLE former_users ADD COLUMN passing integer DEFAULT 1;
ALTER TABLE former_users DROP COLUMN passing;
-- harmless: an index made and dropped
CREATE INDEX passing ON users (age, email);
DROP INDEX passing;
-- harmless: an index made concurrently in place of another
CREATE INDEX CONCURRENTLY passing ON users USING btree (status, age DESC NULLS LAST);
DROP INDEX CONCURRENTLY users_by_status;
ALTER INDEX passing RENAME TO users_by_status;
-- harmless: a table made and dropped
CREATE TABLE passing (x integer);
DROP TABLE passing;
-- harmless: a temporary table stays
CREATE TEMP TABLE staying (x integer);
-- harmless: a table renamed there and back
ALTER TABLE former_users RENAME TO passing;
ALTER TABLE passing RENAME TO former_users;
-- harmless: a column renamed there and back
ALTER TABLE payments RENAME COLUMN method TO passing;
ALTER TABLE payments RENAME COLUMN passing TO method;
-- harmless: a schema renamed there and back
ALTER SCHEMA shop RENAME TO passing;
ALTER SCHEMA passing RENAME TO shop;
-- harmless: a constraint dropped and added
ALTER TABLE payments DROP CONSTRAINT payments_amount;
ALTER TABLE payments ADD CONSTRAINT payments_amount CHECK (amount >= 0) NOT VALID;
ALTER TABLE payments VALIDATE CONSTRAINT payments_amount;
-- harmless: a foreign key dropped and added
ALTER TABLE payments DROP CONSTRAINT payments_user;
ALTER TABLE payments ADD CONSTRAINT payments_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED;
-- harmless: a check written differently
ALTER TABLE payments DROP CONSTRAINT payments_method;
ALTER TABLE payments ADD CONSTRAINT payments_method CHECK (((method = ANY (ARRAY['cash', 'card'])))) NO INHERIT;
-- harmless: a default set again
ALTER TABLE users ALTER status SET DEFAULT 'new'::text;
-- harmless: a grant made again
GRANT SELECT ON users TO verdicts_reader WITH GRANT OPTION;
-- harmless: a right granted and revoked
GRANT DELETE ON former_users TO verdicts_reader;
REVOKE DELETE ON former_users FROM verdicts_reader;
-- harmless: a function replaced by itself
CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql SET work_mem = '8MB' AS $$BEGIN RETURN NEW; END$$;
-- harmless: a view replaced by itself, written differently
CREATE OR REPLACE VIEW spenders AS SELECT o.user_id, sum(o.total) AS spent FROM shop.orders AS o GROUP BY o.user_id;
CREATE OR REPLACE VIEW spenders AS select user_id, SUM(total) as spent from shop.orders group by user_id;
-- harmless: a materialized view refreshed
REFRESH MATERIALIZED VIEW shop.totals;
-- harmless: a materialized view refreshed concurrently
REFRESH MATERIALIZED VIEW CONCURRENTLY shop.totals;
-- harmless: a trigger disabled and enabled
ALTER TABLE users DISABLE TRIGGER touch_users;
ALTER TABLE users ENABLE TRIGGER touch_users;
-- harmless: a partition detached and attached
ALTER TABLE shop.orders DETACH PARTITION shop.orders_2025;
ALTER TABLE shop.orders ATTACH PARTITION shop.orders_2025 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
-- harmless: a table moves to another tablespace and back
ALTER TABLE devices SET TABLESPACE verdicts_space;
ALTER TABLE devices SET TABLESPACE pg_default;
-- harmless: unlogged and logged again
ALTER TABLE devices SET UNLOGGED;
ALTER TABLE devices SET LOGGED;
-- harmless: statistics are reset
SELECT pg_stat_reset();
-- harmless: read again
-- harmless: read in another time zone
-- reads with: SET TimeZone = 'Asia/Kathmandu'
-- harmless: read with another search_path
-- reads with: SET search_path = shop, pg_catalog
-- harmless: read with an empty search_path
-- reads with: SET search_path = ''
-- harmless: read with another date style
-- reads with: SET DateStyle = 'SQL, DMY'
-- harmless: read with another interval style
-- reads with: SET IntervalStyle = 'sql_standard'
-- harmless: read with fewer digits
-- reads with: SET extra_float_digits = -5
-- harmless: read with escaped bytes
-- reads with: SET bytea_output = 'escape'
-- harmless: read with every name quoted
-- reads with: SET quote_all_identifiers = on
-- harmless: read in another client encoding
-- reads with: SET client_encoding = 'LATIN1'
-- harmless: read with row security off
-- reads with: SET row_security = off
-- harmless: read with another plan
-- reads with: SET enable_seqscan = off
-- harmless: read with parallel workers
-- reads with: SET debug_parallel_query = on
-- harmless: read without standard strings
-- reads with: SET standard_conforming_strings = off
-- harmless: read by another superuser
-- reads as: verdicts_twin
-- harmless: read through another option
-- reads through: application_name=somebody&options=-c%20TimeZone%3DAmerica/New_York
-- harmless: copied by migkit
-- tool: clone
-- A clone leaves out what would act outside it, and what the server keeps about the one database.
-- also: objects subscription listening: removed
-- also: objects user mapping verdicts_reader on elsewhere: removed
-- also: objects database database: comment
-- also: objects grant database*: removed
-- also: objects setting *: removed
-- also: tables stored_elsewhere: options
-- harmless: dumped and restored as SQL
-- tool: dump
-- harmless: dumped and restored as an archive
-- tool: custom dump
