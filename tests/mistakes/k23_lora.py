"""k23: what people get wrong about LoRA."""

from dojo.spec import family, mistake, swap

SMALLER = "smaller = min(linear.weight.shape)"
REFUSES = "        if not 1 <= rank <= smaller:\n            raise ValueError("
REFUSED = 'raise ValueError(f"rank = {rank} is not between 1 and {smaller}, the smaller side of the weight")'
KEPT = "self.linear = linear.requires_grad_(False)"
MAKE_A = "self.A = nn.Parameter(torch.randn_like(linear.weight[:rank]) * linear.in_features**-0.5)  # (rank, in)"
MAKE_B = "self.B = nn.Parameter(torch.zeros_like(linear.weight[:, :rank]))  # (out, rank)"
SCALE = "self.scale = alpha / rank"
DROPOUT = "self.dropout = nn.Dropout(dropout)"
DETOUR = "detour = self.dropout(x) @ self.A.T @ self.B.T  # (..., in) → (..., rank) → (..., out)"
OUT = "return self.linear(x) + self.scale * detour"
EVERY = "for path, module in model.named_modules(remove_duplicate=False)\n        if isinstance"
PLAIN = "if isinstance(module, nn.Linear) and module not in held"
NAMED = 'if path.rpartition(".")[2] in names}'
THERE = 'there_are = sorted({path.rpartition(".")[2] for path in places})'
NONE = """raise ValueError(f"no linear layer is called {' or '.join(names)}; there are {', '.join(there_are)}")"""
ALL_SIDES = "smaller = min(min(linear.weight.shape) for linear in chosen.values())"
FITS = "    if not 1 <= rank <= smaller:\n        raise ValueError("
FREEZE = "    model.requires_grad_(False)\n"
WRAPPED = "LoRALinear(linear, rank, alpha, dropout) for linear in dict.fromkeys(chosen.values())}"
SET = "setattr(model.get_submodule(parent), name, wrapped[linear])"
COUNT = "return len(wrapped)"
STATE_A = 'state[f"{path}.A"] = module.A.detach()'
STATE_B = 'state[f"{path}.B"] = module.B.detach()'
STATE = "return state\n"
OWN = "own = lora_state(model)"
NAMES = "for name in [*own, *state]:"
MISSING = '            raise ValueError(f"{name} is missing in the state")'
EXTRA = '            raise ValueError(f"{name} is in the state, and the model has no such parameter")'
SHAPE = "if state[name].shape != own[name].shape:"
COPY = "values.copy_(state[name])  # `values` shares its memory with the parameter"
COPIES = "for name, values in own.items():"
WALK = "for path, module in list(model.named_modules(remove_duplicate=False)):"
ONCE = "if module not in merged:"
MERGED = "weight = module.linear.weight + module.scale * module.B @ module.A  # (out, in)"
WEIGHT = "module.linear.weight = nn.Parameter(weight, requires_grad=False)"
KEEP = "merged[module] = module.linear"
PUT = "setattr(model.get_submodule(parent), name, merged[module])"

CHANGES_NOTHING = "test_a_new_layer_changes_nothing"
KEPT_AND_FROZEN = "test_the_linear_layer_itself_is_kept_and_frozen"
FORMULA = "test_the_result_follows_the_formula"
AS_LARGE = "test_rank_may_be_as_large_as_the_smaller_side"
GRADIENTS = "test_gradients_are_those_of_the_formula"
B_FIRST = "test_at_the_start_B_learns_first"
DROPS = "test_dropout_is_on_the_way_through_A_and_B_only"
DTYPE = "test_dtype_follows_the_layer"
DEVICE = "test_device_follows_the_layer"
RANK = "test_a_rank_above_the_smaller_side_is_refused"
REPLACED = "test_every_linear_layer_with_such_a_name_is_replaced"
FROZEN = "test_all_else_is_frozen"
AS_BEFORE = "test_a_model_with_new_layers_is_as_before"
COMPUTES = "test_the_model_computes_with_its_new_layers"
HANDED_ON = "test_the_new_layers_have_the_dropout"
NO_NAME = "test_a_name_that_no_layer_has_is_refused"
LEFT_ALONE = "test_a_rank_that_one_layer_cannot_have_leaves_the_model_alone"
TWICE = "test_a_layer_that_is_used_twice_stays_one"
AGAIN = "test_what_is_wrapped_is_not_wrapped_again"
TIED = "test_tied_weights_stay_tied"
OWN_DTYPE = "test_each_new_layer_has_the_dtype_of_its_own"
ALONE = "test_the_state_is_A_and_B_alone"
LOADED = "test_what_was_saved_is_loaded"
SEVERAL = "test_a_state_goes_into_several_models"
TAKES_DTYPE = "test_a_loaded_state_takes_the_dtype_of_the_model"
WRONG_STATE = "test_a_wrong_state_is_refused"
SAME = "test_a_merged_model_computes_the_same"
MERGED_ONCE = "test_a_layer_that_is_used_twice_is_merged_once"
SHARED = "test_a_shared_weight_is_not_merged_into"
MODES = "test_modes_stay"
KEEPS = "test_merged_layers_keep_dtype_and_device"


def entry(name, *swaps, by, why):
    return mistake(name, *swaps, caught_by=by, explanation=why)


LAYER = [
    entry(
        "both start at zero",
        swap(MAKE_A, "self.A = nn.Parameter(torch.zeros_like(linear.weight[:rank]))"),
        by=B_FIRST,
        why="""A and B are both 0 at the start. The gradient of each is a product with the other, so neither ever
        moves.""",
    ),
    entry(
        "both start at random",
        swap(MAKE_B, "self.B = nn.Parameter(torch.randn_like(linear.weight[:, :rank]))"),
        by=CHANGES_NOTHING,
        why="""B is random like A, so the new way adds noise from the first call on. A pretrained model has to begin as it
        was.""",
    ),
    entry(
        "B starts at small random numbers",
        swap(MAKE_B, "self.B = nn.Parameter(1e-3 * torch.randn_like(linear.weight[:, :rank]))"),
        by=CHANGES_NOTHING,
        why="""B is small at the start, and not 0. The model is then already another one before anything was learned.""",
    ),
    entry(
        "A starts at zero, B at random",
        swap(MAKE_A, "self.A = nn.Parameter(torch.zeros_like(linear.weight[:rank]))"),
        swap(MAKE_B, "self.B = nn.Parameter(torch.randn_like(linear.weight[:, :rank]))"),
        by=B_FIRST,
        why="""The starts are exchanged: A is 0 and B is random. Nothing changes at first either, but it is B that is to
        learn first.""",
    ),
    entry(
        "A starts at ones",
        swap(MAKE_A, "self.A = nn.Parameter(torch.ones_like(linear.weight[:rank]))"),
        by=B_FIRST,
        why="""All rows of A are equal, and they get equal gradients ever after. However large the rank, the way has room
        for a single direction.""",
    ),
    entry(
        "all rows of A are the same",
        swap(MAKE_A, "self.A = nn.Parameter(torch.randn_like(linear.weight[:1]).repeat(rank, 1))"),
        by=B_FIRST,
        why="""A single random row is repeated for the whole of A. The rows start alike and see the same directions of
        x.""",
    ),
    entry(
        "the same A for every layer",
        swap(
            MAKE_A,
            "numbers = torch.randn(rank, linear.in_features, generator=torch.Generator().manual_seed(0))\n"
            "        self.A = nn.Parameter(numbers.to(linear.weight))",
        ),
        by=B_FIRST,
        why="""The random numbers come from a fixed seed, so all layers of one shape start with the same A. Each should
        draw its own.""",
    ),
    entry(
        "alpha without the rank",
        swap(SCALE, "self.scale = alpha"),
        by=FORMULA,
        why="""The way through A and B is multiplied by alpha alone. With a larger rank it then becomes larger, and the
        learning rate would have to be found anew.""",
    ),
    entry(
        "no scale",
        swap(SCALE, "self.scale = 1.0"),
        by=FORMULA,
        why="""The way through A and B is added as it is, and alpha has no effect. It is to be multiplied by alpha over the
        rank.""",
    ),
    entry(
        "one over the rank",
        swap(SCALE, "self.scale = 1 / rank"),
        by=FORMULA,
        why="""The scale is divided by the rank, and alpha has no effect. alpha is what says how much the new way
        counts.""",
    ),
    entry(
        "rank over alpha",
        swap(SCALE, "self.scale = rank / alpha"),
        by=FORMULA,
        why="""The fraction is upside down. A larger alpha then makes the new way weaker.""",
    ),
    entry(
        "alpha times the rank",
        swap(SCALE, "self.scale = alpha * rank"),
        by=FORMULA,
        why="""alpha is multiplied by the rank. It is divided by it, so that more ranks do not make the sum larger.""",
    ),
    entry(
        "alpha over the root of the rank",
        swap(SCALE, "self.scale = alpha / rank**0.5"),
        by=FORMULA,
        why="""The scale is alpha over √rank. That is another recipe (rsLoRA); here it is alpha over the rank.""",
    ),
    entry(
        "divided by the rank twice",
        swap(SCALE, "self.scale = alpha / rank**2"),
        by=FORMULA,
        why="""The sum over the ranks is divided by the rank twice, as a mean and in the scale. Once is what the formula
        says.""",
    ),
    entry(
        "alpha over the width",
        swap(SCALE, "self.scale = alpha / linear.in_features"),
        by=FORMULA,
        why="""The scale divides by the number of inputs. What is to be evened out is the rank.""",
    ),
    entry(
        "whole division",
        swap(SCALE, "self.scale = alpha // rank"),
        by=FORMULA,
        why="""alpha is divided by the rank without the remainder. An alpha below the rank becomes 0, and the new way is
        shut.""",
    ),
    entry(
        "both ways are scaled",
        swap(OUT, "return self.scale * (self.linear(x) + detour)"),
        by=CHANGES_NOTHING,
        why="""The result of the linear layer is multiplied by alpha/rank as well. The scale belongs to the new way
        alone.""",
    ),
    entry(
        "the change is taken off",
        swap(OUT, "return self.linear(x) - self.scale * detour"),
        by=FORMULA,
        why="""The new way is subtracted. Training would come to terms with it, but what is saved means the opposite to
        others.""",
    ),
    entry(
        "the linear layer is left out",
        swap(OUT, "return self.scale * detour"),
        by=CHANGES_NOTHING,
        why="""Only the way through A and B is returned. Everything that the model had learned before is in the linear
        layer.""",
    ),
    entry(
        "the way through A and B is left out",
        swap(OUT, "return self.linear(x)"),
        by=FORMULA,
        why="""A and B are made and take no part in the result, or only as they were when the layer was made. Nothing can be
        learned that way.""",
    ),
    entry(
        "the bias is lost",
        swap(OUT, "return x @ self.linear.weight.T + self.scale * detour"),
        by=CHANGES_NOTHING,
        why="""The weight is used without the bias. The linear layer is to give what it gave before.""",
    ),
    entry(
        "the bias comes in twice",
        swap(
            OUT,
            "bias = 0 if self.linear.bias is None else self.linear.bias\n"
            "        return self.linear(x) + self.scale * (detour + bias)",
        ),
        by=CHANGES_NOTHING,
        why="""The bias is added on the new way too. It is in the result of the linear layer already.""",
    ),
    entry(
        "a ReLU between A and B",
        swap(DETOUR, "detour = torch.relu(self.dropout(x) @ self.A.T) @ self.B.T"),
        by=FORMULA,
        why="""What comes out of A goes through a ReLU before B. Then the two are no matrix any more, and can never be
        merged into the weight.""",
    ),
    entry(
        "A is transposed",
        swap(
            MAKE_A,
            "self.A = nn.Parameter((torch.randn_like(linear.weight[:rank]) * linear.in_features**-0.5).T.contiguous())",
        ),
        swap(DETOUR, "detour = self.dropout(x) @ self.A @ self.B.T"),
        by=KEPT_AND_FROZEN,
        why="""A is kept as (in, rank). It is (rank, in), like the weight of a linear layer that leads to `rank`
        outputs.""",
    ),
    entry(
        "B is transposed",
        swap(MAKE_B, "self.B = nn.Parameter(torch.zeros_like(linear.weight[:, :rank]).T.contiguous())"),
        swap(DETOUR, "detour = self.dropout(x) @ self.A.T @ self.B"),
        by=KEPT_AND_FROZEN,
        why="""B is kept as (rank, out). It is (out, rank), like the weight of a linear layer that comes from `rank`
        inputs.""",
    ),
    entry(
        "both factors are transposed",
        swap(MAKE_A, "self.A = nn.Parameter(torch.randn_like(linear.weight.T[:, :rank].contiguous()))"),
        swap(MAKE_B, "self.B = nn.Parameter(torch.zeros_like(linear.weight.T[:rank].contiguous()))"),
        swap(DETOUR, "detour = self.dropout(x) @ self.A @ self.B"),
        by=KEPT_AND_FROZEN,
        why="""A is (in, rank) and B is (rank, out). They are meant to lie as weights of linear layers do, with the outputs
        first.""",
    ),
    entry(
        "A and B have each other's name",
        swap(MAKE_A, MAKE_A.replace("self.A", "self.B")),
        swap(MAKE_B, MAKE_B.replace("self.B", "self.A")),
        swap(DETOUR, "detour = self.dropout(x) @ self.B.T @ self.A.T"),
        by=KEPT_AND_FROZEN,
        why="""The factor that x meets first is called B, and the other A. It is the other way round, or nobody can load
        what you save.""",
    ),
    entry(
        "the layer is not frozen",
        swap(KEPT, "self.linear = linear"),
        by=KEPT_AND_FROZEN,
        why="""Weight and bias of the linear layer go on being trained. LoRA is there to leave them alone.""",
    ),
    entry(
        "the bias is trained",
        swap(KEPT, "self.linear = linear\n        linear.weight.requires_grad_(False)"),
        by=KEPT_AND_FROZEN,
        why="""Only the weight is frozen, and the bias is trained along. It is not saved with A and B, so what it learned
        would be lost.""",
    ),
    entry(
        "the weight is trained",
        swap(
            KEPT,
            "self.linear = linear\n        if linear.bias is not None:\n            linear.bias.requires_grad_(False)",
        ),
        by=KEPT_AND_FROZEN,
        why="""The bias is frozen and the weight is not. The weight is the large part that is to stay as it is.""",
    ),
    entry(
        "A is frozen",
        swap(MAKE_A, MAKE_A.replace("-0.5)", "-0.5, requires_grad=False)")),
        by=KEPT_AND_FROZEN,
        why="""Only B is trained, and A stays at its random start. Which directions of x count is to be learned as
        well.""",
    ),
    entry(
        "A is a buffer",
        swap(
            MAKE_A,
            'self.register_buffer("A", torch.randn_like(linear.weight[:rank]) * linear.in_features**-0.5)',
        ),
        by=KEPT_AND_FROZEN,
        why="""A is a buffer of the module and no parameter. No optimizer will ever move it.""",
    ),
    entry(
        "B is a buffer",
        swap(MAKE_B, 'self.register_buffer("B", torch.zeros_like(linear.weight[:, :rank]))'),
        by=KEPT_AND_FROZEN,
        why="""B is a buffer of the module and no parameter. It stays 0 whatever is trained.""",
    ),
    entry(
        "a new linear layer",
        swap(
            KEPT,
            "self.linear = nn.Linear(linear.in_features, linear.out_features, linear.bias is not None)\n"
            "        self.linear.to(linear.weight).requires_grad_(False)\n"
            "        linear.requires_grad_(False)",
        ),
        by=CHANGES_NOTHING,
        why="""A linear layer of the same size is made, with random numbers. The one that was given holds what the model
        knows.""",
    ),
    entry(
        "a copy of the linear layer",
        swap(
            KEPT,
            "linear.requires_grad_(False)\n        self.linear = __import__('copy').deepcopy(linear)",
        ),
        by=KEPT_AND_FROZEN,
        why="""`linear` is a copy of the layer that was given. It takes its memory a second time, and a weight that was
        shared is shared no longer.""",
    ),
    entry(
        "no gradient through the linear layer",
        swap(OUT, "return self.linear(x.detach()) + self.scale * detour"),
        by=GRADIENTS,
        why="""x is cut off before the linear layer, so no gradient passes through it. Frozen means that its weight does
        not change; the layers before it still learn by way of it.""",
    ),
    entry(
        "no gradient through A and B",
        swap(DETOUR, "detour = self.dropout(x.detach()) @ self.A.T @ self.B.T"),
        by=GRADIENTS,
        why="""x is cut off before A. The layers before learn by both ways.""",
    ),
    entry(
        "A gets no gradient",
        swap(DETOUR, "detour = self.dropout(x) @ self.A.detach().T @ self.B.T"),
        by=GRADIENTS,
        why="""A is cut off from the graph in forward, so it never learns. Only the linear layer is frozen.""",
    ),
    entry(
        "B gets no gradient",
        swap(DETOUR, "detour = self.dropout(x) @ self.A.T @ self.B.detach().T"),
        by=GRADIENTS,
        why="""B is cut off from the graph in forward, so it stays 0. Only the linear layer is frozen.""",
    ),
    entry(
        "dropout on both ways",
        swap(DETOUR, "x = self.dropout(x)\n        detour = x @ self.A.T @ self.B.T"),
        by=CHANGES_NOTHING,
        why="""Dropout is on the x of the linear layer too. What the pretrained model sees is to stay whole; only what A
        sees is thinned out.""",
    ),
    entry(
        "dropout on the linear layer's way",
        swap(DETOUR, "detour = x @ self.A.T @ self.B.T"),
        swap(OUT, "return self.linear(self.dropout(x)) + self.scale * detour"),
        by=CHANGES_NOTHING,
        why="""Dropout is on the wrong way: the linear layer gets the thinned x, and A the whole. It is the other way
        round.""",
    ),
    entry(
        "dropout on the result",
        swap(DETOUR, "detour = x @ self.A.T @ self.B.T"),
        swap(OUT, "return self.dropout(self.linear(x) + self.scale * detour)"),
        by=CHANGES_NOTHING,
        why="""Dropout takes entries out of the sum of both ways. It belongs on x, and on the way through A and B
        alone.""",
    ),
    entry(
        "dropout between A and B",
        swap(DETOUR, "detour = self.dropout(x @ self.A.T) @ self.B.T"),
        by=DROPS,
        why="""Dropout takes out some of the `rank` numbers between A and B. It belongs on x, before A.""",
    ),
    entry(
        "dropout behind B",
        swap(DETOUR, "detour = self.dropout(x @ self.A.T @ self.B.T)"),
        by=DROPS,
        why="""Dropout takes entries out of the result of the new way. It belongs on x, before A.""",
    ),
    entry(
        "no dropout",
        swap(DETOUR, "detour = x @ self.A.T @ self.B.T"),
        by=DROPS,
        why="""The rate is taken and never used. In train mode A is to see x with some of its entries left out.""",
    ),
    entry(
        "dropout in eval mode too",
        swap(DETOUR, "detour = nn.functional.dropout(x, self.dropout.p) @ self.A.T @ self.B.T"),
        by=DROPS,
        why="""Entries are dropped in eval mode as well, since nobody tells the function that training is over. In use the
        model gives the whole.""",
    ),
    entry(
        "dropout without scaling up",
        swap(
            DETOUR,
            "kept = self.dropout(torch.ones_like(x)) > 0\n        detour = (x * kept) @ self.A.T @ self.B.T",
        ),
        by=DROPS,
        why="""What stays is not scaled up by 1/(1 − rate). In eval mode the way through A and B would then be stronger
        than in training.""",
    ),
    entry(
        "the rate is what is kept",
        swap(DROPOUT, "self.dropout = nn.Dropout(1 - dropout)"),
        by=FORMULA,
        why="""The rate is taken for the share that stays. With the usual rate of 0 everything is dropped.""",
    ),
    entry(
        "torch's usual dropout",
        swap(DROPOUT, "self.dropout = nn.Dropout()"),
        by=FORMULA,
        why="""The rate is not handed on, and torch's own is a half. Without being asked for, half of x is dropped.""",
    ),
    entry(
        "one mask for all tokens",
        swap(
            DETOUR,
            "detour = (x * self.dropout(torch.ones_like(x[..., :1, :]))) @ self.A.T @ self.B.T",
        ),
        by=DROPS,
        why="""The same entries are dropped for every token. Each entry of x is dropped or kept by itself.""",
    ),
    entry(
        "A and B have the default dtype",
        swap(MAKE_A, "self.A = nn.Parameter(torch.randn(rank, linear.in_features) * linear.in_features**-0.5)"),
        swap(MAKE_B, "self.B = nn.Parameter(torch.zeros(linear.out_features, rank))"),
        by=DTYPE,
        why="""A and B are made in torch's default dtype on the CPU. They belong to the layer, and have the dtype and the
        device of its weight.""",
    ),
    entry(
        "A has the default dtype",
        swap(MAKE_A, "self.A = nn.Parameter(torch.randn(rank, linear.in_features) * linear.in_features**-0.5)"),
        by=DTYPE,
        why="""A is made in torch's default dtype on the CPU. It has to have the dtype and the device of the layer's
        weight.""",
    ),
    entry(
        "B has the default dtype",
        swap(MAKE_B, "self.B = nn.Parameter(torch.zeros(linear.out_features, rank))"),
        by=DTYPE,
        why="""B is made in torch's default dtype on the CPU. It has to have the dtype and the device of the layer's
        weight.""",
    ),
    entry(
        "A and B are always float32",
        swap(MAKE_A, MAKE_A.replace("**-0.5)", "**-0.5)\n        self.A.data = self.A.data.float()")),
        swap(MAKE_B, MAKE_B.replace("rank]))", "rank]).float())")),
        by=DTYPE,
        why="""A and B are float32 whatever the layer is. x has the layer's dtype, and so must what it is multiplied
        with.""",
    ),
    entry(
        "A is made on the CPU",
        swap(
            MAKE_A,
            "self.A = nn.Parameter(torch.randn(rank, linear.in_features, dtype=linear.weight.dtype) * 0.1)",
        ),
        by=DEVICE,
        why="""A has the dtype of the layer, and is always on the CPU. A layer on a GPU could not use it.""",
    ),
    entry(
        "B is made on the CPU",
        swap(
            MAKE_B,
            "self.B = nn.Parameter(torch.zeros(linear.out_features, rank, dtype=linear.weight.dtype))",
        ),
        by=DEVICE,
        why="""B has the dtype of the layer, and is always on the CPU. A layer on a GPU could not use it.""",
    ),
    entry(
        "any rank will do",
        swap(REFUSES, REFUSES.replace("not 1 <= rank <= smaller", "False")),
        swap(MAKE_A, "self.A = nn.Parameter(linear.weight.new_empty(rank, linear.in_features).normal_())"),
        swap(MAKE_B, "self.B = nn.Parameter(linear.weight.new_zeros(linear.out_features, rank))"),
        by=RANK,
        why="""A rank above the smaller side is accepted. It costs more numbers than the weight has directions, and says
        nothing more.""",
    ),
    entry(
        "the scale is trained",
        swap(SCALE, "self.scale = nn.Parameter(torch.tensor(alpha / rank, dtype=linear.weight.dtype))"),
        by=KEPT_AND_FROZEN,
        why="""The scale is a parameter, and so it is trained with A and B. It is a constant: alpha over the rank.""",
    ),
    entry(
        "the larger side is the bound",
        swap(SMALLER, "smaller = max(linear.weight.shape)"),
        by=RANK,
        why="""The rank may be as large as the larger side. A matrix has no more directions than its smaller side.""",
    ),
    entry(
        "only the inputs are the bound",
        swap(SMALLER, "smaller = linear.in_features"),
        by=RANK,
        why="""The rank is compared with the number of inputs only. The outputs can be fewer.""",
    ),
    entry(
        "only the outputs are the bound",
        swap(SMALLER, "smaller = linear.out_features"),
        by=RANK,
        why="""The rank is compared with the number of outputs only. The inputs can be fewer.""",
    ),
    entry(
        "the rank has to be below the smaller side",
        swap(REFUSES, REFUSES.replace("rank <= smaller", "rank < smaller")),
        by=KEPT_AND_FROZEN,
        why="""A rank as large as the smaller side is refused. It is the largest that makes sense, and it is allowed.""",
    ),
    entry(
        "a rank that is too large is cut",
        swap(REFUSES, REFUSES.replace("if not", "rank = min(rank, smaller)\n        if not")),
        by=RANK,
        why="""A rank above the smaller side is quietly made smaller. Who asks for it should be told.""",
    ),
    entry(
        "the layer is frozen before the rank is refused",
        swap(SMALLER, "linear.requires_grad_(False)\n        smaller = min(linear.weight.shape)"),
        by=RANK,
        why="""The layer is frozen first, and then the rank is refused. After an error everything should be as it was.""",
    ),
    entry(
        "the refusal is an AssertionError",
        swap(REFUSED, REFUSED.replace("ValueError", "AssertionError")),
        by=RANK,
        why="""A rank that is too large ends in an AssertionError. What a caller hands over wrongly is a ValueError, and
        assertions can be switched off.""",
    ),
    entry(
        "the refusal without numbers",
        swap(REFUSED, 'raise ValueError("the rank is too large")'),
        by=RANK,
        why="""The error does not say which rank was asked for, or what would fit. Both numbers are known, and help.""",
    ),
    entry(
        "the refusal with the rank alone",
        swap(REFUSED, 'raise ValueError(f"the rank {rank} is too large")'),
        by=RANK,
        why="""The error says which rank was asked for, and not which would fit. The smaller side of the weight belongs in
        it.""",
    ),
    family(
        "a scale of {c}",
        swap(SCALE, "self.scale = {c}"),
        constants=(0.5, 2.0, 16.0),
        caught_by=FORMULA,
        explanation="""The way through A and B is multiplied by {c}, whatever alpha and rank are. It is to be multiplied
        by alpha over the rank.""",
    ),
]

MODEL = [
    entry(
        "only the first layer is replaced",
        swap(NAMED, NAMED + "\n    chosen = dict(list(chosen.items())[:1])"),
        by=REPLACED,
        why="""One layer is replaced, and the others with that name stay. Every block has such a layer.""",
    ),
    entry(
        "only the last layer is replaced",
        swap(NAMED, NAMED + "\n    chosen = dict(list(chosen.items())[-1:])"),
        by=REPLACED,
        why="""Only the last of the layers with such a name is replaced. Every block has one.""",
    ),
    entry(
        "only what the model holds itself",
        swap(EVERY, EVERY.replace("named_modules(remove_duplicate=False)", "named_children()")),
        by=REPLACED,
        why="""Only the model's own children are looked at, not theirs. The layers of a GPT stand deep within its
        blocks.""",
    ),
    entry(
        "the whole path has to be in names",
        swap(NAMED, "if path in names}"),
        by=REPLACED,
        why="""The whole path is compared, `blocks.0.attention.W_query`. `names` holds last names, `W_query`.""",
    ),
    entry(
        "any part of the path counts",
        swap(NAMED, 'if set(path.split(".")) & set(names)}'),
        by=REPLACED,
        why="""A layer is replaced where any part of its path is in `names`, such as `attention`. Only the last name
        counts.""",
    ),
    entry(
        "a piece of the path will do",
        swap(NAMED, "if any(name in path for name in names)}"),
        by=REPLACED,
        why="""A name is looked for anywhere in the path. Then `out` finds `out_proj`, and `attention` all that is in
        it.""",
    ),
    entry(
        "a piece of the last name will do",
        swap(NAMED, 'if any(name in path.rpartition(".")[2] for name in names)}'),
        by=NO_NAME,
        why="""A name is looked for anywhere in the last name. Then `out` finds `out_proj`, which nobody asked for.""",
    ),
    entry(
        "the end of the path will do",
        swap(NAMED, "if path.endswith(tuple(names))}"),
        by=NO_NAME,
        why="""The end of the path is compared, character by character. Then `proj` finds `out_proj`, which nobody asked
        for.""",
    ),
    entry(
        "the beginning of the last name will do",
        swap(NAMED, 'if path.rpartition(".")[2].startswith(tuple(names))}'),
        by=NO_NAME,
        why="""The beginning of the last name is enough. Then `out` finds `out_proj`, which nobody asked for.""",
    ),
    entry(
        "every linear layer is replaced",
        swap(NAMED, "}"),
        by=REPLACED,
        why="""`names` is not looked at, and every linear layer is replaced. Which ones learn is the caller's choice.""",
    ),
    entry(
        "all but the names are replaced",
        swap(NAMED, NAMED.replace("in names", "not in names")),
        by=REPLACED,
        why="""The layers in `names` stay, and all the others are replaced. It is the other way round.""",
    ),
    entry(
        "whatever has the name is replaced",
        swap(PLAIN, "if path and module not in held"),
        by=REPLACED,
        why="""Everything that has such a name is wrapped, whatever it is. Only a linear layer has a weight that A and B
        fit.""",
    ),
    entry(
        "nothing else is frozen",
        swap(FREEZE, ""),
        by=FROZEN,
        why="""Only the layers that were wrapped are frozen. Norms, embeddings and the other linear layers go on being
        trained.""",
    ),
    entry(
        "A and B are frozen too",
        swap(FREEZE, ""),
        swap(COUNT, "model.requires_grad_(False)\n    return len(wrapped)"),
        by=FROZEN,
        why="""The model is frozen after the new layers were put in, and A and B with it. Then nothing is left to
        train.""",
    ),
    entry(
        "only weights are frozen",
        swap(
            FREEZE,
            "    for name, values in model.named_parameters():\n"
            '        if name.endswith("weight"):\n            values.requires_grad_(False)\n',
        ),
        by=FROZEN,
        why="""Parameters called `weight` are frozen, and all the others are trained. Biases are not A and B
        either.""",
    ),
    entry(
        "biases are trained",
        swap(
            FREEZE,
            "    for name, values in model.named_parameters():\n"
            '        if not name.endswith("bias"):\n            values.requires_grad_(False)\n',
        ),
        by=FROZEN,
        why="""Everything is frozen but the biases. What they learn is not saved with A and B, and is lost.""",
    ),
    entry(
        "norms are trained",
        swap(
            FREEZE,
            "    for module in model.modules():\n"
            "        if not isinstance(module, nn.LayerNorm):\n"
            "            for values in module.parameters(recurse=False):\n"
            "                values.requires_grad_(False)\n",
        ),
        by=FROZEN,
        why="""Everything is frozen but the norms. What they learn is not saved with A and B, and is lost.""",
    ),
    entry(
        "only linear layers are frozen",
        swap(
            FREEZE,
            "    for module in model.modules():\n"
            "        if isinstance(module, nn.Linear):\n            module.requires_grad_(False)\n",
        ),
        by=FROZEN,
        why="""The linear layers are frozen, and embeddings and norms are not. All else is to stay as it is.""",
    ),
    entry(
        "the model's own children are not frozen",
        swap(
            FREEZE,
            "    for values in model.parameters(recurse=False):\n        values.requires_grad_(False)\n",
        ),
        by=FROZEN,
        why="""Only the parameters that the model holds itself are frozen, not those of its parts. Nearly all are in the
        parts.""",
    ),
    entry(
        "a name that ends in A or B is trained",
        swap(
            FREEZE,
            '    for name, values in model.named_parameters():\n        values.requires_grad_(name[-1] in "AB")\n',
        ),
        by=FROZEN,
        why="""Every parameter whose name ends in A or B is trained. The model may have one of its own by that name; what
        counts is whether a LoRALinear holds it.""",
    ),
    entry(
        "a layer that is used twice counts twice",
        swap(COUNT, "return len(chosen)"),
        by=TWICE,
        why="""Places are counted, and not layers. A layer that stands in two places is one, and is trained once.""",
    ),
    entry(
        "nothing is returned",
        swap(COUNT, "return None"),
        by=REPLACED,
        why="""The number of new layers is not returned. It is how a caller sees that the names were right.""",
    ),
    entry(
        "the number of names is returned",
        swap(COUNT, "return len(names)"),
        by=REPLACED,
        why="""The number of names is returned. What is asked for is how many layers were replaced.""",
    ),
    entry(
        "the number of all linear layers is returned",
        swap(COUNT, "return len(places)"),
        by=REPLACED,
        why="""All linear layers of the model are counted. What is asked for is how many were replaced.""",
    ),
    entry(
        "how many numbers are trained is returned",
        swap(COUNT, "return sum(values.numel() for values in model.parameters() if values.requires_grad)"),
        by=REPLACED,
        why="""The numbers that are trained are counted, and not the layers. What is asked for is how many layers were
        replaced.""",
    ),
    entry(
        "the layers are returned",
        swap(COUNT, "return list(wrapped.values())"),
        by=REPLACED,
        why="""The new layers are returned as a list. What is asked for is their number.""",
    ),
    entry(
        "the dropout is not handed on",
        swap(WRAPPED, WRAPPED.replace(", dropout)", ")")),
        by=HANDED_ON,
        why="""The new layers are made without the dropout, and theirs is 0. The rate that was asked for has no effect.""",
    ),
    entry(
        "the model is put into train mode",
        swap(COUNT, "model.train()\n    " + COUNT),
        by=MODES,
        why="""`model.train()` is called on the whole model. Whoever had it in eval mode, or a part of it, has dropout again
        without having asked.""",
    ),
    entry(
        "the model is put into eval mode",
        swap(COUNT, "model.eval()\n    " + COUNT),
        by=MODES,
        why="""`model.eval()` is called on the whole model. A training run that goes on from there has no dropout any more.""",
    ),
    entry(
        "alpha is the rank",
        swap(WRAPPED, WRAPPED.replace("rank, alpha", "rank, rank")),
        by=COMPUTES,
        why="""The rank is handed on as alpha, so the scale is always 1. alpha has no effect.""",
    ),
    entry(
        "rank and alpha are exchanged",
        swap(WRAPPED, WRAPPED.replace("rank, alpha", "int(alpha), rank")),
        by=REPLACED,
        why="""The layers are made with alpha as their rank and the rank as alpha. The rank comes first.""",
    ),
    entry(
        "alpha is divided by the rank before",
        swap(WRAPPED, WRAPPED.replace("rank, alpha", "rank, alpha / rank")),
        by=COMPUTES,
        why="""alpha is divided by the rank before it is handed on. The layer does so itself.""",
    ),
    entry(
        "a layer is replaced in one of its places",
        swap(EVERY, EVERY.replace("remove_duplicate=False", "")),
        by=TWICE,
        why="""named_modules leaves out what it has met before, so a layer that stands in two places is replaced in the
        first alone. In the other it stays plain, and the model has two functions where there was one.""",
    ),
    entry(
        "a new layer for each place",
        swap(SET, "setattr(model.get_submodule(parent), name, LoRALinear(linear, rank, alpha, dropout))"),
        by=TWICE,
        why="""Each place gets an A and a B of its own, even where the same layer stands in both. What was one layer learns
        as two.""",
    ),
    entry(
        "no layer, no error",
        swap(NONE, "return 0"),
        by=NO_NAME,
        why="""Where no layer has such a name, 0 is returned. Training would then run for hours without anything to
        train.""",
    ),
    entry(
        "the error does not say what there is",
        swap(NONE, """raise ValueError(f"no linear layer is called {' or '.join(names)}")"""),
        by=NO_NAME,
        why="""The error shows the names that were asked for, and not those that there are. With them the mistake is mended
        in a moment.""",
    ),
    entry(
        "the error is a KeyError",
        swap(NONE, NONE.replace("ValueError", "KeyError")),
        by=NO_NAME,
        why="""Where no layer has such a name, there is a KeyError. The contract asks for a ValueError.""",
    ),
    entry(
        "the error names the model's own children",
        swap(THERE, "there_are = [name for name, _ in model.named_children()]"),
        by=NO_NAME,
        why="""The error lists the model's children, which are blocks for the most part. What can be asked for are the last
        names of linear layers.""",
    ),
    entry(
        "the model is frozen before the names are looked up",
        swap(FREEZE, ""),
        swap("    held = {module.linear", "    model.requires_grad_(False)\n    held = {module.linear"),
        by=NO_NAME,
        why="""The model is frozen before it is known whether there is anything to replace. After an error it should be as it
        was.""",
    ),
    entry(
        "the model is frozen before the rank is looked at",
        swap(FREEZE, ""),
        swap("    smaller = min(min(", "    model.requires_grad_(False)\n    smaller = min(min("),
        by=LEFT_ALONE,
        why="""The model is frozen, and then the rank is refused. After an error it should be as it was.""",
    ),
    entry(
        "half of the layers are replaced before the rank is refused",
        swap(FITS, "    if False:\n        raise ValueError("),
        swap(
            "    wrapped = {linear: " + WRAPPED + "\n",
            "    wrapped = {}\n",
        ),
        swap(
            SET,
            "if linear not in wrapped:\n            wrapped[linear] = LoRALinear(linear, rank, alpha, dropout)\n        "
            + SET,
        ),
        by=LEFT_ALONE,
        why="""Layers are replaced one by one until one of them refuses the rank. After an error the model should be as it
        was, so look at all of them first.""",
    ),
    entry(
        "only the first layer's sides are looked at",
        swap(ALL_SIDES, "smaller = min(next(iter(chosen.values())).weight.shape)"),
        by=LEFT_ALONE,
        why="""The rank is compared with the first layer only. Another may be narrower, and refuse when others are replaced
        already.""",
    ),
    entry(
        "the sides of the largest layer are the bound",
        swap(ALL_SIDES, "smaller = max(min(linear.weight.shape) for linear in chosen.values())"),
        by=LEFT_ALONE,
        why="""The rank is compared with the layer that has most room. It has to fit into every one.""",
    ),
    entry(
        "layers that the rank does not fit are left out",
        swap(
            ALL_SIDES,
            "chosen = {path: linear for path, linear in chosen.items() if rank <= min(linear.weight.shape)}\n"
            "    smaller = rank",
        ),
        by=LEFT_ALONE,
        why="""Layers that are too narrow for the rank are quietly passed over. Who asks for them should be told.""",
    ),
    entry(
        "every linear layer has to have room for the rank",
        swap(ALL_SIDES, "smaller = min(min(linear.weight.shape) for linear in places.values())"),
        by=LEFT_ALONE,
        why="""The rank is compared with all linear layers of the model. Only the chosen ones get an A and a B.""",
    ),
    entry(
        "what is wrapped is wrapped again",
        swap(PLAIN, "if isinstance(module, nn.Linear)"),
        by=AGAIN,
        why="""A second call finds the layer within a LoRALinear, which is called `linear`, and wraps it once more. What is
        wrapped already is done.""",
    ),
    entry(
        "replaced while walking",
        swap(
            COUNT,
            'if "linear" in names:\n        for module in wrapped.values():\n'
            "            module.linear = LoRALinear(module.linear, rank, alpha, dropout)\n    return len(wrapped)",
        ),
        by=AGAIN,
        why="""The walk goes on into the layers that it has just put in, and finds another `linear` there. List what is to
        be replaced first, and replace it then.""",
    ),
    entry(
        "a LoRALinear around a LoRALinear",
        swap(PLAIN, 'if isinstance(module, nn.Linear) or hasattr(module, "A") and isinstance(module, LoRALinear)'),
        by=AGAIN,
        why="""A second call takes a LoRALinear for a layer to be wrapped. It is done already, and is no plain linear
        layer.""",
    ),
    entry(
        "new linear layers within",
        swap(
            WRAPPED,
            "LoRALinear(nn.Linear(linear.in_features, linear.out_features, linear.bias is not None), rank, alpha, dropout)"
            "\n        for linear in dict.fromkeys(chosen.values())\n    }",
        ),
        by=REPLACED,
        why="""Each LoRALinear is put around a new linear layer with random numbers. What the model knows is in the old
        ones.""",
    ),
    entry(
        "copies of the linear layers within",
        swap(
            WRAPPED,
            "LoRALinear(__import__('copy').deepcopy(linear), rank, alpha, dropout)\n"
            "        for linear in dict.fromkeys(chosen.values())\n    }",
        ),
        by=REPLACED,
        why="""Each LoRALinear is put around a copy of the layer. A weight that the layer shares with another is then shared
        no longer.""",
    ),
    entry(
        "tied weights come apart",
        swap(
            SET,
            "linear.weight = nn.Parameter(linear.weight.detach().clone(), requires_grad=False)\n        " + SET,
        ),
        by=TIED,
        why="""The weight of each layer becomes a parameter of its own. A head that shares its weight with the embeddings
        takes the memory twice from then on.""",
    ),
    entry(
        "put on the model, not on the parent",
        swap(SET, "setattr(model, name, wrapped[linear])"),
        by=REPLACED,
        why="""The new layer is set on the model itself, under the last name. Its place is in the module that held the old
        one, which goes on using that.""",
    ),
    entry(
        "made and never put in",
        swap(SET, "wrapped[linear]"),
        by=REPLACED,
        why="""The new layers are made, and the model never gets them. It goes on with the old ones.""",
    ),
    entry(
        "all layers get the dtype of the first",
        swap(
            COUNT,
            "first = next(iter(wrapped.values())).A.dtype\n    for module in wrapped.values():\n"
            "        module.A.data, module.B.data = module.A.data.to(first), module.B.data.to(first)\n"
            "    return len(wrapped)",
        ),
        by=OWN_DTYPE,
        why="""Every A and B has the dtype of the first layer. Each follows the weight of its own.""",
    ),
]

SAVED = [
    entry(
        "the whole model is saved",
        swap(STATE, "return model.state_dict()\n"),
        by=ALONE,
        why="""The state holds every parameter of the model. A and B are a small part of it, and all that has changed.""",
    ),
    entry(
        "the linear layers are saved too",
        swap(STATE_B, STATE_B + '\n            state[f"{path}.linear.weight"] = module.linear.weight.detach()'),
        by=ALONE,
        why="""The frozen weights are saved with A and B. Whoever loads the state has them already.""",
    ),
    entry(
        "the state is in float32",
        swap(STATE_A, STATE_A + ".float()"),
        swap(STATE_B, STATE_B + ".float()"),
        by=ALONE,
        why="""A and B are saved in float32, whatever they have. In double precision half of their digits are lost.""",
    ),
    entry(
        "only B is saved",
        swap(STATE_A, "pass"),
        by=ALONE,
        why="""A is left out. It was random, and nobody can draw it again.""",
    ),
    entry(
        "only A is saved",
        swap(STATE_B, "pass"),
        by=ALONE,
        why="""B is left out. Without it the way through A leads nowhere.""",
    ),
    entry(
        "the product is saved",
        swap(STATE_A, 'state[f"{path}.change"] = (module.B @ module.A).detach()'),
        swap(STATE_B, "pass"),
        by=ALONE,
        why="""B times A is saved, which is as large as the weight. A and B themselves are much smaller, and can be trained
        on.""",
    ),
    entry(
        "the scale is saved too",
        swap(STATE_B, STATE_B + '\n            state[f"{path}.scale"] = torch.tensor(module.scale)'),
        by=ALONE,
        why="""The scale is in the state as well. It follows from alpha and rank, which whoever builds the model hands
        over.""",
    ),
    entry(
        "the scaled B is saved",
        swap(STATE_B, 'state[f"{path}.B"] = module.scale * module.B.detach()'),
        by=ALONE,
        why="""B is saved with the scale in it. A model that loads it multiplies by the scale a second time.""",
    ),
    entry(
        "layers overwrite each other",
        swap(STATE_A, 'state[path.split(".")[-1] + ".A"] = module.A.detach()'),
        swap(STATE_B, 'state[path.split(".")[-1] + ".B"] = module.B.detach()'),
        by=ALONE,
        why="""Entries go by the last name alone, which every block has. Each layer overwrites that of the block
        before.""",
    ),
    entry(
        "the first layer alone is saved",
        swap(STATE_B, STATE_B + "\n            break"),
        by=ALONE,
        why="""The walk ends at the first LoRALinear. Every one has an A and a B.""",
    ),
    entry(
        "all that is called A or B is saved",
        swap(
            STATE,
            'return {name: values.detach() for name, values in model.named_parameters() if name.endswith(("A", "B"))}\n',
        ),
        by=ALONE,
        why="""Parameters are chosen by the end of their names. The model may have one of its own by that name; what counts
        is whether a LoRALinear holds it.""",
    ),
    entry(
        "the frozen parameters are saved",
        swap(
            STATE,
            "return {name: values.detach() for name, values in model.named_parameters() if not values.requires_grad}\n",
        ),
        by=ALONE,
        why="""What is frozen is saved, and what was trained is not. It is the other way round.""",
    ),
    entry(
        "lists of numbers are saved",
        swap(STATE_A, 'state[f"{path}.A"] = module.A.tolist()'),
        swap(STATE_B, 'state[f"{path}.B"] = module.B.tolist()'),
        by=ALONE,
        why="""The entries are lists of numbers. Tensors know their dtype and are what a model loads.""",
    ),
    entry(
        "gradients are saved",
        swap(STATE_A, 'state[f"{path}.A"] = torch.zeros_like(module.A) if module.A.grad is None else module.A.grad'),
        swap(STATE_B, 'state[f"{path}.B"] = torch.zeros_like(module.B) if module.B.grad is None else module.B.grad'),
        by=ALONE,
        why="""The gradients of A and B are saved. What was learned are their values.""",
    ),
    entry(
        "A and B are saved transposed",
        swap(STATE_A, 'state[f"{path}.A"] = module.A.detach().T'),
        swap(STATE_B, 'state[f"{path}.B"] = module.B.detach().T'),
        by=ALONE,
        why="""A and B are saved transposed. Others expect them as they are in the model.""",
    ),
    entry(
        "a missing entry is passed over",
        swap(MISSING, "            continue"),
        swap(COPY, "values.copy_(state.get(name, values))"),
        by=WRONG_STATE,
        why="""An entry that is missing is passed over, and that A or B keeps its start. The model would be half
        loaded, and nobody told.""",
    ),
    entry(
        "an entry too many is passed over",
        swap(EXTRA, "            continue"),
        by=WRONG_STATE,
        why="""An entry that the model has no place for is passed over. Most likely it comes from another model, and nobody
        is told.""",
    ),
    entry(
        "nothing is looked at",
        swap(NAMES, "for name in []:"),
        swap(COPY, "if name in state:\n            values.copy_(state[name])"),
        by=WRONG_STATE,
        why="""Whatever fits is copied, and the rest is passed over. A state of another model would be loaded by half without
        a word.""",
    ),
    entry(
        "shapes are not looked at",
        swap(SHAPE, "if False:"),
        by=WRONG_STATE,
        why="""Shapes are left to copy_, which spreads a single row over all of them, and stops halfway where it cannot.
        Look at all shapes before anything is copied.""",
    ),
    entry(
        "only the number of entries counts",
        swap(SHAPE, "if state[name].numel() != own[name].numel():"),
        swap(COPY, "values.copy_(state[name].reshape(values.shape))"),
        by=WRONG_STATE,
        why="""Numbers are counted in place of comparing shapes. A tensor of as many numbers can be another matrix.""",
    ),
    entry(
        "copied while looking",
        swap(
            NAMES,
            "for name in [*own, *state]:\n        if name in own and name in state and state[name].shape == own[name].shape:\n            own[name].copy_(state[name])",
        ),
        by=WRONG_STATE,
        why="""Entries are copied while the others are still being looked at. After an error the model should be as it was,
        so look at all of them first.""",
    ),
    entry(
        "what fits is copied before the rest is looked at",
        swap(
            NAMES,
            """for name in own:
        if name in state and state[name].shape == own[name].shape:
            own[name].copy_(state[name])
    """
            + NAMES,
        ),
        by=WRONG_STATE,
        why="""What fits is copied first, and then the state is refused. The model is now half its own and half the
        state's.""",
    ),
    entry(
        "load_state_dict takes what it finds",
        swap(OWN, "model.load_state_dict(state, strict=False)\n    return\n    own = lora_state(model)"),
        by=WRONG_STATE,
        why="""load_state_dict without strict passes over what is missing or too many. And where a shape is wrong, the
        other entries have been copied by then.""",
    ),
    entry(
        "load_state_dict wants all",
        swap(OWN, "model.load_state_dict(state)\n    return\n    own = lora_state(model)"),
        by=LOADED,
        why="""load_state_dict asks for every parameter of the model. The state holds A and B alone.""",
    ),
    entry(
        "only A is loaded",
        swap(COPY, 'if name.endswith("A"):\n            values.copy_(state[name])'),
        by=LOADED,
        why="""B keeps what it had. Both are in the state, and both were trained.""",
    ),
    entry(
        "only B is loaded",
        swap(COPY, 'if name.endswith("B"):\n            values.copy_(state[name])'),
        by=LOADED,
        why="""A keeps what it had. Both are in the state, and both were trained.""",
    ),
    entry(
        "only the first layer is loaded",
        swap(COPIES, "for name, values in list(own.items())[:2]:"),
        by=LOADED,
        why="""One A and one B are copied, and the others keep what they had. Every layer has an entry.""",
    ),
    entry(
        "loaded by order, not by name",
        swap(COPIES, "for (name, values), other in zip(own.items(), state.values()):"),
        swap(COPY, "values.copy_(other)"),
        by=LOADED,
        why="""The entries are taken in the order in which they come. A dict is read by its names; the order may be
        another.""",
    ),
    entry(
        "added, not copied",
        swap(COPY, "values.add_(state[name])"),
        by=LOADED,
        why="""What is loaded is added to what is there. A model that has learned something already ends up with the sum.""",
    ),
    entry(
        "copied the wrong way",
        swap(COPY, "state[name].copy_(values)"),
        by=LOADED,
        why="""The model's numbers are copied into the state. The state is what was saved, and goes into the model.""",
    ),
    entry(
        "nothing is loaded",
        swap(COPY, "pass"),
        by=LOADED,
        why="""The state is looked at, and the model stays as it was. What is copied has to end up in its parameters, not in
        copies of them.""",
    ),
    entry(
        "the scale is multiplied in",
        swap(COPY, 'values.copy_(state[name] * (model.get_submodule(name[:-2]).scale if name[-1] == "B" else 1))'),
        by=LOADED,
        why="""B is multiplied by the scale when it is loaded. The layer does so in each call.""",
    ),
    entry(
        "the model keeps the state's tensors",
        swap(COPY, "getattr(model.get_submodule(name[:-2]), name[-1]).data = state[name].to(values.dtype)"),
        by=SEVERAL,
        why="""The tensors of the state become those of the model. When it is trained on, the state changes with it, and so
        does every other model that loaded it.""",
    ),
    entry(
        "the model takes the state's dtype",
        swap(COPY, "getattr(model.get_submodule(name[:-2]), name[-1]).data = state[name].clone()"),
        by=TAKES_DTYPE,
        why="""A and B get the dtype of the state. They follow the layer, or x no longer fits them.""",
    ),
    entry(
        "what is loaded is frozen",
        swap(
            COPY,
            "values.copy_(state[name])\n        getattr(model.get_submodule(name[:-2]), name[-1]).requires_grad_(False)",
        ),
        by=LOADED,
        why="""A and B are frozen once they are loaded. A run that goes on from there has nothing to train.""",
    ),
    entry(
        "the rest of the model is trained again",
        swap(COPY, "model.requires_grad_(True)\n        values.copy_(state[name])"),
        by=LOADED,
        why="""Loading makes all parameters trainable. What was frozen stays so.""",
    ),
    entry(
        "the errors do not say which entry",
        swap(MISSING, '            raise ValueError("an entry is missing in the state")'),
        swap(EXTRA, '            raise ValueError("the state has too many entries")'),
        by=WRONG_STATE,
        why="""The error does not name the entry. Among dozens of layers the name is what one needs.""",
    ),
    entry(
        "merged without the scale",
        swap(MERGED, "weight = module.linear.weight + module.B @ module.A"),
        by=SAME,
        why="""B times A is added to the weight as it is. In forward it was multiplied by alpha over the rank.""",
    ),
    entry(
        "merged with the scale twice",
        swap(MERGED, "weight = module.linear.weight + module.scale**2 * module.B @ module.A"),
        by=SAME,
        why="""The change is multiplied by the scale twice. Once is what forward does.""",
    ),
    entry(
        "merged by subtraction",
        swap(MERGED, "weight = module.linear.weight - module.scale * module.B @ module.A"),
        by=SAME,
        why="""The change is taken off the weight. In forward it is added.""",
    ),
    entry(
        "merged with the dropout",
        swap(MERGED, "weight = module.linear.weight + (1 - module.dropout.p) * module.scale * module.B @ module.A"),
        by=SAME,
        why="""The change is made smaller by what dropout leaves out. Dropout scales up what it keeps, so in eval mode the
        whole counts.""",
    ),
    entry(
        "the change alone",
        swap(MERGED, "weight = module.scale * module.B @ module.A"),
        by=SAME,
        why="""The weight is replaced by the change. It is to be added to what is there.""",
    ),
    entry(
        "merged transposed",
        swap(
            MERGED,
            "weight = module.linear.weight + module.scale * (module.B @ module.A).T.reshape(module.linear.weight.shape)",
        ),
        by=SAME,
        why="""The change is laid into the weight by columns in place of rows. B times A has the shape of the weight as it
        is.""",
    ),
    entry(
        "A times B",
        swap(MERGED, "weight = module.linear.weight + module.scale * module.A.T @ module.B.T"),
        by=SAME,
        why="""The product is that of the transposed factors, (in, out). A weight is (out, in).""",
    ),
    entry(
        "the change is thrown away",
        swap(MERGED, "weight = module.linear.weight"),
        by=SAME,
        why="""The plain layers are put back as they were. What was learned is lost.""",
    ),
    entry(
        "merged twice",
        swap(ONCE, "if True:"),
        by=MERGED_ONCE,
        why="""A layer that stands in two places is merged in each of them. The change is in its weight twice then.""",
    ),
    entry(
        "merged into the shared weight",
        swap(MERGED, "module.linear.weight.data += (module.scale * module.B @ module.A).detach()"),
        swap(WEIGHT, "pass"),
        by=SHARED,
        why="""The change is added to the weight in place. Where the embeddings share it, every token now has another
        embedding as well.""",
    ),
    entry(
        "the merged layer has no bias",
        swap(
            KEEP,
            "merged[module] = nn.Linear(weight.shape[1], weight.shape[0], bias=False)\n"
            "            merged[module].weight = module.linear.weight",
        ),
        by=SAME,
        why="""The plain layer that is put back has no bias. That of the linear layer belongs to it.""",
    ),
    entry(
        "the merged layer has another bias",
        swap(
            KEEP,
            "merged[module] = nn.Linear(weight.shape[1], weight.shape[0], bias=module.linear.bias is not None)\n"
            "            merged[module].weight = module.linear.weight",
        ),
        by=SAME,
        why="""A new plain layer is made and gets the weight, but not the bias. Its own is not what the layer had.""",
    ),
    entry(
        "the merged layer always has a bias",
        swap(
            KEEP,
            "merged[module] = nn.Linear(weight.shape[1], weight.shape[0])\n"
            "            merged[module].weight = module.linear.weight\n"
            "            merged[module].bias.data.zero_()\n"
            "            if module.linear.bias is not None:\n"
            "                merged[module].bias = module.linear.bias",
        ),
        by=SAME,
        why="""A layer that had no bias has one after merging. The model should be as it was before add_lora, name by
        name.""",
    ),
    entry(
        "merged and added on top",
        swap(PUT, "pass"),
        by=SAME,
        why="""The change is in the weight, and the LoRALinear still stands there and adds it once more. A plain linear layer
        has to take its place.""",
    ),
    entry(
        "B is cleared, and the layer stays",
        swap(PUT, "module.B.data.zero_()"),
        by=SAME,
        why="""The change goes into the weight, B is set to 0, and the LoRALinear stays. The result is right, at the cost of
        two products that do nothing.""",
    ),
    entry(
        "the first layer alone is merged",
        swap(PUT, PUT + "\n        break"),
        by=SAME,
        why="""The walk ends after the first LoRALinear. All of them are to be plain again.""",
    ),
    entry(
        "merged in one of its places",
        swap(WALK, "for path, module in list(model.named_modules()):"),
        by=MERGED_ONCE,
        why="""named_modules leaves out what it has met before. A layer that stands in two places is plain again in the first
        alone.""",
    ),
    entry(
        "merged where the model holds it itself",
        swap(WALK, "for path, module in list(model.named_children()):"),
        by=SAME,
        why="""Only the model's own children are looked at. The layers of a GPT stand deep within its blocks.""",
    ),
    entry(
        "merged layers are put on the model",
        swap(PUT, "setattr(model, name, merged[module])"),
        by=SAME,
        why="""The merged layer is set on the model itself, under the last name. Its place is in the module that held the
        LoRALinear.""",
    ),
    entry(
        "a merged layer for each place",
        swap(
            PUT,
            "plain = nn.Linear(*module.linear.weight.T.shape, bias=module.linear.bias is not None)\n"
            "        plain.weight, plain.bias = module.linear.weight, module.linear.bias\n"
            "        setattr(model.get_submodule(parent), name, plain)",
        ),
        by=MERGED_ONCE,
        why="""A layer that stands in two places becomes two plain layers. What was one stays one.""",
    ),
    entry(
        "the merged layer has the default dtype",
        swap(
            KEEP,
            """plain = nn.Linear(module.linear.in_features, module.linear.out_features, module.linear.bias is not None)
            plain.to(weight.device).load_state_dict(module.linear.state_dict())
            merged[module] = plain.requires_grad_(False)""",
        ),
        by=KEEPS,
        why="""A new `nn.Linear` has torch's default dtype, and `load_state_dict` converts to that. A model in bfloat16 gets
        layers in float32, which cannot be multiplied with the rest.""",
    ),
    entry(
        "the merged layer is made on the CPU",
        swap(
            KEEP,
            """has_bias, dtype = module.linear.bias is not None, weight.dtype
            plain = nn.Linear(module.linear.in_features, module.linear.out_features, has_bias, dtype=dtype)
            if not weight.is_meta:
                plain.load_state_dict(module.linear.state_dict())
            merged[module] = plain.requires_grad_(False)""",
        ),
        by=KEEPS,
        why="""A new `nn.Linear` is on the CPU unless a device is named. A model on a GPU meets it at the next forward.""",
    ),
    entry(
        "the other way before the weight",
        swap(MERGED, "weight = module.scale * (module.linear.weight + module.B @ module.A)"),
        by=SAME,
        why="""The weight is multiplied by the scale as well. The scale belongs to B times A alone.""",
    ),
]

MISTAKES = [*LAYER, *MODEL, *SAVED]
