-- The titles of one partner, under their pids, by the numbers that its loans and items name them by. Variables: catalogue, longest.
-- `title` and `text` are of all partners; the other tables are of this one and go again (forget.sql).
CREATE TABLE number_pid AS
    SELECT control_number, pid_of(control_number) AS pid
    FROM (SELECT control_number FROM bibliographic UNION SELECT control_number FROM item)
    WHERE fits(control_number);

INSERT INTO title
    SELECT (SELECT count(*) FROM title) - 1 + row_number() OVER (ORDER BY pid), pid
    FROM (SELECT DISTINCT pid FROM number_pid) ANTI JOIN title USING (pid);

INSERT INTO text
    SELECT pid, title, coalesce(contributors[1], responsibility)
    FROM bibliographic JOIN number_pid USING (control_number) WHERE title IS NOT NULL;

CREATE TABLE number_title AS SELECT control_number, id FROM number_pid JOIN title USING (pid);

CREATE TABLE item_title AS
    SELECT item_id, min(id) AS id FROM item JOIN number_title USING (control_number) WHERE item_id IS NOT NULL GROUP BY item_id;
