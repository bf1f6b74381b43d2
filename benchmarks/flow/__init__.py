"""What one event costs: webhook in, ticket delivered, against a bare Flask endpoint under the same load."""
