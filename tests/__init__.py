"""The tests, as the product's folders; tests/README.md tells how they are kept quick."""

import sys

# Each of the processes that run tests imports all 380 modules. pytest rewrites their asserts, which takes half of that
# time, and keeps what it wrote only if Python may write it, which PYTHONDONTWRITEBYTECODE forbids on some machines.
sys.dont_write_bytecode = False
