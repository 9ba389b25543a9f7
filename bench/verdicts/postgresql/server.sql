-- What belongs to the server and not to one database; made once.
SET allow_in_place_tablespaces = on;
CREATE ROLE verdicts_reader;
CREATE ROLE verdicts_owner;
CREATE ROLE verdicts_twin LOGIN SUPERUSER;
CREATE TABLESPACE verdicts_space LOCATION '';
