"""An encoder of text with random weights, small enough for tests."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import pytest

WORDS = ("a", "good", "bad", "fine", "poor", "book", "film", "very", "not", "slow", "red")


@cache
def tiny_encoder() -> str:
    """The folder of one with two blocks and eleven words; skips without transformers."""
    pytest.importorskip("torch", reason="networks need the extra: acclimate[deep]")
    pytest.importorskip(
        "transformers", reason="encoders of text need the extra: acclimate[transformers]"
    )
    return str(write_encoder(Path(tempfile.mkdtemp(prefix="encoder"))))


def write_encoder(folder: Path, seed: int = 0) -> Path:
    """Write such an encoder, its weights drawn from a seed."""
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    vocabulary = {word: at for at, word in enumerate(("[PAD]", "[UNK]", *WORDS))}
    plain = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    plain.pre_tokenizer = Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=plain, unk_token="[UNK]", pad_token="[PAD]"
    )
    tokenizer.save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = BertModel(
            BertConfig(
                vocab_size=len(vocabulary),
                hidden_size=16,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=32,
                max_position_embeddings=32,
                initializer_range=0.5,
            )
        )
    module.save_pretrained(folder)
    return folder
