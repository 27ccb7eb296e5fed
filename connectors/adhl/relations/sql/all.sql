-- What all partners share: titles by number, what they are called, and who (a hash of a pseudonym) borrowed which of them, and when last.
CREATE TABLE title (id INTEGER, pid VARCHAR);
CREATE TABLE text (pid VARCHAR, title VARCHAR, creator VARCHAR);
CREATE TABLE borrowed (who UBIGINT, title INTEGER, day DATE);
CREATE MACRO lokalid(number) AS nullif(regexp_replace(number, '[\s-]', '', 'g'), '');
CREATE MACRO pid_of(number) AS getvariable('catalogue') || ':' || lokalid(number);
CREATE MACRO fits(number) AS lokalid(number) IS NOT NULL AND length(pid_of(number)) <= getvariable('longest') AND NOT regexp_matches(number, '[<>&\x00-\x1f]');
