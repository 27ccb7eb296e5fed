-- Titles by key. Loans and items often name a control number without its agency: then it counts if only one title here bears it.
CREATE TABLE title_known AS
    SELECT title_place(agency, control_number) AS title_key, bibliographic.* EXCLUDE (material_type),
           coalesce(kind_of_material.material_type, 'other') AS material_type
    FROM bibliographic LEFT JOIN kind_of_material ON kind_of_material.material_type = bibliographic.material_type;

CREATE TABLE sole_title AS
    SELECT control_number, min(agency) AS agency FROM bibliographic GROUP BY control_number HAVING count(*) = 1;
