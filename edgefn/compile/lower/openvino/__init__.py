"""Captured network → ONNX that OpenVINO converts, in float32, bfloat16 or int8.

lowering      the conversion, and the checks around it
transforms    ONNX written otherwise for openvino
mending       all that openvino computes otherwise
narrow        arithmetic of 8 and 16 bits
reductions    sums and maxima of whole numbers
doubles       quotients of float64
spectra       Fourier transforms
int8          openvino as the engine of edgefn.compile.quantize
"""
