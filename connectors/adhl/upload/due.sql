-- The lake's rows of loan that are due, each with all that decides whether it goes out: its title, and what is known of its patron.
-- A title: of the loan itself, or else of the item. A patron: who the loan's patron was merged into since, if anybody.
WITH RECURSIVE onward AS (
    SELECT alias, patron, 1 AS hops FROM patron_alias
    UNION ALL
    SELECT onward.alias, patron_alias.patron, hops + 1 FROM onward JOIN patron_alias ON patron_alias.alias = onward.patron WHERE hops < 8
),
final AS (SELECT alias, arg_max(patron, hops) AS patron FROM onward GROUP BY alias),
many AS (
    SELECT coalesce(final.patron, loan.patron) AS patron FROM loan LEFT JOIN final ON final.alias = loan.patron
    WHERE loan.event = 'loan' AND loan.kind = 'home' AND loan.patron IS NOT NULL AND loan.loaned_on > $year_ago
    GROUP BY ALL HAVING count(*) > $most_loans
),
named AS (
    SELECT loan.*, CASE WHEN event = 'loan' THEN 'loan ' || loan_id ELSE event || ' ' || loan_id || ' ' || event_id END AS name
    FROM loan WHERE loaned_on >= $first
)
SELECT
    named.name AS record,
    named.event,
    named.kind,
    named.loaned_on AS loan_date,
    coalesce(final.patron, named.patron) AS patron,
    coalesce(named.control_number, item.control_number) AS title,
    patron.patron IS NOT NULL AND NOT patron.placeholder AS known,
    coalesce(patron.institution, false) AS institution,
    many.patron IS NOT NULL AS too_many,
    coalesce(patron.gender, from_cpr.sex) AS sex,
    coalesce(patron.birth_year, from_cpr.birth_year) AS birth_year,
    settled.digest AS before
FROM named
{join}
LEFT JOIN final ON final.alias = named.patron
LEFT JOIN patron ON patron.patron = coalesce(final.patron, named.patron)
LEFT JOIN from_cpr ON from_cpr.patron = patron.patron
LEFT JOIN many ON many.patron = coalesce(final.patron, named.patron)
LEFT JOIN item ON item.item_id = named.item_id
WHERE {due}
