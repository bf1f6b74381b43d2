"""A network and a helpdesk of our own, without idempotency keys and with fault switches, and connectors to them."""
