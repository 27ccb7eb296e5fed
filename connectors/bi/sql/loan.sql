-- Each row of the lake's loan table with all its keys, and with the days of the events it tells of.
-- A partner of `events` delivers a loan, its renewals and its return as rows of their own; one of `open` or `history` delivers one row a
-- loan, with a count of renewals and the day of return. Where both are there (a kiosk tells of events, whatever the library system exports), the
-- event's own row counts, and is not counted again: of a count of renewals only what is beyond those told as events.
CREATE TABLE told AS
    SELECT loan_id, sum(greatest(coalesce(renewals, 0), 1)) FILTER (event = 'renewal') AS renewals, bool_or(event = 'return') AS returned
    FROM loan WHERE event <> 'loan' GROUP BY loan_id;

CREATE TABLE loan_known AS
    WITH placed AS (
        SELECT loan.* EXCLUDE (item_id), coalesce(loan.item_id, item_of_barcode.item_id) AS item_id
        FROM loan LEFT JOIN item_of_barcode ON loan.item_id IS NULL AND item_of_barcode.barcode = loan.barcode
    ), titled AS (
        SELECT placed.* EXCLUDE (control_number, agency),
               item_known.owning_branch, item_known.item_material,
               coalesce(item_known.control_number, placed.control_number) AS control_number,
               CASE WHEN item_known.control_number IS NULL THEN placed.agency ELSE item_known.agency END AS named_agency
        FROM placed LEFT JOIN item_known ON item_known.item_id = placed.item_id
    ), keyed AS (
        SELECT titled.*, coalesce(named_agency, sole_title.agency) AS agency,
               title_place(coalesce(named_agency, sole_title.agency), titled.control_number) AS title_key
        FROM titled LEFT JOIN sole_title ON sole_title.control_number = titled.control_number
    ), dated AS (
        SELECT keyed.* EXCLUDE (renewals),
               CASE WHEN event = 'loan' THEN loaned_on END AS loan_date,
               CASE WHEN event = 'renewal' THEN coalesce(local_day(happened_at), loaned_on)
                    WHEN event = 'loan' AND keyed.renewals > coalesce(told.renewals, 0) THEN loaned_on END AS renewal_date,
               CASE WHEN event = 'loan' THEN keyed.renewals - coalesce(told.renewals, 0) ELSE keyed.renewals END AS renewals_here,
               event = 'loan' OR happened_at IS NULL AS renewal_estimated,
               CASE WHEN event = 'return' THEN coalesce(returned_on, local_day(coalesce(returned_at, happened_at)), loaned_on)
                    WHEN event = 'loan' AND NOT coalesce(told.returned, false)
                    THEN coalesce(returned_on, local_day(returned_at)) END AS return_date,
               event = 'return' AND coalesce(returned_on, local_day(coalesce(returned_at, happened_at))) IS NULL AS return_estimated
        FROM keyed LEFT JOIN told ON event = 'loan' AND told.loan_id = keyed.loan_id
    )
    SELECT kind, loan_date, renewal_date, renewal_estimated, return_date, return_estimated,
           greatest(coalesce(renewals_here, 0), 1)::SMALLINT AS renewals,
           CASE WHEN NOT return_estimated THEN least(greatest(return_date - loaned_on, 0), 32767)::SMALLINT END AS loan_days,
           coalesce(person.patron_key, getvariable('anonymous')) AS patron_key,
           item_id, place(item_id) AS item_key,
           dated.control_number, dated.agency, dated.title_key,
           coalesce(nullif(title_known.material_type, 'other'), item_material, title_known.material_type, 'unknown') AS material_type,
           place(text_or_null(lending_branch)) AS lending_branch,
           place(text_or_null(returning_branch)) AS returning_branch,
           coalesce(owning_branch, place(NULL)) AS owning_branch
    FROM dated
    LEFT JOIN person ON person.patron = dated.patron
    LEFT JOIN title_known ON title_known.title_key = dated.title_key
    ORDER BY coalesce(return_date, renewal_date, loan_date);  -- so that a month is read from few blocks of the table
