"""k18: what people get wrong about the KV cache."""

from dojo.spec import mistake, swap

SHAPE = "shape = (batch_size, num_heads, capacity, head_dim)"
MAKE_KEYS = "self.keys = torch.zeros(shape, dtype=dtype, device=device)"
MAKE_VALUES = "self.values = torch.zeros(shape, dtype=dtype, device=device)"
END = "end, capacity = self.length + key.shape[2], self.keys.shape[2]"
FULL = "if end > capacity:"
WRITE_KEYS = "self.keys[:, :, self.length : end] = key"
WRITE_VALUES = "self.values[:, :, self.length : end] = value"
ADVANCE = "self.length = end"
HELD = "return self.keys[:, :, :end], self.values[:, :, :end]  # (B, h, T, d) each"
NUMBERS = "numbers = 2 * num_layers * batch_size * num_heads * capacity * head_dim  # a key and a value"
BYTES = "return numbers * dtype.itemsize"
HEADS = "num_heads = cache.keys.shape[1]"
APPEND = "keys, values = cache.append(key, value)  # (B, h, T, d) each"
ROWS = "rows = columns[cache.length - x.shape[1] :, None]  # (t, 1): where the new tokens stand"
HIDDEN = "hidden = columns > rows  # (t, T)"
PADDING = "padding = columns < pads[:, None, None, None]  # (B, 1, 1, T)"
BOTH = "hidden = hidden | padding & (columns != rows)  # (B, 1, t, T); even padding sees itself, or its row is NaN"
SCORES = "scores = query @ keys.transpose(2, 3) / keys.shape[-1] ** 0.5  # (B, h, t, T)"
WEIGHTS = "weights = softmax(scores.masked_fill(hidden, -torch.inf))"
MIX = "return attention.out_proj(merge_heads(weights @ values))  # (B, t, D)"
WEIGHTS_OF = "weights = [block.attention.W_key.weight for block in model.blocks]  # (h·d, D) each"
ONE_CACHE = (
    "KVCache(batch_size, num_heads, capacity, weight.shape[0] // num_heads, weight.dtype, weight.device)\n"
    "        for weight in weights"
)
WITHOUT = "@torch.no_grad()\ndef next_logits"
WHERE = "positions = torch.arange(held, held + t, device=ids.device)  # (t,)"
SHIFTED = "positions = (positions - pads[:, None]).clamp(min=0)  # (B, t)"
EMBEDDED = (
    "x = embedding.tok_emb(ids.clamp(min=0)) + embedding.pos_emb(positions)  # (B, t, D); padding: any token will do"
)
ATTEND = "x = x + cached_attention(block.attention, block.norm1(x), cache, pads)"
THINK = "x = x + block.feed_forward(block.norm2(x))"
LOGITS = "return model.lm_head(model.final_norm(x[:, -1]))  # (B, V): nobody asks about the other positions"
FILLED = "ids = torch.full((len(prompts), longest), PAD)  # (B, T)"
PLACED = "row[longest - len(prompt) :] = prompt"
MODE = "self.training = model.training"
SEEN = "self.seen = torch.empty(0, 0, dtype=torch.int64)  # the ids whose keys and values are in the caches"
ANEW = "if held == 0 or held >= T or not torch.equal(ids[:, :held], self.seen):"
FRESH = "self.caches = make_caches(self.model, B, self.num_heads, self.context_length)\n            held = 0"
PADS = "pads = (ids == PAD).sum(dim=1)  # (B,)"
READ = "logits = next_logits(self.model, ids[:, held:], self.caches, pads if pads.any() else None)"
REMEMBER = "self.seen = ids.clone()"
OUT = "return logits[:, None].expand(-1, T, -1)  # (B, T, V), without taking memory for it"
READER = "reader = CachedGPT(model, num_heads, context_length)"
WRITE = "return generate(reader, ids, max_new_tokens, context_length=context_length, **options)"

MISTAKES = [
    # Step 1
    mistake(
        "the length stays 0",
        swap(ADVANCE, "self.length = 0"),
        caught_by="test_append_gives_all_tokens_so_far",
        explanation="""The cache does not note how many tokens it holds, and the next ones are written over the first.""",
    ),
    mistake(
        "the length grows by one",
        swap(ADVANCE, "self.length += 1"),
        caught_by="test_append_gives_all_tokens_so_far",
        explanation="""The length grows by 1 however many tokens came in. A prompt comes in as many at once.""",
    ),
    mistake(
        "only the new tokens are returned",
        swap(HELD, "return key, value"),
        caught_by="test_append_gives_all_tokens_so_far",
        explanation="""append gives back what it was given. What is asked for are all tokens held, the old ones and the
        new.""",
    ),
    mistake(
        "the old tokens without the new",
        swap(HELD, "return self.keys[:, :, : end - key.shape[2]], self.values[:, :, : end - key.shape[2]]"),
        caught_by="test_append_gives_all_tokens_so_far",
        explanation="""append gives back what the cache held before. A token attends to itself too, so the new ones belong
        to it.""",
    ),
    mistake(
        "the empty room is returned too",
        swap(HELD, "return self.keys, self.values"),
        caught_by="test_append_gives_all_tokens_so_far",
        explanation="""The whole memory is returned, and the part that nothing was written into as well. Zeros would be
        attended to like keys.""",
    ),
    mistake(
        "keys for values",
        swap(WRITE_VALUES, "self.values[:, :, self.length : end] = key"),
        caught_by="test_append_gives_all_tokens_so_far",
        explanation="""The keys are written into both. Keys are for comparing, and values are what is handed on.""",
    ),
    mistake(
        "values are not kept",
        swap(WRITE_VALUES, "self.values[:, :, : end - self.length] = value"),
        caught_by="test_append_gives_all_tokens_so_far",
        explanation="""New values are written over the first ones, while the keys are kept. Every token's value is needed
        for as long as its key is.""",
    ),
    mistake(
        "new tokens in front",
        swap(WRITE_KEYS, "self.keys[:, :, :end] = torch.cat([key, self.keys[:, :, : self.length]], dim=2)"),
        swap(WRITE_VALUES, "self.values[:, :, :end] = torch.cat([value, self.values[:, :, : self.length]], dim=2)"),
        caught_by="test_append_gives_all_tokens_so_far",
        explanation="""New tokens are put before the old ones. A text goes on at its end.""",
    ),
    mistake(
        "one place too far",
        swap(END, "end, capacity = self.length + key.shape[2] + 1, self.keys.shape[2]"),
        swap(WRITE_KEYS, "self.keys[:, :, end - key.shape[2] : end] = key"),
        swap(WRITE_VALUES, "self.values[:, :, end - key.shape[2] : end] = value"),
        caught_by="test_append_gives_all_tokens_so_far",
        explanation="""A place is left free before the new tokens. The length is where the next token belongs, since places
        are counted from 0.""",
    ),
    mistake(
        "heads and tokens change places",
        swap(SHAPE, "shape = (batch_size, capacity, num_heads, head_dim)"),
        swap(END, "end, capacity = self.length + key.shape[2], self.keys.shape[1]"),
        swap(WRITE_KEYS, "self.keys[:, self.length : end] = key.transpose(1, 2)"),
        swap(WRITE_VALUES, "self.values[:, self.length : end] = value.transpose(1, 2)"),
        swap(HELD, "return self.keys[:, :end].transpose(1, 2), self.values[:, :end].transpose(1, 2)"),
        swap(HEADS, "num_heads = cache.keys.shape[2]"),
        caught_by="test_memory_is_reserved_at_once",
        explanation="""The memory has tokens before heads. It works, but the order that was asked for is batch, heads,
        tokens, width, in which a head's tokens lie side by side.""",
    ),
    mistake(
        "the cache grows by joining",
        swap(WRITE_KEYS, "self.keys = torch.cat([self.keys[:, :, : self.length], key.to(self.keys)], dim=2)"),
        swap(WRITE_VALUES, "self.values = torch.cat([self.values[:, :, : self.length], value.to(self.values)], dim=2)"),
        swap(
            END,
            "self.capacity = getattr(self, 'capacity', self.keys.shape[2])\n        end, capacity = self.length + key.shape[2], self.capacity",
        ),
        caught_by="test_memory_is_reserved_at_once",
        explanation="""Each token makes new memory and copies all that was held into it. Reserved at once, the memory stays
        where it is and one token is written.""",
    ),
    mistake(
        "a full cache forgets the oldest",
        swap(
            FULL,
            "if end > capacity:\n            self.length, end = capacity - key.shape[2], capacity\n        if False:",
        ),
        caught_by="test_a_full_cache_refuses_more",
        explanation="""When there is no room, tokens are written over others. Positions would no longer be right; it is for
        the caller to decide what to do then.""",
    ),
    mistake(
        "full one token early",
        swap(FULL, "if end >= capacity:"),
        caught_by="test_a_full_cache_refuses_more",
        explanation="""The last place is never used. A cache of a capacity takes that many tokens.""",
    ),
    mistake(
        "the refusal comes late",
        swap(FULL, "self.length = min(end, capacity)\n        if end > capacity:"),
        swap(WRITE_KEYS, "self.keys[:, :, end - key.shape[2] : end] = key"),
        swap(WRITE_VALUES, "self.values[:, :, end - key.shape[2] : end] = value"),
        caught_by="test_a_full_cache_refuses_more",
        explanation="""The message gives the room that is left, or the length has changed already. Both numbers are asked
        for, the tokens there would be and the capacity, and nothing may have changed.""",
    ),
    mistake(
        "the dtype is not used",
        swap(MAKE_KEYS, "self.keys = torch.zeros(shape, device=device)"),
        swap(MAKE_VALUES, "self.values = torch.zeros(shape, device=device)"),
        caught_by="test_a_cache_has_its_dtype",
        explanation="""The memory has torch's default dtype whatever was asked for. A model in double loses digits in it,
        and one in half takes twice the memory.""",
    ),
    mistake(
        "always float32",
        swap("dtype: torch.dtype | None = None", "dtype: torch.dtype | None = torch.float32"),
        swap(MAKE_VALUES, "self.values = torch.zeros(shape, dtype=torch.float32, device=device)"),
        caught_by="test_a_cache_has_its_dtype",
        explanation="""The values are kept in float32, whatever dtype was asked for. Keys and values have the same.""",
    ),
    mistake(
        "the device is not used",
        swap(MAKE_KEYS, "self.keys = torch.zeros(shape, dtype=dtype)"),
        swap(MAKE_VALUES, "self.values = torch.zeros(shape, dtype=dtype)"),
        caught_by="test_a_cache_lives_on_its_device",
        explanation="""The memory is always made on the CPU. With a model on a GPU the first token would fail.""",
    ),
    mistake(
        "one memory for all caches",
        swap(
            MAKE_KEYS,
            "self.keys = MEMORY.setdefault((shape, dtype, device), torch.zeros(shape, dtype=dtype, device=device))",
        ),
        swap("class KVCache:", "MEMORY = {}\n\n\nclass KVCache:"),
        caught_by="test_every_cache_keeps_its_own",
        explanation="""All caches of one shape write into the same memory. Each layer needs its own.""",
    ),
    mistake(
        "keys and values share memory",
        swap(MAKE_VALUES, "self.values = self.keys"),
        caught_by="test_append_gives_all_tokens_so_far",
        explanation="""Keys and values are the same tensor, so that the one overwrites the other.""",
    ),
    mistake(
        "the bytes of the keys alone",
        swap(NUMBERS, "numbers = num_layers * batch_size * num_heads * capacity * head_dim"),
        caught_by="test_cache_bytes_is_what_is_measured",
        explanation="""Only one of keys and values is counted. There are two numbers for each.""",
    ),
    mistake(
        "the bytes of one layer",
        swap(NUMBERS, "numbers = 2 * batch_size * num_heads * capacity * head_dim"),
        caught_by="test_cache_bytes_is_what_is_measured",
        explanation="""One layer is counted. Every layer has keys and values of its own.""",
    ),
    mistake(
        "the bytes of one row",
        swap(NUMBERS, "numbers = 2 * num_layers * num_heads * capacity * head_dim"),
        caught_by="test_cache_bytes_is_what_is_measured",
        explanation="""One row of the batch is counted. Every row is a text of its own.""",
    ),
    mistake(
        "the bytes of one head",
        swap(NUMBERS, "numbers = 2 * num_layers * batch_size * capacity * head_dim"),
        caught_by="test_cache_bytes_is_what_is_measured",
        explanation="""One head is counted. Every head has keys and values of its own.""",
    ),
    mistake(
        "numbers for bytes",
        swap(BYTES, "return numbers"),
        caught_by="test_cache_bytes_is_what_is_measured",
        explanation="""Entries are counted, and not their bytes. One in float32 takes four.""",
    ),
    mistake(
        "always four bytes",
        swap(BYTES, "return numbers * 4"),
        caught_by="test_cache_bytes_is_what_is_measured",
        explanation="""Every entry is taken to have four bytes. That is so in float32 only.""",
    ),
    mistake(
        "bits for bytes",
        swap(BYTES, "return numbers * dtype.itemsize * 8"),
        caught_by="test_cache_bytes_is_what_is_measured",
        explanation="""Bits are counted. A byte has eight.""",
    ),
    # Step 2
    mistake(
        "no mask",
        swap(HIDDEN, "hidden = columns < 0  # (T,)"),
        caught_by="test_piece_by_piece_equals_all_at_once",
        explanation="""Nothing that comes later is hidden. A single new token may see everything that is there, but within several at once
        each sees the ones after it.""",
    ),
    mistake(
        "the mask starts at row 0",
        swap(ROWS, "rows = torch.arange(x.shape[1], device=x.device)[:, None]"),
        caught_by="test_piece_by_piece_equals_all_at_once",
        explanation="""The first new token is taken for the first of the text, and sees the first key alone. It stands
        behind those in the cache, and sees them all.""",
    ),
    mistake(
        "the row of the token before",
        swap(
            ROWS,
            ROWS.replace(
                "rows = columns[cache.length - x.shape[1] :, None]",
                "rows = columns[cache.length - x.shape[1] :, None] - 1",
            ),
        ),
        caught_by="test_piece_by_piece_equals_all_at_once",
        explanation="""Each new token gets the mask of the one before it, and does not see itself.""",
    ),
    mistake(
        "the cache is not looked at",
        swap(APPEND, "cache.append(key, value)\n    keys, values = key, value"),
        swap(HIDDEN, "hidden = (columns > rows)[:, cache.length - x.shape[1] :]"),
        swap(PADDING, "padding = columns[cache.length - x.shape[1] :] < pads[:, None, None, None]"),
        swap(BOTH, "hidden = hidden | padding & (columns[cache.length - x.shape[1] :] != rows)"),
        caught_by="test_piece_by_piece_equals_all_at_once",
        explanation="""The new tokens attend to each other only. What was read before is in the cache and belongs to the
        keys and values.""",
    ),
    mistake(
        "the tokens are put in twice",
        swap(APPEND, "cache.append(key, value)\n    " + APPEND),
        caught_by="test_piece_by_piece_equals_all_at_once",
        explanation="""The keys and values of the new tokens go into the cache twice. Each token counts once.""",
    ),
    mistake(
        "the tokens come in after they were asked for",
        swap(APPEND, "keys, values = cache.keys[:, :, : cache.length], cache.values[:, :, : cache.length]"),
        swap(
            WEIGHTS,
            "weights = softmax(scores.masked_fill(hidden[..., : keys.shape[2]], -torch.inf))\n    cache.append(key, value)",
        ),
        caught_by="test_piece_by_piece_equals_all_at_once",
        explanation="""The new keys and values are put in only after the scores are made, so that a token does not see
        itself, and the first sees nothing.""",
    ),
    mistake(
        "unsplit keys",
        swap(
            "key = split_heads(attention.W_key(x), num_heads)  # (B, h, t, d)",
            "key = attention.W_key(x).reshape(x.shape[0], num_heads, x.shape[1], -1)",
        ),
        caught_by="test_piece_by_piece_equals_all_at_once",
        explanation="""The keys are reshaped straight to (B, h, t, d), which mixes tokens and heads. The split of k06 goes by
        way of (B, t, h, d).""",
    ),
    mistake(
        "queries of the keys",
        swap(
            "query = split_heads(attention.W_query(x), num_heads)", "query = split_heads(attention.W_key(x), num_heads)"
        ),
        caught_by="test_piece_by_piece_equals_all_at_once",
        explanation="""The queries are made by W_key. Each of the three has a layer of its own.""",
    ),
    mistake(
        "the input for values",
        swap(
            "value = split_heads(attention.W_value(x), num_heads)", "value = split_heads(attention.W_key(x), num_heads)"
        ),
        caught_by="test_piece_by_piece_equals_all_at_once",
        explanation="""The values are made by another layer than W_value. Each of the three has a layer of its own.""",
    ),
    mistake(
        "no scale over the cache",
        swap(SCORES, "scores = query @ keys.transpose(2, 3)  # (B, h, t, T)"),
        caught_by="test_piece_by_piece_equals_all_at_once",
        explanation="""The scores are not divided by the root of the head's width, as the attention of k06 does.""",
    ),
    mistake(
        "the scale of the whole width",
        swap(SCORES, "scores = query @ keys.transpose(2, 3) / x.shape[-1] ** 0.5  # (B, h, t, T)"),
        caught_by="test_piece_by_piece_equals_all_at_once",
        explanation="""The scores are divided by the root of the model's width. What is summed are the channels of one
        head.""",
    ),
    mistake(
        "the scale of the length",
        swap(SCORES, "scores = query @ keys.transpose(2, 3) / keys.shape[2] ** 0.5  # (B, h, t, T)"),
        caught_by="test_piece_by_piece_equals_all_at_once",
        explanation="""The scores are divided by the root of the number of tokens. It is the width of a head that they grow
        with.""",
    ),
    mistake(
        "a filler that is overcome",
        swap(WEIGHTS, "weights = softmax(scores.masked_fill(hidden, -20.0))"),
        caught_by="test_piece_by_piece_equals_all_at_once",
        explanation="""Hidden scores are filled with −20, which is an ordinary score. Only −∞ leaves nothing.""",
    ),
    mistake(
        "softmax over the queries",
        swap(WEIGHTS, "weights = softmax(scores.masked_fill(hidden, -torch.inf), dim=2)"),
        caught_by="test_piece_by_piece_equals_all_at_once",
        explanation="""Each key shares itself out among the queries. Each query shares its attention among the keys.""",
    ),
    mistake(
        "out_proj is left out",
        swap(MIX, "return merge_heads(weights @ values)  # (B, t, D)"),
        caught_by="test_piece_by_piece_equals_all_at_once",
        explanation="""The heads are laid side by side and not projected. The attention of k06 ends with out_proj.""",
    ),
    mistake(
        "padding is seen",
        swap(BOTH, "hidden = hidden | padding & False"),
        caught_by="test_padding_is_not_seen",
        explanation="""`pads` is taken and hides nothing. The padding has keys like any token, and gets its share of the
        attention.""",
    ),
    mistake(
        "padding on the right",
        swap(PADDING, "padding = columns >= cache.length - pads[:, None, None, None]"),
        caught_by="test_padding_is_not_seen",
        explanation="""The last tokens of a row are taken for its padding. It stands on the left.""",
    ),
    mistake(
        "one pad too few is hidden",
        swap(PADDING, "padding = columns < pads[:, None, None, None] - 1"),
        caught_by="test_padding_is_not_seen",
        explanation="""The last pad of each row is still seen. The first pads[b] columns are padding, 0 to pads[b] − 1.""",
    ),
    mistake(
        "the first token is hidden too",
        swap(PADDING, "padding = columns <= pads[:, None, None, None]"),
        caught_by="test_padding_is_not_seen",
        explanation="""The first token behind the padding is hidden with it. The first pads[b] columns are padding, 0 to
        pads[b] − 1.""",
    ),
    mistake(
        "the padding of row 0 for all",
        swap(PADDING, "padding = columns < pads[:1, None, None, None]"),
        caught_by="test_padding_is_not_seen",
        explanation="""Every row is taken to have the padding of the first. Each has its own.""",
    ),
    mistake(
        "padding takes the place of causality",
        swap(BOTH, "hidden = padding & (columns != rows)"),
        caught_by="test_padding_is_not_seen",
        explanation="""Where there is padding, only padding is hidden. What comes later is hidden as well.""",
    ),
    mistake(
        "padding sees nothing",
        swap(BOTH, "hidden = hidden | padding"),
        caught_by="test_padding_is_not_seen",
        explanation="""A pad is hidden from itself, so its row holds nothing but −∞, and its result is NaN. The next layer
        turns that into a value, and 0 times NaN is NaN.""",
    ),
    # Step 3
    mistake(
        "one cache for all layers",
        swap("        for weight in weights\n    ]", "        for weight in weights[:1]\n    ] * len(weights)"),
        caught_by="test_every_block_has_a_cache_that_fits",
        explanation="""The same cache is listed for each block. Each layer has keys and values of its own.""",
    ),
    mistake(
        "the caches have the default dtype",
        swap(ONE_CACHE, ONE_CACHE.replace("weight.dtype, weight.device", "None, weight.device")),
        caught_by="test_every_block_has_a_cache_that_fits",
        explanation="""The caches have torch's default dtype and not the model's. A model in double loses digits in
        them.""",
    ),
    mistake(
        "the caches are on the CPU",
        swap(ONE_CACHE, ONE_CACHE.replace("weight.dtype, weight.device", "weight.dtype")),
        caught_by="test_every_block_has_a_cache_that_fits",
        explanation="""The caches are made on the CPU wherever the model is. With a model on a GPU the first token would
        fail.""",
    ),
    mistake(
        "a head as wide as the model",
        swap(ONE_CACHE, ONE_CACHE.replace("weight.shape[0] // num_heads", "weight.shape[0]")),
        caught_by="test_every_block_has_a_cache_that_fits",
        explanation="""Each head gets room for the whole width. The heads share it.""",
    ),
    mistake(
        "the new token is always at position 0",
        swap(WHERE, "positions = torch.arange(t, device=ids.device)  # (t,)"),
        caught_by="test_each_step_equals_the_full_forward_pass",
        explanation="""Positions begin at 0 with each call, so every new token is taken for the first of the text. They go on
        where the caches end.""",
    ),
    mistake(
        "positions one too far",
        swap(WHERE, "positions = torch.arange(held, held + t, device=ids.device) + (held > 0)"),
        caught_by="test_each_step_equals_the_full_forward_pass",
        explanation="""A place is left out between what was read and what is new. With n tokens held, the next has position
        n.""",
    ),
    mistake(
        "positions one too low",
        swap(WHERE, "positions = torch.arange(held, held + t, device=ids.device) - (held > 0)"),
        caught_by="test_each_step_equals_the_full_forward_pass",
        explanation="""The first new token gets the position of the last old one. With n tokens held, the next has position
        n.""",
    ),
    mistake(
        "all new tokens at one position",
        swap(WHERE, "positions = torch.full((t,), held, device=ids.device)"),
        caught_by="test_each_step_equals_the_full_forward_pass",
        explanation="""Tokens that come in together get one position. Each has its own.""",
    ),
    mistake(
        "no positions",
        swap(EMBEDDED, "x = embedding.tok_emb(ids.clamp(min=0)) + 0 * embedding.pos_emb(positions)"),
        caught_by="test_each_step_equals_the_full_forward_pass",
        explanation="""The positions' embedding is not added. The model of k10 adds it.""",
    ),
    mistake(
        "no norm before attention",
        swap(ATTEND, "x = x + cached_attention(block.attention, x, cache, pads)"),
        caught_by="test_each_step_equals_the_full_forward_pass",
        explanation="""Attention reads the stream as it is. The block of k09 reads it through norm1.""",
    ),
    mistake(
        "no norm before feed-forward",
        swap(THINK, "x = x + block.feed_forward(x)"),
        caught_by="test_each_step_equals_the_full_forward_pass",
        explanation="""Feed-forward reads the stream as it is. The block of k09 reads it through norm2.""",
    ),
    mistake(
        "no shortcut around attention",
        swap(ATTEND, "x = cached_attention(block.attention, block.norm1(x), cache, pads)"),
        caught_by="test_each_step_equals_the_full_forward_pass",
        explanation="""What attention gives takes the place of the stream. It is added to it.""",
    ),
    mistake(
        "no shortcut around feed-forward",
        swap(THINK, "x = block.feed_forward(block.norm2(x))"),
        caught_by="test_each_step_equals_the_full_forward_pass",
        explanation="""What feed-forward gives takes the place of the stream. It is added to it.""",
    ),
    mistake(
        "the final norm is left out",
        swap(LOGITS, "return model.lm_head(x[:, -1])  # (B, V)"),
        caught_by="test_each_step_equals_the_full_forward_pass",
        explanation="""The stream goes into lm_head as it is. The model of k10 has a final_norm before it.""",
    ),
    mistake(
        "the logits of the first new token",
        swap(LOGITS, "return model.lm_head(model.final_norm(x[:, 0]))  # (B, V)"),
        caught_by="test_each_step_equals_the_full_forward_pass",
        explanation="""The logits say what follows the first of the new tokens. What follows the last is asked for.""",
    ),
    mistake(
        "the logits of every position",
        swap(LOGITS, "return model.lm_head(model.final_norm(x))"),
        caught_by="test_each_step_equals_the_full_forward_pass",
        explanation="""All positions are scored. Only the last is asked for, and for a long prompt the others cost much.""",
    ),
    mistake(
        "the first block's cache for all",
        swap(ATTEND, "x = x + cached_attention(block.attention, block.norm1(x), caches[0], pads)"),
        caught_by="test_each_step_equals_the_full_forward_pass",
        explanation="""Every block puts its keys and values into the first cache. Each block has its own.""",
    ),
    mistake(
        "the caches in reverse",
        swap(
            "for block, cache in zip(model.blocks, caches):",
            "for block, cache in zip(model.blocks, caches if t > 1 else caches[::-1]):",
        ),
        caught_by="test_each_step_equals_the_full_forward_pass",
        explanation="""A block reads what another block has put in. Block i goes with cache i, in every call.""",
    ),
    mistake(
        "pads shift no position",
        swap(SHIFTED, "positions = positions.expand(len(pads), -1)"),
        caught_by="test_each_padded_row_is_as_if_alone",
        explanation="""A padded row's first token has the position of its column. Alone it would have position 0, and
        positions count from there.""",
    ),
    mistake(
        "pads shift positions the wrong way",
        swap(SHIFTED, "positions = (positions + pads[:, None] - pads.max()).clamp(min=0)"),
        caught_by="test_each_padded_row_is_as_if_alone",
        explanation="""A row with more padding gets later positions. Its text begins later, so that its positions are
        lower.""",
    ),
    mistake(
        "padding is not handed on",
        swap(ATTEND, "x = x + cached_attention(block.attention, block.norm1(x), cache)"),
        caught_by="test_each_padded_row_is_as_if_alone",
        explanation="""The positions are shifted, but attention is not told about the padding, and attends to it.""",
    ),
    mistake(
        "positions below 0",
        swap(SHIFTED, "positions = positions - pads[:, None]"),
        caught_by="test_each_padded_row_is_as_if_alone",
        explanation="""A pad gets a position below 0, and the table has no such row.""",
    ),
    mistake(
        "padding is looked up",
        swap(EMBEDDED, EMBEDDED.replace("ids.clamp(min=0)", "ids")),
        caught_by="test_each_padded_row_is_as_if_alone",
        explanation="""The id −1 is looked up in the table, which has no such row. Since nobody sees a pad, any row will
        do.""",
    ),
    mistake(
        "gradients are recorded",
        swap(WITHOUT, "def next_logits"),
        caught_by="test_no_graph_is_kept",
        explanation="""Autograd follows every step, and the caches hold on to the graph of the whole text. Nothing is
        learned here.""",
    ),
    mistake(
        "gradients stay off",
        swap(
            "held, t = caches[0].length, ids.shape[1]",
            "torch.autograd.grad_mode.set_grad_enabled(False)\n    held, t = caches[0].length, ids.shape[1]",
        ),
        swap(WITHOUT, "def next_logits"),
        caught_by="test_no_graph_is_kept",
        explanation="""Gradients are switched off for the whole program, and nobody switches them on again.""",
    ),
    mistake(
        "dropout while reading",
        swap(THINK, "x = x + block.dropout(block.feed_forward(block.norm2(x)))"),
        caught_by="test_nothing_is_dropped",
        explanation="""The block's dropout takes part, and in train mode it drops. Reading and writing is not
        training.""",
    ),
    mistake(
        "the embedding is dropped",
        swap(EMBEDDED, EMBEDDED + "\n    x = embedding.dropout(x)"),
        caught_by="test_nothing_is_dropped",
        explanation="""The embedding's dropout takes part, and in train mode it drops. Reading and writing is not
        training.""",
    ),
    mistake(
        "eval mode for good",
        swap("held, t = caches[0].length, ids.shape[1]", "model.eval()\n    held, t = caches[0].length, ids.shape[1]"),
        caught_by="test_nothing_is_dropped",
        explanation="""The model is put into eval mode and left there. A training that goes on has no dropout any
        more.""",
    ),
    # Step 4
    mistake(
        "pads on the right",
        swap(PLACED, "row[: len(prompt)] = prompt"),
        caught_by="test_pad_left_puts_the_padding_on_the_left",
        explanation="""The prompts begin at the left edge, with the padding behind them. New tokens would then follow the
        padding.""",
    ),
    mistake(
        "padding with 0",
        swap(FILLED, "ids = torch.zeros(len(prompts), longest, dtype=torch.int64)  # (B, T)"),
        caught_by="test_pad_left_puts_the_padding_on_the_left",
        explanation="""The padding is id 0, which is a token like any other. Nobody could tell one from the other.""",
    ),
    mistake(
        "prompts are cut to the shortest",
        swap("longest = max(", "longest = min("),
        swap(PLACED, "row[:] = prompt[-longest:]"),
        caught_by="test_pad_left_puts_the_padding_on_the_left",
        explanation="""Longer prompts lose their beginning. The shorter ones are filled up instead.""",
    ),
    mistake(
        "the text is always read anew",
        swap(ANEW, "if True:"),
        caught_by="test_what_was_read_is_not_read_again",
        explanation="""The caches are thrown away with each call, and the whole text is read again. The answer is right, and
        nothing is gained.""",
    ),
    mistake(
        "a padded text is always read anew",
        swap(ANEW, ANEW.replace("if held == 0", "if bool((ids == PAD).any()) or held == 0")),
        caught_by="test_what_was_read_is_not_read_again",
        explanation="""Where there is padding the caches are thrown away with each call. The answer is right, and nothing is
        gained.""",
    ),
    mistake(
        "one set of caches for all stand-ins",
        swap(FRESH, FRESH.replace("self.caches =", "CachedGPT.caches =")),
        caught_by="test_two_readers_do_not_disturb_each_other",
        explanation="""The caches belong to the class, so that two stand-ins write into the same ones. Each reads a text of
        its own.""",
    ),
    mistake(
        "the whole text is read into the caches again",
        swap(READ, READ.replace("ids[:, held:]", "ids")),
        caught_by="test_a_growing_text_gets_the_logits_of_the_model",
        explanation="""What the caches hold already is read into them a second time, so that they hold the text twice. Only
        the new tokens are to be read.""",
    ),
    mistake(
        "only the last token is read",
        swap(READ, READ.replace("ids[:, held:]", "ids[:, -1:] if held else ids")),
        caught_by="test_a_growing_text_gets_the_logits_of_the_model",
        explanation="""With something in the caches only the last token is read. A text may have grown by more than
        one.""",
    ),
    mistake(
        "what was seen is not noted",
        swap(REMEMBER, "self.seen = ids[:, :1].clone() if held == 0 else self.seen"),
        caught_by="test_a_growing_text_gets_the_logits_of_the_model",
        explanation="""What the caches hold and what is noted as seen are no longer the same. The next call reads tokens
        again that are in the caches.""",
    ),
    mistake(
        "what was seen is the caller's",
        swap(REMEMBER, "self.seen = ids"),
        caught_by="test_ids_that_change_in_place_are_noticed",
        explanation="""The ids that were read are kept as they came, without a copy. Where the caller writes others into that
        tensor, they seem to have been read.""",
    ),
    mistake(
        "never read anew",
        swap(ANEW, "if held == 0:"),
        caught_by="test_another_text_is_read_anew",
        explanation="""Whatever text comes, it is taken for the last one with something added. What is left of the other text
        is attended to.""",
    ),
    mistake(
        "only the length is compared",
        swap(ANEW, "if held == 0 or held >= T or B != len(self.seen):"),
        caught_by="test_a_longer_text_that_began_otherwise_is_read_anew",
        explanation="""A longer text is taken for the last one with something added. It may be another text.""",
    ),
    mistake(
        "only the last token seen is compared",
        swap(
            ANEW,
            "if held == 0 or held >= T or B != len(self.seen) or not torch.equal(ids[:, held - 1], self.seen[:, -1]):",
        ),
        caught_by="test_a_longer_text_that_began_otherwise_is_read_anew",
        explanation="""Two texts are taken for one when a single token agrees. All that is in the caches has to.""",
    ),
    mistake(
        "only the first row is compared",
        swap(ANEW, "if held == 0 or held >= T or B != len(self.seen) or not torch.equal(ids[0, :held], self.seen[0]):"),
        caught_by="test_a_longer_text_that_began_otherwise_is_read_anew",
        explanation="""The first row decides for all. Another row may hold another text.""",
    ),
    mistake(
        "a new text without new caches",
        swap(
            FRESH,
            "self.caches = getattr(self, 'caches', None) or make_caches(\n                self.model, B, self.num_heads, self.context_length\n            )\n            held = 0",
        ),
        caught_by="test_another_text_is_read_anew",
        explanation="""The text is read from its beginning, into caches that still hold the other. They have to be
        emptied.""",
    ),
    mistake(
        "the pads of the new tokens",
        swap(PADS, "pads = (ids[:, held:] == PAD).sum(dim=1)  # (B,)"),
        caught_by="test_prompts_of_several_lengths_are_continued_each_by_itself",
        explanation="""Padding is looked for among the new tokens, and after the first call there is none. What stands in the
        caches is still padding.""",
    ),
    mistake(
        "padding is forgotten",
        swap(READ, "logits = next_logits(self.model, ids[:, held:], self.caches)"),
        caught_by="test_prompts_of_several_lengths_are_continued_each_by_itself",
        explanation="""The padding is not handed on. It is then read as if it were text.""",
    ),
    mistake(
        "the padding of the longest",
        swap(PADS, "pads = (ids == PAD).sum(dim=1).max().expand(B)  # (B,)"),
        caught_by="test_prompts_of_several_lengths_are_continued_each_by_itself",
        explanation="""Every row is taken to have as much padding as the shortest prompt. Each row has its own.""",
    ),
    mistake(
        "the caches do not reach to the end",
        swap(FRESH, FRESH.replace("self.context_length", "max(T, self.context_length - 1)")),
        caught_by="test_a_growing_text_gets_the_logits_of_the_model",
        explanation="""The caches have less room than the context length. A text that fills the context no longer fits.""",
    ),
    mistake(
        "no crop past the window",
        swap(WRITE, "return generate(reader, ids, max_new_tokens, context_length=10**6, **options)"),
        caught_by="test_texts_are_those_of_the_model",
        explanation="""The text is never cut to the context length. There are only so many positions.""",
    ),
    mistake(
        "the window is half a context",
        swap(
            WRITE, "return generate(reader, ids, max_new_tokens, context_length=max(1, context_length // 2), **options)"
        ),
        caught_by="test_texts_are_those_of_the_model",
        explanation="""The model sees less than it could. The window holds context_length tokens.""",
    ),
    mistake(
        "writing ends at the window",
        swap(WRITE, WRITE.replace("max_new_tokens,", "min(max_new_tokens, max(0, context_length - ids.shape[1])),")),
        caught_by="test_texts_are_those_of_the_model",
        explanation="""When the context is full, nothing more is written. The text goes on, and only the window moves.""",
    ),
    mistake(
        "the options are not handed on",
        swap(WRITE, WRITE.replace(", **options", ", temperature=0")),
        caught_by="test_sampling_takes_the_options_of_generate",
        explanation="""The options are taken and not handed to `generate`: temperature, filters, stop id, generator.""",
    ),
    mistake(
        "the mode is lost",
        swap(MODE, "pass"),
        caught_by="test_writing_leaves_the_mode_as_it_was",
        explanation="""A new module is in train mode, whatever mode the model has that it takes in. `generate` brings that
        mode back at the end, and gives it to the model.""",
    ),
    mistake(
        "the mode is always eval mode",
        swap(MODE, "self.eval()"),
        caught_by="test_writing_leaves_the_mode_as_it_was",
        explanation="""The model is put into eval mode for good. `generate` brings back the mode that it found.""",
    ),
]
