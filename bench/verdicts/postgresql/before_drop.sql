-- What keeps a database from being dropped.
DROP SUBSCRIPTION IF EXISTS listening;
