-- What MySQL alone knows.
CREATE TABLE only_mysql (
    id INT PRIMARY KEY, token VARCHAR(40) DEFAULT (UUID()), amount INT, place POINT SRID 4326, doc JSON,
    CONSTRAINT amount_positive CHECK (amount > 0), CONSTRAINT amount_small CHECK (amount < 1000) NOT ENFORCED
) ENGINE=InnoDB;
INSERT INTO only_mysql (id, token, amount, doc) SELECT i, CONCAT('token ', i), i, JSON_OBJECT('tags', JSON_ARRAY(i)) FROM numbers WHERE i <= 30;
CREATE INDEX by_expression ON only_mysql ((amount * 2));
CREATE INDEX hidden_index ON only_mysql (token) INVISIBLE;
CREATE INDEX by_tags ON only_mysql ((CAST(doc -> '$.tags' AS UNSIGNED ARRAY)));
