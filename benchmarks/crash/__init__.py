"""``kill -9`` at random moments while vendors fail: what is lost and what is doubled, counted at the vendors."""
