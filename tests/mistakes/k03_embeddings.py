"""k03: what people get wrong about embeddings."""

from dojo.spec import family, mistake, swap

LOOKUP = "return table[ids]"
TOK = "self.tok_emb = nn.Embedding(vocab_size, emb_dim)"
POS = "self.pos_emb = nn.Embedding(context_length, emb_dim)"
DROPOUT = "self.dropout = nn.Dropout(dropout)"
FLOAT = 'if ids.is_floating_point():\n            raise TypeError(f"ids must be integers, got {ids.dtype}")'
LONG = (
    'if T > context_length:\n            raise ValueError(f"{T} tokens do not fit into a context of {context_length}")'
)
OUTSIDE = "outside = ids[(ids < 0) | (ids >= vocab_size)]"
NAMED = 'raise ValueError(f"id {outside[0]} is outside the vocabulary, 0 to {vocab_size - 1}")'
PLACES = "positions = torch.arange(ids.shape[1], device=ids.device)  # (T,)"
SUM = "x = self.tok_emb(ids) + self.pos_emb(positions)  # (B, T, D) + (T, D)"
DROP = "return self.dropout(x)"


def one(name, old, new, caught_by, explanation):
    """A mistake of one swap."""
    return mistake(name, swap(old, new), caught_by=f"test_{caught_by}", explanation=explanation)


EQUALS = "lookup_equals_one_hot_times_table"
ROWS = "there_is_a_row_for_every_token_and_every_place"
FORMULA = "token_row_plus_position_row"

MISTAKES = [
    # Step 1
    one(
        "ids are counted from 1",
        LOOKUP,
        "return table[ids - 1]",
        EQUALS,
        """The row before the right one is taken, and id 0 gets the last. Rows of a table count from 0, and ids do too.""",
    ),
    one(
        "columns instead of rows",
        LOOKUP,
        "return table.T[ids]",
        EQUALS,
        """The table is turned round, so that an id picks a column. A token's vector is a row: there are as many rows as
        tokens.""",
    ),
    one(
        "all sequences in one row",
        LOOKUP,
        "return table[ids.flatten()]",
        EQUALS,
        """The ids are flattened, and the batch is lost. Each sequence keeps its own axis in the result.""",
    ),
    one(
        "the batch and the tokens are exchanged",
        LOOKUP,
        "return table[ids.T]",
        EQUALS,
        """The ids are transposed before they are looked up. The result begins with the axes of the ids, in their order.""",
    ),
    one(
        "only the first sequence",
        LOOKUP,
        "return table[ids[0]]",
        EQUALS,
        """Only the first sequence of the batch is looked up. Every one of them is.""",
    ),
    one(
        "the tokens are added up",
        LOOKUP,
        "return table[ids].sum(dim=1)",
        EQUALS,
        """The rows of a sequence are summed into one. Every token keeps a vector of its own.""",
    ),
    one(
        "the tokens are averaged",
        LOOKUP,
        "return table[ids].mean(dim=1)",
        "lookup_equals_one_hot_times_table",
        """The rows of a sequence are averaged into one. Every token keeps a row of its own.""",
    ),
    one(
        "id 0 is taken for padding",
        LOOKUP,
        "return nn.functional.embedding(ids, table, padding_idx=0)",
        "lookup_lets_the_table_learn",
        """The row of id 0 gets no gradient, since 0 is said to be the padding. Here it is a token like any other.""",
    ),
    one(
        "one-hot without the table",
        LOOKUP,
        "return nn.functional.one_hot(ids, len(table)).to(table.dtype)",
        EQUALS,
        """The ids become one-hot rows, and the product with the table is missing. A one-hot row is as wide as the
        vocabulary.""",
    ),
    one(
        "an id is taken for a number",
        LOOKUP,
        "return ids[..., None] * table[0]",
        EQUALS,
        """A row is multiplied by the id. Id 7 is not seven times anything: it is the name of a row.""",
    ),
    one(
        "the lookup cannot be learnt",
        LOOKUP,
        "return table.detach()[ids]",
        "lookup_lets_the_table_learn",
        """The rows are right, but they come as plain numbers, cut off from the table. No gradient reaches it, and it
        stays as it began.""",
    ),
    # Step 2
    one(
        "a plain tensor for the tokens",
        TOK,
        "self.tok_emb = torch.randn(vocab_size, emb_dim)",
        ROWS,
        """The token table is an ordinary tensor. The module does not know it, so no optimizer ever changes it.""",
    ),
    one(
        "a plain tensor for the positions",
        POS,
        "self.pos_emb = torch.randn(context_length, emb_dim)",
        ROWS,
        """The position table is an ordinary tensor. The module does not know it, so no optimizer ever changes it.""",
    ),
    one(
        "a parameter instead of an embedding",
        TOK,
        "self.tok_emb = nn.Parameter(torch.randn(vocab_size, emb_dim))",
        ROWS,
        """The token table is a parameter and would be trained. What later katas look for is an `nn.Embedding`, with its
        table under `weight`.""",
    ),
    one(
        "a linear layer instead of an embedding",
        TOK,
        "self.tok_emb = nn.Linear(vocab_size, emb_dim, bias=False)",
        ROWS,
        """A linear layer takes one-hot rows, and ids are no such rows. An embedding is that product without the
        arithmetic.""",
    ),
    one(
        "rows and width are exchanged",
        TOK,
        "self.tok_emb = nn.Embedding(emb_dim, vocab_size)",
        ROWS,
        """The table has a row for each channel and a channel for each token. First comes the number of rows, then their
        width.""",
    ),
    one(
        "one table for both",
        POS,
        "self.pos_emb = self.tok_emb",
        "both_tables_are_trained_and_nothing_else",
        """Tokens and places share one table. Token 5 and place 5 have nothing in common, and would be trained as one.""",
    ),
    one(
        "a place for every token of the vocabulary",
        POS,
        "self.pos_emb = nn.Embedding(vocab_size, emb_dim)",
        ROWS,
        """The position table has as many rows as the vocabulary. There are as many places as the context is long.""",
    ),
    one(
        "one place too many",
        POS,
        "self.pos_emb = nn.Embedding(context_length + 1, emb_dim)",
        ROWS,
        """The position table has one row more than there are places. They are numbered from 0, so the last one is one less
        than their number.""",
    ),
    one(
        "one place too few",
        POS,
        "self.pos_emb = nn.Embedding(max(context_length - 1, 1), emb_dim)",
        ROWS,
        """The position table lacks the last row. A full context has `context_length` places, the last of them at
        `context_length - 1`.""",
    ),
    one(
        "the positions are not trained",
        POS,
        POS + "\n        self.pos_emb.weight.requires_grad = False",
        "both_tables_are_trained_and_nothing_else",
        """The position table is frozen. GPT-2's positions are learnt like everything else.""",
    ),
    one(
        "the two tables share their memory",
        POS,
        POS + "\n        if context_length <= vocab_size:"
        "\n            self.pos_emb.weight.data = self.tok_emb.weight.data[:context_length]",
        "each_table_has_numbers_of_its_own",
        """The two tables are one piece of memory: what is written to the one changes the other. Token 5 and place 5 have
        nothing in common, and each is learnt for itself.""",
    ),
    # Step 3
    one(
        "float ids are not refused",
        FLOAT,
        "pass",
        "ids_that_are_not_integers_are_refused",
        """Ids that are floats go through the gate and fail somewhere inside torch. The message there is not about ids.""",
    ),
    one(
        "only float32 is refused",
        FLOAT,
        FLOAT.replace("ids.is_floating_point()", "ids.dtype == torch.float32"),
        "ids_that_are_not_integers_are_refused",
        """One kind of float is refused and the others go through the gate. Ids in double or half precision are no
        better than those in single.""",
    ),
    one(
        "float ids are made integers",
        FLOAT,
        "ids = ids.long()",
        "ids_that_are_not_integers_are_refused",
        """Floats are cut down to integers without a word. Whoever hands over floats has confused something, and should
        hear of it.""",
    ),
    one(
        "float ids are a ValueError",
        "raise TypeError(",
        "raise ValueError(",
        "ids_that_are_not_integers_are_refused",
        """The error for floats is a ValueError. It is not the value that is wrong but its type.""",
    ),
    one(
        "too many tokens are not refused",
        LONG,
        "pass",
        "too_many_tokens_are_refused",
        """Nobody looks how many tokens there are. The position table fails then, with a message that names no number.""",
    ),
    one(
        "one token too many is let through",
        LONG,
        LONG.replace("T > context_length", "T > context_length + 1"),
        "too_many_tokens_are_refused",
        """The gate opens for one token more than there are places. The last place is `context_length - 1`.""",
    ),
    one(
        "an assertion for too many tokens",
        LONG,
        'assert T <= context_length, f"{T} tokens do not fit into a context of {context_length}"',
        "too_many_tokens_are_refused",
        """Too many tokens fail an assertion. Assertions are for what cannot happen, and `python -O` leaves them
        out.""",
    ),
    one(
        "sequences are counted, not tokens",
        "T, context_length, vocab_size = ids.shape[1]",
        "T, context_length, vocab_size = ids.shape[0]",
        "too_many_tokens_are_refused",
        """The number of sequences is compared with the context length. A batch may be as large as it likes; it is the
        second dimension that needs places.""",
    ),
    one(
        "too many tokens are cut off",
        LONG,
        "ids = ids[:, -context_length:]",
        "too_many_tokens_are_refused",
        """What does not fit is cut away in silence. The result has fewer tokens than were given, and its caller does not
        expect that.""",
    ),
    one(
        "the error does not say how many tokens",
        LONG,
        LONG.replace('f"{T} tokens', 'f"the tokens'),
        "too_many_tokens_are_refused",
        """The message names the context length only. With both numbers one sees how much too long the text was.""",
    ),
    one(
        "the error does not say the context length",
        LONG,
        LONG.replace("a context of {context_length}", "the context"),
        "too_many_tokens_are_refused",
        """The message names the number of tokens only. With both numbers one sees how many would have fitted.""",
    ),
    one(
        "too large ids are not refused",
        OUTSIDE,
        "outside = ids[ids < 0]",
        "ids_outside_the_vocabulary_are_refused",
        """Only negative ids are looked for. An id past the table fails later, with a message that does not name it.""",
    ),
    one(
        "the id vocab_size is let through",
        OUTSIDE,
        OUTSIDE.replace(">=", ">"),
        "the_first_id_past_the_table_is_refused",
        """The gate opens for the id `vocab_size`. The last row of a table with V rows is row V - 1.""",
    ),
    one(
        "negative ids are not refused",
        OUTSIDE,
        "outside = ids[ids >= vocab_size]",
        "negative_ids_are_refused",
        """Only ids that are too large are looked for. A negative one fails later without being named.""",
    ),
    mistake(
        "negative ids count from the end",
        swap(OUTSIDE, "outside = ids[ids >= vocab_size]"),
        swap(SUM, SUM.replace("self.tok_emb(ids)", "self.tok_emb.weight[ids]")),
        caught_by="test_negative_ids_are_refused",
        explanation="""A negative id picks a row from the end of the table, as Python's indexing does. No token has such an
        id, so something went wrong before.""",
    ),
    one(
        "ids are checked in the first sequence only",
        OUTSIDE,
        "outside = ids[:1][(ids[:1] < 0) | (ids[:1] >= vocab_size)]",
        "ids_outside_the_vocabulary_are_refused",
        """A wrong id is refused in the first sequence of the batch, and in no other. It may stand in any of them.""",
    ),
    one(
        "the first and the last id only are checked",
        OUTSIDE,
        "ends = ids[:, [0, -1]]\n            outside = ends[(ends < 0) | (ends >= vocab_size)]",
        "ids_outside_the_vocabulary_are_refused",
        """A wrong id is refused at either end of a sequence, and not between. It may stand anywhere.""",
    ),
    one(
        "the first id of each sequence only is checked",
        OUTSIDE,
        "outside = ids[:, 0][(ids[:, 0] < 0) | (ids[:, 0] >= vocab_size)]",
        "ids_outside_the_vocabulary_are_refused",
        """A wrong id is refused at the beginning of a sequence, and nowhere else. It may stand anywhere.""",
    ),
    one(
        "wrong ids are pushed back",
        OUTSIDE,
        "ids = ids.clamp(0, vocab_size - 1)\n            " + OUTSIDE,
        "ids_outside_the_vocabulary_are_refused",
        """An id outside the vocabulary becomes the nearest one inside. The model then reads a token that nobody wrote.""",
    ),
    one(
        "the error does not name the id",
        NAMED,
        NAMED.replace("id {outside[0]} is", "an id is"),
        "ids_outside_the_vocabulary_are_refused",
        """The message says that some id is wrong. Which one it is tells most about where it came from.""",
    ),
    one(
        "an assertion instead of an error",
        NAMED,
        'raise AssertionError(f"id {outside[0]} is outside the vocabulary")',
        "ids_outside_the_vocabulary_are_refused",
        """A wrong id fails an assertion. Assertions are for what cannot happen, and `python -O` leaves them out.""",
    ),
    # Step 4
    one(
        "a full context is refused",
        LONG,
        LONG.replace("T > context_length", "T >= context_length"),
        "every_length_up_to_the_context_is_accepted",
        """A sequence of exactly `context_length` tokens is refused. There is a place for each of them.""",
    ),
    one(
        "the last id is refused",
        OUTSIDE,
        OUTSIDE.replace(">= vocab_size", ">= vocab_size - 1"),
        "every_id_of_the_vocabulary_is_accepted",
        """The id `vocab_size - 1` is refused. It belongs to the last row of the table.""",
    ),
    one(
        "id 0 is refused",
        OUTSIDE,
        OUTSIDE.replace("ids < 0", "ids <= 0"),
        "every_id_of_the_vocabulary_is_accepted",
        """The id 0 is refused. It belongs to the first row of the table.""",
    ),
    one(
        "no positions",
        SUM,
        "x = self.tok_emb(ids)",
        "the_same_token_differs_from_place_to_place",
        """Every token gets its row and nothing tells where it stands. `dog bites man` and `man bites dog` are then the
        same to attention.""",
    ),
    one(
        "no position for a single token",
        SUM,
        "x = self.tok_emb(ids)\n        x = x + self.pos_emb(positions) if ids.shape[1] > 1 else x",
        FORMULA,
        """A sequence of one token gets no position. Place 0 has a row like any other, and texts begin there.""",
    ),
    one(
        "the position rows of the first call are kept",
        SUM,
        """if not hasattr(self, "rows"):
            self.rows = self.pos_emb.weight.detach().clone()
        x = self.tok_emb(ids) + self.rows[: ids.shape[1]] + 0 * self.pos_emb(positions)""",
        "each_input_is_embedded_anew",
        """The position rows are copied when the module is first called, and later calls use the copy. What training has
        changed in the table since then goes unseen.""",
    ),
    one(
        "no tokens",
        SUM,
        "x = self.pos_emb(positions).expand(*ids.shape, -1)",
        FORMULA,
        """Every token gets the row of its place and nothing tells what it is. All texts of one length look the same.""",
    ),
    one(
        "positions from token ids",
        SUM,
        SUM.replace("self.pos_emb(positions)", "self.pos_emb(ids)"),
        "the_same_token_differs_from_place_to_place",
        """The position table is asked for the token's id. A token then gets the same place wherever it stands, and an id
        may have no place at all.""",
    ),
    one(
        "positions along the batch",
        PLACES,
        "positions = torch.arange(ids.shape[0], device=ids.device)[:, None]",
        "equal_sequences_of_a_batch_are_embedded_alike",
        """The places are counted along the batch. The first axis counts sequences, and which row of a batch a text stands in
        means nothing.""",
    ),
    one(
        "the same place for all tokens",
        PLACES,
        "positions = torch.zeros(ids.shape[1], dtype=torch.int64, device=ids.device)",
        "the_same_token_differs_from_place_to_place",
        """Every token is given place 0. Places are numbered along the sequence: 0, 1, 2, …""",
    ),
    one(
        "every token has the last place",
        PLACES,
        "positions = torch.full((ids.shape[1],), ids.shape[1] - 1, device=ids.device)",
        "the_same_token_differs_from_place_to_place",
        """Every token is given the place of the last one. Places are numbered along the sequence: 0, 1, 2, …""",
    ),
    one(
        "places from 1",
        PLACES,
        "positions = torch.arange(1, ids.shape[1] + 1, device=ids.device)",
        FORMULA,
        """The first token is given place 1, and in a full context the last one has no row. Places are rows of a table, and
        rows count from 0.""",
    ),
    one(
        "the places run backwards",
        PLACES,
        "positions = torch.arange(ids.shape[1] - 1, -1, -1, device=ids.device)",
        FORMULA,
        """The last token is given place 0. A token's place would then change with each token that comes after it.""",
    ),
    one(
        "the last places of the table",
        PLACES,
        "positions = torch.arange(self.pos_emb.num_embeddings, device=ids.device)[-ids.shape[1] :]",
        FORMULA,
        """A short sequence is given the last rows of the position table. The first token stands at place 0, however short
        the sequence is.""",
    ),
    one(
        "the whole position table",
        PLACES,
        "positions = torch.arange(self.pos_emb.num_embeddings, device=ids.device)",
        FORMULA,
        """All rows of the position table are added, whatever the length of the sequence. That fits a full context and nothing
        shorter.""",
    ),
    one(
        "side by side instead of added",
        SUM,
        "x = torch.cat([self.tok_emb(ids), self.pos_emb(positions).expand(*ids.shape, -1)], dim=-1)",
        FORMULA,
        """Token row and position row are put side by side. The result is twice as wide as what comes next expects.""",
    ),
    one(
        "multiplied instead of added",
        SUM,
        SUM.replace(" + self", " * self"),
        FORMULA,
        """Token row and position row are multiplied. GPT-2 adds them, so that either can be learnt with the other at 0.""",
    ),
    one(
        "the mean instead of the sum",
        DROP,
        "return self.dropout(x / 2)",
        "token_row_plus_position_row",
        """Token and position are averaged. Both are added as they are: how large each is, the tables learn.""",
    ),
    one(
        "the sum is normalised",
        DROP,
        "return self.dropout(nn.functional.layer_norm(x, x.shape[-1:]))",
        "token_row_plus_position_row",
        """A layer norm follows the sum, as in BERT. In GPT-2 the norms stand in the blocks, and the embedding hands on
        the sum itself.""",
    ),
    one(
        "the token rows are scaled",
        SUM,
        SUM.replace("self.tok_emb(ids)", "self.tok_emb(ids) * self.tok_emb.embedding_dim**0.5"),
        FORMULA,
        """The token rows are multiplied by the root of the width, as in the first Transformer. GPT-2 takes them as they
        are.""",
    ),
    one(
        "the token rows are not trained",
        SUM,
        SUM.replace("self.tok_emb(ids)", "self.tok_emb.weight.detach()[ids]"),
        "both_tables_learn",
        """The token rows enter the sum as plain numbers, cut off from their table. No gradient reaches it, so training
        leaves it as it began.""",
    ),
    one(
        "the position rows are not trained",
        SUM,
        SUM.replace("self.pos_emb(positions)", "self.pos_emb.weight.data[: ids.shape[1]]"),
        "both_tables_learn",
        """The position rows enter the sum as plain numbers, cut off from their table. No gradient reaches it, so training
        leaves it as it began.""",
    ),
    one(
        "token 0 is never trained",
        TOK,
        "self.tok_emb = nn.Embedding(vocab_size, emb_dim, padding_idx=0)",
        "both_tables_learn",
        """Token 0 is declared to be padding, so its row gets no gradient. In this vocabulary id 0 is a token like all
        others.""",
    ),
    one(
        "dropout is never used",
        DROP,
        "return x",
        "dropout_acts_on_the_sum",
        """The module has a dropout layer, but forward never calls it. Training is then the same at every dropout rate.""",
    ),
    one(
        "drops unless told otherwise",
        "dropout: float = 0.0",
        "dropout: float = 0.1",
        "nothing_is_dropped_unless_asked_for",
        """The rate is 0.1 where nobody says anything. Entries are then dropped in training that nobody asked to
        drop.""",
    ),
    one(
        "what survives dropout is not scaled",
        DROP,
        "return self.dropout(x) * (1 - self.dropout.p if self.training else 1)",
        "dropout_acts_on_the_sum",
        """Entries are dropped and the others stay as they are. The sum is then smaller in training than later, when nothing is
        dropped.""",
    ),
    one(
        "dropout is on in eval mode",
        DROP,
        "return nn.functional.dropout(x, self.dropout.p)",
        FORMULA,
        """The function drops entries unless it is told that nobody is training. A model that is asked the same twice would
        answer differently.""",
    ),
    one(
        "dropout on the tokens only",
        SUM,
        SUM.replace("self.tok_emb(ids)", "self.dropout(self.tok_emb(ids))") + "\n        return x",
        "dropout_acts_on_the_sum",
        """Dropout is applied before the position is added. What is dropped is an entry of the sum, place and all.""",
    ),
    one(
        "dropout on the positions only",
        SUM,
        SUM.replace("self.pos_emb(positions)", "self.dropout(self.pos_emb(positions))") + "\n        return x",
        "dropout_acts_on_the_sum",
        """The rows of the positions are dropped, and the tokens are added untouched. What is dropped is an entry of the
        sum, token and all.""",
    ),
    one(
        "dropout on each of the two",
        SUM,
        "x = self.dropout(self.tok_emb(ids)) + self.dropout(self.pos_emb(positions))\n        return x",
        "dropout_acts_on_the_sum",
        """Token rows and position rows are dropped apart, and then added. Half of an entry may be left; an entry of the sum
        is dropped whole.""",
    ),
    one(
        "dropout twice",
        DROP,
        "return self.dropout(self.dropout(x))",
        "dropout_acts_on_the_sum",
        """Dropout is applied twice. More entries are lost than the rate says, and what survives is scaled twice.""",
    ),
    one(
        "the dropout rate is ignored",
        DROPOUT,
        "self.dropout = nn.Dropout()",
        "dropout_acts_on_the_sum",
        """The dropout layer is made without the rate, and takes its own default of 0.5. Even who asked for none gets
        half.""",
    ),
    one(
        "the share that is kept is dropped",
        DROPOUT,
        "self.dropout = nn.Dropout(1 - dropout)",
        "dropout_acts_on_the_sum",
        """The layer is told how much to keep, and takes it for how much to drop. `nn.Dropout` wants the share that
        goes.""",
    ),
    one(
        "whole tokens are dropped",
        DROPOUT,
        "self.dropout = nn.Dropout1d(dropout)",
        "dropout_drops_the_expected_share",
        """Whole tokens are dropped at a time. Each entry is dropped on its own.""",
    ),
    one(
        "every sequence loses the same entries",
        DROP,
        "return x * self.dropout(torch.ones_like(x[:1]))",
        "dropout_drops_the_expected_share",
        """What is dropped is drawn once and serves the whole batch. Each entry of each sequence is dropped on its own.""",
    ),
    one(
        "the positions are made on the CPU",
        PLACES,
        PLACES.replace(", device=ids.device", ""),
        "positions_are_made_where_the_ids_are",
        """The places are numbered on the CPU wherever the ids are. With the model on a GPU the two do not meet.""",
    ),
    mistake(
        "rows are counted from the end",
        swap(LOOKUP, "return table[-1 - ids]"),
        caught_by="test_lookup_equals_one_hot_times_table",
        explanation="""Id 0 gets the last row. Rows are counted from the beginning.""",
    ),
    mistake(
        "the rows are normalised",
        swap(LOOKUP, "return nn.functional.normalize(table, dim=-1)[ids]"),
        caught_by="test_lookup_equals_one_hot_times_table",
        explanation="""Every row is brought to length 1 before it is looked up. A lookup gives the row as it is.""",
    ),
    mistake(
        "the lookup gives shares",
        swap(LOOKUP, "return table[ids].softmax(dim=-1)"),
        caught_by="test_lookup_equals_one_hot_times_table",
        explanation="""The numbers of a row are made into shares of a whole. A lookup gives the row as it is.""",
    ),
    mistake(
        "the lookup is scaled by the root of the width",
        swap(LOOKUP, "return table[ids] * table.shape[1] ** 0.5"),
        caught_by="test_lookup_equals_one_hot_times_table",
        explanation="""The rows are multiplied by √D, as in the first transformer. A lookup gives the row as it is.""",
    ),
    mistake(
        "width before tokens",
        swap(LOOKUP, "return table[ids].transpose(1, 2)"),
        caught_by="test_lookup_equals_one_hot_times_table",
        explanation="""The result has the shape (B, D, T). The axes of the ids come first, and the width last.""",
    ),
    mistake(
        "the ids are sorted",
        swap(LOOKUP, "return table[ids.sort(dim=1).values]"),
        caught_by="test_lookup_equals_one_hot_times_table",
        explanation="""The ids of each sequence are sorted before they are looked up. Each token keeps its place.""",
    ),
    mistake(
        "the sequences run backwards",
        swap(LOOKUP, "return table[ids.flip(1)]"),
        caught_by="test_lookup_equals_one_hot_times_table",
        explanation="""Each sequence comes out in reverse order. Each token keeps its place.""",
    ),
    mistake(
        "the sizes of the tables are exchanged",
        swap(TOK, "self.tok_emb = nn.Embedding(context_length, emb_dim)"),
        swap(POS, "self.pos_emb = nn.Embedding(vocab_size, emb_dim)"),
        caught_by="test_there_is_a_row_for_every_token_and_every_place",
        explanation="""The token table has a row for each place and the position table one for each token. It is the other way
        round.""",
    ),
    mistake(
        "one token too many",
        swap(TOK, "self.tok_emb = nn.Embedding(vocab_size + 1, emb_dim)"),
        caught_by="test_there_is_a_row_for_every_token_and_every_place",
        explanation="""The token table has a row more than there are tokens, as for padding. There is a row for every token and no
        other.""",
    ),
    mistake(
        "one token too few",
        swap(TOK, "self.tok_emb = nn.Embedding(vocab_size - 1, emb_dim)"),
        caught_by="test_there_is_a_row_for_every_token_and_every_place",
        explanation="""The token table has a row less than there are tokens. Ids go from 0 to vocab_size − 1, which is vocab_size
        of them.""",
    ),
    mistake(
        "one row for all places",
        swap(POS, "self.pos_emb = nn.Embedding(1, emb_dim)"),
        caught_by="test_there_is_a_row_for_every_token_and_every_place",
        explanation="""The position table has a single row. There is one for each place.""",
    ),
    mistake(
        "rows and width are exchanged (pos_emb)",
        swap(POS, "self.pos_emb = nn.Embedding(emb_dim, context_length)"),
        caught_by="test_there_is_a_row_for_every_token_and_every_place",
        explanation="""The position table has emb_dim rows of width context_length. `nn.Embedding` takes the number of rows first.""",
    ),
    mistake(
        "a linear layer for the positions",
        swap(POS, "self.pos_emb = nn.Linear(context_length, emb_dim)"),
        caught_by="test_there_is_a_row_for_every_token_and_every_place",
        explanation="""The positions are a linear layer. It multiplies vectors; what is wanted is a table of rows, by their number.""",
    ),
    mistake(
        "a parameter for the positions",
        swap(POS, "self.pos_emb = nn.Parameter(torch.randn(context_length, emb_dim))"),
        caught_by="test_there_is_a_row_for_every_token_and_every_place",
        explanation="""The positions are a bare parameter. It can be trained, but `pos_emb` is an `nn.Embedding`, whose table is
        called `weight`.""",
    ),
    mistake(
        "the tokens are not trained",
        swap(TOK, TOK + "\n        self.tok_emb.weight.requires_grad_(False)"),
        caught_by="test_both_tables_are_trained_and_nothing_else",
        explanation="""The token table asks for no gradient. Nothing is ever learned about any token.""",
    ),
    mistake(
        "the same rows for tokens and places at the start",
        swap(POS, POS + "\n        self.pos_emb.weight = self.tok_emb.weight"),
        caught_by="test_there_is_a_row_for_every_token_and_every_place",
        explanation="""Both tables are one parameter. What a token means and where it stands are learned apart.""",
    ),
    mistake(
        "ids wrap round at the end of the vocabulary",
        swap(OUTSIDE, "ids = ids % vocab_size\n            " + OUTSIDE),
        caught_by="test_ids_outside_the_vocabulary_are_refused",
        explanation="""Ids outside the vocabulary are brought back into it by their remainder. They are a mistake of whoever made
        them, and should be refused.""",
    ),
    mistake(
        "negative ids lose their sign",
        swap(OUTSIDE, "ids = ids.abs()\n            " + OUTSIDE),
        caught_by="test_negative_ids_are_refused",
        explanation="""The sign of an id is dropped. A negative id is a mistake of whoever made it, and should be refused.""",
    ),
    mistake(
        "the last id of each sequence only is checked",
        swap(OUTSIDE, "last = ids[:, -1]\n            outside = last[(last < 0) | (last >= vocab_size)]"),
        caught_by="test_ids_outside_the_vocabulary_are_refused",
        explanation="""Only the last id of each sequence is looked at. A wrong one may stand anywhere.""",
    ),
    mistake(
        "ids are compared with the context length",
        swap(OUTSIDE, "outside = ids[(ids < 0) | (ids >= context_length)]"),
        caught_by="test_ids_outside_the_vocabulary_are_refused",
        explanation="""Ids are held against the number of places. How large an id may be says the vocabulary.""",
    ),
    mistake(
        "tokens are compared with the vocabulary",
        swap("if T > context_length:", "if T > vocab_size:"),
        caught_by="test_the_first_id_past_the_table_is_refused",
        explanation="""The number of tokens is held against the size of the vocabulary. How long a sequence may be says the context
        length.""",
    ),
    mistake(
        "the places are subtracted",
        swap(SUM, "x = self.tok_emb(ids) - self.pos_emb(positions)  # (B, T, D) + (T, D)"),
        caught_by="test_the_same_token_differs_from_place_to_place",
        explanation="""The position's row is taken off the token's. The two are added.""",
    ),
    mistake(
        "the place is added twice",
        swap(SUM, "x = self.tok_emb(ids) + 2 * self.pos_emb(positions)  # (B, T, D) + (T, D)"),
        caught_by="test_the_same_token_differs_from_place_to_place",
        explanation="""The position's row is added twice. Once says where the token stands.""",
    ),
    mistake(
        "the token is added twice",
        swap(SUM, "x = 2 * self.tok_emb(ids) + self.pos_emb(positions)  # (B, T, D) + (T, D)"),
        caught_by="test_the_same_token_differs_from_place_to_place",
        explanation="""The token's row is added twice. Once says what it is.""",
    ),
    mistake(
        "both rows are scaled",
        swap(
            SUM,
            "x = (self.tok_emb(ids) + self.pos_emb(positions)) * self.tok_emb.embedding_dim ** 0.5  # (B, T, D) + (T, D)",
        ),
        caught_by="test_the_same_token_differs_from_place_to_place",
        explanation="""The sum is multiplied by √D. GPT-2 adds the two rows as they are.""",
    ),
    mistake(
        "the position rows are scaled",
        swap(
            SUM,
            "x = self.tok_emb(ids) + self.pos_emb(positions) * self.tok_emb.embedding_dim ** 0.5  # (B, T, D) + (T, D)",
        ),
        caught_by="test_the_same_token_differs_from_place_to_place",
        explanation="""The position's row is multiplied by √D. GPT-2 adds the two rows as they are.""",
    ),
    mistake(
        "the places count on through the batch",
        swap(PLACES, "positions = torch.arange(ids.numel(), device=ids.device).view(ids.shape)"),
        caught_by="test_every_length_up_to_the_context_is_accepted",
        explanation="""The second sequence goes on counting where the first one ended. Each sequence begins at place 0.""",
    ),
    mistake(
        "the first sequence only has places",
        swap(SUM, "x = self.tok_emb(ids)\n        x = torch.cat([x[:1] + self.pos_emb(positions), x[1:]])"),
        caught_by="test_the_same_token_differs_from_place_to_place",
        explanation="""Positions are added to the first sequence of the batch and to no other. Each of them has places.""",
    ),
    mistake(
        "the first token has no place",
        swap(SUM, SUM + "\n        x = torch.cat([self.tok_emb(ids[:, :1]), x[:, 1:]], dim=1)"),
        caught_by="test_the_same_token_differs_from_place_to_place",
        explanation="""The first token gets no position row. Place 0 has a row like every other.""",
    ),
    mistake(
        "the last token has no place",
        swap(SUM, SUM + "\n        x = torch.cat([x[:, :-1], self.tok_emb(ids[:, -1:])], dim=1)"),
        caught_by="test_the_same_token_differs_from_place_to_place",
        explanation="""The last token gets no position row. Every place has one.""",
    ),
    mistake(
        "every second place",
        swap(PLACES, "positions = 2 * torch.arange(ids.shape[1], device=ids.device) % self.pos_emb.num_embeddings"),
        caught_by="test_the_same_token_differs_from_place_to_place",
        explanation="""The places are counted in twos. The second token stands at place 1.""",
    ),
    mistake(
        "the sum is bent",
        swap(DROP, "return self.dropout(torch.tanh(x))"),
        caught_by="test_the_same_token_differs_from_place_to_place",
        explanation="""The sum goes through a tanh. An embedding is the sum of two rows, and nothing else.""",
    ),
    mistake(
        "cut off from training",
        swap(DROP, "return self.dropout(x).detach()"),
        caught_by="test_both_tables_learn",
        explanation="""The embedding is cut off from its tables, as `no_grad`, `.detach()` and `.data` do. Neither of them learns.""",
    ),
    mistake(
        "a pair is returned",
        swap(DROP, "return self.dropout(x), positions"),
        caught_by="test_the_same_token_differs_from_place_to_place",
        explanation="""The places are returned beside the embedding. The next layer expects one tensor.""",
    ),
    mistake(
        "the last sequence of the batch is lost",
        swap(DROP, "return self.dropout(x[:-1]) if len(x) > 1 else self.dropout(x)"),
        caught_by="test_the_same_token_differs_from_place_to_place",
        explanation="""All sequences but the last are embedded. Every one of them is.""",
    ),
    mistake(
        "dropout in eval mode instead of training",
        swap(DROP, "return nn.functional.dropout(x, self.dropout.p, not self.training)"),
        caught_by="test_token_row_plus_position_row",
        explanation="""Entries are dropped in eval mode and none in training. Dropout is for training.""",
    ),
    mistake(
        "whole channels are dropped",
        swap(DROP, "return x * self.dropout(torch.ones_like(x[:, :1]))"),
        caught_by="test_dropout_drops_the_expected_share",
        explanation="""One draw decides for a channel of all tokens. Each entry is dropped on its own.""",
    ),
    # Any other number
    family(
        "the rows count {c} times",
        swap(LOOKUP, "return {c} * table[ids]"),
        constants=(0.1, 0.5, 2.0, 10.0),
        caught_by="test_lookup_equals_one_hot_times_table",
        explanation="""The rows are multiplied by {c}. A lookup gives the row as it is.""",
    ),
    family(
        "the sum counts {c} times",
        swap(SUM, "x = {c} * (self.tok_emb(ids) + self.pos_emb(positions))  # (B, T, D) + (T, D)"),
        constants=(0.1, 0.5, 2.0, 10.0),
        caught_by="test_token_row_plus_position_row",
        explanation="""The sum is multiplied by {c}. GPT-2 adds the two rows as they are.""",
    ),
    family(
        "the token row counts {c} times",
        swap(SUM, "x = {c} * self.tok_emb(ids) + self.pos_emb(positions)  # (B, T, D) + (T, D)"),
        constants=(0.1, 0.5, 3.0, 10.0),
        caught_by="test_token_row_plus_position_row",
        explanation="""The row of the token is multiplied by {c} before that of the place is added. GPT-2 adds the two as they
        are.""",
    ),
    family(
        "the position row counts {c} times",
        swap(SUM, "x = self.tok_emb(ids) + {c} * self.pos_emb(positions)  # (B, T, D) + (T, D)"),
        constants=(0.1, 0.5, 3.0, 10.0),
        caught_by="test_token_row_plus_position_row",
        explanation="""The row of the place is multiplied by {c} before it is added. GPT-2 adds the two as they are.""",
    ),
    family(
        "the rate is always {c}",
        swap(DROPOUT, "self.dropout = nn.Dropout({c})"),
        constants=(0.1, 0.2, 0.5, 0.9),
        caught_by="test_dropout_acts_on_the_sum",
        explanation="""The rate is {c}, a number written into the code. How much is dropped says the argument `dropout`.""",
    ),
    mistake(
        "a table is cast to whole numbers",
        swap(LOOKUP, "return torch.nn.functional.one_hot(ids, table.shape[0]) @ table.long()"),
        caught_by="test_lookup_equals_one_hot_times_table",
        explanation="""The table is made of whole numbers, so that it can be multiplied with one-hot rows. It is the one-hot rows that have
        to take the type of the table.""",
    ),
    mistake(
        "the batch is lost in the lookup",
        swap(LOOKUP, "return table[ids.reshape(-1)]"),
        caught_by="test_lookup_equals_one_hot_times_table",
        explanation="""The ids are flattened, and all sequences come back as one. The rows come back in the shape of the ids.""",
    ),
    mistake(
        "there is a place for each sequence, added along the tokens",
        swap(PLACES, "positions = torch.arange(ids.shape[0], device=ids.device)  # (T,)"),
        caught_by="test_every_length_up_to_the_context_is_accepted",
        explanation="""The places are counted over the sequences of the batch and added along the tokens. Every sequence has the places 0,
        1, 2 … of its tokens.""",
    ),
    mistake(
        "too many tokens and strange ids are cut off",
        swap(LONG, "ids = ids[:, :context_length].clamp(0, vocab_size - 1)"),
        caught_by="test_too_many_tokens_are_refused",
        explanation="""What does not fit into the context is left out without a word, and strange ids become the nearest that there
        are. Both are errors, and whoever calls has to hear of them.""",
    ),
    one(
        "the gradient is sparse (lookup)",
        LOOKUP,
        "return nn.functional.embedding(ids, table, sparse=True)",
        "lookup_lets_the_table_learn",
        """The gradient comes as a sparse tensor, which saves memory for huge tables. AdamW takes dense gradients only.""",
    ),
    one(
        "the gradient is sparse (tok_emb)",
        TOK,
        TOK.replace("emb_dim)", "emb_dim, sparse=True)"),
        "both_tables_learn",
        """The gradient of the token table comes as a sparse tensor. AdamW takes dense gradients only.""",
    ),
    one(
        "the gradient is sparse (pos_emb)",
        POS,
        POS.replace("emb_dim)", "emb_dim, sparse=True)"),
        "both_tables_learn",
        """The gradient of the position table comes as a sparse tensor. AdamW takes dense gradients only.""",
    ),
    one(
        "the gradient is divided by the count (lookup)",
        LOOKUP,
        "return nn.functional.embedding(ids, table, scale_grad_by_freq=True)",
        "lookup_lets_the_table_learn",
        """A row's gradient is divided by how often its id came up. A token that comes often learns as much more often.""",
    ),
    one(
        "the gradient is divided by the count (tok_emb)",
        TOK,
        TOK.replace("emb_dim)", "emb_dim, scale_grad_by_freq=True)"),
        "both_tables_learn",
        """A token's gradient is divided by how often it came up. A token that comes often learns as much more often.""",
    ),
    one(
        "the first place is taken for padding",
        POS,
        POS.replace("emb_dim)", "emb_dim, padding_idx=0)"),
        "both_tables_learn",
        """The row of place 0 gets no gradient, since 0 is said to be padding. Here it is the first place, like others.""",
    ),
    family(
        "rows longer than {c} are cut down (lookup)",
        swap(LOOKUP, "return nn.functional.embedding(ids, table.clone(), max_norm={c})"),
        constants=(1.0, 2.0),
        caught_by=f"test_{EQUALS}",
        explanation="""Rows whose length is above {c} are scaled down to it. A row is given as it stands in the table.""",
    ),
    one(
        "token rows longer than 1 are cut down",
        TOK,
        TOK.replace("emb_dim)", "emb_dim, max_norm=1.0)"),
        "the_same_token_differs_from_place_to_place",
        """Token rows whose length is above 1 are scaled down to it, in the table itself. They are used as they were learnt.""",
    ),
    one(
        "position rows longer than 1 are cut down",
        POS,
        POS.replace("emb_dim)", "emb_dim, max_norm=1.0)"),
        "the_same_token_differs_from_place_to_place",
        """Position rows whose length is above 1 are scaled down to it, in the table itself. They are used as they were learnt.""",
    ),
    one(
        "the first sequence for all",
        LOOKUP,
        "return table[ids[:1].expand_as(ids)]",
        "lookup_equals_one_hot_times_table",
        """Every row of the batch gets the vectors of the first sequence. Each has ids of its own.""",
    ),
    one(
        "the last sequence for all",
        LOOKUP,
        "return table[ids[-1:].expand_as(ids)]",
        "lookup_equals_one_hot_times_table",
        """Every row of the batch gets the vectors of the last sequence. Each has ids of its own.""",
    ),
    one(
        "the mean of all places",
        SUM,
        "x = self.tok_emb(ids) + self.pos_emb(positions).mean(dim=0)  # (B, T, D) + (D,)",
        "the_same_token_differs_from_place_to_place",
        """Every token gets the mean of all position rows. Each place has a row of its own, which tells it from others.""",
    ),
]
