-- Shopping carts, and requests to cancel an order.
CREATE TABLE shopping_cart (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	customer_id TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{customerId}') STORED,
	status TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{status}') STORED,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX shopping_cart_customer_id ON shopping_cart (spid, customer_id, id);
CREATE INDEX shopping_cart_status ON shopping_cart (spid, status, id);

CREATE TABLE cancel_product_order (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	state TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{state}') STORED,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX cancel_product_order_state ON cancel_product_order (spid, state, id);
