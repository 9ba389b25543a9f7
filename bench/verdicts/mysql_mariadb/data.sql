-- Values, one in one row.
-- value: c_tiny = c_tiny + 1
-- value: c_tiny = -c_tiny
-- value: c_utiny = 255
-- value: c_bool = 1 - c_bool
-- value: c_bool = NULL
-- value: c_small = -c_small
-- value: c_medium = c_medium + 1
-- value: c_int = c_int + 1
-- also: columns kinds.c_generated: data
-- also: columns kinds.c_virtual: data
-- value: c_int = -c_int
-- also: columns kinds.c_generated: data
-- also: columns kinds.c_virtual: data
-- value: c_padded = c_padded + 1
-- value: c_big = c_big + 1
-- value: c_big = -c_big
-- value: c_big = NULL
-- value: c_ubig = c_ubig + 1
-- value: c_ubig = 18446744073709551615
-- value: c_decimal = c_decimal + 0.000001
-- value: c_decimal = -c_decimal
-- value: c_decimal = TRUNCATE(c_decimal, 0)
-- value: c_whole = c_whole + 100000000000
-- value: c_float = c_float + 0.0001
-- value: c_float = -c_float
-- value: c_double = c_double + 1e-10
-- value: c_double = ROUND(c_double, 6)
-- value: c_double = 1.7e308
-- value: c_zero = 5e-308
-- value: c_bit = c_bit ^ 1
-- value: c_bit = NULL
-- value: c_char = 'char 124'
-- value: c_char = UPPER(c_char)
-- value: c_varchar = CONCAT(c_varchar, ' ')
-- value: c_varchar = UPPER(c_varchar)
-- value: c_varchar = ''
-- value: c_varchar = LEFT(c_varchar, 4)
-- value: c_folded = UPPER(c_folded)
-- value: c_folded = CONCAT(c_folded, ' ')
-- value: c_latin = REPLACE(c_latin, 'ö', 'o')
-- value: c_latin = CONCAT(c_latin, ' ')
-- value: c_text = CONCAT(c_text, '\n')
-- value: c_text = NULL
-- value: c_text = ''
-- value: c_long = CONCAT(' ', c_long)
-- value: c_long = REPEAT('x', 100000)
-- value: c_null = ''
-- value: c_null = 'NULL'
-- value: c_null = '0'
-- value: c_accent = REPLACE(c_accent, 'é', CONCAT('e', _utf8mb4 x'CC81'))
-- value: c_accent = REPLACE(c_accent, 'é', 'e')
-- value: c_emoji = REPLACE(c_emoji, '😀', '😃')
-- value: c_emoji = REPLACE(c_emoji, '😀', '?')
-- value: c_binary = x'62696E0000000001'
-- value: c_varbinary = CONCAT(c_varbinary, x'00')
-- value: c_varbinary = ''
-- value: c_blob = 'blob122'
-- value: c_blob = NULL
-- value: c_date = c_date + INTERVAL 1 DAY
-- value: c_date = NULL
-- value: c_datetime = c_datetime + INTERVAL 1 MICROSECOND
-- value: c_datetime = c_datetime + INTERVAL 1 HOUR
-- value: c_datetime = DATE(c_datetime)
-- value: c_second = c_second - INTERVAL 1 SECOND
-- value: c_stamp = c_stamp + INTERVAL 1 MICROSECOND
-- value: c_stamp = c_stamp + INTERVAL 2 HOUR
-- value: c_time = ADDTIME(c_time, '00:00:00.000001')
-- value: c_time = SUBTIME('00:00:00', c_time)
-- value: c_span = '-838:59:59'
-- value: c_span = NULL
-- value: c_year = c_year + 1
-- value: c_enum = 'gone'
-- value: c_enum = NULL
-- value: c_set = 'b,c'
-- value: c_set = NULL
-- value: c_json = JSON_REMOVE(c_json, '$.a')
-- value: c_json = JSON_SET(c_json, '$.a', '123')
-- value: c_json = JSON_SET(c_json, '$.b[0]', 2, '$.b[1]', 1)
-- value: c_point = POINT(id, 0.5000000001)
-- value: c_point = POINT(0.5, id)
-- value: c_shape = ST_GeomFromText('LINESTRING(1 1, 0 0)')
-- value: c_shape = NULL
-- value: c_hidden = 77

-- Rows.
-- injury: a zero date
-- at: columns kinds.c_date: data
-- key: 123
SET SESSION sql_mode = '';
UPDATE kinds SET c_date = '0000-00-00' WHERE id = 123;
-- undo:
RESTORE kinds WHERE id = 123;
-- injury: an empty enum
-- at: columns kinds.c_enum: data
-- key: 123
SET SESSION sql_mode = '';
UPDATE kinds SET c_enum = 'nonsense' WHERE id = 123;
-- undo:
RESTORE kinds WHERE id = 123;
-- injury: two rows exchange a value in one column
-- at: columns kinds.c_bool: data
-- key: 123
UPDATE kinds SET c_bool = 1 - c_bool WHERE id IN (123, 124);
-- undo:
RESTORE kinds WHERE id IN (123, 124);
-- injury: two rows far apart exchange a value
-- at: columns kinds.c_varchar: data
UPDATE kinds SET c_varchar = IF(id = 5, 'Word 105', 'Word 5') WHERE id IN (5, 105);
-- undo:
RESTORE kinds WHERE id IN (5, 105);
-- injury: two columns exchange their values in one row
-- at: columns former_users.email: data
-- at: columns former_users.name: data
-- key: 77
UPDATE former_users SET email = 'Former 77', name = 'former77@example.com' WHERE id = 77;
-- undo:
RESTORE former_users WHERE id = 77;
-- injury: a column moves by one row
-- at: columns former_users.age: data
UPDATE former_users SET age = id % 80 + 19;
-- undo:
RESTORE former_users;
-- injury: a column is emptied
-- at: columns former_users.status: data
UPDATE former_users SET status = NULL;
-- undo:
RESTORE former_users;
-- injury: one row is deleted in the middle
-- at: tables former_users: rows
DELETE FROM former_users WHERE id = 100;
-- undo:
RESTORE former_users;
-- injury: one row is deleted at the end
-- at: tables former_users: rows
DELETE FROM former_users WHERE id = 200;
-- undo:
RESTORE former_users;
-- injury: one row is inserted in the middle
-- at: tables countries: rows
INSERT INTO countries VALUES ('C1000', 'x', 1);
-- undo:
RESTORE countries;
-- injury: one row is inserted at the end
-- at: tables former_users: rows
INSERT INTO former_users VALUES (201, 'x', 'x', 'x', 1);
-- undo:
RESTORE former_users;
-- injury: one row is inserted before all others
-- at: tables former_users: rows
INSERT INTO former_users VALUES (-1, 'x', 'x', 'x', 1);
-- undo:
RESTORE former_users;
-- injury: one row gets another key
-- at: columns former_users.id: *
-- also: columns former_users.*: *
-- also: tables former_users: *
UPDATE former_users SET id = 1000 WHERE id = 100;
-- undo:
RESTORE former_users;
-- injury: a table is truncated
-- at: tables former_users: rows
TRUNCATE TABLE former_users;
-- undo:
RESTORE former_users;
-- injury: a row appears in an empty table
-- at: tables nothing_yet: rows
INSERT INTO nothing_yet (id) VALUES (1);
-- undo:
DELETE FROM nothing_yet;
-- injury: a row moves to another table
-- at: tables former_users: rows
-- at: tables audit: rows
INSERT INTO audit SELECT * FROM former_users WHERE id = 42;
DELETE FROM former_users WHERE id = 42;
-- undo:
DELETE FROM audit;
RESTORE former_users;
-- injury: two tables exchange a row of the same key
-- at: columns users.email: data
-- at: columns former_users.email: data
-- also: columns users.*: data
-- also: columns former_users.*: data
UPDATE users SET email = 'former42@example.com', name = 'Former 42', status = 'gone' WHERE id = 42;
UPDATE former_users SET email = 'user42@example.com', name = 'User 42', status = 'new' WHERE id = 42;
-- undo:
RESTORE users WHERE id = 42;
RESTORE former_users WHERE id = 42;
-- injury: a duplicate where no key forbids it
-- at: tables measurements: rows
INSERT INTO measurements SELECT * FROM measurements LIMIT 1;
-- undo:
RESTORE measurements;
-- injury: one duplicate more, one other row less
-- at: tables measurements: data
-- also: columns measurements.*: data
DELETE FROM measurements WHERE taken_at = '2024-01-01 00:00:07';
INSERT INTO measurements SELECT * FROM measurements WHERE taken_at = '2024-01-01 00:00:09';
-- undo:
RESTORE measurements;
-- injury: two values exchanged in a table without a key
-- at: tables measurements: data
UPDATE measurements SET sensor = IF(taken_at = '2024-01-01 00:00:11', 'sensor 5', 'sensor 4') WHERE taken_at IN ('2024-01-01 00:00:11', '2024-01-01 00:00:12');
-- undo:
RESTORE measurements;
-- injury: one value in a table without a key
-- at: columns measurements.reading: data
UPDATE measurements SET reading = reading + 1e-10 WHERE taken_at = '2024-01-01 00:01:00';
-- undo:
RESTORE measurements;
-- injury: a row less in a table without a key
-- at: tables measurements: rows
DELETE FROM measurements WHERE taken_at = '2024-01-01 00:01:00';
-- undo:
RESTORE measurements;
-- injury: a value under a composite key
-- at: columns order_items.quantity: data
UPDATE order_items SET quantity = quantity + 1 WHERE order_id = 123;
-- undo:
RESTORE order_items WHERE order_id = 123;
-- injury: a part of a composite key
-- at: columns order_items.line: data
-- also: columns order_items.*: data
UPDATE order_items SET line = line + 10 WHERE order_id = 123;
-- undo:
RESTORE order_items WHERE order_id = 123;
-- injury: a value under a text key
-- at: columns countries.label: data
UPDATE countries SET label = 'country 42' WHERE code = 'C42';
-- undo:
RESTORE countries;
-- injury: a text key changes its case
-- at: columns countries.code: *
-- also: columns countries.*: *
-- also: tables countries: *
UPDATE countries SET code = 'c42' WHERE code = 'C42';
-- undo:
RESTORE countries;
-- injury: a value under a binary key
-- at: columns devices.label: data
UPDATE devices SET label = 'Device 42' WHERE label = 'device 42';
-- undo:
RESTORE devices;
-- injury: a value in a partition
-- at: columns events_log.note: data
UPDATE events_log SET note = 'Note 42' WHERE id = 42;
-- undo:
RESTORE events_log WHERE id = 42;
-- injury: a row moves to another partition
-- at: columns events_log.placed: data
-- also: columns events_log.*: data
UPDATE events_log SET placed = '2025-02-01' WHERE id = 42;
-- undo:
RESTORE events_log WHERE id = 42;
-- injury: a value in a compressed table
-- at: columns compressed.label: data
UPDATE compressed SET label = 'x' WHERE id = 5;
-- undo:
RESTORE compressed;
-- injury: a value in a MyISAM table
-- at: columns old_style.label: data
UPDATE old_style SET label = 'x' WHERE id = 5;
-- undo:
RESTORE old_style;
-- injury: a value in a table with odd names
-- at: columns order"; drop table x;--.100%:x: data
UPDATE `order"; drop table x;--` SET `100%:x` = 'z' WHERE `ünï` = 2;
-- undo:
RESTORE `order"; drop table x;--`;
-- injury: a place moves
-- at: columns places.spot: data
UPDATE places SET spot = POINT(1, 2) WHERE id = 1;
-- undo:
RESTORE places;
-- injury: a parent is deleted and leaves orphans
-- at: tables users: rows
-- at: orphans orders.orders_user: more
-- also: orphans orders.orders_referrer: more
SET SESSION foreign_key_checks = 0;
DELETE FROM users WHERE id = 3;
-- undo:
RESTORE users WHERE id = 3;
-- injury: a child is pointed at nobody
-- at: columns orders.user_id: data
-- at: orphans orders.orders_user: more
SET SESSION foreign_key_checks = 0;
UPDATE orders SET user_id = 100000000 WHERE id = 5;
-- undo:
RESTORE orders WHERE id = 5;
-- injury: a timestamp is touched by its ON UPDATE
-- at: columns users.changed_at: data
UPDATE users SET changed_at = '2025-01-01' WHERE id = 9;
-- undo:
RESTORE users WHERE id = 9;
