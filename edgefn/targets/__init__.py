"""Targets: the hardware profiles that a model can be lowered for, one TOML file each."""
