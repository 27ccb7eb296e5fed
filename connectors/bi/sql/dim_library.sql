-- Branches, by every role in which the data names them: lending, returning, owning, home. And "not stated".
CREATE VIEW dim_library AS
    WITH named AS (
        SELECT lending_branch AS branch_key, 'lending' AS role FROM loan_known
        UNION SELECT returning_branch, 'returning' FROM loan_known WHERE return_date IS NOT NULL
        UNION SELECT owning_branch, 'owning' FROM item_known
        UNION SELECT owning_branch, 'owning' FROM loan_known
        UNION SELECT home_library, 'home' FROM dim_patron
        UNION SELECT place(code), 'listed' FROM branch
        UNION SELECT place(NULL), 'listed'
    ), roles AS (
        SELECT branch_key, nullif(branch_key[length(getvariable('partner')) + 2:], '') AS branch,
               bool_or(role = 'lending') AS is_lending, bool_or(role = 'returning') AS is_returning,
               bool_or(role = 'owning') AS is_owning, bool_or(role = 'home') AS is_home
        FROM named GROUP BY branch_key
    )
    SELECT branch_key, roles.branch, coalesce(branch.name, roles.branch, '') AS name, getvariable('partner_name') AS partner_name,
           is_lending, is_returning, is_owning, is_home
    FROM roles LEFT JOIN branch ON branch.code = roles.branch;
