-- Loans and items often name a control number without its agency: then it counts if only one title of the partner bears it.
CREATE TABLE sole_title AS
    SELECT control_number, min(agency) AS agency FROM bibliographic GROUP BY control_number HAVING count(*) = 1;
