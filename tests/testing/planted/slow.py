"""A connector whose module costs something to import."""

import time

from tests.testing.planted.sources import GoodSource

_start = time.process_time()
while time.process_time() - _start < 0.35:
    pass


class IsSlowToImport(GoodSource):
    """Breaks nothing else."""
