"""The ONNX file of a network, mended so that engines answer what PyTorch does.

onnx_file       ONNX without noise
onnx_registry   the exporter's table, read once
onnx_constants  its numbers, as they are
onnx_values     its values, by names of their own
onnx_steps      steps before a node, or for it
onnx_sums       sums of very many numbers
onnx_spectra    Fourier transforms, run as written
onnx_recurrent  recurrent layers of no row, refused
empties         what is asked of nothing
"""
