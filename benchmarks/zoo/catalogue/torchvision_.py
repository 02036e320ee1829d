"""Networks of torchvision, by its own constructors, with random weights."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.zoo.network import BATCH, Input, Network, image, signal

CLASSIFICATION = {
    "alexnet": 64,
    "convnext_tiny": 64,
    "densenet121": 64,
    "efficientnet_b0": 64,
    "efficientnet_v2_s": 64,
    "mnasnet0_5": 64,
    "mnasnet1_0": 64,
    "mobilenet_v2": 64,
    "mobilenet_v3_large": 64,
    "mobilenet_v3_small": 64,
    "regnet_x_400mf": 64,
    "regnet_y_400mf": 64,
    "resnet18": 64,
    "resnet34": 64,
    "resnet50": 64,
    "resnext50_32x4d": 64,
    "shufflenet_v2_x0_5": 64,
    "shufflenet_v2_x1_0": 64,
    "squeezenet1_0": 64,
    "squeezenet1_1": 64,
    "swin_t": 64,
    "swin_v2_t": 64,
    "vgg11_bn": 32,
    "wide_resnet50_2": 64,
}
"""With the side of the samples; height and width are free."""

SEGMENTATION = ("deeplabv3_mobilenet_v3_large", "deeplabv3_resnet50", "fcn_resnet50", "lraspp_mobilenet_v3_large")
DETECTION = (
    "fasterrcnn_mobilenet_v3_large_320_fpn",
    "fcos_resnet50_fpn",
    "keypointrcnn_resnet50_fpn",
    "maskrcnn_resnet50_fpn",
    "retinanet_resnet50_fpn",
    "ssd300_vgg16",
    "ssdlite320_mobilenet_v3_large",
)
VIDEO = {"mc3_18": 32, "r2plus1d_18": 32, "r3d_18": 32, "s3d": 224}


def networks() -> Iterator[Network]:
    """The list."""
    for name, side in CLASSIFICATION.items():
        source = f"from torchvision.models import {name}\nreturn {name}(weights=None)"
        yield image(name, "torchvision, classification", source, side, least=side if name == "alexnet" else 32)
    for name, options, side in (
        ("googlenet", "aux_logits=False, init_weights=True", 64),
        ("inception_v3", "aux_logits=False, init_weights=True", 96),
    ):
        source = f"from torchvision.models import {name}\nreturn {name}(weights=None, {options})"
        yield image(name, "torchvision, classification", source, side, least=80 if side == 96 else 32)
    yield image(
        "vit_b_16",
        "torchvision, classification",
        "from torchvision.models import vit_b_16\nreturn vit_b_16(weights=None, image_size=64)",
        free=False,
    )
    yield image(
        "maxvit_t",
        "torchvision, classification",
        "from torchvision.models import maxvit_t\nreturn maxvit_t(weights=None, input_size=(224, 224))",
        224,
        free=False,
    )
    for name in SEGMENTATION:
        yield image(
            name,
            "torchvision, segmentation",
            f"from torchvision.models.segmentation import {name}\n"
            f"return {name}(weights=None, weights_backbone=None, num_classes=6)",
        )
    for name, side in VIDEO.items():
        source = f"from torchvision.models.video import {name}\nreturn {name}(weights=None, num_classes=40)"
        frames = 16 if name == "s3d" else 8
        yield signal(
            name,
            "torchvision, video",
            source,
            ("batch", 3, "frames", "height", "width"),
            {"batch": 2, "frames": frames, "height": side, "width": side},
            {"frames": (frames + 3,), "height": (side + 17,), "width": (side + 9,)},
            kind="video",
        )
    yield signal(
        "swin3d_t",
        "torchvision, video",
        "from torchvision.models.video import swin3d_t\nreturn swin3d_t(weights=None, num_classes=40)",
        ("batch", 3, 8, 64, 64),
        {"batch": 2},
        {},
        kind="video",
    )
    yield raft()
    for name in DETECTION:
        yield detector(name)


def raft() -> Network:
    """Optical flow between two pictures, four refinements."""
    source = """
    import torch
    from torchvision.models.optical_flow import raft_small

    class Flow(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.raft = raft_small(weights=None)

        def forward(self, before, after):
            return self.raft(before, after, num_flow_updates=4)[-1]

    return Flow()
    """
    picture = Input("float32", ("batch", 3, "height", "width"), "image")
    return Network(
        "raft_small",
        "torchvision, optical flow",
        source,
        {"before": picture, "after": picture},
        {"batch": 2, "height": 128, "width": 136},
        {"batch": BATCH, "height": (160,), "width": (144,)},
    )


TEMPERED = {
    "fcos_resnet50_fpn": (1.0, 4.0),
    "retinanet_resnet50_fpn": (3.0, 1.0),
    "ssd300_vgg16": (1.0, 0.25),
}
"""Gains of the convolutions of a head, and of the last one, at which its scores are neither all 0.01 nor all 1."""


def detector(name: str) -> Network:
    """Return a detector of one picture: the twenty likeliest boxes, of scores that differ as those of a trained one do.

    Of many random proposals some are as likely as others that overlap them, and eager itself then keeps now the one,
    now the other when the picture changes by a millionth. So there are few.
    """
    size = "" if "320" in name or "300" in name else ", min_size=128, max_size=160"
    few = ", ".join(f"rpn_{when}_nms_top_n_test=30" for when in ("pre", "post"))
    limits = f"box_score_thresh=0.02, box_detections_per_img=20, {few}" if "rcnn" in name else "detections_per_img=20"
    least = ", score_thresh=0.02" if name in ("fcos_resnet50_fpn", "retinanet_resnet50_fpn") else ""
    every, last = TEMPERED.get(name, (1.0, 1.0))
    source = f"""
    import torch
    from edgefn.adapters import detector
    from torchvision.models.detection import {name}

    network = {name}(weights=None, weights_backbone=None, num_classes=5{size}, {limits}{least})
    """
    if name in TEMPERED:
        source += f"""
    for place, layer in network.head.classification_head.named_modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.weight.data *= {last} if place.startswith(("cls_logits", "module_list")) else {every}
    """
    source += """
    return detector(network)
    """
    return signal(
        name,
        "torchvision, detection",
        source,
        (3, "height", "width"),
        {"height": 128, "width": 128},
        {"height": (100, 129), "width": (97, 150)},
        kind="unit",
        input="pixels",
    )
