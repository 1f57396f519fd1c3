"""k10: what people get wrong about the GPT model."""

from dojo.spec import family, mistake, swap

COUNT = "return sum(parameter.numel() for parameter in model.parameters())"
WEIGHT = "nn.init.normal_(module.weight, std=0.02)"
KINDS = "if isinstance(module, nn.Linear | nn.Embedding):"
BIAS = "nn.init.zeros_(module.bias)"
RESIDUAL = "residual_std = 0.02 / math.sqrt(2 * len(blocks))"
OUT_PROJ = "nn.init.normal_(block.attention.out_proj.weight, std=residual_std)"
DOWN = "nn.init.normal_(block.feed_forward.down.weight, std=residual_std)"
EMBEDDING = "config.vocab_size, config.context_length, config.emb_dim, config.dropout)\n"
BLOCKS = "self.blocks = nn.ModuleList("
BLOCK = "config.emb_dim, config.context_length, config.num_heads, config.dropout, config.qkv_bias)\n"
EACH = "for _ in range(config.num_layers)"
NORM = "self.final_norm = LayerNorm(config.emb_dim)"
HEAD = "self.lm_head = nn.Linear(config.emb_dim, config.vocab_size, bias=False)"
IF_TIED = "if config.tie_weights:"
TIE = "self.lm_head.weight = self.embedding.tok_emb.weight"
INITIALISE = "initialise(self)"
EMBED = "x = self.embedding(ids)  # (B, T, D)"
LOOP = "for block in self.blocks:"
STEP = "x = block(x)"
LOGITS = "return self.lm_head(self.final_norm(x))  # (B, T, V)"

EVERY = "test_every_parameter_counts"
PARTS = "test_parts_have_parameters_of_their_own"
TIED = "test_tied_weights_are_one"
SPREAD = "test_weights_start_with_a_spread_of_two_hundredths"
ENDS = "test_branches_end_with_smaller_weights"
STARTS = "test_biases_start_at_0_and_norms_change_nothing"
FORMULA = "test_logits_come_from_all_parts_in_order"
DROPOUT = "test_dropout_acts_in_embedding_and_blocks"
MAKE_EMBEDDING = (
    "self.embedding = GPTEmbedding(config.vocab_size, config.context_length, config.emb_dim, config.dropout)\n"
)
ALL = "for module in model.modules():\n        if isinstance(module, nn.Linear | nn.Embedding):"
BRANCHES = "    for block in blocks:\n        " + RESIDUAL + "\n"
TOKENS = "self.embedding.tok_emb(ids)"
PLACES = "self.embedding.pos_emb.weight[: ids.shape[1]]"
SHAPES = "test_layers_of_one_shape_count_each"
GRADIENT = "test_gradient_reaches_every_part"
ONCE = "test_dropout_acts_once"
LEARNS = "test_a_tied_weight_learns_at_both_ends"
LIMIT = "test_too_many_tokens_are_refused"

MISTAKES = [
    # Step 1
    mistake(
        "tensors are counted, not numbers",
        swap(COUNT, "return len(list(model.parameters()))"),
        caught_by=EVERY,
        explanation="""Each parameter counts as one, however large it is. A matrix holds rows times columns numbers, and all
        of them are learned.""",
    ),
    mistake(
        "only what is being trained counts",
        swap(COUNT, "return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)"),
        caught_by=EVERY,
        explanation="""Frozen parameters are left out. They belong to the model's size whether somebody trains them at the
        moment or not.""",
    ),
    mistake(
        "only matrices count",
        swap(COUNT, "return sum(parameter.numel() for parameter in model.parameters() if parameter.ndim > 1)"),
        caught_by=EVERY,
        explanation="""Biases and other vectors are left out. They are few, but they are learned too.""",
    ),
    mistake(
        "only the outermost module counts",
        swap(COUNT, "return sum(parameter.numel() for parameter in model.parameters(recurse=False))"),
        caught_by=EVERY,
        explanation="""Parameters of modules inside the model are left out. A model is made of modules within modules, and
        hardly anything is left at the top.""",
    ),
    mistake(
        "each level counts its own again",
        swap(COUNT, "return sum(parameter.numel() for part in model.modules() for parameter in part.parameters())"),
        caught_by=EVERY,
        explanation="""For every module all parameters below it are counted. A weight deep inside then counts once for each level
        above it.""",
    ),
    mistake(
        "shared parameters count twice",
        swap(
            COUNT,
            "return sum(values.numel() for _, values in model.named_parameters(remove_duplicate=False))",
        ),
        caught_by="test_a_shared_parameter_counts_once",
        explanation="""A tensor that two layers share is counted for each of them. There is one tensor, and it is learned
        once.""",
    ),
    mistake(
        "parameters of one shape count once",
        swap(COUNT, "return sum(shape.numel() for shape in {parameter.shape for parameter in model.parameters()})"),
        caught_by=SHAPES,
        explanation="""Parameters are told apart by their shapes. Two layers of one size are still two layers, and each learns
        numbers of its own.""",
    ),
    mistake(
        "parameters at one address count once",
        swap(
            COUNT, "return sum({parameter.data_ptr(): parameter.numel() for parameter in model.parameters()}.values())"
        ),
        caught_by=SHAPES,
        explanation="""Parameters are told apart by where their numbers lie in memory. On the meta device there are no numbers, and
        all parameters have the address 0.""",
    ),
    mistake(
        "a tied head counts once more",
        swap(
            COUNT,
            COUNT
            + ' + (model.lm_head.weight.numel() if getattr(model, "config", None) and model.config.tie_weights else 0)',
        ),
        caught_by="test_the_model_is_counted_as_any_other",
        explanation="""The head of a tied model is added to the count. Its weight is that of the token embedding, which is in the
        count already.""",
    ),
    mistake(
        "buffers count, and shared parameters twice",
        swap(COUNT, "return sum(values.numel() for values in model.state_dict().values())"),
        caught_by="test_a_shared_parameter_counts_once",
        explanation="""Whatever is saved with the model is counted. That includes buffers such as masks, which are not learned,
        and a shared tensor under each of its names.""",
    ),
    mistake(
        "buffers count",
        swap(COUNT, "return sum(values.numel() for values in [*model.parameters(), *model.buffers()])"),
        caught_by="test_buffers_do_not_count",
        explanation="""Buffers are counted along with the parameters. A mask moves and is saved with the model, but it is not
        learned.""",
    ),
    mistake(
        "counted in millions",
        swap(COUNT, COUNT + " / 1e6"),
        caught_by=EVERY,
        explanation="""The count is divided by a million, as it is printed. How many there are is a whole number.""",
    ),
    mistake(
        "the count is a float",
        swap(COUNT, "return float(sum(parameter.numel() for parameter in model.parameters()))"),
        caught_by=EVERY,
        explanation="""The count comes back as a number with a point. How many there are is a whole number.""",
    ),
    mistake(
        "the count is a text",
        swap(COUNT, 'return f"{sum(parameter.numel() for parameter in model.parameters()):,}"'),
        caught_by=EVERY,
        explanation="""The count comes back as it is printed. A number is asked for, to count on.""",
    ),
    mistake(
        "bytes are counted",
        swap(COUNT, "return sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())"),
        caught_by=EVERY,
        explanation="""What is counted is the memory that the parameters take. How many there are does not depend on how
        many bits each has.""",
    ),
    mistake(
        "biases do not count",
        swap(
            COUNT,
            'return sum(values.numel() for name, values in model.named_parameters() if not name.endswith("bias"))',
        ),
        caught_by=EVERY,
        explanation="""Biases are left out. They are learned like any other number.""",
    ),
    mistake(
        "only linear layers count",
        swap(
            COUNT,
            "return sum(p.numel() for part in model.modules() if isinstance(part, nn.Linear) for p in part.parameters())",
        ),
        caught_by=EVERY,
        explanation="""Linear layers are counted and nothing else. Embeddings and norms learn too.""",
    ),
    mistake(
        "embeddings do not count",
        swap(
            COUNT,
            "return sum(p.numel() for part in model.modules() if not isinstance(part, nn.Embedding) for p in part.parameters(recurse=False))",
        ),
        caught_by=EVERY,
        explanation="""Embeddings are left out, as some papers do. Their rows are learned like any other number.""",
    ),
    mistake(
        "rows are counted",
        swap(COUNT, "return sum(len(parameter) for parameter in model.parameters())"),
        caught_by=EVERY,
        explanation="""`len` of a tensor is its first dimension. A matrix has as many numbers as rows times columns.""",
    ),
    mistake(
        "columns are counted",
        swap(COUNT, "return sum(parameter.shape[-1] for parameter in model.parameters())"),
        caught_by=EVERY,
        explanation="""The last dimension of each parameter is added up. A matrix has as many numbers as rows times
        columns.""",
    ),
    mistake(
        "dimensions are added",
        swap(COUNT, "return sum(sum(parameter.shape) for parameter in model.parameters())"),
        caught_by=EVERY,
        explanation="""Rows and columns are added. A matrix has as many numbers as rows times columns.""",
    ),
    mistake(
        "only the largest parameter counts",
        swap(COUNT, "return max(parameter.numel() for parameter in model.parameters())"),
        caught_by=EVERY,
        explanation="""The largest parameter gives the answer. All of them together are asked for.""",
    ),
    mistake(
        "only one level deep",
        swap(COUNT, "return sum(p.numel() for part in model.children() for p in part.parameters(recurse=False))"),
        caught_by=EVERY,
        explanation="""The modules right inside are counted, and what is inside those is not. A block's layers lie
        deeper.""",
    ),
    mistake(
        "only the first parameter counts",
        swap(COUNT, "return next(model.parameters()).numel()"),
        caught_by=EVERY,
        explanation="""The first parameter gives the answer. All of them together are asked for.""",
    ),
    mistake(
        "only numbers that are not 0 count",
        swap(COUNT, "return sum(int((parameter != 0).sum()) for parameter in model.parameters())"),
        caught_by=SHAPES,
        explanation="""Zeros are left out. A parameter that is 0 now is learned like any other; and on the meta device
        there are no numbers to look at.""",
    ),
    mistake(
        "parameters of one name count once",
        swap(
            COUNT,
            'return sum({name.split(".")[-1]: values.numel() for name, values in model.named_parameters()}.values())',
        ),
        caught_by=SHAPES,
        explanation="""The numbers are kept under the last part of each name, and all weights are called so. Each layer
        has a weight of its own.""",
    ),
    # Step 2: the parts
    mistake(
        "the blocks are in a plain list",
        swap(BLOCKS, "self.blocks = list("),
        caught_by=PARTS,
        explanation="""The blocks stand in a Python list, where the model does not see them. They are missing from `parameters()`,
        so no optimizer trains them and no checkpoint saves them.""",
    ),
    mistake(
        "one block, many times",
        swap(BLOCKS, "self.blocks = nn.ModuleList(config.num_layers * ["),
        swap(f"{EACH}\n        )", "])"),
        caught_by=PARTS,
        explanation="""The list holds the same block again and again. All layers then share their weights, and the model is
        as small as if it had one.""",
    ),
    mistake(
        "one block too few",
        swap(EACH, "for _ in range(1, config.num_layers)"),
        caught_by=PARTS,
        explanation="""The count starts at 1 and ends before num_layers. `range` leaves its end out, so there is one block
        less.""",
    ),
    mistake(
        "one block too many",
        swap(EACH, "for _ in range(config.num_layers + 1)"),
        caught_by=PARTS,
        explanation="""There is one block more than num_layers. The embedding and the final norm are not counted among the
        layers.""",
    ),
    mistake(
        "as many blocks as heads",
        swap(EACH, "for _ in range(config.num_heads)"),
        caught_by=PARTS,
        explanation="""The number of blocks is taken from `num_heads`. In GPT-2 small both happen to be 12, in other sizes they
        differ.""",
    ),
    mistake(
        "the blocks do not get qkv_bias",
        swap(BLOCK, "config.emb_dim, config.context_length, config.num_heads, config.dropout)\n"),
        caught_by=PARTS,
        explanation="""The configuration's `qkv_bias` does not reach the blocks. Their projections never have a bias, and weights
        that come with one find no place.""",
    ),
    mistake(
        "no final norm",
        swap(NORM, "self.final_norm = nn.Identity()"),
        caught_by=PARTS,
        explanation="""Nothing normalises the stream before the head. It has grown with every block, and the head reads it in
        whatever size it has reached.""",
    ),
    mistake(
        "a bias in the head",
        swap(HEAD, "self.lm_head = nn.Linear(config.emb_dim, config.vocab_size)"),
        caught_by=PARTS,
        explanation="""`lm_head` has a bias, a number more for each word. GPT-2 has none there, and its weights leave it
        nothing to be filled with.""",
    ),
    mistake(
        "tied by copying",
        swap(TIE, "self.lm_head.weight = nn.Parameter(self.embedding.tok_emb.weight.clone())"),
        swap(
            f"{INITIALISE}\n",
            f"{INITIALISE}\n        if config.tie_weights:\n            self.lm_head.weight.data.copy_(self.embedding.tok_emb.weight)\n",
        ),
        caught_by=TIED,
        explanation="""The head starts with a copy of the embedding's weight. Two equal tensors drift apart at the first step of
        training, while one that is shared cannot.""",
    ),
    mistake(
        "not tied, or tied by a copy that is drawn anew",
        swap(IF_TIED, "if False:"),
        caught_by=TIED,
        explanation="""With `tie_weights` the head still has a weight of its own: either nothing ties it, or it begins as a copy
        that is drawn anew at initialisation. Tied, the two would be one parameter.""",
    ),
    mistake(
        "tied by sharing the numbers only",
        swap(TIE, "self.lm_head.weight = nn.Parameter(self.embedding.tok_emb.weight.data)"),
        caught_by=TIED,
        explanation="""Two parameters look at the same memory. Each gets a gradient of its own, so an optimizer updates the same
        numbers twice.""",
    ),
    mistake(
        "always tied",
        swap(IF_TIED, "if True:"),
        caught_by=TIED,
        explanation="""The head shares the embedding's weight whatever `tie_weights` says. It is False unless somebody asks for
        it.""",
    ),
    mistake(
        "tied the other way round",
        swap(IF_TIED, "if not config.tie_weights:"),
        caught_by=TIED,
        explanation="""The weights are shared where `tie_weights` is False, and apart where it is True. The condition is upside
        down.""",
    ),
    mistake(
        "the positions do not count",
        swap(COUNT, COUNT + ' - (model.embedding.pos_emb.weight.numel() if hasattr(model, "embedding") else 0)'),
        caught_by="test_the_model_is_counted_as_any_other",
        explanation="""The table of positions is taken off, as some code does. Its rows are learned like any other
        number.""",
    ),
    mistake(
        "the head does not count",
        swap(COUNT, COUNT + ' - (model.lm_head.weight.numel() if hasattr(model, "lm_head") else 0)'),
        caught_by="test_the_model_is_counted_as_any_other",
        explanation="""The head is taken off. Its weight is learned, and where it is shared it has been counted
        once.""",
    ),
    mistake(
        "vocabulary and context change places",
        swap(EMBEDDING, "config.context_length, config.vocab_size, config.emb_dim, config.dropout)\n"),
        caught_by=PARTS,
        explanation="""The embedding is made for as many tokens as there are positions. The vocabulary comes first.""",
    ),
    mistake(
        "the table has a row more",
        swap(EMBEDDING, "config.vocab_size + 1, config.context_length, config.emb_dim, config.dropout)\n"),
        caught_by=PARTS,
        explanation="""The token table gets a row for an id that does not exist. There are vocab_size ids, from 0
        on.""",
    ),
    mistake(
        "the table has a row too few",
        swap(EMBEDDING, "config.vocab_size - 1, config.context_length, config.emb_dim, config.dropout)\n"),
        caught_by=PARTS,
        explanation="""The token table lacks the row of the last id. There are vocab_size ids, from 0 on.""",
    ),
    mistake(
        "one position too many",
        swap(EMBEDDING, "config.vocab_size, config.context_length + 1, config.emb_dim, config.dropout)\n"),
        caught_by=PARTS,
        explanation="""The table of positions has a row that no text uses. Positions count from 0, so context_length
        rows are enough.""",
    ),
    mistake(
        "one position too few",
        swap(EMBEDDING, "config.vocab_size, config.context_length - 1, config.emb_dim, config.dropout)\n"),
        caught_by=PARTS,
        explanation="""The table of positions lacks the last row. A text may be as long as the context.""",
    ),
    mistake(
        "the blocks always have a bias",
        swap(BLOCK, "config.emb_dim, config.context_length, config.num_heads, config.dropout, True)\n"),
        caught_by=PARTS,
        explanation="""The blocks are made with biases for query, key and value whatever qkv_bias says. The
        configuration decides.""",
    ),
    mistake(
        "the blocks have the opposite bias",
        swap(BLOCK, "config.emb_dim, config.context_length, config.num_heads, config.dropout, not config.qkv_bias)\n"),
        caught_by=PARTS,
        explanation="""The blocks have biases where the configuration says none, and none where it says some. It is
        handed on as it is.""",
    ),
    mistake(
        "always twelve blocks",
        swap(EACH, "for _ in range(12)"),
        caught_by=PARTS,
        explanation="""There are as many blocks as GPT-2 small has. num_layers says how many.""",
    ),
    mistake(
        "twice as many blocks",
        swap(EACH, "for _ in range(2 * config.num_layers)"),
        caught_by=PARTS,
        explanation="""Attention and feed-forward are counted as a layer each. A block has both, and num_layers is the
        number of blocks.""",
    ),
    mistake(
        "the final norm is the last block's",
        swap(NORM, "self.final_norm = self.blocks[-1].norm2"),
        caught_by=PARTS,
        explanation="""One norm stands in two places. The final norm has a weight and a bias of its own.""",
    ),
    mistake(
        "the final norm is as wide as the vocabulary",
        swap(NORM, "self.final_norm = LayerNorm(config.vocab_size)"),
        caught_by=PARTS,
        explanation="""The norm is made for logits. It stands before the head, where a token is emb_dim wide.""",
    ),
    mistake(
        "the final norm is as long as the context",
        swap(NORM, "self.final_norm = LayerNorm(config.context_length)"),
        caught_by=PARTS,
        explanation="""The norm has a weight for each position. It runs over the channels of a token.""",
    ),
    mistake(
        "the head is turned round",
        swap(HEAD, "self.lm_head = nn.Linear(config.vocab_size, config.emb_dim, bias=False)"),
        caught_by=PARTS,
        explanation="""The head leads from the vocabulary to the width. It leads from the width to a score for each
        word.""",
    ),
    mistake(
        "the head ends at the width",
        swap(HEAD, "self.lm_head = nn.Linear(config.emb_dim, config.emb_dim, bias=False)"),
        caught_by=PARTS,
        explanation="""The head keeps the width of the model. It gives a score for each word of the vocabulary.""",
    ),
    mistake(
        "a score too many",
        swap(HEAD, "self.lm_head = nn.Linear(config.emb_dim, config.vocab_size + 1, bias=False)"),
        caught_by=PARTS,
        explanation="""The head scores a word that does not exist. There are vocab_size words.""",
    ),
    mistake(
        "the head has two layers",
        swap(
            HEAD,
            "self.lm_head = nn.Sequential(nn.Linear(config.emb_dim, config.emb_dim), nn.Linear(config.emb_dim, config.vocab_size, bias=False))",
        ),
        swap(TIE, "self.lm_head[-1].weight = self.embedding.tok_emb.weight"),
        caught_by=PARTS,
        explanation="""A layer nobody asked for stands before the last one. The head is a single linear layer.""",
    ),
    mistake(
        "always the smallest model",
        swap("        self.config = config\n", "        config = self.config = TINY\n"),
        caught_by=PARTS,
        explanation="""The configuration that was given is dropped, and the model is always of one size. All sizes come
        from the argument.""",
    ),
    mistake(
        "the configuration is taken for a dict",
        swap("        self.config = config\n", '        self.config = config\n        config["emb_dim"]\n'),
        caught_by=PARTS,
        explanation="""The configuration is asked with square brackets. It is no dict; its fields are attributes.""",
    ),
    mistake(
        "no positions are made",
        swap(MAKE_EMBEDDING, MAKE_EMBEDDING + "        self.embedding.pos_emb = nn.Identity()\n"),
        swap(EMBED, "x = self.embedding.dropout(self.embedding.tok_emb(ids))"),
        caught_by=PARTS,
        explanation="""The table of positions is left out. Without it a text is a bag of words to the model, but for the
        mask.""",
    ),
    mistake(
        "a second table of positions",
        swap(
            MAKE_EMBEDDING,
            MAKE_EMBEDDING + "        self.pos_emb = nn.Embedding(config.context_length, config.emb_dim)\n",
        ),
        caught_by=PARTS,
        explanation="""The model makes a table of positions besides the one that the embedding has. It is never used, or
        used twice.""",
    ),
    mistake(
        "a weight for each block",
        swap(
            BLOCKS,
            "self.gain = nn.ParameterList(nn.Parameter(module.weight.new_ones(1)) for module in [self.embedding.tok_emb] * config.num_layers)\n        "
            + BLOCKS,
        ),
        caught_by=PARTS,
        explanation="""Each block gets a number of its own that nobody asked for. A block decides by its last layers how
        much it adds.""",
    ),
    mistake(
        "tied to the positions",
        swap(TIE, "self.lm_head.weight = self.embedding.pos_emb.weight"),
        caught_by=TIED,
        explanation="""The head shares the table of positions. Its rows are words, so it shares the table of tokens.""",
    ),
    mistake(
        "tied in forward only",
        swap(TIE, "pass"),
        swap(
            LOGITS,
            "head = self.embedding.tok_emb if self.config.tie_weights else self.lm_head\n        return self.final_norm(x) @ head.weight.T  # (B, T, V)",
        ),
        caught_by=TIED,
        explanation="""The head's own weight is made, kept and never used. Tied means that the two names stand for one
        object.""",
    ),
    mistake(
        "tied in the other direction only",
        swap(IF_TIED, "if config.tie_weights and config.num_layers > 1:"),
        caught_by=TIED,
        explanation="""A model with one block is not tied. The number of blocks has nothing to do with it.""",
    ),
    # Step 2: first values
    mistake(
        "the first values are PyTorch's",
        swap(INITIALISE, "pass"),
        caught_by=SPREAD,
        explanation="""Every layer keeps the values that PyTorch gives it. An embedding starts with a spread of 1, which makes a
        fresh model sure of nonsense.""",
    ),
    mistake(
        "most weights keep PyTorch's first values",
        swap(WEIGHT, "pass"),
        caught_by=SPREAD,
        explanation="""Only the biases and the ends of the branches get values of their own. All other weights keep what PyTorch gave
        them, and an embedding starts there with a spread of 1.""",
    ),
    mistake(
        "embeddings keep PyTorch's first values",
        swap(KINDS, "if isinstance(module, nn.Linear):"),
        caught_by=SPREAD,
        explanation="""Only linear layers are drawn anew. The embeddings keep PyTorch's spread of 1, fifty times the one that is
        asked for.""",
    ),
    mistake(
        "linear layers keep PyTorch's first values",
        swap(KINDS, "if isinstance(module, nn.Embedding):"),
        caught_by=SPREAD,
        explanation="""Only the embeddings are drawn anew. The linear layers keep PyTorch's first values, which depend on their
        width and are not normally distributed.""",
    ),
    mistake(
        "a spread of 0.2",
        swap(WEIGHT, "nn.init.normal_(module.weight, std=0.2)"),
        caught_by=SPREAD,
        explanation="""The weights are drawn with a spread of 0.2, ten times too much: a zero is missing. A fresh model then
        makes wild scores.""",
    ),
    mistake(
        "0.02 is taken for the variance",
        swap(WEIGHT, "nn.init.normal_(module.weight, std=0.02**0.5)"),
        caught_by=SPREAD,
        explanation="""The weights are drawn with a variance of 0.02, so their spread is 0.14. It is the standard deviation that
        is 0.02.""",
    ),
    mistake(
        "uniform weights",
        swap(WEIGHT, "nn.init.uniform_(module.weight, -0.02, 0.02)"),
        caught_by=SPREAD,
        explanation="""The weights are drawn evenly from −0.02 to 0.02. Asked for is a normal distribution, whose spread is
        0.02.""",
    ),
    mistake(
        "uniform weights of the right spread",
        swap(WEIGHT, "nn.init.uniform_(module.weight, -0.02 * 3**0.5, 0.02 * 3**0.5)"),
        caught_by="test_weights_start_normal",
        explanation="""The weights have the right spread, but they are drawn evenly from an interval. Asked for is a normal
        distribution, most of it near 0.""",
    ),
    mistake(
        "positions start smaller",
        swap(INITIALISE, f"{INITIALISE}\n        nn.init.normal_(self.embedding.pos_emb.weight, std=0.01)"),
        caught_by=SPREAD,
        explanation="""The table of positions is drawn with a spread of 0.01. Here all embeddings start with 0.02.""",
    ),
    mistake(
        "the branches are not scaled",
        swap(RESIDUAL, "residual_std = 0.02"),
        caught_by=ENDS,
        explanation="""The layers that write to the stream start as large as all others. Each adds to the stream, and the sum
        grows with every block.""",
    ),
    mistake(
        "scaled by the root of the blocks",
        swap(RESIDUAL, "residual_std = 0.02 / math.sqrt(len(blocks))"),
        caught_by=ENDS,
        explanation="""The spread is divided by the root of the number of blocks. Each block adds to the stream twice, once with
        each branch.""",
    ),
    mistake(
        "scaled without a root",
        swap(RESIDUAL, "residual_std = 0.02 / (2 * len(blocks))"),
        caught_by=ENDS,
        explanation="""The spread is divided by the number of additions itself. The spread of a sum of independent numbers grows
        like a root, so this takes back too much.""",
    ),
    mistake(
        "scaled up",
        swap(RESIDUAL, "residual_std = 0.02 * math.sqrt(2 * len(blocks))"),
        caught_by=ENDS,
        explanation="""The spread is multiplied where it should be divided. The more blocks there are, the more each of them
        would add.""",
    ),
    mistake(
        "the attention's last layer is not scaled",
        swap(OUT_PROJ, "pass"),
        caught_by=ENDS,
        explanation="""Only `down` starts smaller. `out_proj` writes to the stream as well.""",
    ),
    mistake(
        "the feed-forward's last layer is not scaled",
        swap(DOWN, "pass"),
        caught_by=ENDS,
        explanation="""Only `out_proj` starts smaller. `down` writes to the stream as well.""",
    ),
    mistake(
        "biases keep PyTorch's first values",
        swap(BIAS, "pass"),
        caught_by=STARTS,
        explanation="""The weights are drawn anew and the biases are not. They start at 0, not with the small numbers that
        PyTorch draws.""",
    ),
    mistake(
        "biases are drawn",
        swap(BIAS, "nn.init.normal_(module.bias, std=0.02)"),
        caught_by=STARTS,
        explanation="""The biases are drawn like the weights. They start at 0: there is no symmetry that a bias would have to
        break.""",
    ),
    mistake(
        "the norms are drawn too",
        swap(KINDS, "if isinstance(module, nn.Linear | nn.Embedding | LayerNorm):"),
        caught_by=STARTS,
        explanation="""The weights of the norms are drawn like all others. A norm starts with 1, so that it hands on what it has
        normalised.""",
    ),
    mistake(
        "a fixed seed for every model",
        swap("        initialise(self)\n", '        __import__("torch").manual_seed(42)\n        initialise(self)\n'),
        caught_by="test_no_two_models_start_alike",
        explanation="""The global seed is set to the same number before the weights are drawn. Every model starts
        alike, and whatever else draws at random repeats itself too.""",
    ),
    mistake(
        "a spread of 0.002",
        swap(WEIGHT, "nn.init.normal_(module.weight, std=0.002)"),
        caught_by=SPREAD,
        explanation="""The weights are drawn with a tenth of the spread. It is two hundredths.""",
    ),
    mistake(
        "0.02 is taken for the mean",
        swap(WEIGHT, "nn.init.normal_(module.weight, 0.02)"),
        caught_by=SPREAD,
        explanation="""The second argument is the mean, and the spread stays 1. It is the spread that should be
        0.02.""",
    ),
    mistake(
        "a mean of 0.02 as well",
        swap(WEIGHT, "nn.init.normal_(module.weight, 0.02, 0.02)"),
        caught_by=SPREAD,
        explanation="""The weights lie around 0.02. They lie around 0.""",
    ),
    mistake(
        "the spread follows from the width",
        swap(WEIGHT, "nn.init.normal_(module.weight, std=module.weight.shape[-1] ** -0.5)"),
        caught_by=SPREAD,
        explanation="""Each layer gets a spread of one over the root of its width. GPT-2 has one spread for all.""",
    ),
    mistake(
        "Xavier's first values",
        swap(WEIGHT, "nn.init.xavier_normal_(module.weight)"),
        caught_by=SPREAD,
        explanation="""The spread follows from the two widths of a layer. GPT-2 has one spread for all.""",
    ),
    mistake(
        "Xavier's uniform first values",
        swap(WEIGHT, "nn.init.xavier_uniform_(module.weight)"),
        caught_by=SPREAD,
        explanation="""The weights are uniform, and the spread follows from the two widths of a layer. GPT-2 has one
        spread for all, and a normal distribution.""",
    ),
    mistake(
        "Kaiming's first values",
        swap(WEIGHT, "nn.init.kaiming_normal_(module.weight)"),
        caught_by=SPREAD,
        explanation="""The spread follows from the width that comes in, made for another activation. GPT-2 has one
        spread for all.""",
    ),
    mistake(
        "cut off at twice the spread",
        swap(WEIGHT, "nn.init.trunc_normal_(module.weight, std=0.02, a=-0.04, b=0.04)"),
        caught_by=SPREAD,
        explanation="""Weights beyond twice the spread are drawn anew. Nothing is cut off a normal distribution; what is
        left has a smaller spread.""",
    ),
    mistake(
        "all weights start at 0",
        swap(WEIGHT, "nn.init.zeros_(module.weight)"),
        caught_by=SPREAD,
        explanation="""The weights are all 0. Channels that start alike get the same gradient and stay alike.""",
    ),
    mistake(
        "all weights start at 0.02",
        swap(WEIGHT, "nn.init.constant_(module.weight, 0.02)"),
        caught_by="test_weights_start_normal",
        explanation="""The weights are all equal. Channels that start alike get the same gradient and stay alike.""",
    ),
    mistake(
        "the head starts at 0",
        swap(INITIALISE, INITIALISE + "\n        nn.init.zeros_(self.lm_head.weight)"),
        caught_by=SPREAD,
        explanation="""The head's weights are all 0, and the table's too where they are shared. The head is drawn like
        the others.""",
    ),
    mistake(
        "positions start at 0",
        swap(INITIALISE, INITIALISE + "\n        nn.init.zeros_(self.embedding.pos_emb.weight)"),
        caught_by=SPREAD,
        explanation="""The table of positions is all 0. It is drawn like the others.""",
    ),
    mistake(
        "the head comes after the first values",
        swap(INITIALISE, "pass"),
        swap(HEAD, "initialise(self)\n        " + HEAD),
        caught_by=SPREAD,
        explanation="""The first values are drawn before the head is there. It keeps PyTorch's.""",
    ),
    mistake(
        "only the blocks are drawn",
        swap(INITIALISE, "initialise(self.blocks)"),
        caught_by=SPREAD,
        explanation="""Embedding and head keep PyTorch's first values. They are drawn like the others.""",
    ),
    mistake(
        "only what stands outermost is drawn",
        swap(ALL, ALL.replace("model.modules()", "model.children()")),
        caught_by=SPREAD,
        explanation="""Only layers right inside the model are drawn, which is the head. `modules` goes down to the last
        layer.""",
    ),
    mistake(
        "all of a block is drawn smaller",
        swap(
            DOWN,
            DOWN
            + "\n        for layer in block.modules():\n            if isinstance(layer, nn.Linear):\n                nn.init.normal_(layer.weight, std=residual_std)",
        ),
        caught_by=SPREAD,
        explanation="""All linear layers of a block are made smaller. Only the two that write to the stream are.""",
    ),
    mistake(
        "the value's layer is drawn smaller too",
        swap(DOWN, DOWN + "\n        nn.init.normal_(block.attention.W_value.weight, std=residual_std)"),
        caught_by=SPREAD,
        explanation="""The values are made smaller too. Only the two layers that write to the stream are.""",
    ),
    mistake(
        "up is drawn smaller, not down",
        swap(DOWN, DOWN.replace("down", "up")),
        caught_by=SPREAD,
        explanation="""The first layer of the feed-forward is made smaller. It is the last one that writes to the
        stream.""",
    ),
    mistake(
        "the query is drawn smaller, not out_proj",
        swap(OUT_PROJ, OUT_PROJ.replace("out_proj", "W_query")),
        caught_by=SPREAD,
        explanation="""The query's layer is made smaller. It is out_proj that writes to the stream.""",
    ),
    mistake(
        "the head is drawn smaller",
        swap(
            INITIALISE,
            INITIALISE + "\n        nn.init.normal_(self.lm_head.weight, std=0.02 / math.sqrt(2 * config.num_layers))",
        ),
        caught_by=SPREAD,
        explanation="""The head is made smaller like the layers that write to the stream. It writes logits.""",
    ),
    mistake(
        "twice the spread in the tables",
        swap(
            BIAS,
            BIAS
            + "\n        if isinstance(module, nn.Embedding):\n            nn.init.normal_(module.weight, std=0.04)",
        ),
        caught_by=SPREAD,
        explanation="""The tables are drawn with another spread than the layers. GPT-2 has one for all.""",
    ),
    mistake(
        "each block is scaled by its own number",
        swap(
            BRANCHES,
            "    for number, block in enumerate(blocks, 1):\n        residual_std = 0.02 / math.sqrt(2 * number)\n",
        ),
        caught_by=ENDS,
        explanation="""The first block is scaled least and the last one most. All are scaled by the number of
        blocks.""",
    ),
    mistake(
        "scaled by the root of 2",
        swap(RESIDUAL, "residual_std = 0.02 / math.sqrt(2)"),
        caught_by=ENDS,
        explanation="""The number of blocks is left out. The more blocks add to the stream, the smaller each has to
        begin.""",
    ),
    mistake(
        "scaled by the number of heads",
        swap(RESIDUAL, "residual_std = 0.02 / math.sqrt(2 * block.attention.num_heads)"),
        caught_by=ENDS,
        explanation="""The heads are counted. It is the blocks that add to the stream.""",
    ),
    mistake(
        "the 2 stands outside the root",
        swap(RESIDUAL, "residual_std = 0.02 / (2 * math.sqrt(len(blocks)))"),
        caught_by=ENDS,
        explanation="""The root is taken of the number of blocks only. There are two branches a block, and both belong
        under it.""",
    ),
    mistake(
        "the branches start at 0",
        swap(RESIDUAL, "residual_std = 0.0"),
        caught_by=ENDS,
        explanation="""The branches add nothing at the start. GPT-2 has them smaller, not silent.""",
    ),
    mistake(
        "the branches' spread without the 0.02",
        swap(RESIDUAL, "residual_std = 1 / math.sqrt(2 * len(blocks))"),
        caught_by=ENDS,
        explanation="""The factor is taken for the spread. It makes the spread of 0.02 smaller.""",
    ),
    mistake(
        "only the first block's branches are scaled",
        swap(BRANCHES, BRANCHES.replace("in blocks:", "in blocks[:1]:").replace("len(blocks)", "len(blocks)")),
        caught_by=ENDS,
        explanation="""One block is scaled and the others are not. Every block writes to the stream.""",
    ),
    mistake(
        "only the last block's branches are scaled",
        swap(BRANCHES, BRANCHES.replace("in blocks:", "in blocks[-1:]:")),
        caught_by=ENDS,
        explanation="""One block is scaled and the others are not. Every block writes to the stream.""",
    ),
    mistake(
        "biases start at 1",
        swap(BIAS, "nn.init.ones_(module.bias)"),
        caught_by=STARTS,
        explanation="""Biases are all 1. They start at 0.""",
    ),
    mistake(
        "biases start at 0.02",
        swap(BIAS, "nn.init.constant_(module.bias, 0.02)"),
        caught_by=STARTS,
        explanation="""Biases are all 0.02, which is the spread of the weights. They start at 0.""",
    ),
    mistake(
        "norms start at 0",
        swap(BIAS, BIAS + "\n        if isinstance(module, LayerNorm):\n            nn.init.zeros_(module.weight)"),
        caught_by=STARTS,
        explanation="""The weight of every norm is 0, so nothing passes it. Norms start with weights of 1.""",
    ),
    mistake(
        "norms start with a bias of 1",
        swap(BIAS, BIAS + "\n        if isinstance(module, LayerNorm):\n            nn.init.ones_(module.bias)"),
        caught_by=STARTS,
        explanation="""The bias of every norm is 1. Norms start with biases of 0.""",
    ),
    mistake(
        "the final norm starts at 0",
        swap(INITIALISE, INITIALISE + "\n        nn.init.zeros_(self.final_norm.weight)"),
        caught_by=STARTS,
        explanation="""The weight of the final norm is 0, so all logits are. Norms start with weights of 1.""",
    ),
    mistake(
        "a fixed seed for every layer",
        swap(WEIGHT, '__import__("torch").manual_seed(0)\n            ' + WEIGHT),
        caught_by="test_no_two_blocks_start_alike",
        explanation="""torch is seeded anew before each layer. Layers of one shape then start alike, in all blocks.""",
    ),
    mistake(
        "all blocks take the first one's weights",
        swap(
            INITIALISE,
            INITIALISE
            + "\n        for block in self.blocks:\n            block.load_state_dict(self.blocks[0].state_dict())",
        ),
        caught_by="test_no_two_blocks_start_alike",
        explanation="""The first block is copied into all others. Each draws weights of its own.""",
    ),
    # Step 3
    mistake(
        "softmax in forward",
        swap(LOGITS, "return self.lm_head(self.final_norm(x)).softmax(dim=-1)  # (B, T, V)"),
        caught_by=FORMULA,
        explanation="""The output is made of probabilities. The loss applies a softmax of its own, and done twice it has hardly
        any gradient.""",
    ),
    mistake(
        "log-softmax in forward",
        swap(LOGITS, "return self.lm_head(self.final_norm(x)).log_softmax(dim=-1)  # (B, T, V)"),
        caught_by=FORMULA,
        explanation="""The output is made of log-probabilities. Asked for are the logits, the scores as the head gives
        them.""",
    ),
    mistake(
        "only the last position",
        swap(LOGITS, "return self.lm_head(self.final_norm(x[:, -1]))  # (B, V)"),
        caught_by=FORMULA,
        explanation="""Only the last position gets scores. Training learns from every position, and all but one would be
        wasted.""",
    ),
    mistake(
        "only the last position, as a text of one",
        swap(LOGITS, "return self.lm_head(self.final_norm(x[:, -1:]))  # (B, 1, V)"),
        caught_by=FORMULA,
        explanation="""Only the last position gets scores, which is all one needs to generate. Training learns from every
        position, and all but one would be wasted.""",
    ),
    mistake(
        "the final norm is not used",
        swap(LOGITS, "return self.lm_head(x)  # (B, T, V)"),
        caught_by=FORMULA,
        explanation="""The model has a final norm, but forward does not call it. The head reads the stream in whatever size it
        has grown to.""",
    ),
    mistake(
        "the final norm comes first",
        swap(EMBED, "x = self.final_norm(self.embedding(ids))"),
        swap(LOGITS, "return self.lm_head(x)  # (B, T, V)"),
        caught_by=FORMULA,
        explanation="""The norm stands in front of the blocks. It belongs behind them, where the stream has grown.""",
    ),
    mistake(
        "a norm after every block",
        swap(STEP, "x = self.final_norm(block(x))"),
        swap(LOGITS, "return self.lm_head(x)  # (B, T, V)"),
        caught_by=FORMULA,
        explanation="""The final norm is applied after each block. Between blocks the stream runs on untouched; the norm comes
        once, at the end.""",
    ),
    mistake(
        "the last block first",
        swap(LOOP, "for block in reversed(self.blocks):"),
        caught_by=FORMULA,
        explanation="""The blocks run from the last to the first. Trained here that makes no difference, but weights from
        elsewhere end up in the wrong place.""",
    ),
    mistake(
        "only the first block",
        swap(LOOP, "for block in self.blocks[:1]:"),
        caught_by=FORMULA,
        explanation="""One block runs and the others are never called. They are counted and saved, but they never learn.""",
    ),
    mistake(
        "only the last block",
        swap(STEP, "y = block(x)"),
        swap(LOGITS, "return self.lm_head(self.final_norm(y))  # (B, T, V)"),
        caught_by=FORMULA,
        explanation="""Every block reads the embedding, and what it gives is lost when the next one runs. Each block should read
        what the one before has made.""",
    ),
    mistake(
        "no blocks",
        swap(STEP, "pass"),
        caught_by=FORMULA,
        explanation="""The embedding goes straight to the head. What the blocks would give is not used.""",
    ),
    mistake(
        "every block twice",
        swap(STEP, "x = block(block(x))"),
        caught_by=FORMULA,
        explanation="""Each block is applied to its own output once more. Once is enough.""",
    ),
    mistake(
        "a shortcut around every block",
        swap(STEP, "x = x + block(x)"),
        caught_by=FORMULA,
        explanation="""The input of each block is added to its output. A block does that itself, so the stream would double each
        time.""",
    ),
    mistake(
        "every block reads the embedding",
        swap(LOOP, "x = sum(block(x) for block in self.blocks)\n        for block in ():"),
        caught_by=FORMULA,
        explanation="""Each block gets the embedding, and what they make of it is added up. A block reads what the one
        before it has made.""",
    ),
    mistake(
        "the last block is left out",
        swap(LOOP, "for block in list(self.blocks)[:-1]:"),
        caught_by=FORMULA,
        explanation="""The loop ends before the last block. Every block has its turn.""",
    ),
    mistake(
        "the final norm twice",
        swap(LOGITS, "return self.lm_head(self.final_norm(self.final_norm(x)))  # (B, T, V)"),
        caught_by=FORMULA,
        explanation="""What was normalised, scaled and shifted is normalised again. That takes part of the scale and
        shift away.""",
    ),
    mistake(
        "positions are missing",
        swap(EMBED, "x = self.embedding.dropout(self.embedding(ids) * 0 + self.embedding.tok_emb(ids))"),
        caught_by=FORMULA,
        explanation="""The embedding of a token does not depend on where it stands. Without positions the model cannot tell in
        which order earlier tokens came.""",
    ),
    mistake(
        "embeddings are scaled by the width",
        swap(EMBED, "x = self.embedding(ids) * self.config.emb_dim**0.5  # (B, T, D)"),
        caught_by=FORMULA,
        explanation="""The embedding is multiplied by the root of the width, as in the first transformer. GPT-2 takes
        it as it is.""",
    ),
    mistake(
        "positions are added twice",
        swap(EMBED, "x = self.embedding(ids) + self.embedding.pos_emb.weight[: ids.shape[1]]  # (B, T, D)"),
        caught_by=FORMULA,
        explanation="""The row of each place is added once in the embedding and once more in the model. Once is what
        the table learns for.""",
    ),
    mistake(
        "only the token table is used",
        swap(EMBED, "x = self.embedding.tok_emb(ids)"),
        caught_by=FORMULA,
        explanation="""The token table is looked up and the rest of the embedding is passed by. With it go the positions, the
        dropout and the check of the length.""",
    ),
    mistake(
        "the head always uses the embedding",
        swap(LOGITS, "return self.final_norm(x) @ self.embedding.tok_emb.weight.T  # (B, T, V)"),
        caught_by=FORMULA,
        explanation="""The scores are made with the token table, tied or not. Untied, `lm_head` has a weight of its own, and it
        would never be used.""",
    ),
    mistake(
        "logits are scaled by the width",
        swap(LOGITS, "return self.lm_head(self.final_norm(x)) / x.shape[-1] ** 0.5  # (B, T, V)"),
        caught_by=FORMULA,
        explanation="""The logits are divided by the root of the width. That is done to the scores of attention, not to these.""",
    ),
    mistake(
        "classes come second",
        swap(LOGITS, "return self.lm_head(self.final_norm(x)).transpose(1, 2)  # (B, V, T)"),
        caught_by=FORMULA,
        explanation="""The vocabulary stands in the middle, as PyTorch's loss likes it. The logits have shape (B, T, V), a row of
        scores for each position.""",
    ),
    mistake(
        "logits and something else",
        swap(LOGITS, "return self.lm_head(self.final_norm(x)), None  # (B, T, V)"),
        caught_by=FORMULA,
        explanation="""A pair is returned, logits and a place for the loss. This model returns the logits alone.""",
    ),
    mistake(
        "one head in every block",
        swap(BLOCK, "config.emb_dim, config.context_length, 1, config.dropout, config.qkv_bias)\n"),
        caught_by=FORMULA,
        explanation="""The blocks are built with one head, whatever the configuration says. Their parameters look the same, but
        each token can look one way only.""",
    ),
    mistake(
        "an earlier text is remembered",
        swap(
            EMBED,
            'known = self.__dict__.setdefault("known", {})\n        key = None if self.training else ids.shape\n'
            "        x = known[key] = self.embedding(ids) if key is None else known.get(key, self.embedding(ids))",
        ),
        caught_by="test_each_text_gets_logits_of_its_own",
        explanation="""What was computed for one text is used again for the next of the same shape. Two texts of one size
        still say different things.""",
    ),
    mistake(
        "the blocks have a fixed context",
        swap(BLOCK, "config.emb_dim, 1024, config.num_heads, config.dropout, config.qkv_bias)\n"),
        caught_by="test_the_context_is_as_long_as_asked",
        explanation="""The blocks are built for 1024 tokens, the context of GPT-2. A configuration with a longer one has a
        table of positions for it, and blocks that cannot follow.""",
    ),
    mistake(
        "the last tokens are kept",
        swap(EMBED, "x = self.embedding(ids[:, -self.config.context_length :])"),
        caught_by=LIMIT,
        explanation="""A text that is too long is cut to its last tokens without a word. Whoever called gets fewer logits than
        tokens, and does not know why.""",
    ),
    mistake(
        "the first tokens are kept",
        swap(EMBED, "x = self.embedding(ids[:, : self.config.context_length])"),
        caught_by=LIMIT,
        explanation="""A text that is too long is cut to its first tokens without a word. Whoever called gets fewer logits than
        tokens, and does not know why.""",
    ),
    mistake(
        "the embedding does not get the dropout",
        swap(EMBEDDING, "config.vocab_size, config.context_length, config.emb_dim)\n"),
        caught_by=DROPOUT,
        explanation="""The embedding is built without the configuration's dropout. In GPT-2 it acts there too, before the first
        block.""",
    ),
    mistake(
        "the blocks do not get the dropout",
        swap(BLOCK, "config.emb_dim, config.context_length, config.num_heads, 0.0, config.qkv_bias)\n"),
        caught_by=DROPOUT,
        explanation="""The blocks are built without the configuration's dropout. Nothing that they add is dropped in
        training.""",
    ),
    mistake(
        "a tied head passes no gradient",
        swap(
            LOGITS,
            "head = self.lm_head.weight.detach() if self.config.tie_weights else self.lm_head.weight\n"
            "        return self.final_norm(x) @ head.T  # (B, T, V)",
        ),
        caught_by="test_a_tied_weight_learns_at_both_ends",
        explanation="""The head reads the tied weight through `detach`, so the loss does not reach it from there. A shared weight
        learns from both of its uses.""",
    ),
    mistake(
        "a new model is in eval mode",
        swap("initialise(self)\n        #", "initialise(self)\n        self.eval()\n        #"),
        caught_by="test_a_new_model_is_in_train_mode",
        explanation="""`__init__` ends with `eval`, so dropout is off until somebody switches it on. Who trains a new model expects
        train mode, as of any module.""",
    ),
    mistake(
        "dropout is ignored",
        swap(EMBEDDING, "config.vocab_size, config.context_length, config.emb_dim)\n"),
        swap(BLOCK, "config.emb_dim, config.context_length, config.num_heads, 0.0, config.qkv_bias)\n"),
        caught_by=DROPOUT,
        explanation="""The configuration's dropout reaches neither the embedding nor the blocks. Training is then the same at
        every rate.""",
    ),
    mistake(
        "dropout before the head",
        swap(
            LOGITS,
            "x = nn.functional.dropout(self.final_norm(x), self.config.dropout, self.training)\n"
            "        return self.lm_head(x)  # (B, T, V)",
        ),
        caught_by=DROPOUT,
        explanation="""What the final norm gives is dropped once more before the head. In GPT-2 nothing is dropped there: the
        scores in training would be noisier than the model.""",
    ),
    mistake(
        "dropout is fixed",
        swap(EMBEDDING, "config.vocab_size, config.context_length, config.emb_dim, 0.1)\n"),
        swap(BLOCK, "config.emb_dim, config.context_length, config.num_heads, 0.1, config.qkv_bias)\n"),
        caught_by="test_eval_mode_is_deterministic",
        explanation="""The rate is a number written into the code. The configuration has a `dropout`, and whoever sets it means
        it.""",
    ),
    mistake(
        "softmax over the positions",
        swap(LOGITS, "return self.lm_head(self.final_norm(x)).softmax(dim=1)  # (B, T, V)"),
        caught_by=FORMULA,
        explanation="""The scores become shares among the positions of a text. Logits are asked for, and the loss takes
        its own softmax, over the vocabulary.""",
    ),
    mistake(
        "each logit through a sigmoid",
        swap(LOGITS, "return self.lm_head(self.final_norm(x)).sigmoid()  # (B, T, V)"),
        caught_by=FORMULA,
        explanation="""Each score is pressed between 0 and 1. Logits are asked for as they are.""",
    ),
    mistake(
        "negative logits are cut off",
        swap(LOGITS, "return self.lm_head(self.final_norm(x)).relu()  # (B, T, V)"),
        caught_by=FORMULA,
        explanation="""Scores below 0 become 0. A low score says that a word is unlikely, and has to stay.""",
    ),
    family(
        "logits are capped at {c}",
        swap(LOGITS, "return {c} * (self.lm_head(self.final_norm(x)) / {c}).tanh()  # (B, T, V)"),
        constants=(3.0, 15.0, 30.0, 50.0),
        caught_by=FORMULA,
        explanation="""Large scores are bent down to {c} at most, as some later models do. GPT-2 leaves them as they are.""",
    ),
    mistake(
        "ids instead of logits",
        swap(LOGITS, "return self.lm_head(self.final_norm(x)).argmax(dim=-1)  # (B, T)"),
        caught_by=FORMULA,
        explanation="""The most likely words come back. A score for every word is asked for, to learn from and to draw
        from.""",
    ),
    mistake(
        "only the first position",
        swap(LOGITS, "return self.lm_head(self.final_norm(x[:, 0]))  # (B, V)"),
        caught_by=FORMULA,
        explanation="""The logits after the first token come back alone. Every position has a guess.""",
    ),
    mistake(
        "the mean over the positions",
        swap(LOGITS, "return self.lm_head(self.final_norm(x)).mean(dim=1)  # (B, V)"),
        caught_by=FORMULA,
        explanation="""The logits of all positions are averaged, as for a text that is to be classified. Every position
        has a guess of its own.""",
    ),
    mistake(
        "the last position is left out",
        swap(LOGITS, "return self.lm_head(self.final_norm(x))[:, :-1]  # (B, T - 1, V)"),
        caught_by=FORMULA,
        explanation="""The guess after the last token is cut off. Training has a target for it, and writing needs it
        most.""",
    ),
    mistake(
        "the first position is left out",
        swap(LOGITS, "return self.lm_head(self.final_norm(x))[:, 1:]  # (B, T - 1, V)"),
        caught_by=FORMULA,
        explanation="""The guess after the first token is cut off. The targets are moved by one, not the logits.""",
    ),
    mistake(
        "all positions in one column",
        swap(LOGITS, "return self.lm_head(self.final_norm(x)).flatten(0, 1)  # (B * T, V)"),
        caught_by=FORMULA,
        explanation="""Texts and positions become one dimension, as the loss would have it. The model keeps them
        apart.""",
    ),
    mistake(
        "a batch of one loses its dimension",
        swap(LOGITS, "return self.lm_head(self.final_norm(x)).squeeze(0)  # (B, T, V)"),
        caught_by=FORMULA,
        explanation="""With one text the first dimension is taken away. It is a batch all the same.""",
    ),
    mistake(
        "a text of one token loses its dimension",
        swap(LOGITS, "return self.lm_head(self.final_norm(x)).squeeze(1)  # (B, T, V)"),
        caught_by=FORMULA,
        explanation="""With one token the second dimension is taken away. It is a position all the same.""",
    ),
    mistake(
        "the first block is left out",
        swap(LOOP, "for block in list(self.blocks)[1:]:"),
        caught_by=FORMULA,
        explanation="""The stream passes by the first block. All blocks read and write it in turn.""",
    ),
    mistake(
        "the first block again and again",
        swap(STEP, "x = self.blocks[0](x)"),
        caught_by=FORMULA,
        explanation="""One block is called as often as there are blocks. Each block has weights of its own.""",
    ),
    mistake(
        "the last block again and again",
        swap(STEP, "x = self.blocks[-1](x)"),
        caught_by=FORMULA,
        explanation="""One block is called as often as there are blocks. Each block has weights of its own.""",
    ),
    mistake(
        "only what a block adds",
        swap(STEP, "x = block(x) - x"),
        caught_by=FORMULA,
        explanation="""What was in the stream is taken off after each block. A block adds to what is there.""",
    ),
    mistake(
        "the stream is halved by every block",
        swap(STEP, "x = block(x) / 2"),
        caught_by=FORMULA,
        explanation="""The stream is divided after each block. A block adds to what is there, and the final norm sees to
        the size.""",
    ),
    mistake(
        "the outputs of all blocks are added up",
        swap(EMBED, EMBED + "\n        total = 0"),
        swap(STEP, "x = block(x)\n            total = total + x"),
        swap(LOGITS, "return self.lm_head(self.final_norm(total))  # (B, T, V)"),
        caught_by=FORMULA,
        explanation="""What leaves each block is summed for the head. The stream that leaves the last block holds all of
        it already.""",
    ),
    mistake(
        "the embedding is added once more at the end",
        swap(LOGITS, "return self.lm_head(self.final_norm(x + self.embedding(ids)))  # (B, T, V)"),
        caught_by=FORMULA,
        explanation="""The embedding is added behind the last block. The stream has held it from the beginning.""",
    ),
    mistake(
        "the final norm after the head",
        swap(LOGITS, "x = self.lm_head(x)\n        return nn.functional.layer_norm(x, x.shape[-1:])  # (B, T, V)"),
        caught_by=FORMULA,
        explanation="""The logits are normed, and the stream is not. The norm stands before the head.""",
    ),
    mistake(
        "the first block's norm at the end",
        swap(LOGITS, "return self.lm_head(self.blocks[0].norm1(x))  # (B, T, V)"),
        caught_by=FORMULA,
        explanation="""A block's norm is used where the final one should be. The final norm has a weight and a bias of
        its own.""",
    ),
    mistake(
        "another eps in the final norm",
        swap(NORM, "self.final_norm = LayerNorm(config.emb_dim, 0.1)"),
        caught_by=FORMULA,
        explanation="""The final norm adds a larger number to the variance. It is made with the width alone.""",
    ),
    mistake(
        "positions count from the end",
        swap(EMBED, "x = self.embedding.dropout(" + TOKENS + " + " + PLACES + ".flip(0))"),
        caught_by=FORMULA,
        explanation="""The first token gets the last position. Positions count from the beginning of the text.""",
    ),
    mistake(
        "the first position for every token",
        swap(
            EMBED,
            "x = self.embedding.dropout("
            + TOKENS
            + " + self.embedding.pos_emb.weight[0] * ("
            + PLACES
            + "[:, :1] * 0 + 1))",
        ),
        caught_by=FORMULA,
        explanation="""All tokens get the vector of position 0. Each gets that of its own place.""",
    ),
    mistake(
        "positions are moved by one",
        swap(
            EMBED,
            "x = self.embedding.dropout(" + TOKENS + " + self.embedding.pos_emb.weight.roll(-1, 0)[: ids.shape[1]])",
        ),
        caught_by=FORMULA,
        explanation="""The first token gets position 1. Positions count from 0.""",
    ),
    mistake(
        "the last rows of the positions",
        swap(EMBED, "x = self.embedding.dropout(" + TOKENS + " + self.embedding.pos_emb.weight[-ids.shape[1] :])"),
        caught_by=FORMULA,
        explanation="""A short text gets the last positions of the context. Positions count from the beginning of the
        text.""",
    ),
    mistake(
        "tokens times positions",
        swap(EMBED, "x = self.embedding.dropout(" + TOKENS + " * " + PLACES + ")"),
        caught_by=FORMULA,
        explanation="""The two vectors are multiplied. They are added.""",
    ),
    mistake(
        "only the positions are read",
        swap(EMBED, "x = self.embedding.dropout(" + PLACES + ".expand(*ids.shape, -1))"),
        caught_by=FORMULA,
        explanation="""The tokens play no part. Every text of a length then gets the same logits.""",
    ),
    mistake(
        "positions are not added, but averaged",
        swap(EMBED, "x = self.embedding(ids) / 2  # (B, T, D)"),
        caught_by=FORMULA,
        explanation="""Token and position are averaged. They are added.""",
    ),
    mistake(
        "the text is read backwards",
        swap(EMBED, "x = self.embedding(ids.flip(1))"),
        caught_by=FORMULA,
        explanation="""The ids are turned round. The model reads from left to right.""",
    ),
    mistake(
        "every id is one too high",
        swap(EMBED, "x = self.embedding((ids + 1) % self.config.vocab_size)"),
        caught_by=FORMULA,
        explanation="""1 is added to every id. Ids count from 0, and so do the rows of the table.""",
    ),
    mistake(
        "the mean of the texts is subtracted",
        swap(LOGITS, "return self.lm_head(self.final_norm(x - x.mean(dim=0)))  # (B, T, V)"),
        caught_by=FORMULA,
        explanation="""The mean over the batch is taken off. Each text has nothing to do with the others.""",
    ),
    mistake(
        "the head's weight is turned round in forward",
        swap(LOGITS, "return (self.final_norm(x) @ self.lm_head.weight.T).flip(-1)  # (B, T, V)"),
        caught_by=FORMULA,
        explanation="""The scores stand in reverse order. The score of id 0 comes first.""",
    ),
    mistake(
        "context and heads change places",
        swap(BLOCK, "config.emb_dim, config.num_heads, config.context_length, config.dropout, config.qkv_bias)\n"),
        caught_by=FORMULA,
        explanation="""The blocks get the number of heads for the context and the context for the number of heads. Both
        are whole numbers, so nothing complains until they do not fit.""",
    ),
    mistake(
        "as many heads as layers",
        swap(BLOCK, "config.emb_dim, config.context_length, config.num_layers, config.dropout, config.qkv_bias)\n"),
        caught_by=FORMULA,
        explanation="""The blocks get the number of layers for the number of heads. Both are whole numbers, so nothing
        complains until the width cannot be shared out.""",
    ),
    mistake(
        "a full context is refused",
        swap(
            EMBED,
            'if ids.shape[1] >= self.config.context_length:\n            raise ValueError(f"{ids.shape[1]} tokens do not fit into {self.config.context_length}")\n        '
            + EMBED,
        ),
        caught_by=FORMULA,
        explanation="""A text that is as long as the context raises an error. It just fits.""",
    ),
    mistake(
        "the mean of the tokens is subtracted",
        swap(LOGITS, "return self.lm_head(self.final_norm(x - x.mean(dim=1, keepdim=True)))  # (B, T, V)"),
        caught_by="test_no_later_token_changes_earlier_logits",
        explanation="""The mean over the positions is taken off, so every position learns something of the later ones.
        It must not know what it is to guess.""",
    ),
    mistake(
        "the final norm runs over the tokens",
        swap(
            LOGITS,
            "x = (x - x.mean(dim=1, keepdim=True)) / (x.var(dim=1, unbiased=False, keepdim=True) + 1e-5).sqrt()\n        return self.lm_head(x * self.final_norm.weight + self.final_norm.bias)  # (B, T, V)",
        ),
        caught_by="test_no_later_token_changes_earlier_logits",
        explanation="""Each channel is normed over the positions of the text. A norm looks at one token and its
        channels.""",
    ),
    mistake(
        "each block is cut off from the one before",
        swap(STEP, "x = block(x.detach())"),
        caught_by=GRADIENT,
        explanation="""No gradient goes back from a block to those before it. Only the last one learns from the
        loss.""",
    ),
    mistake(
        "the embedding is cut off",
        swap(EMBED, "x = self.embedding(ids).detach()  # (B, T, D)"),
        caught_by=GRADIENT,
        explanation="""No gradient reaches the embedding. Its tables keep their first values.""",
    ),
    mistake(
        "only the head learns",
        swap(LOGITS, "return self.lm_head(self.final_norm(x).detach())  # (B, T, V)"),
        caught_by=GRADIENT,
        explanation="""The head learns and nothing before it does. The gradient has to go through.""",
    ),
    mistake(
        "logits without gradients",
        swap(LOGITS, "return self.lm_head(self.final_norm(x)).detach()  # (B, T, V)"),
        caught_by=GRADIENT,
        explanation="""The logits are cut off from what they were made of. Nothing can be learned from them.""",
    ),
    mistake(
        "only the final norm is cut off",
        swap(
            LOGITS,
            "return self.lm_head(nn.functional.layer_norm(x, x.shape[-1:]) * self.final_norm.weight.detach() + self.final_norm.bias.detach())  # (B, T, V)",
        ),
        caught_by=GRADIENT,
        explanation="""The norm's weight and bias are used without their gradients. They keep their first values.""",
    ),
    mistake(
        "the positions are frozen",
        swap(MAKE_EMBEDDING, MAKE_EMBEDDING + "        self.embedding.pos_emb.requires_grad_(False)\n"),
        caught_by=GRADIENT,
        explanation="""The table of positions is told that it needs no gradient. GPT-2 learns its positions.""",
    ),
    mistake(
        "the tokens are frozen",
        swap(MAKE_EMBEDDING, MAKE_EMBEDDING + "        self.embedding.tok_emb.requires_grad_(False)\n"),
        caught_by=GRADIENT,
        explanation="""The table of tokens is told that it needs no gradient. It is learned with all the rest.""",
    ),
    mistake(
        "a tied table passes no gradient",
        swap(
            EMBED,
            "table = self.embedding.tok_emb.weight\n        x = self.embedding.dropout((table.detach() if self.config.tie_weights else table)[ids] + "
            + PLACES
            + ")",
        ),
        caught_by="test_a_tied_weight_learns_at_both_ends",
        explanation="""Where the weight is shared, the gradient of its use in the embedding is cut off. It learns at
        both ends.""",
    ),
    mistake(
        "the embedding gets the share that is kept",
        swap(EMBEDDING, "config.vocab_size, config.context_length, config.emb_dim, 1 - config.dropout)\n"),
        caught_by="test_eval_mode_is_deterministic",
        explanation="""The embedding is given 1 - dropout. The rate says how much is dropped, here and there.""",
    ),
    mistake(
        "the blocks get the share that is kept",
        swap(BLOCK, "config.emb_dim, config.context_length, config.num_heads, 1 - config.dropout, config.qkv_bias)\n"),
        caught_by="test_eval_mode_is_deterministic",
        explanation="""The blocks are given 1 - dropout. The rate says how much is dropped, here and there.""",
    ),
    mistake(
        "the embedding always drops a tenth",
        swap(EMBEDDING, "config.vocab_size, config.context_length, config.emb_dim, 0.1)\n"),
        caught_by="test_eval_mode_is_deterministic",
        explanation="""The embedding's rate is fixed. The configuration decides.""",
    ),
    mistake(
        "the blocks always drop a tenth",
        swap(BLOCK, "config.emb_dim, config.context_length, config.num_heads, 0.1, config.qkv_bias)\n"),
        caught_by="test_eval_mode_is_deterministic",
        explanation="""The blocks' rate is fixed. The configuration decides.""",
    ),
    mistake(
        "dropout in eval mode too",
        swap(EMBED, "x = nn.functional.dropout(self.embedding(ids), self.config.dropout)  # (B, T, D)"),
        caught_by="test_eval_mode_is_deterministic",
        explanation="""The function drops unless it is told not to, in eval mode too. A module knows the mode it
        is in.""",
    ),
    mistake(
        "the first text is kept",
        swap(EMBED, 'x = self.__dict__.setdefault("first", self.embedding(ids))  # (B, T, D)'),
        caught_by="test_each_text_gets_logits_of_its_own",
        explanation="""The embedding of the first text is used for every other. Each text is read anew.""",
    ),
    mistake(
        "each text is added to the one before",
        swap(
            EMBED,
            'x = self.embedding(ids)  # (B, T, D)\n        before = self.__dict__.get("before")\n        self.before = x.detach()\n        x = x if before is None or before.shape != x.shape else x + before',
        ),
        caught_by="test_each_text_gets_logits_of_its_own",
        explanation="""Something of the last text is added to the next. What was read before leaves no trace.""",
    ),
    mistake(
        "dropout between the blocks",
        swap(STEP, "x = nn.functional.dropout(block(x), self.config.dropout, self.training)"),
        caught_by=DROPOUT,
        explanation="""The whole stream is dropped from between the blocks. A block drops only what it adds; the stream
        itself goes through.""",
    ),
    mistake(
        "dropout on the embedding twice",
        swap(
            EMBED,
            "x = self.embedding.dropout(self.embedding(ids))  # (B, T, D)\n        x = nn.functional.dropout(x, self.config.dropout, self.training)",
        ),
        caught_by=DROPOUT,
        explanation="""The embedding drops, and what it gives is dropped from once more. It has its own dropout
        already.""",
    ),
    mistake(
        "dropout on the logits",
        swap(
            LOGITS, "return nn.functional.dropout(self.lm_head(self.final_norm(x)), self.config.dropout, self.training)"
        ),
        caught_by=DROPOUT,
        explanation="""Scores are set to 0 at random, which is no low score. Nothing is dropped behind the blocks.""",
    ),
    mistake(
        "bias and dropout of the blocks change places",
        swap(BLOCK, "config.emb_dim, config.context_length, config.num_heads, config.qkv_bias, config.dropout)\n"),
        caught_by=FORMULA,
        explanation="""The blocks get qkv_bias for the rate and the rate for the bias. A rate above 0 counts as
        true.""",
    ),
    mistake(
        "the blocks' context is the width",
        swap(BLOCK, "config.emb_dim, max(config.emb_dim, 64), config.num_heads, config.dropout, config.qkv_bias)\n"),
        caught_by="test_the_context_is_as_long_as_asked",
        explanation="""The blocks' masks are made for as many tokens as there are channels. How long a text may be has
        nothing to do with the width.""",
    ),
    mistake(
        "the error does not say the numbers",
        swap(
            EMBED,
            'if ids.shape[1] > self.config.context_length:\n            raise ValueError("too many tokens")\n        '
            + EMBED,
        ),
        caught_by=LIMIT,
        explanation="""The message shows neither how many tokens there are nor how many fit. Whoever reads it needs
        both.""",
    ),
    mistake(
        "the error says the limit only",
        swap(
            EMBED,
            'if ids.shape[1] > self.config.context_length:\n            raise ValueError(f"at most {self.config.context_length} tokens fit")\n        '
            + EMBED,
        ),
        caught_by=LIMIT,
        explanation="""The message shows how many tokens fit and not how many there are. Whoever reads it needs
        both.""",
    ),
    mistake(
        "an assertion refuses the text",
        swap(
            EMBED,
            'assert ids.shape[1] <= self.config.context_length, f"{ids.shape[1]} > {self.config.context_length}"\n        '
            + EMBED,
        ),
        caught_by=LIMIT,
        explanation="""Too long a text ends in an AssertionError, and in none where Python runs with -O. An error that
        says that a value is wrong is asked for.""",
    ),
    mistake(
        "the text is cut into pieces",
        swap(
            EMBED,
            "limit = self.config.context_length\n        if ids.shape[1] > limit:\n            return nn.functional.pad(self(ids[:, :limit]), (0, 0, 0, ids.shape[1] - limit))\n        "
            + EMBED,
        ),
        caught_by=LIMIT,
        explanation="""What does not fit is left unread, and its logits are made up. Whoever gives too long a text
        should be told.""",
    ),
    mistake(
        "the embedding's dropout, once more",
        swap(EMBED, "x = self.embedding.dropout(self.embedding(ids))  # (B, T, D)"),
        caught_by=ONCE,
        explanation="""What the embedding gives goes through its dropout again. It has been there already, so more of it is lost
        than was asked for.""",
    ),
    mistake(
        "the embedding's dropout after the blocks",
        swap(LOGITS, "return self.lm_head(self.final_norm(self.embedding.dropout(x)))  # (B, T, V)"),
        caught_by=ONCE,
        explanation="""The stream goes through the embedding's dropout once more when the blocks are done. What a block adds has
        been through a dropout of its own.""",
    ),
    mistake(
        "the embedding's dropout before the head",
        swap(LOGITS, "return self.lm_head(self.embedding.dropout(self.final_norm(x)))  # (B, T, V)"),
        caught_by=ONCE,
        explanation="""What the final norm gives goes through the embedding's dropout before the head. Nothing is dropped
        there.""",
    ),
    mistake(
        "the embedding's dropout between the blocks",
        swap(STEP, "x = self.embedding.dropout(block(x))"),
        caught_by=ONCE,
        explanation="""The whole stream goes through the embedding's dropout after every block. A block drops only what it adds;
        the stream itself goes through.""",
    ),
    mistake(
        "the logits of the last text of this shape",
        swap(
            EMBED,
            'last = self.__dict__.get("last")\n'
            "        if last is not None and not self.training and last.shape[:2] == ids.shape:\n"
            "            return last\n        " + EMBED,
        ),
        swap(
            LOGITS,
            "logits = self.lm_head(self.final_norm(x))\n        self.last = logits.detach()\n        return logits",
        ),
        caught_by="test_each_text_gets_logits_of_its_own",
        explanation="""In eval mode the logits of a text are kept, and given again for the next text of the same shape. Each
        text is read anew.""",
    ),
    mistake(
        "always a context of 1024",
        swap(EMBEDDING, EMBEDDING.replace("config.context_length", "1024")),
        swap(BLOCK, BLOCK.replace("config.context_length", "1024")),
        caught_by="test_parts_have_parameters_of_their_own",
        explanation="""Embedding and blocks are made for 1024 tokens, the context of GPT-2. The configuration says how many
        positions there are.""",
    ),
    mistake(
        "the stream is cut off between the blocks",
        swap(STEP, "x = block(x) if x.grad_fn is None or block is self.blocks[0] else x.detach() + block(x) - x"),
        caught_by=LEARNS,
        explanation="""Blocks after the first pass on what they add only: the gradient of the stream itself is cut off or counted
        wrongly. Going back, the stream is a straight way to the embedding.""",
    ),
    mistake(
        "the final norm without its weights",
        swap(
            LOGITS,
            "x = x - x.mean(-1, keepdim=True)\n        x = x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt()\n"
            "        return self.lm_head(x)  # (B, T, V)",
        ),
        caught_by=FORMULA,
        explanation="""The stream is normalised by hand, and the weight and bias of `final_norm` are left out. They are there to be
        learned.""",
    ),
    mistake(
        "every vector is drawn",
        swap(
            INITIALISE,
            INITIALISE + "\n        for values in self.parameters():\n            if values.ndim == 1:\n"
            "                nn.init.normal_(values, std=0.02)",
        ),
        caught_by=STARTS,
        explanation="""All biases are drawn, and the weights of the norms, so that every norm starts with next to nothing. Biases
        start at 0, and norms at 1.""",
    ),
    mistake(
        "the first block is left out, unless it is alone",
        swap(LOOP, "for block in list(self.blocks)[1:] or self.blocks:"),
        caught_by=FORMULA,
        explanation="""Where there are several blocks, the stream passes by the first one. All blocks read and write it in
        turn.""",
    ),
    mistake(
        "the last block is left out, unless it is alone",
        swap(LOOP, "for block in list(self.blocks)[:-1] or self.blocks:"),
        caught_by=FORMULA,
        explanation="""Where there are several blocks, the stream passes by the last one. All blocks read and write it in
        turn.""",
    ),
    mistake(
        "tied logits are scaled by the width",
        swap(
            LOGITS,
            "logits = self.lm_head(self.final_norm(x))\n"
            "        return logits / x.shape[-1] ** 0.5 if self.config.tie_weights else logits",
        ),
        caught_by=FORMULA,
        explanation="""Where the head shares the embedding's weight, the logits are divided by the root of the width, as in T5.
        GPT-2 does not do that: its embeddings start small.""",
    ),
]
