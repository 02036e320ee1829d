"""Decide whether an artifact answers as eager PyTorch does. Needs NumPy; never imports torch or an engine.

answers/       what a handler returns with the artifact, against what it returns with eager PyTorch
"""
