-- Who is given one BI key: the patron behind each pseudonym of the lake (table one_of), or the pseudonym itself.
CREATE TABLE named AS
    SELECT named.patron, coalesce(one_of.one, named.patron) AS one
    FROM (SELECT patron FROM patron UNION SELECT DISTINCT patron FROM loan WHERE patron IS NOT NULL) AS named
    LEFT JOIN one_of ON one_of.origin = named.patron;
