"""k18: what people get wrong about the KV cache."""

from dojo.spec import family, mistake, swap

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
GIVES_ALL = "test_append_gives_all_tokens_so_far"
REFUSES = "test_a_full_cache_refuses_more"
MEASURED = "test_cache_bytes_is_what_is_measured"
PIECES = "test_piece_by_piece_equals_all_at_once"
PADDED = "test_padding_is_not_seen"
FITS = "test_every_block_has_a_cache_that_fits"
FULL_PASS = "test_each_step_equals_the_full_forward_pass"
ALONE = "test_each_padded_row_is_as_if_alone"
PADS_LEFT = "test_pad_left_puts_the_padding_on_the_left"
GROWING = "test_a_growing_text_gets_the_logits_of_the_model"
BEGAN = "test_a_longer_text_that_began_otherwise_is_read_anew"
ANOTHER = "test_another_text_is_read_anew"
TEXTS = "test_texts_are_those_of_the_model"
SEVERAL = "test_prompts_of_several_lengths_are_continued_each_by_itself"
OPTIONS = "test_sampling_takes_the_options_of_generate"
NO_ROOM = 'raise ValueError(f"{end} tokens do not fit into a cache of {capacity}")'
SPLIT_QUERY = "query = split_heads(attention.W_query(x), num_heads)"
SPLIT_KEY = "key = split_heads(attention.W_key(x), num_heads)"
SPLIT_VALUE = "value = split_heads(attention.W_value(x), num_heads)"
HOLDS = "held, t = caches[0].length, ids.shape[1]"
WALK = "for block, cache in zip(model.blocks, caches):"

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
        "tokens are pushed in from the right",
        swap(WRITE_KEYS, "self.keys = torch.cat([self.keys[:, :, key.shape[2] :], key], dim=2)"),
        swap(WRITE_VALUES, "self.values = torch.cat([self.values[:, :, value.shape[2] :], value], dim=2)"),
        swap(HELD, "return self.keys[:, :, -end:], self.values[:, :, -end:]"),
        caught_by="test_memory_is_reserved_at_once",
        explanation="""Everything that is held moves to the left to make room at the right edge. For each new
        token the whole cache is copied, which is what reserving it was to avoid.""",
    ),
    mistake(
        "tokens are put behind what there is, in new memory",
        swap(WRITE_KEYS, "self.held_keys = torch.cat([getattr(self, 'held_keys', key[:, :, :0]), key], dim=2)"),
        swap(
            WRITE_VALUES, "self.held_values = torch.cat([getattr(self, 'held_values', value[:, :, :0]), value], dim=2)"
        ),
        swap(HELD, "return self.held_keys, self.held_values"),
        caught_by="test_memory_is_reserved_at_once",
        explanation="""`torch.cat` makes a new tensor for all that is held, each time, and the memory that was reserved stays
        empty. New tokens are written into it.""",
    ),
    mistake(
        "counted with 32 bits",
        swap(
            NUMBERS,
            "sizes = [2, num_layers, batch_size, num_heads, capacity, head_dim]\n    "
            "numbers = int(torch.tensor(sizes, dtype=torch.int32).prod(dtype=torch.int32))",
        ),
        caught_by=MEASURED,
        explanation="""The product is a tensor of 32-bit numbers, and those end at 2,147,483,647. The caches of a large model
        are more than that, and the number begins anew. Python's own ints do not end.""",
    ),
    mistake(
        "only the first row is written",
        swap(WRITE_KEYS, "self.keys[:, :, self.length : end] = key[:1]"),
        swap(WRITE_VALUES, "self.values[:, :, self.length : end] = value[:1]"),
        caught_by="test_append_gives_all_tokens_so_far",
        explanation="""The keys and values of the first text go into every row of the batch. Each row is a text
        of its own.""",
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
        "room for tokens before the heads",
        swap(SHAPE, "shape = (batch_size, capacity, num_heads, head_dim)"),
        caught_by="test_append_gives_all_tokens_so_far",
        explanation="""The memory is (B, capacity, h, d), and keys come as (B, h, t, d). The third dimension is
        the one for tokens.""",
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
        "what fits in is written before the refusal",
        swap(
            FULL,
            "room = capacity - self.length\n        self.keys[:, :, self.length :] = key[:, :, :room] if end > capacity else self.keys[:, :, self.length :]\n        if end > capacity:",
        ),
        caught_by="test_a_full_cache_refuses_more",
        explanation="""Keys go in as far as there is room, and then comes the error. Where something is refused,
        nothing may have changed.""",
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
        "the bytes of an entry of the default dtype",
        swap(BYTES, "return numbers * torch.empty(0).element_size()"),
        caught_by="test_cache_bytes_is_what_is_measured",
        explanation="""An entry has as many bytes as one of a tensor that is made without a dtype. What counts
        is the dtype that was asked for.""",
    ),
    mistake(
        "bits for bytes",
        swap(BYTES, "return numbers * dtype.itemsize * 8"),
        caught_by="test_cache_bytes_is_what_is_measured",
        explanation="""Bits are counted. A byte has eight.""",
    ),
    mistake(
        "values are not written",
        swap(WRITE_VALUES, "pass"),
        caught_by=GIVES_ALL,
        explanation="""Only the keys are written, and the values stay zeros. Every token's value is needed for as long
        as its key is.""",
    ),
    mistake(
        "keys are not written",
        swap(WRITE_KEYS, "pass"),
        caught_by=GIVES_ALL,
        explanation="""Only the values are written, and the keys stay zeros. Later queries are to be compared with
        them.""",
    ),
    mistake(
        "nothing is reserved",
        swap(
            END,
            "self.room = getattr(self, 'room', self.keys.shape[2])\n        end, capacity = self.length + key.shape[2], self.room",
        ),
        swap(WRITE_KEYS, "self.keys = key if self.length == 0 else torch.cat([self.keys, key], dim=2)"),
        swap(WRITE_VALUES, "self.values = value if self.length == 0 else torch.cat([self.values, value], dim=2)"),
        caught_by=GIVES_ALL,
        explanation="""The first keys and values are kept as they came, and later ones are joined to them. The memory
        that was reserved is thrown away, what is in the cache belongs to the caller, and each token copies all that
        was held.""",
    ),
    mistake(
        "new tokens over the last one",
        swap(
            WRITE_KEYS, "first = max(0, self.length - 1)\n        self.keys[:, :, first : first + key.shape[2]] = key"
        ),
        swap(WRITE_VALUES, "self.values[:, :, first : first + key.shape[2]] = value"),
        caught_by=GIVES_ALL,
        explanation="""New tokens are written one place too low, over the last that is held. The length is where the
        next token belongs, since places are counted from 0.""",
    ),
    mistake(
        "always the first place",
        swap(WRITE_KEYS, "self.keys[:, :, : key.shape[2]] = key"),
        swap(WRITE_VALUES, "self.values[:, :, : key.shape[2]] = value"),
        caught_by=GIVES_ALL,
        explanation="""New tokens are always written at the beginning, over the old ones, and the length grows all the
        same. They belong behind what is held.""",
    ),
    mistake(
        "several tokens are taken for the last",
        swap(WRITE_KEYS, "self.keys[:, :, self.length : end] = key[:, :, -1:]"),
        swap(WRITE_VALUES, "self.values[:, :, self.length : end] = value[:, :, -1:]"),
        caught_by=GIVES_ALL,
        explanation="""Of several tokens that come in together only the last is written, in all of their places. Each
        has a key and a value of its own.""",
    ),
    mistake(
        "several tokens are taken for the first",
        swap(WRITE_KEYS, "self.keys[:, :, self.length : end] = key[:, :, :1]"),
        swap(WRITE_VALUES, "self.values[:, :, self.length : end] = value[:, :, :1]"),
        caught_by=GIVES_ALL,
        explanation="""Of several tokens that come in together only the first is written, in all of their places. Each
        has a key and a value of its own.""",
    ),
    mistake(
        "heads are counted for tokens",
        swap(END, "end, capacity = self.length + key.shape[1], self.keys.shape[2]"),
        caught_by=GIVES_ALL,
        explanation="""The length grows by the number of heads. Tokens are the third dimension.""",
    ),
    mistake(
        "keys and values come back in the other order",
        swap(HELD, "return self.values[:, :, :end], self.keys[:, :, :end]"),
        caught_by=GIVES_ALL,
        explanation="""The values are returned first. The order is that of the arguments.""",
    ),
    mistake(
        "only the keys come back",
        swap(HELD, "return self.keys[:, :, :end]"),
        caught_by=GIVES_ALL,
        explanation="""The values are not returned. Both are asked for, keys and values.""",
    ),
    mistake(
        "the last token is left out",
        swap(HELD, "return self.keys[:, :, : end - 1], self.values[:, :, : end - 1]"),
        caught_by=GIVES_ALL,
        explanation="""What comes back ends one token early. A slice does not hold its end, so it ends at the
        length.""",
    ),
    mistake(
        "one empty place is returned too",
        swap(HELD, "return self.keys[:, :, : end + 1], self.values[:, :, : end + 1]"),
        caught_by=GIVES_ALL,
        explanation="""What comes back ends one place too late, which nothing was written into. A slice does not hold
        its end, so it ends at the length.""",
    ),
    mistake(
        "the length is a tensor",
        swap(ADVANCE, "self.length = torch.as_tensor(end)"),
        caught_by=GIVES_ALL,
        explanation="""The length becomes a tensor. It is a plain number, with which slices and messages are made.""",
    ),
    mistake(
        "the length begins at 1",
        swap("self.length = 0", "self.length = 1"),
        caught_by=GIVES_ALL,
        explanation="""A new cache says that it holds a token. It holds none yet.""",
    ),
    mistake(
        "capacity and width change places",
        swap(SHAPE, "shape = (batch_size, num_heads, head_dim, capacity)"),
        caught_by=GIVES_ALL,
        explanation="""The memory has the head's width where its tokens belong. The order is batch, heads, tokens,
        width.""",
    ),
    mistake(
        "batch and heads change places",
        swap(SHAPE, "shape = (num_heads, batch_size, capacity, head_dim)"),
        caught_by=GIVES_ALL,
        explanation="""The memory has heads before the batch. The order is batch, heads, tokens, width.""",
    ),
    mistake(
        "a place more than the capacity",
        swap(SHAPE, "shape = (batch_size, num_heads, capacity + 1, head_dim)"),
        caught_by="test_memory_is_reserved_at_once",
        explanation="""One place more is reserved than was asked for. Places are counted from 0, so a capacity of n
        has the places 0 to n − 1.""",
    ),
    mistake(
        "the heads are the capacity",
        swap(END, "end, capacity = self.length + key.shape[2], self.keys.shape[1]"),
        caught_by=GIVES_ALL,
        explanation="""The room is taken for as many tokens as there are heads. Tokens are the third dimension.""",
    ),
    mistake(
        "nothing is refused",
        swap(FULL, "if False:"),
        caught_by=REFUSES,
        explanation="""It is not looked at whether there is room, and torch complains about sizes. Whoever reads it
        should learn how many tokens there are, and how many fit.""",
    ),
    mistake(
        "a full cache is an IndexError",
        swap(NO_ROOM, NO_ROOM.replace("ValueError", "IndexError")),
        caught_by=REFUSES,
        explanation="""The error is an IndexError. What was promised is a ValueError.""",
    ),
    mistake(
        "a full cache is an assertion",
        swap(NO_ROOM, NO_ROOM.replace("ValueError", "AssertionError")),
        caught_by=REFUSES,
        explanation="""The error is an AssertionError, which Python leaves out when it optimises. What was promised is
        a ValueError.""",
    ),
    mistake(
        "the message lacks the numbers",
        swap(NO_ROOM, 'raise ValueError("the cache is full")'),
        caught_by=REFUSES,
        explanation="""The error does not say how many tokens there would be and how many fit. Whoever meets it wants
        to know that first.""",
    ),
    mistake(
        "the message counts the new tokens",
        swap(NO_ROOM, 'raise ValueError(f"{key.shape[2]} tokens more do not fit into a cache of {capacity}")'),
        caught_by=REFUSES,
        explanation="""The error shows how many tokens came in. It is to show how many there would be with those that
        are held.""",
    ),
    mistake(
        "a full cache counts what it refused",
        swap(FULL, "self.length = end\n        if end > capacity:"),
        swap(WRITE_KEYS, "self.keys[:, :, end - key.shape[2] : end] = key"),
        swap(WRITE_VALUES, "self.values[:, :, end - key.shape[2] : end] = value"),
        caught_by=REFUSES,
        explanation="""The length moves on before it is known whether there is room. Where tokens are refused, nothing
        is to have changed.""",
    ),
    mistake(
        "the keys are always float32",
        swap(MAKE_KEYS, "self.keys = torch.zeros(shape, dtype=torch.float32, device=device)"),
        caught_by="test_a_cache_has_its_dtype",
        explanation="""The keys are kept in float32, whatever dtype was asked for. Keys and values have the same.""",
    ),
    mistake(
        "float32 unless told",
        swap("dtype: torch.dtype | None = None", "dtype: torch.dtype | None = torch.float32"),
        caught_by="test_a_cache_without_a_dtype_has_the_default",
        explanation="""Where no dtype is given the cache is float32. It is torch's default dtype then, which someone
        may have set.""",
    ),
    mistake(
        "the values are on the CPU",
        swap(MAKE_VALUES, "self.values = torch.zeros(shape, dtype=dtype)"),
        caught_by="test_a_cache_lives_on_its_device",
        explanation="""The values are always made on the CPU. Keys and values are on one device, the one that was
        asked for.""",
    ),
    mistake(
        "the keys are on the CPU",
        swap(MAKE_KEYS, "self.keys = torch.zeros(shape, dtype=dtype)"),
        caught_by="test_a_cache_lives_on_its_device",
        explanation="""The keys are always made on the CPU. Keys and values are on one device, the one that was asked
        for.""",
    ),
    mistake(
        "dtype and device change places",
        swap(
            "dtype: torch.dtype | None = None,\n        device: torch.device | str | None = None,",
            "device: torch.device | str | None = None,\n        dtype: torch.dtype | None = None,",
        ),
        caught_by="test_a_cache_lives_on_its_device",
        explanation="""The last two arguments stand in the other order. Whoever gives them by their places gets
        something else.""",
    ),
    mistake(
        "the bytes of one place",
        swap(NUMBERS, "numbers = 2 * num_layers * batch_size * num_heads * head_dim"),
        caught_by=MEASURED,
        explanation="""One token is counted. Room is reserved for as many as the capacity.""",
    ),
    mistake(
        "the bytes of one channel",
        swap(NUMBERS, "numbers = 2 * num_layers * batch_size * num_heads * capacity"),
        caught_by=MEASURED,
        explanation="""One number is counted for each head. A key has as many as the head is wide.""",
    ),
    mistake(
        "keys and values are counted twice",
        swap(NUMBERS, "numbers = 4 * num_layers * batch_size * num_heads * capacity * head_dim"),
        caught_by=MEASURED,
        explanation="""There are two numbers for each channel, one of the key and one of the value. Four are
        counted.""",
    ),
    mistake(
        "queries are counted too",
        swap(NUMBERS, "numbers = 3 * num_layers * batch_size * num_heads * capacity * head_dim"),
        caught_by=MEASURED,
        explanation="""Queries are counted besides keys and values. A token asks once, so its query is not kept.""",
    ),
    mistake(
        "a square of tokens is counted",
        swap(NUMBERS, "numbers = 2 * num_layers * batch_size * num_heads * capacity**2 * head_dim"),
        caught_by=MEASURED,
        explanation="""The capacity is squared, as the scores would be. Keys and values grow with the tokens.""",
    ),
    mistake(
        "layers are added",
        swap(NUMBERS, "numbers = 2 * (num_layers + batch_size * num_heads * capacity * head_dim)"),
        caught_by=MEASURED,
        explanation="""The number of layers is added to the others. Every layer has a cache of its own, so it is a
        factor.""",
    ),
    mistake(
        "megabytes for bytes",
        swap(BYTES, "return numbers * dtype.itemsize // 2**20"),
        caught_by=MEASURED,
        explanation="""What comes back are MiB. Bytes are asked for.""",
    ),
    mistake(
        "the bytes are a float",
        swap(BYTES, "return numbers * dtype.itemsize / 1"),
        caught_by=MEASURED,
        explanation="""A division makes a float of the count. Bytes are a whole number.""",
    ),
    mistake(
        "two bytes unless told",
        swap("dtype: torch.dtype = torch.float32,", "dtype: torch.dtype = torch.float16,"),
        caught_by=MEASURED,
        explanation="""Where no dtype is given, the bytes are those of float16. float32 is meant then.""",
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
        "the biases of queries, keys and values are left out",
        swap(SPLIT_QUERY, "query = split_heads(x @ attention.W_query.weight.T, num_heads)"),
        swap(SPLIT_KEY, "key = split_heads(x @ attention.W_key.weight.T, num_heads)"),
        swap(SPLIT_VALUE, "value = split_heads(x @ attention.W_value.weight.T, num_heads)"),
        caught_by="test_piece_by_piece_equals_all_at_once",
        explanation="""x is multiplied by the weights, and the biases of the layers are forgotten. A layer that
        is called does both.""",
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
        "the bias of out_proj is left out",
        swap(MIX, "return merge_heads(weights @ values) @ attention.out_proj.weight.T"),
        caught_by="test_piece_by_piece_equals_all_at_once",
        explanation="""The heads are multiplied by the weight of out_proj, and its bias is forgotten. A layer
        that is called does both.""",
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
    mistake(
        "later pieces are not masked",
        swap(HIDDEN, "hidden = (columns > rows) & (cache.length == x.shape[1])  # (t, T)"),
        caught_by=PIECES,
        explanation="""The mask is made for the first piece only, as if later ones always brought a single token.
        Within several at once each would see the ones after it.""",
    ),
    mistake(
        "the past is hidden over the cache",
        swap(HIDDEN, "hidden = columns < rows  # (t, T)"),
        caught_by=PIECES,
        explanation="""What comes before is hidden and what comes after is seen. A query looks back only.""",
    ),
    mistake(
        "a token does not see itself over the cache",
        swap(HIDDEN, "hidden = columns >= rows  # (t, T)"),
        swap(WEIGHTS, "weights = softmax(scores.masked_fill(hidden, -torch.inf)).nan_to_num()"),
        caught_by="test_piece_by_piece_equals_all_at_once",
        explanation="""The mask hides the token's own column as well. Each token sees itself and all before it.""",
    ),
    mistake(
        "one later token is seen",
        swap(HIDDEN, "hidden = columns > rows + 1  # (t, T)"),
        caught_by=PIECES,
        explanation="""Each token sees the one that follows it. That one is what the model has to predict.""",
    ),
    mistake(
        "the scale of the new tokens",
        swap(SCORES, "scores = query @ keys.transpose(2, 3) / query.shape[2] ** 0.5  # (B, h, t, T)"),
        caught_by=PIECES,
        explanation="""The scores are divided by the root of how many tokens are new. It is the width of a head that
        they grow with.""",
    ),
    mistake(
        "the scale of the heads",
        swap(SCORES, "scores = query @ keys.transpose(2, 3) / num_heads**0.5  # (B, h, t, T)"),
        caught_by=PIECES,
        explanation="""The scores are divided by the root of the number of heads. It is the width of a head that they
        grow with.""",
    ),
    mistake(
        "the scale without its root",
        swap(SCORES, "scores = query @ keys.transpose(2, 3) / keys.shape[-1]  # (B, h, t, T)"),
        caught_by=PIECES,
        explanation="""The scores are divided by the width of a head itself. Their spread grows with its root.""",
    ),
    mistake(
        "multiplied by the scale",
        swap(SCORES, "scores = query @ keys.transpose(2, 3) * keys.shape[-1] ** 0.5  # (B, h, t, T)"),
        caught_by=PIECES,
        explanation="""The scores are multiplied where they should be divided. The softmax then puts nearly all on one
        token.""",
    ),
    mistake(
        "keys of the queries",
        swap(SPLIT_KEY, SPLIT_KEY.replace("W_key", "W_query")),
        caught_by=PIECES,
        explanation="""The keys are made by W_query. Each of the three has a layer of its own.""",
    ),
    mistake(
        "values of the queries",
        swap(SPLIT_VALUE, SPLIT_VALUE.replace("W_value", "W_query")),
        caught_by=PIECES,
        explanation="""The values are made by W_query. Each of the three has a layer of its own.""",
    ),
    mistake(
        "keys of the values",
        swap(SPLIT_KEY, SPLIT_KEY.replace("W_key", "W_value")),
        caught_by=PIECES,
        explanation="""The keys are made by W_value. Each of the three has a layer of its own.""",
    ),
    mistake(
        "values and keys are put in in the other order",
        swap(APPEND, "values, keys = cache.append(value, key)"),
        caught_by="test_new_tokens_are_put_into_the_cache_once",
        explanation="""The cache gets the values for keys and the keys for values. The answers are right, but whoever
        reads `keys` finds values.""",
    ),
    mistake(
        "keys are mixed by values",
        swap(APPEND, "values, keys = cache.append(key, value)"),
        caught_by=PIECES,
        explanation="""What append gives back is taken in the other order. Queries are then compared with values, and
        keys are mixed.""",
    ),
    mistake(
        "unsplit values",
        swap(SPLIT_VALUE, "value = attention.W_value(x).reshape(x.shape[0], num_heads, x.shape[1], -1)"),
        caught_by=PIECES,
        explanation="""The values are reshaped straight to (B, h, t, d), which mixes tokens and heads. The split of
        k06 goes by way of (B, t, h, d).""",
    ),
    mistake(
        "unsplit queries",
        swap(SPLIT_QUERY, "query = attention.W_query(x).reshape(x.shape[0], num_heads, x.shape[1], -1)"),
        caught_by=PIECES,
        explanation="""The queries are reshaped straight to (B, h, t, d), which mixes tokens and heads. The split of
        k06 goes by way of (B, t, h, d).""",
    ),
    mistake(
        "heads are merged as they lie",
        swap(MIX, "return attention.out_proj((weights @ values).reshape(x.shape[0], x.shape[1], -1))  # (B, t, D)"),
        caught_by=PIECES,
        explanation="""The contexts are cut anew without bringing tokens and channels together first. The merge of k06
        transposes before.""",
    ),
    mistake(
        "softmax over the heads",
        swap(WEIGHTS, "weights = softmax(scores.masked_fill(hidden, -1e9), dim=1)"),
        caught_by=PIECES,
        explanation="""The heads share a whole among them for each query and key. Each head has weights of its own,
        which sum to 1 over the keys.""",
    ),
    mistake(
        "the softmax is worked out in float32",
        swap(WEIGHTS, "weights = softmax(scores.masked_fill(hidden, -torch.inf).float()).to(x.dtype)"),
        caught_by="test_piece_by_piece_equals_all_at_once",
        explanation="""The scores become float32 before the softmax. That helps numbers of 16 bits, and of 64 it
        loses half of the digits.""",
    ),
    mistake(
        "no softmax over the cache",
        swap(WEIGHTS, "weights = scores.masked_fill(hidden, 0.0)"),
        caught_by=PIECES,
        explanation="""The scores are used as weights. They may be negative, and do not sum to 1.""",
    ),
    mistake(
        "hidden scores are 0",
        swap(WEIGHTS, "weights = softmax(scores.masked_fill(hidden, 0.0))"),
        caught_by=PIECES,
        explanation="""Hidden scores are filled with 0, which is an ordinary score. Only −∞ leaves nothing.""",
    ),
    mistake(
        "hidden after the softmax",
        swap(WEIGHTS, "weights = softmax(scores).masked_fill(hidden, 0.0)"),
        caught_by=PIECES,
        explanation="""Hidden weights are set to 0 after the softmax has shared out the whole. The rows then sum to
        less than 1.""",
    ),
    mistake(
        "hidden after the softmax and shared out again",
        swap(
            WEIGHTS,
            "weights = softmax(scores).masked_fill(hidden, 0.0)\n    weights = weights / weights.sum(-1, keepdim=True)",
        ),
        caught_by="test_later_tokens_are_hidden_whatever_the_scores",
        explanation="""What is left after hiding is made to sum to 1. Where a hidden score is far above the others
        nothing is left, and 0 is divided by 0.""",
    ),
    family(
        "a fill of {c} can be overcome",
        swap(WEIGHTS, "weights = softmax(scores.masked_fill(hidden, {c}))"),
        constants=(-20.0, -1e4),
        caught_by="test_later_tokens_are_hidden_whatever_the_scores",
        explanation="""A hidden score becomes {c}, which is not the lowest score there can be. Where visible scores come
        near it, hidden entries get weight, and where they fall below it, the hidden entries win the softmax.""",
    ),
    mistake(
        "weights over the cache are dropped",
        swap(WEIGHTS, WEIGHTS + "\n    weights = attention.dropout(weights)"),
        caught_by=PIECES,
        explanation="""The layer's dropout takes part, and in train mode it drops. Reading and writing is not
        training.""",
    ),
    mistake(
        "pads are counted from the new tokens",
        swap(PADDING, "padding = columns - (cache.length - x.shape[1]) < pads[:, None, None, None]  # (B, 1, 1, T)"),
        caught_by=PADDED,
        explanation="""The first columns of the new tokens are taken for padding, in every call. Padding is at the
        beginning of what the cache holds.""",
    ),
    mistake(
        "the padding of the last row for all",
        swap(PADDING, "padding = columns < pads[-1:, None, None, None]"),
        caught_by=PADDED,
        explanation="""Every row is taken to have the padding of the last. Each has its own.""",
    ),
    mistake(
        "the most padding for all",
        swap(PADDING, "padding = columns < pads.max()[None, None, None, None]"),
        caught_by=PADDED,
        explanation="""Every row is taken to have as much padding as the shortest prompt, and loses its first tokens.
        Each has its own.""",
    ),
    mistake(
        "padding is hidden in the first call only",
        swap(
            "if pads is not None:\n        padding",
            "if pads is not None and cache.length == x.shape[1]:\n        padding",
        ),
        caught_by=PADDED,
        explanation="""Padding is hidden where the prompt is read, and seen by the tokens after it. It stays in the
        cache, so it has to be hidden in every call.""",
    ),
    mistake(
        "padding is hidden from several tokens only",
        swap("if pads is not None:\n        padding", "if pads is not None and x.shape[1] > 1:\n        padding"),
        caught_by="test_padding_is_not_seen",
        explanation="""A new token that comes alone sees all columns, and padding is among them. It stays in the
        cache, and stays hidden.""",
    ),
    mistake(
        "pads are laid along the heads",
        swap(PADDING, "padding = columns < pads[None, :, None, None]  # (1, B, 1, T)"),
        caught_by=PADDED,
        explanation="""The rows of `pads` meet the heads. The first dimension of the scores is the batch.""",
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
        "all new tokens at the last position",
        swap(WHERE, "positions = torch.full((t,), held + t - 1, device=ids.device)  # (t,)"),
        caught_by="test_each_step_equals_the_full_forward_pass",
        explanation="""Every new token gets the position of the last. That is right where one comes alone; a
        prompt comes as a whole.""",
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
        "token 0 is taken for padding",
        swap(EMBEDDED, "x = embedding.tok_emb(ids.clamp(min=1)) + embedding.pos_emb(positions)"),
        caught_by="test_each_step_equals_the_full_forward_pass",
        explanation="""Ids are raised to 1 at least, and token 0 is then read as token 1. Padding is −1, and
        token 0 is a token like any other.""",
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
    mistake(
        "a place fewer in every cache",
        swap(ONE_CACHE, ONE_CACHE.replace("capacity,", "capacity - 1,")),
        caught_by=FITS,
        explanation="""The caches have one place fewer than was asked for. Places are counted from 0, so a capacity of
        n has the places 0 to n − 1.""",
    ),
    mistake(
        "the caches are for one row",
        swap(ONE_CACHE, ONE_CACHE.replace("batch_size,", "1,")),
        caught_by=FITS,
        explanation="""The caches have room for one text. Each row of the batch has keys and values of its own.""",
    ),
    mistake(
        "one head as wide as the model",
        swap(
            ONE_CACHE,
            ONE_CACHE.replace("num_heads, capacity, weight.shape[0] // num_heads", "1, capacity, weight.shape[0]"),
        ),
        caught_by=FITS,
        explanation="""The caches have one head, with all channels. Each head is compared by itself.""",
    ),
    mistake(
        "heads and capacity change places",
        swap(ONE_CACHE, ONE_CACHE.replace("num_heads, capacity,", "capacity, num_heads,")),
        caught_by=FITS,
        explanation="""The room for tokens is as large as the number of heads. The order is batch, heads, capacity,
        width.""",
    ),
    mistake(
        "no cache for the last block",
        swap("        for weight in weights\n    ]", "        for weight in weights[:-1]\n    ]"),
        caught_by=FITS,
        explanation="""There is a cache fewer than there are blocks. Every block has one.""",
    ),
    mistake(
        "a cache too many",
        swap("        for weight in weights\n    ]", "        for weight in [*weights, weights[0]]\n    ]"),
        caught_by=FITS,
        explanation="""There is a cache more than there are blocks, as for the embedding. Only attention keeps
        anything.""",
    ),
    mistake(
        "positions move on by all that is held",
        swap(ADVANCE, "self.length = end\n        self.offset = getattr(self, 'offset', 0) + end"),
        swap(HOLDS, "held, t = getattr(caches[0], 'offset', 0), ids.shape[1]"),
        caught_by=FULL_PASS,
        explanation="""The offset grows by all tokens that are held, in each call, where it should grow by those that
        came in. After the prompt positions jump.""",
    ),
    mistake(
        "positions are counted by the model",
        swap(
            HOLDS,
            "held, t = getattr(model, 'current_position', 0), ids.shape[1]\n    model.current_position = held + t",
        ),
        caught_by="test_two_texts_do_not_disturb_each_other",
        explanation="""The model counts what it has read, and goes on counting when another text begins. How far a
        text has come stands in its caches.""",
    ),
    mistake(
        "positions stop at the last of the table",
        swap(
            WHERE,
            "last = model.embedding.pos_emb.num_embeddings - 1\n    positions = torch.arange(held, held + t, device=ids.device).clamp(max=last)  # (t,)",
        ),
        caught_by="test_a_text_may_fill_the_context_and_no_more",
        explanation="""Tokens beyond the context length all get the last position there is. The model has never
        seen two tokens at one position, and nobody hears that the text is too long.""",
    ),
    mistake(
        "every call is one token further",
        swap(
            HOLDS, "caches[0].calls = getattr(caches[0], 'calls', -1) + 1\n    held, t = caches[0].calls, ids.shape[1]"
        ),
        caught_by=FULL_PASS,
        explanation="""Positions go on by one with each call. A prompt brings several tokens in one.""",
    ),
    mistake(
        "positions are counted backwards",
        swap(WHERE, "positions = torch.arange(held + t - 1, held - 1, -1, device=ids.device)  # (t,)"),
        caught_by=FULL_PASS,
        explanation="""The first of the new tokens gets the last of the new positions. Positions grow along the
        text.""",
    ),
    mistake(
        "tokens times positions",
        swap(EMBEDDED, EMBEDDED.replace(" + embedding.pos_emb", " * embedding.pos_emb")),
        caught_by=FULL_PASS,
        explanation="""The two embeddings are multiplied. The model of k10 adds them.""",
    ),
    mistake(
        "tokens times the root of the width",
        swap(
            EMBEDDED,
            EMBEDDED.replace(
                "embedding.tok_emb(ids.clamp(min=0))",
                "embedding.tok_emb(ids.clamp(min=0)) * embedding.tok_emb.weight.shape[1] ** 0.5",
            ),
        ),
        caught_by=FULL_PASS,
        explanation="""The tokens' embedding is multiplied by the root of the width, as in the first Transformer. The
        model of k10 adds it as it is.""",
    ),
    mistake(
        "padding is wiped out in the caller's ids",
        swap(EMBEDDED, EMBEDDED.replace("ids.clamp(min=0)", "ids.clamp_(min=0)")),
        caught_by=ALONE,
        explanation="""The −1 in the caller's ids are overwritten. Arguments belong to the caller, who will look for
        padding again.""",
    ),
    mistake(
        "norms after the layers",
        swap(ATTEND, "x = block.norm1(x + cached_attention(block.attention, x, cache, pads))"),
        swap(THINK, "x = block.norm2(x + block.feed_forward(x))"),
        caught_by=FULL_PASS,
        explanation="""The stream is normalised after each addition, as in the first Transformer. The block of k09
        normalises what each layer reads.""",
    ),
    mistake(
        "norm1 and norm2 change places",
        swap(ATTEND, "x = x + cached_attention(block.attention, block.norm2(x), cache, pads)"),
        swap(THINK, "x = x + block.feed_forward(block.norm1(x))"),
        caught_by="test_each_step_equals_the_full_forward_pass",
        explanation="""Attention reads by norm2 and the feed-forward by norm1. Each has learned the scale of its
        own.""",
    ),
    mistake(
        "norm1 before both",
        swap(THINK, THINK.replace("norm2", "norm1")),
        caught_by=FULL_PASS,
        explanation="""Feed-forward reads through the norm of attention. Each has its own.""",
    ),
    mistake(
        "norm2 before both",
        swap(ATTEND, ATTEND.replace("norm1", "norm2")),
        caught_by=FULL_PASS,
        explanation="""Attention reads through the norm of feed-forward. Each has its own.""",
    ),
    mistake(
        "no feed-forward",
        swap(THINK, "pass"),
        caught_by=FULL_PASS,
        explanation="""The blocks have attention alone. The block of k09 has both.""",
    ),
    mistake(
        "no attention",
        swap(ATTEND, "cached_attention(block.attention, block.norm1(x), cache, pads)"),
        caught_by=FULL_PASS,
        explanation="""What attention gives is not added to the stream. The block of k09 adds it.""",
    ),
    mistake(
        "feed-forward before attention",
        swap(ATTEND + "\n        " + THINK, THINK + "\n        " + ATTEND),
        caught_by=FULL_PASS,
        explanation="""The two halves of a block have changed places. Attention comes first.""",
    ),
    mistake(
        "both from the same stream",
        swap(ATTEND, "before = x\n        " + ATTEND),
        swap(THINK, THINK.replace("block.norm2(x)", "block.norm2(before)")),
        caught_by=FULL_PASS,
        explanation="""Attention and feed-forward read the same stream side by side. Feed-forward reads what attention
        has added to.""",
    ),
    mistake(
        "only the first block",
        swap(WALK, WALK.replace("model.blocks, caches", "model.blocks[:1], caches")),
        caught_by=FULL_PASS,
        explanation="""The stream goes through one block. It goes through all of them.""",
    ),
    mistake(
        "only the last block",
        swap(WALK, WALK.replace("model.blocks, caches", "model.blocks[-1:], caches")),
        caught_by=FULL_PASS,
        explanation="""The stream goes through one block. It goes through all of them.""",
    ),
    mistake(
        "the blocks in reverse",
        swap(WALK, WALK.replace("model.blocks, caches", "reversed(model.blocks), caches")),
        caught_by=FULL_PASS,
        explanation="""The last block comes first. The order is that of the model.""",
    ),
    mistake(
        "the blocks read the new tokens alone",
        swap(ATTEND, "x = block(x)"),
        swap(THINK, "pass"),
        caught_by=FULL_PASS,
        explanation="""The blocks are called as they are, and what was read before plays no part. Attention has to
        look at the cache.""",
    ),
    mistake(
        "of several new tokens only the last is read",
        swap(HOLDS, "ids = ids[:, -1:] if caches[0].length else ids\n    held, t = caches[0].length, ids.shape[1]"),
        caught_by="test_each_step_equals_the_full_forward_pass",
        explanation="""Once something is held, only the last new token is read. Text may grow by several tokens
        at once, and all of them belong into the caches.""",
    ),
    mistake(
        "the logits are probabilities",
        swap(LOGITS, "return model.lm_head(model.final_norm(x[:, -1])).softmax(-1)  # (B, V)"),
        caught_by=FULL_PASS,
        explanation="""A softmax is taken. Logits are what comes before it; temperature and filters work on them.""",
    ),
    mistake(
        "the logits are logarithms of probabilities",
        swap(LOGITS, "return model.lm_head(model.final_norm(x[:, -1])).log_softmax(-1)  # (B, V)"),
        caught_by=FULL_PASS,
        explanation="""A log-softmax is taken. Logits are what comes before it.""",
    ),
    mistake(
        "the likeliest id for the logits",
        swap(LOGITS, "return model.lm_head(model.final_norm(x[:, -1])).argmax(-1)  # (B,)"),
        caught_by=FULL_PASS,
        explanation="""The most likely token is chosen already. How to choose is for `generate`; the logits are asked
        for.""",
    ),
    mistake(
        "the logits keep a place for the tokens",
        swap(LOGITS, "return model.lm_head(model.final_norm(x[:, -1:]))  # (B, 1, V)"),
        caught_by=FULL_PASS,
        explanation="""The logits have a dimension of 1 for the token. They are one row for each text: (B, V).""",
    ),
    mistake(
        "the logits of the last but one",
        swap(LOGITS, "return model.lm_head(model.final_norm(x[:, max(t - 2, 0)]))  # (B, V)"),
        caught_by=FULL_PASS,
        explanation="""The logits say what follows the token before the last. What follows the last is asked for.""",
    ),
    mistake(
        "the mean of the new tokens",
        swap(LOGITS, "return model.lm_head(model.final_norm(x.mean(dim=1)))  # (B, V)"),
        caught_by=FULL_PASS,
        explanation="""The stream is averaged over the new tokens. The last one alone has seen them all.""",
    ),
    mistake(
        "positions of a padded row begin at 1",
        swap(SHIFTED, "positions = (positions - pads[:, None] + 1).clamp(min=0)  # (B, t)"),
        caught_by=ALONE,
        explanation="""The first token behind the padding gets position 1, with 0 for the padding. It has position 0,
        as it has alone.""",
    ),
    mistake(
        "every row is shifted by the most padding",
        swap(SHIFTED, "positions = (positions - pads.max()).clamp(min=0).expand(len(pads), -1)  # (B, t)"),
        caught_by=ALONE,
        explanation="""All rows begin to count where the shortest prompt begins. Each row counts from its own first
        token.""",
    ),
    mistake(
        "only the first call shifts positions",
        swap("if pads is not None:\n        positions", "if pads is not None and held == 0:\n        positions"),
        caught_by=ALONE,
        explanation="""In later calls positions are those of the columns. The padding is still there, so they are
        shifted in every call.""",
    ),
    mistake(
        "padding is handed on in the first call only",
        swap(ATTEND, ATTEND.replace("cache, pads)", "cache, pads if held == 0 else None)")),
        caught_by=ALONE,
        explanation="""In later calls attention is not told about the padding, and attends to it. It is still in the
        caches.""",
    ),
    mistake(
        "train mode for good",
        swap(LOGITS, "logits = model.lm_head(model.final_norm(x[:, -1]))\n    model.train()\n    return logits"),
        caught_by="test_nothing_is_dropped",
        explanation="""The model is in train mode afterwards, whatever mode it was in. Its mode is to be as
        before.""",
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
        "one token more counts as the same text",
        swap(ANEW, "if held == 0 or T != held + 1 or len(self.seen) != B:"),
        caught_by="test_a_longer_text_that_began_otherwise_is_read_anew",
        explanation="""A text that is one token longer than the one before is taken to go on from it. It may be
        another text of that length.""",
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
        "the caches are emptied and never made anew",
        swap(
            FRESH,
            "self.caches = getattr(self, 'caches', None) or make_caches(self.model, B, self.num_heads, self.context_length)\n            for cache in self.caches:\n                cache.length = 0\n            held = 0",
        ),
        caught_by="test_another_text_is_read_anew",
        explanation="""The length of each cache goes back to 0, and its memory stays. A text with more rows does
        not fit into memory that was made for fewer.""",
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
        "token 0 counts as padding",
        swap(PADS, "pads = (ids == 0).sum(dim=1)  # (B,)"),
        caught_by="test_a_growing_text_gets_the_logits_of_the_model",
        explanation="""The tokens 0 of a text are counted, and padding is not. Padding is PAD, −1.""",
    ),
    mistake(
        "the padding of the first text is kept",
        swap(
            PADS,
            "pads = self.__dict__.setdefault('kept', (ids == PAD).sum(dim=1))\n        pads = pads if len(pads) == B else (ids == PAD).sum(dim=1)",
        ),
        caught_by="test_prompts_of_several_lengths_are_continued_each_by_itself",
        explanation="""The pads are counted once and kept. Another text has other padding, and so has a window
        that has moved on.""",
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
    mistake(
        "another id for padding",
        swap("PAD = -1", "PAD = -100"),
        caught_by=PADS_LEFT,
        explanation="""The padding is −100, which losses leave out. Here it is −1.""",
    ),
    mistake(
        "ids are floats",
        swap(FILLED, "ids = torch.full((len(prompts), longest), float(PAD))  # (B, T)"),
        caught_by=PADS_LEFT,
        explanation="""The ids become floats. They are looked up in a table, which takes whole numbers.""",
    ),
    mistake(
        "ids of 32 bits",
        swap(FILLED, "ids = torch.full((len(prompts), longest), PAD, dtype=torch.int32)  # (B, T)"),
        caught_by=PADS_LEFT,
        explanation="""The ids become int32. They are int64, as they came.""",
    ),
    mistake(
        "a column of padding too many",
        swap(
            "longest = max(len(prompt) for prompt in prompts)", "longest = max(len(prompt) for prompt in prompts) + 1"
        ),
        caught_by=PADS_LEFT,
        explanation="""The longest prompt is padded too. It fills its row.""",
    ),
    mistake(
        "prompts are cut at their end",
        swap("longest = max(", "longest = min("),
        swap(PLACED, "row[:] = prompt[:longest]"),
        caught_by=PADS_LEFT,
        explanation="""Longer prompts lose their end. The shorter ones are filled up instead.""",
    ),
    mistake(
        "prompts are turned round",
        swap(PLACED, "row[longest - len(prompt) :] = prompt.flip(0)"),
        caught_by=PADS_LEFT,
        explanation="""The prompts stand in their rows back to front. Only the place of the padding changes, not the
        order of a text.""",
    ),
    mistake(
        "prompts are sorted by their length",
        swap("for row, prompt in zip(ids, prompts):", "for row, prompt in zip(ids, sorted(prompts, key=len)):"),
        caught_by=PADS_LEFT,
        explanation="""The rows come in another order than the prompts. Row b is prompt b.""",
    ),
    mistake(
        "padding repeats the first token",
        swap(PLACED, PLACED + "\n        row[: longest - len(prompt)] = prompt[0]"),
        caught_by=PADS_LEFT,
        explanation="""The room before a prompt is filled with its own first token. Nobody could tell it from the
        text.""",
    ),
    mistake(
        "padding on both sides",
        swap(PLACED, "row[(longest - len(prompt)) // 2 :][: len(prompt)] = prompt"),
        caught_by=PADS_LEFT,
        explanation="""The prompts stand in the middle of their rows. They all end in the same column, so that new
        tokens follow there.""",
    ),
    mistake(
        "logits without a place for each token",
        swap(OUT, "return logits"),
        caught_by=GROWING,
        explanation="""The output is (B, V). Whoever calls a model looks for position −1 of (B, T, V).""",
    ),
    mistake(
        "a place for the last token alone",
        swap(OUT, "return logits[:, None]  # (B, 1, V)"),
        caught_by=GROWING,
        explanation="""The output has a place for one token. It has one for each, as that of the model.""",
    ),
    mistake(
        "a place for each new token",
        swap(OUT, "return logits[:, None].expand(-1, T - held, -1)  # (B, t, V)"),
        caught_by=GROWING,
        explanation="""The output has a place for each token that was read. It has one for each of the text, as that
        of the model.""",
    ),
    mistake(
        "the logits stand first",
        swap(OUT, "return torch.cat([logits[:, None], torch.zeros(B, T - 1, logits.shape[-1])], dim=1)  # (B, T, V)"),
        caught_by=GROWING,
        explanation="""The logits stand at position 0, and zeros follow. Position −1 is the one that is looked at.""",
    ),
    mistake(
        "the caches have room for more",
        swap(FRESH, FRESH.replace("self.context_length", "4 * self.context_length")),
        caught_by="test_a_text_that_is_too_long_is_refused",
        explanation="""The caches are made longer than the context, so that a text that does not fit is accepted. More
        than context_length tokens are an error.""",
    ),
    mistake(
        "the caches are as long as the text",
        swap(FRESH, FRESH.replace("self.context_length", "T")),
        caught_by=GROWING,
        explanation="""The caches have room for the text that is there. It is going to grow, up to the context
        length.""",
    ),
    mistake(
        "the caches grow with the text",
        swap(FRESH, FRESH.replace("self.context_length", "max(T, self.context_length)")),
        caught_by="test_a_text_that_is_too_long_is_refused",
        explanation="""For a text that is too long the caches are made longer. More than context_length tokens are an
        error.""",
    ),
    mistake(
        "a text that is too long is cut",
        swap(
            "(B, T), held = ids.shape, self.seen.shape[1]",
            "ids = ids[:, -self.context_length :]\n        (B, T), held = ids.shape, self.seen.shape[1]",
        ),
        caught_by="test_a_text_that_is_too_long_is_refused",
        explanation="""The beginning of a text that is too long is dropped without a word. `generate` cuts; the
        stand-in is to refuse.""",
    ),
    mistake(
        "the same text has nothing new",
        swap(ANEW, ANEW.replace("held >= T", "held > T")),
        caught_by=ANOTHER,
        explanation="""A text that is equal to the last one is taken for one that has grown, by nothing. Then there is
        no last new token to ask.""",
    ),
    mistake(
        "one equal token is enough",
        swap(ANEW, "if held == 0 or held >= T or B != len(self.seen) or not bool((ids[:, :held] == self.seen).any()):"),
        caught_by=BEGAN,
        explanation="""Two texts are taken for one where any token agrees. All that is in the caches has to.""",
    ),
    mistake(
        "one equal row is enough",
        swap(
            ANEW,
            "if held == 0 or held >= T or B != len(self.seen) or not bool((ids[:, :held] == self.seen).all(1).any()):",
        ),
        caught_by=BEGAN,
        explanation="""The caches are kept where any row goes on. All rows have to.""",
    ),
    mistake(
        "only the first token is compared",
        swap(ANEW, "if held == 0 or held >= T or B != len(self.seen) or not torch.equal(ids[:, 0], self.seen[:, 0]):"),
        caught_by=BEGAN,
        explanation="""Two texts are taken for one when their first tokens agree. All that is in the caches has
        to.""",
    ),
    mistake(
        "only the last row is compared",
        swap(
            ANEW, "if held == 0 or held >= T or B != len(self.seen) or not torch.equal(ids[-1, :held], self.seen[-1]):"
        ),
        caught_by=BEGAN,
        explanation="""The last row decides for all. Another row may hold another text.""",
    ),
    mistake(
        "the sums are compared",
        swap(ANEW, "if held == 0 or held >= T or B != len(self.seen) or ids[:, :held].sum() != self.seen.sum():"),
        caught_by=BEGAN,
        explanation="""Two texts are taken for one when their ids have the same sum. The ids themselves have to be
        equal.""",
    ),
    mistake(
        "the end of the text is compared",
        swap(ANEW, ANEW.replace("ids[:, :held]", "ids[:, -held:]")),
        caught_by="test_what_was_read_is_not_read_again",
        explanation="""The last ids are compared with those that were read. A text grows at its end, so they are at
        its beginning.""",
    ),
    mistake(
        "only the new ids are noted",
        swap(REMEMBER, "self.seen = ids[:, held:].clone()"),
        caught_by="test_what_was_read_is_not_read_again",
        explanation="""What is noted as seen are the new ids alone. The next text begins with all that was read.""",
    ),
    mistake(
        "the last id is not noted",
        swap(REMEMBER, "self.seen = ids[:, :-1].clone()"),
        caught_by=GROWING,
        explanation="""The last token is in the caches and not among those seen. It is read again with the next.""",
    ),
    mistake(
        "a new text is read from where the old one ended",
        swap(FRESH, FRESH.split("\n")[0]),
        caught_by=ANOTHER,
        explanation="""There are new caches, and still only what is behind the old length is read. A new text is read
        from its beginning.""",
    ),
    mistake(
        "one token is read twice",
        swap(READ, READ.replace("ids[:, held:]", "ids[:, max(held - 1, 0) :]")),
        caught_by=GROWING,
        explanation="""The last token that was read is read again, and stands in the caches twice. Reading goes on
        behind it.""",
    ),
    mistake(
        "one token is left out",
        swap(READ, READ.replace("ids[:, held:]", "ids[:, held + (0 < held < T - 1) :]")),
        caught_by=GROWING,
        explanation="""Where several tokens are new, the first of them is left out. Reading goes on at the place
        `held`, since places are counted from 0.""",
    ),
    mistake(
        "one pad at most",
        swap(PADS, "pads = (ids[:, :1] == PAD).sum(dim=1)  # (B,)"),
        caught_by=SEVERAL,
        explanation="""It is only looked at whether a row begins with padding. How much of it there is has to be
        counted.""",
    ),
    mistake(
        "tokens are counted for padding",
        swap(PADS, "pads = (ids != PAD).sum(dim=1)  # (B,)"),
        caught_by=SEVERAL,
        explanation="""What is counted are the tokens that are no padding. `pads` says how many columns are.""",
    ),
    mistake(
        "the model itself writes",
        swap(WRITE, WRITE.replace("generate(reader,", "generate(model,")),
        caught_by=SEVERAL,
        explanation="""The stand-in is made, and `generate` gets the model. It reads everything for every token, and
        knows nothing of padding.""",
    ),
    mistake(
        "the window is the model's own",
        swap(
            WRITE,
            "return generate(reader, ids, max_new_tokens, context_length=model.embedding.pos_emb.num_embeddings, **options)",
        ),
        caught_by="test_texts_are_those_of_the_model",
        explanation="""The text is cut to what the model could read, and not to the context length that was
        asked for. The caches hold no more than that.""",
    ),
    mistake(
        "the temperature is 0 unless told",
        swap(
            WRITE,
            'options = {"temperature": 0, **options}\n    return generate(reader, ids, max_new_tokens, context_length=context_length, **options)',
        ),
        caught_by="test_sampling_takes_the_options_of_generate",
        explanation="""Where nobody gives a temperature the likeliest token is taken. What is left open is left
        to `generate`, which draws.""",
    ),
    mistake(
        "the prompt is cut to the window for good",
        swap(
            WRITE,
            "return generate(reader, ids[:, -context_length:], max_new_tokens, context_length=context_length, **options)",
        ),
        caught_by="test_texts_are_those_of_the_model",
        explanation="""What no longer fits into the window is missing in the result too. The text comes back
        whole; only the model sees its end.""",
    ),
    mistake(
        "heads and context change places",
        swap(READER, "reader = CachedGPT(model, context_length, num_heads)"),
        caught_by=TEXTS,
        explanation="""The number of heads is handed over for the context length. The order is model, num_heads,
        context_length.""",
    ),
    mistake(
        "a window one token short",
        swap(WRITE, WRITE.replace("context_length=context_length", "context_length=context_length - 1")),
        caught_by=TEXTS,
        explanation="""The model sees one token fewer than it could. The window holds context_length tokens.""",
    ),
    mistake(
        "one new token too few",
        swap(WRITE, WRITE.replace("max_new_tokens,", "max_new_tokens - 1,")),
        caught_by=TEXTS,
        explanation="""One token fewer is written than was asked for. The prompt's last token is not a new one.""",
    ),
    mistake(
        "one new token too many",
        swap(WRITE, WRITE.replace("max_new_tokens,", "max_new_tokens + 1,")),
        caught_by=TEXTS,
        explanation="""One token more is written than was asked for. The first new one comes with the reading of the
        prompt.""",
    ),
    mistake(
        "only the new tokens are given back",
        swap(WRITE, WRITE + "[:, ids.shape[1] :]"),
        caught_by=TEXTS,
        explanation="""The prompt is cut off. `generate` gives back the whole text.""",
    ),
    mistake(
        "the temperature is not handed on",
        swap(
            WRITE,
            WRITE.replace("**options", '**{name: value for name, value in options.items() if name != "temperature"}'),
        ),
        caught_by=TEXTS,
        explanation="""`temperature` is taken and not handed to `generate`, which then draws at 1.""",
    ),
    mistake(
        "top_k is not handed on",
        swap(
            WRITE, WRITE.replace("**options", '**{name: value for name, value in options.items() if name != "top_k"}')
        ),
        caught_by=OPTIONS,
        explanation="""`top_k` is taken and not handed to `generate`, which then draws from all tokens.""",
    ),
    mistake(
        "top_p is not handed on",
        swap(
            WRITE, WRITE.replace("**options", '**{name: value for name, value in options.items() if name != "top_p"}')
        ),
        caught_by=OPTIONS,
        explanation="""`top_p` is taken and not handed to `generate`, which then draws from all tokens.""",
    ),
    mistake(
        "the stop id is not handed on",
        swap(
            WRITE, WRITE.replace("**options", '**{name: value for name, value in options.items() if name != "stop_id"}')
        ),
        caught_by=OPTIONS,
        explanation="""`stop_id` is taken and not handed to `generate`, which then never stops.""",
    ),
    mistake(
        "the generator is not handed on",
        swap(
            WRITE,
            WRITE.replace("**options", '**{name: value for name, value in options.items() if name != "generator"}'),
        ),
        caught_by=OPTIONS,
        explanation="""`generator` is taken and not handed to `generate`, and the text cannot be had again.""",
    ),
]
