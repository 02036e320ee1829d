"""ONNX files written otherwise for engines that compute a step otherwise than the file says.

    steps.py       a file's steps, replaced
    exact.py       whole numbers that become too large
    indices.py     indices that are out of range
    not_numbers.py NaN that an engine loses
    softplus.py    the softplus to its last digits

Runs on the build machine only.
"""
