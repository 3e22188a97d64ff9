//! Hugging Face tensor names and llama.cpp's (`gguf-py/gguf/tensor_mapping.py`).

/// Module below `model.layers.N.` and below `blk.N.`.
const LAYER: [(&str, &str); 11] = [
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.o_proj", "attn_output"),
    ("self_attn.q_norm", "attn_q_norm"),
    ("self_attn.k_norm", "attn_k_norm"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.down_proj", "ffn_down"),
    ("input_layernorm", "attn_norm"),
    ("post_attention_layernorm", "ffn_norm"),
];

/// The GGUF name of a Hugging Face tensor, or `None` if llama.cpp has no place for it.
pub(super) fn gguf(name: &str) -> Option<String> {
    let (module, kind) = name.rsplit_once('.')?;
    let module = match module {
        "model.embed_tokens" => "token_embd".to_owned(),
        "model.norm" => "output_norm".to_owned(),
        "lm_head" => "output".to_owned(),
        _ => {
            let (layer, module) = module.strip_prefix("model.layers.")?.split_once('.')?;
            let (_, module) = LAYER.iter().find(|(hf, _)| *hf == module)?;
            format!("blk.{layer}.{module}")
        }
    };
    Some(format!("{module}.{kind}"))
}

/// The name in a safetensors file saved from the model without its head: without `model.` in front.
pub(super) fn without_head(name: &str) -> Option<&str> {
    name.strip_prefix("model.")
}

#[cfg(test)]
mod tests {
    use super::gguf;

    #[test]
    fn names_of_every_kind() {
        for (hf, expected) in [
            ("model.embed_tokens.weight", Some("token_embd.weight")),
            ("model.norm.weight", Some("output_norm.weight")),
            ("lm_head.weight", Some("output.weight")),
            (
                "model.layers.12.self_attn.k_proj.bias",
                Some("blk.12.attn_k.bias"),
            ),
            (
                "model.layers.0.post_attention_layernorm.weight",
                Some("blk.0.ffn_norm.weight"),
            ),
            ("model.layers.0.self_attn.rotary_emb.inv_freq", None),
            ("transformer.h.0.attn", None),
        ] {
            assert_eq!(gguf(hf).as_deref(), expected, "{hf}");
        }
    }
}
