"""Networks of timm, by `timm.create_model`, with random weights."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.zoo.network import Network, image

CONVOLUTIONS = (
    "convnext_atto",
    "convnextv2_atto",
    "cspresnet50",
    "dla34",
    "edgenext_xx_small",
    "efficientvit_b0",
    "ese_vovnet19b_dw",
    "fastvit_t8",
    "fbnetc_100",
    "ghostnet_100",
    "hardcorenas_a",
    "hrnet_w18_small",
    "inception_next_atto",
    "lcnet_050",
    "mobilenetv4_conv_small",
    "mobileone_s0",
    "poolformer_s12",
    "repvgg_a0",
    "repvit_m0_9",
    "resnest14d",
    "rexnet_100",
    "selecsls42b",
    "semnasnet_075",
    "skresnet18",
    "starnet_s1",
    "tf_efficientnet_lite0",
    "tinynet_e",
    "eca_nfnet_l0",
    "focalnet_tiny_srf",
    "pvt_v2_b0",
    "mobilevit_xxs",
    "mobilevitv2_050",
)
"""Of any height and width."""

SQUARE = {
    "cait_xxs24_224": 64,
    "coat_lite_tiny": 64,
    "coatnet_nano_rw_224": 224,
    "crossvit_tiny_240": 240,
    "deit_tiny_distilled_patch16_224": 64,
    "efficientformer_l1": 224,
    "efficientvit_m0": 224,
    "eva02_tiny_patch14_224": 70,
    "gmlp_ti16_224": 64,
    "hiera_tiny_224": 224,
    "levit_128s": 224,
    "mixer_s16_224": 64,
    "nest_tiny_jx": 224,
    "pit_ti_224": 64,
    "resmlp_12_224": 64,
    "tiny_vit_5m_224": 224,
    "tnt_s_patch16_224": 64,
    "visformer_tiny": 224,
    "vit_tiny_patch16_224": 64,
    "xcit_nano_12_p16_224": 64,
}
"""Of one size; those that take another one are made for it."""


def networks() -> Iterator[Network]:
    """The list."""
    for name in CONVOLUTIONS:
        source = f'import timm\nreturn timm.create_model("{name}", num_classes=100)'
        yield image(name, "timm, convolutions", source, step=32)
    for name, side in SQUARE.items():
        size = "" if side in (224, 240) else f", img_size={side}"
        source = f'import timm\nreturn timm.create_model("{name}", num_classes=100{size})'
        yield image(name, "timm, transformers and mixers", source, side, free=False)
    source = 'import timm\nreturn timm.create_model("vit_tiny_patch16_224", num_classes=100, dynamic_img_size=True)'
    yield image("vit_tiny_patch16_224, any size", "timm, transformers and mixers", source, 64, step=16)
