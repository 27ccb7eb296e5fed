-- Each row of the lake's loans with what it counts as: `left_out` says why it does not. Renewals and returns are rows of their own there.
-- Only numbers are kept of a row: there may be fifty million. `named` stands for a title that nothing but the loan itself names.
CREATE TABLE institution AS SELECT DISTINCT patron FROM patron WHERE institution;

CREATE TABLE told AS
    SELECT CASE WHEN event <> 'loan' THEN coalesce(TRY_CAST(event AS reason), 'other')
                WHEN kind <> 'home' THEN coalesce(TRY_CAST(kind AS reason), 'other')
                WHEN loan.patron IS NULL THEN 'anonymous'::reason
                WHEN institution.patron IS NOT NULL THEN 'institution_card'::reason
                WHEN number_title.id IS NULL AND item_title.id IS NULL AND NOT coalesce(fits(loan.control_number), false) THEN 'no_title'::reason
           END AS left_out,
           hash(getvariable('partner'), coalesce(one_of.one, loan.patron)) AS who,
           coalesce(item_title.id, number_title.id) AS title,
           CASE WHEN item_title.id IS NULL AND number_title.id IS NULL THEN hash(loan.control_number) END AS named,
           loaned_on AS day
    FROM incoming AS loan
    LEFT JOIN one_of ON one_of.origin = loan.patron
    LEFT JOIN institution ON institution.patron = coalesce(one_of.one, loan.patron)
    LEFT JOIN item_of_barcode ON item_of_barcode.barcode = CASE WHEN loan.item_id IS NULL THEN loan.barcode END
    LEFT JOIN item_title ON item_title.item_id = coalesce(loan.item_id, item_of_barcode.item_id)
    LEFT JOIN number_title ON number_title.control_number = CASE WHEN item_title.id IS NULL THEN loan.control_number END;

INSERT INTO borrowed SELECT who, title, day FROM told WHERE left_out IS NULL AND title IS NOT NULL;
