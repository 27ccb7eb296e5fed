-- Who is behind each pseudonym of the lake: a card number's alias leads to its patron, a merged patron to the one that stayed.
-- Eight steps are enough for cards and merges of merges, and end a circle. Needs the tables patron_alias and patron of one partner.
CREATE TABLE hop AS
    SELECT origin, min(target) AS target FROM (
        SELECT alias AS origin, patron AS target FROM patron_alias WHERE alias <> patron
        UNION ALL
        SELECT patron, merged_into FROM patron WHERE merged_into IS NOT NULL AND merged_into <> patron
    ) GROUP BY origin;

CREATE TABLE one_of AS
    WITH RECURSIVE walk(origin, here, steps) AS (
        SELECT origin, target, 1 FROM hop
        UNION ALL
        SELECT walk.origin, hop.target, steps + 1 FROM walk JOIN hop ON hop.origin = walk.here WHERE steps < 8
    )
    SELECT origin, arg_max(here, steps) AS one FROM walk GROUP BY origin;
