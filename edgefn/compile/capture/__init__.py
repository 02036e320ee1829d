"""A network caught as a program: eager PyTorch → `torch.export` → ONNX.

eager       the network, run by PyTorch
conversion  a builder's network, made ready
arguments   declared inputs → forward()
results     what forward() returns → named tensors
exporting   a program with its free dimensions free
capture     network → exported program → ONNX
snapshot    a captured network as files
recurrent   recurrent layers, kept whole
rewrites    steps written otherwise
foreign     operators of other libraries
examples    example inputs, and a program's outputs for them
operators   operators that PyTorch itself does not have
probes      a program at other lengths
provenance  what joins the outputs
refusals    why a network does not export, and what to do
"""
