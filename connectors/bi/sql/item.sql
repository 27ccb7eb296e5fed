-- Items with the key of their title and of the branch that owns them.
CREATE TABLE item_known AS
    SELECT place(item_id) AS item_key,
           item.* EXCLUDE (agency),
           coalesce(item.agency, sole_title.agency) AS agency,
           title_place(coalesce(item.agency, sole_title.agency), item.control_number) AS title_key,
           place(text_or_null(branch)) AS owning_branch,
           kind_of_material.material_type AS item_material
    FROM item
    LEFT JOIN sole_title ON sole_title.control_number = item.control_number
    LEFT JOIN kind_of_material ON kind_of_material.material_type = lower(item.material_type);
