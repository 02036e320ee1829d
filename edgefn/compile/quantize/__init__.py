"""int8: from a captured float network to a file whose layers multiply in eight bits, within its bound.

    int8           the whole: the ways are tried, each judged on the validation part, and the first that is right is it
    attempts       the ways: ours, static or dynamic, and plain quantisation
    trial          an attempt as its engine runs it
    calibration    PURE: the calibration inputs in two parts
    method         PURE: static or dynamic, by where the weights are
    safety         PURE: whether a profile's CPU saturates
    sensitivity    PURE: which layers stay in float
    distance       PURE: how far outputs are from the eager ones, for that search
    tail           PURE: the end of a network, where answers stay in float
    weights        PURE: integer weights, safe in pairs
    ranges         PURE: what of an activation eight bits span
    compensation   PURE: rounding that undoes its own error
    engine         what the file is made for: how it is opened, what it can
    fit            what static quantisation found, as files that compilers share
    gate           what an artifact must show; refusals with the figures
    preparation    constants and batch normalisation folded
    graph          an ONNX graph's constants and layers
    costs          the layers' weights and multiplications, and what share is in eight bits
    operators      ONNX operators in PyTorch
    single         one node of any operator, by ONNX Runtime
    propagation    calibration inputs carried through the network, in float and in eight bits
    observation    activations' ranges, and what eight bits lose of them
    static         ranges and weights of one network
    qdq            the static file
    plain          the static file as ONNX Runtime's quantiser makes it by itself
    dynamic        the dynamic file
    finetune       quantisation-aware fine-tuning, the float network as teacher
    pruning        channels removed

A backend's `lower` calls `int8.made` and `gate`. The file is plain ONNX with QuantizeLinear and DequantizeLinear: ONNX
Runtime and OpenVINO both run it at full speed. Why it is so, with figures: docs/decisions/quantisation.md.
"""
