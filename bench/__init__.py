"""Programs that measure and print tables. They pass no judgement: a slow machine is no failed test.

`make bench` runs them all; `python -m bench.NAME --help` tells what one of them can do. See README.md here.
"""
