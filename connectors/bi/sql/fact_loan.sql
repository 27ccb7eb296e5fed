-- One row an event. Loans, renewals and returns are measures of their own: each is 0 in the rows of the other two.
-- The day decides the month: a loan counts in the month it was made, its return in the month it came back.
CREATE VIEW fact_loan AS
    SELECT loan_day AS day, 'loan' AS event, kind, 1 AS loans, 0 AS renewals, 0 AS returns, NULL::INTEGER AS days_out, false AS day_estimated,
           patron_key, item_key, title_key, material_key, lending_library, place(NULL) AS returning_library, owning_library
    FROM loan_known WHERE loan_day IS NOT NULL
    UNION ALL
    SELECT renewal_day, 'renewal', kind, 0, renewals, 0, NULL, renewal_estimated,
           patron_key, item_key, title_key, material_key, lending_library, place(NULL), owning_library
    FROM loan_known WHERE renewal_day IS NOT NULL
    UNION ALL
    SELECT return_day, 'return', kind, 0, 0, 1, days_out, return_estimated,
           patron_key, item_key, title_key, material_key, lending_library, returning_library, owning_library
    FROM loan_known WHERE return_day IS NOT NULL;
