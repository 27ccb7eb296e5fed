-- Titles by key.
CREATE TABLE title_known AS
    SELECT title_place(agency, control_number) AS title_key, bibliographic.* EXCLUDE (material_type),
           coalesce(kind_of_material.material_type, 'other') AS material_type
    FROM bibliographic LEFT JOIN kind_of_material ON kind_of_material.material_type = bibliographic.material_type;
