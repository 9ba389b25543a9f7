-- harmless: a sequence advances
SELECT NEXTVAL(counter);
-- harmless: dumped and restored
-- tool: dump
