-- Every day of the years in which something happened.
CREATE VIEW dim_date AS
    SELECT date, year(date) AS year, quarter(date) AS quarter, strftime(date, '%Y-%m') AS month, month(date) AS month_of_year,
           isoyear(date) AS iso_year, weekofyear(date) AS iso_week, isodow(date) AS weekday, isodow(date) >= 6 AS weekend
    FROM (SELECT unnest(generate_series(make_date(getvariable('first_year'), 1, 1)::TIMESTAMP,
                                        make_date(getvariable('last_year'), 12, 31)::TIMESTAMP, INTERVAL 1 DAY))::DATE AS date);
