-- Patrons under their BI key: those that are there now, those that a loan names, and one for the loans whose patron is not known any more.
-- No birth date and no name. Of a protected patron neither municipality nor home library is told.
CREATE VIEW dim_patron AS
    WITH one AS (
        SELECT one, min(patron_key) AS patron_key FROM person GROUP BY one
    ), aged AS (
        SELECT *, getvariable('year') - birth_year AS age FROM patron
    )
    SELECT one.patron_key, getvariable('key_id') AS key_id,
           CASE WHEN age IS NULL OR age < 0 OR coalesce(institution, false) THEN 'unknown'
                WHEN age <= 6 THEN '0-6' WHEN age <= 12 THEN '7-12' WHEN age <= 17 THEN '13-17' WHEN age <= 29 THEN '18-29'
                WHEN age <= 44 THEN '30-44' WHEN age <= 64 THEN '45-64' WHEN age <= 79 THEN '65-79' ELSE '80+' END AS age_band,
           CASE WHEN NOT coalesce(protected, false) THEN text_or_null(municipality) END AS municipality,
           text_or_null(category) AS category,
           place(CASE WHEN NOT coalesce(protected, false) THEN text_or_null(home_library) END) AS home_library,
           coalesce(institution, false) AS institution, false AS anonymous,
           aged.patron IS NOT NULL AND NOT coalesce(placeholder, false) AS known
    FROM one LEFT JOIN aged ON aged.patron = one.one
    WHERE (aged.patron IS NOT NULL AND NOT coalesce(aged.deleted, false)) OR one.patron_key IN (SELECT patron_key FROM loan_known)
    UNION ALL BY NAME
    SELECT getvariable('anonymous') AS patron_key, getvariable('key_id') AS key_id, 'unknown' AS age_band, place(NULL) AS home_library,
           false AS institution, true AS anonymous, false AS known;
