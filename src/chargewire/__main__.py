"""`python -m chargewire` is the `chargewire` command."""

from chargewire.cli import main

main(prog_name="chargewire")
