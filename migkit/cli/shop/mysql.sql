-- The shop on MySQL and MariaDB. A statement ends where a semicolon is followed by an empty line; {names} are integers.
--
-- "Chance" is arithmetic, so that the same seed gives the same shop on every engine: a number is multiplied into
-- 0 … 2^31-2, squared there, and digits are taken from the result (h and k below). The checks are off while rows are
-- loaded and foreign keys added: with them on, each foreign key would copy its whole table.

-- step: settings of this session
SET foreign_key_checks = 0, unique_checks = 0;

-- step: tables
CREATE TABLE shop_numbers (n INT PRIMARY KEY) ENGINE = InnoDB;

INSERT INTO shop_numbers (n)
WITH digits AS (
    SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4
    UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9
), thousands AS (
    SELECT a.d + 10 * b.d + 100 * c.d AS t FROM digits AS a, digits AS b, digits AS c
)
SELECT low.t + 1000 * high.t + 1000000 * top.d AS n
FROM digits AS top
STRAIGHT_JOIN thousands AS high ON high.t + 1000 * top.d <= greatest({users}, {orders}) DIV 1000
STRAIGHT_JOIN thousands AS low
WHERE low.t + 1000 * high.t + 1000000 * top.d BETWEEN 1 AND greatest({users}, {orders})
ORDER BY n;

CREATE TABLE users (
    id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    email VARCHAR(120) COLLATE utf8mb4_bin NOT NULL COMMENT 'As typed at sign-up; unique with its capitals',
    name VARCHAR(80) NOT NULL,
    country CHAR(2) NOT NULL,
    phone VARCHAR(24),
    bio TEXT,
    status VARCHAR(10) NOT NULL DEFAULT 'active',
    last_login DATETIME,
    created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT users_status_check CHECK (status IN ('active', 'dormant', 'closed'))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COMMENT = 'Everybody who signed up, also those who closed their account';

CREATE TABLE categories (
    id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    parent_id INT,
    name VARCHAR(60) NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

CREATE TABLE products (
    id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    sku VARCHAR(16) NOT NULL,
    name VARCHAR(120) NOT NULL,
    category_id INT NOT NULL,
    price DECIMAL(10, 2) NOT NULL,
    attributes JSON NOT NULL,
    active BOOLEAN NOT NULL DEFAULT TRUE,
    CONSTRAINT products_price_check CHECK (price >= 0)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

CREATE TABLE orders (
    id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    user_id INT NOT NULL,
    status ENUM('pending', 'paid', 'shipped', 'delivered', 'returned', 'cancelled') NOT NULL DEFAULT 'pending',
    total DECIMAL(12, 2) NOT NULL DEFAULT 0 COMMENT 'Sum of quantity × unit_price over the lines',
    note TEXT,
    placed_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

CREATE TABLE order_items (
    order_id INT NOT NULL,
    line SMALLINT NOT NULL,
    product_id INT NOT NULL,
    quantity SMALLINT NOT NULL,
    unit_price DECIMAL(10, 2) NOT NULL COMMENT 'At the time of the order, discount taken off',
    PRIMARY KEY (order_id, line),
    CONSTRAINT order_items_quantity_check CHECK (quantity > 0)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

CREATE TABLE price_history (
    id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    product_id INT NOT NULL,
    old_price DECIMAL(10, 2) NOT NULL,
    new_price DECIMAL(10, 2) NOT NULL,
    changed_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- step: users
INSERT INTO users (id, email, name, country, phone, bio, status, last_login, created_at)
WITH multiplied AS (
    SELECT n AS i,
           (n * 742938285 + {seed} * 69621 + 101) % 2147483647 AS a,
           (n * 630360016 + {seed} * 40692 + 7) % 2147483647 AS b
    FROM shop_numbers WHERE n <= {users}
), squared AS (
    SELECT i, a * a % 2147483647 AS h, b * b % 2147483647 AS k FROM multiplied
), joined AS (
    -- Sign-ups grow over the years, so the time of user i is a parabola, not a line.
    SELECT i, h, k, (i * (3 * {users} - i) DIV (2 * {users})) * {span} DIV {users} + k % {user_step} AS joined_s
    FROM squared
)
SELECT i,
       concat(CASE WHEN k % 200 < 61 THEN concat(person.given, '.', person.family)
                   ELSE lower(concat(person.given, '.', person.family)) END, i, '@',
              CASE WHEN h DIV 7 % 8 < 4 THEN 'example.com' WHEN h DIV 7 % 8 < 6 THEN 'example.org'
                   WHEN h DIV 7 % 8 < 7 THEN 'example.net' ELSE 'mail.example' END),
       person.name,
       person.country,
       CASE WHEN h DIV 4000 % 100 >= 35 THEN concat(person.dial, ' 555 ', lpad(k % 10000000, 7, '0')) END,
       bio.word,
       CASE WHEN h DIV 400000 % 100 < 91 THEN 'active' WHEN h DIV 400000 % 100 < 98 THEN 'dormant' ELSE 'closed' END,
       CASE WHEN k DIV 80000 % 100 >= 22 THEN TIMESTAMP '2019-01-01 00:00:00'
            + INTERVAL (joined_s + ({end} - joined_s) * (h % 100003) DIV 100003) SECOND END,
       TIMESTAMP '2019-01-01 00:00:00' + INTERVAL joined_s SECOND
FROM joined
JOIN shop_names AS person ON person.n = h % 4000
LEFT JOIN shop_words AS bio ON bio.kind = 'bio' AND bio.n = k % 24 AND k DIV 8000 % 10 >= 7
ORDER BY i;

-- step: products
INSERT INTO categories (id, parent_id, name)
SELECT id, parent_id, name FROM shop_categories ORDER BY id;

INSERT INTO products (id, sku, name, category_id, price, attributes, active)
WITH multiplied AS (
    SELECT n AS i,
           (n * 742938285 + {seed} * 69621 + 211) % 2147483647 AS a,
           (n * 630360016 + {seed} * 40692 + 17) % 2147483647 AS b
    FROM shop_numbers WHERE n <= {products}
), squared AS (
    SELECT i, a * a % 2147483647 AS h, b * b % 2147483647 AS k FROM multiplied
)
SELECT i,
       concat('SKU-', lpad(i, 6, '0')),
       concat(adjective.word, ' ', colour.word, ' ', good.word),
       9 + h % 80 DIV 2,
       (299 + (h DIV 100 % 40) * (k % 40) * 100 + k DIV 40 % 4 * 25) * 0.01,
       concat('{"colour": "', colour.word, '", "weight_g": ', 40 + h DIV 4000 % 9000,
              ', "fragile": ', CASE WHEN k DIV 400 % 5 = 0 THEN 'true' ELSE 'false' END,
              ', "tags": ', CASE k DIV 2000 % 3 WHEN 0 THEN '["new", "gift"]' WHEN 1 THEN '["café"]' ELSE '[]' END,
              '}'),
       k DIV 6000 % 20 <> 0
FROM squared
JOIN shop_words AS good ON good.kind = 'good' AND good.n = h % 80
JOIN shop_words AS adjective ON adjective.kind = 'adjective' AND adjective.n = k DIV 7 % 24
JOIN shop_words AS colour ON colour.kind = 'colour' AND colour.n = h DIV 80 % 16
ORDER BY i;

INSERT INTO price_history (product_id, old_price, new_price, changed_at)
SELECT id, price + edit.n, price + edit.n - 1,
       TIMESTAMP '2025-01-01 00:00:00' + INTERVAL (id % 700 + 2400 * (2 - edit.n)) HOUR
FROM products, (SELECT 1 AS n UNION ALL SELECT 2) AS edit
ORDER BY id, edit.n DESC;

-- step: order_items
INSERT INTO order_items (order_id, line, product_id, quantity, unit_price)
WITH multiplied AS (
    SELECT n AS i, (n * 742938285 + {seed} * 69621 + 307) % 2147483647 AS a FROM shop_numbers WHERE n <= {orders}
), squared AS (
    SELECT i, a * a % 2147483647 % 100 AS draw FROM multiplied
), lined AS (
    SELECT i, number.n AS line, ((i * 8 + number.n) * 630360016 + {seed} * 40692 + 29) % 2147483647 AS b
    FROM squared
    STRAIGHT_JOIN shop_numbers AS number ON number.n <= 6
     AND number.n <= CASE WHEN draw < 70 THEN 1 WHEN draw < 88 THEN 2 WHEN draw < 95 THEN 3 WHEN draw < 98 THEN 4
                          WHEN draw < 99 THEN 5 ELSE 6 END
), picked AS (
    -- The product of two uniform numbers: a few products sell much better than the rest.
    SELECT i, line, b * b % 2147483647 AS k FROM lined
)
SELECT i, line, product.id,
       CASE WHEN k DIV 11 % 10 < 7 THEN 1 WHEN k DIV 11 % 10 < 9 THEN 2 ELSE 3 + k % 4 END,
       (CAST(product.price * 100 AS SIGNED)
        * CASE WHEN k DIV 3 % 16 = 0 THEN 75 WHEN k DIV 3 % 16 < 3 THEN 90 ELSE 100 END DIV 100) * 0.01
FROM picked
STRAIGHT_JOIN products AS product FORCE INDEX FOR JOIN (PRIMARY)
  ON product.id = 1 + (k % 1000) * (k DIV 1000 % 1000) * {products} DIV 1000000 * 7919 % {products};

-- step: orders
INSERT INTO orders (id, user_id, status, total, note, placed_at)
WITH multiplied AS (
    SELECT n AS i,
           (n * 742938285 + {seed} * 69621 + 401) % 2147483647 AS a,
           (n * 630360016 + {seed} * 40692 + 37) % 2147483647 AS b
    FROM shop_numbers WHERE n <= {orders}
), squared AS (
    SELECT i, a * a % 2147483647 AS h, b * b % 2147483647 AS k,
           -- Only those who had signed up by then can order.
           greatest(i * {users} DIV {orders} - 3, 1) AS present
    FROM multiplied
), chosen AS (
    SELECT i, h, k, h % present AS customer FROM squared
), skewed AS (
    -- One order in sixteen goes to one of 50 resellers, as many to one of 400 workshops, three to 6,000 regulars.
    SELECT i, h, k, 1 + CASE WHEN k % 16 = 0 THEN customer - customer % {reseller_span}
                             WHEN k % 16 = 1 THEN customer - customer % {workshop_span}
                             WHEN k % 16 < 5 THEN customer - customer % {regular_span}
                             ELSE customer END AS user_id
    FROM chosen
)
SELECT i, user_id,
       CASE WHEN i > {orders} - {orders} DIV 200 THEN
                CASE WHEN k DIV 16 % 10 < 3 THEN 'pending' WHEN k DIV 16 % 10 < 8 THEN 'paid' ELSE 'cancelled' END
            WHEN i > {orders} - {orders} DIV 50 THEN
                CASE WHEN k DIV 16 % 10 < 2 THEN 'paid' WHEN k DIV 16 % 10 < 9 THEN 'shipped' ELSE 'cancelled' END
            WHEN k DIV 16 % 100 < 88 THEN 'delivered' WHEN k DIV 16 % 100 < 94 THEN 'returned' ELSE 'cancelled' END,
       (SELECT sum(quantity * unit_price) FROM order_items WHERE order_id = i),
       CASE k DIV 1600 % 50 WHEN 0 THEN 'Please ring twice 🔔' WHEN 1 THEN 'Geschenk, bitte ohne Preis' WHEN 2 THEN '' END,
       TIMESTAMP '2019-01-01 00:00:00' + INTERVAL ({order_offset}
           + (i * (3 * {orders} - i) DIV (2 * {orders})) * {span} DIV {orders} + h % {order_step}) SECOND
FROM skewed
ORDER BY i;

-- step: keys and indexes
ALTER TABLE users
    ADD UNIQUE INDEX users_email_key (email),
    ADD INDEX users_country_idx (country, created_at);

ALTER TABLE categories
    ADD CONSTRAINT categories_parent_fkey FOREIGN KEY (parent_id) REFERENCES categories (id);

ALTER TABLE products
    ADD UNIQUE INDEX products_sku_key (sku),
    ADD INDEX products_category_idx (category_id),
    ADD CONSTRAINT products_category_fkey FOREIGN KEY (category_id) REFERENCES categories (id);

ALTER TABLE orders
    ADD INDEX orders_user_idx (user_id),
    ADD INDEX orders_status_idx (status, placed_at),
    ADD CONSTRAINT orders_user_fkey FOREIGN KEY (user_id) REFERENCES users (id);

ALTER TABLE order_items
    ADD INDEX order_items_product_idx (product_id),
    ADD CONSTRAINT order_items_order_fkey FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE CASCADE,
    ADD CONSTRAINT order_items_product_fkey FOREIGN KEY (product_id) REFERENCES products (id);

ALTER TABLE price_history
    ADD INDEX price_history_product_idx (product_id),
    ADD CONSTRAINT price_history_product_fkey FOREIGN KEY (product_id) REFERENCES products (id) ON DELETE CASCADE;

-- step: views and triggers
CREATE VIEW country_revenue AS
SELECT customer.country, count(*) AS orders, sum(orders.total) AS revenue
FROM orders
JOIN users AS customer ON customer.id = orders.user_id
WHERE orders.status NOT IN ('returned', 'cancelled')
GROUP BY customer.country;

CREATE TRIGGER products_price_history AFTER UPDATE ON products
FOR EACH ROW
BEGIN
    IF NOT old.price <=> new.price THEN
        INSERT INTO price_history (product_id, old_price, new_price) VALUES (new.id, old.price, new.price);
    END IF;
END;

-- step: statistics
DROP TABLE shop_numbers;

SET foreign_key_checks = 1, unique_checks = 1;

ANALYZE TABLE users, categories, products, orders, order_items, price_history;
