-- A second look at the loans that count, but whose item has no title: by barcode, or by the number that the loan itself names.
CREATE TABLE loose AS
    SELECT hash(getvariable('partner'), coalesce(one_of.one, loan.patron)) AS who, loaned_on AS day, loan.control_number,
           CASE WHEN loan.item_id IS NULL THEN loan.barcode END AS barcode
    FROM incoming AS loan
    LEFT JOIN one_of ON one_of.origin = loan.patron
    LEFT JOIN institution ON institution.patron = coalesce(one_of.one, loan.patron)
    LEFT JOIN item_title ON item_title.item_id = loan.item_id
    WHERE event = 'loan' AND kind = 'home' AND loan.patron IS NOT NULL AND institution.patron IS NULL AND item_title.id IS NULL;

CREATE TABLE loose_number AS
    SELECT control_number, pid_of(control_number) AS pid
    FROM (SELECT DISTINCT control_number FROM loose) ANTI JOIN number_title USING (control_number) WHERE fits(control_number);

INSERT INTO title
    SELECT (SELECT count(*) FROM title) - 1 + row_number() OVER (), pid, NULL, NULL FROM (SELECT DISTINCT pid FROM loose_number) ANTI JOIN title USING (pid);

INSERT INTO number_title SELECT control_number, id FROM loose_number JOIN title USING (pid);

INSERT INTO borrowed
    SELECT who, coalesce(item_title.id, number_title.id), day FROM loose
    LEFT JOIN item_of_barcode USING (barcode)
    LEFT JOIN item_title USING (item_id)
    LEFT JOIN number_title ON number_title.control_number = loose.control_number
    WHERE item_title.id IS NOT NULL OR number_title.id IS NOT NULL;
