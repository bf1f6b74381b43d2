"""The conformance kit: what a plugin's tests subclass to prove that the connector keeps the contract."""
