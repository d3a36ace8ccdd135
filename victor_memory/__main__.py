"""`python -m victor_memory` is the `victor-memory` program."""

from victor_memory.cli import main

main()
