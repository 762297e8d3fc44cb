"""Tiny transformers of many houses, and by hand what each of their parameters is for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase

import transformers as hf
from torch import nn

KINDS = ("kernels", "embeddings", "neither")
SIZES = {
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
}
TEXT = {"vocab_size": 13, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
PICTURES = {"image_size": 16, "patch_size": 4, "embed_dim": 8}
SWIN = PICTURES | {"depths": [1], "num_heads": [2], "window_size": 2}


@dataclass(frozen=True)
class Case:
    """A model; which of its parameters are kernels, embeddings and neither, as globs of names.

    `wrong` says of how many parameters each common rule misjudges whether they decay: by the names
    of BERT's recipe, by "bias" or "norm" in the name, as the Trainer of transformers, by shape.
    """

    build: Callable[[], nn.Module]
    kernels: str
    embeddings: str
    neither: str
    wrong: tuple[int, int, int, int]

    def judged(self, name: str) -> str:
        """Return the one of the three that the name was put in by hand."""
        fits = [
            kind
            for kind in KINDS
            if any(fnmatchcase(name, glob) for glob in getattr(self, kind).split())
        ]
        assert len(fits) == 1, f"{name} was judged {fits}"
        return fits[0]


MODELS = {
    "gpt2": Case(
        lambda: hf.GPT2LMHeadModel(
            hf.GPT2Config(
                vocab_size=13,
                n_positions=6,
                n_embd=8,
                n_layer=1,
                n_head=2,
                bos_token_id=0,
                eos_token_id=0,
            )
        ),
        "*.c_attn.weight *.c_proj.weight *.c_fc.weight",
        "*.wte.weight *.wpe.weight",
        "*.bias *.ln_1.weight *.ln_2.weight *.ln_f.weight",
        (3, 3, 0, 0),
    ),
    "bert": Case(
        lambda: hf.BertForMaskedLM(hf.BertConfig(**SIZES, **TEXT)),
        "*.query.weight *.key.weight *.value.weight *.dense.weight",
        "*_embeddings.weight",
        "*.bias *.LayerNorm.weight",
        (0, 0, 0, 0),
    ),
    "deberta": Case(
        lambda: hf.DebertaForMaskedLM(
            hf.DebertaConfig(
                **SIZES,
                **TEXT,
                relative_attention=True,
                pos_att_type=["c2p", "p2c"],
                max_relative_positions=6,
            )
        ),
        "*.in_proj.weight *.pos_proj.weight *.pos_q_proj.weight *.dense.weight",
        "*_embeddings.weight",
        "*.bias *.q_bias *.v_bias *.LayerNorm.weight",
        (0, 0, 0, 0),
    ),
    "t5": Case(
        lambda: hf.T5ForConditionalGeneration(
            hf.T5Config(
                vocab_size=13,
                d_model=8,
                d_kv=4,
                d_ff=16,
                num_layers=1,
                num_heads=2,
                relative_attention_num_buckets=4,
            )
        ),
        "*Attention.[qkvo].weight *.wi.weight *.wo.weight",
        "shared.weight *.relative_attention_bias.weight",
        "*layer_norm.weight",
        (9, 2, 2, 0),
    ),
    "llama": Case(
        lambda: hf.LlamaForCausalLM(hf.LlamaConfig(**SIZES, **TEXT, num_key_value_heads=1)),
        "*_proj.weight lm_head.weight",
        "*.embed_tokens.weight",
        "*layernorm.weight model.norm.weight",
        (3, 0, 0, 0),
    ),
    "mixtral": Case(
        lambda: hf.MixtralForCausalLM(
            hf.MixtralConfig(**SIZES, **TEXT, num_key_value_heads=1, num_local_experts=3)
        ),
        "*_proj.weight lm_head.weight *.gate.weight *.gate_up_proj *.down_proj",
        "*.embed_tokens.weight",
        "*layernorm.weight model.norm.weight",
        (3, 0, 0, 0),
    ),
    "gpt-oss": Case(
        lambda: hf.GptOssForCausalLM(
            hf.GptOssConfig(
                **SIZES,
                **TEXT,
                head_dim=4,
                num_key_value_heads=1,
                num_local_experts=3,
                num_experts_per_tok=1,
            )
        ),
        "*_proj.weight lm_head.weight *.router.weight *.gate_up_proj *.down_proj",
        "*.embed_tokens.weight",
        "*layernorm.weight model.norm.weight *.bias *_proj_bias *.sinks",
        (4, 1, 1, 2),
    ),
    "mamba": Case(
        lambda: hf.MambaForCausalLM(
            hf.MambaConfig(**TEXT, hidden_size=8, num_hidden_layers=1, state_size=4)
        ),
        "*.conv1d.weight *_proj.weight",
        "*.embeddings.weight",
        "*.norm.weight *.norm_f.weight *.bias *.A_log *.D",
        (4, 2, 3, 1),
    ),
    "rwkv": Case(
        lambda: hf.RwkvModel(
            hf.RwkvConfig(
                vocab_size=13,
                hidden_size=8,
                num_hidden_layers=2,
                attention_hidden_size=8,
                intermediate_size=16,
            )
        ),
        "*.key.weight *.value.weight *.receptance.weight *.output.weight",
        "embeddings.weight",
        "*.time_* *.bias *.ln?.weight *.pre_ln.weight ln_out.weight",
        (20, 20, 14, 10),
    ),
    "xlnet": Case(
        lambda: hf.XLNetModel(
            hf.XLNetConfig(vocab_size=13, d_model=8, n_layer=1, n_head=2, d_inner=16)
        ),
        "*.rel_attn.[qkvor] *.layer_1.weight *.layer_2.weight",
        "word_embedding.weight *.seg_embed mask_emb",
        "*.bias *_bias *.layer_norm.weight",
        (2, 0, 0, 3),
    ),
    "reformer": Case(
        lambda: hf.ReformerModel(
            hf.ReformerConfig(
                vocab_size=13,
                hidden_size=8,
                axial_pos_embds_dim=(4, 4),
                axial_pos_shape=(2, 3),
                attention_head_size=4,
                num_attention_heads=2,
                feed_forward_size=16,
                attn_layers=["local"],
                is_decoder=True,
            )
        ),
        "*.query.weight *.key.weight *.value.weight *.dense.weight",
        "*.word_embeddings.weight *.position_embeddings.weights.?",
        "*.bias *layer_norm.weight",
        (3, 0, 0, 0),
    ),
    "whisper": Case(
        lambda: hf.WhisperForConditionalGeneration(
            hf.WhisperConfig(
                **TEXT,
                decoder_start_token_id=1,
                d_model=8,
                encoder_layers=1,
                decoder_layers=1,
                encoder_attention_heads=2,
                decoder_attention_heads=2,
                encoder_ffn_dim=16,
                decoder_ffn_dim=16,
                num_mel_bins=4,
                max_source_positions=6,
                max_target_positions=6,
            )
        ),
        "*.conv?.weight *_proj.weight *.fc?.weight",
        "*.embed_positions.weight *.embed_tokens.weight",
        "*.bias *layer_norm.weight",
        (7, 0, 0, 0),
    ),
    "wav2vec2": Case(
        lambda: hf.Wav2Vec2Model(
            hf.Wav2Vec2Config(
                **SIZES,
                conv_dim=(8,),
                conv_stride=(2,),
                conv_kernel=(3,),
                num_feat_extract_layers=1,
                num_conv_pos_embeddings=4,
                num_conv_pos_embedding_groups=2,
            )
        ),
        # of the normed weight the magnitude decays, and its direction does not
        "*.conv.weight *_proj.weight *.projection.weight *_dense.weight *.weight.original0",
        "masked_spec_embed",
        "*.bias *layer_norm.weight *.weight.original1",
        (6, 1, 1, 2),
    ),
    "vit": Case(
        lambda: hf.ViTForImageClassification(
            hf.ViTConfig(**SIZES, image_size=8, patch_size=4, num_labels=3)
        ),
        "*.projection.weight *_proj.weight *.fc?.weight classifier.weight",
        "*.cls_token *.position_embeddings",
        "*.bias *layernorm*.weight",
        (3, 0, 0, 0),
    ),
    "swin": Case(
        lambda: hf.SwinModel(hf.SwinConfig(**SWIN)),
        "*.projection.weight *_proj.weight *.fc?.weight",
        "",
        "*.bias *norm*.weight *.relative_position_bias_table",
        (4, 0, 0, 1),
    ),
    "swin-v2": Case(
        lambda: hf.Swinv2Model(hf.Swinv2Config(**SWIN)),
        "*.projection.weight *.query.weight *.key.weight *.value.weight *.dense.weight "
        "*.continuous_position_bias_mlp.?.weight",
        "",
        "*.bias *norm*.weight *.logit_scale",
        (7, 3, 3, 1),
    ),
    "convnext-v2": Case(
        lambda: hf.ConvNextV2Model(
            hf.ConvNextV2Config(hidden_sizes=[8, 8], depths=[1, 1], num_stages=2)
        ),
        "*.patch_embeddings.weight *conv?.weight *.dwconv.weight *.downsampling_layer.1.weight",
        "",
        "*.bias *layernorm.weight *.downsampling_layer.0.weight *.grn.weight",
        (7, 3, 2, 4),
    ),
}
