-- One row an event. Loans, renewals and returns are measures of their own: each is 0 in the rows of the other two.
-- The date decides the month: a loan counts in the month it was made, its return in the month it came back.
-- A history tells how often a loan was renewed, not when: those renewals lie at the day of the loan, and say so.
CREATE VIEW fact_loan AS
    SELECT loan_date AS date, 'loan' AS event, kind, 1 AS loans, 0 AS renewals, 0 AS returns, NULL::SMALLINT AS loan_days, false AS date_estimated,
           patron_key, item_key, title_key, material_type, lending_branch, place(NULL) AS returning_branch, owning_branch
    FROM loan_known WHERE loan_date IS NOT NULL
    UNION ALL
    SELECT renewal_date, 'renewal', kind, 0, 1, 0, NULL, renewal_estimated,
           patron_key, item_key, title_key, material_type, lending_branch, place(NULL), owning_branch
    FROM (SELECT *, unnest(range(renewals)) FROM loan_known WHERE renewal_date IS NOT NULL)
    UNION ALL
    SELECT return_date, 'return', kind, 0, 0, 1, loan_days, return_estimated,
           patron_key, item_key, title_key, material_type, lending_branch, returning_branch, owning_branch
    FROM loan_known WHERE return_date IS NOT NULL;
