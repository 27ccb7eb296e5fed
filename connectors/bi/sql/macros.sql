-- Keys of the star are single strings that are unique over all partners, so that a join needs one column.
-- "lindeby:" (nothing after the colon) is the row of a dimension that says: not stated. No fact is lost in a join.
CREATE MACRO place(code) AS getvariable('partner') || ':' || coalesce(code, '');
CREATE MACRO title_place(agency, number) AS
    getvariable('partner') || ':' || CASE WHEN number IS NULL THEN '' ELSE replace(number, ':', '%3A') || ':' || coalesce(agency, '') END;
CREATE MACRO text_or_null(value) AS nullif(trim(value), '');
CREATE MACRO local_day(moment) AS timezone(getvariable('timezone'), moment)::DATE;
