-- What MariaDB alone knows.
CREATE TABLE only_mariadb (
    id INT PRIMARY KEY, token VARCHAR(40) DEFAULT CONCAT('a', 'b'), address INET6, serial UUID, amount INT CHECK (amount > 0), squeezed TEXT COMPRESSED,
    starts DATE NOT NULL, ends DATE NOT NULL, PERIOD FOR valid (starts, ends)
) ENGINE=InnoDB;
INSERT INTO only_mariadb (id, token, address, serial, amount, squeezed, starts, ends) SELECT i, CONCAT('token ', i), '::1', '123e4567-e89b-12d3-a456-426655440000', i, 'text', '2024-01-01', '2024-02-01' FROM numbers WHERE i <= 30;
CREATE INDEX ignored_index ON only_mariadb (token) IGNORED;
CREATE TABLE versioned (id INT PRIMARY KEY, label VARCHAR(20)) ENGINE=InnoDB WITH SYSTEM VERSIONING;
INSERT INTO versioned SELECT i, CONCAT('label ', i) FROM numbers WHERE i <= 20;
CREATE SEQUENCE counter START WITH 100 INCREMENT BY 5 MINVALUE 10 MAXVALUE 5000 CACHE 10 CYCLE;
SELECT SETVAL(counter, 500);
