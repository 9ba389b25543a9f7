-- Every kind of object that SQLite knows. {rows} is the number of rows of the larger tables.
PRAGMA page_size = 8192;
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA application_id = 77;
PRAGMA user_version = 12;
CREATE TABLE kinds (
    id INTEGER PRIMARY KEY,
    c_int INTEGER NOT NULL,
    c_big BIGINT,
    c_small SMALLINT DEFAULT 7,
    c_real REAL,
    c_double DOUBLE PRECISION,
    c_zero REAL,
    c_numeric NUMERIC(20, 6),
    c_text TEXT,
    c_varchar VARCHAR(200) COLLATE NOCASE,
    c_char CHAR(20),
    c_null TEXT,
    c_accent TEXT,
    c_emoji TEXT,
    c_blob BLOB,
    c_empty_blob BLOB,
    c_date DATE,
    c_time TIME,
    c_stamp TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    c_zone TEXT,
    c_bool BOOLEAN,
    c_json JSON,
    c_array TEXT,
    c_uuid TEXT,
    c_enum TEXT CHECK (c_enum IN ('new', 'paid', 'gone')),
    c_any ANY,
    c_generated INTEGER GENERATED ALWAYS AS (c_int * 2) STORED,
    c_virtual TEXT GENERATED ALWAYS AS (lower(c_text)) VIRTUAL
);
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
INSERT INTO kinds (id, c_int, c_big, c_small, c_real, c_double, c_zero, c_numeric, c_text, c_varchar, c_char, c_null, c_accent,
                   c_emoji, c_blob, c_empty_blob, c_date, c_time, c_stamp, c_zone, c_bool, c_json, c_array, c_uuid, c_enum, c_any)
SELECT i, i * 3 + 1, 9007199254740992 + i, i % 100 + 1, i * 0.25 + 0.5, i / 7.0 + 1, 0.0, i * 1.5 + 0.125, 'Text ' || i, 'Word ' || i,
       'char ' || i, NULL, 'café ' || i, '😀 ' || i, CAST('blob' || i AS BLOB), x'', date('2024-01-01', (i % 300) || ' days'),
       printf('%02d:%02d:%02d.%06d', i % 24, i % 60, i % 59, i), datetime('2024-03-01', i || ' minutes'),
       '2024-03-31T02:30:00.' || printf('%06d', i) || '+01:00', i % 2, json_object('a', i, 'b', json_array(1, 2, i)),
       '[1,2,' || i || ']', printf('00000000-0000-4000-8000-%012x', i), CASE i % 2 WHEN 0 THEN 'new' ELSE 'paid' END, 'any ' || i
FROM n;
CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    email TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL DEFAULT 'nobody' COLLATE NOCASE,
    status TEXT NOT NULL DEFAULT 'new',
    age INTEGER CHECK (age > 0),
    CONSTRAINT name_is_short CHECK (length(name) < 100)
);
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
INSERT INTO users (id, email, name, status, age)
SELECT i, 'user' || i || '@example.com', 'User ' || i, 'new', i % 80 + 18 FROM n;
CREATE TABLE former_users (
    id INTEGER PRIMARY KEY,
    email TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    age INTEGER
);
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
INSERT INTO former_users SELECT i, 'former' || i || '@example.com', 'Former ' || i, 'gone', i % 80 + 18 FROM n;
CREATE TABLE orders (
    id INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id) ON UPDATE CASCADE ON DELETE RESTRICT,
    referrer_id INTEGER CONSTRAINT orders_referrer REFERENCES users (id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
    total NUMERIC NOT NULL CONSTRAINT total_is_positive CHECK (total >= 0),
    placed_at TEXT NOT NULL,
    note TEXT
);
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 280)
INSERT INTO orders SELECT i, i % 200 + 1, CASE WHEN i % 3 = 0 THEN i % 50 + 1 END, i * 1.25, datetime('2024-01-01', i || ' hours'), 'note ' || i FROM n;
CREATE TABLE order_items (
    order_id INTEGER NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    line INTEGER NOT NULL,
    sku TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    PRIMARY KEY (order_id, line)
) WITHOUT ROWID;
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 280)
INSERT INTO order_items SELECT i, i % 3 + 1, 'sku' || (i % 17), i % 9 + 1 FROM n;
CREATE TABLE countries (code TEXT PRIMARY KEY NOT NULL, label TEXT NOT NULL, area REAL) WITHOUT ROWID;
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 90)
INSERT INTO countries SELECT 'C' || i, 'Country ' || i, i * 1.5 FROM n;
CREATE TABLE measurements (sensor TEXT, taken_at TEXT, reading REAL);
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250)
INSERT INTO measurements SELECT 'sensor ' || (i % 7), datetime('2024-01-01', i || ' seconds'), i * 0.1 FROM n;
CREATE TABLE strictly (id INTEGER PRIMARY KEY, amount INTEGER NOT NULL, label TEXT, payload ANY) STRICT;
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 90)
INSERT INTO strictly SELECT i, i * 10, 'label ' || i, CASE i % 3 WHEN 0 THEN i WHEN 1 THEN 'p' || i ELSE i * 0.5 END FROM n;
CREATE TABLE slots (
    room TEXT NOT NULL, starts INTEGER NOT NULL, holder TEXT,
    UNIQUE (room, starts) ON CONFLICT REPLACE
);
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 90)
INSERT INTO slots SELECT 'room ' || (i % 5), i, 'holder ' || i FROM n;
CREATE TABLE "Odd.Table" ("order""; drop table x;--" INTEGER PRIMARY KEY, "100%:x" TEXT, "<script>" TEXT DEFAULT 'a;b', "ünï" TEXT);
INSERT INTO "Odd.Table" VALUES (1, 'a', 'b', 'c'), (2, 'd', 'e', 'f'), (3, 'g', 'h', 'i');
CREATE TABLE nothing_yet (id INTEGER PRIMARY KEY, label TEXT DEFAULT 'none');
CREATE TABLE deleted_log (id INTEGER PRIMARY KEY, email TEXT, at TEXT);
CREATE VIRTUAL TABLE documents USING fts5 (title, body, tokenize = 'porter');
INSERT INTO documents (title, body) VALUES ('first', 'running and jumping'), ('second', 'sleeping'), ('third', 'eating');
CREATE VIRTUAL TABLE boxes USING rtree (id, left, right, bottom, top);
INSERT INTO boxes VALUES (1, 0, 1, 0, 1), (2, 5, 6, 5, 6);
CREATE INDEX users_by_name ON users (name);
CREATE INDEX users_by_status ON users (status, age DESC);
CREATE UNIQUE INDEX users_lower_email ON users (lower(email));
CREATE INDEX orders_large ON orders (placed_at) WHERE total > 100;
CREATE INDEX orders_by_user ON orders (user_id, total);
CREATE INDEX orders_by_note ON orders (note COLLATE NOCASE);
CREATE VIEW spenders AS SELECT u.id, u.email, sum(o.total) AS spent FROM users u JOIN orders o ON o.user_id = u.id GROUP BY u.id;
CREATE VIEW cheap_orders (order_id, price) AS SELECT id, total FROM orders WHERE total < 10;
CREATE TRIGGER users_log AFTER DELETE ON users BEGIN INSERT INTO deleted_log (email) VALUES (old.email); END;
CREATE TRIGGER orders_guard BEFORE UPDATE OF total ON orders WHEN new.total < 0 BEGIN SELECT RAISE(ABORT, 'negative'); END;
CREATE TRIGGER cheap_insert INSTEAD OF INSERT ON cheap_orders BEGIN INSERT INTO orders (user_id, total, placed_at) VALUES (1, new.price, 'now'); END;
