-- The embedded store (SQLite). Times are seconds since 1970 in UTC, dates ISO 8601, amounts hundredths of the currency's unit.
CREATE TABLE IF NOT EXISTS patron (
    patron       TEXT PRIMARY KEY,            -- the library system's internal id
    name         TEXT NOT NULL DEFAULT '',
    category     TEXT NOT NULL DEFAULT '',
    language     TEXT NOT NULL DEFAULT '',    -- en, da, sv, nl, or '' for the terminal's own
    home_library TEXT NOT NULL DEFAULT '',
    valid_until  TEXT,
    birth_date   TEXT,
    municipality TEXT NOT NULL DEFAULT '',
    pin          TEXT,                        -- a hash (pins.py), never the PIN; NULL: none is kept
    block        TEXT NOT NULL DEFAULT '',    -- reason codes, blank between them
    address      TEXT NOT NULL DEFAULT '',
    email        TEXT NOT NULL DEFAULT '',
    phone        TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS card (
    card   TEXT PRIMARY KEY,
    patron TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS card_patron ON card (patron);
CREATE TABLE IF NOT EXISTS item (
    item        TEXT PRIMARY KEY,             -- the barcode
    title_id    TEXT NOT NULL DEFAULT '',     -- the control number
    title       TEXT NOT NULL DEFAULT '',
    status      TEXT NOT NULL DEFAULT 'available',
    material    TEXT NOT NULL DEFAULT '',
    owner       TEXT NOT NULL DEFAULT '',     -- the branch it belongs to
    location    TEXT NOT NULL DEFAULT '',     -- the branch where it is
    call_number TEXT NOT NULL DEFAULT '',
    properties  TEXT NOT NULL DEFAULT '',
    magnetic    INTEGER NOT NULL DEFAULT 0,
    hold        TEXT NOT NULL DEFAULT ''      -- the hold it waits for
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS loan (
    item      TEXT PRIMARY KEY,
    patron    TEXT NOT NULL,
    loaned_at INTEGER NOT NULL,
    due       INTEGER NOT NULL,
    renewals  INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS loan_patron ON loan (patron);
CREATE TABLE IF NOT EXISTS returned (           -- the last loan of an item, so that a return can be undone
    item      TEXT PRIMARY KEY,
    patron    TEXT NOT NULL,
    loaned_at INTEGER NOT NULL,
    due       INTEGER NOT NULL,
    renewals  INTEGER NOT NULL DEFAULT 0,
    at        INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS filled (             -- how an item and the holds on it stood before a loan, so that the loan can be undone
    item      TEXT PRIMARY KEY,
    patron    TEXT NOT NULL,                  -- whose loan it is, and when it began: no other loan is undone with this
    loaned_at INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    status    TEXT NOT NULL,
    hold      TEXT NOT NULL,
    holds     TEXT NOT NULL                   -- rows of the table hold, in JSON
) WITHOUT ROWID;
DROP INDEX IF EXISTS filled_at;
CREATE TABLE IF NOT EXISTS hold (
    hold     TEXT PRIMARY KEY,
    patron   TEXT NOT NULL,
    title_id TEXT NOT NULL,
    item     TEXT NOT NULL DEFAULT '',        -- the copy that waits on the shelf, or the only copy that is wanted
    pickup   TEXT NOT NULL DEFAULT '',
    placed   INTEGER NOT NULL,
    expires  INTEGER,
    ready    INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS hold_patron ON hold (patron);
CREATE INDEX IF NOT EXISTS hold_title ON hold (title_id, placed);
CREATE TABLE IF NOT EXISTS fee (
    fee         TEXT PRIMARY KEY,
    patron      TEXT NOT NULL,
    kind        TEXT NOT NULL DEFAULT 'other',
    outstanding INTEGER NOT NULL,
    title       TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS fee_patron ON fee (patron);
CREATE TABLE IF NOT EXISTS done (
    key     TEXT PRIMARY KEY,                 -- what was asked, so that it is not done twice
    at      INTEGER NOT NULL,
    outcome TEXT NOT NULL
) WITHOUT ROWID;
DROP INDEX IF EXISTS done_at;                   -- each loan was to pay for it; what is old is looked for once an hour
CREATE TABLE IF NOT EXISTS conflict (
    number INTEGER PRIMARY KEY,               -- of the journal's entry
    at     INTEGER NOT NULL,
    reason TEXT NOT NULL,
    asked  TEXT NOT NULL,
    found  TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS state (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;
