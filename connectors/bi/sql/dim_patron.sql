-- Patrons under their BI key: those that are there now, those that a loan names, and "anonymous" for loans whose link is gone.
-- No birth date and no name. Of a protected patron neither municipality nor home library is told.
CREATE VIEW dim_patron AS
    WITH one AS (
        SELECT one, min(patron_key) AS patron_key FROM person GROUP BY one
    ), seen AS (
        SELECT DISTINCT patron_key FROM loan_known
    ), aged AS (
        SELECT *, getvariable('year') - birth_year AS age FROM patron
    )
    SELECT one.patron_key, getvariable('key_id') AS key_id,
           CASE WHEN age IS NULL OR age < 0 OR coalesce(institution, false) THEN 'unknown'
                WHEN age <= 5 THEN '0-5' WHEN age <= 12 THEN '6-12' WHEN age <= 17 THEN '13-17' WHEN age <= 24 THEN '18-24'
                WHEN age <= 34 THEN '25-34' WHEN age <= 44 THEN '35-44' WHEN age <= 54 THEN '45-54' WHEN age <= 64 THEN '55-64'
                WHEN age <= 74 THEN '65-74' ELSE '75+' END AS age_band,
           CASE WHEN NOT coalesce(protected, false) THEN text_or_null(municipality) END AS municipality,
           text_or_null(category) AS category,
           place(CASE WHEN NOT coalesce(protected, false) THEN text_or_null(home_library) END) AS home_library,
           coalesce(institution, false) AS institution,
           aged.patron IS NOT NULL AND NOT coalesce(placeholder, false) AS known
    FROM one LEFT JOIN aged ON aged.patron = one.one
    WHERE (aged.patron IS NOT NULL AND NOT coalesce(aged.deleted, false)) OR one.patron_key IN (SELECT patron_key FROM seen)
    UNION ALL BY NAME
    SELECT place('anonymous') AS patron_key, NULL AS key_id, 'unknown' AS age_band, NULL AS municipality, NULL AS category,
           place(NULL) AS home_library, false AS institution, false AS known;
