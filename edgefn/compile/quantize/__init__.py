"""int8: from a captured float network to a file whose layers multiply in eight bits, within its bound.

    int8       the whole: the ways are tried, each judged on the validation part, the first that is right is taken
    gate       what an artifact must show; refusals with the figures
    engine     what the file is made for: how it is opened, what it can
    method     PURE: static or dynamic, by where the weights are
    safety     PURE: whether a profile's CPU saturates
    dynamic    the dynamic file
    graph/     an ONNX graph as quantisation reads it
    static/    ranges, integer weights, the static file
    search/    ways that are tried, layers that stay in float
    training/  fine-tuning and pruning

A backend's `lower` calls `int8.made` and `gate`. The file is plain ONNX with QuantizeLinear and DequantizeLinear: ONNX
Runtime and OpenVINO both run it at full speed. Why it is so, with figures: docs/decisions/quantisation.md.
"""
