-- Every kind of object that PostgreSQL knows. {rows} is the number of rows of the larger tables.
CREATE SCHEMA shop;
COMMENT ON SCHEMA shop IS 'all that is sold';
CREATE SCHEMA "Odd.Schema";
CREATE EXTENSION vector SCHEMA public;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE unused_enum AS ENUM ('one', 'two');
CREATE DOMAIN positive AS integer DEFAULT 1 CONSTRAINT above_zero CHECK (VALUE > 0);
CREATE DOMAIN email_text AS text NOT NULL;
CREATE TYPE address AS (street text, zip varchar(10));
CREATE TYPE unused_type AS (a integer, b text);
CREATE TYPE float_range AS RANGE (subtype = float8);
CREATE COLLATION plain_order (provider = libc, locale = 'C');
CREATE TEXT SEARCH DICTIONARY plain_words (TEMPLATE = simple, stopwords = english);
CREATE TEXT SEARCH CONFIGURATION searching (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION searching ALTER MAPPING FOR asciiword WITH plain_words, simple;
CREATE TABLE kinds (
    id integer PRIMARY KEY, c_small smallint NOT NULL, c_int integer, c_big bigint, c_numeric numeric(20, 6), c_free numeric, c_real real,
    c_double double precision, c_zero double precision, c_money money, c_text text, c_varchar varchar(200), c_char char(20),
    c_null text, c_accent text COLLATE plain_order, c_embedding vector(3), c_name name, c_bytes bytea, c_bool boolean,
    c_date date, c_time time, c_timetz timetz, c_stamp timestamp, c_zone timestamptz, c_interval interval, c_uuid uuid,
    c_json json, c_jsonb jsonb, c_ints integer[], c_texts text[], c_matrix integer[][], c_moods mood[], c_range int4range,
    c_zones tstzrange, c_spans int4multirange, c_floats float_range, c_mood mood, c_address address, c_positive positive,
    c_inet inet, c_cidr cidr, c_mac macaddr, c_mac8 macaddr8, c_bit bit(8), c_varbit varbit, c_point point, c_line line, c_box box, c_path path,
    c_polygon polygon, c_circle circle, c_lseg lseg, c_vector tsvector, c_query tsquery, c_oid oid, c_regclass regclass,
    c_lsn pg_lsn, c_jsonpath jsonpath, c_letter "char", c_tid tid, c_virtual integer GENERATED ALWAYS AS (c_small * 2) STORED
);
INSERT INTO kinds
SELECT i, i % 100 + 1, i * 3 + 1, 9007199254740992 + i, i * 1.5 + 0.125, i * 1.1, i * 0.25 + 0.5, i / 7.0 + 1, 0.0, (i * 1.25)::numeric::money,
       'Text ' || i, 'Word ' || i, 'char ' || i, NULL, 'café ' || i, '[1,2,3]', 'name' || i, convert_to('bytes' || i, 'UTF8'),
       i % 2 = 0, date '2024-01-01' + i % 300, time '01:02:03.000001' + i * interval '1 microsecond', timetz '01:02:03+01' + i * interval '1 second',
       timestamp '2024-03-01 00:00' + i * interval '1 minute', timestamptz '2024-03-31 00:30+00' + i * interval '1 minute', i * interval '1 hour',
       md5(i::text)::uuid, json_build_object('a', i, 'b', 'x'), jsonb_build_object('a', i, 'b', jsonb_build_array(1, 2, i), 'c', NULL),
       ARRAY[1, 2, i], ARRAY['a', NULL, 'b' || i], ARRAY[[1, 2], [3, i]], ARRAY['sad', 'ok']::mood[], int4range(i, i + 10),
       tstzrange(timestamptz '2024-01-01 00:00+00', timestamptz '2024-01-02 00:00+00' + i * interval '1 hour'),
       int4multirange(int4range(i, i + 2), int4range(i + 5, i + 7)), float_range(i, i + 0.5), CASE i % 2 WHEN 0 THEN 'sad' ELSE 'ok' END::mood,
       ROW ('street ' || i, i::text)::address, i % 9 + 1, ('10.0.' || i / 250 % 250 || '.' || i % 250)::inet, '10.1.0.0/16',
       '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', (i % 200)::bit(8), (i % 200)::bit(10)::varbit, point(i, 0.5), '{1,2,3}', box(point(0, 0), point(i, 1)),
       '[(0,0),(1,1),(2,0)]', '((0,0),(1,1),(2,0))', circle(point(0, 0), i), lseg(point(0, 0), point(i, 1)), to_tsvector('simple', 'a fat cat ' || i), to_tsquery('simple', 'fat & cat' || i), i::oid, 'pg_class', ('0/' || to_hex(i))::pg_lsn, '$.a[*] ? (@ > 1)',
       chr(97 + i % 20)::"char", '(0,1)'
FROM generate_series(1, {rows}) AS i;
CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY (START 1 INCREMENT 1) PRIMARY KEY,
    email varchar(200) NOT NULL CONSTRAINT users_email UNIQUE,
    name text COLLATE "C" DEFAULT 'nobody',
    status text NOT NULL DEFAULT 'new',
    feeling mood DEFAULT 'happy',
    age integer CONSTRAINT users_adult CHECK (age > 17),
    lower_name text GENERATED ALWAYS AS (lower(name)) STORED
) WITH (fillfactor = 80, autovacuum_enabled = off);
INSERT INTO users (email, name, feeling, age) SELECT 'user' || i || '@example.com', 'User ' || i, 'ok', i % 80 + 18 FROM generate_series(1, {rows}) AS i;
COMMENT ON TABLE users IS 'people';
COMMENT ON COLUMN users.email IS 'where to write';
ALTER TABLE users ALTER name SET STORAGE EXTERNAL, ALTER name SET STATISTICS 500, ALTER status SET COMPRESSION pglz, ALTER email SET (n_distinct = -0.5);
CREATE TABLE former_users (id integer PRIMARY KEY, email text, name text, status text, age integer);
INSERT INTO former_users SELECT i, 'former' || i || '@example.com', 'Former ' || i, 'gone', i % 80 + 18 FROM generate_series(1, 200) AS i;
CREATE TABLE shop.orders (
    id serial, user_id bigint NOT NULL, referrer_id bigint, placed date NOT NULL, total numeric(12, 2) NOT NULL, note text,
    PRIMARY KEY (id, placed),
    CONSTRAINT orders_user FOREIGN KEY (user_id) REFERENCES users ON UPDATE CASCADE ON DELETE RESTRICT
) PARTITION BY RANGE (placed);
CREATE TABLE shop.orders_2024 PARTITION OF shop.orders FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE shop.orders_2025 PARTITION OF shop.orders FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE shop.orders_rest PARTITION OF shop.orders DEFAULT;
INSERT INTO shop.orders (user_id, placed, total, note) SELECT i % 200 + 1, date '2024-06-01' + i, i * 1.25, 'note ' || i FROM generate_series(1, 280) AS i;
CREATE INDEX orders_user_id ON shop.orders (user_id);
CREATE TABLE payments (
    id integer PRIMARY KEY, user_id bigint, amount numeric NOT NULL, method text,
    CONSTRAINT payments_user FOREIGN KEY (user_id) REFERENCES users ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT payments_amount CHECK (amount >= 0),
    CONSTRAINT payments_method CHECK (method IN ('cash', 'card')) NO INHERIT
);
INSERT INTO payments SELECT i, i % 100 + 1, i * 0.5, CASE i % 2 WHEN 0 THEN 'cash' ELSE 'card' END FROM generate_series(1, 150) AS i;
ALTER TABLE payments ADD CONSTRAINT payments_small CHECK (amount < 1000) NOT VALID;
CREATE TABLE refunds (id integer PRIMARY KEY, payment_id integer);
INSERT INTO refunds SELECT i, i + 140 FROM generate_series(1, 20) AS i;
ALTER TABLE refunds ADD CONSTRAINT refunds_payment FOREIGN KEY (payment_id) REFERENCES payments NOT VALID;
CREATE TABLE order_items (order_id integer, line integer, sku text COLLATE "C" NOT NULL, quantity integer NOT NULL, PRIMARY KEY (order_id, line));
INSERT INTO order_items SELECT i, i % 3 + 1, 'sku' || i % 17, i % 9 + 1 FROM generate_series(1, 280) AS i;
CREATE TABLE countries (code text PRIMARY KEY, label text NOT NULL, area double precision);
INSERT INTO countries SELECT 'C' || i, 'Country ' || i, i * 1.5 FROM generate_series(1, 90) AS i;
CREATE TABLE devices (serial uuid PRIMARY KEY, label text);
INSERT INTO devices SELECT md5(i::text)::uuid, 'device ' || i FROM generate_series(1, 90) AS i;
CREATE TABLE measurements (sensor text, taken_at timestamptz, reading double precision);
INSERT INTO measurements SELECT 'sensor ' || i % 7, timestamptz '2024-01-01 00:00+00' + i * interval '1 second', i * 0.1 FROM generate_series(1, 250) AS i;
CREATE TABLE bookings (room integer NOT NULL, during tsrange NOT NULL, CONSTRAINT bookings_overlap EXCLUDE USING gist (during WITH &&) WHERE (room > 0));
INSERT INTO bookings SELECT i, tsrange(timestamp '2024-01-01 00:00' + i * interval '1 hour', timestamp '2024-01-01 00:30' + i * interval '1 hour') FROM generate_series(1, 50) AS i;
CREATE TABLE cities (name text, height integer);
CREATE TABLE capitals (country char(2)) INHERITS (cities);
INSERT INTO cities VALUES ('Ulm', 478), ('Bonn', 60);
INSERT INTO capitals VALUES ('Bern', 540, 'CH'), ('Rome', 21, 'IT');
CREATE TABLE places OF address;
CREATE UNLOGGED TABLE scratch (id integer);
ALTER TABLE scratch REPLICA IDENTITY FULL;
CREATE TABLE stored_elsewhere (id integer PRIMARY KEY, label text) TABLESPACE verdicts_space;
INSERT INTO stored_elsewhere VALUES (1, 'a'), (2, 'b');
CREATE TABLE "Odd.Schema"."order""; drop table x;--" ("ünï" integer PRIMARY KEY, "100%:x" text, "<script>" text DEFAULT '%s :name', "Mixed.Case" integer);
INSERT INTO "Odd.Schema"."order""; drop table x;--" VALUES (1, 'a', 'b', 1), (2, 'c', 'd', 2);
CREATE TABLE nothing_yet (id integer PRIMARY KEY, label text DEFAULT 'none');
CREATE INDEX users_by_name ON users (lower(name), id DESC) INCLUDE (email) WITH (fillfactor = 70) WHERE age > 20;
CREATE INDEX users_by_status ON users (status, age DESC NULLS LAST);
CREATE INDEX users_trie ON users USING spgist (name);
CREATE UNIQUE INDEX users_lower_email ON users (lower(email));
CREATE UNIQUE INDEX devices_label ON devices (label) NULLS NOT DISTINCT;
CREATE INDEX users_by_age ON users (age);
COMMENT ON INDEX users_by_age IS 'for statistics';
ALTER TABLE countries CLUSTER ON countries_pkey;
ALTER TABLE payments REPLICA IDENTITY USING INDEX payments_pkey;
CREATE STATISTICS users_statistics (ndistinct, dependencies) ON status, age FROM users;
CREATE VIEW active_users WITH (security_invoker = true, security_barrier = true) AS SELECT id, email, status FROM users WHERE status <> 'gone' WITH LOCAL CHECK OPTION;
COMMENT ON VIEW active_users IS 'the living';
CREATE VIEW spenders AS SELECT user_id, sum(total) AS spent FROM shop.orders GROUP BY user_id;
CREATE MATERIALIZED VIEW shop.totals AS SELECT user_id, sum(total) AS total FROM shop.orders GROUP BY user_id;
CREATE UNIQUE INDEX totals_user ON shop.totals (user_id);
CREATE MATERIALIZED VIEW shop.empty_totals AS SELECT 1 AS one WITH NO DATA;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql SET work_mem = '8MB' AS $$BEGIN RETURN NEW; END$$;
CREATE FUNCTION shop.add(a integer, b integer DEFAULT 2) RETURNS integer IMMUTABLE STRICT RETURN a + b;
CREATE FUNCTION shop.add(a text) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER AS $$ SELECT a || ' %s :x' $$;
CREATE PROCEDURE tidy(INOUT n integer) LANGUAGE plpgsql AS $$BEGIN n := 1; END$$;
CREATE AGGREGATE shop.total(integer) (sfunc = int4pl, stype = integer, initcond = '0');
CREATE TRIGGER touch_users BEFORE UPDATE OF email ON users FOR EACH ROW WHEN (OLD.email <> NEW.email) EXECUTE FUNCTION touch();
CREATE TRIGGER touch_orders AFTER INSERT ON shop.orders FOR EACH ROW EXECUTE FUNCTION touch();
CREATE CONSTRAINT TRIGGER checked AFTER INSERT ON payments DEFERRABLE FOR EACH ROW EXECUTE FUNCTION touch();
CREATE RULE no_delete AS ON DELETE TO nothing_yet DO INSTEAD NOTHING;
ALTER TABLE payments ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_payments ON payments FOR SELECT TO verdicts_reader USING (user_id = 1);
CREATE POLICY no_writes ON payments AS RESTRICTIVE FOR UPDATE USING (amount > 0) WITH CHECK (amount > 0);
CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN END$$;
CREATE EVENT TRIGGER watching ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'DROP TABLE') EXECUTE FUNCTION watch();
CREATE SEQUENCE counter AS integer START 5 INCREMENT 5 MINVALUE 5 MAXVALUE 5000 CACHE 3 CYCLE;
SELECT setval('counter', 500);
CREATE FUNCTION same(text, text) RETURNS boolean IMMUTABLE RETURN lower($1) = lower($2);
CREATE OPERATOR === (leftarg = text, rightarg = text, function = same, commutator = ===);
CREATE OPERATOR FAMILY shop.family USING btree;
CREATE OPERATOR CLASS shop.backwards FOR TYPE integer USING btree FAMILY shop.family AS OPERATOR 1 > , OPERATOR 2 >= , OPERATOR 3 = , OPERATOR 4 <= , OPERATOR 5 < , FUNCTION 1 btint4cmp(integer, integer);
CREATE FUNCTION to_mood(integer) RETURNS mood IMMUTABLE RETURN 'sad'::mood;
CREATE CAST (integer AS mood) WITH FUNCTION to_mood(integer) AS ASSIGNMENT;
CREATE CONVERSION shop.latin FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE ACCESS METHOD heap_again TYPE TABLE HANDLER heap_tableam_handler;
CREATE FOREIGN DATA WRAPPER wrapper OPTIONS (mode 'fast');
CREATE SERVER elsewhere TYPE 'x' VERSION '1' FOREIGN DATA WRAPPER wrapper OPTIONS (host 'db.example.com');
CREATE USER MAPPING FOR verdicts_reader SERVER elsewhere OPTIONS (user 'me');
CREATE FOREIGN TABLE shop.remote (id integer OPTIONS (column_name 'ID'), note text) SERVER elsewhere OPTIONS (schema_name 'public');
CREATE PUBLICATION some_tables FOR TABLE users (id, email) WHERE (id > 0) WITH (publish = 'insert, update');
CREATE PUBLICATION whole_schema FOR TABLES IN SCHEMA shop;
ALTER TABLE countries OWNER TO verdicts_owner;
GRANT SELECT, INSERT ON users TO verdicts_reader WITH GRANT OPTION;
GRANT UPDATE (email) ON users TO verdicts_reader;
GRANT SELECT ON shop.orders TO PUBLIC;
GRANT SELECT ON active_users TO verdicts_reader;
GRANT USAGE ON SEQUENCE counter TO verdicts_reader;
REVOKE EXECUTE ON FUNCTION shop.add(integer, integer) FROM PUBLIC;
GRANT USAGE ON SCHEMA shop TO verdicts_reader;
REVOKE USAGE ON TYPE mood FROM PUBLIC;
GRANT USAGE ON FOREIGN SERVER elsewhere TO verdicts_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO verdicts_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE verdicts_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
SELECT lo_from_bytea(424242, '\x0102');
GRANT SELECT ON LARGE OBJECT 424242 TO verdicts_reader;
CREATE TABLE audit (LIKE former_users INCLUDING ALL);
