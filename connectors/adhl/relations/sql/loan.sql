-- Each row of the lake's loans with what it counts as: `left_out` says why it does not. Renewals and returns are rows of their own there.
-- Only numbers are kept of a row: there may be fifty million. A loan whose item has no title here is looked at again (loose.sql).
CREATE TABLE institution AS SELECT DISTINCT patron FROM patron WHERE institution;

CREATE TABLE told AS
    SELECT CASE WHEN event <> 'loan' THEN coalesce(TRY_CAST(event AS reason), 'other')
                WHEN kind <> 'home' THEN coalesce(TRY_CAST(kind AS reason), 'other')
                WHEN loan.patron IS NULL THEN 'anonymous'::reason
                WHEN institution.patron IS NOT NULL THEN 'institution_card'::reason
                WHEN item_title.id IS NULL THEN 'no_title'::reason
           END AS left_out,
           hash(getvariable('partner'), coalesce(one_of.one, loan.patron)) AS who,
           item_title.id AS title,
           loaned_on AS day
    FROM incoming AS loan
    LEFT JOIN one_of ON one_of.origin = loan.patron
    LEFT JOIN institution ON institution.patron = coalesce(one_of.one, loan.patron)
    LEFT JOIN item_title ON item_title.item_id = loan.item_id;

INSERT INTO borrowed SELECT who, title, day FROM told WHERE left_out IS NULL;
