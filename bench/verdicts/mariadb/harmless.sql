-- harmless: a sequence advances
SELECT NEXTVAL(counter);
-- harmless: dumped and restored
-- tool: dump
-- A dump of one database holds nobody's rights.
-- also: objects grant *: removed
