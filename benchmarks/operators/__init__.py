"""Every operator of PyTorch, screened: does what builds compute what PyTorch does, for all kinds of numbers and sizes.

    __main__.py   the command               calls.py     calls of an operator, from PyTorch's own table
    values.py     numbers of every kind     screen.py    one call through the exporter and ONNX Runtime, against eager
    table.py      docs/operators.md         known.py     what PyTorch itself leaves open

The gate of a build sees the samples' numbers and some other sizes. What an operator does with others is seen here.
"""
