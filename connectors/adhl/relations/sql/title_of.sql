-- The titles of one partner, under their pids, by the numbers that its loans and items name them by. Variables: catalogue, longest.
-- `title` is of all partners; the other tables are of this one and go again (forget.sql). The first partner that names a title says what it is called.
CREATE TABLE number_pid AS
    WITH number AS (
        SELECT control_number, min(title) AS title, min(coalesce(contributors[1], responsibility)) AS creator
        FROM bibliographic WHERE fits(control_number) GROUP BY control_number
        UNION ALL
        SELECT DISTINCT control_number, NULL, NULL
        FROM item ANTI JOIN bibliographic USING (control_number) WHERE fits(control_number)
    )
    SELECT control_number, pid_of(control_number) AS pid, number.title, number.creator, title.id, title.title IS NULL AND number.title IS NOT NULL AS news
    FROM number LEFT JOIN title ON title.pid = pid_of(control_number);

UPDATE title SET title = found.title, creator = found.creator
    FROM (SELECT id, min(title) AS title, min(creator) AS creator FROM number_pid WHERE id IS NOT NULL AND news GROUP BY id) AS found
    WHERE title.id = found.id;

INSERT INTO title
    SELECT (SELECT count(*) FROM title) - 1 + row_number() OVER (), pid, min(title), min(creator)
    FROM number_pid WHERE id IS NULL GROUP BY pid;

CREATE TABLE number_title AS
    SELECT control_number, coalesce(number_pid.id, title.id) AS id FROM number_pid LEFT JOIN title ON number_pid.id IS NULL AND title.pid = number_pid.pid;

CREATE TABLE item_title AS
    SELECT item_id, min(id) AS id FROM item JOIN number_title USING (control_number) WHERE item_id IS NOT NULL GROUP BY item_id;
