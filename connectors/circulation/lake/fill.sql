-- The store's rows out of the lake: one query, a row for each row of a table of embedded/schema.sql. $zone is the library's time zone.
-- A loan is open when no row of it tells of a return. Of several of one item the newest counts, and where it came from the library system it
-- counts only while that says that the item is out: a system that exports its open loans alone never tells of a return.
WITH person AS (
    SELECT * FROM patron_identity WHERE NOT deleted AND merged_into IS NULL
),
copy AS (
    SELECT item.*, row_number() OVER (PARTITION BY barcode ORDER BY item_id) AS nth FROM item WHERE barcode IS NOT NULL AND NOT placeholder
),
known AS (SELECT * FROM copy WHERE nth = 1),
over AS (SELECT DISTINCT loan_id FROM loan WHERE event = 'return' OR returned_on IS NOT NULL),
renewed AS (
    SELECT loan_id, count(*) AS times, max(due_on) AS due_on FROM loan WHERE event = 'renewal' GROUP BY loan_id
),
lent AS (
    SELECT
        coalesce(known.barcode, loan.barcode) AS barcode, person.patron_id, loan.loan_id, loan.loaned_on,
        coalesce(loan.loaned_at, timezone($zone, loan.loaned_on::TIMESTAMP + INTERVAL 12 HOUR)) AS loaned_at,
        greatest(loan.due_on, renewed.due_on, loan.loaned_on) AS due_on,
        greatest(loan.renewals, coalesce(renewed.times, 0)) AS renewals,
        row_number() OVER (PARTITION BY coalesce(known.barcode, loan.barcode) ORDER BY loan.loaned_on DESC, loan.loaned_at DESC, loan.loan_id DESC) AS nth,
        loan.loan_id LIKE 'kiosk:%' OR known.status = 'on_loan' OR known.item_id IS NULL AS out
    FROM loan
    JOIN person ON person.patron = loan.patron
    LEFT JOIN known ON known.item_id = loan.item_id OR (loan.item_id IS NULL AND known.barcode = loan.barcode)
    LEFT JOIN renewed ON renewed.loan_id = loan.loan_id
    WHERE loan.event = 'loan' AND loan.kind <> 'e_loan' AND loan.loan_id NOT IN (SELECT loan_id FROM over)
),
open_loan AS (SELECT * FROM lent WHERE nth = 1 AND out AND barcode IS NOT NULL),
waiting AS (
    SELECT hold.*, person.patron_id, known.barcode,
        row_number() OVER (PARTITION BY hold.status = 'ready', hold.item_id ORDER BY placed_on, hold_id) AS nth
    FROM hold JOIN person ON person.patron = hold.patron LEFT JOIN known ON known.item_id = hold.item_id
    WHERE hold.status IN ('waiting', 'ready', 'in_transit') AND hold.control_number IS NOT NULL
),
shelf AS (SELECT * FROM waiting WHERE status = 'ready' AND barcode IS NOT NULL AND nth = 1)
SELECT 'patron' AS kind, patron_id AS key, 'patron ' || patron AS record, patron_id,
    CASE WHEN protected THEN '' ELSE coalesce(name, concat_ws(' ', first_name, last_name)) END AS name,
    category, home_library, valid_until, birth_date, municipality,
    CASE WHEN blocked THEN 'CARD_BLOCKED' END AS block,
    CASE WHEN NOT protected THEN concat_ws(', ', address, nullif(concat_ws(' ', postal_code, city), '')) END AS address,
    email, phone
FROM person
UNION ALL BY NAME
SELECT 'card' AS kind, card AS key, 'card ' || patron || ' ' || nth AS record, patron_id
FROM (SELECT patron, patron_id, unnest(card_numbers) AS card, generate_subscripts(card_numbers, 1) AS nth FROM person)
WHERE card <> '' QUALIFY row_number() OVER (PARTITION BY card ORDER BY patron, nth) = 1
UNION ALL BY NAME
SELECT 'item' AS kind, known.barcode AS key, 'item ' || known.item_id AS record, known.control_number AS title_id, title.title,
    CASE WHEN open_loan.barcode IS NOT NULL THEN 'on_loan' WHEN shelf.hold_id IS NOT NULL THEN 'on_hold'
         WHEN known.status IN ('on_loan', 'on_hold') THEN 'available' ELSE known.status END AS status,
    known.material_type AS material, known.branch AS owner, known.branch AS location, known.call_number, shelf.hold_id AS hold
FROM known
LEFT JOIN (SELECT control_number, any_value(title) AS title FROM bibliographic WHERE NOT deleted GROUP BY control_number) title
    ON title.control_number = known.control_number
LEFT JOIN open_loan ON open_loan.barcode = known.barcode
LEFT JOIN shelf ON shelf.item_id = known.item_id AND open_loan.barcode IS NULL
UNION ALL BY NAME
SELECT 'loan' AS kind, barcode AS key, 'loan ' || loan_id AS record, patron_id, barcode AS item, loaned_at,
    timezone($zone, due_on::TIMESTAMP + INTERVAL 1439 MINUTE) AS due, renewals::SMALLINT AS renewals
FROM open_loan
UNION ALL BY NAME
SELECT 'hold' AS kind, hold_id AS key, 'hold ' || hold_id AS record, patron_id, control_number AS title_id,
    CASE WHEN status = 'ready' AND nth = 1 THEN barcode END AS item, pickup_branch AS pickup,
    timezone($zone, placed_on::TIMESTAMP) AS placed, timezone($zone, expires_on::TIMESTAMP + INTERVAL 1439 MINUTE) AS expires,
    status = 'ready' AND barcode IS NOT NULL AND nth = 1 AS ready
FROM waiting
UNION ALL BY NAME
SELECT 'fee' AS kind, fee.fee_id AS key, 'fee ' || fee.fee_id AS record, person.patron_id, fee.kind AS fee_kind, fee.outstanding
FROM fee JOIN person ON person.patron = fee.patron WHERE fee.outstanding <> 0 AND fee.settled_on IS NULL
