-- What consenting adults did: visits (task), complaints (case), lectures and newsletters (campaign_member). The others' never leave.
SELECT
    a.kind,
    a.activity_id AS own,
    CAST(CASE
        WHEN NOT CASE a.kind WHEN 'task' THEN $tasks WHEN 'case' THEN $cases ELSE $members END THEN 5
        WHEN a.deleted OR p.patron IS NULL OR p.deleted OR p.merged_into IS NOT NULL THEN 4
        WHEN p.protected THEN 2
        WHEN NOT p.institution AND coalesce(p.birth_date > $adult_since, p.guardian_id IS NOT NULL) THEN 3
        WHEN p.institution OR p.consent IS DISTINCT FROM true THEN 1
        ELSE 0
    END AS UTINYINT) AS why,
    p.consent,
    p.protected,
    false AS minor,
    a.patron AS about,
    a.subject,
    a.happened_on,
    a.status,
    a.campaign,
    a.branch,
    p.patron_id,
    p.card_numbers[1] AS card_number,
FROM crm_activity a LEFT JOIN patron_identity p ON p.patron = a.patron
