-- Shopping carts, and requests to cancel an order.
CREATE TABLE shopping_cart (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	customer_id TEXT GENERATED ALWAYS AS (json_extract(doc, '$.customerId')) VIRTUAL,
	status TEXT GENERATED ALWAYS AS (json_extract(doc, '$.status')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX shopping_cart_customer_id ON shopping_cart (spid, customer_id, id);
CREATE INDEX shopping_cart_status ON shopping_cart (spid, status, id);

CREATE TABLE cancel_product_order (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	state TEXT GENERATED ALWAYS AS (json_extract(doc, '$.state')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX cancel_product_order_state ON cancel_product_order (spid, state, id);
