-- Every item of the lake; one row for each item that a loan names and the lake does not have (interlibrary loans, late files); and "not stated".
CREATE VIEW dim_item AS
    WITH named AS (
        SELECT item_key, item_id, title_key FROM loan_known
        UNION SELECT place(NULL), NULL, title_place(NULL, NULL)
    )
    SELECT item_key, item_id, title_key, owning_branch, department, location, sublocation, call_number, material_type AS local_material_type,
           coalesce(status, 'unknown') AS status, acquired_on, price, currency, NOT coalesce(placeholder, false) AS known
    FROM item_known
    UNION ALL BY NAME
    SELECT item_key, min(item_id) AS item_id, CASE WHEN min(item_id) IS NULL THEN title_place(NULL, NULL) ELSE max(title_key) END AS title_key,
           place(NULL) AS owning_branch, 'unknown' AS status, false AS known
    FROM named ANTI JOIN item_known USING (item_key) GROUP BY item_key;
