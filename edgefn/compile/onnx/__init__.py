"""The ONNX file of a network, mended so that engines answer what PyTorch does.

file       ONNX without noise
registry   the exporter's table, read once
constants  its numbers, as they are
values     its values, by names of their own
steps      steps before a node, or for it
sums       sums of very many numbers
spectra    Fourier transforms, run as written
no_rows    recurrent layers of no row, refused
empties    what is asked of nothing
"""
