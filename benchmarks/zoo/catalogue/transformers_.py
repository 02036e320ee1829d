"""Networks of transformers, by their configurations: small ones, with random weights, and nothing is downloaded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.zoo.network import Input, Network, image, signal, tokens

SMALL = {
    "vocab_size": 500,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "max_position_embeddings": 128,
}
TEXT: dict[str, Mapping[str, Any]] = {
    "Albert": {"embedding_size": 32},
    "Bert": {},
    "BertForTokenClassification": {},
    "BertForSequenceClassification": {},
    "BertForQuestionAnswering": {},
    "BigBird": {"attention_type": "original_full"},
    "Camembert": {},
    "ConvBert": {"embedding_size": 64},
    "Data2VecText": {},
    "DebertaV2": {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 16},
    "Deberta": {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]},
    "DistilBert": {"dim": 64, "n_layers": 2, "n_heads": 4, "hidden_dim": 128},
    "Electra": {"embedding_size": 32},
    "Ernie": {},
    "FNet": {},
    "Funnel": {
        "d_model": 64,
        "n_head": 4,
        "d_head": 16,
        "d_inner": 128,
        "block_sizes": [1, 1],
        "num_decoder_layers": 1,
        "num_hidden_layers": None,
    },
    "IBert": {},
    "Longformer": {"attention_window": 16},
    "MPNet": {},
    "MegatronBert": {},
    "MobileBert": {"embedding_size": 32, "intra_bottleneck_size": 32, "num_feedforward_networks": 1},
    "ModernBert": {"pad_token_id": 0, "global_attn_every_n_layers": 2, "local_attention": 16},
    "RemBert": {"input_embedding_size": 32, "output_embedding_size": 32},
    "RoFormer": {"embedding_size": 64},
    "Roberta": {},
    "SqueezeBert": {"embedding_size": 64, "q_groups": 2, "k_groups": 2, "v_groups": 2, "post_attention_groups": 1},
    "XLMRoberta": {},
    "XLNet": {"d_model": 64, "n_layer": 2, "n_head": 4, "d_inner": 128, "max_position_embeddings": None},
    "Yoso": {},
}
"""Encoders, by the name of their class before "Model", with what differs from SMALL."""
NO_MASK = ("FNet",)

CAUSAL: dict[str, Mapping[str, Any]] = {
    "Bloom": {"n_layer": 2, "n_head": 4},
    "GPT2": {"n_embd": 64, "n_layer": 2, "n_head": 4},
    "GPTNeoX": {},
    "Gemma": {"head_dim": 16, "num_key_value_heads": 2},
    "Llama": {"num_key_value_heads": 2},
    "Mistral": {"num_key_value_heads": 2, "sliding_window": 8},
    "OPT": {"ffn_dim": 128, "word_embed_proj_dim": 64},
    "Phi": {},
    "Qwen2": {"num_key_value_heads": 2},
}
"""Decoders, one pass over a prompt, without a cache."""

VISION = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
STAGES = {"depths": [1, 1, 1, 1], "hidden_sizes": [16, 32, 64, 128], "num_attention_heads": [1, 2, 4, 8]}
PICTURES: dict[str, tuple[int, Mapping[str, Any]]] = {
    "BeitModel": (64, VISION | {"image_size": 64, "patch_size": 16, "use_relative_position_bias": True}),
    "ClipVisionModel": (64, VISION | {"image_size": 64, "patch_size": 16}),
    "ConvNextModel": (64, {"depths": [1, 1, 2, 1], "hidden_sizes": [16, 32, 64, 96]}),
    "DPTForDepthEstimation": (
        64,
        VISION
        | {
            "image_size": 64,
            "patch_size": 16,
            "num_hidden_layers": 4,
            "backbone_out_indices": [0, 1, 2, 3],
            "is_hybrid": False,
            "neck_hidden_sizes": [16, 32, 48, 64],
            "fusion_hidden_size": 32,
        },
    ),
    "DeiTModel": (64, VISION | {"image_size": 64, "patch_size": 16}),
    "Dinov2Model": (70, VISION | {"image_size": 70, "patch_size": 14}),
    "GLPNForDepthEstimation": (64, STAGES | {"decoder_hidden_size": 32}),
    "MobileNetV2Model": (64, {}),
    "MobileViTModel": (
        64,
        {
            **{"image_size": 64, "neck_hidden_sizes": [16, 16, 24, 48, 64, 80, 160], "hidden_sizes": [48, 64, 80]},
            "initializer_range": 0.2,
        },
    ),
    "PoolFormerModel": (64, {"depths": [1, 1, 2, 1], "hidden_sizes": [16, 32, 64, 96]}),
    "PvtModel": (64, STAGES | {"image_size": 64}),
    "RegNetModel": (
        64,
        {"hidden_sizes": [16, 32, 64, 96], "depths": [1, 1, 2, 1], "groups_width": 16, "embedding_size": 16},
    ),
    "ResNetModel": (64, {"hidden_sizes": [16, 32, 64, 96], "depths": [1, 1, 2, 1], "embedding_size": 16}),
    "SegformerForSemanticSegmentation": (
        64,
        STAGES | {"decoder_hidden_size": 32, "num_labels": 6},
    ),
    "SiglipVisionModel": (64, VISION | {"image_size": 64, "patch_size": 16}),
    "SwinModel": (64, {"image_size": 64, "embed_dim": 24, "depths": [2, 2], "num_heads": [2, 4], "window_size": 4}),
    "Swin2SRForImageSuperResolution": (
        32,
        {"image_size": 32, "embed_dim": 24, "depths": [2, 2], "num_heads": [2, 4], "window_size": 8, "upscale": 2},
    ),
    "ViTModel": (64, VISION | {"image_size": 64, "patch_size": 16}),
    "VitDetModel": (64, VISION | {"image_size": 64, "patch_size": 16, "window_block_indices": [], "mlp_ratio": 2}),
    "YolosForObjectDetection": (
        64,
        VISION | {"image_size": [64, 64], "patch_size": 16, "num_detection_tokens": 8, "num_labels": 5},
    ),
}
FREE = (
    "ConvNextModel",
    "GLPNForDepthEstimation",
    "MobileNetV2Model",
    "PoolFormerModel",
    "RegNetModel",
    "ResNetModel",
    "SegformerForSemanticSegmentation",
    "Swin2SRForImageSuperResolution",
)
"""Of any height and width."""
CLASS = {"ClipVisionModel": "CLIPVisionModel"}

WAVES: dict[str, Mapping[str, Any]] = {
    "Data2VecAudio": {},
    "Hubert": {},
    "SEW": {"squeeze_factor": 2},
    "UniSpeech": {},
    "UniSpeechSat": {},
    "Wav2Vec2": {},
    "Wav2Vec2ForCTC": {},
    "WavLM": {"num_buckets": 16, "max_bucket_distance": 40},
}
SPEECH = VISION | {
    "conv_dim": [32, 32, 32],
    "conv_kernel": [10, 3, 3],
    "conv_stride": [5, 4, 4],
    "num_feat_extract_layers": 3,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "vocab_size": 32,
}


def networks() -> Iterator[Network]:
    """The list."""
    for name, options in TEXT.items():
        mask = name not in NO_MASK
        yield tokens(
            name, "transformers, text", _source(_class(name), _config(name), _given({**SMALL, **options})), mask=mask
        )
    for name, options in CAUSAL.items():
        options = {**SMALL, **options, "use_cache": False, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
        class_ = "GPT2LMHeadModel" if name == "GPT2" else f"{name}ForCausalLM"
        yield tokens(class_, "transformers, decoders", _source(class_, f"{name}Config", options))
    yield from _sequences()
    for name, (side, options) in PICTURES.items():
        class_ = CLASS.get(name, name)
        source = _source(class_, _config(class_), options)
        yield image(name, "transformers, pictures", source, side, free=name in FREE, step=32 if name in FREE else 1)
    yield _masked()
    for name, options in WAVES.items():
        source = _source(_class(name), _config(name), {**SPEECH, **options})
        sizes, trials = {"batch": 2, "time": 1600}, {"time": (801, 2405)}
        yield signal(name, "transformers, sound", source, ("batch", "time"), sizes, trials, kind="wave")
    yield from _spectrograms()
    yield from _series()


def _masked() -> Network:
    """Return a network that looks at a share of the picture, by chance, which is an input as its forward() allows."""
    options = VISION | {"image_size": 64, "patch_size": 16, "mask_ratio": 0.5}
    inputs = {
        "pixel_values": Input("float32", ("batch", 3, 64, 64), "image"),
        "noise": Input("float32", ("batch", 16), "uniform"),
    }
    source = _source("ViTMAEModel", "ViTMAEConfig", options)
    return Network("ViTMAEModel", "transformers, pictures", source, inputs, {"batch": 2}, {"batch": (1, 3, 5)})


def _sequences() -> Iterator[Network]:
    """Encoders of networks that have a decoder too, and pairs of both."""
    t5 = {"vocab_size": 500, "d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 2, "num_heads": 4}
    yield tokens("T5EncoderModel", "transformers, text", _source("T5EncoderModel", "T5Config", t5))
    bart = {
        "vocab_size": 500,
        "d_model": 64,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 128,
        "decoder_ffn_dim": 128,
        "max_position_embeddings": 128,
        "use_cache": False,
    }
    yield tokens("BartModel", "transformers, text", _source("BartModel", "BartConfig", bart))
    yield tokens(
        "MarianModel encoder",
        "transformers, text",
        _source("MarianModel", "MarianConfig", {**bart, "pad_token_id": 0}, ".get_encoder()"),
    )
    clip = {**SMALL, "max_position_embeddings": 77, "bos_token_id": 1, "eos_token_id": 499, "pad_token_id": 1}
    yield tokens("CLIPTextModel", "transformers, text", _source("CLIPTextModel", "CLIPTextConfig", clip))


def _spectrograms() -> Iterator[Network]:
    """Networks of pictures of sound."""
    whisper = {
        "d_model": 64,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 128,
        "decoder_ffn_dim": 128,
        "max_source_positions": 50,
        "vocab_size": 500,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "decoder_start_token_id": 1,
    }
    source = _source("WhisperModel", "WhisperConfig", whisper, ".get_encoder()")
    yield signal("Whisper encoder", "transformers, sound", source, ("batch", 80, 100), {"batch": 2}, {}, kind="normal")
    ast = {**VISION, "max_length": 64, "num_mel_bins": 32, "patch_size": 16}
    source = _source("ASTModel", "ASTConfig", ast)
    yield signal("ASTModel", "transformers, sound", source, ("batch", 64, 32), {"batch": 2}, {}, kind="normal")
    codec = {"num_filters": 8, "num_residual_layers": 1, "codebook_size": 64, "codebook_dim": 32, "hidden_size": 32}
    source = _source("EncodecModel", "EncodecConfig", codec, ".encoder")
    yield signal(
        "Encodec encoder",
        "transformers, sound",
        source,
        ("batch", 1, "time"),
        {"batch": 2, "time": 3200},
        {"time": (1600, 4801)},
        kind="wave",
    )


def _series() -> Iterator[Network]:
    """Networks of series of numbers."""
    common = {
        "context_length": 64,
        "prediction_length": 16,
        "num_input_channels": 5,
        "patch_length": 8,
        "patch_stride": 8,
    }
    patch = {**common, "d_model": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "ffn_dim": 64}
    source = _source("PatchTSTForPrediction", "PatchTSTConfig", patch)
    yield signal("PatchTST", "transformers, series", source, ("batch", 64, 5), {"batch": 2}, {}, kind="walk")
    mixer = {**common, "d_model": 32, "num_layers": 2}
    source = _source("PatchTSMixerModel", "PatchTSMixerConfig", mixer)
    yield signal("PatchTSMixer", "transformers, series", source, ("batch", 64, 5), {"batch": 2}, {}, kind="walk")


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Without those that the configuration has not."""
    return {name: value for name, value in options.items() if value is not None}


def _class(name: str) -> str:
    return name if _head(name) != name else f"{name}Model"


def _config(name: str) -> str:
    return f"{_head(name).removesuffix('LMHead').removesuffix('Model')}Config"


def _head(name: str) -> str:
    """The name before "ForCausalLM" and the like."""
    return re.split(r"For(?=[A-Z])", name)[0]


def _source(class_: str, config: str, options: Mapping[str, Any], then: str = "") -> str:
    """What its documentation says: a configuration and the model of it."""
    written = ", ".join(f"{name}={value!r}" for name, value in options.items())
    return f"from transformers import {config}, {class_}\nreturn {class_}({config}({written})){then}"
