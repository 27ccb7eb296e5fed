-- Everybody in the register, and why each may not be in the CRM (0: may be). Numbers of reasons: connectors/crm/people.py.
-- A child is whoever is under 18, or of no known age but with a guardian; its guardian's consent counts, unless its own was refused.
WITH person AS NOT MATERIALIZED (
    SELECT *,
        NOT institution AND coalesce(birth_date > $adult_since, guardian_id IS NOT NULL) AS minor,
        nullif(trim(coalesce(name, '')), '') AS whole
    FROM patron_identity
),
judged AS NOT MATERIALIZED (
    SELECT *,
        CASE
            WHEN deleted OR merged_into IS NOT NULL THEN 4
            WHEN protected THEN 2
            WHEN institution THEN CASE WHEN $accounts THEN 0 ELSE 5 END
            WHEN NOT $contacts THEN 5
            WHEN CASE WHEN minor THEN consent = false ELSE consent IS DISTINCT FROM true END THEN 1
            ELSE 0
        END AS why
    FROM person
),
guardian AS (
    SELECT patron_id, patron, email, phone FROM judged WHERE $guardians AND why = 0 AND NOT minor AND NOT institution
)
SELECT
    CASE WHEN p.institution THEN 'account' ELSE 'contact' END AS kind,
    p.patron AS own,
    CAST(CASE WHEN p.why = 0 AND p.minor AND g.patron IS NULL THEN 3 ELSE p.why END AS UTINYINT) AS why,
    CASE WHEN p.institution THEN NULL WHEN p.minor THEN true ELSE p.consent END AS consent,
    p.protected,
    p.minor,
    p.patron_id,
    p.card_numbers[1] AS card_number,
    coalesce(nullif(trim(p.first_name), ''), nullif(trim(regexp_replace(p.whole, '\S+$', '')), '')) AS first_name,
    coalesce(nullif(trim(p.last_name), ''), regexp_extract(p.whole, '(\S+)$', 1)) AS last_name,
    coalesce(p.whole, nullif(trim(concat_ws(' ', p.first_name, p.last_name)), '')) AS name,
    CASE WHEN p.minor THEN g.email ELSE p.email END AS email,
    CASE WHEN p.minor THEN g.phone ELSE p.phone END AS phone,
    CASE WHEN NOT p.minor THEN p.address END AS address,
    CASE WHEN NOT p.minor THEN p.postal_code END AS postal_code,
    CASE WHEN NOT p.minor THEN p.city END AS city,
    p.municipality,
    CASE WHEN NOT p.minor THEN CAST(year(p.birth_date) AS VARCHAR) END AS birth_year,
    p.gender,
    p.category,
    p.home_library,
    p.valid_until,
    p.blocked,
    CASE WHEN p.institution AND regexp_full_match(p.national_id, '[0-9]{8}') THEN p.national_id END AS company_number,
    CASE WHEN p.minor THEN g.patron END AS guardian,
FROM judged p LEFT JOIN guardian g ON p.minor AND g.patron_id = p.guardian_id
