-- Values, one in one row.
-- value: c_int = c_int + 1
-- also: columns kinds.c_generated: data
-- value: c_int = -c_int
-- also: columns kinds.c_generated: data
-- value: c_int = 'x' || c_int
-- also: columns kinds.c_generated: data
-- value: c_big = c_big + 1
-- value: c_big = -c_big
-- value: c_big = CAST(c_big AS REAL)
-- value: c_small = 0
-- value: c_small = NULL
-- value: c_real = c_real + 1e-10
-- value: c_real = -c_real
-- value: c_real = NULL
-- value: c_real = 9e999
-- value: c_double = c_double * (1 + 2.3e-16)
-- value: c_double = round(c_double, 6)
-- value: c_zero = -4.9e-324
-- value: c_zero = NULL
-- value: c_zero = 4.9e-324
-- value: c_numeric = c_numeric + 0.000001
-- value: c_numeric = CAST(c_numeric AS INTEGER)
-- value: c_text = c_text || ' '
-- also: columns kinds.c_virtual: data
-- value: c_text = upper(c_text)
-- also: columns kinds.c_virtual: data
-- value: c_text = NULL
-- also: columns kinds.c_virtual: data
-- value: c_text = ''
-- also: columns kinds.c_virtual: data
-- value: c_text = CAST(c_text AS BLOB)
-- also: columns kinds.c_virtual: data
-- value: c_varchar = upper(c_varchar)
-- value: c_varchar = ' ' || c_varchar
-- value: c_varchar = substr(c_varchar, 1, 4)
-- value: c_char = trim(c_char) || char(9)
-- value: c_char = replace(c_char, 'c', 'с')
-- value: c_null = ''
-- value: c_null = 'NULL'
-- value: c_null = 0
-- value: c_accent = replace(c_accent, 'é', 'e' || char(769))
-- value: c_accent = replace(c_accent, 'é', 'Ã©')
-- value: c_emoji = replace(c_emoji, '😀', '😃')
-- value: c_emoji = replace(c_emoji, '😀', '?')
-- value: c_blob = CAST('blob122' AS BLOB)
-- value: c_blob = CAST(c_blob AS TEXT)
-- value: c_blob = CAST(c_blob || x'00' AS BLOB)
-- value: c_empty_blob = NULL
-- value: c_empty_blob = ''
-- value: c_empty_blob = x'00'
-- value: c_date = date(c_date, '1 day')
-- value: c_time = substr(c_time, 1, 14) || '9'
-- value: c_stamp = datetime(c_stamp, '1 hour')
-- value: c_stamp = c_stamp || 'Z'
-- value: c_zone = replace(c_zone, '+01:00', '+02:00')
-- value: c_zone = substr(c_zone, 1, 19)
-- value: c_bool = 1 - c_bool
-- value: c_bool = 'true'
-- value: c_json = json_remove(c_json, '$.a')
-- value: c_json = json_set(c_json, '$.b[0]', 9)
-- value: c_array = '[2,1,' || id || ']'
-- value: c_uuid = upper(c_uuid) || 'x'
-- value: c_enum = 'gone'
-- value: c_any = 123
-- value: c_any = NULL

-- Rows.
-- injury: two rows exchange a value in one column
-- at: columns kinds.c_small: data
-- key: 123
UPDATE kinds SET c_small = CASE id WHEN 123 THEN 25 ELSE 24 END WHERE id IN (123, 124);
-- injury: two rows far apart exchange a value
-- at: columns kinds.c_uuid: data
UPDATE kinds SET c_uuid = (SELECT o.c_uuid FROM (SELECT id, c_uuid FROM kinds WHERE id IN (5, 205)) o WHERE o.id = 210 - kinds.id) WHERE id IN (5, 205);
-- injury: two columns exchange their values in one row
-- at: columns former_users.email: data
-- at: columns former_users.name: data
-- key: 77
UPDATE former_users SET email = name, name = email WHERE id = 77;
-- injury: every value of a column moves down by one row
-- at: columns former_users.age: data
UPDATE former_users SET age = (SELECT f.age FROM former_users f WHERE f.id = former_users.id % 200 + 1);
-- injury: a column is emptied
-- at: columns orders.note: data
UPDATE orders SET note = NULL;
-- injury: a column is set to its default
-- at: columns former_users.status: data
UPDATE former_users SET status = 'new';
-- injury: one row is deleted in the middle
-- at: tables former_users: rows
DELETE FROM former_users WHERE id = 100;
-- injury: one row is deleted at the end
-- at: tables former_users: rows
DELETE FROM former_users WHERE id = 200;
-- injury: one row is inserted at the end
-- at: tables former_users: rows
INSERT INTO former_users VALUES (201, 'x', 'x', 'x', 1);
-- injury: one row is inserted before all others
-- at: tables former_users: rows
INSERT INTO former_users VALUES (0, 'x', 'x', 'x', 1);
-- injury: one row gets another key
-- at: columns former_users.id: *
-- also: columns former_users.*: *
-- also: tables former_users: *
UPDATE former_users SET id = 1000 WHERE id = 100;
-- injury: one row is deleted and another inserted
-- at: columns former_users.id: *
-- also: columns former_users.*: *
-- also: tables former_users: *
DELETE FROM former_users WHERE id = 100;
INSERT INTO former_users VALUES (1000, 'x', 'x', 'x', 1);
-- injury: all rows are deleted
-- at: tables former_users: rows
DELETE FROM former_users;
-- injury: a row appears in an empty table
-- at: tables nothing_yet: rows
INSERT INTO nothing_yet (id) VALUES (1);
-- injury: a row moves to another table
-- at: tables former_users: rows
-- at: tables users: rows
INSERT INTO users SELECT id + 1000000, email, name, status, age FROM former_users WHERE id = 42;
DELETE FROM former_users WHERE id = 42;
-- injury: two tables exchange a row of the same key
-- at: columns users.email: data
-- at: columns users.name: data
-- at: columns former_users.email: data
-- at: columns former_users.name: data
-- also: columns users.*: data
-- also: columns former_users.*: data
UPDATE users SET email = 'former42@example.com', name = 'Former 42', status = 'gone' WHERE id = 42;
UPDATE former_users SET email = 'user42@example.com', name = 'User 42', status = 'new' WHERE id = 42;
-- injury: a duplicate where no key forbids it
-- at: tables measurements: rows
INSERT INTO measurements SELECT * FROM measurements LIMIT 1;
-- injury: one duplicate more, one other row less
-- at: tables measurements: data
-- also: columns measurements.*: data
DELETE FROM measurements WHERE rowid = 7;
INSERT INTO measurements SELECT * FROM measurements WHERE rowid = 8;
-- injury: two values exchanged in a table without a key
-- at: tables measurements: data
UPDATE measurements SET reading = CASE rowid WHEN 11 THEN 1.2000000000000002 ELSE 1.1 END WHERE rowid IN (11, 12);
-- injury: one value in a table without a key
-- at: columns measurements.reading: data
UPDATE measurements SET reading = reading + 1e-10 WHERE rowid = 100;
-- injury: a row less in a table without a key
-- at: tables measurements: rows
DELETE FROM measurements WHERE rowid = 100;
-- injury: a value under a composite key
-- at: columns order_items.quantity: data
UPDATE order_items SET quantity = quantity + 1 WHERE order_id = 123;
-- injury: a part of a composite key
-- at: columns order_items.line: data
-- also: columns order_items.*: data
UPDATE order_items SET line = line + 10 WHERE order_id = 123;
-- injury: a value under a text key
-- at: columns countries.label: data
UPDATE countries SET label = 'country 42' WHERE code = 'C42';
-- injury: a text key changes its case
-- at: columns countries.code: *
-- also: columns countries.*: *
-- also: tables countries: *
UPDATE countries SET code = 'c42' WHERE code = 'C42';
-- injury: a value in a strict table
-- at: columns strictly.payload: data
-- key: 30
UPDATE strictly SET payload = '30' WHERE id = 30;
-- injury: a value in a table with odd names
-- at: columns Odd.Table.100%:x: data
UPDATE "Odd.Table" SET "100%:x" = 'z' WHERE "<script>" = 'e';
-- injury: a value under a unique key
-- at: columns slots.holder: data
UPDATE slots SET holder = 'nobody' WHERE starts = 33;
-- injury: the body of a document
-- at: columns documents.body: data
UPDATE documents SET body = 'sleeping.' WHERE title = 'second';
-- injury: a document is deleted
-- at: tables documents: rows
DELETE FROM documents WHERE title = 'second';
-- injury: a box is moved
-- at: columns boxes.right: data
UPDATE boxes SET right = 7 WHERE id = 2;
-- injury: a parent is deleted and leaves orphans
-- at: tables users: rows
-- at: orphans orders.fk(user_id → users.id): more
-- also: tables deleted_log: *
-- also: orphans orders.orders_referrer: more
PRAGMA foreign_keys = OFF;
DELETE FROM users WHERE id = 3;
-- injury: a child is pointed at nobody
-- at: columns orders.user_id: data
-- at: orphans orders.fk(user_id → users.id): more
PRAGMA foreign_keys = OFF;
UPDATE orders SET user_id = 100000000 WHERE id = 5;
