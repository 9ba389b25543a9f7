-- One object of every kind that PostgreSQL's catalog knows. Roles and the tablespace are made before.

CREATE SCHEMA sales;
COMMENT ON SCHEMA sales IS 'everything sold';
CREATE SCHEMA "Odd.Schema";

-- types
CREATE TYPE mood AS ENUM ('sad', 'it''s ok', 'happy');
COMMENT ON TYPE mood IS 'how people feel';
CREATE DOMAIN positive AS integer DEFAULT 1 CONSTRAINT above_zero CHECK (VALUE > 0);
COMMENT ON CONSTRAINT above_zero ON DOMAIN positive IS 'no debts';
CREATE DOMAIN very_positive AS positive NOT NULL CHECK (VALUE > 10);
CREATE TYPE address AS (street text COLLATE "C", zip varchar(10));
CREATE TYPE float_range AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE TYPE sales.shell;
CREATE COLLATION german (provider = libc, locale = 'C.UTF-8');
COMMENT ON COLLATION german IS 'umlauts';
CREATE TEXT SEARCH DICTIONARY plain_words (TEMPLATE = simple, stopwords = english);
CREATE TEXT SEARCH CONFIGURATION searching (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION searching ALTER MAPPING FOR asciiword WITH plain_words, simple;

-- tables
CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email varchar(200) NOT NULL UNIQUE,
    name text COLLATE "C" DEFAULT 'nobody',
    nickname text COLLATE german,
    feeling mood DEFAULT 'happy',
    age very_positive DEFAULT 18,
    home address,
    tags text[] DEFAULT '{}',
    moods mood[],
    documents json[],
    seen tstzrange,
    spans int4multirange,
    temperature float_range,
    legacy integer,
    upper_name text GENERATED ALWAYS AS (upper(name)) STORED,
    created_at timestamptz NOT NULL DEFAULT '2020-02-03 04:05:06+00',
    lasting interval DEFAULT '1 day 02:03:04',
    weight float8 DEFAULT 0.1,
    blob bytea DEFAULT '\x00ff',
    status varchar(10) CHECK (status IN ('new', 'it''s, (old)', 'done')),
    CONSTRAINT adult CHECK (age > 17) NO INHERIT
);
ALTER TABLE users DROP COLUMN legacy;
COMMENT ON TABLE users IS 'people; "quoted" <b>';
COMMENT ON COLUMN users.email IS 'where to write';
COMMENT ON CONSTRAINT adult ON users IS 'grown up';
ALTER TABLE users SET (fillfactor = 70, autovacuum_enabled = off, toast.autovacuum_enabled = off);
ALTER TABLE users ALTER name SET STORAGE EXTERNAL, ALTER name SET COMPRESSION pglz,
    ALTER email SET STATISTICS 500, ALTER email SET (n_distinct = -0.5);
CREATE INDEX users_name ON users (lower(name), id DESC) INCLUDE (email) WITH (fillfactor = 80) WHERE name IN ('a', 'b');
CREATE INDEX users_status ON users (id) WHERE status IN ('new', 'done');
CREATE INDEX users_words ON users ((lower(name) || 'x'));
ALTER INDEX users_words ALTER COLUMN 1 SET STATISTICS 300;
COMMENT ON INDEX users_name IS 'for the search';
ALTER TABLE users CLUSTER ON users_pkey;
ALTER TABLE users REPLICA IDENTITY USING INDEX users_email_key;
CREATE STATISTICS users_statistics (ndistinct, dependencies) ON email, name FROM users;
ALTER STATISTICS users_statistics SET STATISTICS 200;
COMMENT ON STATISTICS users_statistics IS 'they go together';

CREATE TABLE sales.orders (
    id serial,
    user_id bigint,
    placed date NOT NULL,
    total numeric(12, 2) NOT NULL DEFAULT -1.5,
    CONSTRAINT orders_pkey PRIMARY KEY (id, placed),
    CONSTRAINT orders_user FOREIGN KEY (user_id) REFERENCES users ON UPDATE CASCADE ON DELETE SET NULL
        DEFERRABLE INITIALLY DEFERRED
) PARTITION BY RANGE (placed);
CREATE TABLE sales.orders_2024 PARTITION OF sales.orders FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE sales.orders_2025 PARTITION OF sales.orders FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')
    PARTITION BY RANGE (placed);
CREATE TABLE sales.orders_2025_first PARTITION OF sales.orders_2025 FOR VALUES FROM ('2025-01-01') TO ('2025-07-01');
CREATE TABLE sales.orders_rest PARTITION OF sales.orders DEFAULT;
CREATE INDEX orders_user_id ON sales.orders (user_id);
CREATE TABLE sales.items (
    order_id integer, placed date, line integer NOT NULL, sku text NOT NULL, amount positive,
    UNIQUE NULLS NOT DISTINCT (order_id, line),
    CONSTRAINT items_order FOREIGN KEY (order_id, placed) REFERENCES sales.orders MATCH FULL ON DELETE CASCADE
);
CREATE UNIQUE INDEX items_by_sku ON sales.items (line, sku);
CREATE UNIQUE INDEX items_partial ON sales.items (line) WHERE line > 0;
ALTER TABLE sales.items ADD CONSTRAINT items_amount CHECK (amount < 1000) NOT VALID;
CREATE TABLE bookings (
    room integer NOT NULL, during tsrange NOT NULL,
    EXCLUDE USING gist (during WITH &&) WHERE (room > 0)
);
CREATE TABLE cities (name text, height integer);
CREATE TABLE capitals (country char(2)) INHERITS (cities);
CREATE TABLE places OF address;
CREATE UNLOGGED TABLE scratch (id integer);
ALTER TABLE scratch REPLICA IDENTITY FULL;
CREATE TABLE stored_elsewhere (id integer PRIMARY KEY USING INDEX TABLESPACE catalog_space) TABLESPACE catalog_space;
CREATE TABLE "Odd.Schema"."order""; drop table x;--" (
    "ünï" integer PRIMARY KEY, "100%:x" text, "<script>" text DEFAULT '%s :name', "Mixed.Case" integer
);
CREATE INDEX "odd % :index" ON "Odd.Schema"."order""; drop table x;--" ("100%:x");
GRANT SELECT ON "Odd.Schema"."order""; drop table x;--" TO catalog_reader;

-- views, functions, triggers
CREATE VIEW happy_users WITH (security_invoker = true, security_barrier = true) AS
    SELECT id, email, status IN ('new', 'done') AS active FROM users WHERE feeling = 'happy' WITH LOCAL CHECK OPTION;
COMMENT ON VIEW happy_users IS 'the nice ones';
COMMENT ON COLUMN happy_users.email IS 'seen through a view';
ALTER VIEW happy_users ALTER COLUMN email SET DEFAULT 'none';
CREATE VIEW phrases AS
    SELECT status NOT IN ('new', 'done') AS a, id IN (1, 2) AS b, weight IN (1, 2.5, -3) AS c,
           feeling IN ('sad', 'happy') AS d, status = ANY ('{new,done}') AS e, name LIKE ANY (ARRAY['a%', 'b%']) AS f,
           status = ANY (ARRAY['new', NULL, upper('done')]) AS g, created_at + interval '1 day' AS h,
           CASE status WHEN 'new' THEN -1 ELSE coalesce(age, 2) END AS i, created_at BETWEEN '2020-01-01' AND now() AS j,
           extract(epoch FROM lasting) AS k, tags || ARRAY['x']::varchar[] AS l, (home).zip IN ('1', '2') AS m,
           substring(email FROM 2 FOR 3) AS n, created_at AT TIME ZONE 'UTC' AS o, email COLLATE "C" < 'x' AS p,
           blob || '\x01' AS q, '{"a": 1}'::jsonb -> 'a' AS r, row_number() OVER (PARTITION BY age ORDER BY id DESC) AS s
    FROM users LEFT JOIN (SELECT user_id AS id, sum(total) FILTER (WHERE total > 1) AS spent
                          FROM sales.orders GROUP BY ROLLUP (user_id)) AS o USING (id);
CREATE TABLE phrases_checked (
    v varchar(5) CHECK (v NOT IN ('a', 'b')), n bigint CHECK (n IN (1, 2)), c char(2) CHECK (c IN ('de', 'fr')),
    f float8 CHECK (f = ANY (ARRAY[1, 2])), d date CHECK (d > '2020-01-02'), e interval DEFAULT '-1 day 2 hours',
    g numeric DEFAULT -1, h bigint DEFAULT -5, i text[] DEFAULT ARRAY['a', 'b']::varchar[], j money DEFAULT 1.5,
    k time DEFAULT '04:05', l float4 DEFAULT 'NaN', m text DEFAULT E'back\\slash ''quoted''', o oid DEFAULT 5
);
CREATE INDEX phrases_index ON phrases_checked (v) WHERE v IN ('x', 'y') AND n NOT IN (3, 4);
CREATE FUNCTION plain_text() RETURNS text[] LANGUAGE plpgsql AS $$BEGIN RETURN (ARRAY['a'])::text[]; END$$;
CREATE MATERIALIZED VIEW sales.totals AS SELECT user_id, sum(total) AS total FROM sales.orders GROUP BY user_id;
CREATE UNIQUE INDEX totals_user ON sales.totals (user_id);
CREATE MATERIALIZED VIEW sales.empty_totals AS SELECT 1 AS one WITH NO DATA;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql SET work_mem = '8MB' AS $$BEGIN RETURN NEW; END$$;
CREATE FUNCTION sales.add(a integer, b integer DEFAULT 2) RETURNS integer IMMUTABLE RETURN a + b;
CREATE FUNCTION sales.add(a text) RETURNS text LANGUAGE sql AS $$ SELECT a || ' %s :x' $$;
COMMENT ON FUNCTION sales.add(text) IS 'joins';
CREATE PROCEDURE tidy(INOUT n integer) LANGUAGE plpgsql SECURITY DEFINER AS $$BEGIN n := 1; END$$;
CREATE AGGREGATE sales.total(integer) (sfunc = int4pl, stype = integer, initcond = '0');
COMMENT ON AGGREGATE sales.total(integer) IS 'adds up';
CREATE TRIGGER touch_users BEFORE UPDATE OF email ON users FOR EACH ROW WHEN (OLD.email <> NEW.email)
    EXECUTE FUNCTION touch();
COMMENT ON TRIGGER touch_users ON users IS 'touched';
CREATE TRIGGER silent AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION touch();
ALTER TABLE users DISABLE TRIGGER silent;
CREATE CONSTRAINT TRIGGER checked AFTER INSERT ON users DEFERRABLE FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER touch_orders AFTER INSERT ON sales.orders FOR EACH ROW EXECUTE FUNCTION touch();
CREATE RULE no_delete AS ON DELETE TO scratch DO INSTEAD NOTHING;
COMMENT ON RULE no_delete ON scratch IS 'keep all';
ALTER TABLE users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON users AS RESTRICTIVE FOR UPDATE TO catalog_reader USING (email = current_user)
    WITH CHECK (age > 18);
COMMENT ON POLICY own_rows ON users IS 'mine';
CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN END$$;
CREATE EVENT TRIGGER watching ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'DROP TABLE') EXECUTE FUNCTION watch();
COMMENT ON EVENT TRIGGER watching IS 'sees all';
CREATE SEQUENCE counter AS integer START 5 INCREMENT 5 MINVALUE 5 MAXVALUE 5000 CACHE 3 CYCLE;
SELECT nextval('counter');
COMMENT ON SEQUENCE counter IS 'counts';
CREATE SEQUENCE untouched;
SELECT setval('untouched', 77, false);

-- operators, casts, conversions, access methods
CREATE FUNCTION same(text, text) RETURNS boolean IMMUTABLE RETURN lower($1) = lower($2);
CREATE OPERATOR === (leftarg = text, rightarg = text, function = same, commutator = ===);
COMMENT ON OPERATOR === (text, text) IS 'alike';
CREATE OPERATOR FAMILY sales.family USING btree;
CREATE OPERATOR CLASS sales.backwards FOR TYPE integer USING btree FAMILY sales.family AS
    OPERATOR 1 > , OPERATOR 2 >= , OPERATOR 3 = , OPERATOR 4 <= , OPERATOR 5 < , FUNCTION 1 btint4cmp(integer, integer);
CREATE FUNCTION to_mood(integer) RETURNS mood IMMUTABLE RETURN 'sad'::mood;
CREATE CAST (integer AS mood) WITH FUNCTION to_mood(integer) AS ASSIGNMENT;
COMMENT ON CAST (integer AS mood) IS 'crude';
CREATE CONVERSION sales.latin FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE ACCESS METHOD heap_again TYPE TABLE HANDLER heap_tableam_handler;
CREATE TABLE stored_again (id integer) USING heap_again;

-- foreign data, replication
CREATE FOREIGN DATA WRAPPER wrapper OPTIONS (api_key 'k3y-value', mode 'fast');
CREATE SERVER elsewhere TYPE 'x' VERSION '1' FOREIGN DATA WRAPPER wrapper OPTIONS (host 'db.example.com', token 's3cret');
CREATE USER MAPPING FOR catalog_reader SERVER elsewhere OPTIONS (user 'me', password 'hunter2');
CREATE FOREIGN TABLE sales.remote (id integer OPTIONS (column_name 'ID'), note text) SERVER elsewhere
    OPTIONS (schema_name 'public');
CREATE PUBLICATION some_tables FOR TABLE users (id, email) WHERE (email <> 'x')
    WITH (publish = 'insert, update', publish_via_partition_root = true);
COMMENT ON PUBLICATION some_tables IS 'told to others';
CREATE PUBLICATION whole_schema FOR TABLES IN SCHEMA "Odd.Schema";
CREATE PUBLICATION every_table FOR ALL TABLES;
CREATE SUBSCRIPTION listening CONNECTION 'host=localhost dbname=nowhere password=hunter2' PUBLICATION b, a
    WITH (connect = false, slot_name = NONE);

-- rights
ALTER TABLE sales.items OWNER TO catalog_owner;
GRANT SELECT, INSERT ON users TO catalog_reader WITH GRANT OPTION;
GRANT UPDATE (email) ON users TO catalog_reader;
GRANT SELECT ON sales.orders TO PUBLIC;
GRANT USAGE ON SEQUENCE counter TO catalog_reader;
REVOKE EXECUTE ON FUNCTION sales.add(integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sales.add(integer, integer) TO catalog_reader;
GRANT USAGE ON SCHEMA sales TO catalog_reader;
REVOKE USAGE ON TYPE mood FROM PUBLIC;
GRANT USAGE ON FOREIGN SERVER elsewhere TO catalog_reader;
GRANT SELECT ON cities TO catalog_owner;
REVOKE SELECT ON cities FROM catalog_owner;
ALTER DEFAULT PRIVILEGES IN SCHEMA sales GRANT SELECT ON TABLES TO catalog_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE catalog_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
SELECT lo_create(424242);
INSERT INTO users (email, name) VALUES ('a@example.com', 'a'), ('b@example.com', 'b');
INSERT INTO sales.orders (user_id, placed, total) VALUES (1, '2024-02-03', 10), (2, '2025-03-04', 20);
REFRESH MATERIALIZED VIEW sales.totals;
