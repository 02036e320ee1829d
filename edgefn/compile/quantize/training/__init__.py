"""Networks trained, or made smaller, before they are quantised; done when `Quantize` asks for it.

finetune   quantisation-aware fine-tuning, the float network as teacher
pruning    channels removed
operators  ONNX operators in PyTorch
"""
