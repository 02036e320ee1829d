"""The artifact that every bundle has, and ONNX Runtime's int8.

lowering      the exported network, or one of the int8 forms, as model.onnx
"""
