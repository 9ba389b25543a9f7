-- injury: a view is dropped
-- at: objects view active_users: removed
-- also: columns active_users.*: removed
-- also: objects grant view active_users*: removed
DROP VIEW active_users;
-- injury: a view's security_invoker is lost
-- at: objects view active_users: definition
ALTER VIEW active_users RESET (security_invoker);
-- injury: a view's security_barrier is lost
-- at: objects view active_users: definition
ALTER VIEW active_users SET (security_barrier = false);
-- injury: a view's check option is lost
-- at: objects view active_users: definition
ALTER VIEW active_users RESET (check_option);
-- injury: a view shows other rows
-- at: objects view active_users: definition
CREATE OR REPLACE VIEW active_users WITH (security_invoker = true, security_barrier = true) AS SELECT id, email, status FROM users WHERE status <> 'new' WITH LOCAL CHECK OPTION;
-- injury: a view gets a column
-- at: columns spenders.orders: added
-- also: objects view spenders: *
CREATE OR REPLACE VIEW spenders AS SELECT user_id, sum(total) AS spent, count(*) AS orders FROM shop.orders GROUP BY user_id;
-- injury: a view's column gets a default
-- at: columns active_users.status: default
ALTER VIEW active_users ALTER status SET DEFAULT 'x';
-- injury: a view's owner changes
-- at: objects view spenders: owner
ALTER VIEW spenders OWNER TO verdicts_owner;
-- injury: a materialized view is dropped
-- at: tables shop.totals: removed
-- also: * *totals*: removed
DROP MATERIALIZED VIEW shop.totals;
-- injury: a materialized view is emptied
-- at: tables shop.totals: rows
-- also: objects materialized view shop.totals: definition
REFRESH MATERIALIZED VIEW shop.totals WITH NO DATA;
-- injury: a trigger is dropped
-- at: objects trigger touch_users on users: removed
DROP TRIGGER touch_users ON users;
-- injury: a trigger is disabled
-- at: objects trigger touch_users on users: definition
ALTER TABLE users DISABLE TRIGGER touch_users;
-- injury: a trigger fires for replicas only
-- at: objects trigger touch_users on users: definition
ALTER TABLE users ENABLE REPLICA TRIGGER touch_users;
-- injury: a trigger of one partition is disabled
-- at: objects trigger shop.touch_orders on orders_2024: added
ALTER TABLE shop.orders_2024 DISABLE TRIGGER touch_orders;
-- injury: a trigger loses its condition
-- at: objects trigger touch_users on users: definition
CREATE OR REPLACE TRIGGER touch_users BEFORE UPDATE OF email ON users FOR EACH ROW EXECUTE FUNCTION touch();
-- injury: a trigger fires after
-- at: objects trigger touch_users on users: definition
CREATE OR REPLACE TRIGGER touch_users AFTER UPDATE OF email ON users FOR EACH ROW WHEN (OLD.email <> NEW.email) EXECUTE FUNCTION touch();
-- injury: a rule is dropped
-- at: objects rule no_delete on nothing_yet: removed
DROP RULE no_delete ON nothing_yet;
-- injury: a rule is disabled
-- at: objects rule no_delete on nothing_yet: definition
ALTER TABLE nothing_yet DISABLE RULE no_delete;
-- injury: a policy is dropped
-- at: objects policy own_payments on payments: removed
DROP POLICY own_payments ON payments;
-- injury: a policy is open to all
-- at: objects policy own_payments on payments: definition
ALTER POLICY own_payments ON payments TO PUBLIC;
-- injury: a policy lets everything through
-- at: objects policy own_payments on payments: definition
ALTER POLICY own_payments ON payments USING (true);
-- injury: a restrictive policy becomes permissive
-- at: objects policy no_writes on payments: definition
DROP POLICY no_writes ON payments;
CREATE POLICY no_writes ON payments FOR UPDATE USING (amount > 0) WITH CHECK (amount > 0);
-- injury: a sequence is dropped
-- at: objects sequence counter: removed
-- also: objects grant sequence counter*: removed
DROP SEQUENCE counter;
-- injury: a sequence's step changes
-- at: objects sequence counter: definition
ALTER SEQUENCE counter INCREMENT 1;
-- injury: a sequence no longer cycles
-- at: objects sequence counter: definition
ALTER SEQUENCE counter NO CYCLE;
-- injury: a sequence ends elsewhere
-- at: objects sequence counter: definition
ALTER SEQUENCE counter MAXVALUE 10000;
-- injury: a sequence belongs to no column any more
-- at: objects sequence shop.orders_id_seq: definition
-- also: objects sequence shop.orders_id_seq: *
ALTER SEQUENCE shop.orders_id_seq OWNED BY NONE;
-- injury: a sequence is of another type
-- at: objects sequence counter: definition
ALTER SEQUENCE counter AS bigint;
-- injury: an enum gets a label
-- at: objects enum mood: definition
ALTER TYPE mood ADD VALUE 'angry';
-- injury: an enum gets a label in the middle
-- at: objects enum mood: definition
ALTER TYPE mood ADD VALUE 'meh' BEFORE 'ok';
-- injury: enum labels are reordered
-- at: objects enum unused_enum: definition
DROP TYPE unused_enum;
CREATE TYPE unused_enum AS ENUM ('two', 'one');
-- injury: an enum label is renamed
-- at: objects enum unused_enum: definition
ALTER TYPE unused_enum RENAME VALUE 'one' TO 'ONE';
-- injury: an enum is dropped
-- at: objects enum unused_enum: removed
DROP TYPE unused_enum;
-- injury: a domain loses its check
-- at: objects domain positive: definition
ALTER DOMAIN positive DROP CONSTRAINT above_zero;
-- injury: a domain loses its default
-- at: objects domain positive: definition
ALTER DOMAIN positive DROP DEFAULT;
-- injury: a domain allows NULL
-- at: objects domain email_text: definition
ALTER DOMAIN email_text DROP NOT NULL;
-- injury: a composite type gets an attribute
-- at: objects composite type unused_type: definition
ALTER TYPE unused_type ADD ATTRIBUTE c integer;
-- injury: a composite type's attribute changes its type
-- at: objects composite type unused_type: definition
ALTER TYPE unused_type ALTER ATTRIBUTE a TYPE bigint;
-- injury: a range type is of another subtype
-- at: objects range type other_range: added
CREATE TYPE other_range AS RANGE (subtype = numeric);
-- injury: an extension is added to the schema of another
-- at: objects extension vector: definition
ALTER EXTENSION vector SET SCHEMA shop;
-- also: columns kinds.c_embedding: type
-- also: columns kinds.c_embedding: *
-- injury: a function is dropped
-- at: objects function shop.add(a text): removed
DROP FUNCTION shop.add(text);
-- injury: a function's body changes
-- at: objects function shop.add(a text): definition
CREATE OR REPLACE FUNCTION shop.add(a text) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER AS $$ SELECT a || ' %s :y' $$;
-- injury: a function no longer runs as its owner
-- at: objects function shop.add(a text): definition
ALTER FUNCTION shop.add(text) SECURITY INVOKER;
-- injury: a function becomes volatile
-- at: objects function shop.add(a text): definition
ALTER FUNCTION shop.add(text) VOLATILE;
-- injury: a function is no longer strict
-- at: objects function shop.add(a integer, b integer): definition
ALTER FUNCTION shop.add(integer, integer) CALLED ON NULL INPUT;
-- injury: a function loses its setting
-- at: objects function touch(): definition
ALTER FUNCTION touch() RESET ALL;
-- injury: a function's default argument changes
-- at: objects function shop.add(a integer, b integer): definition
CREATE OR REPLACE FUNCTION shop.add(a integer, b integer DEFAULT 3) RETURNS integer IMMUTABLE STRICT RETURN a + b;
-- injury: a function becomes parallel safe
-- at: objects function touch(): definition
ALTER FUNCTION touch() PARALLEL SAFE;
-- injury: a procedure is dropped
-- at: objects procedure tidy(INOUT n integer): removed
DROP PROCEDURE tidy;
-- injury: an aggregate begins elsewhere
-- at: objects aggregate shop.total(integer): definition
CREATE OR REPLACE AGGREGATE shop.total(integer) (sfunc = int4pl, stype = integer, initcond = '1');
-- injury: an operator is dropped
-- at: objects operator === (text, text): removed
DROP OPERATOR === (text, text);
-- injury: an operator class loses its family
-- at: objects operator class shop.backwards using btree: removed
-- also: objects operator family shop.family using btree: *
DROP OPERATOR FAMILY shop.family USING btree CASCADE;
-- injury: a cast is dropped
-- at: objects cast integer as public.mood: removed
DROP CAST (integer AS mood);
-- injury: a cast becomes implicit
-- at: objects cast integer as public.mood: definition
DROP CAST (integer AS mood);
CREATE CAST (integer AS mood) WITH FUNCTION to_mood(integer) AS IMPLICIT;
-- injury: a conversion is dropped
-- at: objects conversion shop.latin: removed
DROP CONVERSION shop.latin;
-- injury: an access method is dropped
-- at: objects access method heap_again: removed
DROP ACCESS METHOD heap_again;
-- injury: a collation is dropped
-- at: objects collation other_order: added
CREATE COLLATION other_order (provider = libc, locale = 'POSIX');
-- injury: a text search mapping is lost
-- at: objects text search configuration searching: definition
ALTER TEXT SEARCH CONFIGURATION searching DROP MAPPING FOR asciiword;
-- injury: a dictionary loses its stop words
-- at: objects text search dictionary plain_words: definition
ALTER TEXT SEARCH DICTIONARY plain_words (stopwords);
-- injury: a statistics object is dropped
-- at: objects statistics users_statistics: removed
DROP STATISTICS users_statistics;
-- injury: a statistics object has another target
-- at: objects statistics users_statistics: definition
ALTER STATISTICS users_statistics SET STATISTICS 50;
-- injury: an event trigger is disabled
-- at: objects event trigger watching: definition
ALTER EVENT TRIGGER watching DISABLE;
-- injury: an event trigger is dropped
-- at: objects event trigger watching: removed
DROP EVENT TRIGGER watching;
-- injury: a publication loses a table
-- at: objects publication some_tables: definition
ALTER PUBLICATION some_tables DROP TABLE users;
-- injury: a publication publishes more
-- at: objects publication some_tables: definition
ALTER PUBLICATION some_tables SET (publish = 'insert, update, delete');
-- injury: a publication loses its row filter
-- at: objects publication some_tables: definition
ALTER PUBLICATION some_tables SET TABLE users (id, email);
-- injury: a subscription follows another publication
-- at: objects subscription listening: definition
ALTER SUBSCRIPTION listening SET PUBLICATION other WITH (refresh = false);
-- injury: a foreign server leads elsewhere
-- at: objects foreign server elsewhere: definition
ALTER SERVER elsewhere OPTIONS (SET host 'db2.example.com');
-- injury: a user mapping is dropped
-- at: objects user mapping verdicts_reader on elsewhere: removed
DROP USER MAPPING FOR verdicts_reader SERVER elsewhere;
-- injury: a foreign table reads another one
-- at: tables shop.remote: options
ALTER FOREIGN TABLE shop.remote OPTIONS (SET schema_name 'private');
-- injury: a foreign data wrapper loses an option
-- at: objects foreign data wrapper wrapper: definition
ALTER FOREIGN DATA WRAPPER wrapper OPTIONS (DROP mode);
-- injury: a schema is dropped
-- at: tables Odd.Schema.order"; drop table x;--: removed
-- at: objects schema Odd.Schema: removed
-- also: * Odd.Schema.*: removed
DROP SCHEMA "Odd.Schema" CASCADE;
-- injury: a schema is left behind
-- at: objects schema left_behind: added
CREATE SCHEMA left_behind;
-- injury: a schema changes its owner
-- at: objects schema shop: owner
-- also: objects grant schema shop*: *
ALTER SCHEMA shop OWNER TO verdicts_owner;
-- injury: a schema's comment is lost
-- at: objects schema shop: comment
COMMENT ON SCHEMA shop IS NULL;
-- injury: a grant on a table is removed
-- at: objects grant table users → verdicts_reader: *
REVOKE INSERT ON users FROM verdicts_reader;
-- injury: a grant option is removed
-- at: objects grant table users → verdicts_reader: definition
REVOKE GRANT OPTION FOR SELECT ON users FROM verdicts_reader;
-- injury: a grant on a column is removed
-- at: objects grant column users.email → verdicts_reader: removed
REVOKE UPDATE (email) ON users FROM verdicts_reader;
-- injury: a grant to all is removed
-- at: objects grant shop.table shop.orders → PUBLIC: removed
REVOKE SELECT ON shop.orders FROM PUBLIC;
-- injury: a table is opened to all
-- at: objects grant table payments → PUBLIC: added
GRANT SELECT ON payments TO PUBLIC;
-- injury: a function is opened to all
-- at: objects grant shop.function shop.add(a integer, b integer) → PUBLIC: *
GRANT EXECUTE ON FUNCTION shop.add(integer, integer) TO PUBLIC;
-- injury: a grant on a schema is removed
-- at: objects grant schema shop → verdicts_reader: *
REVOKE USAGE ON SCHEMA shop FROM verdicts_reader;
-- injury: a grant on a sequence is removed
-- at: objects grant sequence counter → verdicts_reader: removed
REVOKE USAGE ON SEQUENCE counter FROM verdicts_reader;
-- injury: a type is opened to all
-- at: objects grant type mood → PUBLIC: *
GRANT USAGE ON TYPE mood TO PUBLIC;
-- injury: a grant on a server is removed
-- at: objects grant foreign server elsewhere → verdicts_reader: removed
REVOKE USAGE ON FOREIGN SERVER elsewhere FROM verdicts_reader;
-- injury: a grant on the database is removed
-- at: objects grant database → verdicts_reader: removed
REVOKE CREATE ON DATABASE "{database}" FROM verdicts_reader;
-- injury: a grant on a large object is removed
-- at: objects grant large object*: removed
REVOKE SELECT ON LARGE OBJECT 424242 FROM verdicts_reader;
-- injury: default privileges are removed
-- at: objects default privileges shop.tables of * → verdicts_reader: removed
ALTER DEFAULT PRIVILEGES IN SCHEMA shop REVOKE SELECT ON TABLES FROM verdicts_reader;
-- injury: default privileges of a role are removed
-- at: objects default privileges functions of verdicts_owner → PUBLIC: *
ALTER DEFAULT PRIVILEGES FOR ROLE verdicts_owner GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
-- injury: a setting of the database is lost
-- at: objects setting work_mem of the database: removed
ALTER DATABASE "{database}" RESET work_mem;
-- injury: a setting of a role changes
-- at: objects setting search_path of verdicts_reader: definition
ALTER ROLE verdicts_reader IN DATABASE "{database}" SET search_path = public;
-- injury: the database's comment is lost
-- at: objects database database: comment
COMMENT ON DATABASE "{database}" IS NULL;
-- injury: the database's connections are limited
-- at: objects database database: definition
ALTER DATABASE "{database}" CONNECTION LIMIT 50;
-- injury: a large object is left behind
-- at: objects large objects large objects: definition
SELECT lo_create(424243);
