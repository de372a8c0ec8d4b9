"""Makes a GGUF of a few megabytes that acts like an agent on a real llama.cpp server. Nothing is downloaded or trained.

Its weights are set by hand. Where the prompt lists tools and holds fewer tool calls than user's turns, the reply starts
with <tool_call>, and the server's grammar makes that a call which fits the schema; otherwise it answers `ANSWER`.
How: embeddings are one-hot, the output matrix holds log P(next token | current token) counted on `_lines`, and two
attention heads each raise a flag that decides whether <tool_call> is likelier than the text after "assistant\\n".
"""

import json
import math
import os
from pathlib import Path
from pydoc_data.topics import topics

import gguf
import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

ANSWER = "Done: I looked, and that was all!"
CONTEXT = 8192

_VOCABULARY = 640
_CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
_MARKS = ["<tool_call>", "</tool_call>", "<tools>", "</tools>", "<tool_response>", "</tool_response>", "<user_turn>"]
_HEAD = 16  # dimensions of an attention head
_SIZE = 8.0  # of the one-hot, beside flags of size 1

_TEMPLATE = """\
{%- if tools %}{{ '<|im_start|>system\n' }}
{%- if messages[0].role == 'system' %}{{ messages[0].content + '\n\n' }}{% endif %}
{{- '# Tools\n\nYou may call these functions:\n<tools>' }}
{%- for tool in tools %}{{ '\n' }}{{ tool | tojson }}{% endfor %}
{{- '\n</tools>\n\nAnswer with JSON of name and arguments inside tool_call tags.<|im_end|>\n' }}
{%- elif messages[0].role == 'system' %}{{ '<|im_start|>system\n' + messages[0].content + '<|im_end|>\n' }}{% endif %}
{%- for message in messages %}
{%- if message.role == 'user' %}{{ '<|im_start|>user\n<user_turn>' + message.content + '<|im_end|>\n' }}
{%- elif message.role == 'assistant' %}{{ '<|im_start|>assistant' }}
{%- if message.content %}{{ '\n' + message.content }}{% endif %}
{%- for call in message.tool_calls or [] %}{% if call.function %}{% set call = call.function %}{% endif %}
{{- '\n<tool_call>\n{"name": "' }}{{ call.name }}{{ '", "arguments": ' }}{{ call.arguments | tojson }}
{{- '}\n</tool_call>' }}{% endfor %}{{ '<|im_end|>\n' }}
{%- elif message.role == 'tool' %}{{ '<|im_start|>user\n<tool_response>\n' + message.content }}
{{- '\n</tool_response><|im_end|>\n' }}{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}
"""


def cached(folder: Path) -> Path:
    """The model in `folder`, made when it is not there; several processes may ask at once."""
    path = folder / f"tiny-{Path(__file__).stat().st_mtime_ns}.gguf"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}")
        make(unfinished)
        unfinished.replace(path)
    return path


def make(path: Path) -> None:
    tokenizer = _tokenizer()
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    width = 64 * math.ceil((len(vocabulary) + 3) / 64)
    tensors = _tensors(tokenizer, vocabulary, width)
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_name("tiny-agent")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(64)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_key_length(_HEAD)
    writer.add_value_length(_HEAD)
    writer.add_rope_dimension_count(_HEAD)
    writer.add_rope_freq_base(1e12)  # the last pair of a head, the only one in use, hardly turns: position is nothing
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_vocab_size(len(vocabulary))
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    _add_tokenizer(writer, tokenizer, vocabulary)
    for name, values in tensors.items():
        writer.add_tensor(f"{name}.weight", values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    english = [topics[name] for name in sorted(topics)][:40]
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY - len(_MARKS),
        special_tokens=_CONTROL,
        show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    tokenizer.train_from_iterator([*english, *_lines(), *[ANSWER] * 500], trainer)
    tokenizer.add_tokens(_MARKS)
    return tokenizer


def _add_tokenizer(writer: gguf.GGUFWriter, tokenizer: Tokenizer, vocabulary: dict[str, int]) -> None:
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    kinds = {name: gguf.TokenType.CONTROL for name in _CONTROL} | {name: gguf.TokenType.USER_DEFINED for name in _MARKS}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    writer.add_token_types([kinds.get(token, gguf.TokenType.NORMAL) for token in tokens])
    writer.add_bos_token_id(vocabulary["<|endoftext|>"])
    writer.add_eos_token_id(vocabulary["<|im_end|>"])
    writer.add_pad_token_id(vocabulary["<|endoftext|>"])
    writer.add_add_bos_token(False)
    writer.add_chat_template(_TEMPLATE)


def _lines() -> list[str]:
    """Calls as a model writes them: what fills the strings that the server's grammar leaves open, and closes them."""
    names = ["README.md", "src/main.py", ".", "docs", "notes.txt"]
    commands = ["ls -la", "git status", "pwd", "echo hello"]
    return [
        json.dumps({"name": "list_files", "arguments": {"path": names[i % 5], "file_path": names[(i + 1) % 5]}})
        if i % 2
        else json.dumps({"name": "run", "arguments": {"command": commands[i // 2 % 4], "timeout": i % 90 + 1}})
        for i in range(400)
    ]


def _likelihoods(tokenizer: Tokenizer, vocabulary: dict[str, int]) -> np.ndarray:
    """log P(next | current) as [current, next]."""
    size, end, newline = len(vocabulary), vocabulary["<|im_end|>"], vocabulary["Ċ"]
    counts = np.full((size, size), 1e-6)
    answer = [newline, *tokenizer.encode(ANSWER).ids, end]  # the prompt ends in "assistant\n"
    assert len(set(answer)) == len(answer), "a token that comes twice would make a loop"
    for ids in (tokenizer.encode(line).ids for line in _lines()):
        np.add.at(counts, (ids[:-1], ids[1:]), 1.0)
    counts[answer[:-1]] = 1e-6  # what the answer is made of leads nowhere else
    counts[answer[:-1], answer[1:]] = 1e3
    counts[vocabulary["<tool_call>"], newline] = 1e6
    counts[vocabulary["</tool_call>"], end] = 1e6
    for current, following in (('Ġ"', "."), (".", '"'), ('"', "}")):  # every string is ".", and what may end does
        counts[vocabulary[current], vocabulary[following]] = 1e5
    for token, at in vocabulary.items():  # a call is closed by the one token, or the grammar would spell it and go on
        if token.endswith("}"):
            counts[at, [vocabulary["</tool_call>"], vocabulary["}"]]] = 1e5, 1e4
    return np.log(counts / counts.sum(1, keepdims=True))


def _tensors(tokenizer: Tokenizer, vocabulary: dict[str, int], width: int) -> dict[str, np.ndarray]:
    size = len(vocabulary)
    one, turns, tools = width - 1, width - 2, width - 3  # a constant, and the two flags
    embedding = _zeros(size, width)
    embedding[np.arange(size), np.arange(size)] = _SIZE
    embedding[:, one] = _SIZE
    norm_in, norm_out = math.sqrt(width / 2), math.sqrt(width / (2 * _SIZE**2))  # what the norms multiply by, about
    output = _zeros(size, width)
    output[:, :size] = _likelihoods(tokenizer, vocabulary).T / (_SIZE * norm_out)
    call = vocabulary["<tool_call>"]
    output[call, :size] = -2000 / (_SIZE * norm_out)  # never, but …
    output[call, vocabulary["Ċ"]] = -512 / (_SIZE * norm_out)  # … at the start of a reply, if both flags say so
    output[call, turns], output[call, tools] = -200 / norm_out, 500 / norm_out
    query, key, value = (_zeros(2 * _HEAD, width) for _ in range(3))
    mixed = _zeros(width, 2 * _HEAD)
    hot, still = math.sqrt(30 * math.sqrt(_HEAD)), _HEAD - 2
    heads = ((turns, {"<user_turn>": -1.0, "<tool_call>": 1.0}), (tools, {"<tools>": 1.0}))
    for head, (flag, marks) in enumerate(
        heads
    ):  # a flag is the mean of the marks' values, over the marks that are there
        query[head * _HEAD + still, one] = hot / norm_in
        for mark, worth in marks.items():
            key[head * _HEAD + still, vocabulary[mark]] = hot / norm_in
            value[head * _HEAD, vocabulary[mark]] = worth / norm_in
        mixed[flag, head * _HEAD] = 1.0
    ones = np.ones(width, np.float32)
    block = {
        "attn_norm": ones,
        "attn_q": query,
        "attn_k": key,
        "attn_v": value,
        "attn_output": mixed,
        "ffn_norm": ones,
        "ffn_gate": _zeros(64, width),
        "ffn_up": _zeros(64, width),
        "ffn_down": _zeros(width, 64),
    }
    outer = {"token_embd": embedding, "output_norm": ones, "output": output}
    return outer | {f"blk.0.{name}": values for name, values in block.items()}


def _zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)
