-- What a copy of a database does not inherit from its template.
ALTER DATABASE "{database}" SET work_mem = '8MB';
ALTER DATABASE "{database}" SET statement_timeout = '1h';
ALTER ROLE verdicts_reader IN DATABASE "{database}" SET search_path = shop;
GRANT CREATE ON DATABASE "{database}" TO verdicts_reader;
COMMENT ON DATABASE "{database}" IS 'the shop';
CREATE SUBSCRIPTION listening CONNECTION 'host=localhost dbname=nowhere' PUBLICATION elsewhere WITH (connect = false, slot_name = NONE);
