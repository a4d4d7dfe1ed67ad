SMPP_VERSION := 0.5.1
AIOSMTPD_VERSION := 1.4.6

.PHONY: messages
messages: $(TOOLS)/messages/node_modules/smpp/package.json $(TOOLS)/messages/venv/bin/aiosmtpd ## Messages to a message centre and a mail server that others wrote.
	MESSAGES_DIR=$(TOOLS)/messages go test -tags messages -count=1 -timeout 5m -v ./test/messages

$(TOOLS)/messages/node_modules/smpp/package.json:
	mkdir -p $(TOOLS)/messages
	npm install --silent --no-audit --no-fund --prefix $(TOOLS)/messages smpp@$(SMPP_VERSION)

$(TOOLS)/messages/venv/bin/aiosmtpd:
	mkdir -p $(TOOLS)/messages
	python3 -m venv $(TOOLS)/messages/venv
	$(TOOLS)/messages/venv/bin/pip install -q aiosmtpd==$(AIOSMTPD_VERSION)
