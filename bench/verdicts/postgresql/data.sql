-- Values, one in one row.
-- value: c_small = c_small + 1
-- also: columns kinds.c_virtual: data
-- value: c_small = -c_small
-- also: columns kinds.c_virtual: data
-- value: c_int = c_int + 1
-- value: c_int = -c_int
-- value: c_int = NULL
-- value: c_big = c_big + 1
-- value: c_big = c_big::float8::bigint + 2
-- value: c_numeric = c_numeric + 0.000001
-- value: c_numeric = -c_numeric
-- value: c_numeric = 'NaN'
-- value: c_free = 'Infinity'
-- value: c_free = '-Infinity'
-- value: c_free = c_free + 1e-30
-- value: c_real = c_real * 1.0000002::real
-- value: c_real = '-0'
-- value: c_double = c_double + 1e-10
-- value: c_double = 'NaN'
-- value: c_double = 'Infinity'
-- value: c_zero = '-0'
-- value: c_zero = 4.9e-324
-- value: c_money = c_money + '0.01'::money
-- value: c_money = c_money * -1
-- value: c_text = c_text || ' '
-- value: c_text = ''
-- value: c_text = NULL
-- value: c_text = upper(c_text)
-- value: c_varchar = left(c_varchar, 4)
-- value: c_char = 'char 124'
-- value: c_null = ''
-- value: c_null = 'NULL'
-- value: c_accent = normalize(c_accent, NFD)
-- value: c_accent = convert_from(convert_to(c_accent, 'UTF8'), 'LATIN1')
-- value: c_embedding = '[1,2,3.0000002]'
-- value: c_name = 'other'
-- value: c_bytes = set_bit(c_bytes, 17, 1 - get_bit(c_bytes, 17))
-- value: c_bytes = c_bytes || '\x00'
-- value: c_bytes = ''
-- value: c_bool = NOT c_bool
-- value: c_bool = NULL
-- value: c_date = c_date + 1
-- value: c_date = 'infinity'
-- value: c_time = c_time + interval '1 microsecond'
-- value: c_time = '24:00'
-- value: c_timetz = c_timetz AT TIME ZONE interval '02:00'
-- value: c_stamp = c_stamp + interval '1 microsecond'
-- value: c_stamp = date_trunc('hour', c_stamp)
-- value: c_zone = c_zone + interval '1 microsecond'
-- value: c_zone = c_zone + interval '1 hour'
-- value: c_zone = '-infinity'
-- value: c_interval = '5 days 3 hours'
-- value: c_interval = '1 month'
-- value: c_uuid = '00000000-0000-0000-0000-000000000000'
-- value: c_json = '{"b": "x", "a": 123}'
-- value: c_json = '{"a":123,"b":"x"}'
-- value: c_jsonb = c_jsonb - 'c'
-- value: c_jsonb = jsonb_set(c_jsonb, '{a}', '"123"')
-- value: c_jsonb = jsonb_set(c_jsonb, '{b,0}', '-1')
-- value: c_jsonb = jsonb_set(c_jsonb, '{b}', '[2, 1, 123]')
-- value: c_jsonb = jsonb_set(c_jsonb, '{b}', '[[1, 2], 123]')
-- value: c_ints = ARRAY[2, 1, id]
-- value: c_ints = ARRAY[1, 2, NULL]
-- value: c_ints = array_fill(7, ARRAY[3], ARRAY[2])
-- value: c_ints = '[2:4]={1,2,123}'
-- value: c_texts = ARRAY['a', '', 'b' || id]
-- value: c_texts = ARRAY['a', 'NULL', 'b' || id]
-- value: c_matrix = ARRAY[1, 2, 3, id]
-- value: c_matrix = ARRAY[[1, 3], [2, id]]
-- value: c_moods = ARRAY['ok', 'sad']::mood[]
-- value: c_range = int4range(id, id + 10, '[]')
-- value: c_range = 'empty'
-- value: c_zones = tstzrange(lower(c_zones), upper(c_zones), '(]')
-- value: c_zones = tstzrange(lower(c_zones), NULL)
-- value: c_spans = int4multirange(int4range(id, id + 7))
-- value: c_floats = float_range(id, id + 0.5, '()')
-- value: c_mood = 'happy'
-- value: c_address = ROW ('street ' || id, NULL)::address
-- value: c_address = ROW (id::text, 'street')::address
-- value: c_address = NULL
-- value: c_positive = c_positive + 1
-- value: c_inet = set_masklen(c_inet, 24)
-- value: c_inet = c_inet + 1
-- value: c_cidr = '10.1.0.0/17'
-- value: c_mac = '08:00:2b:01:02:04'
-- value: c_mac8 = '08:00:2b:01:02:03:04:06'
-- value: c_bit = ~c_bit
-- value: c_varbit = c_varbit || B'0'
-- value: c_point = point(id, 0.5000000001)
-- value: c_point = point(0.5, id)
-- value: c_line = '{1,2,4}'
-- value: c_box = box(point(0, 0), point(id, 2))
-- value: c_path = pclose(c_path)
-- value: c_polygon = '((0,0),(1,1),(2,0),(1,0))'
-- value: c_circle = circle(point(0, 0), id + 1)
-- value: c_lseg = lseg(point(id, 1), point(0, 0))
-- value: c_vector = setweight(c_vector, 'A')
-- value: c_query = '!fat'
-- value: c_oid = 4294967295
-- value: c_regclass = 'pg_type'
-- value: c_lsn = c_lsn + 1
-- value: c_jsonpath = 'strict $.a'
-- value: c_letter = 'A'
-- value: c_tid = '(0,2)'

-- Rows.
-- injury: two rows exchange a value in one column
-- at: columns kinds.c_bool: data
-- key: 123
UPDATE kinds SET c_bool = NOT c_bool WHERE id IN (123, 124);
-- injury: two rows far apart exchange a value
-- at: columns kinds.c_uuid: data
UPDATE kinds AS k SET c_uuid = o.c_uuid FROM kinds AS o WHERE k.id IN (5, 105) AND o.id = 110 - k.id;
-- injury: two columns exchange their values in one row
-- at: columns former_users.email: data
-- at: columns former_users.name: data
-- key: 77
UPDATE former_users SET email = name, name = email WHERE id = 77;
-- injury: a column moves by one row
-- at: columns former_users.age: data
UPDATE former_users AS f SET age = o.age FROM former_users AS o WHERE o.id = f.id % 200 + 1;
-- injury: a column is emptied
-- at: columns former_users.status: data
UPDATE former_users SET status = NULL;
-- injury: one row is deleted in the middle
-- at: tables former_users: rows
DELETE FROM former_users WHERE id = 100;
-- injury: one row is deleted at the end
-- at: tables former_users: rows
DELETE FROM former_users WHERE id = 200;
-- injury: one row is inserted in the middle
-- at: tables countries: rows
INSERT INTO countries VALUES ('C1000', 'x', 1);
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
-- injury: a table is truncated
-- at: tables former_users: rows
TRUNCATE former_users;
-- injury: a row appears in an empty table
-- at: tables nothing_yet: rows
INSERT INTO nothing_yet (id) VALUES (1);
-- injury: a row moves to another table
-- at: tables former_users: rows
-- at: tables audit: rows
WITH moved AS (DELETE FROM former_users WHERE id = 42 RETURNING *) INSERT INTO audit SELECT * FROM moved;
-- injury: a row moves to a child table
-- at: tables cities: rows
-- at: tables capitals: rows
DELETE FROM cities WHERE name = 'Bonn';
INSERT INTO capitals VALUES ('Bonn', 60, 'DE');
-- injury: two tables exchange a row of the same key
-- at: columns users.email: data
-- at: columns former_users.email: data
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
DELETE FROM measurements WHERE taken_at = '2024-01-01 00:00:07+00';
INSERT INTO measurements SELECT * FROM measurements WHERE taken_at = '2024-01-01 00:00:09+00';
-- injury: two values exchanged in a table without a key
-- at: tables measurements: data
UPDATE measurements AS m SET reading = o.reading FROM measurements AS o WHERE m.taken_at IN ('2024-01-01 00:00:11+00', '2024-01-01 00:00:12+00') AND o.taken_at IN ('2024-01-01 00:00:11+00', '2024-01-01 00:00:12+00') AND o.taken_at <> m.taken_at;
-- injury: one value in a table without a key
-- at: columns measurements.reading: data
UPDATE measurements SET reading = reading + 1e-10 WHERE taken_at = '2024-01-01 00:01:00+00';
-- injury: a row less in a table without a key
-- at: tables measurements: rows
DELETE FROM measurements WHERE taken_at = '2024-01-01 00:01:00+00';
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
-- injury: a value under a uuid key
-- at: columns devices.label: data
UPDATE devices SET label = 'Device 42' WHERE label = 'device 42';
-- injury: a value in a partition
-- at: columns shop.orders.note: data
UPDATE shop.orders SET note = 'Note 42' WHERE id = 42;
-- injury: a row moves to another partition
-- at: columns shop.orders.placed: data
-- also: columns shop.orders.*: data
-- also: tables shop.orders_2024: rows
-- also: tables shop.orders_2025: rows
-- also: objects *
UPDATE shop.orders SET placed = '2025-02-01' WHERE id = 42;
-- injury: a row of a partition is deleted
-- at: tables shop.orders: rows
-- at: tables shop.orders_2024: rows
DELETE FROM shop.orders WHERE id = 42;
-- injury: a value in a table of another tablespace
-- at: columns stored_elsewhere.label: data
UPDATE stored_elsewhere SET label = 'A' WHERE id = 1;
-- injury: a value in a table with odd names
-- at: columns Odd.Schema.order"; drop table x;--.100%:x: data
UPDATE "Odd.Schema"."order""; drop table x;--" SET "100%:x" = 'z' WHERE "ünï" = 2;
-- injury: a materialized view is refreshed over other rows
-- at: columns shop.totals.total: data
-- also: columns shop.orders.total: data
-- also: tables shop.orders: data
UPDATE shop.orders SET total = total + 1 WHERE id = 42;
REFRESH MATERIALIZED VIEW shop.totals;
-- injury: a parent is deleted and leaves orphans
-- at: tables users: rows
-- at: orphans payments.payments_user: more
-- also: orphans shop.orders.orders_user: more
SET session_replication_role = replica;
DELETE FROM users WHERE id = 3;
-- injury: a child is pointed at nobody
-- at: columns payments.user_id: data
-- at: orphans payments.payments_user: more
SET session_replication_role = replica;
UPDATE payments SET user_id = 100000000 WHERE id = 5;
-- injury: an orphan more under a key that is not validated
-- at: columns refunds.payment_id: data
-- at: orphans refunds.refunds_payment: more
SET session_replication_role = replica;
UPDATE refunds SET payment_id = 100000 WHERE id = 1;
-- injury: a sequence is set back
-- at: objects sequence counter: value
SELECT setval('counter', 5);
-- injury: an identity is set back
-- at: objects sequence users_id_seq: value
SELECT setval('users_id_seq', 1, false);
-- injury: a large object is removed
-- at: objects large objects large objects: *
-- also: objects grant *
SELECT lo_unlink(424242);
