-- What all partners share: titles by number, what they are called, and who (a hash of a pseudonym) borrowed which of them, and when last.
CREATE TABLE title (id INTEGER, pid VARCHAR, title VARCHAR, creator VARCHAR);
CREATE TABLE borrowed (who UBIGINT, title INTEGER, day DATE);
CREATE TYPE reason AS ENUM (
    'renewal', 'return', 'in_library', 'interlibrary', 'institution', 'e_loan', 'other', 'anonymous', 'institution_card', 'no_title'
);
CREATE MACRO lokalid(number) AS nullif(replace(replace(replace(number, '-', ''), ' ', ''), chr(9), ''), '');
CREATE MACRO pid_of(number) AS getvariable('catalogue') || ':' || lokalid(number);
-- What is a number at all: not too long for a pid, and without the characters of a mark-up.
CREATE MACRO fits(number) AS lokalid(number) IS NOT NULL AND strlen(number) + strlen(getvariable('catalogue')) < getvariable('longest')
    AND NOT (contains(number, '<') OR contains(number, '>') OR contains(number, '&') OR contains(number, chr(10)) OR contains(number, chr(13)));
