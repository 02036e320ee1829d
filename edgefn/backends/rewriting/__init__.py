"""ONNX files written otherwise for engines that compute a step otherwise than the file says.

    steps.py       a file's steps, replaced
    indices.py     indices that are out of range
    softplus.py    the softplus to its last digits

Runs on the build machine only.
"""
