"""What an event costs with neutral tools: a signed webhook in, rules, a webhook out, counted by the receiver."""
