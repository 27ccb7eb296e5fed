-- The item behind a barcode that only one item of the partner bears.
CREATE TABLE item_of_barcode AS
    SELECT barcode, min(item_id) AS item_id FROM item WHERE barcode IS NOT NULL GROUP BY barcode HAVING count(*) = 1;
