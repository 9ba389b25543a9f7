-- The shop on SQLite. A statement ends where a semicolon is followed by an empty line; {names} are integers.
--
-- "Chance" is arithmetic, so that the same seed gives the same shop on every engine: a number is multiplied into
-- 0 … 2^31-2, squared there, and digits are taken from the result (h and k below). LIMIT -1 keeps the planner from
-- writing those formulas out at every place they are used. Lines are written before their orders, whose totals they
-- make; foreign keys are held against the data when the transaction ends.

-- step: settings of this transaction
PRAGMA defer_foreign_keys = ON;

-- step: tables
CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    email VARCHAR(120) NOT NULL,
    name VARCHAR(80) NOT NULL,
    country CHAR(2) NOT NULL,
    phone VARCHAR(24),
    bio TEXT,
    status VARCHAR(10) NOT NULL DEFAULT 'active',
    last_login TIMESTAMP,
    created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT users_email_key UNIQUE (email),
    CONSTRAINT users_status_check CHECK (status IN ('active', 'dormant', 'closed'))
);

CREATE TABLE categories (
    id INTEGER PRIMARY KEY,
    parent_id INTEGER,
    name VARCHAR(60) NOT NULL,
    CONSTRAINT categories_parent_fkey FOREIGN KEY (parent_id) REFERENCES categories (id)
);

CREATE TABLE products (
    id INTEGER PRIMARY KEY,
    sku VARCHAR(16) NOT NULL,
    name VARCHAR(120) NOT NULL,
    category_id INTEGER NOT NULL,
    price NUMERIC(10, 2) NOT NULL,
    attributes JSON NOT NULL DEFAULT '{}',
    active BOOLEAN NOT NULL DEFAULT 1,
    CONSTRAINT products_sku_key UNIQUE (sku),
    CONSTRAINT products_price_check CHECK (price >= 0),
    CONSTRAINT products_attributes_check CHECK (json_valid(attributes)),
    CONSTRAINT products_category_fkey FOREIGN KEY (category_id) REFERENCES categories (id)
);

CREATE TABLE orders (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL,
    status VARCHAR(10) NOT NULL DEFAULT 'pending',
    total NUMERIC(12, 2) NOT NULL DEFAULT 0,
    note TEXT,
    placed_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT orders_status_check
        CHECK (status IN ('pending', 'paid', 'shipped', 'delivered', 'returned', 'cancelled')),
    CONSTRAINT orders_user_fkey FOREIGN KEY (user_id) REFERENCES users (id)
);

CREATE TABLE order_items (
    order_id INTEGER NOT NULL,
    line SMALLINT NOT NULL,
    product_id INTEGER NOT NULL,
    quantity SMALLINT NOT NULL,
    unit_price NUMERIC(10, 2) NOT NULL,
    CONSTRAINT order_items_pkey PRIMARY KEY (order_id, line),
    CONSTRAINT order_items_quantity_check CHECK (quantity > 0),
    CONSTRAINT order_items_order_fkey FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE CASCADE,
    CONSTRAINT order_items_product_fkey FOREIGN KEY (product_id) REFERENCES products (id)
) WITHOUT ROWID;

CREATE TABLE price_history (
    id INTEGER PRIMARY KEY,
    product_id INTEGER NOT NULL,
    old_price NUMERIC(10, 2) NOT NULL,
    new_price NUMERIC(10, 2) NOT NULL,
    changed_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT price_history_product_fkey FOREIGN KEY (product_id) REFERENCES products (id) ON DELETE CASCADE
);

-- step: users
INSERT INTO users (id, email, name, country, phone, bio, status, last_login, created_at)
WITH RECURSIVE numbers AS (
    SELECT 1 AS i UNION ALL SELECT i + 1 FROM numbers WHERE i < {users}
), multiplied AS (
    SELECT i,
           (i * 742938285 + {seed} * 69621 + 101) % 2147483647 AS a,
           (i * 630360016 + {seed} * 40692 + 7) % 2147483647 AS b
    FROM numbers LIMIT -1
), squared AS (
    SELECT i, a * a % 2147483647 AS h, b * b % 2147483647 AS k FROM multiplied LIMIT -1
), joined AS (
    -- Sign-ups grow over the years, so the time of user i is a parabola, not a line.
    SELECT i, h, k, (i * (3 * {users} - i) / (2 * {users})) * {span} / {users} + k % {user_step} AS joined_s
    FROM squared LIMIT -1
)
SELECT i,
       CASE WHEN k % 200 < 61 THEN person.given || '.' || person.family
            ELSE lower(person.given || '.' || person.family) END || i || '@' ||
       CASE WHEN h / 7 % 8 < 4 THEN 'example.com' WHEN h / 7 % 8 < 6 THEN 'example.org'
            WHEN h / 7 % 8 < 7 THEN 'example.net' ELSE 'mail.example' END,
       person.name,
       person.country,
       CASE WHEN h / 4000 % 100 >= 35 THEN printf('%s 555 %07d', person.dial, k % 10000000) END,
       bio.word,
       CASE WHEN h / 400000 % 100 < 91 THEN 'active' WHEN h / 400000 % 100 < 98 THEN 'dormant' ELSE 'closed' END,
       CASE WHEN k / 80000 % 100 >= 22
            THEN datetime(1546300800 + joined_s + ({end} - joined_s) * (h % 100003) / 100003, 'unixepoch') END,
       datetime(1546300800 + joined_s, 'unixepoch')
FROM joined
CROSS JOIN shop_names AS person ON person.n = h % 4000
LEFT JOIN shop_words AS bio ON bio.kind = 'bio' AND bio.n = k % 24 AND k / 8000 % 10 >= 7;

-- step: products
INSERT INTO categories (id, parent_id, name)
SELECT id, parent_id, name FROM shop_categories ORDER BY id;

INSERT INTO products (id, sku, name, category_id, price, attributes, active)
WITH RECURSIVE numbers AS (
    SELECT 1 AS i UNION ALL SELECT i + 1 FROM numbers WHERE i < {products}
), multiplied AS (
    SELECT i,
           (i * 742938285 + {seed} * 69621 + 211) % 2147483647 AS a,
           (i * 630360016 + {seed} * 40692 + 17) % 2147483647 AS b
    FROM numbers LIMIT -1
), squared AS (
    SELECT i, a * a % 2147483647 AS h, b * b % 2147483647 AS k FROM multiplied LIMIT -1
)
SELECT i,
       printf('SKU-%06d', i),
       adjective.word || ' ' || colour.word || ' ' || good.word,
       9 + h % 80 / 2,
       (299 + (h / 100 % 40) * (k % 40) * 100 + k / 40 % 4 * 25) / 100.0,
       json_object(
           'colour', colour.word,
           'weight_g', 40 + h / 4000 % 9000,
           'fragile', json(CASE WHEN k / 400 % 5 = 0 THEN 'true' ELSE 'false' END),
           'tags', json(CASE k / 2000 % 3 WHEN 0 THEN '["new", "gift"]' WHEN 1 THEN '["café"]' ELSE '[]' END)),
       k / 6000 % 20 <> 0
FROM squared
JOIN shop_words AS good ON good.kind = 'good' AND good.n = h % 80
JOIN shop_words AS adjective ON adjective.kind = 'adjective' AND adjective.n = k / 7 % 24
JOIN shop_words AS colour ON colour.kind = 'colour' AND colour.n = h / 80 % 16
ORDER BY i;

INSERT INTO price_history (product_id, old_price, new_price, changed_at)
SELECT id, price + change.n, price + change.n - 1,
       datetime('2025-01-01 00:00:00', (id % 700 + 2400 * (2 - change.n)) || ' hours')
FROM products, (SELECT 1 AS n UNION ALL SELECT 2) AS change
ORDER BY id, change.n DESC;

-- step: order_items
INSERT INTO order_items (order_id, line, product_id, quantity, unit_price)
WITH RECURSIVE numbers AS (
    SELECT 1 AS i UNION ALL SELECT i + 1 FROM numbers WHERE i < {orders}
), multiplied AS (
    SELECT i, (i * 742938285 + {seed} * 69621 + 307) % 2147483647 AS a FROM numbers LIMIT -1
), squared AS (
    SELECT i, a * a % 2147483647 % 100 AS share FROM multiplied LIMIT -1
), counted AS (
    SELECT i, CASE WHEN share < 70 THEN 1 WHEN share < 88 THEN 2 WHEN share < 95 THEN 3 WHEN share < 98 THEN 4
                   WHEN share < 99 THEN 5 ELSE 6 END AS lines
    FROM squared LIMIT -1
), line_numbers (line) AS (
    VALUES (1), (2), (3), (4), (5), (6)
), lines AS (
    SELECT i, line, ((i * 8 + line) * 630360016 + {seed} * 40692 + 29) % 2147483647 AS b
    FROM counted CROSS JOIN line_numbers ON line <= lines LIMIT -1
), picked AS (
    -- The product of two uniform numbers: a few products sell much better than the rest.
    SELECT i, line, b * b % 2147483647 AS k FROM lines LIMIT -1
)
SELECT i, line, product.id,
       CASE WHEN k / 11 % 10 < 7 THEN 1 WHEN k / 11 % 10 < 9 THEN 2 ELSE 3 + k % 4 END,
       (CAST(round(product.price * 100) AS INTEGER)
        * CASE WHEN k / 3 % 16 = 0 THEN 75 WHEN k / 3 % 16 < 3 THEN 90 ELSE 100 END / 100) / 100.0
FROM picked
CROSS JOIN products AS product
  ON product.id = 1 + (k % 1000) * (k / 1000 % 1000) * {products} / 1000000 * 7919 % {products};

-- step: orders
INSERT INTO orders (id, user_id, status, total, note, placed_at)
WITH RECURSIVE numbers AS (
    SELECT 1 AS i UNION ALL SELECT i + 1 FROM numbers WHERE i < {orders}
), multiplied AS (
    SELECT i,
           (i * 742938285 + {seed} * 69621 + 401) % 2147483647 AS a,
           (i * 630360016 + {seed} * 40692 + 37) % 2147483647 AS b
    FROM numbers LIMIT -1
), squared AS (
    SELECT i, a * a % 2147483647 AS h, b * b % 2147483647 AS k,
           -- Only those who had signed up by then can order.
           max(i * {users} / {orders} - 3, 1) AS present
    FROM multiplied LIMIT -1
), chosen AS (
    SELECT i, h, k, h % present AS customer FROM squared LIMIT -1
), skewed AS (
    -- One order in sixteen goes to one of 50 resellers, as many to one of 400 workshops, three to 6,000 regulars.
    SELECT i, h, k, 1 + CASE WHEN k % 16 = 0 THEN customer - customer % {reseller_span}
                             WHEN k % 16 = 1 THEN customer - customer % {workshop_span}
                             WHEN k % 16 < 5 THEN customer - customer % {regular_span}
                             ELSE customer END AS user_id
    FROM chosen LIMIT -1
)
SELECT i, user_id,
       CASE WHEN i > {orders} - {orders} / 200 THEN
                CASE WHEN k / 16 % 10 < 3 THEN 'pending' WHEN k / 16 % 10 < 8 THEN 'paid' ELSE 'cancelled' END
            WHEN i > {orders} - {orders} / 50 THEN
                CASE WHEN k / 16 % 10 < 2 THEN 'paid' WHEN k / 16 % 10 < 9 THEN 'shipped' ELSE 'cancelled' END
            WHEN k / 16 % 100 < 88 THEN 'delivered' WHEN k / 16 % 100 < 94 THEN 'returned' ELSE 'cancelled' END,
       (SELECT sum(quantity * CAST(round(unit_price * 100) AS INTEGER)) FROM order_items WHERE order_id = i) / 100.0,
       CASE k / 1600 % 50 WHEN 0 THEN 'Please ring twice 🔔' WHEN 1 THEN 'Geschenk, bitte ohne Preis' WHEN 2 THEN '' END,
       datetime(1546300800 + {order_offset} + (i * (3 * {orders} - i) / (2 * {orders})) * {span} / {orders}
                + h % {order_step}, 'unixepoch')
FROM skewed;

-- step: indexes
CREATE INDEX users_country_idx ON users (country, created_at);

CREATE INDEX orders_user_idx ON orders (user_id);

CREATE INDEX orders_open_idx ON orders (placed_at) WHERE status IN ('pending', 'paid');

CREATE INDEX order_items_product_idx ON order_items (product_id);

CREATE INDEX products_category_idx ON products (category_id);

CREATE INDEX price_history_product_idx ON price_history (product_id);

-- step: views and triggers
CREATE VIEW country_revenue AS
SELECT customer.country, count(*) AS orders, sum(orders.total) AS revenue
FROM orders
JOIN users AS customer ON customer.id = orders.user_id
WHERE orders.status NOT IN ('returned', 'cancelled')
GROUP BY customer.country;

CREATE TRIGGER products_price_history AFTER UPDATE OF price ON products
FOR EACH ROW WHEN old.price IS NOT new.price
BEGIN
    INSERT INTO price_history (product_id, old_price, new_price) VALUES (new.id, old.price, new.price);
END;

-- step: statistics
ANALYZE;
