"""What the backends of PyTorch share.

record     the record beside an artifact: what made it, what it needs
examples   what a model is traced with, and what the trace is held against
operators  operators that PyTorch itself does not have
recurrent  recurrent layers, each one operator
session    a loaded network behind the `Session` protocol
"""
