-- What was one partner's goes before the next one comes.
DROP TABLE bibliographic; DROP TABLE item; DROP TABLE patron; DROP TABLE patron_alias;
DROP TABLE number_pid; DROP TABLE number_title; DROP TABLE item_title; DROP TABLE item_of_barcode;
DROP TABLE hop; DROP TABLE one_of; DROP TABLE institution; DROP TABLE told;
