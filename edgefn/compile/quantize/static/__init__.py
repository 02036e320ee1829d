"""Static int8: ranges from calibration, integer weights, and the file with both.

static        ranges and weights of one network
calibration   PURE: the calibration inputs in two parts
propagation   calibration inputs carried through the network, in float and in eight bits
observation   activations' ranges, and what eight bits lose of them
ranges        PURE: what of an activation eight bits span
weights       PURE: integer weights, safe in pairs
compensation  PURE: rounding that undoes its own error
fit           what was found, as files that compilers share
qdq           the static file
plain         the static file as ONNX Runtime's quantiser makes it by itself
levels        the quantiser's step at the outputs, read from a file
"""
