"""Networks that come as files, or as what torch made of them: the door of each kind, and what it refuses.

    opening        what a builder returned → a torch.nn.Module that gives the file's own answers
    location       where the file lies; it must be one whose changes are noticed
    kind           what it is, by its bytes; nothing is unpickled
    matching       PURE: its inputs against the declared ones
    torchscript    TorchScript, run by torch.jit
    script_graph   the same graph in Python, for torch.export to follow
    fused_attention  what such a graph may hold, with operators that export
    program        a program of torch.export.save
    onnx_source    an ONNX file: what it takes and gives, why it cannot be served
    onnx_network   its own answers, by ONNX Runtime with nothing optimised
    onnx_capture   the same file as the source of artifacts
    onnx_shapes    what comes out of it
    external       the weights beside an ONNX file

Why it is so: docs/decisions/model-files.md.
"""
