"""DBC's borrower check (BorChk): asking a library, through DBC, whether somebody is its patron."""
