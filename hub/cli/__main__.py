"""``python -m hub.cli``, where the command ``hub`` is not on the path."""

from hub.cli import main

main(prog_name="hub")
