-- Every title of the lake; one row for each title that a loan or an item names and the lake does not have; and "not stated".
CREATE VIEW dim_title AS
    WITH named AS (
        SELECT title_key, control_number, agency FROM item_known
        UNION SELECT title_key, control_number, agency FROM loan_known
        UNION SELECT title_place(NULL, NULL), NULL, NULL
    )
    SELECT title_key, control_number, agency, coalesce(title, '') AS title, subtitle, responsibility,
           text_or_null(list_aggregate(contributors, 'string_agg', '; ')) AS contributors, publisher, year, language,
           isbn[1] AS isbn, material_type, classification,
           text_or_null(list_aggregate(subjects, 'string_agg', '; ')) AS subjects,
           coalesce(deleted, false) AS deleted, true AS known
    FROM title_known
    UNION ALL BY NAME
    SELECT title_key, min(control_number) AS control_number, min(agency) AS agency, '' AS title, 'unknown' AS material_type,
           false AS deleted, false AS known
    FROM named ANTI JOIN title_known USING (title_key) GROUP BY title_key;
