-- Titles by key. Loans and items often name a control number without its agency: then it counts if only one title here bears it.
CREATE TABLE title_known AS
    SELECT title_place(agency, control_number) AS title_key, *,
           coalesce(material.material_key, 'other') AS title_material
    FROM bibliographic LEFT JOIN material ON material.material_key = bibliographic.material_type;

CREATE TABLE sole_title AS
    SELECT control_number, min(agency) AS agency FROM bibliographic GROUP BY control_number HAVING count(*) = 1;
