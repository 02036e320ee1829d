"""The ONNX graph of a network as quantisation reads it.

graph        its constants and layers
preparation  constants and batch normalisation folded
costs        the layers' weights and multiplications, and what share is in eight bits
tail         PURE: the end of a network, where answers stay in float
single       one node of any operator, by ONNX Runtime
"""
