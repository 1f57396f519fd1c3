"""k10: what people get wrong about the GPT model."""

from dojo.spec import mistake, swap

COUNT = "return sum(parameter.numel() for parameter in model.parameters())"
WEIGHT = "nn.init.normal_(module.weight, std=0.02)"
KINDS = "if isinstance(module, nn.Linear | nn.Embedding):"
BIAS = "nn.init.zeros_(module.bias)"
RESIDUAL = "residual_std = 0.02 / math.sqrt(2 * len(blocks))"
OUT_PROJ = "nn.init.normal_(block.attention.out_proj.weight, std=residual_std)"
DOWN = "nn.init.normal_(block.feed_forward.down.weight, std=residual_std)"
EMBEDDING = "config.vocab_size, config.context_length, config.emb_dim, config.dropout\n"
BLOCKS = "self.blocks = nn.ModuleList("
BLOCK = "config.emb_dim, config.context_length, config.num_heads, config.dropout, config.qkv_bias\n"
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
        caught_by="test_layers_of_one_shape_count_each",
        explanation="""Parameters are told apart by their shapes. Two layers of one size are still two layers, and each learns
        numbers of its own.""",
    ),
    mistake(
        "parameters at one address count once",
        swap(
            COUNT, "return sum({parameter.data_ptr(): parameter.numel() for parameter in model.parameters()}.values())"
        ),
        caught_by="test_layers_of_one_shape_count_each",
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
        swap(BLOCK, "config.emb_dim, config.context_length, config.num_heads, config.dropout\n"),
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
        swap(BLOCK, "config.emb_dim, config.context_length, 1, config.dropout, config.qkv_bias\n"),
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
        swap(BLOCK, "config.emb_dim, 1024, config.num_heads, config.dropout, config.qkv_bias\n"),
        caught_by="test_the_context_is_as_long_as_asked",
        explanation="""The blocks are built for 1024 tokens, the context of GPT-2. A configuration with a longer one has a
        table of positions for it, and blocks that cannot follow.""",
    ),
    mistake(
        "the last tokens are kept",
        swap(EMBED, "x = self.embedding(ids[:, -self.config.context_length :])"),
        caught_by="test_too_many_tokens_are_refused",
        explanation="""A text that is too long is cut to its last tokens without a word. Whoever called gets fewer logits than
        tokens, and does not know why.""",
    ),
    mistake(
        "the first tokens are kept",
        swap(EMBED, "x = self.embedding(ids[:, : self.config.context_length])"),
        caught_by="test_too_many_tokens_are_refused",
        explanation="""A text that is too long is cut to its first tokens without a word. Whoever called gets fewer logits than
        tokens, and does not know why.""",
    ),
    mistake(
        "the embedding does not get the dropout",
        swap(EMBEDDING, "config.vocab_size, config.context_length, config.emb_dim\n"),
        caught_by=DROPOUT,
        explanation="""The embedding is built without the configuration's dropout. In GPT-2 it acts there too, before the first
        block.""",
    ),
    mistake(
        "the blocks do not get the dropout",
        swap(BLOCK, "config.emb_dim, config.context_length, config.num_heads, 0.0, config.qkv_bias\n"),
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
        swap(EMBEDDING, "config.vocab_size, config.context_length, config.emb_dim\n"),
        swap(BLOCK, "config.emb_dim, config.context_length, config.num_heads, 0.0, config.qkv_bias\n"),
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
        swap(EMBEDDING, "config.vocab_size, config.context_length, config.emb_dim, 0.1\n"),
        swap(BLOCK, "config.emb_dim, config.context_length, config.num_heads, 0.1, config.qkv_bias\n"),
        caught_by="test_eval_mode_is_deterministic",
        explanation="""The rate is a number written into the code. The configuration has a `dropout`, and whoever sets it means
        it.""",
    ),
]
