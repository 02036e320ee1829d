"""A model's real inputs, and eager's answers to them.

samples      what `samples=` and `calibration=` name
recording    the handler run on the samples, its models' calls kept
goldens      golden samples, from the cache or recorded
calibration  what int8 is calibrated on, and what judges it
trials       inputs made of samples
answering    eager's answers to those
"""
