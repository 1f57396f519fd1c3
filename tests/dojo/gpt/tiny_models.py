"""Small models with random weights, in the files that published ones come in."""

from pathlib import Path

import torch

from dojo.gpt.gguf_file import BYTES
from dojo.spec.byte_pairs import small_ranks

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TEMPLATE = (
    "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}<|im_start|>system\nBe brief."
    "<|im_end|>\n{% endif %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SIZES = {"context_length": 256, "embedding_length": 64, "block_count": 2, "feed_forward_length": 64}
SIZES |= {"attention.head_count": 4, "attention.head_count_kv": 2}


def gpt2_tensors(words=300, context=32, width=128, layers=2):
    """Random tensors under GPT-2's published names, with the masks that its file holds."""
    torch.manual_seed(0)
    shapes = {"wte.weight": (words, width), "wpe.weight": (context, width)}
    shapes |= {"ln_f.weight": (width,), "ln_f.bias": (width,)}
    for layer in range(layers):
        for name, (rows, columns) in {
            "attn.c_attn": (width, 3 * width),
            "attn.c_proj": (width, width),
            "mlp.c_fc": (width, 4 * width),
            "mlp.c_proj": (4 * width, width),
        }.items():
            shapes |= {f"h.{layer}.{name}.weight": (rows, columns), f"h.{layer}.{name}.bias": (columns,)}
        for name in ("ln_1", "ln_2"):
            shapes |= {f"h.{layer}.{name}.weight": (width,), f"h.{layer}.{name}.bias": (width,)}
    tensors = {name: torch.randn(shape) * 0.2 for name, shape in shapes.items()}
    masks = {f"h.{layer}.attn.bias": torch.ones(1, 1, context, context).tril() for layer in range(layers)}
    return tensors | masks


def write_llama(path: Path, arch: str = "llama", cut: str = "smollm", template: str = TEMPLATE, extra: str = ""):
    """A Llama in a GGUF file, in 4 bits and 8 and whole as SmolLM2 is, with the byte pairs of the embedded corpus."""
    import gguf

    torch.manual_seed(0)
    spelt = {byte: character for character, byte in BYTES.items()}
    ordinary = ["".join(spelt[byte] for byte in token) for token in small_ranks()]
    writer = gguf.GGUFWriter(path, arch)
    for name, value in SIZES.items():
        writer.add_uint32(f"{arch}.{name}", value)
    writer.add_float32(f"{arch}.rope.freq_base", 10000.0)
    writer.add_float32(f"{arch}.attention.layer_norm_rms_epsilon", 1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(cut)
    writer.add_token_list([*SPECIAL, *ordinary])
    writer.add_token_types([3] * len(SPECIAL) + [1] * len(ordinary))
    writer.add_eos_token_id(SPECIAL.index("<|im_end|>"))
    if template:
        writer.add_chat_template(template)
    kinds = {"blk.0.ffn_up": gguf.GGMLQuantizationType.Q4_1, "token_embd": gguf.GGMLQuantizationType.Q8_0}
    for name, shape in _shapes(len(SPECIAL) + len(ordinary), extra).items():
        values = (torch.ones(shape) if "norm" in name else torch.randn(shape) * 0.2).numpy()
        kind = kinds.get(name, gguf.GGMLQuantizationType.F32)
        writer.add_tensor(f"{name}.weight", gguf.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _shapes(words: int, extra: str) -> dict[str, tuple[int, ...]]:
    width, hidden = SIZES["embedding_length"], SIZES["feed_forward_length"]
    shared = width // SIZES["attention.head_count"] * SIZES["attention.head_count_kv"]
    shapes: dict[str, tuple[int, ...]] = {"token_embd": (words, width), "output_norm": (width,)}
    for layer in range(SIZES["block_count"]):
        shapes |= {f"blk.{layer}.{name}": (width,) for name in ("attn_norm", "ffn_norm")}
        shapes |= {f"blk.{layer}.{name}": (width, width) for name in ("attn_q", "attn_output")}
        shapes |= {f"blk.{layer}.{name}": (shared, width) for name in ("attn_k", "attn_v")}
        shapes |= {f"blk.{layer}.{name}": (hidden, width) for name in ("ffn_gate", "ffn_up")}
        shapes[f"blk.{layer}.ffn_down"] = (width, hidden)
    return shapes | ({extra: (3,)} if extra else {})


def read_by_transformers(path: Path):
    """transformers' Llama of a GGUF file, which it reads, dequantises and brings into its own order by itself."""
    import transformers
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

    config = transformers.LlamaConfig(**load_gguf_checkpoint(path)["config"])
    model = transformers.LlamaForCausalLM(config)
    tensors = load_gguf_checkpoint(path, return_tensors=True, model_to_load=model)["tensors"]
    left = model.load_state_dict(tensors, strict=False)
    assert not left.unexpected_keys and set(left.missing_keys) <= {"lm_head.weight"}
    return model.float().eval()
