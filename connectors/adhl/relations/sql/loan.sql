-- Each row of the lake's loans with what it counts as: `left_out` says why it does not. Renewals and returns are rows of their own there.
CREATE TABLE institution AS SELECT DISTINCT patron FROM patron WHERE institution;

CREATE TABLE told AS
    SELECT CASE WHEN event <> 'loan' THEN event
                WHEN kind <> 'home' THEN kind
                WHEN loan.patron IS NULL THEN 'anonymous'
                WHEN institution.patron IS NOT NULL THEN 'institution_card'
                WHEN number_title.id IS NULL AND item_title.id IS NULL AND NOT coalesce(fits(loan.control_number), false) THEN 'no_title'
           END AS left_out,
           hash(getvariable('partner'), coalesce(one_of.one, loan.patron)) AS who,
           coalesce(item_title.id, number_title.id) AS title,
           CASE WHEN item_title.id IS NULL AND number_title.id IS NULL THEN loan.control_number END AS number,
           loaned_on AS day
    FROM incoming AS loan
    LEFT JOIN one_of ON one_of.origin = loan.patron
    LEFT JOIN institution ON institution.patron = coalesce(one_of.one, loan.patron)
    LEFT JOIN item_of_barcode ON item_of_barcode.barcode = CASE WHEN loan.item_id IS NULL THEN loan.barcode END
    LEFT JOIN item_title ON item_title.item_id = coalesce(loan.item_id, item_of_barcode.item_id)
    LEFT JOIN number_title ON number_title.control_number = CASE WHEN item_title.id IS NULL THEN loan.control_number END;

-- Titles that only a loan names.
INSERT INTO title
    SELECT (SELECT count(*) FROM title) - 1 + row_number() OVER (), pid, NULL, NULL
    FROM (SELECT DISTINCT pid_of(number) AS pid FROM told WHERE left_out IS NULL AND number IS NOT NULL) ANTI JOIN title USING (pid);

INSERT INTO borrowed
    SELECT who, title, max(day) FROM (
        SELECT who, title, day FROM told WHERE left_out IS NULL AND title IS NOT NULL
        UNION ALL
        SELECT who, title.id, day FROM told JOIN title ON title.pid = pid_of(number) WHERE left_out IS NULL AND number IS NOT NULL
    ) GROUP BY who, title;
