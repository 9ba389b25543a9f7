"""A small database for each engine, with what is hard to bring back; and writing to it after a backup."""

from __future__ import annotations

_COMMON = (
    "CREATE TABLE users (id INTEGER PRIMARY KEY, email VARCHAR(40) NOT NULL, spent NUMERIC(12, 2))",
    "INSERT INTO users VALUES (1, 'ann@example.com', 12.50), (2, 'bo''b@exämple.com', NULL), (3, '', 0)",
    "CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL,"
    " FOREIGN KEY (user_id) REFERENCES users (id))",
    "INSERT INTO orders VALUES (1, 1), (2, 3)",
    "CREATE INDEX orders_user ON orders (user_id)",
    "CREATE VIEW buyers AS SELECT u.email FROM users AS u WHERE u.id IN (SELECT user_id FROM orders)",
)
_MYSQL = (
    *_COMMON,
    'CREATE TABLE `order"; drop table x;--` (`Mixed.Case` INT PRIMARY KEY AUTO_INCREMENT, `a%b:c` BLOB)',
    "INSERT INTO `order\"; drop table x;--` (`a%b:c`) VALUES (x'00ff1a0d0a5c27'), (NULL)",
    "CREATE TABLE log (id INT PRIMARY KEY AUTO_INCREMENT, what VARCHAR(60) CHARACTER SET utf8mb4)",
    "CREATE TRIGGER noted AFTER INSERT ON users FOR EACH ROW INSERT INTO log (what) VALUES (concat('nëw ', NEW.id))",
    "CREATE FUNCTION how_many() RETURNS INT READS SQL DATA RETURN (SELECT count(*) FROM users)",
    "CREATE PROCEDURE remember(OUT what VARCHAR(20)) SET what = 'ä'",
    "ALTER DATABASE COLLATE utf8mb4_bin",
    "CREATE PROCEDURE forget(IN which INT) DELETE FROM orders WHERE id = which",
    "CREATE VIEW counted AS SELECT how_many() AS n FROM buyers",
    "CREATE TABLE measured (place VARCHAR(10) PRIMARY KEY, value FLOAT,"
    " at TIMESTAMP(6) NULL ON UPDATE CURRENT_TIMESTAMP(6))",
    "INSERT INTO measured VALUES ('ö''x', 1.2345678, '2026-01-02 03:04:05.6'), ('b', 0.1, NULL), ('c', NULL, NULL)",
    "CREATE TRIGGER never BEFORE UPDATE ON measured FOR EACH ROW SET NEW.place = 'broken'",
    "CREATE EVENT sweep ON SCHEDULE EVERY 1 HOUR DO DELETE FROM log WHERE id < 0",
)

CONTENT: dict[str, tuple[str, ...]] = {
    "sqlite": (
        *_COMMON,
        'CREATE TABLE "order""; drop table x;--" ("Mixed.Case" INTEGER PRIMARY KEY AUTOINCREMENT, "a%b:c" BLOB)',
        'INSERT INTO "order""; drop table x;--" ("a%b:c") VALUES (x\'00ff1a0d0a5c27\'), (NULL)',
        "CREATE TRIGGER noted AFTER INSERT ON users BEGIN UPDATE users SET spent = 1 WHERE id = NEW.id; END",
    ),
    "postgresql": (
        *_COMMON,
        'CREATE SCHEMA "Mixed.Case"',
        'CREATE TABLE "Mixed.Case"."order""; drop table x;--" (id bigint GENERATED ALWAYS AS IDENTITY, "a%b:c" bytea)',
        """INSERT INTO "Mixed.Case"."order""; drop table x;--" ("a%b:c") VALUES ('\\x00ff1a0d0a5c27'), (NULL)""",
        "CREATE MATERIALIZED VIEW spending AS SELECT sum(spent) AS total FROM users",
        "CREATE FUNCTION how_many() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM users'",
        "CREATE TYPE mood AS ENUM ('sad', 'ok')",
        "COMMENT ON TABLE users IS 'people''s \\ data'",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, \"Mixed.Case\"',"
        " current_database()); END $$",
        "DO $$ BEGIN EXECUTE format('COMMENT ON DATABASE %I IS ''the shop''', current_database()); END $$",
    ),
    "mysql": _MYSQL,
    "mariadb": (*_MYSQL, "CREATE SEQUENCE numbers START WITH 100 INCREMENT BY 10", "SELECT NEXTVAL(numbers)"),
}

# What happens between a backup and its restore: rows come, change and go, definitions too.
DAMAGE = (
    "INSERT INTO users VALUES (4, 'later', 1)",
    "UPDATE users SET email = 'lost' WHERE id = 2",
    "DELETE FROM orders WHERE id = 1",
    "CREATE TABLE later (id INTEGER PRIMARY KEY)",
    "DROP VIEW buyers",
)
