"""The figures that the documents promise, measured on this machine: `make bench`, or `python -m benchmarks NAME…`."""
