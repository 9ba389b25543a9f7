-- Every kind of object that MySQL and MariaDB both know. {rows} is the number of rows of the larger tables.
SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00';
ALTER DATABASE `{database}` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
CREATE TABLE digits (n INT PRIMARY KEY) ENGINE=InnoDB;
INSERT INTO digits VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9);
CREATE TABLE numbers (i INT PRIMARY KEY) ENGINE=InnoDB;
INSERT INTO numbers SELECT a.n + 10 * b.n + 100 * c.n + 1000 * d.n + 10000 * e.n + 1 FROM digits a, digits b, digits c, digits d, digits e WHERE a.n + 10 * b.n + 100 * c.n + 1000 * d.n + 10000 * e.n < {rows};
CREATE TABLE kinds (
    id INT PRIMARY KEY, c_tiny TINYINT, c_utiny TINYINT UNSIGNED, c_bool TINYINT(1), c_small SMALLINT, c_medium MEDIUMINT, c_int INT NOT NULL,
    c_padded INT(8) UNSIGNED ZEROFILL, c_big BIGINT, c_ubig BIGINT UNSIGNED, c_decimal DECIMAL(20, 6), c_whole DECIMAL(20, 0), c_float FLOAT, c_double DOUBLE,
    c_zero DOUBLE, c_bit BIT(8), c_char CHAR(20), c_varchar VARCHAR(200) COLLATE utf8mb4_bin, c_folded VARCHAR(100) COLLATE utf8mb4_general_ci,
    c_latin VARCHAR(50) CHARACTER SET latin1, c_text TEXT, c_long LONGTEXT, c_null VARCHAR(20), c_accent VARCHAR(100), c_emoji VARCHAR(100),
    c_binary BINARY(8), c_varbinary VARBINARY(100), c_blob BLOB, c_date DATE, c_datetime DATETIME(6), c_second DATETIME, c_stamp TIMESTAMP(6) NULL,
    c_time TIME(6), c_span TIME, c_year YEAR, c_enum ENUM ('new', 'paid', 'gone'), c_set SET ('a', 'b', 'c'), c_json JSON, c_point POINT, c_shape GEOMETRY,
    c_hidden INT DEFAULT 5 INVISIBLE, c_generated INT GENERATED ALWAYS AS (c_int * 2) STORED, c_virtual VARCHAR(250) GENERATED ALWAYS AS (CONCAT(c_int, '!')) VIRTUAL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
-- mariadb-dump writes a FLOAT with six digits: values with more of them do not come back from a dump.
INSERT INTO kinds (id, c_tiny, c_utiny, c_bool, c_small, c_medium, c_int, c_padded, c_big, c_ubig, c_decimal, c_whole, c_float, c_double, c_zero, c_bit, c_char,
                   c_varchar, c_folded, c_latin, c_text, c_long, c_null, c_accent, c_emoji, c_binary, c_varbinary, c_blob, c_date, c_datetime, c_second, c_stamp,
                   c_time, c_span, c_year, c_enum, c_set, c_json, c_point, c_shape, c_hidden)
SELECT i, i % 100 + 1, i % 200, i % 2, i % 1000 + 1, i * 2, i * 3 + 1, i, 9007199254740992 + i, 18446744073709551000 - i, i * 1.5 + 0.125, i, i % 1000 * 0.25 + 0.5,
       i / 7e0 + 1, 0, i % 200, CONCAT('char ', i), CONCAT('Word ', i), CONCAT('Fold ', i), CONCAT('größe ', i), CONCAT('Text ', i), CONCAT('Long ', i), NULL,
       CONCAT('café ', i), CONCAT('😀 ', i), 'bin', CONCAT('bytes', i), CONCAT('blob', i), DATE_ADD('2024-01-01', INTERVAL i % 300 DAY),
       DATE_ADD('2024-03-01 00:00:00.000001', INTERVAL i MINUTE), DATE_ADD('2024-03-01', INTERVAL i SECOND), DATE_ADD('2024-03-31 00:30:00.000001', INTERVAL i MINUTE),
       SEC_TO_TIME(i + 0.000001), SEC_TO_TIME(i * 60), 1970 + i % 100, ELT(i % 2 + 1, 'new', 'paid'), ELT(i % 3 + 1, 'a', 'a,b', ''),
       JSON_OBJECT('a', i, 'b', JSON_ARRAY(1, 2, i)), POINT(i, 0.5), ST_GeomFromText('LINESTRING(0 0, 1 1)'), i % 9
FROM numbers;
CREATE TABLE users (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    email VARCHAR(200) NOT NULL COMMENT 'where to write',
    name VARCHAR(100) COLLATE utf8mb4_bin DEFAULT 'nobody',
    status VARCHAR(20) NOT NULL DEFAULT 'new',
    age INT,
    changed_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    UNIQUE KEY users_email (email),
    CONSTRAINT users_adult CHECK (age > 17)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci COMMENT='people';
INSERT INTO users (id, email, name, status, age, changed_at) SELECT i, CONCAT('user', i, '@example.com'), CONCAT('User ', i), 'new', i % 80 + 18, '2024-01-01' FROM numbers;
CREATE TABLE former_users (id INT PRIMARY KEY, email VARCHAR(200), name VARCHAR(100), status VARCHAR(20), age INT) ENGINE=InnoDB;
INSERT INTO former_users SELECT i, CONCAT('former', i, '@example.com'), CONCAT('Former ', i), 'gone', i % 80 + 18 FROM numbers WHERE i <= 200;
CREATE TABLE audit LIKE former_users;
CREATE TABLE orders (
    id INT AUTO_INCREMENT PRIMARY KEY, user_id BIGINT NOT NULL, referrer_id BIGINT, total DECIMAL(12, 2) NOT NULL, note VARCHAR(100),
    CONSTRAINT orders_user FOREIGN KEY (user_id) REFERENCES users (id) ON UPDATE CASCADE ON DELETE RESTRICT,
    CONSTRAINT orders_referrer FOREIGN KEY (referrer_id) REFERENCES users (id) ON DELETE SET NULL
) ENGINE=InnoDB;
INSERT INTO orders SELECT i, i % 200 + 1, IF(i % 3 = 0, i % 50 + 1, NULL), i * 1.25, CONCAT('note ', i) FROM numbers WHERE i <= 280;
CREATE TABLE order_items (order_id INT NOT NULL, line INT NOT NULL, sku VARCHAR(20) NOT NULL, quantity INT NOT NULL, PRIMARY KEY (order_id, line)) ENGINE=InnoDB;
INSERT INTO order_items SELECT i, i % 3 + 1, CONCAT('sku', i % 17), i % 9 + 1 FROM numbers WHERE i <= 280;
CREATE TABLE countries (code VARCHAR(10) COLLATE utf8mb4_bin PRIMARY KEY, label VARCHAR(100) NOT NULL, area DOUBLE) ENGINE=InnoDB;
INSERT INTO countries SELECT CONCAT('C', i), CONCAT('Country ', i), i * 1.5 FROM numbers WHERE i <= 90;
CREATE TABLE devices (serial BINARY(16) PRIMARY KEY, label VARCHAR(100), UNIQUE KEY devices_label (label)) ENGINE=InnoDB;
INSERT INTO devices SELECT UNHEX(LPAD(HEX(i * 7919), 32, '0')), CONCAT('device ', i) FROM numbers WHERE i <= 90;
CREATE TABLE measurements (sensor VARCHAR(20), taken_at DATETIME(3), reading DOUBLE) ENGINE=InnoDB;
INSERT INTO measurements SELECT CONCAT('sensor ', i % 7), DATE_ADD('2024-01-01', INTERVAL i SECOND), i * 0.1 FROM numbers WHERE i <= 250;
CREATE TABLE events_log (id INT NOT NULL, placed DATE NOT NULL, note VARCHAR(50), PRIMARY KEY (id, placed)) ENGINE=InnoDB PARTITION BY RANGE (YEAR(placed)) (PARTITION p2024 VALUES LESS THAN (2025), PARTITION p2025 VALUES LESS THAN (2026), PARTITION rest VALUES LESS THAN MAXVALUE);
INSERT INTO events_log SELECT i, DATE_ADD('2024-06-01', INTERVAL i DAY), CONCAT('note ', i) FROM numbers WHERE i <= 250;
CREATE TABLE compressed (id INT PRIMARY KEY, label VARCHAR(50)) ENGINE=InnoDB ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8;
INSERT INTO compressed SELECT i, CONCAT('label ', i) FROM numbers WHERE i <= 20;
CREATE TABLE old_style (id INT PRIMARY KEY, label VARCHAR(50)) ENGINE=MyISAM;
INSERT INTO old_style SELECT i, CONCAT('label ', i) FROM numbers WHERE i <= 20;
CREATE TABLE `order"; drop table x;--` (`ünï` INT PRIMARY KEY, `100%:x` VARCHAR(20), `<script>` VARCHAR(20) DEFAULT '%s :name;', `Mixed.Case` INT) ENGINE=InnoDB;
INSERT INTO `order"; drop table x;--` VALUES (1, 'a', 'b', 1), (2, 'c', 'd', 2);
CREATE TABLE nothing_yet (id INT PRIMARY KEY, label VARCHAR(20) DEFAULT 'none') ENGINE=InnoDB;
CREATE INDEX users_by_name ON users (name(10), age DESC);
CREATE INDEX users_by_status ON users (status, age) COMMENT 'for lists';
CREATE FULLTEXT INDEX orders_words ON orders (note);
CREATE TABLE places (id INT PRIMARY KEY, spot POINT NOT NULL, SPATIAL INDEX places_spot (spot)) ENGINE=InnoDB;
INSERT INTO places SELECT i, POINT(i, i) FROM numbers WHERE i <= 20;
CREATE SQL SECURITY INVOKER VIEW active_users AS SELECT id, email, status FROM users WHERE status <> 'gone' WITH CASCADED CHECK OPTION;
CREATE ALGORITHM=TEMPTABLE VIEW spenders AS SELECT user_id, SUM(total) AS spent FROM orders GROUP BY user_id;
CREATE TRIGGER users_guard BEFORE UPDATE ON users FOR EACH ROW SET NEW.name = IF(NEW.name = 'forbidden', OLD.name, NEW.name);
CREATE TRIGGER users_second BEFORE UPDATE ON users FOR EACH ROW FOLLOWS users_guard SET NEW.status = NEW.status;
CREATE TRIGGER orders_log AFTER DELETE ON orders FOR EACH ROW SET @deleted_order = OLD.id;
CREATE FUNCTION plus_one(a INT) RETURNS INT DETERMINISTIC NO SQL RETURN a + 1;
CREATE PROCEDURE tidy(IN a INT, OUT b INT) READS SQL DATA SQL SECURITY INVOKER COMMENT 'tidies' SELECT a INTO b;
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' ON COMPLETION PRESERVE DISABLE COMMENT 'sweeps' DO DELETE FROM nothing_yet;
CREATE USER IF NOT EXISTS verdicts_reader;
CREATE USER IF NOT EXISTS verdicts_twin;
GRANT ALL PRIVILEGES ON *.* TO verdicts_twin WITH GRANT OPTION;
GRANT SELECT, INSERT ON users TO verdicts_reader WITH GRANT OPTION;
GRANT UPDATE (email), SELECT (name) ON users TO verdicts_reader;
GRANT EXECUTE ON FUNCTION plus_one TO verdicts_reader;
GRANT SHOW VIEW ON `{database}`.* TO verdicts_reader;
