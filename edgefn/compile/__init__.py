"""capture → lower → verify → report: from a function's folder to a bundle. The only room where torch lives.

    eager.py      the network itself, run by PyTorch          closure.py   which source a result depends on
    capture.py    network → exported program → ONNX           cache.py     results by the hash of what they depend on
    onnx_file.py  ONNX without noise, its opset read back     sources.py   a function's folder, as the build sees it
    recording.py  real sample inputs → golden samples         models.py    one model: golden, capture, lower, verify
    verify.py     artifact against golden samples             build.py     the whole build
    events.py     NDJSON on the real stdout                   __main__.py  python -m edgefn.compile

Importing any of these does not import torch; what needs it does, when it is called.
"""
