"""ONNX → MNN's model in float32, tried at another size before it is taken.

lowering      the conversion, and the checks around it
conversion    the process that converts and tries: a crash of MNN's ends that one alone
mending       steps that MNN computes otherwise than the file says
screening     the steps of a file, each tried alone
"""
