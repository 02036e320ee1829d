"""From a function's folder to a bundle: capture → lower → verify → report. The only room where torch lives.

    __main__        `python -m edgefn.compile`: one build
    build           the whole build, in order
    events          what it tells: NDJSON on the real stdout
    report          what was built, how near it is to eager PyTorch, where the time went
    author/         the author's own code: what it may read, import and raise
    capture/        network → exported program → ONNX
    files/          networks that come as files: TorchScript, .pt2, .onnx
    dimensions/     free dimensions: which lengths a program takes
    repeatability/  the same answer each time, or refused
    substitutes/    functions of PyTorch replaced while a network is recorded
    translations/   ONNX of our own for operators
    onnx/           the ONNX file, mended
    samples/        real inputs, and eager's answers
    artifacts/      which are wanted, what has become of each
    jobs/           compilers' processes
    lower/          each engine's half of the build: a captured network → an artifact
    quantize/       int8
    judging/        an artifact held against eager PyTorch
    answers/        the handler's answers, compared
    cache/          results by what they depend on

Importing any of these does not import torch; what needs it does, when it is called.
"""
