"""The networks of the list.

torchvision_     classification, segmentation, detection, video, by torchvision's own constructors
timm_            by timm.create_model
transformers_    encoders, decoders, vision and sound, by their configurations; small, never downloaded
sound            of sounds and of one-dimensional signals
recurrent        with a time axis and a state
tabular          of tables: numbers and categories
others           detectors, segmentation, restoration, points, graphs, coordinates
"""

from __future__ import annotations

from benchmarks.zoo.catalogue import others, recurrent, sound, tabular, timm_, torchvision_, transformers_
from benchmarks.zoo.network import Network

MODULES = (torchvision_, timm_, transformers_, sound, recurrent, tabular, others)


def networks() -> list[Network]:
    """All, in the order of the table."""
    return [network for module in MODULES for network in module.networks()]


def named(name: str) -> Network:
    """The network of that name. Raises KeyError."""
    return {network.name: network for network in networks()}[name]
