"""What the backends of PyTorch share.

record   the record beside an artifact: what made it, what it needs
session  a loaded network behind the `Session` protocol
"""
