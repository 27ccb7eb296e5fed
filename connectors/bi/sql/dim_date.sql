-- Every day of the years in which something happened.
CREATE VIEW dim_date AS
    SELECT day, year(day) AS year, quarter(day) AS quarter, strftime(day, '%Y-%m') AS month, month(day) AS month_number,
           isoyear(day) AS iso_year, weekofyear(day) AS iso_week, isodow(day) AS weekday, isodow(day) >= 6 AS weekend
    FROM (SELECT unnest(generate_series(make_date(getvariable('first_year'), 1, 1)::TIMESTAMP,
                                        make_date(getvariable('last_year'), 12, 31)::TIMESTAMP, INTERVAL 1 DAY))::DATE AS day);
